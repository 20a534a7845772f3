//! What absent values become.

use model::{Field, Kind, accept_field, field::Default};

use super::{Places, fields::read_rule};
use crate::{
    diagnostic::Report,
    nearest,
    tree::{Data, Node},
};

/// Reads a default: a word that stands for a value, `{ cel = … }`, or a literal that has to fit the field.
pub(super) fn read(
    field: &Field,
    node: &Node,
    at: rules::Place,
    places: &mut Places,
    report: &mut Report,
) -> Option<Default> {
    match &node.data {
        Data::Text(word) if word == "auth.id" && matches!(field.kind, Kind::Uuid | Kind::Reference { .. }) => {
            caller_id(field, node, report)
        }
        Data::Text(word) if word == "now" && matches!(field.kind, Kind::Date | Kind::DateTime) && !field.is_list() => {
            Some(Default::Now)
        }
        Data::Table(table) if table.entries.len() == 1 && table.entries[0].key == "cel" => {
            read_rule(&table.entries[0].node, at, places, report).map(Default::Rule)
        }
        _ => literal(field, node, report),
    }
}

fn caller_id(field: &Field, node: &Node, report: &mut Report) -> Option<Default> {
    if field.is_list() {
        let message = "\"auth.id\" is one id, and this field holds a list";
        report.error_with_help(&node.place, message, "write { cel = \"[auth.id]\" }");
        return None;
    }
    Some(Default::CallerId)
}

fn literal(field: &Field, node: &Node, report: &mut Report) -> Option<Default> {
    let mut flaws = Vec::new();
    if has_non_finite(node) {
        report.error(&node.place, "the default must be finite");
        return None;
    }
    let value = accept_field(field, &node.to_json(), &field.name, &mut flaws);
    for flaw in &flaws {
        let item = item_place(node, flaw);
        let message = format!("the default does not fit: {}", flaw.detail);
        match help(field, node) {
            Some(help) => report.error_with_help(item, message, help),
            None => report.error(item, message),
        }
    }
    value.map(Default::Literal)
}

/// Infinity and NaN have no JSON, where they would pass for null.
fn has_non_finite(node: &Node) -> bool {
    match &node.data {
        Data::Float(float) => !float.is_finite(),
        Data::List(items) => items.iter().any(has_non_finite),
        Data::Table(table) => table.entries.iter().any(|entry| has_non_finite(&entry.node)),
        _ => false,
    }
}

/// The place of the item that a flaw is about, `/name/3`, or of the whole value.
fn item_place<'a>(node: &'a Node, flaw: &model::Flaw) -> &'a crate::source::Place {
    let model::problem::Place::Pointer(pointer) = &flaw.at else { return &node.place };
    let Data::List(items) = &node.data else { return &node.place };
    let index = pointer.split('/').nth(2).and_then(|index| index.parse::<usize>().ok());
    index.and_then(|index| items.get(index)).map_or(&node.place, |item| &item.place)
}

fn help(field: &Field, node: &Node) -> Option<String> {
    match (&field.kind, &node.data) {
        (Kind::Enum { values }, Data::Text(text)) => {
            nearest::nearest(text, values.iter().map(String::as_str)).map(|value| format!("did you mean \"{value}\"?"))
        }
        (Kind::Decimal { .. }, Data::Integer(integer)) => Some(format!("write \"{integer}\"")),
        (_, Data::Text(text)) if text.contains("auth.") || text.contains("now") => {
            Some(format!("an expression is written {{ cel = \"{}\" }}", text.escape_default()))
        }
        (_, Data::Table(table)) if table.get("cel").is_some() => {
            Some("an expression is written { cel = \"…\" }".into())
        }
        _ => None,
    }
}
