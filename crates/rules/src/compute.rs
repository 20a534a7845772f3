//! Operations on values; null where a side is null or the result is undefined.

use std::cmp::Ordering;

use model::{
    Decimal, Value,
    decimal::{MAX_DIGITS, power_of_ten},
    time,
};

use crate::expression::{Arithmetic, Type};

/// How two values of one type compare; none where one is absent or they have no order.
#[must_use]
pub fn compare(left: &Value, right: &Value, fold_case: bool) -> Option<Ordering> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) if fold_case => {
            let lower = |text: &'_ str| text.bytes().map(|byte| byte.to_ascii_lowercase()).collect::<Vec<_>>();
            Some(lower(left).cmp(&lower(right)))
        }
        // UTF-8 sorts by bytes as it does by code points.
        (Value::Text(left), Value::Text(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
        (Value::Integer(left), Value::Integer(right))
        | (Value::DateTime(left), Value::DateTime(right))
        | (Value::Duration(left), Value::Duration(right)) => Some(left.cmp(right)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::Decimal(left), Value::Decimal(right)) => Some(left.cmp(right)),
        (Value::Boolean(left), Value::Boolean(right)) => Some(left.cmp(right)),
        (Value::Date(left), Value::Date(right)) => Some(left.cmp(right)),
        (Value::Uuid(left), Value::Uuid(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
        _ => None,
    }
}

/// `left operator right`.
#[must_use]
pub fn arithmetic(operator: Arithmetic, left: &Value, right: &Value) -> Value {
    let result = match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => integers(operator, *left, *right).map(Value::Integer),
        (Value::Float(left), Value::Float(right)) => floats(operator, *left, *right).map(Value::Float),
        (Value::Decimal(left), Value::Decimal(right)) => decimals(operator, *left, *right).map(Value::Decimal),
        (Value::Text(left), Value::Text(right)) if operator == Arithmetic::Add => {
            Some(Value::Text(format!("{left}{right}").into()))
        }
        (Value::Duration(left), Value::Duration(right)) => match operator {
            Arithmetic::Add => left.checked_add(*right).map(Value::Duration),
            Arithmetic::Subtract => left.checked_sub(*right).map(Value::Duration),
            Arithmetic::Multiply | Arithmetic::Divide | Arithmetic::Remainder => None,
        },
        (Value::DateTime(left), Value::DateTime(right)) if operator == Arithmetic::Subtract => {
            left.checked_sub(*right).map(Value::Duration)
        }
        (Value::DateTime(moment), Value::Duration(span)) if operator == Arithmetic::Add => {
            moment.checked_add(*span).and_then(moment_in_range)
        }
        (Value::Duration(span), Value::DateTime(moment)) if operator == Arithmetic::Add => {
            moment.checked_add(*span).and_then(moment_in_range)
        }
        (Value::DateTime(moment), Value::Duration(span)) if operator == Arithmetic::Subtract => {
            moment.checked_sub(*span).and_then(moment_in_range)
        }
        _ => None,
    };
    result.unwrap_or_default()
}

fn moment_in_range(moment: i64) -> Option<Value> {
    (time::MIN..=time::MAX).contains(&moment).then_some(Value::DateTime(moment))
}

fn integers(operator: Arithmetic, left: i64, right: i64) -> Option<i64> {
    match operator {
        Arithmetic::Add => left.checked_add(right),
        Arithmetic::Subtract => left.checked_sub(right),
        Arithmetic::Multiply => left.checked_mul(right),
        Arithmetic::Divide => left.checked_div(right),
        // What is left by -1 is 0, even of the least integer.
        Arithmetic::Remainder if right == 0 => None,
        Arithmetic::Remainder => Some(left.wrapping_rem(right)),
    }
}

fn floats(operator: Arithmetic, left: f64, right: f64) -> Option<f64> {
    let result = match operator {
        Arithmetic::Add => left + right,
        Arithmetic::Subtract => left - right,
        Arithmetic::Multiply => left * right,
        Arithmetic::Divide => left / right,
        Arithmetic::Remainder => return None,
    };
    result.is_finite().then_some(result)
}

/// Exact; the checker has made sure that 38 digits suffice for values of the declared sizes.
fn decimals(operator: Arithmetic, left: Decimal, right: Decimal) -> Option<Decimal> {
    let result = match operator {
        Arithmetic::Add | Arithmetic::Subtract => {
            let scale = left.scale.max(right.scale);
            let (left, right) = (left.rescale(scale)?.unscaled, right.rescale(scale)?.unscaled);
            let sum = if operator == Arithmetic::Add { left.checked_add(right) } else { left.checked_sub(right) };
            Decimal::new(sum?, scale)
        }
        Arithmetic::Multiply => {
            Decimal::new(left.unscaled.checked_mul(right.unscaled)?, left.scale.checked_add(right.scale)?)
        }
        Arithmetic::Divide | Arithmetic::Remainder => return None,
    };
    (result.digits() <= MAX_DIGITS).then_some(result)
}

/// `-x`
#[must_use]
pub fn negate(value: &Value) -> Value {
    match value {
        Value::Integer(integer) => integer.checked_neg().map(Value::Integer),
        Value::Duration(span) => span.checked_neg().map(Value::Duration),
        Value::Float(float) => Some(Value::Float(-float)),
        Value::Decimal(decimal) => Some(Value::Decimal(Decimal::new(-decimal.unscaled, decimal.scale))),
        _ => None,
    }
    .unwrap_or_default()
}

/// Code points of a text, items of a list.
#[must_use]
pub fn size(value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::Integer(text.chars().count() as i64),
        Value::List(items) => Value::Integer(items.len() as i64),
        _ => Value::Null,
    }
}

/// The implicit conversions, all of them exact: integers and decimals to decimals of a scale, days to midnight UTC.
#[must_use]
pub fn widen(value: &Value, r#type: &Type) -> Value {
    match (value, r#type) {
        (Value::Integer(integer), Type::Decimal { scale, .. }) => power_of_ten(*scale)
            .and_then(|power| i128::from(*integer).checked_mul(power))
            .map(|unscaled| Value::Decimal(Decimal::new(unscaled, *scale)))
            .unwrap_or_default(),
        (Value::Decimal(decimal), Type::Decimal { scale, .. }) => {
            decimal.rescale(*scale).map(Value::Decimal).unwrap_or_default()
        }
        (Value::Date(day), Type::DateTime) => Value::DateTime(i64::from(*day) * time::DAY),
        _ => Value::Null,
    }
}

/// What a JSON document has at a path, where it is of the declared type.
#[must_use]
pub fn json_path(document: &str, path: &[String], r#type: &Type) -> Value {
    let Ok(document) = serde_json::from_str::<serde_json::Value>(document) else { return Value::Null };
    let found = path.iter().try_fold(&document, |at, key| at.as_object()?.get(key));
    match (found, r#type) {
        (Some(serde_json::Value::String(text)), Type::Text { .. }) => Value::text(text),
        (Some(serde_json::Value::Bool(truth)), Type::Boolean) => Value::Boolean(*truth),
        (Some(serde_json::Value::Number(number)), Type::Integer) => {
            number.as_i64().map(Value::Integer).unwrap_or_default()
        }
        (Some(serde_json::Value::Number(number)), Type::Float) => {
            number.as_f64().filter(|float| float.is_finite()).map(Value::Float).unwrap_or_default()
        }
        _ => Value::Null,
    }
}
