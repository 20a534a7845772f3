//! `If-Match` and `If-None-Match` (RFC 9110, 13.1).

use http::{HeaderMap, header};
use model::{Code, Problem};
use rules::plan::Precondition;

use crate::request::Request;

/// What a write asks of the stored record.
///
/// # Errors
/// 400 for an `If-None-Match` that a write has no meaning for.
pub fn of_write(request: &Request<'_>) -> Result<Precondition, Problem> {
    let wanted = listed(request.headers, &header::IF_MATCH);
    let unwanted = listed(request.headers, &header::IF_NONE_MATCH);
    match (wanted.as_deref(), unwanted.as_deref()) {
        (None, None) => Ok(Precondition::None),
        (Some(tags), None) => Ok(of_tags(tags)),
        (None, Some("*")) => Ok(Precondition::Absent),
        // The record would have to be there and not to be there.
        (Some(_), Some("*")) => Ok(Precondition::Revision(Vec::new())),
        (_, Some(_)) => Err(Problem::new(Code::BadRequest, "on a write, If-None-Match can only be `*`")),
    }
}

/// What an `If-Match` asks of the stored record.
#[must_use]
pub fn of_tags(tags: &str) -> Precondition {
    match tags.trim() {
        "*" => Precondition::Exists,
        // A weak or foreign tag matches nothing, as the strong comparison asks.
        tags => Precondition::Revision(split(tags).filter_map(engine::revision_of).collect()),
    }
}

/// Whether the client has this representation already (`If-None-Match`).
#[must_use]
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    // A weak comparison: `W/` does not count.
    values.flat_map(split).any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// A header that is a list, whose lines are one (RFC 9110, 5.3); none where it is absent. A line that is no text matches
/// nothing: it must not be taken for one that is absent.
pub(crate) fn listed(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    let lines: Vec<&str> = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("")).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

fn split(tags: &str) -> impl Iterator<Item = &str> {
    tags.split(',').map(str::trim)
}
