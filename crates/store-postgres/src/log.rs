//! The event log, read by the sequences that [`crate::sequencer`] gave.

use model::{Action, Entry, Problem, Record, Value, json};
use rules::Catalog;
use store::LogRange;
use tokio_postgres::{Error, Row, types::Type};

use crate::{
    connection::{Connections, Text},
    fault::problem,
    parameter::Parameter,
};

fn text(sql: &str, types: &[Type]) -> Text {
    Text { sql: sql.to_owned(), types: types.to_vec() }
}

/// Entries above a sequence, in order; those of resources that the app no longer has are passed over.
pub(crate) async fn entries(
    connections: &Connections,
    catalog: &Catalog,
    after: i64,
    limit: u32,
) -> Result<Vec<Entry>, Problem> {
    // Entry by entry, so that no plan reads the whole log for some of it.
    const ENTRIES: &str = "SELECT seq, time, resource, action, record, revision, actor, request, changed, before, after \
        FROM (SELECT seq, id FROM \"_order\" WHERE seq > $1 ORDER BY seq LIMIT $2) AS place, \
        LATERAL (SELECT * FROM \"_events\" WHERE id = place.id LIMIT 1) AS entry ORDER BY seq";
    let values = vec![Parameter(Value::Integer(after)), Parameter(Value::Integer(i64::from(limit)))];
    let rows = connections.rows(&text(ENTRIES, &[Type::INT8, Type::INT8]), values).await?;
    let entries: Result<Vec<Option<Entry>>, Error> = rows.iter().map(|row| entry(catalog, row)).collect();
    Ok(entries.map_err(|error| problem(&error))?.into_iter().flatten().collect())
}

fn entry(catalog: &Catalog, row: &Row) -> Result<Option<Entry>, Error> {
    let Some(index) = catalog.schema.find(row.try_get(2)?) else { return Ok(None) };
    let Some(action) = Action::from_number(row.try_get(3)?) else { return Ok(None) };
    let resource = catalog.schema.get(index);
    let revision = row.try_get(5)?;
    let record = |column: usize| -> Result<Option<Record>, Error> {
        let text: Option<&str> = row.try_get(column)?;
        Ok(text.and_then(|text| json::read_record(resource, text, revision)))
    };
    let changed: Option<&str> = row.try_get(8)?;
    Ok(Some(Entry {
        sequence: row.try_get(0)?,
        time: row.try_get(1)?,
        resource: index,
        action,
        id: store::read_id(resource, row.try_get(4)?),
        revision,
        actor: row.try_get(6)?,
        request_id: row.try_get(7)?,
        changed: changed.map_or_else(Vec::new, |names| names.split(',').map(str::to_owned).collect()),
        before: record(9)?,
        after: record(10)?,
    }))
}

/// The sequences that are still kept.
pub(crate) async fn range(connections: &Connections) -> Result<LogRange, Problem> {
    const RANGE: &str = "SELECT (SELECT min(seq) FROM \"_order\"), last FROM \"_sequence\"";
    let rows = connections.rows(&text(RANGE, &[]), Vec::new()).await?;
    let range = || -> Result<LogRange, Error> {
        let Some(row) = rows.first() else { return Ok(LogRange { first: 1, last: 0 }) };
        let (least, last): (Option<i64>, i64) = (row.try_get(0)?, row.try_get(1)?);
        Ok(LogRange { first: least.unwrap_or(last + 1), last })
    };
    range().map_err(|error| problem(&error))
}

/// Deletes the oldest entries; the mark that sequences go on from stands elsewhere.
pub(crate) async fn trim(connections: &Connections, before: i64, limit: u32) -> Result<u64, Problem> {
    // Time grows with the sequence, but for a clock that was set back: then an entry stays a little longer.
    const TRIM: &str = "WITH oldest AS MATERIALIZED (SELECT seq, id FROM \"_order\" ORDER BY seq LIMIT $2), \
        past AS MATERIALIZED (SELECT seq, oldest.id FROM oldest LEFT JOIN \"_events\" AS entry ON entry.id = oldest.id \
            WHERE entry.time < $1 OR entry.id IS NULL), \
        gone AS (DELETE FROM \"_events\" AS entry USING past WHERE entry.id = past.id), \
        forgotten AS (DELETE FROM \"_order\" AS place USING past WHERE place.seq = past.seq RETURNING 1) \
        SELECT count(*) FROM forgotten";
    let values = vec![Parameter(Value::Integer(before)), Parameter(Value::Integer(i64::from(limit)))];
    let rows = connections.rows(&text(TRIM, &[Type::INT8, Type::INT8]), values).await?;
    let count = rows.first().map_or(Ok(0), |row| row.try_get::<_, i64>(0));
    count.map(|count| count as u64).map_err(|error| problem(&error))
}
