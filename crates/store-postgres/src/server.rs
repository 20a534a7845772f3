//! The database server as this program reaches it: where it is, and how a connection is made.

use std::time::Duration;

use model::Problem;
use tokio_postgres::{CancelToken, Client, Config, Connection, Error, Socket, tls::MakeTlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::tls;

/// How long making a connection may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A connection's bytes, with or without TLS.
type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// Where the server is.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) config: Config,
    pub(crate) tls: MakeRustlsConnect,
}

impl Server {
    /// Reads a URL of PostgreSQL.
    ///
    /// # Errors
    /// A 503 that says what is wrong with it.
    pub(crate) fn read(url: &str) -> Result<Self, Problem> {
        let wrong = |detail: String| Problem::unavailable(detail.clone(), detail, 5);
        let (url, wishes) = tls::take_wishes(url);
        let mut config: Config = url.parse().map_err(|error: Error| {
            // The source names the option at fault, not its value.
            let reason = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            wrong(format!("the database URL can't be used: {reason}"))
        })?;
        let tls = tls::set_up(&mut config, &wishes)
            .map_err(|reason| wrong(format!("the database URL can't be used: {reason}")))?;
        if config.get_application_name().is_none() {
            config.application_name("mainstay");
        }
        // A connection that died without a word: what was sent and not acknowledged within ten seconds, or three questions
        // without an answer, end it. [`crate::pulse`] is faster where the whole database is silent.
        config
            .connect_timeout(PATIENCE)
            .tcp_user_timeout(Duration::from_secs(10))
            .keepalives_idle(Duration::from_secs(10))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3);
        Ok(Self { config, tls })
    }

    /// Makes a connection, which somebody has to drive.
    ///
    /// # Errors
    /// It can't be made.
    pub(crate) async fn connect(&self) -> Result<(Client, Connection<Socket, Stream>), Error> {
        self.config.connect(self.tls.clone()).await
    }

    /// Ends what runs on a connection.
    ///
    /// # Errors
    /// The server can't be told.
    pub(crate) async fn cancel(&self, token: CancelToken) -> Result<(), Error> {
        token.cancel_query(self.tls.clone()).await
    }
}
