//! The schemas of a resource: a record as it is read, created, replaced and patched, and a page of them.

use model::{Field, FieldIndex, Kind, Origin, field::Default, field::JsonSchema};
use rules::{FieldOutlook, Prospect};
use serde_json::{Map, Value as Json, json};

use crate::{
    example, expand,
    value::{self, Way, or_null, reference},
    view::Subject,
};

/// Adds all schemas of a resource.
pub(crate) fn add(subject: Subject<'_>, schemas: &mut Map<String, Json>) {
    let one = &subject.names.one;
    schemas.insert(one.clone(), read(subject, true));
    schemas.insert(format!("{one}Part"), read(subject, false));
    schemas.insert(format!("{one}Page"), page(subject));
    schemas.insert(format!("{one}Create"), create(subject));
    schemas.insert(format!("{one}Replace"), replace(subject));
    schemas.insert(format!("{one}Patch"), patch(subject));
    for (_, field, _) in subject.seen() {
        if let Kind::Json { schema: Some(schema), .. } = &field.kind {
            let name = value::document_name(subject, field);
            let document = embedded(schema, &name);
            schemas.insert(name, document);
        }
    }
}

/// A record, or what `fields` and the field rules leave of it.
pub(crate) fn any_of_record(subject: Subject<'_>) -> Json {
    let one = &subject.names.one;
    json!({ "anyOf": [reference(one), reference(&format!("{one}Part"))] })
}

/// The schema of a `json` field with its references led to where it stands now.
fn embedded(schema: &JsonSchema, name: &str) -> Json {
    let mut document = schema.document.clone();
    if document.get("$id").is_none() {
        lead(&mut document, name);
    }
    document
}

fn lead(schema: &mut Json, name: &str) {
    match schema {
        Json::Object(members) => {
            if let Some(Json::String(target)) = members.get_mut("$ref")
                && let Some(rest) = target.strip_prefix('#')
                && (rest.is_empty() || rest.starts_with('/'))
            {
                *target = format!("#/components/schemas/{name}{rest}");
            }
            members.values_mut().for_each(|member| lead(member, name));
        }
        Json::Array(items) => items.iter_mut().for_each(|item| lead(item, name)),
        _ => {}
    }
}

fn read(subject: Subject<'_>, whole: bool) -> Json {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (_, field, outlook) in subject.seen() {
        if field.origin == Origin::Id || (whole && outlook.sight == Prospect::Always) {
            required.push(Json::from(field.name.clone()));
        }
        let mut schema = described(value::of(subject, field, Way::Read), field, outlook.sight);
        if !field.required && !field.is_many() && field.is_declared() {
            schema = or_null(schema);
        }
        properties.insert(field.name.clone(), schema);
    }
    expand::add(subject, &mut properties);
    let description = match whole {
        true => subject.resource.doc.clone().unwrap_or_else(|| format!("A record of `{}`.", subject.resource.name)),
        false => format!(
            "What is left of a record of `{}`: where `fields` asks for some of it, or its writer may not read it.",
            subject.resource.name
        ),
    };
    object(description, properties, required)
}

fn page(subject: Subject<'_>) -> Json {
    let next = json!({ "type": ["string", "null"], "description": "The cursor of the next page; null on the last." });
    let count = json!({ "type": "integer", "minimum": 0, "description": "How many there are in all, where `count=true` asks." });
    let items = json!({ "type": "array", "maxItems": 200, "items": any_of_record(subject) });
    let properties = Map::from_iter([("items".into(), items), ("next".into(), next), ("count".into(), count)]);
    let description = format!("A page of `{}`.", subject.resource.name);
    object(description, properties, vec!["items".into(), "next".into()])
}

fn create(subject: Subject<'_>) -> Json {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (index, field, outlook) in subject.fields() {
        match field.origin {
            // Serial numbers are the server's; the others a client may name.
            Origin::Id if subject.resource.id_kind == model::IdKind::Integer => continue,
            Origin::Id if subject.resource.id_kind == model::IdKind::String => required.push("id".into()),
            Origin::Id => {}
            _ if !field.is_declared() || !outlook.writable => continue,
            _ if must_be_given(subject, index, field) => required.push(field.name.clone().into()),
            _ => {}
        }
        properties.insert(field.name.clone(), with_default(written(subject, index, field, outlook), field));
    }
    closed(subject, format!("A new record of `{}`.", subject.resource.name), properties, required)
}

fn replace(subject: Subject<'_>) -> Json {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (_, field, outlook) in subject.seen() {
        let own = field.is_declared() && outlook.writable && !field.immutable;
        if own && field.required && !has_default(subject, field) {
            required.push(field.name.clone().into());
        }
        let schema = kept_or(own, subject, field, outlook);
        properties.insert(field.name.clone(), if own { with_default(schema, field) } else { schema });
    }
    let description = format!(
        "All of a record of `{}` anew: what is absent becomes null or its default. What is read-only may be sent with the \
         value that it has.",
        subject.resource.name
    );
    closed(subject, description, properties, required)
}

fn patch(subject: Subject<'_>) -> Json {
    let mut properties = Map::new();
    for (_, field, outlook) in subject.seen() {
        let own = field.is_declared() && outlook.writable && !field.immutable;
        let mut schema = kept_or(own, subject, field, outlook);
        if own {
            schema = with_operators(subject, field, schema);
        }
        properties.insert(field.name.clone(), schema);
    }
    let description = format!(
        "Changes to a record of `{}` (JSON Merge Patch, RFC 7396): null clears, what is absent stays.",
        subject.resource.name
    );
    with_example(object(description, properties, Vec::new()), example::of_patch(subject))
}

/// A field that is written, or one that can only be sent back as it is.
fn kept_or(own: bool, subject: Subject<'_>, field: &Field, outlook: FieldOutlook) -> Json {
    let mut schema = or_cleared(described(value::of(subject, field, Way::Write), field, outlook.sight), field);
    if !own {
        schema["readOnly"] = true.into();
    }
    schema
}

/// What a patch takes beside a value: operators that are atomic on the server.
fn with_operators(subject: Subject<'_>, field: &Field, schema: Json) -> Json {
    let operator = |names: &[&str], operand: Json| {
        let properties: Map<_, _> = names.iter().map(|name| ((*name).to_owned(), operand.clone())).collect();
        json!({ "type": "object", "properties": properties, "minProperties": 1, "maxProperties": 1, "additionalProperties": false })
    };
    let mut free = field.clone();
    let step = match &mut free.kind {
        _ if field.is_list() => {
            let items = json!({ "type": "array", "items": value::item(subject, field, Way::Write) });
            operator(&["$append", "$remove"], items)
        }
        Kind::Integer { min, max } => {
            (*min, *max) = (None, None);
            operator(&["$increment"], value::item(subject, &free, Way::Write))
        }
        Kind::Float { min, max } => {
            (*min, *max) = (None, None);
            operator(&["$increment"], value::item(subject, &free, Way::Write))
        }
        Kind::Decimal { min, max, .. } => {
            (*min, *max) = (None, None);
            operator(&["$increment"], value::item(subject, &free, Way::Write))
        }
        // Members are merged into what is there.
        Kind::Json { .. } => json!({ "type": "object" }),
        _ => return schema,
    };
    let mut both = json!({ "anyOf": [schema, step] });
    if let Some(description) = both["anyOf"][0].as_object_mut().and_then(|members| members.remove("description")) {
        both["description"] = description;
    }
    both
}

/// Whether a creation has to say what a field is. People have an address; those that have none are machines, which are
/// made on the command line.
fn must_be_given(subject: Subject<'_>, index: FieldIndex, field: &Field) -> bool {
    is_address(subject, index) || (field.required && !has_default(subject, field))
}

fn is_address(subject: Subject<'_>, index: FieldIndex) -> bool {
    subject.resource.identity.as_ref().is_some_and(|identity| identity.fields.email == index)
}

/// A field of a new record.
pub(crate) fn written(subject: Subject<'_>, index: FieldIndex, field: &Field, outlook: FieldOutlook) -> Json {
    let schema = described(value::of(subject, field, Way::Write), field, outlook.sight);
    if is_address(subject, index) { schema } else { or_cleared(schema, field) }
}

fn or_cleared(schema: Json, field: &Field) -> Json {
    if field.required || field.origin != Origin::Declared { schema } else { or_null(schema) }
}

/// What an absent field becomes, where that is a value.
pub(crate) fn with_default(mut schema: Json, field: &Field) -> Json {
    if let Some(Default::Literal(literal)) = &field.default {
        let mut text = Vec::new();
        model::json::write_value(literal, &mut text);
        if let Ok(literal) = serde_json::from_slice(&text) {
            schema["default"] = literal;
        }
    }
    schema
}

/// Whether a writer may leave the field out though it is required.
pub(crate) fn has_default(subject: Subject<'_>, field: &Field) -> bool {
    match field.default {
        None => false,
        Some(Default::CallerId) => subject.view.sights.has_id,
        Some(_) => true,
    }
}

pub(crate) fn described(mut schema: Json, field: &Field, sight: Prospect) -> Json {
    let mut words: Vec<String> = field.doc.iter().cloned().collect();
    match (&field.kind, field.origin) {
        (_, Origin::CreatedAt) => words.push("When the record was created; kept by the server.".into()),
        (_, Origin::UpdatedAt) => words.push("When the record was last changed; kept by the server.".into()),
        (Kind::Json { .. }, _) => words.push("No name and no text in it may have a NUL.".into()),
        (Kind::Reference { many: false, .. }, _) => words.push("The id of another record.".into()),
        (Kind::Reference { many: true, .. }, _) => words.push("The ids of other records.".into()),
        _ => {}
    }
    if sight == Prospect::Perhaps {
        words.push("Absent where the caller may not read it.".into());
    }
    if field.immutable {
        words.push("Set at creation only.".into());
    }
    if field.unique {
        words.push("No two records have the same.".into());
    }
    if !words.is_empty() {
        let sentences = words.iter().map(|text| match text.ends_with(['.', '!', '?', '…']) {
            true => text.clone(),
            false => format!("{text}."),
        });
        schema["description"] = sentences.collect::<Vec<_>>().join(" ").into();
    }
    schema
}

fn object(description: impl Into<Json>, properties: Map<String, Json>, required: Vec<Json>) -> Json {
    let mut schema = Map::from_iter([
        ("type".to_owned(), "object".into()),
        ("description".to_owned(), description.into()),
        ("properties".to_owned(), properties.into()),
    ]);
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    schema.insert("additionalProperties".to_owned(), false.into());
    schema.into()
}

/// A body: with what the whole record has to obey, and an example.
fn closed(subject: Subject<'_>, mut description: String, properties: Map<String, Json>, required: Vec<Json>) -> Json {
    for validation in &subject.resource.validate {
        description.push_str(&format!("\n\n- {}", validation.message));
    }
    let schema = object(description, properties, required);
    let example = example::of_body(subject, &schema);
    with_example(schema, example)
}

fn with_example(mut schema: Json, example: Json) -> Json {
    if !example.is_null() {
        schema["examples"] = vec![example].into();
    }
    schema
}
