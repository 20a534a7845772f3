//! SQLite's way to say what conditions and expressions need, and the form in which it keeps values.
//!
//! UUIDs are blobs, moments and days integers, decimals scaled integers. Intermediate decimals of more than 18 digits
//! don't fit an integer; they are *wide*: 16-byte blobs whose order is that of the numbers ([`crate::functions`]).

use model::{Decimal, Value, decimal::power_of_ten, time};
use rules::{
    Type,
    aggregate::Function,
    expression::{Arithmetic, CommonPattern, Comparison, TextCall},
};
use rusqlite::types::Value as Kept;
use sql::{
    Dialect,
    dialect::{Operand, comparison, extreme_folded, folds, item_type},
};
use store::migration::names;

use crate::{functions::wide_bytes, value::keep};

/// The dialect of SQLite with the functions of [`crate::functions::register`].
#[derive(Debug, Clone, Copy)]
pub struct Sqlite;

impl Dialect for Sqlite {
    fn parameter(&self, number: usize, _type: &Type) -> String {
        format!("?{number}")
    }

    fn join_table(&self, resource: &str, field: &str) -> String {
        names::join_table(resource, field)
    }

    fn compare(&self, operator: Comparison, left: &Operand, right: &Operand) -> String {
        let wide = is_wide(&left.r#type) || is_wide(&right.r#type);
        let (left_text, right_text) = (fitted(left, wide), fitted(right, wide));
        let collation = if folds(&left.r#type, &right.r#type) { " COLLATE NOCASE" } else { "" };
        format!("{left_text} {} {right_text}{collation}", comparison(operator))
    }

    fn arithmetic(&self, operator: Arithmetic, left: &Operand, right: &Operand, result: &Type) -> String {
        let (a, b) = (&left.text, &right.text);
        let (sign, name) = match operator {
            Arithmetic::Add => ("+", "add"),
            Arithmetic::Subtract => ("-", "subtract"),
            Arithmetic::Multiply => ("*", "multiply"),
            Arithmetic::Divide => ("/", "divide"),
            Arithmetic::Remainder => ("%", "remainder"),
        };
        match result {
            Type::Text { .. } => format!("({a} || {b})"),
            // Overflow gives an infinity, which undefined stands for; so does SQLite itself for the rest.
            Type::Float => format!("NULLIF(NULLIF({a} {sign} {b}, 9e999), -9e999)"),
            Type::Decimal { .. } if is_wide(result) => {
                format!("mainstay_wide_{name}({}, {})", fitted(left, true), fitted(right, true))
            }
            Type::Decimal { .. } => format!("({a} {sign} {b})"),
            Type::DateTime => format!("mainstay_moment_{name}({a}, {b})"),
            // Moments are years 1 to 9999, whose difference can't overflow.
            Type::Duration if left.r#type == Type::DateTime => format!("({a} - {b})"),
            _ => format!("mainstay_{name}({a}, {b})"),
        }
    }

    fn negate(&self, value: &Operand) -> String {
        match value.r#type {
            Type::Float => format!("(-{})", value.text),
            Type::Decimal { .. } if is_wide(&value.r#type) => format!("mainstay_wide_negate({})", value.text),
            Type::Decimal { .. } => format!("(-{})", value.text),
            _ => format!("mainstay_subtract(0, {})", value.text),
        }
    }

    fn convert(&self, value: &Operand, to: &Type) -> String {
        let text = &value.text;
        match (&value.r#type, to) {
            (Type::Date, Type::DateTime) => format!("({text} * {})", time::DAY),
            (Type::Integer, Type::Decimal { scale, .. }) => scaled(text, false, *scale, is_wide(to)),
            (Type::Decimal { scale: from, .. }, Type::Decimal { scale, .. }) => {
                scaled(text, is_wide(&value.r#type), scale.saturating_sub(*from), is_wide(to))
            }
            _ => text.clone(),
        }
    }

    fn size(&self, value: &Operand) -> String {
        match value.r#type {
            Type::List(_) => format!("json_array_length({})", value.text),
            _ => format!("length({})", value.text),
        }
    }

    fn text_call(&self, call: TextCall, subject: &str, argument: &str) -> String {
        match call {
            TextCall::StartsWith => format!("mainstay_starts_with({subject}, {argument})"),
            TextCall::EndsWith => format!("mainstay_ends_with({subject}, {argument})"),
            TextCall::Contains => format!("instr({subject}, {argument}) > 0"),
        }
    }

    fn pattern<'a>(&self, pattern: &'a CommonPattern) -> &'a str {
        pattern.pattern.regex.as_str()
    }

    fn matches(&self, subject: &str, pattern: &str) -> String {
        format!("mainstay_matches({subject}, {pattern})")
    }

    fn is_item(&self, needle: &Operand, list: &Operand, negated: bool) -> String {
        let items = item_type(&list.r#type);
        let collation = if folds(&needle.r#type, items) { " COLLATE NOCASE" } else { "" };
        let not = if negated { " NOT" } else { "" };
        let wide = is_wide(&needle.r#type) || is_wide(items);
        let item = fitted(&Operand::atom(item("value", items), items.clone()), wide);
        format!("{}{collation}{not} IN (SELECT {item} FROM json_each({}))", fitted(needle, wide), list.text)
    }

    fn items(&self, list: &str, alias: &str) -> String {
        format!("json_each({list}) AS {alias}")
    }

    fn item(&self, alias: &str, r#type: &Type) -> String {
        item(&format!("{alias}.value"), r#type)
    }

    fn numbered_items(&self, list: &str, alias: &str) -> String {
        self.items(list, alias)
    }

    fn item_number(&self, alias: &str) -> String {
        format!("{alias}.key")
    }

    fn has_lateral(&self) -> bool {
        false
    }

    fn gather(&self, column: &str, item: &Type, from: &str, filter: &str, order: &str) -> String {
        let item = if *item == Type::Uuid { format!("lower(hex({column}))") } else { column.to_owned() };
        format!("(SELECT json_group_array({item} ORDER BY {order}) FROM {from} WHERE {filter})")
    }

    fn order(&self, key: &str, r#type: &Type, descending: bool, _never_null: bool) -> String {
        let collation = if *r#type == (Type::Text { fold_case: true }) { " COLLATE NOCASE" } else { "" };
        format!("{key}{collation}{}", if descending { " DESC" } else { "" })
    }

    fn json_path(&self, document: &str, keys: &str, r#type: &Type) -> String {
        let name = match r#type {
            Type::Boolean => "boolean",
            Type::Integer => "integer",
            Type::Float => "float",
            Type::Text { .. } => "text",
            _ => "any",
        };
        format!("mainstay_json_{name}({document}, {keys})")
    }

    fn total(&self, function: Function, column: &Operand) -> String {
        let text = &column.text;
        match (function, &column.r#type) {
            (Function::Sum, Type::Float) => format!("mainstay_sum_float({text})"),
            (Function::Sum, _) => format!("mainstay_sum({text})"),
            (Function::Average, Type::Float) => format!("mainstay_mean_float({text})"),
            (Function::Average, Type::Decimal { .. }) => format!("mainstay_mean_decimal({text})"),
            (Function::Average, _) => format!("mainstay_mean({text})"),
            (Function::Least, Type::Text { fold_case: true }) => extreme_folded("min", text, "char(1)"),
            (Function::Greatest, Type::Text { fold_case: true }) => extreme_folded("max", text, "char(1)"),
            (Function::Least, _) => format!("min({text})"),
            (Function::Greatest, _) => format!("max({text})"),
        }
    }

    fn folded(&self, text: &str) -> String {
        format!("{text} COLLATE NOCASE")
    }

    fn least_spelling(&self, text: &str) -> String {
        format!("min({text} COLLATE BINARY)")
    }
}

/// A value of this type as it is bound; NULL where it isn't one.
#[must_use]
pub fn encode(value: &Value, r#type: &Type) -> Kept {
    match (value, r#type) {
        (Value::Decimal(decimal), Type::Decimal { .. }) => match digits(decimal, r#type) {
            Some(Digits::Narrow(unscaled)) => Kept::Integer(unscaled),
            Some(Digits::Wide(bytes)) => Kept::Blob(bytes.to_vec()),
            None => Kept::Null,
        },
        (Value::List(items), Type::List(item)) if matches!(**item, Type::Decimal { .. }) => {
            Kept::Text(decimal_list(items, item))
        }
        _ => keep(value),
    }
}

/// A JSON array of unscaled numbers, or of the hexadecimal digits of wide ones.
fn decimal_list(items: &[Value], r#type: &Type) -> String {
    let items = items.iter().filter_map(|item| match item {
        Value::Decimal(decimal) => digits(decimal, r#type),
        _ => None,
    });
    let items = items.map(|digits| match digits {
        Digits::Narrow(unscaled) => unscaled.to_string(),
        Digits::Wide(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
    });
    let items: Vec<_> = items.map(|digits| if is_wide(r#type) { format!("\"{digits}\"") } else { digits }).collect();
    format!("[{}]", items.join(","))
}

enum Digits {
    Narrow(i64),
    Wide([u8; 16]),
}

fn digits(decimal: &Decimal, r#type: &Type) -> Option<Digits> {
    let Type::Decimal { scale, .. } = r#type else { return None };
    let unscaled = decimal.rescale(*scale)?.unscaled;
    if is_wide(r#type) {
        return Some(Digits::Wide(wide_bytes(unscaled)));
    }
    i64::try_from(unscaled).ok().map(Digits::Narrow)
}

/// Whether values of this type can have more digits than a 64-bit integer holds.
fn is_wide(r#type: &Type) -> bool {
    matches!(r#type, Type::Decimal { digits: 19.., .. })
}

/// A value that is wide where it has to be.
fn fitted(value: &Operand, wide: bool) -> String {
    if wide && !is_wide(&value.r#type) { scaled(&value.text, false, 0, true) } else { value.text.clone() }
}

/// A decimal with more digits after the point.
fn scaled(text: &str, is_wide: bool, places: u8, to_wide: bool) -> String {
    match (is_wide, to_wide) {
        (true, _) if places == 0 => text.to_owned(),
        (true, _) => format!("mainstay_wide_scale({text}, {places})"),
        (false, true) => format!("mainstay_wide({text}, {places})"),
        (false, false) if places == 0 => text.to_owned(),
        (false, false) => format!("({text} * {})", power_of_ten(places).unwrap_or_default()),
    }
}

fn item(value: &str, r#type: &Type) -> String {
    match r#type {
        Type::Uuid => format!("unhex({value})"),
        Type::Decimal { .. } if is_wide(r#type) => format!("unhex({value})"),
        Type::Float => format!("CAST({value} AS REAL)"),
        _ => value.to_owned(),
    }
}
