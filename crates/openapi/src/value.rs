//! JSON Schemas of single values: as they are read, as they are written, and as they stand in a query.

use model::{Field, Kind, Origin, Shape, field::TextOptions};
use serde_json::{Map, Value as Json, json};

use crate::view::Subject;

/// Text of any kind has no NUL.
pub(crate) const NO_NUL: &str = "^[^\\u0000]*$";
/// One line.
const ONE_LINE: &str = "^[^\\u0000\\r\\n]*$";
/// Text in a list with commas.
const NO_COMMA: &str = "^[^\\u0000,]*$";
/// RFC 3339, no finer than microseconds, from the year 1 on.
pub(crate) const DATETIME: &str =
    "^(?!0000)\\d{4}-\\d{2}-\\d{2}[Tt]\\d{2}:\\d{2}:[0-5]\\d(\\.\\d{1,6}0*)?([Zz]|[+-]\\d{2}:\\d{2})$";
/// An absolute URL in ASCII.
const URL: &str = "^[Hh][Tt][Tt][Pp][Ss]?://[!-;=?-Z_a-z~#\\[\\]]+$";
/// An id that a client gives.
const STRING_ID: &str = "^[A-Za-z0-9_~-][A-Za-z0-9_~.-]{0,127}$";
/// The most digits after the point that a written decimal may have, where those beyond its scale are zeros.
const TRAILING: u8 = 12;

/// Which way a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// In an answer.
    Read,
    /// In a body: with every limit that is checked.
    Write,
}

/// The id of a record, by the shape of ids of its resource.
pub(crate) fn id(shape: Shape) -> Json {
    match shape {
        Shape::Uuid => json!({ "type": "string", "format": "uuid" }),
        Shape::Integer => json!({ "type": "integer", "format": "int64", "minimum": 1, "maximum": i64::MAX }),
        _ => {
            json!({ "type": "string", "pattern": STRING_ID, "not": { "enum": ["aggregate", "events"] } })
        }
    }
}

/// A field's value, lists and all; null is another's matter.
pub(crate) fn of(subject: Subject<'_>, field: &Field, way: Way) -> Json {
    let one = item(subject, field, way);
    let (most, distinct) = match (&field.kind, field.list) {
        (Kind::Reference { many: true, max_items, .. }, _) => (*max_items, true),
        (_, Some(list)) => (list.max_items, false),
        _ => return one,
    };
    let mut list = json!({ "type": "array", "items": one, "maxItems": most });
    if distinct {
        list["uniqueItems"] = true.into();
        if field.required && way == Way::Write {
            list["minItems"] = 1.into();
        }
    }
    list
}

/// One value, or one item of a list.
pub(crate) fn item(subject: Subject<'_>, field: &Field, way: Way) -> Json {
    let write = way == Way::Write;
    if field.origin == Origin::Id {
        return id(field.shape);
    }
    match &field.kind {
        Kind::String(options) => text(options, ONE_LINE, write),
        Kind::Text(options) => text(options, NO_NUL, write),
        Kind::Integer { min, max } => match write {
            true => {
                json!({ "type": "integer", "format": "int64", "minimum": min.unwrap_or(i64::MIN), "maximum": max.unwrap_or(i64::MAX) })
            }
            false => integer(),
        },
        Kind::Float { min, max } => {
            let mut float = json!({ "type": "number", "format": "double" });
            if write {
                float["minimum"] = min.unwrap_or(f64::MIN).into();
                float["maximum"] = max.unwrap_or(f64::MAX).into();
            }
            float
        }
        Kind::Decimal { precision, scale, min, max } => {
            let mut decimal = match write {
                true => decimal_written(*precision, *scale, min.is_some_and(|least| least.unscaled >= 0)),
                false => decimal_read(Some(precision - scale), *scale),
            };
            for (key, limit) in [("x-minimum", min), ("x-maximum", max)] {
                if let Some(limit) = limit.filter(|_| write) {
                    decimal[key] = limit.to_string().into();
                }
            }
            decimal
        }
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::DateTime if write => json!({ "type": "string", "format": "date-time", "pattern": DATETIME }),
        Kind::DateTime => json!({ "type": "string", "format": "date-time" }),
        Kind::Date => json!({ "type": "string", "format": "date" }),
        Kind::Uuid => json!({ "type": "string", "format": "uuid" }),
        Kind::Email => json!({ "type": "string", "format": "email", "maxLength": 254 }),
        Kind::Url { max } if write => {
            json!({ "type": "string", "format": "uri", "pattern": URL, "maxLength": max })
        }
        Kind::Url { max } => json!({ "type": "string", "format": "uri", "maxLength": max }),
        Kind::Enum { values } => json!({ "type": "string", "enum": values }),
        Kind::Json { schema, .. } => match schema {
            // Its own references begin at its root, so that it stands apart.
            Some(_) => reference(&document_name(subject, field)),
            None => json!({ "not": { "type": "null" } }),
        },
        Kind::Reference { .. } => id(field.shape),
    }
}

fn text(options: &TextOptions, characters: &str, write: bool) -> Json {
    let mut text = json!({ "type": "string" });
    if write && options.min > 0 {
        text["minLength"] = options.min.into();
    }
    text["maxLength"] = options.max.into();
    let Some(pattern) = options.pattern.as_ref().filter(|_| write) else {
        if write {
            text["pattern"] = characters.into();
        }
        return text;
    };
    if !is_portable(&pattern.source) {
        text["pattern"] = characters.into();
        text["x-pattern"] = pattern.source.clone().into();
        return text;
    }
    text["pattern"] = pattern.source.clone().into();
    if !is_anchored(&pattern.source) {
        text["allOf"] = json!([{ "pattern": characters }]);
    }
    text
}

/// Whether a pattern means the same to ECMA 262, by which JSON Schema reads it.
fn is_portable(pattern: &str) -> bool {
    let escapes = pattern.match_indices('\\').all(|(at, _)| {
        let next = pattern[at + 1..].chars().next();
        next.is_some_and(|next| !next.is_ascii_alphanumeric())
    });
    pattern.is_ascii() && escapes && !pattern.contains("(?") && !pattern.contains("[[") && !pattern.contains("&&")
}

/// Whether a pattern says itself which characters there are.
fn is_anchored(pattern: &str) -> bool {
    let open = ['.', '|'].iter().any(|open| pattern.contains(*open)) || pattern.contains("[^");
    pattern.starts_with('^') && pattern.ends_with('$') && !open
}

fn integer() -> Json {
    json!({ "type": "integer", "format": "int64" })
}

/// A decimal as it may be sent: zeros before and after change nothing.
fn decimal_written(precision: u8, scale: u8, no_sign: bool) -> Json {
    let sign = if no_sign { "" } else { "-?" };
    let whole = match precision - scale {
        0 => "0+".to_owned(),
        digits => format!("0*[0-9]{{1,{digits}}}"),
    };
    let fraction = match scale {
        0 => format!("(\\.0{{1,{TRAILING}}})?"),
        scale => format!("(\\.[0-9]{{1,{scale}}}0{{0,{TRAILING}}})?"),
    };
    json!({ "type": "string", "format": "decimal", "pattern": format!("^{sign}{whole}{fraction}$") })
}

/// A decimal as it is answered: with all digits of its scale.
pub(crate) fn decimal_read(whole: Option<u8>, scale: u8) -> Json {
    let most = match whole {
        Some(0) => "0".to_owned(),
        Some(1) => "[0-9]".to_owned(),
        Some(digits) => format!("(0|[1-9][0-9]{{0,{}}})", digits - 1),
        None => "(0|[1-9][0-9]*)".to_owned(),
    };
    let fraction = if scale == 0 { String::new() } else { format!("\\.[0-9]{{{scale}}}") };
    json!({ "type": "string", "format": "decimal", "pattern": format!("^-?{most}{fraction}$") })
}

/// A value that a field is compared with in a query string. Text is compared as it is, so every text will do.
pub(crate) fn compared(field: &Field, in_list: bool) -> Json {
    if let Kind::Decimal { precision, scale, .. } = &field.kind {
        return decimal_written(*precision, *scale, false);
    }
    of_shape(field.shape).unwrap_or_else(|| {
        let mut plain = json!({ "type": "string", "pattern": if in_list { NO_COMMA } else { NO_NUL } });
        if let Kind::Enum { values } = &field.kind {
            plain["examples"] = json!(values);
        }
        plain
    })
}

fn of_shape(shape: Shape) -> Option<Json> {
    Some(match shape {
        Shape::Text { .. } | Shape::Json | Shape::Decimal { .. } => return None,
        Shape::Integer => json!({ "type": "integer", "format": "int64", "minimum": i64::MIN, "maximum": i64::MAX }),
        Shape::Float => json!({ "type": "number", "format": "double", "minimum": f64::MIN, "maximum": f64::MAX }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::DateTime => json!({ "type": "string", "format": "date-time", "pattern": DATETIME }),
        Shape::Date => json!({ "type": "string", "format": "date" }),
        Shape::Uuid => json!({ "type": "string", "format": "uuid" }),
    })
}

/// The same schema, or null.
pub(crate) fn or_null(schema: Json) -> Json {
    match schema {
        Json::Object(mut members) => {
            if let Some(Json::String(single)) = members.get("type").cloned() {
                if let Some(Json::Array(values)) = members.get_mut("enum") {
                    values.push(Json::Null);
                }
                members.insert("type".into(), json!([single, "null"]));
                return Json::Object(members);
            }
            if members.is_empty() || members.get("not") == Some(&json!({ "type": "null" })) {
                return Json::Object(Map::new());
            }
            json!({ "anyOf": [Json::Object(members), { "type": "null" }] })
        }
        other => other,
    }
}

/// A schema among the components.
pub(crate) fn reference(name: &str) -> Json {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The name of the component that holds the schema of a `json` field.
pub(crate) fn document_name(subject: Subject<'_>, field: &Field) -> String {
    format!("{}.{}", subject.names.one, field.name)
}
