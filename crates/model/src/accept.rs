//! What a client sends, turned into typed values: every option of a field is checked here and nowhere else.
//!
//! Nothing is coerced: `"1"` is no integer. But JSON knows one kind of number, so `1.0` and `1e0` are the integer 1.
//! What is wrong is told as [`Flaw`]s with short codes: `type`, `required`, `nul`, `line`, `min`, `max`, `pattern`, `enum`,
//! `format`, `range`, `scale`, `precision`, `max_items`, `duplicate`, `size`, `depth`, `schema`.

mod document;
mod text;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use serde_json::{Number, Value as Json};

use crate::{
    decimal::Decimal,
    field::{Field, Kind, Origin, Shape},
    problem::Flaw,
    resource::IdKind,
    time,
    value::Value,
};

pub use document::MAX_DEPTH;
pub use text::{is_email, is_string_id, is_url};

/// Whose value is looked at, and where flaws go.
struct Place<'a> {
    field: &'a Field,
    at: &'a str,
    item: Option<usize>,
    flaws: &'a mut Vec<Flaw>,
}

impl Place<'_> {
    /// Notes a flaw; `what` goes on after the field's name.
    #[cold]
    fn flaw(&mut self, code: &'static str, what: impl std::fmt::Display) {
        let name = &self.field.name;
        let flaw = match self.item {
            Some(item) => Flaw::pointer(format!("/{}/{item}", self.at), code, format!("item {item} of {name} {what}")),
            None => Flaw::pointer(format!("/{}", self.at), code, format!("{name} {what}")),
        };
        self.flaws.push(flaw);
    }
}

/// Reads the JSON value of a field, which stands at this place of the body: `name`, or `name/$append`. None where it has
/// flaws, which are added to `flaws` under `/name` (items under `/name/0`, …). Null is [`Value::Null`], whether the field is required or not: see
/// [`check_required`]; a `many` reference, which is never null, becomes the empty list.
pub fn accept_field(field: &Field, json: &Json, at: &str, flaws: &mut Vec<Flaw>) -> Option<Value> {
    let mut place = Place { field, at, item: None, flaws };
    if json.is_null() {
        return Some(if field.is_many() { Value::List(Vec::new()) } else { Value::Null });
    }
    match max_items(field) {
        Some(most) => accept_list(&mut place, json, most),
        None => accept_one(&mut place, json),
    }
}

/// Notes a flaw under the field's name where it is required and has no value: null, or no id at all in a `many` reference.
pub fn check_required(field: &Field, value: &Value, flaws: &mut Vec<Flaw>) {
    if !field.required {
        return;
    }
    let name = &field.name;
    if value.is_null() {
        flaws.push(Flaw::pointer(format!("/{name}"), "required", format!("{name} is required")));
    } else if field.is_many() && value.items().is_empty() {
        flaws.push(Flaw::pointer(format!("/{name}"), "required", format!("{name} needs at least one id")));
    }
}

/// Reads an id as it stands in a path: a UUID in its hyphenated form (either case), an integer from 1 without sign or
/// leading zeros, or a string id.
#[must_use]
pub fn parse_id(id_kind: IdKind, text: &str) -> Option<Value> {
    match id_kind {
        IdKind::Uuid => parse_uuid(text),
        IdKind::Integer => {
            let canonical =
                !text.starts_with('0') && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            canonical.then(|| text.parse().ok()).flatten().map(Value::Integer)
        }
        IdKind::String => is_string_id(text).then(|| Value::text(text)),
    }
}

fn max_items(field: &Field) -> Option<usize> {
    match (&field.kind, field.list) {
        (Kind::Reference { many: true, max_items, .. }, _) => Some(*max_items),
        (_, Some(options)) => Some(options.max_items),
        _ => None,
    }
}

fn accept_list(place: &mut Place<'_>, json: &Json, most: usize) -> Option<Value> {
    let Json::Array(items) = json else {
        place.flaw("type", format_args!("must be a list, not {}", describe(json)));
        return None;
    };
    if items.len() > most {
        place.flaw("max_items", format_args!("must have at most {most} items, not {}", items.len()));
        return None;
    }
    let before = place.flaws.len();
    let mut values = Vec::with_capacity(items.len());
    for (position, item) in items.iter().enumerate() {
        place.item = Some(position);
        values.extend(accept_one(place, item));
    }
    if place.flaws.len() == before && place.field.is_many() {
        find_duplicate(place, items, &values);
    }
    (place.flaws.len() == before).then_some(Value::List(values))
}

/// A join table holds each pair once, so an id that stands twice in a `many` reference is a flaw.
fn find_duplicate(place: &mut Place<'_>, items: &[Json], values: &[Value]) {
    let repeated = if values.len() <= 16 {
        (1..values.len()).find(|position| values[..*position].contains(&values[*position]))
    } else {
        let mut seen = HashSet::with_capacity(values.len());
        values.iter().position(|value| match value {
            Value::Uuid(uuid) => !seen.insert((uuid.as_u128(), "")),
            Value::Integer(integer) => !seen.insert((*integer as u128, "")),
            Value::Text(text) => !seen.insert((0, text)),
            _ => false,
        })
    };
    if let Some(position) = repeated {
        place.item = Some(position);
        place.flaw("duplicate", format_args!("stands in the list already: {}", items[position]));
    }
}

fn accept_one(place: &mut Place<'_>, json: &Json) -> Option<Value> {
    match &place.field.kind {
        Kind::Json { max_size, schema } => document::accept(place, json, *max_size, schema.as_deref()),
        Kind::Integer { min, max } => accept_integer(place, json, *min, *max),
        Kind::Float { min, max } => accept_float(place, json, *min, *max),
        Kind::Boolean => match json {
            Json::Bool(truth) => Some(Value::Boolean(*truth)),
            other => wrong_type(place, "true or false", other),
        },
        Kind::Reference { .. } if place.field.shape == Shape::Integer => accept_integer_id(place, json),
        _ => accept_text(place, json),
    }
}

fn accept_text(place: &mut Place<'_>, json: &Json) -> Option<Value> {
    let field = place.field;
    let Json::String(text) = json else { return wrong_type(place, expected(field), json) };
    if text.as_bytes().contains(&0) {
        place.flaw("nul", "must not contain the NUL character");
        return None;
    }
    match &field.kind {
        Kind::String(_) | Kind::Reference { .. } if is_id(field) => match field.shape {
            Shape::Uuid => formatted(place, parse_uuid(text), "a UUID, as in 0192f0c1-2d3e-7f40-8a5b-6c7d8e9f0a1b"),
            _ => {
                let value = is_string_id(text).then(|| Value::text(text));
                formatted(place, value, "an id: 1 to 128 of A-Z a-z 0-9 _ ~ . -, not beginning with a dot")
            }
        },
        Kind::String(options) => text::accept_string(place, text, options, true),
        Kind::Text(options) => text::accept_string(place, text, options, false),
        Kind::Email => formatted(place, is_email(text).then(|| Value::text(text)), "an e-mail address"),
        Kind::Url { max } => text::accept_url(place, text, *max),
        Kind::Enum { values } => {
            if values.iter().any(|value| value == text) {
                return Some(Value::text(text));
            }
            place.flaw("enum", format_args!("must be one of {}", text::list_of(values)));
            None
        }
        Kind::Uuid => formatted(place, parse_uuid(text), "a UUID, as in 0192f0c1-2d3e-7f40-8a5b-6c7d8e9f0a1b"),
        Kind::DateTime => {
            let moment = time::parse_datetime(text).map(Value::DateTime);
            formatted(place, moment, "an RFC 3339 time, as in 2026-01-31T12:00:00Z, no finer than microseconds")
        }
        Kind::Date => formatted(place, time::parse_date(text).map(Value::Date), "a date, as in 2026-01-31"),
        Kind::Decimal { precision, scale, min, max } => accept_decimal(place, text, *precision, *scale, *min, *max),
        Kind::Integer { .. } | Kind::Float { .. } | Kind::Boolean | Kind::Json { .. } | Kind::Reference { .. } => {
            wrong_type(place, expected(field), json)
        }
    }
}

/// Whether a text value is an id: of this record, or of another.
fn is_id(field: &Field) -> bool {
    field.origin == Origin::Id || field.target().is_some()
}

fn accept_integer(place: &mut Place<'_>, json: &Json, min: Option<i64>, max: Option<i64>) -> Option<Value> {
    let Json::Number(number) = json else { return wrong_type(place, "an integer", json) };
    let integer = exact_integer(place, number)?;
    check_limits(place, &integer, min.as_ref(), max.as_ref()).then_some(Value::Integer(integer))
}

fn accept_integer_id(place: &mut Place<'_>, json: &Json) -> Option<Value> {
    let Json::Number(number) = json else { return wrong_type(place, "an id, which is an integer", json) };
    let id = exact_integer(place, number)?;
    formatted(place, (id >= 1).then_some(Value::Integer(id)), "an id, which is an integer from 1")
}

/// The 64-bit integer that a JSON number is. A number with a point or exponent was read as a double; from 2^53 on that may
/// be another number than the one that was written, so there it is refused.
fn exact_integer(place: &mut Place<'_>, number: &Number) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(integer) = number.as_i64() {
        return Some(integer);
    }
    match number.as_f64() {
        Some(float) if float.fract() != 0.0 => place.flaw("type", format_args!("must be an integer, not {number}")),
        Some(float) if float.abs() < EXACT => return Some(float as i64),
        _ => place.flaw("range", "must be an integer of 64 bits, written without a point or exponent"),
    }
    None
}

fn accept_float(place: &mut Place<'_>, json: &Json, min: Option<f64>, max: Option<f64>) -> Option<Value> {
    let Json::Number(number) = json else { return wrong_type(place, "a number", json) };
    let Some(float) = number.as_f64().filter(|float| float.is_finite()) else {
        place.flaw("range", "must be a number that a double can hold");
        return None;
    };
    // Databases disagree on the sign of zero; JSON gives it no meaning.
    let float = if float == 0.0 { 0.0 } else { float };
    check_limits(place, &float, min.as_ref(), max.as_ref()).then_some(Value::Float(float))
}

fn accept_decimal(
    place: &mut Place<'_>,
    text: &str,
    precision: u8,
    scale: u8,
    min: Option<Decimal>,
    max: Option<Decimal>,
) -> Option<Value> {
    let Some(parsed) = Decimal::parse(text) else {
        place.flaw("format", "must be a decimal in a string, as in \"12.50\"");
        return None;
    };
    let normal = parsed.normalize();
    if normal.scale > scale {
        place.flaw("scale", format_args!("must have at most {scale} digits after the point"));
        return None;
    }
    let Some(decimal) = normal.rescale(scale).filter(|decimal| decimal.digits() <= u32::from(precision)) else {
        place.flaw("precision", format_args!("must have at most {} digits before the point", precision - scale));
        return None;
    };
    check_limits(place, &decimal, min.as_ref(), max.as_ref()).then_some(Value::Decimal(decimal))
}

fn check_limits<T: PartialOrd + std::fmt::Display>(
    place: &mut Place<'_>,
    value: &T,
    min: Option<&T>,
    max: Option<&T>,
) -> bool {
    if let Some(min) = min.filter(|min| value < *min) {
        place.flaw("min", format_args!("must be at least {min}"));
        return false;
    }
    if let Some(max) = max.filter(|max| value > *max) {
        place.flaw("max", format_args!("must be at most {max}"));
        return false;
    }
    true
}

/// The value, or a flaw that says how it should look.
fn formatted(place: &mut Place<'_>, value: Option<Value>, expected: &str) -> Option<Value> {
    if value.is_none() {
        place.flaw("format", format_args!("must be {expected}"));
    }
    value
}

fn parse_uuid(text: &str) -> Option<Value> {
    // Of the forms that the parser knows only the hyphenated one has this length.
    const HYPHENATED: usize = uuid::fmt::Hyphenated::LENGTH;
    if text.len() == HYPHENATED { uuid::Uuid::try_parse(text).ok().map(Value::Uuid) } else { None }
}

#[cold]
fn wrong_type(place: &mut Place<'_>, expected: &str, json: &Json) -> Option<Value> {
    place.flaw("type", format_args!("must be {expected}, not {}", describe(json)));
    None
}

fn expected(field: &Field) -> &'static str {
    match field.kind {
        Kind::DateTime => "a time in a string",
        Kind::Date => "a date in a string",
        Kind::Decimal { .. } => "a decimal in a string, as in \"12.50\"",
        Kind::Uuid => "a UUID in a string",
        Kind::Reference { .. } => "an id in a string",
        _ => "a string",
    }
}

fn describe(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}
