//! What the functions yield at the edges of their ranges.

use rules::Type;
use rusqlite::{Connection, types::Value as Kept};

use super::{register, wide_bytes};
use crate::dialect::encode;

fn connection() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    register(&connection).unwrap();
    connection
}

fn value(text: &str) -> Kept {
    connection().query_row(&format!("SELECT {text}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn integers_that_overflow_are_undefined() {
    assert_eq!(value("mainstay_add(1, 2)"), Kept::Integer(3));
    assert_eq!(value("mainstay_add(9223372036854775807, 1)"), Kept::Null);
    assert_eq!(value("mainstay_subtract(0, -9223372036854775807 - 1)"), Kept::Null);
    assert_eq!(value("mainstay_multiply(4294967296, 4294967296)"), Kept::Null);
    assert_eq!(value("mainstay_divide(-7, 2)"), Kept::Integer(-3));
    assert_eq!(value("mainstay_divide(1, 0)"), Kept::Null);
    assert_eq!(value("mainstay_divide(-9223372036854775807 - 1, -1)"), Kept::Null);
    assert_eq!(value("mainstay_remainder(-7, 2)"), Kept::Integer(-1));
    assert_eq!(value("mainstay_remainder(-9223372036854775807 - 1, -1)"), Kept::Integer(0));
    assert_eq!(value("mainstay_remainder(1, 0)"), Kept::Null);
    assert_eq!(value("mainstay_add(NULL, 1)"), Kept::Null);
    assert_eq!(value("mainstay_add('1', 1)"), Kept::Null);
}

#[test]
fn moments_stay_within_the_years_of_the_contract() {
    assert_eq!(value("mainstay_moment_add(253402300799999998, 1)"), Kept::Integer(model::time::MAX));
    assert_eq!(value("mainstay_moment_add(253402300799999999, 1)"), Kept::Null);
    assert_eq!(value("mainstay_moment_subtract(-62135596800000000, 1)"), Kept::Null);
}

#[test]
fn wide_decimals_sort_as_their_numbers_do() {
    let numbers = [i128::MIN, -10_i128.pow(30), -1, 0, 1, 10_i128.pow(20), i128::MAX];
    let bytes: Vec<_> = numbers.into_iter().map(wide_bytes).collect();
    assert!(bytes.is_sorted());
    let sum = format!(
        "hex(mainstay_wide_add(mainstay_wide(5, 20), mainstay_wide_negate(mainstay_wide(3, 0)))) = hex({})",
        "?1"
    );
    let expected = wide_bytes(5 * 10_i128.pow(20) - 3);
    let equal: bool = connection().query_row(&format!("SELECT {sum}"), [expected.to_vec()], |row| row.get(0)).unwrap();
    assert!(equal);
    assert_eq!(value("mainstay_wide_multiply(mainstay_wide(1, 30), mainstay_wide(1, 30))"), Kept::Null);
}

#[test]
fn patterns_match_anywhere_unless_anchored() {
    assert_eq!(value("mainstay_matches('an apple', 'app')"), Kept::Integer(1));
    assert_eq!(value("mainstay_matches('an apple', '^app')"), Kept::Integer(0));
    assert_eq!(value("mainstay_matches(NULL, '^app')"), Kept::Null);
    // A pattern that can't be compiled never comes from a checked rule.
    assert_eq!(value("mainstay_matches('an apple', '(')"), Kept::Null);
}

#[test]
fn json_paths_yield_only_the_type_they_are_asked_for() {
    let document = r#"'{"a":{"n":1,"f":1.5,"t":"x","b":true,"z":null}}'"#;
    let at = |name: &str, key: &str| value(&format!(r#"mainstay_json_{name}({document}, '["a","{key}"]')"#));
    assert_eq!(at("integer", "n"), Kept::Integer(1));
    assert_eq!(at("integer", "f"), Kept::Null);
    assert_eq!(at("float", "n"), Kept::Real(1.0));
    assert_eq!(at("text", "t"), Kept::Text("x".into()));
    assert_eq!(at("boolean", "b"), Kept::Integer(1));
    assert_eq!(at("text", "z"), Kept::Null);
    assert_eq!(at("text", "missing"), Kept::Null);
}

#[test]
fn floats_of_lists_come_back_as_they_went() {
    let connection = connection();
    let mut read = connection.prepare("SELECT CAST(value AS REAL) FROM json_each(?1)").unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let float = f64::from_bits(state ^ state >> 29);
        if !float.is_finite() {
            continue;
        }
        let list = encode(&model::Value::List(vec![model::Value::Float(float)]), &Type::List(Box::new(Type::Float)));
        let back: f64 = read.query_row([list], |row| row.get(0)).unwrap();
        assert_eq!(back.to_bits(), float.to_bits(), "{float:e}");
    }
}
