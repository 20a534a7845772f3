//! Functions that SQLite lacks: arithmetic that is undefined on overflow, wide decimals, patterns, JSON paths.
//!
//! Each is deterministic, and yields NULL for NULL, for a value of another kind and where it is undefined.

use std::{collections::HashMap, sync::Arc};

use model::{Value, decimal::power_of_ten, time};
use parking_lot::Mutex;
use regex::Regex;
use rules::Type;
use rusqlite::{
    Connection,
    functions::{Context, FunctionFlags},
    types::{Value as Kept, ValueRef},
};

/// How many compiled patterns a connection keeps.
const PATTERNS: usize = 256;

/// Makes the functions known to a connection, before any statement of [`crate::dialect::Sqlite`] is prepared on it.
///
/// # Errors
/// Those of SQLite: out of memory, or statements running on the connection.
pub fn register(connection: &Connection) -> rusqlite::Result<()> {
    integers(connection)?;
    wide_decimals(connection)?;
    texts(connection)?;
    json_paths(connection)?;
    crate::totals::register(connection)
}

fn integers(connection: &Connection) -> rusqlite::Result<()> {
    type Operation = fn(i64, i64) -> Option<i64>;
    let operations: [(&str, Operation); 7] = [
        ("mainstay_add", i64::checked_add),
        ("mainstay_subtract", i64::checked_sub),
        ("mainstay_multiply", i64::checked_mul),
        ("mainstay_divide", i64::checked_div),
        ("mainstay_remainder", |left, right| (right != 0).then(|| left.wrapping_rem(right))),
        ("mainstay_moment_add", |left, right| moment(left.checked_add(right)?)),
        ("mainstay_moment_subtract", |left, right| moment(left.checked_sub(right)?)),
    ];
    for (name, operation) in operations {
        scalar(connection, name, 2, move |context| {
            Some(Kept::Integer(operation(integer(context, 0)?, integer(context, 1)?)?))
        })?;
    }
    Ok(())
}

fn moment(micros: i64) -> Option<i64> {
    (time::MIN..=time::MAX).contains(&micros).then_some(micros)
}

fn wide_decimals(connection: &Connection) -> rusqlite::Result<()> {
    type Operation = fn(i128, i128) -> Option<i128>;
    let operations: [(&str, Operation); 3] = [
        ("mainstay_wide_add", i128::checked_add),
        ("mainstay_wide_subtract", i128::checked_sub),
        ("mainstay_wide_multiply", i128::checked_mul),
    ];
    for (name, operation) in operations {
        scalar(connection, name, 2, move |context| wide(operation(wide_at(context, 0)?, wide_at(context, 1)?)?))?;
    }
    scalar(connection, "mainstay_wide_negate", 1, |context| wide(wide_at(context, 0)?.checked_neg()?))?;
    scalar(connection, "mainstay_wide_scale", 2, |context| {
        wide(wide_at(context, 0)?.checked_mul(power_at(context, 1)?)?)
    })?;
    scalar(connection, "mainstay_wide", 2, |context| {
        wide(i128::from(integer(context, 0)?).checked_mul(power_at(context, 1)?)?)
    })
}

/// The blob of a wide decimal's unscaled number: big-endian with the sign flipped, so that bytes sort like numbers.
#[must_use]
pub fn wide_bytes(unscaled: i128) -> [u8; 16] {
    (unscaled ^ i128::MIN).to_be_bytes()
}

/// The number of a wide decimal's blob; none for other bytes.
#[must_use]
pub fn wide_number(bytes: &[u8]) -> Option<i128> {
    Some(i128::from_be_bytes(bytes.try_into().ok()?) ^ i128::MIN)
}

fn wide(unscaled: i128) -> Option<Kept> {
    Some(Kept::Blob(wide_bytes(unscaled).to_vec()))
}

fn wide_at(context: &Context<'_>, position: usize) -> Option<i128> {
    match context.get_raw(position) {
        ValueRef::Blob(bytes) => wide_number(bytes),
        _ => None,
    }
}

fn power_at(context: &Context<'_>, position: usize) -> Option<i128> {
    power_of_ten(u8::try_from(integer(context, position)?).ok()?)
}

fn texts(connection: &Connection) -> rusqlite::Result<()> {
    type Question = fn(&str, &str) -> bool;
    let questions: [(&str, Question); 2] = [
        ("mainstay_starts_with", |subject, start| subject.starts_with(start)),
        ("mainstay_ends_with", |subject, end| subject.ends_with(end)),
    ];
    for (name, question) in questions {
        scalar(connection, name, 2, move |context| {
            Some(Kept::Integer(i64::from(question(text(context, 0)?, text(context, 1)?))))
        })?;
    }
    let known = Arc::new(Mutex::new(HashMap::new()));
    scalar(connection, "mainstay_matches", 2, move |context| {
        let subject = text(context, 0)?;
        let regex = context.get_or_create_aux(1, |value| compiled(&known, value)).ok()?;
        Some(Kept::Integer(i64::from(regex.is_match(subject))))
    })
}

/// SQLite keeps what a statement's constant argument was compiled to until the statement is reset, and this the rest.
fn compiled(known: &Mutex<HashMap<String, Regex>>, pattern: ValueRef<'_>) -> Result<Regex, rusqlite::Error> {
    let pattern = pattern.as_str().map_err(|error| rusqlite::Error::UserFunctionError(error.into()))?;
    let mut known = known.lock();
    if let Some(regex) = known.get(pattern) {
        return Ok(regex.clone());
    }
    let regex = Regex::new(pattern).map_err(|error| rusqlite::Error::UserFunctionError(error.into()))?;
    if known.len() == PATTERNS {
        known.clear();
    }
    known.insert(pattern.to_owned(), regex.clone());
    Ok(regex)
}

fn json_paths(connection: &Connection) -> rusqlite::Result<()> {
    let kinds = [
        ("mainstay_json_boolean", Type::Boolean),
        ("mainstay_json_integer", Type::Integer),
        ("mainstay_json_float", Type::Float),
        ("mainstay_json_text", Type::Text { fold_case: false }),
        ("mainstay_json_any", Type::Json),
    ];
    for (name, r#type) in kinds {
        scalar(connection, name, 2, move |context| {
            let keys: Vec<String> = serde_json::from_str(text(context, 1)?).ok()?;
            match rules::json_path(text(context, 0)?, &keys, &r#type) {
                Value::Null => None,
                value => Some(crate::dialect::encode(&value, &r#type)),
            }
        })?;
    }
    Ok(())
}

fn integer(context: &Context<'_>, position: usize) -> Option<i64> {
    match context.get_raw(position) {
        ValueRef::Integer(number) => Some(number),
        _ => None,
    }
}

fn text<'a>(context: &'a Context<'_>, position: usize) -> Option<&'a str> {
    match context.get_raw(position) {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

fn scalar(
    connection: &Connection,
    name: &str,
    arguments: i32,
    function: impl Fn(&Context<'_>) -> Option<Kept> + Send + 'static,
) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function(
        name,
        arguments,
        flags,
        move |context| Ok(function(context).unwrap_or(Kept::Null)),
    )
}

#[cfg(test)]
mod tests;
