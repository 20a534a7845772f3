//! The small pages: health and metrics.

use std::sync::Arc;

use http::{HeaderValue, Response, StatusCode, header};
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
