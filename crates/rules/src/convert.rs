//! Values of unknown type as values of a known one: what the caller is, and what a query string says.

use model::{Decimal, Value, time};

use crate::expression::Type;

/// A value of the request as one of a type; null where it can't be exactly that.
#[must_use]
pub fn convert(value: Value, r#type: &Type) -> Value {
    let converted = match (value, r#type) {
        (value, Type::Json | Type::Dynamic) => Some(value),
        (Value::Text(text), r#type) => parse(&text, r#type),
        (value @ Value::Boolean(_), Type::Boolean)
        | (value @ Value::Integer(_), Type::Integer)
        | (value @ Value::DateTime(_), Type::DateTime)
        | (value @ Value::Uuid(_), Type::Uuid) => Some(value),
        (Value::Float(float), Type::Float) => float.is_finite().then_some(Value::Float(float)),
        (Value::Float(float), Type::Integer) => whole(float).map(Value::Integer),
        (Value::Integer(integer), Type::Float) => exact_float(integer).map(Value::Float),
        (Value::Integer(integer), r#type @ Type::Decimal { .. }) => decimal(Decimal::new(integer.into(), 0), r#type),
        (Value::Float(float), r#type @ Type::Decimal { .. }) => {
            Decimal::parse(&float.to_string()).and_then(|exact| decimal(exact, r#type))
        }
        (Value::Integer(integer), Type::Text { .. }) => Some(Value::text(integer.to_string())),
        (Value::Uuid(uuid), Type::Text { .. }) => Some(Value::text(uuid.to_string())),
        (Value::List(items), Type::List(item)) => {
            let items: Vec<_> = items.into_iter().map(|value| convert(value, item)).collect();
            (!items.iter().any(Value::is_null)).then_some(Value::List(items))
        }
        _ => None,
    };
    converted.unwrap_or_default()
}

/// What a query string says, as a value of a type (of its items, where it is a list).
#[must_use]
pub fn parse_input(r#type: &Type, text: &str) -> Option<Value> {
    match r#type {
        Type::List(item) => parse_input(item, text),
        Type::Boolean => match text {
            "true" => Some(Value::Boolean(true)),
            "false" => Some(Value::Boolean(false)),
            _ => None,
        },
        Type::Float => text.parse().ok().filter(|float: &f64| float.is_finite()).map(Value::Float),
        other => parse(text, other),
    }
}

/// Text as a value of a type whose values can be written as text.
#[must_use]
pub(crate) fn parse(text: &str, r#type: &Type) -> Option<Value> {
    match r#type {
        // PostgreSQL holds no NUL, so that nothing stored is like it.
        Type::Text { .. } => (!text.contains('\0')).then(|| Value::text(text)),
        Type::Integer => text.parse().ok().filter(|_| !text.starts_with('+')).map(Value::Integer),
        Type::Decimal { .. } => Decimal::parse(text).and_then(|exact| decimal(exact, r#type)),
        Type::DateTime => time::parse_datetime(text).map(Value::DateTime),
        Type::Date => time::parse_date(text).map(Value::Date),
        Type::Duration => parse_duration(text).map(Value::Duration),
        Type::Uuid => uuid(text).map(Value::Uuid),
        Type::Boolean | Type::Float | Type::List(_) | Type::Json | Type::Dynamic => None,
    }
}

/// A UUID in the hyphenated form, in either case.
fn uuid(text: &str) -> Option<uuid::Uuid> {
    (text.len() == 36).then(|| uuid::Uuid::try_parse(text).ok()).flatten()
}

/// A decimal as one of a type, where its digits fit.
pub(crate) fn decimal(exact: Decimal, r#type: &Type) -> Option<Value> {
    let Type::Decimal { scale, digits } = r#type else { return None };
    let rescaled = exact.rescale(*scale)?;
    (rescaled.digits() <= u32::from(*digits)).then_some(Value::Decimal(rescaled))
}

/// The integer that a double equals.
pub(crate) fn whole(float: f64) -> Option<i64> {
    let bounds = -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;
    (float.fract() == 0.0 && bounds.contains(&float)).then_some(float as i64)
}

/// The double that equals an integer.
pub(crate) fn exact_float(integer: i64) -> Option<f64> {
    let float = integer as f64;
    (float as i128 == i128::from(integer)).then_some(float)
}

/// A span of time as CEL writes it (`1h30m`, `-1.5s`, `100ms`), in microseconds; finer ones are refused.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut nanos: i128 = 0;
    while !rest.is_empty() {
        let length = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let (number, tail) = rest.split_at(length);
        let unit_length = tail.bytes().take_while(|byte| !byte.is_ascii_digit() && *byte != b'.').count();
        let (unit, tail) = tail.split_at(unit_length);
        let unit: i128 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        let number = Decimal::parse(number)?;
        let scaled = number.unscaled.checked_mul(unit)?;
        let power = model::decimal::power_of_ten(number.scale)?;
        if scaled % power != 0 {
            return None;
        }
        nanos = nanos.checked_add(scaled / power)?;
        rest = tail;
    }
    let micros = if negative { -nanos } else { nanos };
    (micros % 1000 == 0).then(|| i64::try_from(micros / 1000).ok()).flatten()
}

#[cfg(test)]
mod tests;
