//! A database of its own for each test.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{Client, NoTls};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A database that is dropped at the end.
pub(super) struct Town {
    name: String,
}

impl Town {
    pub(super) async fn new() -> Self {
        let name = format!("mainstay_migrate_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let admin = connect(&server()).await;
        admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        Self { name }
    }

    pub(super) async fn client(&self) -> Client {
        let (server, _) = split(&server());
        connect(&format!("{server}/{}", self.name)).await
    }

    pub(super) async fn drop(self) {
        let admin = connect(&server()).await;
        admin.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name)).await.unwrap();
    }
}

#[expect(clippy::disallowed_methods, reason = "tests say here which server they use")]
fn server() -> String {
    std::env::var("MAINSTAY_TEST_POSTGRES").unwrap_or_else(|_| "postgres://root@127.0.0.1:5432/postgres".to_owned())
}

/// The address up to the database's name.
fn split(url: &str) -> (String, String) {
    let (server, database) = url.rsplit_once('/').unwrap();
    (server.to_owned(), database.to_owned())
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
