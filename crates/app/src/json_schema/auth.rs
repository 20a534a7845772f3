//! `[roles]`, and the `[auth]` table of a resource.

use model::identity::{Method, PERSON_FIELDS};
use serde_json::{Map, Value as Json, json};

use crate::resource::{
    auth::{EXPOSABLE, KEYS, LONGEST_PASSWORD, PROVIDER_KEYS, SIGN_UP},
    names,
};

const ROLE: &str = "^[a-z][a-z0-9_-]{0,63}$";

/// `[roles]`
pub(super) fn roles() -> Json {
    json!({
        "type": "object",
        "description": "Roles, and the roles that they include. `admin` is built in and passes every access rule.",
        "propertyNames": { "pattern": ROLE },
        "maxProperties": 200,
        "additionalProperties": {
            "type": "object",
            "properties": { "includes": { "type": "array", "items": { "type": "string", "pattern": ROLE } } },
            "additionalProperties": false,
        },
    })
}

/// `[auth]`
pub(super) fn people() -> Json {
    let properties: Map<String, Json> = KEYS
        .iter()
        .map(|(key, doc)| {
            let mut schema = form(key);
            schema["description"] = (*doc).into();
            ((*key).to_owned(), schema)
        })
        .collect();
    json!({
        "type": "object",
        "description": "Makes the records of this resource the people who sign in.",
        "properties": properties,
        "additionalProperties": false,
    })
}

fn text() -> Json {
    json!({ "anyOf": [{ "type": "string", "minLength": 1 }, { "$ref": "#/$defs/outside" }] })
}

fn texts() -> Json {
    json!({ "type": "array", "items": text() })
}

fn words(words: impl Iterator<Item = &'static str>) -> Json {
    json!({ "enum": words.collect::<Vec<_>>() })
}

fn object(properties: &Json) -> Json {
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn form(key: &str) -> Json {
    let with = |mut schema: Json, default: Json| {
        schema["default"] = default;
        schema
    };
    match key {
        "sign_up" => with(words(SIGN_UP.iter().map(|(word, _)| *word)), json!("open")),
        "verify_email" => json!({ "type": "boolean", "default": false }),
        "methods" => with(
            json!({ "type": "array", "minItems": 1, "items": words(Method::ALL.iter().map(|(word, _)| *word)) }),
            json!(["password"]),
        ),
        "access_ttl" => with(text(), json!("10m")),
        "session_ttl" => with(text(), json!("30d")),
        "session_max" => with(text(), json!("180d")),
        "password" => {
            let count = json!({ "type": "integer", "minimum": 1, "maximum": LONGEST_PASSWORD });
            with(object(&json!({ "min": count, "max": count })), json!({ "min": 10, "max": 256 }))
        }
        "return_urls" => with(texts(), json!([])),
        "expose" => with(json!({ "type": "array", "items": words(EXPOSABLE.iter().copied()) }), json!([])),
        "links" => object(&json!({ "reset": text(), "invite": text() })),
        "passkey" => object(&json!({ "rp_id": text(), "origins": texts() })),
        "oauth" => json!({ "type": "object", "additionalProperties": provider() }),
        _ => text(),
    }
}

fn provider() -> Json {
    let properties: Map<String, Json> = PROVIDER_KEYS
        .iter()
        .map(|key| ((*key).to_owned(), if *key == "link_by_email" { json!({ "type": "boolean" }) } else { text() }))
        .collect();
    json!({ "type": "object", "required": ["client_id"], "properties": properties, "additionalProperties": false })
}

/// A person's fields need no type, and may be of no other.
pub(super) fn person_fields() -> Json {
    let one = |name: &&str| {
        let kind = match *name {
            "email" => "email",
            "roles" => "string",
            "claims" => "json",
            _ => "boolean",
        };
        ((*name).to_owned(), json!({ "properties": { "type": { "const": kind } } }))
    };
    debug_assert!(PERSON_FIELDS.iter().all(|name| names::is_name(name)), "a person's field has no good name");
    Json::Object(PERSON_FIELDS.iter().map(one).collect())
}
