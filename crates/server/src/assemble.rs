//! Opens what the settings name, and puts the rooms together.

use std::{path::Path, sync::Arc};

use app::settings::{Database, Settings, Synchronous};
use model::Problem;
use store::Store;
use store_postgres::PostgresStore;
use store_sqlite::SqliteStore;

/// Threads for reads that are too long for the thread that serves their request.
const READERS: usize = 2;

/// Opens the database of the settings; its schema must be there already.
///
/// # Errors
/// 503 where it can't be reached, with what to do in the detail.
pub async fn open_store(settings: &Settings) -> Result<Arc<dyn Store>, Problem> {
    Ok(match &settings.services.database {
        Database::Sqlite(path) => Arc::new(open_sqlite(path, settings)?),
        Database::Postgres(url) => {
            Arc::new(PostgresStore::open(url.expose(), settings.postgres.max_connections).await?)
        }
    })
}

fn open_sqlite(path: &Path, settings: &Settings) -> Result<SqliteStore, Problem> {
    let synchronous = match settings.sqlite.synchronous {
        Synchronous::Full => store_sqlite::Synchronous::Full,
        Synchronous::Normal => store_sqlite::Synchronous::Normal,
    };
    SqliteStore::open(path, synchronous, READERS)
}
