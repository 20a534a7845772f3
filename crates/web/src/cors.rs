//! Cross-origin requests (the Fetch standard): who of other origins may read answers.

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use crate::{body::Body, vary};

/// What a page of another origin may send.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
const HEADERS: &str = "Authorization, Content-Type, Content-Encoding, If-Match, If-None-Match, Idempotency-Key, Last-Event-ID, \
                       Mainstay-Session, Prefer, X-Request-Id, traceparent, tracestate";
/// What a page of another origin may read besides the body.
const EXPOSED: &str = "ETag, Link, Location, Retry-After, WWW-Authenticate, Allow, Accept-Patch, Preference-Applied, \
                       Idempotency-Replayed, RateLimit, RateLimit-Policy, Server-Timing, X-Request-Id, traceparent";

/// The origins whose pages may call.
#[derive(Debug, Clone, Default)]
pub struct Cors {
    origins: Vec<String>,
    any: bool,
}

impl Cors {
    /// Exact origins; `*` is any.
    #[must_use]
    pub fn new(origins: Vec<String>) -> Self {
        let any = origins.iter().any(|origin| origin == "*");
        Self { origins, any }
    }

    /// The answer to a preflight, where the request is one.
    #[must_use]
    pub fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response<Body>> {
        if method != Method::OPTIONS || !headers.contains_key(header::ORIGIN) {
            return None;
        }
        headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
        let mut reply = Response::new(Body::empty());
        *reply.status_mut() = StatusCode::NO_CONTENT;
        if self.allowed(headers).is_some() {
            let to = reply.headers_mut();
            to.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
            to.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
            to.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
        let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
        reply.headers_mut().insert(header::VARY, HeaderValue::from_static(vary));
        Some(reply)
    }

    /// Adds to an answer what its reader's browser asks for.
    pub fn finish(&self, request: &HeaderMap, reply: &mut HeaderMap) {
        if self.origins.is_empty() {
            return;
        }
        if !self.any {
            vary::add(reply, "Origin");
        }
        if let Some(origin) = self.allowed(request) {
            reply.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            if !self.any {
                // Cookies go along for exact origins alone.
                reply.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
            reply.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }

    fn allowed(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let origin = request.get(header::ORIGIN)?;
        if self.any {
            return Some(HeaderValue::from_static("*"));
        }
        self.origins.iter().any(|known| known.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }
}
