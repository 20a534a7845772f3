//! What a write came to, as an answer of HTTP; and `Prefer: return=minimal` (RFC 7240).

use engine::{Done, Kept};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use web::Body;

/// What an answer depends on besides the write.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    /// The resource of a new record, for `Location`; empty for a batch.
    pub(crate) resource: String,
    /// The client wants no body.
    pub(crate) minimal: bool,
}

impl Form {
    /// The form that a request asks for.
    pub(crate) fn of(headers: &HeaderMap, resource: &str) -> Self {
        Self { resource: resource.to_owned(), minimal: wants_minimal(headers) }
    }

    /// The answer, so that it can be kept.
    pub(crate) fn encode(&self, done: Done) -> Kept {
        let mut head = Vec::new();
        let mut add = |name: &str, value: String| head.push((name.to_owned(), value));
        let (is_gone, is_batch) = (matches!(done, Done::Gone), matches!(done, Done::Batch(_)));
        let (status, body) = match done {
            Done::One(answer) => {
                if answer.created {
                    add("location", format!("/api/{}/{}", self.resource, answer.id));
                }
                add("etag", answer.tag);
                (if answer.created { 201 } else { 200 }, answer.body)
            }
            Done::Several { body, created } => (if created { 201 } else { 200 }, body),
            Done::Count(count) => (200, format!("{{\"count\":{count}}}").into_bytes()),
            Done::Gone => (204, Vec::new()),
            Done::Batch(outcomes) => (200, self.results(&outcomes)),
        };
        if !self.minimal || is_gone {
            if status != 204 {
                add("content-type", "application/json".to_owned());
            }
            return Kept { status, head, body };
        }
        add("preference-applied", "return=minimal".to_owned());
        match status {
            // The statuses of a batch are worth an answer; the records in it are left out.
            _ if is_batch => {
                add("content-type", "application/json".to_owned());
                Kept { status, head, body }
            }
            200 => Kept { status: 204, head, body: Vec::new() },
            _ => Kept { status, head, body: Vec::new() },
        }
    }

    fn results(&self, outcomes: &[Option<engine::Answer>]) -> Vec<u8> {
        let size: usize = outcomes.iter().flatten().map(|answer| answer.body.len() + 80).sum();
        let mut out = Vec::with_capacity(size + 16);
        out.extend_from_slice(b"{\"results\":[");
        for (number, outcome) in outcomes.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            let Some(answer) = outcome else {
                out.extend_from_slice(b"{\"status\":204}");
                continue;
            };
            out.extend_from_slice(if answer.created { b"{\"status\":201" } else { b"{\"status\":200" });
            if !self.minimal {
                out.extend_from_slice(b",\"body\":");
                out.extend_from_slice(&answer.body);
            }
            out.extend_from_slice(b",\"etag\":");
            model::json::write_string(&answer.tag, &mut out);
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
        out
    }
}

/// An answer that was encoded, as a response.
pub(crate) fn reply(kept: Kept) -> Response<Body> {
    let body = if kept.body.is_empty() { Body::empty() } else { Body::Whole(Some(kept.body.into())) };
    let mut reply = Response::new(body);
    *reply.status_mut() = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    for (name, value) in kept.head {
        let header = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(&value).ok());
        if let Some((name, value)) = header {
            reply.headers_mut().insert(name, value);
        }
    }
    reply
}

/// Whether `return=minimal` is the first preference about the answer that the client states.
fn wants_minimal(headers: &HeaderMap) -> bool {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let preferences = values.flat_map(|value| value.split(','));
    let returns = preferences.filter_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        name.trim().eq_ignore_ascii_case("return").then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    });
    returns.map(|value| value == "minimal").next().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preference_is_read_as_the_rfc_writes_it() {
        let wants = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("prefer", HeaderValue::from_static(value));
            }
            wants_minimal(&headers)
        };
        for minimal in
            [&["return=minimal"][..], &["respond-async, Return = \"minimal\"; x=1"], &["wait=1", "return=minimal"]]
        {
            assert!(wants(minimal), "{minimal:?}");
        }
        for other in [&[][..], &["return=representation, return=minimal"], &["return"], &["minimal"], &["x=return"]] {
            assert!(!wants(other), "{other:?}");
        }
    }
}
