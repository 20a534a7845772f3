//! One file of `resources/`.

use std::collections::HashSet;

use model::{
    IdKind, Keep, Resource,
    resource::{Access, Validation},
};

use super::{Neighbours, Places, auth, fields, indexes, options};
use crate::{
    diagnostic::Report,
    outside::Outside,
    tree::{Data, Table, check_keys},
};

/// The most `[validate]` rules of a resource.
const MAX_VALIDATIONS: usize = 100;

const ID_KINDS: &[(&str, IdKind)] = &[("uuid", IdKind::Uuid), ("integer", IdKind::Integer), ("string", IdKind::String)];

/// A resource as far as it could be read.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) resource: Resource,
    pub(crate) places: Places,
    /// Whether every field is there with its type, so that rules can be checked without echoes of other mistakes.
    pub(crate) complete: bool,
}

/// The kind of ids, which references to this resource need to know first. A mistake here is told by [`read`].
pub(crate) fn id_kind(table: &Table) -> IdKind {
    let word = match table.get("id").map(|entry| &entry.node.data) {
        Some(Data::Text(text)) => text.as_str(),
        _ => "uuid",
    };
    ID_KINDS.iter().find(|(known, _)| *known == word).map_or(IdKind::Uuid, |(_, kind)| *kind)
}

/// Reads a file's tree.
pub(crate) fn read(
    name: &str,
    source: usize,
    table: &Table,
    neighbours: &Neighbours,
    outside: Outside<'_>,
    report: &mut Report,
) -> Draft {
    check_keys(table, options::KEYS, options::LATER, report);
    if let Some(entry) = table.get("id") {
        entry.node.choice(report, ID_KINDS);
    }
    let timestamps = table.get("timestamps").and_then(|entry| entry.node.boolean(report)).unwrap_or(true);
    let doc = table.get("doc").and_then(|entry| entry.node.text(report, "a string")).map(str::to_owned);
    let people = table.get("auth");
    let mut places = Places { source, auth: people.map(|entry| entry.place.clone()), ..Places::default() };
    let head = fields::Head {
        resource: name,
        id_kind: id_kind(table),
        timestamps,
        indexed: indexes::columns(table),
        people: people.map(|entry| (&entry.place, auth::exposed(table))),
    };
    let (fields, complete) = fields::read(&head, table, neighbours, &mut places, report);
    let access = read_access(table, &mut places, report);
    let validate = read_validations(table, &mut places, report);
    let indexes = indexes::read(table, &fields, report);
    let keep = read_keep(table, report);
    let identity = people.and_then(|entry| auth::read(entry, head.id_kind, outside, report)).map(Box::new);
    let name = name.to_owned();
    let resource = Resource { name, id_kind: head.id_kind, fields, access, validate, indexes, keep, doc, identity };
    Draft { resource, places, complete }
}

fn read_access(table: &Table, places: &mut Places, report: &mut Report) -> Access {
    let mut access = Access::default();
    let Some(entry) = table.get("access") else { return access };
    places.access = Some(entry.place.clone());
    let Some(declared) = entry.node.table(report, "a table of rules") else { return access };
    let known: Vec<&str> = options::ACCESS.iter().map(|(name, _)| *name).collect();
    check_keys(declared, &known, &[], report);
    for (key, rule) in [
        ("read", &mut access.read),
        ("create", &mut access.create),
        ("update", &mut access.update),
        ("delete", &mut access.delete),
    ] {
        let Some(entry) = declared.get(key) else { continue };
        *rule = fields::read_rule(&entry.node, rules::Place::Access(key), places, report);
    }
    access
}

fn read_validations(table: &Table, places: &mut Places, report: &mut Report) -> Vec<Validation> {
    let mut validations = Vec::new();
    let Some(entry) = table.get("validate") else { return validations };
    let Some(declared) = entry.node.table(report, "a table of messages and rules") else { return validations };
    for entry in &declared.entries {
        if entry.key.trim().is_empty() {
            report.error(&entry.place, "the key is the message that a writer reads, so it can't be empty");
            continue;
        }
        if validations.len() == MAX_VALIDATIONS {
            report.error(&entry.place, format!("a resource has at most {MAX_VALIDATIONS} validations"));
            break;
        }
        let at = rules::Place::Validation(validations.len());
        if let Some(rule) = fields::read_rule(&entry.node, at, places, report) {
            validations.push(Validation { message: entry.key.clone(), rule });
        }
    }
    validations
}

fn read_keep(table: &Table, report: &mut Report) -> Keep {
    let Some(entry) = table.get("events") else { return Keep::Full };
    let Some(events) = entry.node.table(report, "a table, as in `events = { keep = \"ids\" }`") else {
        return Keep::Full;
    };
    check_keys(events, &["keep"], &[], report);
    let keep =
        events.get("keep").and_then(|entry| entry.node.choice(report, &[("full", Keep::Full), ("ids", Keep::Ids)]));
    keep.unwrap_or_default()
}

/// The names of fields that some index has, whatever else is wrong with it.
pub(crate) type Indexed = HashSet<String>;
