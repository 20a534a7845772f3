//! Questions to the database before and after a migration: what does not fit, what would be lost, what leads nowhere.

use rusqlite::{Connection, types::ValueRef};
use store::migration::{MigrationError, Refusal, plan::Check, reconcile::Found};

use super::{convert::find_unfit, ddl::quote, state::failed};

/// The records that a check finds, as a reason not to go on.
pub(super) fn refusal(connection: &Connection, check: &Check) -> Result<Option<Refusal>, MigrationError> {
    let query = find_unfit(check, Refusal::NAMED + 1);
    let find = || {
        let mut statement = connection.prepare(&query)?;
        let rows = statement.query_map([], |row| Ok(id_text(row.get_ref(0)?)))?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    let mut records = find().map_err(|error| failed(&format!("run `{query}`"), error))?;
    let more = records.len() > Refusal::NAMED;
    records.truncate(Refusal::NAMED);
    let refusal =
        Refusal { table: check.table.clone(), field: check.field.clone(), reason: check.reason.clone(), records, more };
    Ok((!refusal.records.is_empty()).then_some(refusal))
}

/// An id as people write it.
fn id_text(id: ValueRef<'_>) -> String {
    match id {
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => uuid::Uuid::from_slice(bytes).map(|id| id.to_string()).unwrap_or_default(),
        ValueRef::Null | ValueRef::Real(_) => String::new(),
    }
}

/// Whether a query yields a row.
pub(super) fn finds_any(connection: &Connection, query: &str) -> Result<bool, MigrationError> {
    let find = || connection.prepare(query)?.exists([]);
    find().map_err(|error| failed(&format!("run `{query}`"), error))
}

/// Whether any table but those that count and record has a row.
pub(super) fn holds_data(connection: &Connection) -> Result<bool, MigrationError> {
    let tables = || {
        let mut statement = connection.prepare(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('_migrations', '_sequences') \
             AND name NOT LIKE 'sqlite~_%' ESCAPE '~'",
        )?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    for table in tables().map_err(|error| failed("read the schema", error))? {
        if finds_any(connection, &format!("SELECT 1 FROM {} LIMIT 1", quote(&table)))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// No reference may lead nowhere: foreign keys were off.
pub(super) fn check_foreign_keys(connection: &Connection) -> Result<(), MigrationError> {
    let find = || {
        let mut statement =
            connection.prepare("SELECT \"table\", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2")?;
        let rows = statement.query_map([], |row| {
            let (table, parent): (String, String) = (row.get(0)?, row.get(1)?);
            Ok(Refusal {
                reason: format!("names records of `{parent}` that are not there"),
                records: vec![format!("{} records", row.get::<_, i64>(2)?)],
                field: "reference".to_owned(),
                table,
                more: false,
            })
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    let refusals = find().map_err(|error| failed("check references", error))?;
    if refusals.is_empty() { Ok(()) } else { Err(MigrationError::Refused(refusals)) }
}

/// What tables there are, with their columns and indexes.
pub(super) fn find_tables(connection: &Connection) -> Result<Found, MigrationError> {
    let find = || {
        let mut found = Found::new();
        let mut statement = connection.prepare(
            "SELECT tbl_name, type, name FROM sqlite_master WHERE type IN ('table', 'index') UNION ALL \
             SELECT t.name, 'column', c.name FROM sqlite_master AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table'",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let table = found.entry(row.get(0)?).or_default();
            match row.get::<_, String>(1)?.as_str() {
                "column" => table.columns.push(row.get(2)?),
                "index" => table.indexes.push(row.get(2)?),
                _ => {}
            }
        }
        Ok(found)
    };
    find().map_err(|error: rusqlite::Error| failed("read the schema", error))
}
