//! Values of unknown type become what they exactly are, or nothing.

use model::{Decimal, Value};

use super::{convert, parse_duration, parse_input};
use crate::expression::Type;

const DECIMAL: Type = Type::Decimal { scale: 2, digits: 4 };
const TEXT: Type = Type::Text { fold_case: false };

#[test]
fn values_of_the_caller_are_converted_exactly_or_absent() {
    let uuid = uuid::Uuid::from_u128(7);
    for (value, wanted, expected) in [
        (Value::text("7"), Type::Integer, Value::Integer(7)),
        (Value::text("+7"), Type::Integer, Value::Null),
        (Value::text("7.0"), Type::Integer, Value::Null),
        (Value::Float(7.0), Type::Integer, Value::Integer(7)),
        (Value::Float(7.5), Type::Integer, Value::Null),
        (Value::Float(1e19), Type::Integer, Value::Null),
        (Value::Integer(7), Type::Float, Value::Float(7.0)),
        (Value::Integer(9_007_199_254_740_993), Type::Float, Value::Null),
        (Value::Integer(i64::MAX), Type::Float, Value::Null),
        (Value::text("9.5"), DECIMAL, Value::Decimal(Decimal::new(950, 2))),
        (Value::Float(9.5), DECIMAL, Value::Decimal(Decimal::new(950, 2))),
        (Value::Integer(9), DECIMAL, Value::Decimal(Decimal::new(900, 2))),
        (Value::text("9.555"), DECIMAL, Value::Null),
        (Value::Integer(100), DECIMAL, Value::Null),
        (Value::Uuid(uuid), TEXT, Value::text("00000000-0000-0000-0000-000000000007")),
        (Value::text("00000000-0000-0000-0000-000000000007"), Type::Uuid, Value::Uuid(uuid)),
        (Value::text("00000000000000000000000000000007"), Type::Uuid, Value::Null),
        (Value::Integer(7), TEXT, Value::text("7")),
        (Value::text("a\0"), TEXT, Value::Null),
        (Value::Boolean(true), TEXT, Value::Null),
        (Value::text("true"), Type::Boolean, Value::Null),
        (Value::text("1970-01-01T00:00:00Z"), Type::DateTime, Value::DateTime(0)),
        (Value::text("1970-01-02"), Type::Date, Value::Date(1)),
        (
            Value::List(vec![Value::text("1")]),
            Type::List(Box::new(Type::Integer)),
            Value::List(vec![Value::Integer(1)]),
        ),
        (Value::List(vec![Value::text("x")]), Type::List(Box::new(Type::Integer)), Value::Null),
        (Value::Null, TEXT, Value::Null),
    ] {
        assert_eq!(convert(value.clone(), &wanted), expected, "{value:?} as {wanted:?}");
    }
}

#[test]
fn query_strings_are_read_by_the_fields_type() {
    assert_eq!(parse_input(&Type::Boolean, "true"), Some(Value::Boolean(true)));
    assert_eq!(parse_input(&Type::Boolean, "1"), None);
    assert_eq!(parse_input(&Type::Float, "1e3"), Some(Value::Float(1000.0)));
    assert_eq!(parse_input(&Type::Float, "inf"), None);
    assert_eq!(parse_input(&Type::Float, "NaN"), None);
    assert_eq!(parse_input(&Type::Integer, "9223372036854775808"), None);
    assert_eq!(parse_input(&Type::List(Box::new(Type::Integer)), "-1"), Some(Value::Integer(-1)));
    assert_eq!(parse_input(&DECIMAL, "1,5"), None);
    assert_eq!(parse_input(&TEXT, "a\0"), None);
}

#[test]
fn durations_are_read_in_whole_microseconds() {
    for (text, micros) in [
        ("1h30m", Some(5_400_000_000)),
        ("-1.5s", Some(-1_500_000)),
        ("100ms", Some(100_000)),
        ("1us", Some(1)),
        ("1µs", Some(1)),
        ("1000ns", Some(1)),
        ("0", Some(0)),
        ("1ns", None),
        ("1", None),
        ("", None),
        ("-", None),
        ("h", None),
        ("1d", None),
        ("1.2.3s", None),
        ("99999999999999h", None),
        ("99999999999999999999999999999999999999h", None),
    ] {
        assert_eq!(parse_duration(text), micros, "{text}");
    }
}
