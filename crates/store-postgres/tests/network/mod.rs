//! A network that can fall silent (bytes are taken and not handed on, and nobody is told) or break at the worst moment.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

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
    breaking: Arc<AtomicBool>,
}

impl Network {
    /// A way to the server of a URL, and the URL that leads over it.
    pub(crate) async fn before(url: &str) -> (Self, String) {
        let config: tokio_postgres::Config = url.parse().expect("a URL");
        let Some(tokio_postgres::config::Host::Tcp(host)) = config.get_hosts().first() else { panic!("no host") };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let network = Self::to((host.clone(), port)).await;
        let (user, name) = (config.get_user().expect("a user"), config.get_dbname().expect("a name"));
        let url = format!("postgres://{user}@127.0.0.1:{}/{name}", network.port);
        (network, url)
    }

    async fn to(server: (String, u16)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let silent = Arc::new(watch::Sender::new(false));
        let heard = Arc::clone(&silent);
        let breaking = Arc::new(AtomicBool::new(false));
        let (breaks, never) = (Arc::clone(&breaking), Arc::new(AtomicBool::new(false)));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::spawn(pass_on(from_client, to_server, heard.subscribe(), Arc::clone(&never)));
                tokio::spawn(pass_on(from_server, to_client, heard.subscribe(), Arc::clone(&breaks)));
            }
        });
        Self { port, silent, breaking }
    }

    /// Lets every third connection break that has an answer to a `COMMIT`, before it arrives.
    pub(crate) fn break_after_commits(&self, breaking: bool) {
        self.breaking.store(breaking, Ordering::Relaxed);
    }

    /// Falls silent, or ends the silence: what was sent meanwhile comes late.
    pub(crate) fn be_silent(&self, silent: bool) {
        self.silent.send_replace(silent);
    }
}

async fn pass_on(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    mut silent: watch::Receiver<bool>,
    breaking: Arc<AtomicBool>,
) {
    let mut bytes = [0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let passed = &bytes[..length];
        let committed = || passed.windows(7).any(|bytes| bytes == b"COMMIT\0");
        if breaking.load(Ordering::Relaxed) && rand::random_ratio(1, 3) && committed() {
            return;
        }
        if silent.wait_for(|silent| !silent).await.is_err() || to.write_all(passed).await.is_err() {
            return;
        }
    }
}
