//! The five fields that every person has: declared by the `[auth]` table, opened or described under `[fields]`.

use model::{
    Field, FieldIndex, Kind, Value,
    field::{Default, JsonSchema},
    identity::{PERSON_FIELDS, PersonFields},
};

use super::Places;
use crate::{
    diagnostic::{Report, Severity},
    source::Place,
    tree::{Data, Entry, Node, Table},
};

/// Their places: right after `id`.
pub(crate) const PLACES: PersonFields = PersonFields {
    email: FieldIndex(1),
    email_verified: FieldIndex(2),
    roles: FieldIndex(3),
    disabled: FieldIndex(4),
    claims: FieldIndex(5),
};

/// Who sees a person's fields unless the app opens them. A stranger is told apart first, so that to strangers the names are
/// unknown ones.
const OWN: &str = "auth.id != null && record.id == auth.id";
/// Administrators pass every rule, and nobody else may.
const ADMINISTRATORS: &str = "false";
/// An address is given once; it changes through `/auth/email/change`, or by an administrator.
const ON_CREATION: &str = "record == null";

/// The most roles of a person.
const MAX_ROLES: i64 = 100;

/// What a person's field is whatever the file says, as options.
fn implied(name: &str) -> Vec<(&'static str, Data)> {
    let text = |text: &str| Data::Text(text.to_owned());
    match name {
        "email" => vec![("type", text("email")), ("unique", Data::Boolean(true))],
        "roles" => {
            vec![("type", text("string")), ("list", Data::Boolean(true)), ("max_items", Data::Integer(MAX_ROLES))]
        }
        "claims" => vec![("type", text("json"))],
        _ => vec![("type", text("boolean"))],
    }
}

/// Options that a file may say of a person's field.
fn allowed(name: &str) -> &'static [&'static str] {
    match name {
        "email" => &["type", "unique", "required", "read", "write", "hidden", "doc", "renamed_from"],
        "email_verified" => &["type", "required", "read", "write", "hidden", "doc", "renamed_from"],
        "roles" => {
            &["type", "list", "max_items", "required", "default", "read", "write", "hidden", "doc", "renamed_from"]
        }
        "disabled" => &["type", "required", "default", "read", "write", "hidden", "doc", "renamed_from"],
        _ => &["type", "required", "default", "read", "write", "hidden", "doc", "renamed_from", "schema", "max_size"],
    }
}

/// A person's field as an entry of `[fields]`, with what is implied; none where the file says something that is no field.
pub(super) fn complete(name: &str, auth: &Place, said: Option<&Entry>, report: &mut Report) -> Option<Entry> {
    let place = said.map_or(auth, |entry| &entry.place);
    let mut table = match said {
        None => Table::default(),
        Some(entry) => {
            let table = entry.node.table(report, "a table, as in { read = \"true\" }")?;
            check(name, table, report);
            table.clone()
        }
    };
    for (key, data) in implied(name) {
        if table.get(key).is_none() {
            let node = Node { place: place.clone(), data };
            table.entries.push(Entry { key: key.to_owned(), place: place.clone(), node });
        }
    }
    let node = Node { place: place.clone(), data: Data::Table(table) };
    Some(Entry { key: name.to_owned(), place: place.clone(), node })
}

/// Tells what can't be said of a person's field.
fn check(name: &str, said: &Table, report: &mut Report) {
    for entry in &said.entries {
        let key = entry.key.as_str();
        if !allowed(name).contains(&key) {
            let message = format!("`{key}` is not an option of a person's `{name}`");
            report.error_with_help(&entry.place, message, format!("options: {}", allowed(name).join(", ")));
            continue;
        }
        let expected = implied(name).into_iter().find(|(implied, _)| *implied == key && key != "max_items");
        if let Some((_, expected)) = expected
            && !same(&expected, &entry.node.data)
        {
            let message = format!("a person's `{name}` has `{key} = {}`", show(&expected));
            report.error_with_help(&entry.node.place, message, "leave it out");
        }
        if key == "write" {
            let message = match name {
                "email" => "this changes nothing: an address changes through /auth/email/change, or by administrators",
                _ => "this changes nothing: administrators alone write it",
            };
            report.tell(Severity::Warning, &entry.place, message.to_owned(), Some("leave it out".to_owned()));
        }
    }
    if name == "claims" {
        check_claims(said, report);
    }
}

fn same(left: &Data, right: &Data) -> bool {
    match (left, right) {
        (Data::Text(left), Data::Text(right)) => left == right,
        (Data::Boolean(left), Data::Boolean(right)) => left == right,
        _ => false,
    }
}

fn show(data: &Data) -> String {
    match data {
        Data::Text(text) => format!("\"{text}\""),
        Data::Boolean(truth) => truth.to_string(),
        _ => String::new(),
    }
}

/// Gives a person's field the rules that hold whatever the file says.
pub(super) fn settle(mut field: Field, exposed: bool) -> Field {
    let name = field.name.clone();
    if !exposed && field.read.is_none() && !field.hidden {
        field.read = Some(OWN.to_owned());
    }
    field.write = Some(if name == "email" { ON_CREATION } else { ADMINISTRATORS }.to_owned());
    // Machines have no address: what people need is asked where they are made.
    field.required = name != "email";
    let none = match name.as_str() {
        "email_verified" | "disabled" => Some(Value::Boolean(false)),
        "roles" => Some(Value::List(Vec::new())),
        "claims" => Some(Value::Json("{}".into())),
        _ => None,
    };
    field.default = field.default.or(none.map(Default::Literal));
    if name == "claims" {
        settle_claims(&mut field);
    }
    field
}

/// Claims are an object, whatever schema the app has for them.
fn settle_claims(field: &mut Field) {
    let Kind::Json { schema, .. } = &mut field.kind else { return };
    let mut document = match schema {
        Some(declared) => declared.document.clone(),
        None => serde_json::json!({}),
    };
    if let Some(members) = document.as_object_mut()
        && !members.contains_key("type")
    {
        members.insert("type".to_owned(), "object".into());
    }
    if let Ok(compiled) = JsonSchema::compile(document) {
        *schema = Some(std::sync::Arc::new(compiled));
    }
}

/// A schema of claims that admits what is no object.
fn check_claims(said: &Table, report: &mut Report) {
    let Some(entry) = said.get("schema") else { return };
    let declared = match &entry.node.data {
        Data::Table(schema) => schema.get("type"),
        _ => return,
    };
    if let Some(declared) =
        declared.filter(|declared| !matches!(&declared.node.data, Data::Text(word) if word == "object"))
    {
        report.error(&declared.node.place, "claims are an object: expected \"object\"");
    }
}

/// Whether this is the name of a person's field.
pub(super) fn is_one(name: &str) -> bool {
    PERSON_FIELDS.contains(&name)
}

/// Forgets the text of a rule that was put aside for the built-in one.
pub(super) fn forget_write(places: &mut Places, index: FieldIndex) {
    places.rules.retain(|rule| rule.at != rules::Place::FieldWrite(index));
}

/// Where a person's field stands.
pub(super) fn index(name: &str) -> FieldIndex {
    let position = PERSON_FIELDS.iter().position(|known| *known == name).unwrap_or_default();
    PLACES.all()[position]
}
