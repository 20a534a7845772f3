//! Which answers stand in the audit log as denials, whatever protocol gave them: 401, 403, 429, and records that are not there for
//! whoever asked.
//!
//! They are noted in memory and folded by minute, so that a flood of them costs a look into a table each. What a line says of the
//! path comes from our own lists, never from the client.

use auth::Auth;
use model::{Code, Problem};

use crate::request::Request;

/// First parts of paths that are ours.
const OURS: [&str; 4] = ["_", "docs", "metrics", "openapi.json"];
/// The longest word below `/auth/`.
const WORD: usize = 20;

/// Notes a problem that is a denial.
pub(crate) fn note(auth: &Auth, request: &Request<'_>, problem: &Problem) {
    let what = match problem.code {
        Code::Unauthenticated => "stranger_denied",
        Code::BadCredentials => "credentials_refused",
        Code::Csrf => "csrf_refused",
        Code::Forbidden => "access_denied",
        Code::RateLimited => "rate_limited",
        Code::NotFound if is_record(auth, request.path) => "unknown_record",
        _ => return,
    };
    if !request.is_noted.load(std::sync::atomic::Ordering::Relaxed) {
        auth.failures.add(what, &subject(auth, request.path), &request.caller());
    }
}

/// Whether a path names a record of a resource that there is.
fn is_record(auth: &Auth, path: &str) -> bool {
    let mut segments = path.trim_start_matches('/').split('/');
    match (segments.next(), segments.next(), segments.next(), segments.next()) {
        (Some("api"), Some(resource), Some(id), None) => !id.is_empty() && is_resource(auth, resource),
        _ => false,
    }
}

/// What somebody was kept from: a resource by its name, `auth/sign-in`, `batch`; empty for what is nothing of ours.
fn subject(auth: &Auth, path: &str) -> String {
    let mut segments = path.trim_start_matches('/').split('/');
    let (first, second) = (segments.next().unwrap_or(""), segments.next().unwrap_or(""));
    let is_word = !second.is_empty()
        && second.len() <= WORD
        && second.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    match first {
        "api" if second == "batch" || is_resource(auth, second) => second.to_owned(),
        "auth" if is_word => format!("auth/{second}"),
        "api" | "auth" => first.to_owned(),
        first if OURS.contains(&first) => first.to_owned(),
        _ => String::new(),
    }
}

fn is_resource(auth: &Auth, name: &str) -> bool {
    auth.engine().gate().catalog().schema.find(name).is_some()
}
