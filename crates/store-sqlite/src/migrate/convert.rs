//! Values on their way from one column to another: literals, conversions, and the questions that must find nothing first.

use model::{Decimal, Value};
use rusqlite::types::Value as Kept;
use store::migration::{
    names,
    physical::{Column, Fill, Type},
    plan::{Bound, Check, Condition, Converted, Loss},
};

use super::ddl::{literal, quote};
use crate::value;

/// What records that are there get in a new column.
pub(super) fn fill(column: &Column, now: i64) -> String {
    let fill = match &column.origin.fill {
        Fill::Nothing | Fill::Unknown => Value::Null,
        Fill::Now if column.kind == Type::Date => Value::Date(now.div_euclid(model::time::DAY) as i32),
        Fill::Now => Value::DateTime(now),
        Fill::Value(value) => at_scale(value, column.kind),
    };
    kept_literal(&value::keep(&fill))
}

/// The value with the digits that its column keeps.
fn at_scale(value: &Value, kind: Type) -> Value {
    match (value, kind) {
        (Value::Decimal(decimal), Type::Decimal { scale, .. }) => {
            Value::Decimal(decimal.rescale(scale).unwrap_or(*decimal))
        }
        (Value::List(items), _) => Value::List(items.iter().map(|item| at_scale(item, kind)).collect()),
        _ => value.clone(),
    }
}

fn kept_literal(kept: &Kept) -> String {
    match kept {
        Kept::Null => "NULL".to_owned(),
        Kept::Integer(number) => number.to_string(),
        // With a point or an exponent always, so that it is read as a double again.
        Kept::Real(number) => format!("{number:?}"),
        Kept::Text(text) => literal(text),
        Kept::Blob(bytes) => format!("X'{}'", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

/// A value of `from` as one of `to`; the planner allows no other pairs.
pub(super) fn convert(from: &Column, to: &Column, value: &str) -> String {
    if from.list {
        return value.to_owned();
    }
    match (from.kind, to.kind) {
        (Type::Integer, Type::Float) => format!("CAST({value} AS REAL)"),
        (Type::Integer, Type::Decimal { scale, .. }) => rescale(value, 0, scale),
        (Type::Decimal { scale: before, .. }, Type::Decimal { scale: after, .. }) => rescale(value, before, after),
        (Type::Integer, Type::Text { .. }) => format!("CAST({value} AS TEXT)"),
        (Type::Decimal { scale: 0, .. }, Type::Text { .. }) => format!("CAST({value} AS TEXT)"),
        (Type::Decimal { scale, .. }, Type::Text { .. }) => {
            let one = power(scale);
            format!(
                "CASE WHEN {value} IS NULL THEN NULL ELSE CASE WHEN {value} < 0 THEN '-' ELSE '' END || \
                 printf('%d.%0{scale}d', abs({value}) / {one}, abs({value}) % {one}) END"
            )
        }
        (Type::Uuid, Type::Text { .. }) => {
            let hex = format!("lower(hex({value}))");
            format!(
                "CASE WHEN {value} IS NULL THEN NULL ELSE substr({hex}, 1, 8) || '-' || substr({hex}, 9, 4) || '-' || \
                 substr({hex}, 13, 4) || '-' || substr({hex}, 17, 4) || '-' || substr({hex}, 21) END"
            )
        }
        (Type::Date, Type::DateTime) => format!("{value} * {}", model::time::DAY),
        _ => value.to_owned(),
    }
}

fn rescale(value: &str, before: u8, after: u8) -> String {
    match before.cmp(&after) {
        std::cmp::Ordering::Equal => value.to_owned(),
        std::cmp::Ordering::Less => format!("{value} * {}", power(after - before)),
        std::cmp::Ordering::Greater => format!("{value} / {}", power(before - after)),
    }
}

/// Ten to a power of 18 at most.
fn power(exponent: u8) -> i64 {
    10_i64.pow(u32::from(exponent.min(18)))
}

/// The query for records that do not fit; each row is an id.
pub(super) fn find_unfit(check: &Check, limit: usize) -> String {
    let table = quote(&check.table);
    let find = |condition: String| format!("SELECT \"id\" FROM {table} WHERE {condition} LIMIT {limit}");
    match &check.condition {
        Condition::Any => format!("SELECT \"id\" FROM {table} LIMIT {limit}"),
        Condition::Null(column) => find(format!("{} IS NULL", quote(&column.from.name))),
        Condition::Value(column, bound) => find(breaks(&table, column, bound)),
        Condition::MoreItems(column, most) => find(format!("json_array_length({}) > {most}", quote(&column.from.name))),
        Condition::MoreIds(field, most) => {
            let join = quote(&names::join_table(&check.table, field));
            format!("SELECT \"owner\" FROM {join} GROUP BY \"owner\" HAVING count(*) > {most} LIMIT {limit}")
        }
        Condition::Duplicate(columns) => find_duplicates(&table, columns, limit),
        Condition::Dangling(column, None) => find(format!("{} IS NOT NULL", quote(&column.from.name))),
        Condition::Dangling(column, Some(target)) => {
            let (name, target) = (quote(&column.from.name), quote(target));
            find(format!("{name} IS NOT NULL AND {name} NOT IN (SELECT \"id\" FROM {target})"))
        }
    }
}

fn breaks(table: &str, column: &Converted, bound: &Bound) -> String {
    // With its table's name, since `json_each` has columns of its own that might be called the same.
    let name = format!("{table}.{}", quote(&column.from.name));
    if !column.from.list {
        return breaks_bound(column, &name, bound);
    }
    format!(
        "EXISTS (SELECT 1 FROM json_each({name}) AS \"_item\" WHERE {})",
        breaks_bound(column, "\"_item\".value", bound)
    )
}

fn breaks_bound(column: &Converted, name: &str, bound: &Bound) -> String {
    let Converted { from, to } = column;
    let value = format!("({})", convert(from, to, name));
    match bound {
        Bound::Shorter(least) => format!("length({value}) < {least}"),
        Bound::Longer(most) if to.kind == Type::Json => format!("octet_length({value}) > {most}"),
        Bound::Longer(most) => format!("length({value}) > {most}"),
        Bound::Less(least) => compare(to, &value, "<", least),
        Bound::Greater(most) => compare(to, &value, ">", most),
        Bound::NotIn(values) => {
            let values: Vec<_> = values.iter().map(|value| literal(value)).collect();
            format!("{value} COLLATE BINARY NOT IN ({})", values.join(", "))
        }
        Bound::WholeDigits(digits) => {
            let scale = if let Type::Decimal { scale, .. } = from.kind { scale } else { 0 };
            // No 64-bit integer has more digits than these.
            let most = power(digits + scale) - 1;
            if digits + scale > 18 { "0".to_owned() } else { format!("{name} NOT BETWEEN -{most} AND {most}") }
        }
        Bound::FractionDigits(digits) => {
            let scale = if let Type::Decimal { scale, .. } = from.kind { scale } else { 0 };
            format!("{name} % {} <> 0", power(scale.saturating_sub(*digits)))
        }
        Bound::InexactAsFloat => format!("{name} NOT BETWEEN -9007199254740992 AND 9007199254740992"),
    }
}

/// Compares a number with a bound in decimal notation, both with the same number of digits after the point.
fn compare(column: &Column, value: &str, operator: &str, bound: &str) -> String {
    match (column.kind, Decimal::parse(bound)) {
        (Type::Decimal { scale, .. }, Some(bound)) => {
            let finer = bound.scale.saturating_sub(scale);
            let bound = bound.rescale(scale + finer).unwrap_or(bound);
            let value = if finer == 0 { value.to_owned() } else { format!("{value} * {}", power(finer)) };
            format!("{value} {operator} {}", bound.unscaled)
        }
        _ => format!("{value} {operator} {bound}"),
    }
}

fn find_duplicates(table: &str, columns: &[Converted], limit: usize) -> String {
    if columns.is_empty() {
        return format!("SELECT \"id\" FROM {table} WHERE (SELECT count(*) FROM {table}) > 1 LIMIT {limit}");
    }
    let values: Vec<_> = columns
        .iter()
        .map(|Converted { from, to }| {
            let value = convert(from, to, &quote(&from.name));
            let fold = if to.kind == (Type::Text { fold_case: true }) && !to.list { "NOCASE" } else { "BINARY" };
            format!("({value}) COLLATE {fold}")
        })
        .collect();
    let there: Vec<_> = columns.iter().map(|column| format!("{} IS NOT NULL", quote(&column.from.name))).collect();
    format!(
        "SELECT \"id\" FROM (SELECT \"id\", count(*) OVER (PARTITION BY {}) AS alike FROM {table} WHERE {}) \
         WHERE alike > 1 ORDER BY \"id\" LIMIT {limit}",
        values.join(", "),
        there.join(" AND ")
    )
}

/// The query that yields a row where something would be lost.
pub(super) fn find_loss(loss: &Loss) -> String {
    match loss {
        Loss::Table(table) => format!("SELECT 1 FROM {} LIMIT 1", quote(&table.name)),
        Loss::Column { table, column } => {
            format!("SELECT 1 FROM {} WHERE {} IS NOT NULL LIMIT 1", quote(table), quote(column))
        }
        Loss::Join { table, field } => format!("SELECT 1 FROM {} LIMIT 1", quote(&names::join_table(table, field))),
    }
}
