//! The whole document.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use model::Schema;
use serde_json::{Map, Value as Json, json};

use crate::{
    accounts, answers, calls, others, parameters, shapes,
    view::{Sights, View},
    writing,
};

/// Words about the API as a whole.
const ABOUT: &str = "\
Records are JSON. What you may see and do is decided by the access rules: a record that you may not read does not exist for \
you. This document is made for whoever asks for it: with other credentials it may show more, or less.

Times are RFC 3339 in UTC, decimals are strings, and nothing is coerced. Problems are `application/problem+json` (RFC 9457).";

/// The document of an app, for a reader who sees this much of it.
pub(crate) fn make(schema: &Schema, sights: &Sights, title: &str, server: &str) -> Json {
    let mut schemas = answers::schemas();
    schemas.extend(others::schemas());
    schemas.extend(writing::schemas());
    let has_people = schema.people().is_some();
    if has_people {
        schemas.extend(accounts::schemas());
    }
    let taken: Vec<&str> = schemas.keys().map(String::as_str).collect();
    let view = View::new(schema, sights, &taken);
    let mut own = parameters::common();
    own.extend(writing::common());
    let mut paths = Map::new();
    let mut tags = Vec::new();
    let mut shapes = Map::new();
    for subject in view.subjects() {
        let mut tag = json!({ "name": subject.resource.name });
        if let Some(doc) = &subject.resource.doc {
            tag["description"] = doc.clone().into();
        }
        tags.push(tag);
        calls::add(subject, &mut paths);
        shapes::add(subject, &mut shapes);
        parameters::add(subject, &mut own);
    }
    paths.insert("/api/batch".to_owned(), json!({ "post": writing::batch() }));
    others::add(&mut paths);
    if has_people {
        accounts::add(&mut paths);
        tags.push(json!({ "name": accounts::TAG, "description": "Accounts, sessions, factors and keys." }));
    }
    tags.push(json!({ "name": others::TAG, "description": "The server itself." }));
    schemas.extend(shapes);
    let mut document = json!({
        "openapi": "3.1.0",
        "info": { "title": title, "version": "", "description": ABOUT },
        "servers": [{ "url": server }],
        "security": [{}, { "bearer": [] }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": own,
            "headers": answers::headers(),
            "responses": answers::problems(),
            "securitySchemes": security(),
        },
    });
    document["info"]["version"] = version(&document).into();
    document
}

fn security() -> Json {
    json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An access token or an API key: `Authorization: Bearer …`. Without it you are a stranger.",
        },
    })
}

/// Changes whenever anything in the document does.
fn version(document: &Json) -> String {
    let mut hasher = DefaultHasher::new();
    document.to_string().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
