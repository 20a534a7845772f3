//! A network that can fall silent: bytes are taken and not handed on, and nobody is told.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
};

/// A way to a server that passes everything on, unless it is silent.
pub(crate) struct Network {
    /// Where it begins.
    pub(crate) port: u16,
    silent: Arc<watch::Sender<bool>>,
}

impl Network {
    /// A way to a server on this machine.
    pub(crate) async fn to(server: (String, u16)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let silent = Arc::new(watch::Sender::new(false));
        let heard = Arc::clone(&silent);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::spawn(pass_on(from_client, to_server, heard.subscribe()));
                tokio::spawn(pass_on(from_server, to_client, heard.subscribe()));
            }
        });
        Self { port, silent }
    }

    /// Falls silent, or ends the silence: what was sent meanwhile comes late.
    pub(crate) fn be_silent(&self, silent: bool) {
        self.silent.send_replace(silent);
    }
}

async fn pass_on(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, mut silent: watch::Receiver<bool>) {
    let mut bytes = [0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        if silent.wait_for(|silent| !silent).await.is_err() || to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}
