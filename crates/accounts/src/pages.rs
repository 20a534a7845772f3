//! The pages that mailed links open where the app has none of its own: plain HTML, no inline script, nothing from elsewhere.
//!
//! The secret is in the fragment of the URL, which the browser sends to nobody; it is spent by POST, by the one who presses the
//! button.

use http::{HeaderValue, Response, StatusCode, header};
use web::{Body, text_reply};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// A page or what belongs to it; none for another path.
pub(crate) fn answer(name: &str) -> Option<Response<Body>> {
    let (kind, text) = match name {
        "join" => ("text/html; charset=utf-8", include_str!("pages/join.html")),
        "page.css" => ("text/css; charset=utf-8", include_str!("pages/page.css")),
        "page.js" => ("text/javascript; charset=utf-8", include_str!("pages/page.js")),
        "reset" => ("text/html; charset=utf-8", include_str!("pages/reset.html")),
        _ => return None,
    };
    let mut reply = text_reply(StatusCode::OK, text);
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    Some(reply)
}
