//! What a database says of itself: which migrations it has seen, and what its tables are like.

use model::Schema;
use store::migration::{
    Database, MigrationError, Status,
    physical::SYSTEM_VERSION,
    report::{Applied, Cause},
};
use tokio_postgres::GenericClient;

/// The migrations that a database has seen.
///
/// # Errors
/// [`MigrationError::Database`] where the database fails.
pub async fn status(client: &impl GenericClient) -> Result<Status, MigrationError> {
    if !has_migrations(client).await? {
        return Ok(Status::default());
    }
    let query = "SELECT id::bigint, name, applied_at, checksum, steps FROM \"_migrations\" ORDER BY id";
    let rows = client.query(query, &[]).await.map_err(|error| failed("read `_migrations`", error))?;
    let applied = |row: &tokio_postgres::Row| Applied {
        id: row.get(0),
        name: row.get(1),
        applied_at: row.get(2),
        checksum: row.get(3),
        words: Applied::words_of(row.get(4)),
    };
    Ok(Status { applied: rows.iter().map(applied).collect() })
}

/// Whether the tables are those that a schema asks for.
///
/// # Errors
/// [`MigrationError::Database`] where the database fails.
pub async fn matches(client: &impl GenericClient, schema: &Schema) -> Result<bool, MigrationError> {
    match read_database(client).await {
        Ok(database) => Ok(database.to_json() == Database::of(schema).to_json()),
        Err(MigrationError::Newer) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The tables as the newest migration left them; none where there was none.
pub(super) async fn read_database(client: &impl GenericClient) -> Result<Database, MigrationError> {
    if !has_migrations(client).await? {
        return Ok(Database::default());
    }
    let query = "SELECT schema FROM \"_migrations\" ORDER BY id DESC LIMIT 1";
    let newest = client.query_opt(query, &[]).await.map_err(|error| failed("read `_migrations`", error))?;
    let Some(row) = newest else { return Ok(Database::default()) };
    let database = Database::from_json(row.get(0)).map_err(|_| MigrationError::Newer)?;
    if database.system > SYSTEM_VERSION { Err(MigrationError::Newer) } else { Ok(database) }
}

async fn has_migrations(client: &impl GenericClient) -> Result<bool, MigrationError> {
    let query = "SELECT to_regclass('\"_migrations\"') IS NOT NULL";
    let row = client.query_one(query, &[]).await.map_err(|error| failed("read the schema", error))?;
    Ok(row.get(0))
}

pub(super) fn failed(doing: &str, error: impl Into<Cause>) -> MigrationError {
    MigrationError::Database { doing: doing.to_owned(), source: error.into() }
}
