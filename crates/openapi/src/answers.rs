//! Answers that many calls have: problems, and the headers that come with an answer.

use model::Code;
use serde_json::{Map, Value as Json, json};

use crate::value::reference;

/// The headers of answers, by their names among the components.
pub(crate) fn headers() -> Map<String, Json> {
    let text = |key: &str, description: &str| {
        (key.to_owned(), json!({ "description": description, "required": true, "schema": { "type": "string" } }))
    };
    let optional = |key: &str, description: &str, schema: Json| {
        (key.to_owned(), json!({ "description": description, "schema": schema }))
    };
    Map::from_iter([
        text("XRequestId", "Names the request in the log; the one that came with it, if it was sane."),
        text(
            "ETag",
            "A strong tag of this very answer. It begins with the record's revision, which `If-Match` compares.",
        ),
        text("Location", "The path of the new record."),
        text("CacheControl", "`private, no-cache`: ask again, with `If-None-Match`."),
        text("NoStore", "`no-store`: nobody keeps it."),
        text("Kept", "How long it may be kept."),
        text("Elsewhere", "Where the browser goes on."),
        text("Allow", "The methods that there are here."),
        text("WwwAuthenticate", "How to say who you are."),
        optional(
            "Link",
            "The next page (RFC 8288), where there is one: `<…>; rel=\"next\"`.",
            json!({ "type": "string" }),
        ),
        optional("OptionalETag", "The tag of the record, where the answer is one record.", json!({ "type": "string" })),
        optional(
            "OptionalLocation",
            "The path of the new record, where the answer is one.",
            json!({ "type": "string" }),
        ),
        optional(
            "IdempotencyReplayed",
            "`true` where this is the first answer to the key again.",
            json!({ "type": "string", "enum": ["true"] }),
        ),
        optional("PreferenceApplied", "Which of `Prefer` was heard.", json!({ "type": "string" })),
        optional(
            "RateLimit",
            "How much is left of each rate that holds here, and when it is renewed (IETF draft).",
            json!({ "type": "string" }),
        ),
        optional("RateLimitPolicy", "The rates that hold here (IETF draft).", json!({ "type": "string" })),
        optional("SetCookie", "The session, or its end, where it is in a cookie.", json!({ "type": "string" })),
        optional("RetryAfter", "When to try again, in seconds.", json!({ "type": "integer", "minimum": 0 })),
        optional("Accept", "The media types that are understood here.", json!({ "type": "string" })),
        optional("AcceptPatch", "The media types that are understood here.", json!({ "type": "string" })),
    ])
}

/// A reference to a header among the components.
pub(crate) fn header(key: &str) -> Json {
    json!({ "$ref": format!("#/components/headers/{key}") })
}

/// What every answer has.
pub(crate) fn always(more: &[(&str, &str)]) -> Json {
    let everywhere =
        [("X-Request-Id", "XRequestId"), ("RateLimit", "RateLimit"), ("RateLimit-Policy", "RateLimitPolicy")];
    let mut headers: Map<_, _> = everywhere.iter().map(|(name, key)| ((*name).to_owned(), header(key))).collect();
    headers.extend(more.iter().map(|(name, key)| ((*name).to_owned(), header(key))));
    Json::Object(headers)
}

/// An answer in JSON.
pub(crate) fn answer(description: &str, headers: &[(&str, &str)], schema: &Json) -> Json {
    json!({ "description": description, "headers": always(headers), "content": { "application/json": { "schema": schema } } })
}

/// An answer without a body.
pub(crate) fn empty(description: &str, headers: &[(&str, &str)]) -> Json {
    json!({ "description": description, "headers": always(headers) })
}

/// The schemas of problems.
pub(crate) fn schemas() -> Map<String, Json> {
    let types: Vec<String> = Code::ALL.iter().map(|code| format!("/problems/{}", code.slug())).collect();
    let flaw = json!({
        "type": "object",
        "description": "One fault in the input.",
        "properties": {
            "pointer": { "type": "string", "description": "Where in the body: a JSON Pointer (RFC 6901)." },
            "parameter": { "type": "string", "description": "Which parameter." },
            "code": { "type": "string", "description": "A word for programs: `required`, `type`, `unknown`, `min` …" },
            "detail": { "type": "string", "description": "A sentence for people." },
        },
        "required": ["code", "detail"],
    });
    let problem = json!({
        "type": "object",
        "description": "What went wrong (RFC 9457).",
        "properties": {
            "type": { "type": "string", "enum": types, "description": "Which kind; there is a page at this path." },
            "title": { "type": "string", "description": "The kind in words." },
            "status": { "type": "integer", "minimum": 400, "maximum": 599, "description": "The HTTP status." },
            "detail": { "type": "string", "description": "What is wrong this time." },
            "instance": { "type": "string", "description": "The path of the request." },
            "request_id": { "type": "string", "description": "The request's id, as in the log." },
            "errors": { "type": "array", "items": reference("ProblemFlaw"), "description": "Which parts of the input are at fault." },
        },
        "required": ["type", "title", "status", "detail", "instance", "request_id"],
    });
    Map::from_iter([("Problem".to_owned(), problem), ("ProblemFlaw".to_owned(), flaw)])
}

/// The answers of each status that says what went wrong, by their names among the components.
pub(crate) fn problems() -> Map<String, Json> {
    let mut statuses: Vec<u16> = Code::ALL.iter().map(|code| code.status()).collect();
    statuses.sort_unstable();
    statuses.dedup();
    statuses.into_iter().map(|status| (key(status), problem(status))).collect()
}

fn problem(status: u16) -> Json {
    let codes: Vec<Code> = Code::ALL.iter().copied().filter(|code| code.status() == status).collect();
    problem_of(&codes, &reference("Problem"))
}

/// The answer for some kinds of problem that have one status, and its name among the components.
pub(crate) fn told(codes: &[Code]) -> (String, Json) {
    let status = status_of(codes);
    if codes.len() == Code::ALL.iter().filter(|code| code.status() == status).count() {
        return (key(status), problem(status));
    }
    let types: Vec<String> = codes.iter().map(|code| format!("/problems/{}", code.slug())).collect();
    let schema = json!({ "allOf": [reference("Problem"), { "properties": { "type": { "enum": types } } }] });
    let slugs: Vec<&str> = codes.iter().map(|code| code.slug()).collect();
    (format!("{}.{}", key(status), slugs.join(".")), problem_of(codes, &schema))
}

/// The status of kinds of problem that have the same.
pub(crate) fn status_of(codes: &[Code]) -> u16 {
    codes.first().map_or(500, |code| code.status())
}

fn problem_of(codes: &[Code], schema: &Json) -> Json {
    let kinds: Vec<String> = codes.iter().map(|code| format!("{} (`{}`)", code.title(), code.slug())).collect();
    let headers: &[(&str, &str)] = match status_of(codes) {
        401 => &[("WWW-Authenticate", "WwwAuthenticate")],
        405 => &[("Allow", "Allow")],
        415 => &[("Accept", "Accept"), ("Accept-Patch", "AcceptPatch")],
        429 | 503 => &[("Retry-After", "RetryAfter")],
        _ => &[],
    };
    json!({
        "description": format!("{}.", kinds.join("; ")),
        "headers": always(headers),
        "content": { "application/problem+json": { "schema": schema } },
    })
}

fn key(status: u16) -> String {
    format!("Problem{status}")
}

/// Adds references to the problems of these statuses to the answers of a call.
pub(crate) fn with_problems(mut answers: Json, statuses: &[u16]) -> Json {
    // Whatever is asked, these may come: bad credentials, a request that is too large or too much, a fault of ours.
    const ANYWHERE: [u16; 7] = [400, 401, 414, 429, 431, 500, 503];
    let mut all: Vec<u16> = ANYWHERE.iter().chain(statuses).copied().collect();
    all.sort_unstable();
    all.dedup();
    for status in all {
        answers[status.to_string()] = json!({ "$ref": format!("#/components/responses/{}", key(status)) });
    }
    answers
}
