//! Values on their way from one column to another: literals, conversions, and the questions that must find nothing first.

use model::{Value, time};
use store::migration::{
    names,
    physical::{Column, Fill, Type},
    plan::{Bound, Check, Condition, Converted, Loss},
};

use super::ddl::{column_type, literal, quote, value_type};

/// What records that are there get in a new column; none where that is null.
pub(super) fn fill(column: &Column, now: i64) -> Option<String> {
    match &column.origin.fill {
        Fill::Nothing | Fill::Unknown => None,
        Fill::Now if column.kind == Type::Date => Some(value_literal(&Value::Date(time_day(now)), column)),
        Fill::Now => Some(value_literal(&Value::DateTime(now), column)),
        Fill::Value(Value::Null) => None,
        Fill::Value(value) => Some(value_literal(value, column)),
    }
}

fn time_day(now: i64) -> i32 {
    now.div_euclid(time::DAY) as i32
}

/// A value as a literal of its column's type.
pub(super) fn value_literal(value: &Value, column: &Column) -> String {
    let text = match value {
        Value::Null => return "NULL".to_owned(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Integer(number) | Value::Duration(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Decimal(decimal) => decimal.to_string(),
        Value::Text(text) | Value::Json(text) => text.to_string(),
        Value::DateTime(moment) => time::format_datetime(*moment),
        Value::Date(day) => time::format_date(*day),
        Value::Uuid(uuid) => uuid.to_string(),
        Value::List(items) => {
            let item = Column { list: false, ..column.clone() };
            let items: Vec<_> = items.iter().map(|value| value_literal(value, &item)).collect();
            return format!("ARRAY[{}]::{}[]", items.join(", "), bare_type(column.kind));
        }
    };
    format!("{}::{}", literal(&text), bare_type(column.kind))
}

/// A type's name as casts take it, without a collation.
fn bare_type(kind: Type) -> String {
    match kind {
        Type::Text { .. } => "text".to_owned(),
        kind => value_type(kind),
    }
}

/// A value of `from` as one of `to`; the planner allows no other pairs, and has checked that the value fits.
pub(super) fn convert(from: &Column, to: &Column, value: &str) -> String {
    match (from.kind, to.kind) {
        (Type::Date, Type::DateTime) => format!("({value}::timestamp AT TIME ZONE 'UTC')"),
        (_, kind) => format!("{value}::{}{}", bare_type(kind), if to.list { "[]" } else { "" }),
    }
}

/// The converted value for a question about it: never an error, even where the value does not fit.
fn look_at(from: &Column, to: &Column, value: &str) -> String {
    match (from.kind, to.kind) {
        (_, Type::Decimal { .. }) => format!("({value}::numeric)"),
        (_, Type::Text { .. }) => format!("({value}::text)"),
        (Type::Date, Type::DateTime) => format!("({value}::timestamp AT TIME ZONE 'UTC')"),
        _ => format!("({value})"),
    }
}

/// The query for records that do not fit; each row is an id as text.
pub(super) fn find_unfit(check: &Check, limit: usize) -> String {
    let table = quote(&check.table);
    let find = |condition: String| format!("SELECT \"id\"::text FROM {table} WHERE {condition} LIMIT {limit}");
    match &check.condition {
        Condition::Any => format!("SELECT \"id\"::text FROM {table} LIMIT {limit}"),
        Condition::Null(column) => find(format!("{} IS NULL", quote(&column.from.name))),
        Condition::Value(column, bound) => find(breaks(&table, column, bound)),
        Condition::MoreItems(column, most) => find(format!("cardinality({}) > {most}", quote(&column.from.name))),
        Condition::MoreIds(field, most) => {
            let join = quote(&names::join_table(&check.table, field));
            format!("SELECT \"owner\"::text FROM {join} GROUP BY \"owner\" HAVING count(*) > {most} LIMIT {limit}")
        }
        Condition::Duplicate(columns) => find_duplicates(&table, columns, limit),
        Condition::Dangling(column, None) => find(format!("{} IS NOT NULL", quote(&column.from.name))),
        Condition::Dangling(column, Some(target)) => {
            let (value, target) = (format!("{table}.{}", quote(&column.from.name)), quote(target));
            find(format!(
                "{value} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {target} AS \"_target\" WHERE \"_target\".\"id\" = {value})"
            ))
        }
    }
}

fn breaks(table: &str, column: &Converted, bound: &Bound) -> String {
    // With its table's name, since the item beside it might be called the same.
    let name = format!("{table}.{}", quote(&column.from.name));
    if !column.from.list {
        return breaks_bound(column, &name, bound);
    }
    let broken = breaks_bound(column, "\"_item\".\"_value\"", bound);
    format!("EXISTS (SELECT 1 FROM unnest({name}) AS \"_item\" (\"_value\") WHERE {broken})")
}

fn breaks_bound(column: &Converted, name: &str, bound: &Bound) -> String {
    let Converted { from, to } = column;
    let value = look_at(from, to, name);
    match bound {
        Bound::Shorter(least) => format!("length({value}) < {least}"),
        Bound::Longer(most) if to.kind == Type::Json => format!("octet_length({value}::text) > {most}"),
        Bound::Longer(most) => format!("length({value}) > {most}"),
        Bound::Less(least) => format!("{value} < {}", number(least, to.kind)),
        Bound::Greater(most) => format!("{value} > {}", number(most, to.kind)),
        Bound::NotIn(values) => {
            let values: Vec<_> = values.iter().map(|value| literal(value)).collect();
            format!("{value} NOT IN ({})", values.join(", "))
        }
        Bound::WholeDigits(digits) => format!("abs({name}::numeric) >= 1e{digits}::numeric"),
        Bound::FractionDigits(digits) => format!("{name} <> trunc({name}, {digits})"),
        Bound::InexactAsFloat => format!("{name} NOT BETWEEN -9007199254740992 AND 9007199254740992"),
    }
}

/// A bound, compared exactly: an integer or a decimal as `numeric`.
fn number(bound: &str, kind: Type) -> String {
    let kind = if kind == Type::Float { "double precision" } else { "numeric" };
    format!("{}::{kind}", literal(bound))
}

fn find_duplicates(table: &str, columns: &[Converted], limit: usize) -> String {
    if columns.is_empty() {
        return format!("SELECT \"id\"::text FROM {table} WHERE (SELECT count(*) FROM {table}) > 1 LIMIT {limit}");
    }
    let values: Vec<_> = columns
        .iter()
        .map(|Converted { from, to }| {
            let value = if from.list { quote(&from.name) } else { look_at(from, to, &quote(&from.name)) };
            if to.kind == (Type::Text { fold_case: true }) && !to.list { format!("lower({value})") } else { value }
        })
        .collect();
    let there: Vec<_> = columns.iter().map(|column| format!("{} IS NOT NULL", quote(&column.from.name))).collect();
    format!(
        "SELECT found.\"id\"::text FROM (SELECT \"id\", count(*) OVER (PARTITION BY {}) AS alike FROM {table} WHERE {}) AS found \
         WHERE alike > 1 ORDER BY found.\"id\" LIMIT {limit}",
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

/// The clauses that change a column's type, or none where PostgreSQL sees no difference.
pub(super) fn change_type(from: &Column, to: &Column) -> Option<String> {
    if column_type(from) == column_type(to) && !from.origin.from_script {
        return None;
    }
    let name = quote(&to.name);
    Some(format!("ALTER COLUMN {name} TYPE {} USING {}", column_type(to), convert(from, to, &name)))
}
