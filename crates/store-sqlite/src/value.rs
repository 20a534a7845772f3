//! Values to and from what SQLite keeps.
//!
//! Decimals are kept as their unscaled integer, times as numbers, UUIDs as 16 bytes, lists as JSON text of kept values.

use model::{Decimal, Field, Shape, Value, json};
use rules::Type;
use rusqlite::types::{ToSqlOutput, Value as Kept, ValueRef};
use serde_json::Value as Json;

/// What is bound for a value of a column.
pub(crate) fn keep(value: &Value) -> Kept {
    match value {
        Value::Null => Kept::Null,
        Value::Boolean(truth) => Kept::Integer(i64::from(*truth)),
        Value::Integer(number) | Value::DateTime(number) | Value::Duration(number) => Kept::Integer(*number),
        Value::Float(number) => Kept::Real(*number),
        // A stored decimal has 18 digits at most.
        Value::Decimal(decimal) => Kept::Integer(i64::try_from(decimal.unscaled).unwrap_or(i64::MAX)),
        Value::Text(text) | Value::Json(text) => Kept::Text(text.to_string()),
        Value::Date(day) => Kept::Integer(i64::from(*day)),
        Value::Uuid(uuid) => Kept::Blob(uuid.as_bytes().to_vec()),
        Value::List(items) => {
            let mut text = Vec::new();
            write_list(items, &mut text);
            Kept::Text(String::from_utf8(text).unwrap_or_default())
        }
    }
}

/// As [`keep`], without a copy of text and bytes.
pub(crate) fn bind(value: &Value) -> ToSqlOutput<'_> {
    match value {
        Value::Text(text) | Value::Json(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        Value::Uuid(uuid) => ToSqlOutput::Borrowed(ValueRef::Blob(uuid.as_bytes())),
        other => ToSqlOutput::Owned(keep(other)),
    }
}

fn write_list(items: &[Value], out: &mut Vec<u8>) {
    out.push(b'[');
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        match item {
            Value::Boolean(truth) => out.push(if *truth { b'1' } else { b'0' }),
            Value::Decimal(decimal) => out.extend_from_slice(decimal.unscaled.to_string().as_bytes()),
            Value::DateTime(moment) => json::write_integer(*moment, out),
            Value::Date(day) => json::write_integer(i64::from(*day), out),
            Value::Uuid(uuid) => json::write_string(uuid.simple().encode_lower(&mut [0; 32]), out),
            other => json::write_value(other, out),
        }
    }
    out.push(b']');
}

/// Reads a column of a shape; anything that this store would not have written there is null.
pub(crate) fn read(shape: Shape, list: bool, kept: ValueRef<'_>) -> Value {
    if list {
        return match kept {
            ValueRef::Text(text) => read_list(shape, text),
            _ => Value::Null,
        };
    }
    match (shape, kept) {
        (Shape::Text { .. }, ValueRef::Text(text)) => Value::text(String::from_utf8_lossy(text)),
        (Shape::Json, ValueRef::Text(text)) => Value::Json(String::from_utf8_lossy(text).into()),
        (Shape::Integer, ValueRef::Integer(number)) => Value::Integer(number),
        (Shape::Float, ValueRef::Real(number)) => Value::Float(number),
        (Shape::Float, ValueRef::Integer(number)) => Value::Float(number as f64),
        (Shape::Decimal { scale }, ValueRef::Integer(number)) => {
            Value::Decimal(Decimal::new(i128::from(number), scale))
        }
        (Shape::Boolean, ValueRef::Integer(number)) => Value::Boolean(number != 0),
        (Shape::DateTime, ValueRef::Integer(number)) => Value::DateTime(number),
        (Shape::Date, ValueRef::Integer(number)) => i32::try_from(number).map_or(Value::Null, Value::Date),
        (Shape::Uuid, ValueRef::Blob(bytes)) => uuid::Uuid::from_slice(bytes).map_or(Value::Null, Value::Uuid),
        _ => Value::Null,
    }
}

fn read_list(shape: Shape, text: &[u8]) -> Value {
    let Ok(items) = serde_json::from_slice::<Vec<Json>>(text) else { return Value::Null };
    Value::List(items.iter().filter_map(|item| read_item(shape, item)).collect())
}

fn read_item(shape: Shape, item: &Json) -> Option<Value> {
    match shape {
        Shape::Decimal { scale } => Some(Value::Decimal(Decimal::new(i128::from(item.as_i64()?), scale))),
        Shape::Boolean => Some(Value::Boolean(item.as_i64()? != 0)),
        Shape::DateTime => item.as_i64().map(Value::DateTime),
        Shape::Date => i32::try_from(item.as_i64()?).ok().map(Value::Date),
        // `try_parse` takes the form without hyphens, in either case.
        Shape::Uuid => uuid::Uuid::try_parse(item.as_str()?).ok().map(Value::Uuid),
        Shape::Text { .. } | Shape::Integer | Shape::Float | Shape::Json => {
            let value = json::read_value(shape, false, item);
            (!value.is_null()).then_some(value)
        }
    }
}

/// Appends a column to an answer, without a [`Value`] in between where the kept form allows it.
pub(crate) fn encode(field: &Field, kept: ValueRef<'_>, out: &mut Vec<u8>) {
    if kept == ValueRef::Null {
        out.extend_from_slice(b"null");
        return;
    }
    if field.is_list() {
        match (field.shape, kept) {
            // These are kept as they are answered.
            (Shape::Text { .. } | Shape::Integer | Shape::Json, ValueRef::Text(text)) => out.extend_from_slice(text),
            (shape, kept) => json::write_value(&read(shape, true, kept), out),
        }
        return;
    }
    match (field.shape, kept) {
        (Shape::Text { .. }, ValueRef::Text(text)) => match std::str::from_utf8(text) {
            Ok(text) => json::write_string(text, out),
            Err(_) => json::write_string(&String::from_utf8_lossy(text), out),
        },
        (Shape::Json, ValueRef::Text(text)) => out.extend_from_slice(text),
        (Shape::Integer, ValueRef::Integer(number)) => json::write_integer(number, out),
        (shape, kept) => json::write_value(&read(shape, false, kept), out),
    }
}

/// Reads what an expression of a type yields; null where it can't be one.
pub(crate) fn read_typed(of: &Type, kept: ValueRef<'_>) -> Value {
    match of {
        Type::Boolean => read(Shape::Boolean, false, kept),
        Type::Integer => read(Shape::Integer, false, kept),
        Type::Float => read(Shape::Float, false, kept),
        Type::Decimal { scale, .. } => read(Shape::Decimal { scale: *scale }, false, kept),
        Type::Text { fold_case } => read(Shape::Text { fold_case: *fold_case }, false, kept),
        Type::DateTime => read(Shape::DateTime, false, kept),
        Type::Date => read(Shape::Date, false, kept),
        Type::Uuid => read(Shape::Uuid, false, kept),
        // None of these sorts.
        Type::Duration | Type::List(_) | Type::Json | Type::Dynamic => Value::Null,
    }
}
