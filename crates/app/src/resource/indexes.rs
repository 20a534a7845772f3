//! The `[indexes]` of a resource.

use model::{Field, FieldIndex, Index, Kind, Shape};

use super::{file::Indexed, kinds::MAX_INDEXED, names};
use crate::{
    diagnostic::Report,
    nearest,
    tree::{Data, Entry, Node, Table, check_keys},
};

/// The most fields of an index.
const MAX_COLUMNS: usize = 8;
/// The most indexes of a resource.
const MAX_INDEXES: usize = 32;
/// The options of an index.
const KEYS: &[&str] = &["fields", "unique", "renamed_from"];

/// The names of all fields in any index, before anything is known of the fields.
pub(super) fn columns(table: &Table) -> Indexed {
    let Some(Data::Table(indexes)) = table.get("indexes").map(|entry| &entry.node.data) else {
        return Indexed::default();
    };
    let lists = indexes.entries.iter().filter_map(|entry| match &entry.node.data {
        Data::List(items) => Some(items),
        Data::Table(table) => match table.get("fields").map(|entry| &entry.node.data) {
            Some(Data::List(items)) => Some(items),
            _ => None,
        },
        _ => None,
    });
    let texts = lists.flatten().filter_map(|item| match &item.data {
        Data::Text(text) => Some(text.strip_prefix('-').unwrap_or(text).to_owned()),
        _ => None,
    });
    texts.collect()
}

pub(super) fn read(table: &Table, fields: &[Field], report: &mut Report) -> Vec<Index> {
    let mut indexes: Vec<Index> = Vec::new();
    let Some(entry) = table.get("indexes") else { return indexes };
    let Some(declared) = entry.node.table(report, "a table of indexes") else { return indexes };
    let known = field_names(table, fields);
    for entry in &declared.entries {
        if indexes.len() == MAX_INDEXES {
            report.error(&entry.place, format!("a resource has at most {MAX_INDEXES} indexes"));
            break;
        }
        if let Some(index) = read_one(entry, fields, &known, report) {
            indexes.push(index);
        }
    }
    indexes
}

/// Every field that the file declares, those with mistakes among them: they are told of once.
fn field_names<'a>(table: &'a Table, fields: &'a [Field]) -> Vec<&'a str> {
    let mut names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    if let Some(Data::Table(declared)) = table.get("fields").map(|entry| &entry.node.data) {
        names.extend(declared.entries.iter().map(|entry| entry.key.as_str()));
    }
    names
}

fn read_one(entry: &Entry, fields: &[Field], known: &[&str], report: &mut Report) -> Option<Index> {
    let named = names::check("an index", &entry.key, &entry.place, report) && is_free(entry, fields, report);
    let (list, unique, renamed_from) = match &entry.node.data {
        Data::List(_) => (&entry.node, false, None),
        Data::Table(options) => {
            check_keys(options, KEYS, &[], report);
            let unique = options.get("unique").and_then(|entry| entry.node.boolean(report)).unwrap_or(false);
            let renamed_from = options.get("renamed_from").and_then(|entry| entry.node.text(report, "a string"));
            let Some(list) = options.get("fields") else {
                // One misspelt key is told of already.
                if options.entries.iter().any(|entry| !KEYS.contains(&entry.key.as_str())) {
                    return None;
                }
                report.error(&entry.place, "an index needs `fields`");
                return None;
            };
            (&list.node, unique, renamed_from.map(str::to_owned))
        }
        _ => return entry.node.refuse(report, "a list of fields, or { fields = […], unique = true }"),
    };
    let columns = read_columns(list, fields, known, report)?;
    check_width(list, &columns, fields, report);
    named.then(|| Index { name: entry.key.clone(), columns, unique, renamed_from })
}

/// The name of an index must not be that of something else in the database.
fn is_free(entry: &Entry, fields: &[Field], report: &mut Report) -> bool {
    let taken = entry.key == "id" || fields.iter().any(|field| field.is_many() && field.name == entry.key);
    if taken {
        report.error(&entry.place, format!("the database has something else of the name `{}` here", entry.key));
    }
    !taken
}

fn read_columns(list: &Node, fields: &[Field], known: &[&str], report: &mut Report) -> Option<Vec<(FieldIndex, bool)>> {
    let items = list.list(report, "a list of fields")?;
    if items.is_empty() || items.len() > MAX_COLUMNS {
        report.error(&list.place, format!("expected 1 to {MAX_COLUMNS} fields"));
        return None;
    }
    let mut columns: Vec<(FieldIndex, bool)> = Vec::new();
    for item in items {
        let Some(text) = item.text(report, "the name of a field") else { continue };
        let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let Some(position) = fields.iter().position(|field| field.name == name) else {
            if !known.contains(&name) {
                unknown_field(item, name, known, report);
            }
            continue;
        };
        let index = FieldIndex(position as u16);
        if columns.iter().any(|(column, _)| *column == index) {
            report.error(&item.place, format!("`{name}` stands in this index already"));
        } else if let Some(reason) = unsortable(&fields[position]) {
            report.error(&item.place, format!("`{name}` can't be in an index: {reason}"));
        } else {
            columns.push((index, descending));
        }
    }
    (columns.len() == items.len()).then_some(columns)
}

fn unknown_field(item: &Node, name: &str, known: &[&str], report: &mut Report) {
    let message = format!("there is no field `{name}`");
    match nearest::did_you_mean(name, known.iter().copied()) {
        Some(help) => report.error_with_help(&item.place, message, help),
        None => report.error(&item.place, message),
    }
}

/// Why a field has no order.
fn unsortable(field: &Field) -> Option<&'static str> {
    match field.kind {
        _ if field.is_list() => Some("it is a list"),
        Kind::Text(_) => Some("`text` does not sort; use `string`"),
        Kind::Json { .. } => Some("`json` does not sort"),
        _ => None,
    }
}

/// An index takes so many characters in all.
fn check_width(list: &Node, columns: &[(FieldIndex, bool)], fields: &[Field], report: &mut Report) {
    let widths: Vec<usize> = columns.iter().map(|(column, _)| width(&fields[column.0 as usize])).collect();
    let all: usize = widths.iter().sum();
    // One field alone that is too wide was told where its `max` stands.
    if all > MAX_INDEXED && columns.len() > 1 {
        let message =
            format!("the text of these fields may take {all} characters, and an index takes {MAX_INDEXED} in all");
        report.error_with_help(&list.place, message, "set a smaller `max` on the strings among them");
    }
}

/// The most characters of text that a value brings to an index.
fn width(field: &Field) -> usize {
    match &field.kind {
        Kind::String(options) | Kind::Text(options) => options.max,
        Kind::Email => 254,
        Kind::Url { max } => *max,
        Kind::Enum { values } => values.iter().map(|value| value.chars().count()).max().unwrap_or(0),
        Kind::Reference { .. } if matches!(field.shape, Shape::Text { .. }) => 128,
        _ => 0,
    }
}
