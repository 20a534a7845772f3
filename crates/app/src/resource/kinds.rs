//! Field types with their own options.

use std::sync::Arc;

use model::{
    Decimal, IdKind, Kind, OnDelete, Shape,
    field::{JsonSchema, Pattern, TextOptions},
};

use super::{
    fields::FieldReader,
    names,
    options::{self, Form},
};
use crate::{
    nearest,
    quantity::{parse_size, show_size},
    source::Place,
    tree::{Data, Node, Table},
};

/// The most characters of all text in one index: what every database can hold.
pub(super) const MAX_INDEXED: usize = 600;

const MAX_STRING: usize = 1_000;
const MAX_URL: usize = 2_048;
/// Strings and URLs whose field says nothing, where unique or indexed.
const MAX_INDEXED_DEFAULT: usize = 500;
const MAX_TEXT: usize = 1_000_000;
const MAX_JSON: usize = 64 << 10;
const MAX_IDS: usize = 10_000;
const MAX_VALUES: usize = 1_000;
const MAX_VALUE: usize = 200;

/// The type with its options, and its shape. None where there is no telling what it is.
pub(super) fn read(reader: &mut FieldReader<'_>, type_name: &str, table: &Table) -> Option<(Kind, Shape)> {
    Some(match type_name {
        "string" => read_string(reader, table),
        "text" => (Kind::Text(read_text_options(reader, table, MAX_TEXT)), Shape::TEXT),
        "integer" => read_integer(reader, table),
        "float" => read_float(reader, table),
        "decimal" => read_decimal(reader, table),
        "boolean" => (Kind::Boolean, Shape::Boolean),
        "datetime" => (Kind::DateTime, Shape::DateTime),
        "date" => (Kind::Date, Shape::Date),
        "uuid" => (Kind::Uuid, Shape::Uuid),
        "email" => (Kind::Email, Shape::Text { fold_case: true }),
        "url" => {
            let max = if reader.is_indexed(table) { MAX_INDEXED_DEFAULT } else { MAX_URL };
            (Kind::Url { max }, Shape::TEXT)
        }
        "enum" => (Kind::Enum { values: read_values(reader, table)? }, Shape::TEXT),
        "json" => read_json(reader, table),
        "reference" => read_reference(reader, table)?,
        _ => return None,
    })
}

fn read_string(reader: &mut FieldReader<'_>, table: &Table) -> (Kind, Shape) {
    let indexed = reader.is_indexed(table);
    let default = if indexed { MAX_INDEXED_DEFAULT } else { MAX_STRING };
    let mut options = read_text_options(reader, table, default);
    let case = table.get("case");
    let insensitive =
        case.and_then(|entry| entry.node.choice(reader.report, &[("sensitive", false), ("insensitive", true)]));
    options.fold_case = insensitive.unwrap_or(false);
    if let Some(entry) = table.get("max").filter(|_| indexed && options.max > MAX_INDEXED) {
        let message = format!("an index takes {MAX_INDEXED} characters in all, and this field is unique or indexed");
        reader.report.error_with_help(&entry.node.place, message, format!("set `max` to {MAX_INDEXED} or less"));
    }
    let shape = Shape::Text { fold_case: options.fold_case };
    (Kind::String(options), shape)
}

fn read_text_options(reader: &mut FieldReader<'_>, table: &Table, default: usize) -> TextOptions {
    let min = reader.count(table, "min");
    let max = reader.count(table, "max");
    if max == Some(0)
        && let Some(entry) = table.get("max")
    {
        reader.report.error(&entry.node.place, "expected room for one character at least");
    }
    let (least, most) = (min.unwrap_or(0), max.unwrap_or(default.max(min.unwrap_or(0))));
    check_order(reader, table, least > most);
    TextOptions { min: least, max: most, pattern: read_pattern(reader, table), fold_case: false }
}

fn read_pattern(reader: &mut FieldReader<'_>, table: &Table) -> Option<Pattern> {
    let (source, place) = reader.text(table, "pattern")?;
    match Pattern::compile(source) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            // The compiler draws the pattern over several lines and ends with the reason.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let reason = match error {
                regex::Error::CompiledTooBig(_) => "it grows too large; smaller counts would do",
                _ => reason.trim_end_matches('.'),
            };
            reader.report.error(place, format!("this is no pattern: {reason}"));
            None
        }
    }
}

/// Whether `min` is above `max`.
fn check_order(reader: &mut FieldReader<'_>, table: &Table, wrong: bool) {
    if let Some(entry) = table.get("max").or_else(|| table.get("min")).filter(|_| wrong) {
        reader.report.error(&entry.node.place, "`max` is less than `min`, so that no value fits");
    }
}

fn read_integer(reader: &mut FieldReader<'_>, table: &Table) -> (Kind, Shape) {
    let mut limit = |key| {
        let node = &table.get(key)?.node;
        match node.data {
            Data::Integer(integer) => Some(integer),
            _ => node.refuse(reader.report, "an integer, as the field is one"),
        }
    };
    let (min, max) = (limit("min"), limit("max"));
    check_order(reader, table, is_above(min, max));
    (Kind::Integer { min, max }, Shape::Integer)
}

fn read_float(reader: &mut FieldReader<'_>, table: &Table) -> (Kind, Shape) {
    let mut limit = |key| {
        let node = &table.get(key)?.node;
        match node.data {
            Data::Integer(integer) => Some(integer as f64),
            Data::Float(float) if float.is_finite() => Some(float),
            _ => node.refuse(reader.report, "a finite number, as the field is one"),
        }
    };
    let (min, max) = (limit("min"), limit("max"));
    check_order(reader, table, is_above(min, max));
    (Kind::Float { min, max }, Shape::Float)
}

fn is_above<T: PartialOrd>(min: Option<T>, max: Option<T>) -> bool {
    matches!((min, max), (Some(min), Some(max)) if min > max)
}

fn read_decimal(reader: &mut FieldReader<'_>, table: &Table) -> (Kind, Shape) {
    let precision = reader.count(table, "precision").unwrap_or(18) as u8;
    let scale = reader.count(table, "scale").map_or(2.min(precision), |scale| scale as u8);
    if scale > precision
        && let Some(entry) = table.get("scale")
    {
        let message = format!("more digits after the point than in all, which are {precision}");
        reader.report.error(&entry.node.place, message);
    }
    let scale = scale.min(precision);
    let min = read_decimal_limit(reader, table, "min", precision, scale);
    let max = read_decimal_limit(reader, table, "max", precision, scale);
    check_order(reader, table, is_above(min, max));
    (Kind::Decimal { precision, scale, min, max }, Shape::Decimal { scale })
}

fn read_decimal_limit(
    reader: &mut FieldReader<'_>,
    table: &Table,
    key: &str,
    precision: u8,
    scale: u8,
) -> Option<Decimal> {
    let node = &table.get(key)?.node;
    let text = match &node.data {
        Data::Text(text) => text,
        Data::Integer(integer) => {
            let message = "expected a decimal in a string, found an integer";
            reader.report.error_with_help(&node.place, message, format!("write \"{integer}\""));
            return None;
        }
        _ => return node.refuse(reader.report, "a decimal in a string, as in \"0.50\""),
    };
    let Some(decimal) = Decimal::parse(text) else {
        reader.report.error(&node.place, "expected a decimal, as in \"0.50\"");
        return None;
    };
    let fitting = decimal.normalize().rescale(scale).filter(|decimal| decimal.digits() <= u32::from(precision));
    if fitting.is_none() {
        let message = format!("it does not fit into {precision} digits, {scale} of them after the point");
        reader.report.error(&node.place, message);
    }
    fitting
}

fn read_values(reader: &mut FieldReader<'_>, table: &Table) -> Option<Vec<String>> {
    let Some(entry) = table.get("values") else {
        let help = "add `values = [\"draft\", \"published\"]`";
        reader.report.error_with_help(reader.place(), "an enum needs `values`", help);
        return None;
    };
    let items = entry.node.list(reader.report, "a list of strings")?;
    if items.is_empty() || items.len() > MAX_VALUES {
        reader.report.error(&entry.node.place, format!("expected 1 to {MAX_VALUES} values"));
        return None;
    }
    let mut values: Vec<String> = Vec::new();
    for item in items {
        let Some(text) = item.text(reader.report, "a string") else { continue };
        if text.is_empty() || text.chars().count() > MAX_VALUE || text.chars().any(char::is_control) {
            reader.report.error(&item.place, format!("expected 1 to {MAX_VALUE} characters in one line"));
        } else if values.iter().any(|known| known == text) {
            reader.report.error(&item.place, "this value stands in the list already");
        } else {
            values.push(text.to_owned());
        }
    }
    Some(values)
}

fn read_json(reader: &mut FieldReader<'_>, table: &Table) -> (Kind, Shape) {
    let max_size = read_size(reader, table).unwrap_or(MAX_JSON);
    let schema = table.get("schema").and_then(|entry| read_schema(reader, &entry.node)).map(Arc::new);
    (Kind::Json { max_size, schema }, Shape::Json)
}

fn read_schema(reader: &mut FieldReader<'_>, node: &Node) -> Option<JsonSchema> {
    if !matches!(node.data, Data::Table(_) | Data::Boolean(_)) {
        return node.refuse(reader.report, "a JSON Schema, as in { type = \"object\" }");
    }
    JsonSchema::compile(node.to_json())
        .inspect_err(|reason| reader.report.error(&node.place, format!("this is no JSON Schema: {reason}")))
        .ok()
}

fn read_size(reader: &mut FieldReader<'_>, table: &Table) -> Option<usize> {
    let Form::Size { least, most } = options::find("max_size")?.form else { return None };
    let node = &table.get("max_size")?.node;
    let bytes = match &node.data {
        Data::Text(text) => parse_size(text),
        Data::Integer(integer) => u64::try_from(*integer).ok(),
        _ => return node.refuse(reader.report, "a size, as in \"64KB\""),
    };
    let good = bytes.filter(|bytes| (least..=most).contains(bytes));
    if good.is_none() {
        let (least, most) = (show_size(least), show_size(most));
        reader.report.error(&node.place, format!("expected a size from {least} to {most}, as in \"64KB\""));
    }
    good.and_then(|bytes| usize::try_from(bytes).ok())
}

fn read_reference(reader: &mut FieldReader<'_>, table: &Table) -> Option<(Kind, Shape)> {
    let on_delete = table
        .get("on_delete")
        .and_then(|entry| {
            let choices =
                [("restrict", OnDelete::Restrict), ("cascade", OnDelete::Cascade), ("set_null", OnDelete::SetNull)];
            entry.node.choice(reader.report, &choices)
        })
        .unwrap_or(OnDelete::Restrict);
    let many = reader.boolean(table, "many");
    let max_items = reader.count(table, "max_items").unwrap_or(MAX_IDS);
    let inverse = match reader.text(table, "inverse") {
        Some((name, place)) if names::check_field(name, place, reader.report) => Some(name.to_owned()),
        _ => None,
    };
    let Some(entry) = table.get("to") else {
        let help = "add `to = \"users\"`, the resource that it points to";
        reader.report.error_with_help(reader.place(), "a reference needs `to`", help);
        return None;
    };
    let name = entry.node.text(reader.report, "the name of a resource")?;
    let Some((to, id_kind)) = reader.neighbours.find(name) else {
        unknown_resource(reader, name, &entry.node.place);
        return None;
    };
    let shape = match id_kind {
        IdKind::Uuid => Shape::Uuid,
        IdKind::Integer => Shape::Integer,
        IdKind::String => Shape::TEXT,
    };
    Some((Kind::Reference { to, on_delete, inverse, many, max_items }, shape))
}

fn unknown_resource(reader: &mut FieldReader<'_>, name: &str, place: &Place) {
    let message = format!("there is no resource `{name}`");
    let help = nearest::did_you_mean(name, reader.neighbours.names()).unwrap_or_else(|| {
        format!(
            "it would be in resources/{name}.toml; there are: {}",
            reader.neighbours.names().collect::<Vec<_>>().join(", ")
        )
    });
    reader.report.error_with_help(place, message, help);
}
