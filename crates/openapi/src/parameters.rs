//! The parameters of lists and their kin, each once among the components.

use model::{Field, FieldIndex, Kind, Shape};
use rules::ShortOperator;
use serde_json::{Map, Value as Json, json};

use crate::{expand, value, view::Subject};

/// The most sort keys.
pub(crate) const SORT_KEYS: usize = rules::query::SORT_KEYS;
/// The most values of one `in`.
const IN: usize = 200;

/// Parameters that are the same for every resource, by their names among the components.
pub(crate) fn common() -> Map<String, Json> {
    let query = |name: &str, schema: Json, description: &str| {
        (name.to_owned(), json!({ "name": name, "in": "query", "description": description, "schema": schema }))
    };
    let header = |key: &str, name: &str, schema: Json, description: &str| {
        (key.to_owned(), json!({ "name": name, "in": "header", "description": description, "schema": schema }))
    };
    let tag = json!({ "type": "string" });
    Map::from_iter([
        query(
            "filter",
            json!({ "type": "string", "format": "cel", "maxLength": 4096 }),
            "Which records: an expression in CEL over the record's fields, references and reverse relations, such as `status == \"open\" && author.name.startsWith(\"A\")`. It sees what you may read and nothing else.",
        ),
        query(
            "limit",
            json!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 20 }),
            "How many records a page has at most.",
        ),
        query(
            "cursor",
            json!({ "type": "string", "format": "cursor" }),
            "Where the page begins: `next` of the page before, with the same filter and sort. Not with `offset`.",
        ),
        query(
            "offset",
            json!({ "type": "integer", "minimum": 0, "maximum": 10_000, "default": 0 }),
            "How many records to leave out at the beginning, for tables in pages. Not with `cursor`.",
        ),
        query(
            "count",
            json!({ "type": "boolean", "default": false }),
            "Whether to count all records that match, which costs a scan.",
        ),
        header(
            "IfNoneMatch",
            "If-None-Match",
            tag.clone(),
            "The `ETag` of what you have: 304 where it is the same still.",
        ),
        header(
            "IfMatch",
            "If-Match",
            tag,
            "The `ETag` of the record as you know it: 412 where it has changed since. `*` for any.",
        ),
        header(
            "CreateOnly",
            "If-None-Match",
            json!({ "type": "string", "enum": ["*"] }),
            "`*` creates and never replaces: 412 where the record is there.",
        ),
    ])
}

/// Adds the parameters of a resource to the components.
pub(crate) fn add(subject: Subject<'_>, parameters: &mut Map<String, Json>) {
    for (key, parameter) in [("fields", fields(subject)), ("sort", sort(subject))] {
        parameters.insert(own_key(subject, key), parameter);
    }
    for (key, parameter) in expand::parameters(subject) {
        parameters.insert(key, parameter);
    }
    for (key, parameter) in short_filters(subject) {
        parameters.insert(key, parameter);
    }
}

/// A reference to a common parameter.
pub(crate) fn reference(key: &str) -> Json {
    json!({ "$ref": format!("#/components/parameters/{key}") })
}

/// A reference to a parameter of the resource's own.
pub(crate) fn own(subject: Subject<'_>, key: &str) -> Json {
    reference(&own_key(subject, key))
}

/// References to all short filters of the resource, but those whose names are taken by parameters of the call.
pub(crate) fn filters(subject: Subject<'_>, taken: &[&str]) -> Vec<Json> {
    let free = |parameter: &Json| parameter["name"].as_str().is_some_and(|name| !taken.contains(&name));
    short_filters(subject)
        .into_iter()
        .filter(|(_, parameter)| free(parameter))
        .map(|(key, _)| reference(&key))
        .collect()
}

pub(crate) fn own_key(subject: Subject<'_>, key: &str) -> String {
    format!("{}.{key}", subject.resource.name)
}

fn list_of(items: impl Into<Json>) -> Json {
    Map::from_iter([("type".to_owned(), "array".into()), ("items".to_owned(), items.into())]).into()
}

/// A list of some of these names. An empty text, which is read as a list of one empty name, is as good as none.
pub(crate) fn names_or_nothing(names: &[impl AsRef<str>]) -> Json {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).chain([""]).collect();
    json!({
        "type": "array",
        "items": { "type": "string", "enum": names },
        "minItems": 1,
        "anyOf": [{ "maxItems": 1 }, { "items": { "minLength": 1 } }],
    })
}

/// A parameter that is a list with commas between.
pub(crate) fn listed(name: &str, description: &str, schema: &Json) -> Json {
    json!({ "name": name, "in": "query", "description": description, "style": "form", "explode": false, "schema": schema })
}

fn fields(subject: Subject<'_>) -> Json {
    let names: Vec<&str> = subject.seen().map(|(_, field, _)| field.name.as_str()).collect();
    let description = "Which fields to answer, with commas between; `id` is always among them.";
    listed("fields", description, &names_or_nothing(&names))
}

fn sort(subject: Subject<'_>) -> Json {
    let mut paths: Vec<String> = sortable(subject).collect();
    for (name, to, many) in subject.references() {
        if !many {
            let theirs = subject.view.subject(to);
            paths.extend(sortable(theirs).filter(|path| path != "id").map(|path| format!("{name}.{path}")));
        }
    }
    let both: Vec<String> = paths.iter().flat_map(|path| [path.clone(), format!("-{path}")]).collect();
    let description = "The order, with commas between: `-` before a field is descending, and paths through references go on as far as they lead. Ties are broken by `id`.";
    let mut parameter = listed("sort", description, &names_or_nothing(&both));
    parameter["schema"]["maxItems"] = SORT_KEYS.into();
    parameter
}

pub(crate) fn sortable<'a>(subject: Subject<'a>) -> impl Iterator<Item = String> + use<'a> {
    let sorts = |field: &Field| !field.is_list() && !matches!(field.kind, Kind::Text(_) | Kind::Json { .. });
    subject.seen().filter(move |(_, field, _)| sorts(field)).map(|(_, field, _)| field.name.clone())
}

/// One for each field and operator that fit, with their keys among the components.
fn short_filters(subject: Subject<'_>) -> Vec<(String, Json)> {
    let mut found = Vec::new();
    for (_, field, _) in subject.seen() {
        if matches!(field.kind, Kind::Json { .. }) {
            continue;
        }
        for (word, operator) in ShortOperator::ALL {
            if !fits(field, operator) {
                continue;
            }
            // `eq` is what no operator says, too.
            if operator == ShortOperator::Equal {
                found.push((own_key(subject, &field.name), short(field, &field.name, operator)));
            }
            let name = format!("{}[{word}]", field.name);
            found.push((own_key(subject, &format!("{}.{word}", field.name)), short(field, &name, operator)));
        }
    }
    found
}

fn fits(field: &Field, operator: ShortOperator) -> bool {
    let text = matches!(field.shape, Shape::Text { .. });
    match operator {
        ShortOperator::In => true,
        ShortOperator::Contains => field.is_list() || text,
        _ if field.is_list() => false,
        ShortOperator::Equal | ShortOperator::NotEqual => true,
        ShortOperator::Greater | ShortOperator::GreaterOrEqual | ShortOperator::Less | ShortOperator::LessOrEqual => {
            field.shape != Shape::Boolean && !matches!(field.kind, Kind::Text(_))
        }
    }
}

fn short(field: &Field, name: &str, operator: ShortOperator) -> Json {
    let description = match operator {
        ShortOperator::Equal => "Only records where it is this.",
        ShortOperator::NotEqual => "Only records where it is something else.",
        ShortOperator::Greater => "Only records where it is greater.",
        ShortOperator::GreaterOrEqual => "Only records where it is this or greater.",
        ShortOperator::Less => "Only records where it is less.",
        ShortOperator::LessOrEqual => "Only records where it is this or less.",
        ShortOperator::In if field.is_list() => "Only records whose list has one of these.",
        ShortOperator::In => "Only records where it is one of these.",
        ShortOperator::Contains if field.is_list() => "Only records whose list has this.",
        ShortOperator::Contains => "Only records where this is part of it, in upper or lower case.",
    };
    if operator == ShortOperator::In {
        let mut schema = list_of(compared(field, operator));
        schema["minItems"] = 1.into();
        schema["maxItems"] = IN.into();
        return listed(name, description, &schema);
    }
    json!({ "name": name, "in": "query", "description": description, "schema": compared(field, operator) })
}

/// What a short filter may be given: one of its values, where it is held against an enum as a whole.
fn compared(field: &Field, operator: ShortOperator) -> Json {
    let in_list = operator == ShortOperator::In;
    match &field.kind {
        Kind::Enum { values } if operator.compares_whole(field.is_list()) => {
            // A comma would end it within a list.
            let values: Vec<&String> = values.iter().filter(|value| !in_list || !value.contains(',')).collect();
            if values.is_empty() {
                value::compared(field, in_list)
            } else {
                json!({ "type": "string", "enum": values })
            }
        }
        _ => value::compared(field, in_list),
    }
}

/// The parameter of a path that names a record.
pub(crate) fn id(subject: Subject<'_>) -> Json {
    let mut schema = value::id(subject.resource.get(FieldIndex(0)).shape);
    if let Some(members) = schema.as_object_mut() {
        // The words that are no ids name calls of their own.
        members.remove("not");
    }
    json!({ "name": "id", "in": "path", "required": true, "description": "The record's id.", "schema": schema })
}
