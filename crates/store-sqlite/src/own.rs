//! Statements about our own tables.

use rusqlite::{
    Connection, params_from_iter,
    types::{Value, ValueRef},
};
use store::{Cell, Outcome, Row, Statement};

/// Runs a statement to its end.
pub(crate) fn run(connection: &Connection, statement: &Statement) -> rusqlite::Result<Outcome> {
    // SQLite counts parameters by `?1`; `$1` would be a name to it.
    let sql = statement.sql.replace('$', "?");
    let mut prepared = connection.prepare_cached(&sql)?;
    let parameters = params_from_iter(statement.parameters.iter().map(keep));
    let columns = prepared.column_count();
    if columns == 0 {
        let count = prepared.execute(parameters)? as u64;
        return Ok(Outcome { count, rows: Vec::new() });
    }
    let mut found = prepared.query(parameters)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let cells = (0..columns).map(|column| row.get_ref(column).map(read));
        rows.push(Row(cells.collect::<rusqlite::Result<_>>()?));
    }
    Ok(Outcome { count: rows.len() as u64, rows })
}

fn keep(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Text(text) => Value::Text(text.clone()),
        Cell::Integer(number) => Value::Integer(*number),
        Cell::Bytes(bytes) => Value::Blob(bytes.clone()),
    }
}

fn read(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
        // Our own tables hold no reals.
        ValueRef::Null | ValueRef::Real(_) => Cell::Null,
    }
}
