//! How steps speak to people.

use model::json;

use crate::migration::{
    physical::{Column, Fill, Id, Limits, Type},
    plan::Bound,
};

/// What ids are.
pub(super) fn id_kind(id: Id) -> &'static str {
    match id {
        Id::Uuid => "UUIDs",
        Id::Integer => "integers",
        Id::String => "strings",
    }
}

/// A column's type, as in "text", "list of integer", "reference to `users`".
pub(super) fn column_type(column: &Column) -> String {
    let kind = match (&column.references, column.kind) {
        (Some(target), _) => format!("reference to `{target}`"),
        (_, Type::Text { fold_case: false }) => "text".to_owned(),
        (_, Type::Text { fold_case: true }) => "case-insensitive text".to_owned(),
        (_, Type::Integer) => "integer".to_owned(),
        (_, Type::Float) => "float".to_owned(),
        (_, Type::Decimal { precision, scale }) => format!("decimal({precision},{scale})"),
        (_, Type::Boolean) => "boolean".to_owned(),
        (_, Type::DateTime) => "datetime".to_owned(),
        (_, Type::Date) => "date".to_owned(),
        (_, Type::Uuid) => "uuid".to_owned(),
        (_, Type::Json) => "json".to_owned(),
    };
    if column.list { format!("list of {kind}") } else { kind }
}

/// ", filled with …", for a column that comes with a value for the records that are there.
pub(super) fn filled(column: &Column) -> String {
    match &column.origin.fill {
        Fill::Value(value) => {
            let mut text = Vec::new();
            json::write_value(value, &mut text);
            format!(", filled with {}", String::from_utf8_lossy(&text))
        }
        Fill::Now => ", filled with the time of the migration".to_owned(),
        Fill::Nothing | Fill::Unknown => String::new(),
    }
}

/// What differs between two columns.
pub(super) fn changes(from: &Column, to: &Column) -> String {
    let mut parts = Vec::new();
    if column_type(from) != column_type(to) {
        parts.push(format!("{} becomes {}", column_type(from), column_type(to)));
    }
    match (from.required, to.required) {
        (false, true) => parts.push("required from now on".to_owned()),
        (true, false) => parts.push("optional from now on".to_owned()),
        _ => {}
    }
    limits(&from.limits, &to.limits, &mut parts);
    parts.join("; ")
}

fn limits(from: &Limits, to: &Limits, parts: &mut Vec<String>) {
    let mut limit = |what: &str, before: Option<String>, after: Option<String>| {
        if before == after {
            return;
        }
        let or_none = |bound: Option<String>| bound.unwrap_or_else(|| "not set".to_owned());
        parts.push(format!("{what} {} (was {})", or_none(after), or_none(before)));
    };
    let number = |bound: &Option<usize>| bound.map(|bound| bound.to_string());
    let least = |bound: usize| (bound > 0).then(|| bound.to_string());
    let list = |values: &Option<Vec<String>>| values.as_ref().map(|values| values.join(" | "));
    limit("least length", least(from.min_length), least(to.min_length));
    limit("greatest length", number(&from.max_length), number(&to.max_length));
    limit("min", from.min.clone(), to.min.clone());
    limit("max", from.max.clone(), to.max.clone());
    limit("values", list(&from.values), list(&to.values));
    limit("most items", number(&from.max_items), number(&to.max_items));
}

/// Why a record does not fit.
pub(super) fn reason(bound: &Bound) -> String {
    match bound {
        Bound::Shorter(least) => format!("is shorter than {least}"),
        Bound::Longer(most) => format!("is longer than {most}"),
        Bound::Less(least) => format!("is less than {least}"),
        Bound::Greater(most) => format!("is greater than {most}"),
        Bound::NotIn(values) => format!("is none of {}", values.join(", ")),
        Bound::WholeDigits(digits) => format!("has more than {digits} digits before the point"),
        Bound::FractionDigits(digits) => format!("has more than {digits} digits after the point"),
        Bound::InexactAsFloat => "is too large for a float to hold exactly".to_owned(),
    }
}
