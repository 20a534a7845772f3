//! Listens, serves, and stops without dropping anyone.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use ::alerts::Alerts;
use accounts::Accounts;
use admin::Admin;
use app::settings::{CorsOrigins, LogFormat, Settings};
use auth::Auth;
use engine::Engine;
use live::Live;
use model::Problem;
use openapi::OpenApi;
use rest::Rest;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use web::{Cors, Limits, Manners, Metrics, Per, Rate, Rates, RequestLog, TrustedProxies};

use crate::{
    alerts, connection::HEADERS, identity::Identity, lobby::Lobby, mount::Protocols, pause::Pause, public::Public,
    retention,
};

/// Files that are open besides connections of clients: databases, logs.
const OTHER_FILES: u64 = 64;

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

/// Why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// Nothing could listen.
    Listen(io::Error),
    /// Identity lacks something; the cause says what.
    Identity(Problem),
}

/// A server that listens.
pub struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    connections: TaskTracker,
    patience: Duration,
    engine: Arc<Engine>,
    live: Arc<Live>,
    admin: Arc<Admin>,
    watching: tokio::task::JoinHandle<()>,
    identity: Identity,
    log: Arc<RequestLog>,
    pause: Pause,
    accepting: tokio::task::JoinHandle<()>,
    trimming: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Listens at the address of the settings.
    ///
    /// # Errors
    /// The address can't be listened at, a thread can't be started, or identity lacks something.
    pub async fn start(settings: &Settings, engine: Arc<Engine>, options: Options) -> Result<Self, StartError> {
        let listener = TcpListener::bind(settings.server.listen).await.map_err(StartError::Listen)?;
        let address = listener.local_addr().map_err(StartError::Listen)?;
        let (identity, accounts) = Identity::start(settings, &engine).await.map_err(StartError::Identity)?;
        let format = match (options.text_log, settings.log.format) {
            _ if options.quiet => web::Format::Off,
            (false, LogFormat::Json) => web::Format::Json,
            (true, _) | (_, LogFormat::Text) => web::Format::Text,
        };
        let log = Arc::new(RequestLog::start(format, io::stdout()).map_err(StartError::Listen)?);
        let live = Arc::new(Live::new(Arc::clone(&engine)));
        let pause = if options.pausable { Pause::possible() } else { Pause::default() };
        let admin = Arc::new(Admin::new(Arc::clone(&identity.auth)));
        let alerts = alerts::assemble(settings, &engine).map_err(StartError::Identity)?;
        let alerts = Arc::new(alerts);
        let stop = CancellationToken::new();
        let watching = tokio::spawn(Arc::clone(&alerts).watch(stop.clone()));
        let parts = Parts { accounts, live: Arc::clone(&live), admin: Arc::clone(&admin), alerts };
        let manners = manners(settings, &engine, parts, &identity.auth, Arc::clone(&log), &pause, options);
        let connections = TaskTracker::new();
        let most = settings.server.max_connections;
        raise_file_limit(most);
        let lobby = Lobby::new(Arc::new(manners), connections.clone(), stop.clone(), most);
        let accepting = tokio::spawn(Arc::new(lobby).accept(listener));
        let trimming = tokio::spawn(retention::keep(Arc::clone(&engine), settings.events.retention));
        let patience = settings.server.shutdown_timeout;
        Ok(Self {
            address,
            stop,
            connections,
            patience,
            engine,
            live,
            admin,
            watching,
            identity,
            log,
            pause,
            accepting,
            trimming,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Identity on this server.
    #[must_use]
    pub fn identity(&self) -> &Arc<Auth> {
        &self.identity.auth
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
        self.admin.stop();
        self.connections.close();
        if tokio::time::timeout(self.patience, self.connections.wait()).await.is_err() {
            tracing::warn!(open = self.connections.len(), "some requests did not end in time and were cut off");
        }
        self.trimming.abort();
        self.watching.abort();
        self.accepting.abort();
        self.identity.stop().await;
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

/// Protocols and what they speak of, besides the engine.
struct Parts {
    accounts: Accounts,
    live: Arc<Live>,
    admin: Arc<Admin>,
    alerts: Arc<Alerts>,
}

fn manners(
    settings: &Settings,
    engine: &Arc<Engine>,
    Parts { accounts, live, admin, alerts }: Parts,
    auth: &Arc<Auth>,
    log: Arc<RequestLog>,
    pause: &Pause,
    options: Options,
) -> Manners {
    let metrics = Arc::new(Metrics::default());
    let protocols = Protocols {
        engine: Arc::clone(engine),
        rest: Rest::new(Arc::clone(engine)),
        live,
        accounts,
        admin,
        alerts,
        auth: Arc::clone(auth),
        openapi: OpenApi::new(
            Arc::clone(engine),
            api_title(settings),
            auth.cookies().session_name().map(str::to_owned),
        ),
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
        auth: Arc::clone(auth),
        limits: Limits {
            max_body: settings.server.max_body,
            request_timeout: settings.server.request_timeout,
            max_headers: HEADERS,
        },
        cors: Cors::new(origins),
        proxies,
        rates: rates(settings),
        metrics,
        log,
        prefix: rand::random(),
        number: 0.into(),
        timing: options.timing,
        secure: settings.server.public_url.starts_with("https:"),
        clock: Box::new(move || clock.now()),
    }
}

/// None where there are none, so that they cost nothing.
fn rates(settings: &Settings) -> Option<Rates> {
    let per = |per| match per {
        app::settings::Per::Address => Per::Address,
        app::settings::Per::Caller => Per::Caller,
        app::settings::Per::All => Per::All,
    };
    let rates: Vec<Rate> = settings
        .limits
        .iter()
        .map(|limit| Rate {
            paths: limit.paths.clone(),
            count: limit.count,
            period: limit.period,
            burst: limit.burst,
            per: per(limit.per),
        })
        .collect();
    (!rates.is_empty()).then(|| Rates::new(rates))
}

/// What the app's API is called, for want of a name: where it is.
pub(crate) fn api_title(settings: &Settings) -> String {
    let url = &settings.server.public_url;
    format!("The API of {}", url.split_once("://").map_or(url.as_str(), |(_, host)| host))
}

/// Takes as many files as the system allows: every connection is one, and the usual limit is that of an interactive shell.
fn raise_file_limit(connections: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let known = getrlimit(Resource::Nofile);
    if known.current != known.maximum {
        // Where that fails, the limit is as it was, and the warning below says so.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: known.maximum, maximum: known.maximum });
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let needed = connections as u64 + OTHER_FILES;
    if files < needed {
        tracing::warn!(files, needed, "the limit of open files is lower than server.max_connections needs (ulimit -n)");
    }
}
