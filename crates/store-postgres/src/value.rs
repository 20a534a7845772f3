//! Values of columns: their types, and their way into the bytes of an answer.

use std::error::Error;

use model::{Field, Shape, Value, json};
use rules::Type;
use tokio_postgres::{
    Row,
    types::{FromSql, Type as Kept},
};

use crate::parameter::Column;

/// The bytes of a column as the server sent them; none for null.
pub(crate) struct Raw<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_type: &Kept, bytes: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(bytes)))
    }

    fn from_sql_null(_type: &Kept) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_type: &Kept) -> bool {
        true
    }
}

/// The type of a field's column.
pub(crate) fn column_type(field: &Field) -> Kept {
    let item = shape_type(field.shape);
    if field.is_list() { array(&item) } else { item }
}

/// The type of a column of a shape.
pub(crate) fn shape_type(shape: Shape) -> Kept {
    match shape {
        Shape::Text { .. } => Kept::TEXT,
        Shape::Integer => Kept::INT8,
        Shape::Float => Kept::FLOAT8,
        Shape::Decimal { .. } => Kept::NUMERIC,
        Shape::Boolean => Kept::BOOL,
        Shape::DateTime => Kept::TIMESTAMPTZ,
        Shape::Date => Kept::DATE,
        Shape::Uuid => Kept::UUID,
        Shape::Json => Kept::JSON,
    }
}

/// The type in which values of an expression's type are bound.
pub(crate) fn bound_type(of: &Type) -> Kept {
    match of {
        Type::Boolean => Kept::BOOL,
        Type::Integer | Type::Duration => Kept::INT8,
        Type::Float => Kept::FLOAT8,
        Type::Decimal { .. } => Kept::NUMERIC,
        Type::Text { .. } => Kept::TEXT,
        Type::DateTime => Kept::TIMESTAMPTZ,
        Type::Date => Kept::DATE,
        Type::Uuid => Kept::UUID,
        Type::Json | Type::Dynamic => Kept::JSON,
        Type::List(item) => array(&bound_type(item)),
    }
}

/// The type of lists of such items.
pub(crate) fn array(item: &Kept) -> Kept {
    match *item {
        Kept::BOOL => Kept::BOOL_ARRAY,
        Kept::INT8 => Kept::INT8_ARRAY,
        Kept::FLOAT8 => Kept::FLOAT8_ARRAY,
        Kept::NUMERIC => Kept::NUMERIC_ARRAY,
        Kept::TIMESTAMPTZ => Kept::TIMESTAMPTZ_ARRAY,
        Kept::DATE => Kept::DATE_ARRAY,
        Kept::UUID => Kept::UUID_ARRAY,
        Kept::JSON => Kept::JSON_ARRAY,
        _ => Kept::TEXT_ARRAY,
    }
}

/// Reads a column of a shape.
pub(crate) fn read(shape: Shape, row: &Row, position: usize) -> Result<Value, tokio_postgres::Error> {
    let Column(value) = row.try_get(position)?;
    Ok(match (shape, value) {
        (Shape::Decimal { scale }, value) => scaled(value, scale),
        (_, value) => value,
    })
}

/// Decimals with the digits that their field has.
fn scaled(value: Value, scale: u8) -> Value {
    match value {
        Value::Decimal(decimal) => Value::Decimal(decimal.rescale(scale).unwrap_or(decimal)),
        Value::List(items) => Value::List(items.into_iter().map(|item| scaled(item, scale)).collect()),
        other => other,
    }
}

/// Reads what an expression of a type yields; null where it is none that sorts.
pub(crate) fn read_typed(of: &Type, row: &Row, position: usize) -> Result<Value, tokio_postgres::Error> {
    let Column(value) = row.try_get(position)?;
    Ok(match of {
        Type::Duration | Type::List(_) | Type::Json | Type::Dynamic => Value::Null,
        Type::Decimal { scale, .. } => scaled(value, *scale),
        _ => value,
    })
}

/// Appends a column to an answer, without a [`Value`] in between where the sent form allows it.
pub(crate) fn encode(
    field: &Field,
    row: &Row,
    position: usize,
    out: &mut Vec<u8>,
) -> Result<(), tokio_postgres::Error> {
    if !field.is_list() {
        let Raw(bytes) = row.try_get(position)?;
        let Some(bytes) = bytes else {
            out.extend_from_slice(b"null");
            return Ok(());
        };
        match (field.shape, <[u8; 8]>::try_from(bytes)) {
            (Shape::Text { .. }, _) => {
                match std::str::from_utf8(bytes) {
                    Ok(text) => json::write_string(text, out),
                    Err(_) => json::write_string(&String::from_utf8_lossy(bytes), out),
                }
                return Ok(());
            }
            (Shape::Json, _) => {
                out.extend_from_slice(bytes);
                return Ok(());
            }
            (Shape::Integer, Ok(number)) => {
                json::write_integer(i64::from_be_bytes(number), out);
                return Ok(());
            }
            _ => {}
        }
    }
    json::write_value(&read(field.shape, row, position)?, out);
    Ok(())
}
