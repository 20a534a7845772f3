//! A network that can fall silent (bytes are taken and not handed on, and nobody is told) or break at the worst moment.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
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
    most_together: Arc<AtomicUsize>,
}

/// Runs a statement to its end: a message of the extended query protocol.
const EXECUTE: &[u8] = b"E\0\0\0\x09\0\0\0\0\0";

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
        let most_together = Arc::new(AtomicUsize::new(0));
        let (breaks, counts) = (Arc::clone(&breaking), Arc::clone(&most_together));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                let counts = Arc::clone(&counts);
                let asked = move |sent: &[u8]| {
                    let statements = sent.windows(EXECUTE.len()).filter(|bytes| *bytes == EXECUTE).count();
                    counts.fetch_max(statements, Ordering::Relaxed);
                    true
                };
                tokio::spawn(pass_on(from_client, to_server, heard.subscribe(), asked));
                let breaks = Arc::clone(&breaks);
                let answered = move |sent: &[u8]| {
                    let committed = || sent.windows(7).any(|bytes| bytes == b"COMMIT\0");
                    !(breaks.load(Ordering::Relaxed) && rand::random_ratio(1, 3) && committed())
                };
                tokio::spawn(pass_on(from_server, to_client, heard.subscribe(), answered));
            }
        });
        Self { port, silent, breaking, most_together }
    }

    /// The most statements that were sent at once since this was asked last.
    pub(crate) fn take_most_together(&self) -> usize {
        self.most_together.swap(0, Ordering::Relaxed)
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

/// Passes on what comes, until `may_pass` says no.
async fn pass_on(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    mut silent: watch::Receiver<bool>,
    may_pass: impl Fn(&[u8]) -> bool,
) {
    let mut bytes = [0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let sent = &bytes[..length];
        if !may_pass(sent) || silent.wait_for(|silent| !silent).await.is_err() || to.write_all(sent).await.is_err() {
            return;
        }
    }
}
