//! Cursors: the sort keys of the last record of a page, tied to the query that made them.
//!
//! A cursor grants nothing: its values are bound like any other input, and the rules are asked again. So the sum over it
//! is no signature; it is there to find a cursor that was cut or altered on its way, which would begin at another place.

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
    let keys: Vec<Option<String>> = keys.iter().map(|key| (!key.is_null()).then(|| text(key))).collect();
    let begin = Json::String(sum(tie, &keys));
    let parts: Vec<Json> = [begin].into_iter().chain(keys.into_iter().map(Json::from)).collect();
    URL_SAFE_NO_PAD.encode(Json::Array(parts).to_string())
}

/// What a cursor begins with: another one for another query, and for other keys.
fn sum(tie: u64, keys: &[Option<String>]) -> String {
    let mut hasher = DefaultHasher::new();
    (tie, keys).hash(&mut hasher);
    format!("{:x}", hasher.finish())
}

/// A cursor's keys as texts, which the gate reads as values of the sort's types; null stays none.
pub(crate) fn open(cursor: &str, tie: u64) -> Result<Vec<Option<String>>, Problem> {
    let foreign =
        || Problem::new(Code::BadCursor, "the cursor was not made for this filter and sort; begin at the first page");
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| foreign())?;
    let parts: Vec<Option<String>> = serde_json::from_slice(&bytes).map_err(|_| foreign())?;
    let mut parts = parts.into_iter();
    let begin = parts.next().flatten();
    let keys: Vec<Option<String>> = parts.collect();
    if begin != Some(sum(tie, &keys)) || keys.len() > rules::query::SORT_KEYS + 1 {
        return Err(foreign());
    }
    Ok(keys)
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
