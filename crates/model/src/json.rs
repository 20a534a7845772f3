//! Values as JSON text, written straight into the bytes of an answer.

use std::io::Write as _;

use crate::{
    field::Shape,
    resource::Resource,
    time,
    value::{Record, Value},
};

/// Appends a value in its wire form: decimals, times and UUIDs as strings, integers exact.
pub fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::Integer(integer) => write_integer(*integer, out),
        Value::Float(float) => write_float(*float, out),
        Value::Decimal(decimal) => write_decimal(decimal.unscaled, decimal.scale, out),
        Value::Text(text) => write_string(text, out),
        Value::DateTime(moment) => write_datetime(*moment, out),
        Value::Duration(micros) => write_integer(*micros, out),
        Value::Date(day) => write_date(*day, out),
        Value::Uuid(uuid) => write_uuid(uuid, out),
        Value::Json(text) => out.extend_from_slice(text.as_bytes()),
        Value::List(items) => {
            out.push(b'[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                write_value(item, out);
            }
            out.push(b']');
        }
    }
}

/// Appends an integer.
pub fn write_integer(integer: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
}

/// Appends a finite double in its shortest form.
pub fn write_float(float: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(ryu::Buffer::new().format_finite(float).as_bytes());
}

/// Appends a decimal as a string with all digits of its scale.
pub fn write_decimal(unscaled: i128, scale: u8, out: &mut Vec<u8>) {
    // Writing into a vector can't fail.
    let _ = write!(out, "\"{}\"", crate::Decimal::new(unscaled, scale));
}

/// Appends a moment as a string.
pub fn write_datetime(moment: i64, out: &mut Vec<u8>) {
    out.push(b'"');
    time::write_datetime(moment, out);
    out.push(b'"');
}

/// Appends a day as a string.
pub fn write_date(day: i32, out: &mut Vec<u8>) {
    out.push(b'"');
    time::write_date(day, out);
    out.push(b'"');
}

/// Appends a UUID as a string.
pub fn write_uuid(uuid: &uuid::Uuid, out: &mut Vec<u8>) {
    let mut buffer = [0; uuid::fmt::Hyphenated::LENGTH];
    out.push(b'"');
    out.extend_from_slice(uuid.as_hyphenated().encode_lower(&mut buffer).as_bytes());
    out.push(b'"');
}

/// Appends a string with the escapes that RFC 8259 asks for and no others.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (position, byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0x08 => b"\\b",
            0x0c => b"\\f",
            0..=0x1f => b"",
            _ => continue,
        };
        out.extend_from_slice(&bytes[copied..position]);
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.extend_from_slice(escape);
        }
        copied = position + 1;
    }
    out.extend_from_slice(&bytes[copied..]);
    out.push(b'"');
}

/// Appends a whole record as an object, every field of the resource included: the form of the log.
pub fn write_record(resource: &Resource, record: &Record, out: &mut Vec<u8>) {
    out.push(b'{');
    for (position, (field, value)) in resource.fields.iter().zip(&record.values).enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write_string(&field.name, out);
        out.push(b':');
        write_value(value, out);
    }
    out.push(b'}');
}

/// Reads a value that [`write_value`] wrote for this shape; null where it is not of it, as after a field changed its type.
#[must_use]
pub fn read_value(shape: Shape, list: bool, json: &serde_json::Value) -> Value {
    if list {
        let Some(items) = json.as_array() else { return Value::Null };
        return Value::List(
            items.iter().map(|item| read_value(shape, false, item)).filter(|item| !item.is_null()).collect(),
        );
    }
    let read = match shape {
        Shape::Json => match json {
            serde_json::Value::Null => None,
            other => serde_json_canonicalizer::to_string(other).ok().map(|text| Value::Json(text.into())),
        },
        Shape::Text { .. } => json.as_str().map(Value::text),
        Shape::Integer => json.as_i64().map(Value::Integer),
        Shape::Float => json.as_f64().map(Value::Float),
        Shape::Decimal { scale } => {
            json.as_str().and_then(crate::Decimal::parse).and_then(|decimal| decimal.rescale(scale)).map(Value::Decimal)
        }
        Shape::Boolean => json.as_bool().map(Value::Boolean),
        Shape::DateTime => json.as_str().and_then(time::parse_datetime).map(Value::DateTime),
        Shape::Date => json.as_str().and_then(time::parse_date).map(Value::Date),
        Shape::Uuid => json.as_str().and_then(|text| uuid::Uuid::try_parse(text).ok()).map(Value::Uuid),
    };
    read.unwrap_or_default()
}

/// Reads a record that [`write_record`] wrote; fields that it lacks are null.
#[must_use]
pub fn read_record(resource: &Resource, text: &str, revision: i64) -> Option<Record> {
    let document: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    let values = resource
        .fields
        .iter()
        .map(|field| {
            document.get(&field.name).map_or(Value::Null, |json| read_value(field.shape, field.is_list(), json))
        })
        .collect();
    Some(Record { values, revision })
}
