//! The whole document.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use model::Schema;
use serde_json::{Map, Value as Json, json};

use crate::{
    Site,
    accounts::{self, People},
    answers, calls, others, parameters, shapes,
    view::{Sights, View},
    writing,
};

/// Words about the API as a whole.
const ABOUT: &str = "\
Records are JSON. What you may see and do is decided by the access rules: a record that you may not read does not exist for \
you. This document is made for whoever asks for it: with other credentials it may show more, or less.

Times are RFC 3339 in UTC, decimals are strings, and nothing is coerced. Problems are `application/problem+json` (RFC 9457).";

/// The document of an app, for a reader who sees this much of it.
pub(crate) fn make(schema: &Schema, sights: &Sights, title: &str, site: &Site) -> Json {
    let mut schemas = answers::schemas();
    schemas.extend(others::schemas());
    schemas.extend(writing::schemas());
    let has_people = schema.people().is_some();
    let accounts: &[&str] = if has_people { &accounts::TYPES } else { &[] };
    let taken: Vec<&str> =
        schemas.keys().map(String::as_str).chain(accounts.iter().chain(&writing::TYPES).copied()).collect();
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
    shapes.insert("Batch".to_owned(), writing::batch_schema(&view));
    paths.insert("/api/batch".to_owned(), json!({ "post": writing::batch() }));
    others::add(&mut paths);
    let mut problems = answers::problems();
    let cookie = site.cookie.as_deref().filter(|_| has_people);
    if let Some(people) = People::of(&view) {
        accounts::add(people, cookie.is_some(), &mut paths, &mut schemas, &mut problems);
        tags.push(json!({ "name": accounts::TAG, "description": "Accounts, sessions, factors and keys." }));
    }
    tags.push(json!({ "name": others::TAG, "description": "The server itself." }));
    schemas.extend(shapes);
    let mut document = json!({
        "openapi": "3.1.0",
        "info": { "title": title, "version": "", "description": ABOUT },
        "security": open_to(cookie),
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": own,
            "headers": answers::headers(),
            "responses": problems,
            "securitySchemes": security(cookie),
        },
    });
    document["info"]["version"] = version(&document).into();
    // Wherever the app is reached, it is the same.
    document["servers"] = json!([{ "url": site.server }]);
    document
}

/// Strangers are welcome, and whoever says in some way who it is.
fn open_to(cookie: Option<&str>) -> Json {
    let ways = [json!({}), json!({ "bearer": [] }), json!({ "cookie": [] })];
    ways.into_iter().take(if cookie.is_some() { 3 } else { 2 }).collect()
}

fn security(cookie: Option<&str>) -> Json {
    let mut schemes = json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An access token or an API key: `Authorization: Bearer …`. Without it you are a stranger.",
        },
    });
    if let Some(name) = cookie {
        schemes["cookie"] = json!({
            "type": "apiKey",
            "in": "cookie",
            "name": name,
            "description": "The session of a browser, begun with `Mainstay-Session: cookie`. What changes anything has to come from a page of this app.",
        });
    }
    schemes
}

/// Changes whenever anything in the document does, but for the place where the app is reached.
fn version(document: &Json) -> String {
    let mut hasher = DefaultHasher::new();
    document.to_string().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
