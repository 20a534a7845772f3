//! Text: lengths, patterns, e-mail addresses, URLs, string ids.

use super::Place;
use crate::{field::TextOptions, value::Value};

pub(super) fn accept_string(place: &mut Place<'_>, text: &str, options: &TextOptions, one_line: bool) -> Option<Value> {
    if one_line && (text.as_bytes().contains(&b'\n') || text.as_bytes().contains(&b'\r')) {
        place.flaw("line", "must be a single line");
        return None;
    }
    // A code point takes one to four bytes, so the bytes alone mostly tell.
    if text.len() > options.max && text.chars().count() > options.max {
        place.flaw("max", format_args!("must have at most {} characters", options.max));
        return None;
    }
    if text.len() < options.min.saturating_mul(4) && text.chars().count() < options.min {
        let (least, plural) = (options.min, if options.min == 1 { "" } else { "s" });
        place.flaw("min", format_args!("must have at least {least} character{plural}"));
        return None;
    }
    if let Some(pattern) = options.pattern.as_ref().filter(|pattern| !pattern.regex.is_match(text)) {
        place.flaw("pattern", format_args!("must match {}", pattern.source));
        return None;
    }
    Some(Value::text(text))
}

pub(super) fn accept_url(place: &mut Place<'_>, text: &str, max: usize) -> Option<Value> {
    if text.len() > max {
        place.flaw("max", format_args!("must have at most {max} characters"));
        return None;
    }
    if !is_url(text) {
        place.flaw("format", "must be an absolute URL in ASCII, as in https://example.org/path");
        return None;
    }
    Some(Value::text(text))
}

/// Whether it is an absolute `http` or `https` URL with a host, in ASCII (anything else percent-encoded, as RFC 3986 asks),
/// without user or password. It is kept as it was sent.
#[must_use]
pub fn is_url(text: &str) -> bool {
    // The parser forgives spaces and backslashes; a stored URL should need no forgiving.
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
    let scheme = |name: &str| {
        let rest = text.get(..name.len()).filter(|start| start.eq_ignore_ascii_case(name)).map(|_| &text[name.len()..]);
        rest.is_some_and(|rest| !rest.starts_with('/'))
    };
    plain
        && (scheme("https://") || scheme("http://"))
        && url::Url::parse(text)
            .is_ok_and(|url| url.has_host() && url.username().is_empty() && url.password().is_none())
}

/// Whether it is an e-mail address as web forms take it: a dot-atom of up to 64 characters, `@`, and a domain of labels;
/// ASCII, at most 254 characters in all.
#[must_use]
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let atom = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&byte))
    };
    let label = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    text.len() <= 254 && local.len() <= 64 && local.split('.').all(atom) && domain.split('.').all(label)
}

/// Whether it may name a record of a resource with string ids: 1–128 of `A–Z a–z 0–9 _ ~ . -`, not beginning with a dot,
/// and not a word that stands for something else in a path.
#[must_use]
pub fn is_string_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_~.-".contains(&byte))
        && !matches!(text, "aggregate" | "events")
}

/// `a, b or c`, cut where it grows long.
pub(super) fn list_of(values: &[String]) -> String {
    const MOST: usize = 20;
    match values {
        [only] => only.clone(),
        [shown @ .., last] if values.len() <= MOST => format!("{} or {last}", shown.join(", ")),
        _ => format!("{}, … ({} values)", values[..values.len().min(MOST)].join(", "), values.len()),
    }
}
