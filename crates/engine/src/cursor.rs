//! Cursors: the sort keys of the last record of a page, tied to the query that made them.
//!
//! A cursor grants nothing: its values are bound like any other input, and the rules are asked again.

use std::hash::{DefaultHasher, Hash, Hasher};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use model::{Code, Problem, Value, json};
use rules::query::{Form, Query};
use serde_json::Value as Json;

/// What ties a cursor to its query: filters with their values, and the order.
pub(crate) fn tie(resource: &str, query: &Query) -> u64 {
    let Form { filter, short, sort, .. } = &query.form;
    let mut hasher = DefaultHasher::new();
    (resource, filter, short, sort, &query.values).hash(&mut hasher);
    hasher.finish()
}

/// The cursor for the page after a record with these keys.
pub(crate) fn write(tie: u64, keys: &[Value]) -> String {
    let keys = keys.iter().map(|key| if key.is_null() { Json::Null } else { Json::String(text(key)) });
    let parts: Vec<Json> = [Json::String(format!("{tie:x}"))].into_iter().chain(keys).collect();
    URL_SAFE_NO_PAD.encode(Json::Array(parts).to_string())
}

/// A cursor's keys as texts, which the gate reads as values of the sort's types; null stays none.
pub(crate) fn open(cursor: &str, tie: u64) -> Result<Vec<Option<String>>, Problem> {
    let foreign =
        || Problem::new(Code::BadCursor, "the cursor was not made for this filter and sort; begin at the first page");
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| foreign())?;
    let parts: Vec<Option<String>> = serde_json::from_slice(&bytes).map_err(|_| foreign())?;
    let mut parts = parts.into_iter();
    if parts.next().flatten() != Some(format!("{tie:x}")) || parts.len() > rules::query::SORT_KEYS + 1 {
        return Err(foreign());
    }
    Ok(parts.collect())
}

/// A key as the text of its wire form, without quotes.
fn text(key: &Value) -> String {
    if let Value::Text(text) = key {
        return text.to_string();
    }
    let mut out = Vec::new();
    json::write_value(key, &mut out);
    String::from_utf8_lossy(&out).trim_matches('"').to_owned()
}
