//! The fields of a resource: `id`, those under `[fields]`, `created_at` and `updated_at`.

use model::{
    Field, FieldIndex, IdKind, Kind, Origin, Shape,
    field::{ListOptions, TextOptions},
    identity::PERSON_FIELDS,
};

use super::{
    Neighbours, Places, RuleText, defaults, familiar,
    file::Indexed,
    kinds,
    names::{self, LONGEST},
    options::{self, LATER_TYPES, OPTIONS, TYPES},
    people,
};
use crate::{
    diagnostic::Report,
    nearest,
    source::Place,
    tree::{Data, Entry, Node, Table},
};

/// The most fields of a resource, its own among them.
pub(crate) const MAX_FIELDS: usize = 500;
/// The most items of a list whose field says nothing.
const MAX_ITEMS: usize = 1_000;

/// What the fields need to know of their resource.
pub(crate) struct Head<'a> {
    pub(crate) resource: &'a str,
    pub(crate) id_kind: IdKind,
    pub(crate) timestamps: bool,
    pub(crate) indexed: Indexed,
    /// The key `auth` and the fields that it exposes, where these records are people.
    pub(crate) people: Option<(&'a Place, Vec<&'a str>)>,
}

/// All fields in the order of the answer, and whether none had to be left out.
pub(crate) fn read(
    head: &Head<'_>,
    table: &Table,
    neighbours: &Neighbours,
    places: &mut Places,
    report: &mut Report,
) -> (Vec<Field>, bool) {
    let mut fields = vec![id_field(head.id_kind)];
    let mut complete = read_people(head, table, &mut fields, neighbours, places, report);
    if let Some(entry) = table.get("fields") {
        match entry.node.table(report, "a table of fields") {
            Some(declared) => {
                for entry in &declared.entries {
                    if head.people.is_some() && people::is_one(&entry.key) {
                        continue;
                    }
                    if fields.len() + 2 >= MAX_FIELDS {
                        report.error(&entry.place, format!("a resource has at most {MAX_FIELDS} fields"));
                        break;
                    }
                    let index = FieldIndex(fields.len() as u16);
                    let mut reader = FieldReader { head, neighbours, entry, index, places, report };
                    match reader.read() {
                        Some(field) => fields.push(field),
                        None => complete = false,
                    }
                }
                check_renames(declared, report);
            }
            None => complete = false,
        }
    }
    if head.timestamps {
        fields.push(kept("created_at", Origin::CreatedAt));
        fields.push(kept("updated_at", Origin::UpdatedAt));
    }
    (fields, complete)
}

/// The five fields of a person, whatever `[fields]` says of them; false where one could not be made.
fn read_people(
    head: &Head<'_>,
    table: &Table,
    fields: &mut Vec<Field>,
    neighbours: &Neighbours,
    places: &mut Places,
    report: &mut Report,
) -> bool {
    let Some((auth, exposed)) = &head.people else { return true };
    let declared = table.get("fields").and_then(|entry| match &entry.node.data {
        Data::Table(declared) => Some(declared),
        _ => None,
    });
    for name in PERSON_FIELDS {
        let said = declared.and_then(|declared| declared.get(name));
        let Some(entry) = people::complete(name, auth, said, report) else { return false };
        let index = FieldIndex(fields.len() as u16);
        let field = FieldReader { head, neighbours, entry: &entry, index, places, report }.read();
        people::forget_write(places, index);
        let Some(field) = field else { return false };
        fields.push(people::settle(field, exposed.contains(&name)));
    }
    true
}

fn id_field(id_kind: IdKind) -> Field {
    let (kind, shape) = match id_kind {
        IdKind::Uuid => (Kind::Uuid, Shape::Uuid),
        IdKind::Integer => (Kind::Integer { min: Some(1), max: None }, Shape::Integer),
        IdKind::String => (Kind::String(TextOptions { min: 1, max: 128, ..TextOptions::default() }), Shape::TEXT),
    };
    Field { immutable: true, unique: true, required: true, ..plain("id", kind, shape, Origin::Id) }
}

fn kept(name: &str, origin: Origin) -> Field {
    Field { required: true, ..plain(name, Kind::DateTime, Shape::DateTime, origin) }
}

fn plain(name: &str, kind: Kind, shape: Shape, origin: Origin) -> Field {
    Field {
        name: name.to_owned(),
        kind,
        shape,
        list: None,
        required: false,
        default: None,
        unique: false,
        read: None,
        write: None,
        hidden: false,
        immutable: false,
        renamed_from: None,
        doc: None,
        origin,
    }
}

/// A rule's text, whose place is kept; whether it is a good rule is for `rules` to say.
pub(crate) fn read_rule(node: &Node, at: rules::Place, places: &mut Places, report: &mut Report) -> Option<String> {
    if let Data::Boolean(truth) = node.data {
        let message = "expected a CEL expression in a string, found a boolean";
        report.error_with_help(&node.place, message, format!("write \"{truth}\""));
        return None;
    }
    let text = node.text(report, "a CEL expression in a string")?.to_owned();
    places.rules.push(RuleText { at, text: text.clone(), place: node.place.clone() });
    Some(text)
}

/// A name that a field had before can't be the name of one that is there, nor be claimed twice.
fn check_renames(declared: &Table, report: &mut Report) {
    let mut claimed: Vec<&str> = Vec::new();
    for entry in &declared.entries {
        let Data::Table(field) = &entry.node.data else { continue };
        let Some(Data::Text(old)) = field.get("renamed_from").map(|old| &old.node.data) else { continue };
        let Some(place) = field.get("renamed_from").map(|old| &old.node.place) else { continue };
        if declared.get(old).is_some() {
            report.error(place, format!("there still is a field `{old}`, so `{}` can't be it renamed", entry.key));
        } else if claimed.contains(&old.as_str()) {
            report.error(place, format!("another field was `{old}` already"));
        }
        claimed.push(old);
    }
}

/// Reads one field.
pub(super) struct FieldReader<'a> {
    pub(super) head: &'a Head<'a>,
    pub(super) neighbours: &'a Neighbours,
    entry: &'a Entry,
    index: FieldIndex,
    pub(super) places: &'a mut Places,
    pub(super) report: &'a mut Report,
}

impl<'a> FieldReader<'a> {
    fn read(&mut self) -> Option<Field> {
        let (name, entry) = (self.entry.key.as_str(), self.entry);
        let named = names::check_field(name, &entry.place, self.report);
        let Data::Table(table) = &entry.node.data else {
            let message = format!("expected a field, found {}", entry.node.describe());
            let word = match &entry.node.data {
                Data::Text(word) if TYPES.iter().any(|known| known.name == word) => word,
                _ => "string",
            };
            self.report.error_with_help(&entry.node.place, message, format!("write {{ type = \"{word}\" }}"));
            return None;
        };
        let type_name = self.type_name(table)?;
        self.check_options(table, type_name);
        self.places.fields.insert(self.index, entry.place.clone());
        let (kind, shape) = kinds::read(self, type_name, table)?;
        let field = self.common(table, plain(name, kind, shape, Origin::Declared));
        named.then_some(field)
    }

    fn type_name(&mut self, table: &Table) -> Option<&'static str> {
        let Some(entry) = table.get("type") else {
            let slip = table.entries.iter().filter(|entry| options::find(&entry.key).is_none());
            let slip = { slip }.find_map(|entry| Some((entry, nearest::did_you_mean(&entry.key, ["type"])?)));
            if let Some((entry, help)) = slip {
                self.report.error_with_help(&entry.place, format!("unknown option `{}`", entry.key), help);
                return None;
            }
            let message = format!("the field `{}` has no type", self.entry.key);
            self.report.error_with_help(
                &self.entry.place,
                message,
                format!("add `type`: {}", familiar::list_of_types()),
            );
            return None;
        };
        let word = entry.node.text(self.report, "the name of a type")?;
        if let Some(known) = TYPES.iter().find(|known| known.name == word) {
            return Some(known.name);
        }
        let place = &entry.node.place;
        if LATER_TYPES.contains(&word) {
            self.report.error(place, format!("the type `{word}` is not available in this version yet"));
            return None;
        }
        let help = nearest::did_you_mean(word, TYPES.iter().map(|known| known.name))
            .or_else(|| familiar::familiar_type(word).map(|name| format!("did you mean `{name}`?")))
            .unwrap_or_else(|| format!("types: {}", familiar::list_of_types()));
        self.report.error_with_help(place, format!("unknown type `{word}`"), help);
        None
    }

    /// Options that are unknown, and known ones that this type does not have.
    fn check_options(&mut self, table: &Table, type_name: &str) {
        let known = || OPTIONS.iter().filter(|option| options::applies(option, type_name)).map(|option| option.name);
        for entry in &table.entries {
            let key = entry.key.as_str();
            if key == "type" || known().any(|name| name == key) {
                continue;
            }
            if let Some(option) = options::find(key) {
                let message = format!("`{key}` is not an option of `{type_name}`");
                self.report.error_with_help(
                    &entry.place,
                    message,
                    format!("it belongs to: {}", option.types.join(", ")),
                );
                continue;
            }
            let help = nearest::did_you_mean(key, known())
                .or_else(|| familiar::familiar_option(key).map(str::to_owned))
                .unwrap_or_else(|| format!("options of `{type_name}`: {}", known().collect::<Vec<_>>().join(", ")));
            self.report.error_with_help(&entry.place, format!("unknown option `{key}`"), help);
        }
    }

    fn common(&mut self, table: &Table, mut field: Field) -> Field {
        field.required = self.boolean(table, "required");
        field.unique = self.boolean(table, "unique");
        field.hidden = self.boolean(table, "hidden");
        field.immutable = self.boolean(table, "immutable");
        field.doc = self.text(table, "doc").map(|(text, _)| text.to_owned());
        field.list = self.list(table, &field);
        field.read = self.rule(table, "read", rules::Place::FieldRead(self.index));
        field.write = self.rule(table, "write", rules::Place::FieldWrite(self.index));
        field.renamed_from = self.renamed_from(table);
        self.check_unique(table, &field);
        self.check_join_table(&field);
        self.check_set_null(table, &field);
        if let Some(entry) = table.get("inverse") {
            self.places.inverses.insert(self.index, entry.node.place.clone());
        }
        if let Some(entry) = table.get("default") {
            let at = rules::Place::FieldDefault(self.index);
            field.default = defaults::read(&field, &entry.node, at, self.places, self.report);
        }
        field
    }

    fn list(&mut self, table: &Table, field: &Field) -> Option<ListOptions> {
        let listed = self.boolean(table, "list");
        if listed && field.target().is_some() {
            let place = &table.get("list")?.place;
            self.report.error_with_help(place, "a reference is no list", "write `many = true`");
            return None;
        }
        let max_items = self.count(table, "max_items").unwrap_or(MAX_ITEMS);
        if !listed && !field.is_many() {
            if let Some(entry) = table.get("max_items") {
                self.report.error(&entry.place, "`max_items` says how long a list may be, and this is none");
            }
            return None;
        }
        listed.then_some(ListOptions { max_items })
    }

    fn renamed_from(&mut self, table: &Table) -> Option<String> {
        let (old, place) = self.text(table, "renamed_from")?;
        if old == self.entry.key {
            self.report.error(place, "this is the name it has now");
            return None;
        }
        names::check_field(old, place, self.report).then(|| old.to_owned())
    }

    /// `unique` where a database can hold it.
    fn check_unique(&mut self, table: &Table, field: &Field) {
        let Some(entry) = table.get("unique").filter(|_| field.unique) else { return };
        let (message, help) = match &field.kind {
            _ if field.list.is_some() => ("a list can't be unique", "a resource of its own can hold the items"),
            Kind::Json { .. } => ("`json` can't be unique", "keep what identifies it in a field of its own"),
            Kind::Text(_) => ("`text` is too long to be unique", "use `string`"),
            Kind::Reference { many: true, .. } => {
                ("a `many` reference can't be unique", "a resource between the two, with a unique index, can")
            }
            _ => return,
        };
        self.report.error_with_help(&entry.place, message, help);
    }

    fn check_join_table(&mut self, field: &Field) {
        let length = self.head.resource.len() + "__".len() + field.name.len();
        if field.is_many() && length > LONGEST {
            let (resource, name) = (self.head.resource, &field.name);
            let message =
                format!("its join table `{resource}__{name}` would have {length} bytes in its name, of {LONGEST}");
            self.report.error(&self.entry.place, message);
        }
    }

    fn check_set_null(&mut self, table: &Table, field: &Field) {
        let Kind::Reference { on_delete: model::OnDelete::SetNull, many, .. } = field.kind else { return };
        let Some(entry) = table.get("on_delete") else { return };
        let place = &entry.node.place;
        if many {
            let message = "a `many` reference is a list, never null";
            self.report.error_with_help(place, message, "\"cascade\" takes the id from the list");
        } else if field.required {
            let message = "`set_null` needs a field that may be null, and this one is required";
            self.report.error_with_help(place, message, "take away `required`, or choose \"restrict\" or \"cascade\"");
        }
    }

    fn rule(&mut self, table: &Table, key: &str, at: rules::Place) -> Option<String> {
        let entry = table.get(key)?;
        read_rule(&entry.node, at, self.places, self.report)
    }

    pub(super) fn boolean(&mut self, table: &Table, key: &str) -> bool {
        table.get(key).and_then(|entry| entry.node.boolean(self.report)).unwrap_or(false)
    }

    pub(super) fn text<'t>(&mut self, table: &'t Table, key: &str) -> Option<(&'t str, &'t Place)> {
        let node = &table.get(key)?.node;
        node.text(self.report, "a string").map(|text| (text, &node.place))
    }

    /// A count within the limits that the list of options sets.
    pub(super) fn count(&mut self, table: &Table, key: &str) -> Option<usize> {
        let (least, most) = match options::find(key)?.form {
            options::Form::Count { least, most } => (least, most),
            _ => (0, options::MAX_CHARACTERS),
        };
        let node = &table.get(key)?.node;
        let Data::Integer(integer) = node.data else { return node.refuse(self.report, "an integer") };
        match u64::try_from(integer).ok().filter(|count| (least..=most).contains(count)) {
            Some(count) => usize::try_from(count).ok(),
            None => {
                self.report.error(&node.place, format!("expected an integer from {least} to {most}"));
                None
            }
        }
    }

    /// Whether a unique field or an index holds this field, so that its text has to be short.
    pub(super) fn is_indexed(&self, table: &Table) -> bool {
        let unique = matches!(table.get("unique").map(|entry| &entry.node.data), Some(Data::Boolean(true)));
        unique || self.head.indexed.contains(&self.entry.key)
    }

    /// The place of the field's name.
    pub(super) fn place(&self) -> &'a Place {
        &self.entry.place
    }
}
