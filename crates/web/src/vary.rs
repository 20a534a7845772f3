//! `Vary`: what of a request an answer hangs on.

use http::{HeaderMap, HeaderValue, header};

/// Adds a name to `Vary`, where it is not there yet.
pub fn add(headers: &mut HeaderMap, name: &'static str) {
    let known: Vec<&str> = headers.get_all(header::VARY).iter().filter_map(|value| value.to_str().ok()).collect();
    let names = || known.iter().flat_map(|value| value.split(',')).map(str::trim);
    if names().any(|one| one == "*" || one.eq_ignore_ascii_case(name)) {
        return;
    }
    let all: Vec<&str> = names().chain([name]).collect();
    if let Ok(all) = HeaderValue::from_str(&all.join(", ")) {
        headers.insert(header::VARY, all);
    }
}
