//! JSON Schemas (2020-12) of `mainstay.toml` and of a resource's file, for editors that complete and underline. They are
//! made from the lists that the reader goes by, so that both know the same keys.

mod auth;

use serde_json::{Map, Value as Json, json};

use crate::{
    resource::{
        names,
        options::{self, ACCESS, FieldOption, Form, OPTIONS, TYPES},
    },
    settings::{
        alerts,
        keys::{self, SECTIONS},
        limits,
    },
};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of `mainstay.toml`.
#[must_use]
pub fn json_schema_settings() -> Json {
    let mut properties = Map::new();
    for section in SECTIONS {
        let keys: Map<String, Json> = section.keys.iter().map(|key| (key.name.to_owned(), settings_key(key))).collect();
        let object = json!({
            "type": "object",
            "description": section.doc,
            "properties": keys,
            "additionalProperties": false,
        });
        properties.insert(section.name.to_owned(), object);
    }
    properties.insert("roles".to_owned(), auth::roles());
    properties.insert(limits::SECTION.to_owned(), rates());
    properties.insert(alerts::SECTION.to_owned(), alert());
    json!({
        "$schema": DIALECT,
        "title": "mainstay.toml",
        "description": "The settings of a Mainstay app. Every key has a default, and the environment wins: MAINSTAY_SERVER__LISTEN.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "$defs": { "outside": outside() },
    })
}

/// `[limits]`, whose keys are paths.
fn rates() -> Json {
    let text = json!({ "type": "string", "pattern": limits::RATE, "description": "Operations in a time: \"100/1m\"." });
    let table = json!({
        "type": "object",
        "properties": {
            "rate": text,
            "burst": {
                "type": "integer", "minimum": 1, "maximum": limits::MOST,
                "description": "How many may come at once; as many as the rate has in its time unless set.",
            },
            "per": {
                "enum": limits::PER.map(|(word, _)| word), "default": "address",
                "description": "Who shares the rate: an address, a person or key (strangers by their address), or all.",
            },
        },
        "required": ["rate"],
        "additionalProperties": false,
    });
    let one = json!({ "anyOf": [text, table] });
    json!({
        "type": "object",
        "description": "How often callers may ask, by path: \"/api/*\" or \"POST /api/orders\". An empty list lifts a default.",
        "propertyNames": { "pattern": limits::PATHS },
        "additionalProperties": { "anyOf": [one, { "type": "array", "items": one }] },
        "default": { limits::DEFAULT.0: limits::DEFAULT.1 },
    })
}

/// `[alerts]`, whose keys are names.
fn alert() -> Json {
    let doc = |key: &str| alerts::KEYS.iter().find(|(name, _)| *name == key).map_or("", |(_, doc)| *doc);
    let text =
        |key: &str| json!({ "anyOf": [{ "type": "string" }, { "$ref": "#/$defs/outside" }], "description": doc(key) });
    let event = json!({
        "anyOf": [
            { "enum": model::audit::EVENTS.iter().map(|(name, _)| *name).collect::<Vec<_>>() },
            { "type": "string", "pattern": "^[a-z_]*\\*$" },
        ],
    });
    let one = json!({
        "type": "object",
        "properties": {
            "on": { "anyOf": [event, { "type": "array", "items": event, "minItems": 1 }], "description": doc("on") },
            "rate": { "type": "string", "pattern": limits::RATE, "description": doc("rate") },
            "per": { "enum": alerts::PER.map(|(word, _)| word), "default": "address", "description": doc("per") },
            "to": text("to"),
            "secret": text("secret"),
            "allow_private": { "type": "boolean", "default": false, "description": doc("allow_private") },
            "pause": { "type": "string", "default": alerts::PAUSE.0, "description": doc("pause") },
        },
        "required": ["on", "rate", "to"],
        "additionalProperties": false,
    });
    json!({
        "type": "object",
        "description": "Rates of events of the audit log that are told by webhook or mail, by a name each.",
        "propertyNames": { "pattern": "^[A-Za-z0-9_-]{1,64}$" },
        "additionalProperties": one,
    })
}

/// A value that comes from the environment or a file.
fn outside() -> Json {
    let one = |key: &str, doc: &str| {
        json!({
            "type": "object",
            "properties": { key: { "type": "string", "description": doc } },
            "required": [key],
            "additionalProperties": false,
        })
    };
    json!({ "oneOf": [one("env", "The environment variable that holds the value."), one("file", "The file that holds the value.")] })
}

fn settings_key(key: &keys::Key) -> Json {
    let outside = json!({ "$ref": "#/$defs/outside" });
    let text = json!({ "anyOf": [{ "type": "string" }, outside] });
    let mut schema = match key.form {
        keys::Form::Text | keys::Form::Duration { .. } => text,
        keys::Form::Texts => json!({ "type": "array", "items": text }),
        keys::Form::Size { least, most } => {
            json!({ "anyOf": [{ "type": "string" }, { "type": "integer", "minimum": least, "maximum": most }, outside] })
        }
        keys::Form::Count { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        keys::Form::Choice(words) => json!({ "anyOf": [{ "enum": words }, outside] }),
    };
    schema["description"] = key.doc.into();
    if let Ok(default) = serde_json::from_str::<Json>(key.default) {
        schema["default"] = default;
    }
    schema
}

/// The schema of a file of `resources/`.
#[must_use]
pub fn json_schema_resource() -> Json {
    let name = json!({ "type": "string", "pattern": names::PATTERN, "maxLength": names::LONGEST });
    json!({
        "$schema": DIALECT,
        "title": "A resource of a Mainstay app",
        "type": "object",
        "properties": {
            "id": {
                "enum": ["uuid", "integer", "string"],
                "default": "uuid",
                "description": "How records are named: a UUID, a serial number, or a string that the client gives.",
            },
            "timestamps": {
                "type": "boolean",
                "default": true,
                "description": "Whether the server keeps created_at and updated_at.",
            },
            "doc": { "type": "string", "description": "A description, for the OpenAPI document." },
            "auth": auth::people(),
            "fields": {
                "type": "object",
                "description": "The fields, in the order of the answer.",
                "propertyNames": { "allOf": [name, { "not": { "enum": names::RESERVED_FIELDS } }] },
                "additionalProperties": { "$ref": "#/$defs/field" },
            },
            "access": {
                "type": "object",
                "description": "Who may do what, in CEL. A rule that is absent denies everyone but administrators.",
                "properties": ACCESS
                    .iter()
                    .map(|(rule, doc)| ((*rule).to_owned(), json!({ "type": "string", "description": doc })))
                    .collect::<Map<_, _>>(),
                "additionalProperties": false,
            },
            "validate": {
                "type": "object",
                "description": "Rules of the whole record, in CEL over `new`. The key is the message that a writer reads.",
                "additionalProperties": { "type": "string" },
            },
            "indexes": {
                "type": "object",
                "description": "Indexes by name; `-` before a field is descending.",
                "propertyNames": name,
                "additionalProperties": { "$ref": "#/$defs/index" },
            },
            "events": {
                "type": "object",
                "description": "What the event log keeps of this resource.",
                "properties": {
                    "keep": {
                        "enum": ["full", "ids"],
                        "default": "full",
                        "description": "The record before and after a change, or its id alone.",
                    },
                },
                "additionalProperties": false,
            },
        },
        "additionalProperties": false,
        "if": { "required": ["auth"] },
        "then": {
            "properties": {
                "id": { "enum": ["uuid", "integer"] },
                "fields": { "properties": auth::person_fields() },
            },
        },
        "else": { "properties": { "fields": { "additionalProperties": { "required": ["type"] } } } },
        "$defs": { "field": field(), "index": index(), "outside": outside() },
    })
}

fn field() -> Json {
    let mut properties = Map::new();
    let types: Vec<Json> = TYPES.iter().map(|known| json!({ "const": known.name, "description": known.doc })).collect();
    properties.insert("type".to_owned(), json!({ "oneOf": types, "description": "What the field holds." }));
    for option in OPTIONS {
        let mut schema = option_form(option);
        schema["description"] = option.doc.into();
        properties.insert(option.name.to_owned(), schema);
    }
    json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "allOf": TYPES.iter().map(|known| only_for(known.name)).collect::<Vec<_>>(),
    })
}

/// What holds for one type: options of other types are out, limits have its type, and some options have to be there.
fn only_for(type_name: &str) -> Json {
    let mut properties = Map::new();
    for option in OPTIONS {
        if !options::applies(option, type_name) {
            properties.insert(option.name.to_owned(), false.into());
        } else if matches!(option.form, Form::Limit) {
            properties.insert(option.name.to_owned(), limit(type_name, option.name));
        }
    }
    let mut then = json!({ "properties": properties });
    match type_name {
        "enum" => then["required"] = json!(["values"]),
        "reference" => then["required"] = json!(["to"]),
        _ => {}
    }
    json!({ "if": { "properties": { "type": { "const": type_name } }, "required": ["type"] }, "then": then })
}

fn limit(type_name: &str, option: &str) -> Json {
    match type_name {
        "integer" => json!({ "type": "integer" }),
        "float" => json!({ "type": "number" }),
        "decimal" => json!({ "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$" }),
        _ => json!({ "type": "integer", "minimum": u64::from(option == "max"), "maximum": options::MAX_CHARACTERS }),
    }
}

fn option_form(option: &FieldOption) -> Json {
    match option.form {
        Form::Text | Form::Rule => json!({ "type": "string" }),
        Form::Boolean => json!({ "type": "boolean", "default": false }),
        Form::Count { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Form::Choice(words) => json!({ "enum": words, "default": words[0] }),
        Form::Values => {
            json!({ "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 1, "uniqueItems": true })
        }
        Form::Size { least, most } => {
            json!({ "anyOf": [{ "type": "string" }, { "type": "integer", "minimum": least, "maximum": most }] })
        }
        Form::Schema => json!({ "type": ["object", "boolean"] }),
        Form::Name | Form::Resource => {
            json!({ "type": "string", "pattern": names::PATTERN, "maxLength": names::LONGEST })
        }
        Form::Limit | Form::Default => json!({}),
    }
}

fn index() -> Json {
    let fields = json!({
        "type": "array",
        "items": { "type": "string", "pattern": names::PATTERN.replacen('^', "^-?", 1) },
        "minItems": 1,
        "maxItems": 8,
        "description": "The fields, in order.",
    });
    let unique = json!({
        "type": "boolean",
        "default": false,
        "description": "Whether no two records may have the same values.",
    });
    let renamed_from =
        json!({ "type": "string", "description": "The name it had before: the next migration renames it." });
    json!({
        "oneOf": [
            fields,
            {
                "type": "object",
                "properties": { "fields": fields, "unique": unique, "renamed_from": renamed_from },
                "required": ["fields"],
                "additionalProperties": false,
            },
        ],
    })
}
