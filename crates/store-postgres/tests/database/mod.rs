//! A database of a test's own.

use model::Schema;
use store_postgres::migrate::{Options, apply};
use tokio_postgres::{Client, NoTls};

/// A database, to be removed.
pub(crate) struct Database {
    name: String,
    /// How to reach it.
    pub(crate) url: String,
}

impl Database {
    /// Creates a database with the tables of a schema.
    pub(crate) async fn create(schema: &Schema) -> Self {
        let server = server_url();
        let name = format!("mainstay_store_{:016x}", rand::random::<u64>());
        connect(&server).await.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a database");
        let (base, _) = server.rsplit_once('/').expect("a URL with a database");
        let url = format!("{base}/{name}");
        let target = store::migration::Database::of(schema);
        let options = Options { target: &target, scripts: &[], now: 0, allow_data_loss: false };
        apply(&mut connect(&url).await, &options).await.expect("a migration");
        Self { name, url }
    }

    /// Drops it.
    pub(crate) async fn remove(self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        connect(&server_url()).await.batch_execute(&drop).await.expect("the database goes");
    }
}

/// A connection of the test's own.
pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("PostgreSQL answers");
    tokio::spawn(connection);
    client
}

#[expect(clippy::disallowed_methods, reason = "the variable is the tests' own")]
fn server_url() -> String {
    std::env::var("MAINSTAY_TEST_POSTGRES").unwrap_or_else(|_| "postgres://root@127.0.0.1:5432/postgres".to_owned())
}
