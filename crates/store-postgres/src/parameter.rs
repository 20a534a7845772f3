//! Values as PostgreSQL's parameters and columns, in the binary form.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use model::{Decimal, Value};
use tokio_postgres::types::{FromSql, IsNull, Kind, ToSql, Type};

use crate::numeric;

/// 2000-01-01, where PostgreSQL's clock begins, in days of ours.
const EPOCH_DAYS: i32 = 10_957;
/// The same in microseconds.
const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * model::time::DAY;

/// A value to bind; what is not of the parameter's type is bound as null.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter(pub Value);

impl ToSql for Parameter {
    fn to_sql(&self, r#type: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        write(&self.0, r#type, out)
    }

    /// Every type: one that doesn't fit is bound as null.
    fn accepts(_type: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

fn write(value: &Value, r#type: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
    match (value, r#type) {
        (Value::Boolean(truth), &Type::BOOL) => out.put_u8(u8::from(*truth)),
        (Value::Integer(number) | Value::Duration(number), &Type::INT8) => out.put_i64(*number),
        (Value::Integer(number), &Type::INT4) => match i32::try_from(*number) {
            Ok(number) => out.put_i32(number),
            Err(_) => return Ok(IsNull::Yes),
        },
        (Value::Integer(number), &Type::INT2) => match i16::try_from(*number) {
            Ok(number) => out.put_i16(number),
            Err(_) => return Ok(IsNull::Yes),
        },
        (Value::Float(float), &Type::FLOAT8) => out.put_f64(*float),
        (Value::Decimal(decimal), &Type::NUMERIC) => numeric::write(*decimal, out),
        (Value::Integer(number), &Type::NUMERIC) => numeric::write(Decimal::new((*number).into(), 0), out),
        (Value::Text(text), &Type::TEXT | &Type::VARCHAR) => out.put_slice(text.as_bytes()),
        (Value::Json(text), &Type::JSON | &Type::TEXT) => out.put_slice(text.as_bytes()),
        // Only asked whether it is there.
        (value, &Type::JSON) if !value.is_null() => out.put_slice(b"true"),
        (Value::DateTime(moment), &Type::TIMESTAMPTZ) => out.put_i64(moment - EPOCH_MICROS),
        (Value::Date(day), &Type::DATE) => out.put_i32(day - EPOCH_DAYS),
        (Value::Uuid(uuid), &Type::UUID) => out.put_slice(uuid.as_bytes()),
        (Value::List(items), list) => {
            let Kind::Array(item) = list.kind() else { return Ok(IsNull::Yes) };
            write_array(items, item, out)?;
        }
        _ => return Ok(IsNull::Yes),
    }
    Ok(IsNull::No)
}

/// One dimension, counted from 1.
fn write_array(items: &[Value], r#type: &Type, out: &mut BytesMut) -> Result<(), Box<dyn Error + Sync + Send>> {
    out.put_i32(i32::from(!items.is_empty()));
    out.put_i32(0);
    out.put_u32(r#type.oid());
    if items.is_empty() {
        return Ok(());
    }
    out.put_i32(i32::try_from(items.len())?);
    out.put_i32(1);
    for item in items {
        let start = out.len();
        out.put_i32(-1);
        if let IsNull::No = write(item, r#type, out)? {
            let length = i32::try_from(out.len() - start - 4)?;
            out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        }
    }
    Ok(())
}

/// A value read from a column of any type that our tables have; null for what our tables never hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Column(pub Value);

impl<'a> FromSql<'a> for Column {
    fn from_sql(r#type: &Type, bytes: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(read(r#type, bytes).unwrap_or_default()))
    }

    fn from_sql_null(_type: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Value::Null))
    }

    /// Every type: one that our tables don't have is read as null.
    fn accepts(_type: &Type) -> bool {
        true
    }
}

fn read(r#type: &Type, bytes: &[u8]) -> Option<Value> {
    Some(match *r#type {
        Type::BOOL => Value::Boolean(*bytes.first()? != 0),
        Type::INT8 => Value::Integer(i64::from_be_bytes(bytes.try_into().ok()?)),
        Type::INT4 => Value::Integer(i32::from_be_bytes(bytes.try_into().ok()?).into()),
        Type::INT2 => Value::Integer(i16::from_be_bytes(bytes.try_into().ok()?).into()),
        Type::FLOAT8 => Value::Float(f64::from_be_bytes(bytes.try_into().ok()?)),
        Type::NUMERIC => Value::Decimal(numeric::read(bytes)?),
        Type::TEXT | Type::VARCHAR => Value::text(std::str::from_utf8(bytes).ok()?),
        Type::JSON => Value::Json(std::str::from_utf8(bytes).ok()?.into()),
        Type::TIMESTAMPTZ => Value::DateTime(i64::from_be_bytes(bytes.try_into().ok()?).checked_add(EPOCH_MICROS)?),
        Type::DATE => Value::Date(i32::from_be_bytes(bytes.try_into().ok()?).checked_add(EPOCH_DAYS)?),
        Type::UUID => Value::Uuid(uuid::Uuid::from_slice(bytes).ok()?),
        _ => {
            let Kind::Array(item) = r#type.kind() else { return None };
            Value::List(read_array(item, bytes)?)
        }
    })
}

fn read_array(r#type: &Type, bytes: &[u8]) -> Option<Vec<Value>> {
    let number = |position: usize| Some(i32::from_be_bytes(bytes.get(position..position + 4)?.try_into().ok()?));
    if number(0)? == 0 {
        return Some(Vec::new());
    }
    let count = usize::try_from(number(12)?).ok()?;
    let mut items = Vec::new();
    let mut at = 20;
    for _ in 0..count {
        let length = number(at)?;
        at += 4;
        if let Ok(length) = usize::try_from(length) {
            items.push(read(r#type, bytes.get(at..at + length)?)?);
            at += length;
        }
    }
    Some(items)
}
