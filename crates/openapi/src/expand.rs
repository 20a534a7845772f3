//! What can be answered beside a record: those that it refers to, and those that refer to it.

use model::{Kind, ResourceIndex};
use rules::Prospect;
use serde_json::{Map, Value as Json, json};

use crate::{
    parameters::{SORT_KEYS, listed, names_or_nothing, own_key, reference, sortable},
    shapes,
    value::or_null,
    view::Subject,
};

/// The most expansions of a request.
const EXPANSIONS: usize = 16;
/// The most records of an expanded list, and how many there are unless it is said.
const LIMIT: (u32, u32) = (200, 100);

/// A reference or a reverse relation that the reader may follow.
struct Relation<'a> {
    name: &'a str,
    target: ResourceIndex,
    is_list: bool,
}

/// Every relation by each of its names.
fn relations<'a>(subject: Subject<'a>) -> Vec<Relation<'a>> {
    let mut found: Vec<Relation<'a>> = subject
        .seen()
        .filter_map(|(_, field, _)| match field.kind {
            Kind::Reference { to, many, .. } => Some(Relation { name: &field.name, target: to, is_list: many }),
            _ => None,
        })
        .collect();
    for relation in subject.view.schema.reverse(subject.index) {
        let sights = &subject.view.sights.own[relation.resource.0 as usize];
        if sights.fields[relation.field.0 as usize].sight != Prospect::Never {
            let names = relation.names.iter();
            found.extend(names.map(|name| Relation { name, target: relation.resource, is_list: true }));
        }
    }
    found
}

/// The parameters, with their keys among the components: which relations, and what of those that are lists.
pub(crate) fn parameters(subject: Subject<'_>) -> Vec<(String, Json)> {
    let relations = relations(subject);
    if relations.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = relations.iter().map(|relation| relation.name).collect();
    let mut schema = names_or_nothing(&names);
    schema["maxItems"] = EXPANSIONS.into();
    let description =
        "Which related records to answer too, with commas between. Paths go on, three deep: `author,comments.author`.";
    let mut parameters = vec![(own_key(subject, "expand"), listed("expand", description, &schema))];
    for relation in relations.iter().filter(|relation| relation.is_list) {
        let name = relation.name;
        let key = |option: &str| own_key(subject, &format!("expand.{name}.{option}"));
        let query = |option: &str, description: &str, schema: Json| json!({ "name": format!("expand[{name}][{option}]"), "in": "query", "description": description, "schema": schema });
        let (most, usual) = LIMIT;
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": most, "default": usual });
        parameters.push((key("limit"), query("limit", "How many of these at most.", limit)));
        let filter = json!({ "type": "string", "format": "cel", "maxLength": 4096 });
        parameters
            .push((key("filter"), query("filter", "Which of these: an expression in CEL over their fields.", filter)));
        let theirs = subject.view.subject(relation.target);
        let paths: Vec<String> = sortable(theirs).flat_map(|path| [format!("-{path}"), path]).collect();
        let mut sort = names_or_nothing(&paths);
        sort["maxItems"] = SORT_KEYS.into();
        parameters.push((key("sort"), listed(&format!("expand[{name}][sort]"), "Their order.", &sort)));
    }
    parameters
}

/// References to them.
pub(crate) fn asked(subject: Subject<'_>) -> Vec<Json> {
    parameters(subject).iter().map(|(key, _)| reference(key)).collect()
}

/// Adds what an answer has where they are asked for.
pub(crate) fn add(subject: Subject<'_>, properties: &mut Map<String, Json>) {
    let relations = relations(subject);
    if relations.is_empty() {
        return;
    }
    let members: Map<String, Json> = relations
        .iter()
        .map(|relation| {
            let one = shapes::any_of_record(subject.view.subject(relation.target));
            let schema = match relation.is_list {
                true => json!({ "type": "array", "maxItems": LIMIT.0, "items": one }),
                false => or_null(one),
            };
            (relation.name.to_owned(), schema)
        })
        .collect();
    let expand = json!({
        "type": "object",
        "description": "The related records that `expand` asks for; null, or not in the list, where the caller may not read one.",
        "properties": members,
        "additionalProperties": false,
    });
    let more = json!({ "type": "array", "items": { "type": "string" }, "description": "The lists in `expand` that were cut." });
    properties.insert("expand".to_owned(), expand);
    properties.insert("expand_more".to_owned(), more);
}
