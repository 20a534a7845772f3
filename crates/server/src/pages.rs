//! The small pages: health, metrics, and what each kind of problem means.

use std::sync::Arc;

use http::{HeaderValue, Response, StatusCode, header};
use model::Code;
use web::{Body, Metrics, json_reply, text_reply};

/// `/livez`: the process runs.
pub(crate) fn alive() -> Response<Body> {
    json_reply(StatusCode::OK, br#"{"status":"alive"}"#.to_vec())
}

/// `/readyz`: the database answers, and its schema is the app's.
pub(crate) fn ready() -> Response<Body> {
    json_reply(StatusCode::OK, br#"{"status":"ready"}"#.to_vec())
}

/// `/metrics`: the text format of Prometheus (`OpenMetrics` 1.0).
pub(crate) fn metrics(metrics: &Arc<Metrics>) -> Response<Body> {
    let mut reply = text_reply(StatusCode::OK, &metrics.render());
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    reply.headers_mut().insert(header::CONTENT_TYPE, kind);
    reply
}

/// `/problems/{slug}`: what a kind of problem means; none for a slug that is none.
pub(crate) fn problem(slug: &str) -> Option<Response<Body>> {
    let code = Code::ALL.iter().find(|code| code.slug() == slug)?;
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <h1>{status} {title}</h1><p>Problems of the type <code>/problems/{slug}</code> have the HTTP status {status}. \
         <code>detail</code> says what was wrong this time, <code>errors</code> where, and <code>request_id</code> is \
         under which the log has it.</p></html>",
        title = code.title(),
        status = code.status(),
    );
    let mut reply = text_reply(StatusCode::OK, &page);
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
    Some(reply)
}
