//! Answers, and problems as answers.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use model::Problem;

use crate::{body::Body, request::Request};

/// A JSON answer.
#[must_use]
pub fn json_reply(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    let mut reply = Response::new(Body::Whole(Some(Bytes::from(body))));
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

/// A plain text answer.
#[must_use]
pub fn text_reply(status: StatusCode, body: &str) -> Response<Body> {
    let mut reply = Response::new(Body::Whole(Some(Bytes::copy_from_slice(body.as_bytes()))));
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    reply
}

/// HEAD says what GET would, length included, without the body.
#[must_use]
pub fn without_body_for_head(request: &Request<'_>, mut reply: Response<Body>) -> Response<Body> {
    if request.method == Method::HEAD {
        if let Some(length) = reply.body().length().filter(|_| reply.status() == StatusCode::OK) {
            reply.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        *reply.body_mut() = Body::empty();
    }
    reply
}

/// A problem as `application/problem+json`, with the headers that its kind asks for.
#[must_use]
pub fn problem_reply(problem: &Problem, request: &Request<'_>) -> Response<Body> {
    if let Some(cause) = &problem.cause {
        let request_id = &*request.id;
        let code = problem.code.slug();
        let trace_id = format!("{:032x}", request.trace.trace_id);
        if problem.code.status() >= 500 {
            tracing::error!(request_id, trace_id, code, cause, "a request failed");
        } else {
            tracing::warn!(request_id, trace_id, code, cause, "a request was refused");
        }
    }
    let document = problem.to_json(request.path, &request.id);
    let mut reply = Response::new(Body::Whole(Some(Bytes::from(document.to_string()))));
    *reply.status_mut() = StatusCode::from_u16(problem.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(allow) = problem.extra.allow {
        headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    if let Some(seconds) = problem.extra.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some((name, accepted)) = problem.extra.accept {
        headers.insert(http::HeaderName::from_static(name), HeaderValue::from_static(accepted));
    }
    if problem.code.status() == 401 {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"mainstay\""));
    }
    reply
}
