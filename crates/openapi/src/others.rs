//! The calls that every app has, whatever its resources.

use serde_json::{Map, Value as Json, json};

use crate::{
    answers::{always, with_problems},
    value::reference,
};

/// The tag of these calls.
pub(crate) const TAG: &str = "server";

/// Adds them.
pub(crate) fn add(paths: &mut Map<String, Json>) {
    let health = reference("Health");
    let text = json!({ "type": "string" });
    let page = json!({ "type": "string", "contentMediaType": "text/html" });
    let metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let calls = [
        ("/livez", "isAlive", "Whether the process runs", "application/json", &health, &[][..]),
        (
            "/readyz",
            "isReady",
            "Whether the database answers and has the right schema",
            "application/json",
            &health,
            &[],
        ),
        ("/metrics", "getMetrics", "Counts and times, in the text format of Prometheus", metrics, &text, &[]),
        ("/openapi.json", "getOpenApi", "This document", "application/json", &json!({ "type": "object" }), &[]),
        ("/docs", "getDocs", "A page to read and try this API", "text/html; charset=utf-8", &page, &[]),
    ];
    for (path, id, summary, kind, schema, statuses) in calls {
        paths.insert(path.to_owned(), json!({ "get": get(id, summary, kind, schema, statuses) }));
    }
    let slugs: Vec<&str> = model::Code::ALL.iter().map(|code| code.slug()).collect();
    let mut problem =
        get("getProblemPage", "What a kind of problem means", "text/html; charset=utf-8", &page, &[404, 406]);
    problem["responses"]["200"]["content"]["application/json"] = json!({ "schema": { "type": "object" } });
    problem["parameters"] = json!([{
        "name": "code",
        "in": "path",
        "required": true,
        "description": "The last part of a problem's `type`.",
        "schema": { "type": "string", "enum": slugs },
    }]);
    paths.insert("/problems/{code}".to_owned(), json!({ "get": problem }));
}

/// The schemas that they use.
pub(crate) fn schemas() -> Map<String, Json> {
    let health = json!({
        "type": "object",
        "description": "How the server is.",
        "properties": { "status": { "type": "string", "enum": ["alive", "ready"] } },
        "required": ["status"],
    });
    Map::from_iter([("Health".to_owned(), health)])
}

fn get(id: &str, summary: &str, kind: &str, schema: &Json, statuses: &[u16]) -> Json {
    let good = json!({ "description": "It is.", "headers": always(&[]), "content": { kind: { "schema": schema } } });
    json!({
        "operationId": id,
        "summary": summary,
        "tags": [TAG],
        "responses": with_problems(json!({ "200": good }), statuses),
    })
}
