//! Indexes and triggers that scripts have made: the planner knows nothing of them, and leaves them as they are.

use rusqlite::Connection;
use store::migration::{Database, MigrationError};

use super::{checks::finds_any, ddl::literal, session::execute, state::failed};

/// An index or trigger that scripts have made.
pub(super) struct Foreign {
    name: String,
    table: String,
    sql: String,
}

/// The indexes and triggers that are not ours. They vanish where their table is made anew, and come back afterwards.
pub(super) fn foreign_objects(connection: &Connection, old: &Database) -> Result<Vec<Foreign>, MigrationError> {
    let find = || {
        let mut statement = connection.prepare(
            "SELECT name, tbl_name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL",
        )?;
        let rows =
            statement.query_map([], |row| Ok(Foreign { name: row.get(0)?, table: row.get(1)?, sql: row.get(2)? }))?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    let mut objects = find().map_err(|error| failed("read the schema", error))?;
    objects.retain(|object| {
        old.table(&object.table).is_some_and(|table| table.indexes.iter().all(|index| index.name != object.name))
    });
    Ok(objects)
}

/// Makes again what went with the table that it belongs to.
pub(super) fn restore(connection: &Connection, objects: &[Foreign]) -> Result<(), MigrationError> {
    for Foreign { name, table, sql } in objects {
        let there = |name: &str| {
            let query = format!("SELECT 1 FROM sqlite_master WHERE name = {}", literal(name));
            finds_any(connection, &query)
        };
        if there(table)? && !there(name)? {
            execute(connection, sql)?;
        }
    }
    Ok(())
}
