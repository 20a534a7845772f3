//! What writes take besides a body, and writes of many records: by a filter, or one after the other in one transaction.

use model::FieldIndex;
use rules::Prospect;
use serde_json::{Map, Value as Json, json};

use crate::{
    answers::{always, answer, header, with_problems},
    others,
    parameters::{filters, reference as parameter},
    value::reference,
    view::{Subject, View},
};

/// The most operations of a batch.
const BATCH: usize = 100;
/// Parameters that narrow no list, whose names are taken all the same where records are changed by a filter.
const TAKEN: [&str; 8] = ["filter", "limit", "cursor", "offset", "count", "sort", "fields", "expand"];

/// Parameters that are the same for every resource, by their names among the components.
pub(crate) fn common() -> Map<String, Json> {
    let one = |key: &str, name: &str, schema: Json, description: &str| {
        (key.to_owned(), json!({ "name": name, "in": "header", "description": description, "schema": schema }))
    };
    Map::from_iter([
        one(
            "IdempotencyKey",
            "Idempotency-Key",
            json!({ "type": "string", "format": "idempotency-key", "minLength": 1, "maxLength": 255 }),
            "Names this very write: within 24 hours the same key gets the first answer again, and nothing is written twice.",
        ),
        one(
            "Prefer",
            "Prefer",
            json!({ "type": "string", "examples": ["return=minimal", "return=representation"] }),
            "`return=minimal` asks for an answer without a body (RFC 7240).",
        ),
    ])
}

/// An answer to a write, which may be one that was given before.
pub(crate) fn written(mut answer: Json) -> Json {
    answer["headers"]["Idempotency-Replayed"] = header("IdempotencyReplayed");
    answer["headers"]["Preference-Applied"] = header("PreferenceApplied");
    answer
}

/// Nothing but headers, as `Prefer: return=minimal` asks.
pub(crate) fn minimal() -> Json {
    let headers = [("ETag", "OptionalETag")];
    written(json!({ "description": "Done, as `Prefer: return=minimal` asks.", "headers": always(&headers) }))
}

/// `upsert`: the unique fields and indexes by which a record can be found.
pub(crate) fn upsert(subject: Subject<'_>) -> Option<Json> {
    let keys = upsert_keys(subject);
    let description = "A unique field, or the fields of a unique index: where a record has these values already, it is changed instead (200), and what it has may be left out of the body.";
    let schema = json!({ "type": "string", "enum": keys });
    (!keys.is_empty()).then(|| json!({ "name": "upsert", "in": "query", "description": description, "schema": schema }))
}

fn upsert_keys(subject: Subject<'_>) -> Vec<String> {
    let seen = |field: FieldIndex| subject.outlook.fields[field.0 as usize].sight != Prospect::Never;
    let fields = subject.seen().filter(|(_, field, _)| field.unique && field.is_declared());
    let mut keys: Vec<String> = fields.map(|(_, field, _)| field.name.clone()).collect();
    for index in subject.resource.indexes.iter().filter(|index| index.unique) {
        if index.columns.iter().all(|(field, _)| seen(*field)) {
            let names: Vec<&str> =
                index.columns.iter().map(|(field, _)| subject.resource.get(*field).name.as_str()).collect();
            keys.push(names.join(","));
        }
    }
    keys.sort();
    keys.dedup();
    keys
}

/// The calls that change and delete all records that match.
pub(crate) fn matching(subject: Subject<'_>, verb: &str) -> Json {
    let (names, name) = (subject.names, subject.resource.name.replace('_', " "));
    let filter = json!({ "type": "string", "format": "cel", "minLength": 1, "maxLength": 4096 });
    let mut asked = vec![json!({
        "name": "filter",
        "in": "query",
        "description": "Which records, in CEL; `true` for all. Short filters narrow it further, or stand for it; one of them has to be there.",
        "schema": filter,
    })];
    asked.push(parameter("Prefer"));
    let counted = answer("How many were changed.", &[], &reference("Counted"));
    let mut call = json!({
        "operationId": format!("{verb}{}Where", names.many),
        "summary": match verb {
            "update" => format!("Change all {name} that match"),
            _ => format!("Delete all {name} that match"),
        },
        "description": "One transaction, each record under its own rules; over 1,000 records are refused.",
        "tags": [subject.resource.name],
    });
    if verb == "update" {
        asked.push(parameter("IdempotencyKey"));
        let patch = reference(&format!("{}Patch", names.one));
        call["requestBody"] = json!({
            "required": true,
            "content": { "application/merge-patch+json": { "schema": patch }, "application/json": { "schema": patch } },
        });
    }
    asked.extend(filters(subject, &TAKEN));
    call["parameters"] = asked.into();
    let answers = json!({ "200": written(counted), "204": minimal() });
    call["responses"] = with_problems(answers, &[403, 404, 405, 406, 408, 409, 413, 415, 422]);
    call
}

/// `POST /api/batch`
pub(crate) fn batch() -> Json {
    let done = answer("What each operation came to, in order.", &[], &reference("BatchResults"));
    json!({
        "operationId": "batch",
        "summary": "Several writes in one transaction",
        "description": "All operations or none, in order, each under its own rules. `\"$0.id\"`, in a path or as the whole value of a reference, is the id of the first operation's record.",
        "tags": [others::TAG],
        "parameters": [parameter("IdempotencyKey"), parameter("Prefer")],
        "requestBody": { "required": true, "content": { "application/json": { "schema": reference("Batch") } } },
        "responses": with_problems(json!({ "200": written(done) }), &[403, 404, 405, 406, 408, 409, 412, 413, 415, 422]),
    })
}

/// The types that they use, but for [`batch_schema`].
pub(crate) const TYPES: [&str; 1] = ["Batch"];

/// What `POST /api/batch` takes: the methods, each with the paths that it is for.
pub(crate) fn batch_schema(view: &View<'_>) -> Json {
    let lists: Vec<String> = view
        .subjects()
        .map(|subject| match upsert_keys(subject).join("|") {
            none if none.is_empty() => subject.resource.name.clone(),
            keys => format!("{}(\\?upsert=({keys}))?", subject.resource.name),
        })
        .collect();
    let names: Vec<&str> = view.subjects().map(|subject| subject.resource.name.as_str()).collect();
    let operation = |methods: &[&str], path: String, more: Json| {
        let mut properties = json!({
            "method": { "type": "string", "enum": methods },
            "path": { "type": "string", "pattern": path },
        });
        if let (Some(properties), Json::Object(more)) = (properties.as_object_mut(), more) {
            properties.extend(more);
        }
        let required: &[&str] =
            if properties.get("body").is_some() { &["method", "path", "body"] } else { &["method", "path"] };
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
    };
    let body = json!({ "type": "object", "description": "The record, or what becomes of it." });
    let if_match = json!({ "type": "string", "description": "An `ETag`, as in `If-Match`." });
    let one = format!("^/api/({})/[A-Za-z0-9_~.$-]+$", names.join("|"));
    let operations = json!({ "anyOf": [
        operation(&["POST"], format!("^/api/({})$", lists.join("|")), json!({ "body": body })),
        operation(&["PUT", "PATCH"], one.clone(), json!({ "body": body, "if_match": if_match })),
        operation(&["DELETE"], one, json!({ "if_match": if_match })),
    ] });
    json!({
        "type": "object",
        "properties": { "operations": { "type": "array", "items": operations, "maxItems": BATCH } },
        "required": ["operations"],
        "additionalProperties": false,
    })
}

/// The schemas that they use.
pub(crate) fn schemas() -> Map<String, Json> {
    let result = json!({
        "type": "object",
        "properties": { "status": { "type": "integer" }, "body": { "type": "object" }, "etag": { "type": "string" } },
        "required": ["status"],
    });
    let results = json!({
        "type": "object",
        "properties": { "results": { "type": "array", "items": result, "maxItems": BATCH } },
        "required": ["results"],
    });
    let counted = json!({
        "type": "object",
        "properties": { "count": { "type": "integer", "minimum": 0 } },
        "required": ["count"],
        "additionalProperties": false,
    });
    Map::from_iter([("BatchResults".to_owned(), results), ("Counted".to_owned(), counted)])
}
