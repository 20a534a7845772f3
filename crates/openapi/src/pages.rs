//! The files of the page, which travel inside the program: nothing is fetched from elsewhere.

use http::{HeaderValue, Response, StatusCode, header};
use web::{Body, text_reply};

/// Only our own files, nothing inline, no frames, and no server but this one.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Name below `/docs/`, media type, text.
const FILES: [(&str, &str, &str); 4] = [
    ("docs.css", "text/css; charset=utf-8", include_str!("../assets/docs.css")),
    ("docs.js", "text/javascript; charset=utf-8", include_str!("../assets/docs.js")),
    ("request.js", "text/javascript; charset=utf-8", include_str!("../assets/request.js")),
    ("schema.js", "text/javascript; charset=utf-8", include_str!("../assets/schema.js")),
];
const PAGE: &str = include_str!("../assets/docs.html");

/// The page, or a file below it.
pub(crate) fn find(file: Option<&str>) -> Option<Response<Body>> {
    let (kind, text) = match file {
        None | Some("") => ("text/html; charset=utf-8", PAGE),
        Some(name) => {
            let (_, kind, text) = FILES.iter().find(|(known, _, _)| *known == name)?;
            (*kind, *text)
        }
    };
    let mut reply = text_reply(StatusCode::OK, text);
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Some(reply)
}
