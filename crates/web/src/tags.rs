//! Entity tags of compressed answers.
//!
//! A strong tag stands for one sequence of bytes, so the same record compressed has a tag of its own: `"7-a1"` becomes
//! `"7-a1-gzip"`. Doors know only the tags without a mark; what a client sends back loses its mark here, before a door sees
//! it, and an answer 304 gets the mark of the tag that the client has.

use http::{HeaderMap, HeaderValue, header};

use crate::{
    coding::{Coding, Preference},
    preconditions::listed,
};

/// Takes the marks off the tags that a request names. Returns its `If-None-Match` as it came, where that was changed.
pub(crate) fn unmark(headers: &mut HeaderMap, preference: Preference) -> Option<HeaderValue> {
    let strip = |headers: &HeaderMap, name: header::HeaderName, takes: &dyn Fn(Coding) -> bool| {
        let text = listed(headers, &name)?;
        let mut changed = text.clone();
        for coding in Coding::ALL.into_iter().filter(|coding| takes(*coding)) {
            changed = changed.replace(&ending(coding), "\"");
        }
        (changed != text).then(|| HeaderValue::from_str(&changed).ok()).flatten()
    };
    // Which bytes the client has is nothing to a write: it asks for the revision.
    if let Some(changed) = strip(headers, header::IF_MATCH, &|_| true) {
        headers.insert(header::IF_MATCH, changed);
    }
    // What the client says it does not take it can't be told to use.
    let changed = strip(headers, header::IF_NONE_MATCH, &|coding| preference.takes(coding))?;
    headers.insert(header::IF_NONE_MATCH, changed)
}

/// Gives the strong tag of an answer the mark of its coding.
pub(crate) fn mark(headers: &mut HeaderMap, coding: Coding) {
    let Some(tag) = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()) else { return };
    let Some(marked) = marked(tag, coding) else { return };
    headers.insert(header::ETAG, marked);
}

/// Gives an answer 304 the tag that the client has, of those that it named.
pub(crate) fn remark(headers: &mut HeaderMap, named: &HeaderValue) {
    let Some(tag) = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()) else { return };
    let named = named.to_str().unwrap_or("");
    if named.contains(tag) {
        return;
    }
    let theirs = Coding::ALL.into_iter().filter_map(|coding| marked(tag, coding));
    if let Some(tag) = { theirs }.find(|marked| marked.to_str().is_ok_and(|marked| named.contains(marked))) {
        headers.insert(header::ETAG, tag);
    }
}

fn ending(coding: Coding) -> String {
    format!("-{}\"", coding.name())
}

/// None for a weak tag: that may stand for several bodies.
fn marked(tag: &str, coding: Coding) -> Option<HeaderValue> {
    let inner = tag.strip_prefix('"')?.strip_suffix('"')?;
    HeaderValue::from_str(&format!("\"{inner}{}", ending(coding))).ok()
}
