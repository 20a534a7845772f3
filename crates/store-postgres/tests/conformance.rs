//! The promises of every store, kept by PostgreSQL.

#![expect(clippy::expect_used, reason = "a test that can't begin has failed")]

mod database;

use std::sync::Arc;

use database::Database;
use model::Schema;
use store::Store;
use store_postgres::PostgresStore;

struct Fixture {
    store: Arc<dyn Store>,
    database: Database,
}

impl Fixture {
    async fn close(self) {
        self.store.close().await;
        self.database.remove().await;
    }
}

async fn open(schema: &Schema) -> Fixture {
    let database = Database::create(schema).await;
    let store = PostgresStore::open(&database.url, 8).await.expect("a store");
    Fixture { store: Arc::new(store), database }
}

store::conformance!(crate::open);
