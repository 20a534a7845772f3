//! `json` fields: depth, NUL, canonical form, size, schema.

use serde_json::Value as Json;

use super::Place;
use crate::{field::JsonSchema, value::Value};

/// How deep a JSON value may be nested; a scalar has depth 1.
pub const MAX_DEPTH: usize = 32;

/// The most schema violations that are told at once.
const MAX_TOLD: usize = 10;

pub(super) fn accept(
    place: &mut Place<'_>,
    json: &Json,
    max_size: usize,
    schema: Option<&JsonSchema>,
) -> Option<Value> {
    if json.is_null() {
        place.flaw("type", "must not be null");
        return None;
    }
    match inspect(json, MAX_DEPTH) {
        Ok(()) => {}
        Err(Fault::TooDeep) => {
            place.flaw("depth", format_args!("must be nested at most {MAX_DEPTH} deep"));
            return None;
        }
        Err(Fault::Nul) => {
            place.flaw("nul", "must not contain the NUL character");
            return None;
        }
    }
    let Ok(canonical) = serde_json_canonicalizer::to_string(json) else {
        place.flaw("range", "must hold only numbers that a double can hold");
        return None;
    };
    if canonical.len() > max_size {
        place.flaw("size", format_args!("must take at most {max_size} bytes, not {}", canonical.len()));
        return None;
    }
    if let Some(schema) = schema.filter(|schema| !schema.validator.is_valid(json)) {
        tell_violations(place, json, schema);
        return None;
    }
    Some(Value::Json(canonical.into()))
}

/// Why a document can't be kept, whatever its schema.
enum Fault {
    TooDeep,
    Nul,
}

fn inspect(json: &Json, depth_left: usize) -> Result<(), Fault> {
    if depth_left == 0 {
        return Err(Fault::TooDeep);
    }
    let has_nul = |text: &String| text.as_bytes().contains(&0);
    match json {
        Json::String(text) if has_nul(text) => Err(Fault::Nul),
        Json::Array(items) => items.iter().try_for_each(|item| inspect(item, depth_left - 1)),
        Json::Object(members) if members.keys().any(has_nul) => Err(Fault::Nul),
        Json::Object(members) => members.values().try_for_each(|value| inspect(value, depth_left - 1)),
        _ => Ok(()),
    }
}

#[cold]
fn tell_violations(place: &mut Place<'_>, json: &Json, schema: &JsonSchema) {
    use crate::problem::{Flaw, Place as Where};
    let base = match place.item {
        Some(item) => format!("/{}/{item}", place.at),
        None => format!("/{}", place.at),
    };
    for violation in schema.validator.iter_errors(json).take(MAX_TOLD) {
        let inner = violation.instance_path().as_str();
        // The value itself is not repeated: it may be long.
        let detail = format!("{}{inner}: {}", place.field.name, violation.masked_with("the value"));
        place.flaws.push(Flaw { at: Where::Pointer(format!("{base}{inner}")), code: "schema", detail });
    }
}
