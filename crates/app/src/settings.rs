//! `mainstay.toml`, typed. Every key has a default; [`keys`](self::keys) lists them.

pub(crate) mod alerts;
pub(crate) mod environment;
pub(crate) mod keys;
pub(crate) mod limits;
mod network;
mod read;
mod roles;
mod services;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

pub use alerts::{Alert, AlertPer, AlertTo};
pub use environment::Environment;
pub use limits::{Limit, Per};
pub use network::Network;
pub(crate) use read::read;

use model::{Roles, Secret};

/// All settings of an app.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The app's directory.
    pub directory: PathBuf,
    /// How it is reached.
    pub server: Server,
    /// What it stands on.
    pub services: Services,
    /// How SQLite is used.
    pub sqlite: Sqlite,
    /// How PostgreSQL is used.
    pub postgres: Postgres,
    /// The event log.
    pub events: Events,
    /// The log of requests and faults.
    pub log: Log,
    /// How often callers may ask.
    pub limits: Vec<Limit>,
    /// Which rates of events are told, and to whom.
    pub alerts: Vec<Alert>,
    /// What the sign-in of people needs to know of this machine.
    pub auth: Auth,
    /// Who sends mails, and their texts.
    pub mail: MailTexts,
    /// What roles include.
    pub roles: Roles,
}

/// `[auth]` of `mainstay.toml`; what concerns the people stands in the `[auth]` of their resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// What seals signing keys and TOTP secrets in the database, 32 characters or more; made in `data/keys` on SQLite
    /// where absent.
    pub master_key: Option<Secret>,
}

/// `[server]`
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// The address and port that it listens on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How the outside reaches it: `http` or `https`, without a slash at the end.
    pub public_url: String,
    /// Who may call it from a page.
    pub cors_origins: CorsOrigins,
    /// The most bytes of a request's body, 1 KB to 1 GB.
    pub max_body: usize,
    /// How long a request may take until the first byte of the answer, 100 ms to 1 h.
    pub request_timeout: Duration,
    /// How long a stop waits for requests that run, 0 to 10 min.
    pub shutdown_timeout: Duration,
    /// The most connections at a time, 1 to 1,000,000; more wait.
    pub max_connections: usize,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
}

/// `server.cors_origins`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// `["*"]`: any page, without credentials.
    Any,
    /// These origins, exactly as browsers send them; none at all for an empty list.
    Exactly(Vec<String>),
}

/// `[services]`
#[derive(Debug, Clone, PartialEq)]
pub struct Services {
    /// Where records are kept.
    pub database: Database,
    /// What is kept for a while.
    pub cache: Cache,
    /// How nodes hear of each other.
    pub bus: Bus,
    /// Where uploaded files are kept.
    pub files: Files,
    /// How mail is sent.
    pub mail: Mail,
}

/// `services.database`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A file; a relative path has been joined to the app's directory.
    Sqlite(PathBuf),
    /// `postgres://…`, with its password.
    Postgres(Secret),
}

/// `services.cache`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// In this process.
    Memory,
}

/// `services.bus`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    /// In this process.
    Memory,
}

/// `services.files`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Files {
    /// A directory; a relative path has been joined to the app's directory.
    Directory(PathBuf),
}

/// `services.mail`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mail {
    /// Written to the log.
    Log,
    /// Handed to a server: `smtp://…` or `smtps://…`, with its password.
    Smtp(Secret),
    /// A file each, in a directory; a relative path has been joined to the app's directory.
    Directory(PathBuf),
}

/// `[mail]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailTexts {
    /// `mail.from`: the sender; `no-reply@` and the host of `public_url` unless set.
    pub from: String,
}

/// `[sqlite]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sqlite {
    /// When a write is on disk.
    pub synchronous: Synchronous,
}

/// `sqlite.synchronous`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// Before the answer: a power cut loses nothing that was acknowledged.
    Full,
    /// Soon after: a power cut may lose the last writes, never the database.
    Normal,
}

/// `[postgres]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Postgres {
    /// The most connections to it, 2 to 1,000.
    pub max_connections: usize,
}

/// `[events]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Events {
    /// How long entries of the log are kept, 1 min to 10 years.
    pub retention: Duration,
}

/// `[log]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// The least level that is written.
    pub level: LogLevel,
}

/// `log.format`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// `log.level`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// What someone has to look at.
    Error,
    /// What someone may want to look at.
    Warn,
    /// Requests, and what the server does.
    Info,
    /// For those who build apps.
    Debug,
    /// For those who build Mainstay.
    Trace,
}
