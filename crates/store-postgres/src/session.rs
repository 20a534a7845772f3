//! One connection, for migrations and for databases that come and go.

use tokio::task::JoinHandle;
use tokio_postgres::{Client, error::SqlState};

use crate::server::Server;
use model::Problem;
use store::migration::MigrationError;

/// A connection, closed with this.
pub struct Session {
    /// What to say on it.
    pub client: Client,
    work: JoinHandle<()>,
}

impl Session {
    /// Connects to the database of a URL.
    ///
    /// # Errors
    /// The URL is none, or the database can't be reached.
    pub async fn open(url: &str) -> Result<Self, MigrationError> {
        Self::at(&Server::read(url).map_err(unreadable)?).await
    }

    async fn at(server: &Server) -> Result<Self, MigrationError> {
        let (client, connection) = server.connect().await.map_err(|error| MigrationError::Database {
            doing: "reach the PostgreSQL database of `services.database`".to_owned(),
            source: error.into(),
        })?;
        let work = tokio::spawn(async move {
            // Whoever waits for an answer on it hears of its end.
            let _ = connection.await;
        });
        Ok(Self { client, work })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.work.abort();
    }
}

/// A database of its own beside another one, to be removed.
pub struct Scratch {
    beside: Server,
    name: String,
}

impl Scratch {
    /// Makes one that sorts and folds letters as the database of the URL does.
    ///
    /// # Errors
    /// That one can't be reached, or its user may make none.
    pub async fn create(url: &str) -> Result<Self, MigrationError> {
        let beside = Server::read(url).map_err(unreadable)?;
        let session = Session::at(&beside).await?;
        let failed = |error: tokio_postgres::Error| {
            let doing = if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
                "make a scratch database: give the user of `services.database` the right CREATEDB, or name a server where it has it"
            } else {
                "make a scratch database"
            };
            MigrationError::Database { doing: doing.to_owned(), source: error.into() }
        };
        let ours = "SELECT quote_literal(datcollate), quote_literal(datctype), 'mainstay_scratch_' || \
                    replace(gen_random_uuid()::text, '-', '') FROM pg_database WHERE datname = current_database()";
        let row = session.client.query_one(ours, &[]).await.map_err(failed)?;
        let text = |column: usize| row.try_get::<_, String>(column).map_err(failed);
        let (collate, ctype, name) = (text(0)?, text(1)?, text(2)?);
        let create =
            format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE {collate} LC_CTYPE {ctype}");
        session.client.batch_execute(&create).await.map_err(failed)?;
        Ok(Self { beside, name })
    }

    /// A connection to it.
    ///
    /// # Errors
    /// It can't be made.
    pub async fn session(&self) -> Result<Session, MigrationError> {
        Session::at(&self.server()).await
    }

    pub(crate) fn server(&self) -> Server {
        let mut server = self.beside.clone();
        server.config.dbname(&self.name);
        server
    }

    /// Takes it away, with whatever is still connected to it.
    ///
    /// # Errors
    /// It stays, and has to be removed by hand.
    pub async fn remove(self) -> Result<(), MigrationError> {
        let session = Session::at(&self.beside).await?;
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        session.client.batch_execute(&drop).await.map_err(|error| MigrationError::Database {
            doing: format!("remove the scratch database {}", self.name),
            source: error.into(),
        })
    }
}

fn unreadable(problem: Problem) -> MigrationError {
    MigrationError::Database {
        doing: "read the URL of `services.database`".to_owned(),
        source: problem.cause.unwrap_or_default().into(),
    }
}
