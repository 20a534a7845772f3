//! What a database says of itself: which migrations it has seen, and what its tables are like.

use std::{path::Path, time::Duration};

use model::Schema;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use store::migration::{
    Database, MigrationError, Status,
    physical::SYSTEM_VERSION,
    report::{Applied, Cause},
};

/// How long to wait for another writer.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The migrations that a database has seen; none where there is no file.
///
/// # Errors
/// [`MigrationError::Database`] where the file is there and can't be read.
pub fn status(path: &Path) -> Result<Status, MigrationError> {
    read_status(&open_to_look(path)?)
}

/// Whether the tables are those that a schema asks for.
///
/// # Errors
/// [`MigrationError::Database`] where the database fails.
pub fn matches(connection: &Connection, schema: &Schema) -> Result<bool, MigrationError> {
    let database = match read_database(connection) {
        Ok(database) => database,
        Err(MigrationError::Newer) => return Ok(false),
        Err(error) => return Err(error),
    };
    Ok(database.to_json() == Database::of(schema).to_json())
}

/// Whether this program knows the tables of a database.
///
/// # Errors
/// [`MigrationError::Newer`] where they are from a later version, [`MigrationError::Database`] where it fails.
pub fn is_readable(path: &Path) -> Result<(), MigrationError> {
    read_database(&open_to_look(path)?).map(|_| ())
}

/// Opens a database without making one: where there is no file, an empty one in memory stands for it.
pub(super) fn open_to_look(path: &Path) -> Result<Connection, MigrationError> {
    let opened = if path.exists() {
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
    } else {
        Connection::open_in_memory()
    };
    let connection = opened.map_err(|error| failed(&format!("open `{}`", path.display()), error))?;
    connection.busy_timeout(PATIENCE).map_err(|error| failed("set a time limit", error))?;
    Ok(connection)
}

pub(super) fn read_status(connection: &Connection) -> Result<Status, MigrationError> {
    if !has_migrations(connection)? {
        return Ok(Status::default());
    }
    let read = || {
        let mut statement =
            connection.prepare("SELECT id, name, applied_at, checksum, steps FROM \"_migrations\" ORDER BY id")?;
        let rows = statement.query_map([], |row| {
            Ok(Applied {
                id: row.get(0)?,
                name: row.get(1)?,
                applied_at: row.get(2)?,
                checksum: row.get(3)?,
                words: Applied::words_of(&row.get::<_, String>(4)?),
            })
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    let applied = read().map_err(|error| failed("read `_migrations`", error))?;
    Ok(Status { applied })
}

/// The tables as the newest migration left them; none where there was none.
pub(super) fn read_database(connection: &Connection) -> Result<Database, MigrationError> {
    if !has_migrations(connection)? {
        return Ok(Database::default());
    }
    let newest = connection
        .query_row("SELECT schema FROM \"_migrations\" ORDER BY id DESC LIMIT 1", [], |row| row.get::<_, String>(0))
        .optional()
        .map_err(|error| failed("read `_migrations`", error))?;
    let Some(text) = newest else { return Ok(Database::default()) };
    let database = Database::from_json(&text).map_err(|_| MigrationError::Newer)?;
    if database.system > SYSTEM_VERSION { Err(MigrationError::Newer) } else { Ok(database) }
}

fn has_migrations(connection: &Connection) -> Result<bool, MigrationError> {
    connection
        .query_row(
            "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_migrations')",
            [],
            |row| row.get(0),
        )
        .map_err(|error| failed("read the schema", error))
}

pub(super) fn failed(doing: &str, error: impl Into<Cause>) -> MigrationError {
    MigrationError::Database { doing: doing.to_owned(), source: error.into() }
}
