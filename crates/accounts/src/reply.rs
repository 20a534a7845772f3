//! Answers of this protocol.

use auth::cookie::Cookies;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value as Json, json};
use web::{Body, json_reply};

/// Nothing under `/auth` may be kept by anybody.
pub(crate) fn never_store(reply: &mut Response<Body>) {
    reply.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: &Json) -> Response<Body> {
    json_reply(status, body.to_string().into_bytes())
}

/// 204
pub(crate) fn empty() -> Response<Body> {
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply
}

/// 202 with a ticket, the same whatever happens next.
pub(crate) fn ticket(ticket: &str) -> Response<Body> {
    json(StatusCode::ACCEPTED, &json!({ "ticket": ticket }))
}

/// 202 without anything to tell.
pub(crate) fn accepted() -> Response<Body> {
    json(StatusCode::ACCEPTED, &json!({}))
}

/// The public keys.
pub(crate) fn jwks(keys: &Json) -> Response<Body> {
    let mut reply = json(StatusCode::OK, keys);
    let headers = reply.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    reply
}

/// The answer to OPTIONS.
pub(crate) fn options(allowed: &'static str) -> Response<Body> {
    let mut reply = empty();
    reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    reply
}

/// Adds a cookie.
pub(crate) fn set_cookie(reply: &mut Response<Body>, cookie: Option<String>) {
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
        reply.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Takes the session's cookie away.
pub(crate) fn clear_cookie(reply: &mut Response<Body>, cookies: &Cookies) {
    set_cookie(reply, cookies.clear());
}
