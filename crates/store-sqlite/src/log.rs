//! The event log, read.

use model::{Action, Entry, Record, json};
use rules::Catalog;
use rusqlite::{Connection, OptionalExtension as _, Row};
use store::LogRange;

const ENTRIES: &str = "SELECT seq, time, resource, action, record, revision, actor, request, changed, before, after \
    FROM _events WHERE seq > ?1 ORDER BY seq LIMIT ?2";

/// Entries above a sequence, in order; those of resources that the app no longer has are passed over.
pub(crate) fn entries(
    connection: &Connection,
    catalog: &Catalog,
    after: i64,
    limit: u32,
) -> rusqlite::Result<Vec<Entry>> {
    let mut statement = connection.prepare_cached(ENTRIES)?;
    let mut rows = statement.query(rusqlite::params![after, limit])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.extend(entry(catalog, row)?);
    }
    Ok(entries)
}

fn entry(catalog: &Catalog, row: &Row<'_>) -> rusqlite::Result<Option<Entry>> {
    let Some(index) = catalog.schema.find(row.get_ref(2)?.as_str()?) else { return Ok(None) };
    let Some(action) = Action::from_number(row.get(3)?) else { return Ok(None) };
    let resource = catalog.schema.get(index);
    let revision = row.get(5)?;
    let record = |column: usize| -> rusqlite::Result<Option<Record>> {
        let text = row.get_ref(column)?.as_str_or_null()?;
        Ok(text.and_then(|text| json::read_record(resource, text, revision)))
    };
    Ok(Some(Entry {
        sequence: row.get(0)?,
        time: row.get(1)?,
        resource: index,
        action,
        id: store::read_id(resource, row.get_ref(4)?.as_str()?),
        revision,
        actor: row.get(6)?,
        request_id: row.get(7)?,
        changed: row
            .get_ref(8)?
            .as_str_or_null()?
            .map_or_else(Vec::new, |names| names.split(',').map(str::to_owned).collect()),
        before: record(9)?,
        after: record(10)?,
    }))
}

/// The sequences that are still kept: all behind the last that was deleted. The least that is there says less, as a write that
/// failed has used a sequence up.
pub(crate) fn range(connection: &Connection) -> rusqlite::Result<LogRange> {
    let trimmed: Option<i64> = connection
        .query_row("SELECT reserved FROM _sequences WHERE resource = '_trimmed'", [], |row| row.get(0))
        .optional()?;
    let greatest: Option<i64> = connection.query_row(
        "SELECT max((SELECT coalesce(max(seq), 0) FROM _events), \
            (SELECT coalesce(max(reserved), 0) FROM _sequences WHERE resource = '_events'))",
        [],
        |row| row.get(0),
    )?;
    let last = greatest.unwrap_or(0);
    Ok(LogRange { first: trimmed.unwrap_or(0) + 1, last })
}

/// Deletes the oldest entries, and keeps the mark that sequences go on from.
pub(crate) fn trim(connection: &Connection, before: i64, limit: u32) -> rusqlite::Result<u64> {
    connection.execute(
        "INSERT OR REPLACE INTO _sequences (resource, reserved) \
         SELECT '_events', max(seq) FROM _events WHERE true HAVING max(seq) IS NOT NULL",
        [],
    )?;
    // Time grows with the sequence, but for a clock that was set back: then an entry stays a little longer.
    let gone = connection.execute(
        "DELETE FROM _events WHERE seq IN (SELECT seq FROM _events ORDER BY seq LIMIT ?2) AND time < ?1",
        rusqlite::params![before, limit],
    )?;
    if gone > 0 {
        connection.execute(
            "INSERT OR REPLACE INTO _sequences (resource, reserved) SELECT '_trimmed', coalesce( \
                (SELECT min(seq) - 1 FROM _events), (SELECT reserved FROM _sequences WHERE resource = '_events'))",
            [],
        )?;
    }
    Ok(gone as u64)
}
