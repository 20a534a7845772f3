//! Listens, serves, and stops without dropping anyone.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use app::settings::{CorsOrigins, LogFormat, Settings};
use auth::Auth;
use engine::Engine;
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use live::Live;
use rest::Rest;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use web::{Cors, Limits, Manners, Metrics, RequestLog, TrustedProxies};

use crate::{mount::Protocols, pause::Pause, public::Public, retention, stalled::Patient};

/// The most bytes of a request's headers.
const HEADERS: usize = 32 << 10;
/// How long a client may take for the headers of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a client may leave a piece of an answer unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// What differs between production and development.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Answers tell how long they took (`Server-Timing`).
    pub timing: bool,
    /// Requests are logged for people, whatever the settings say.
    pub text_log: bool,
    /// Requests can be made to wait while the app changes ([`Server::pause`]).
    pub pausable: bool,
    /// Requests are not logged at all (tests).
    pub quiet: bool,
}

/// A server that listens.
pub struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    connections: TaskTracker,
    patience: Duration,
    engine: Arc<Engine>,
    live: Arc<Live>,
    log: Arc<RequestLog>,
    pause: Pause,
    accepting: tokio::task::JoinHandle<()>,
    trimming: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Listens at the address of the settings.
    ///
    /// # Errors
    /// The address can't be listened at, or a thread can't be started.
    pub async fn start(settings: &Settings, engine: Arc<Engine>, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.server.listen).await?;
        let address = listener.local_addr()?;
        let format = match (options.text_log, settings.log.format) {
            _ if options.quiet => web::Format::Off,
            (false, LogFormat::Json) => web::Format::Json,
            (true, _) | (_, LogFormat::Text) => web::Format::Text,
        };
        let log = Arc::new(RequestLog::start(format, io::stdout())?);
        let live = Arc::new(Live::new(Arc::clone(&engine)));
        let pause = if options.pausable { Pause::possible() } else { Pause::default() };
        let manners = manners(settings, &engine, &live, Arc::clone(&log), &pause, options);
        let stop = CancellationToken::new();
        let connections = TaskTracker::new();
        let accepting = tokio::spawn(accept(
            listener,
            Arc::new(manners),
            connections.clone(),
            stop.clone(),
            settings.server.max_connections,
        ));
        let trimming = tokio::spawn(retention::keep(Arc::clone(&engine), settings.events.retention));
        let patience = settings.server.shutdown_timeout;
        Ok(Self { address, stop, connections, patience, engine, live, log, pause, accepting, trimming })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets requests that come from now on wait until the guard is dropped, once those that run have been answered. None
    /// where that is not possible, or took too long.
    pub async fn pause(&self) -> Option<tokio::sync::OwnedRwLockWriteGuard<()>> {
        self.pause.begin().await
    }

    /// Stops accepting, ends streams, finishes requests that run, and closes the database.
    pub async fn stop(self) {
        self.stop.cancel();
        self.live.stop();
        self.connections.close();
        if tokio::time::timeout(self.patience, self.connections.wait()).await.is_err() {
            tracing::warn!(open = self.connections.len(), "some requests did not end in time and were cut off");
        }
        self.trimming.abort();
        self.accepting.abort();
        self.engine.store().close().await;
        self.log.close();
    }
}

/// Waits for SIGTERM or SIGINT.
///
/// # Errors
/// The signals can't be listened for.
pub async fn until_signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn manners(
    settings: &Settings,
    engine: &Arc<Engine>,
    live: &Arc<Live>,
    log: Arc<RequestLog>,
    pause: &Pause,
    options: Options,
) -> Manners {
    let metrics = Arc::new(Metrics::default());
    let protocols = Protocols {
        engine: Arc::clone(engine),
        rest: Rest::new(Arc::clone(engine)),
        live: Arc::clone(live),
        metrics: Arc::clone(&metrics),
        public: Public::new(settings.directory.join("public")),
        pause: pause.clone(),
    };
    let origins = match &settings.server.cors_origins {
        CorsOrigins::Any => vec!["*".to_owned()],
        CorsOrigins::Exactly(origins) => origins.clone(),
    };
    let trusted = settings.server.trusted_proxies.clone();
    let proxies = TrustedProxies((!trusted.is_empty()).then(|| {
        let believes = move |address: IpAddr| trusted.iter().any(|network| network.contains(address));
        Box::new(believes) as Box<dyn Fn(IpAddr) -> bool + Send + Sync>
    }));
    let clock = Arc::clone(engine.clock());
    Manners {
        door: Box::new(protocols),
        auth: Auth::new(Arc::clone(engine.store())),
        limits: Limits {
            max_body: settings.server.max_body,
            request_timeout: settings.server.request_timeout,
            max_headers: HEADERS,
        },
        cors: Cors::new(origins),
        proxies,
        metrics,
        log,
        prefix: rand::random(),
        number: 0.into(),
        timing: options.timing,
        clock: Box::new(move || clock.now()),
    }
}

async fn accept(
    listener: TcpListener,
    manners: Arc<Manners>,
    connections: TaskTracker,
    stop: CancellationToken,
    most: usize,
) {
    let places = Arc::new(Semaphore::new(most));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (manners, stop) = (Arc::clone(&manners), stop.clone());
                connections.spawn(async move {
                    connection(stream, peer, manners, stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: wait until some are free again.
                tracing::warn!(error = %error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, manners: Arc<Manners>, stop: CancellationToken) {
    // Answers are written whole, so nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let counted = manners.metrics.connected();
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(HEADERS * 4);
    builder.http2().timer(TokioTimer::new()).max_header_list_size(HEADERS as u32 * 2).max_concurrent_streams(128);
    let service = service_fn(|request| {
        let manners = Arc::clone(&manners);
        async move { Ok::<_, std::convert::Infallible>(manners.serve(request, peer.ip()).await) }
    });
    let mut serving = pin!(builder.serve_connection(TokioIo::new(Patient::new(stream, WRITE_TIMEOUT)), service));
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection ended badly");
    }
    drop(counted);
}
