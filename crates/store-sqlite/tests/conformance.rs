//! The promises of every store, kept by SQLite.

#![expect(clippy::expect_used, reason = "a test that can't begin has failed")]

use std::sync::Arc;

use model::Schema;
use store::{Store, migration::Database};
use store_sqlite::{
    SqliteStore, Synchronous,
    migrate::{Options, apply},
};

struct Fixture {
    store: Arc<dyn Store>,
    _directory: tempfile::TempDir,
}

impl Fixture {
    async fn close(self) {
        self.store.close().await;
    }
}

async fn open(schema: &Schema) -> Fixture {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data.db");
    let target = Database::of(schema);
    apply(&path, &Options { target: &target, scripts: &[], now: 0, allow_data_loss: false, backup: false })
        .expect("a migration");
    let store = SqliteStore::open(&path, Synchronous::Normal, 2).expect("a store");
    Fixture { store: Arc::new(store), _directory: directory }
}

store::conformance!(crate::open);
