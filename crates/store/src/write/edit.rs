//! Edits of a patch: what a field becomes, held against the field's limits.

use model::{Decimal, Field, Flaw, Kind, Value};
use rules::plan::Edit;
use serde_json::Value as Json;

/// The value that a field has after an edit.
///
/// # Errors
/// A flaw where the result is none that the field may hold.
pub(super) fn apply(field: &Field, old: &Value, edit: Edit) -> Result<Value, Flaw> {
    match edit {
        Edit::Set(value) => Ok(value),
        Edit::Merge(patch) => merge(field, old, &patch),
        Edit::Increment(by) => increment(field, old, &by),
        Edit::Append(items) => {
            let mut all = old.items().to_vec();
            if field.is_many() {
                // A record is in a many reference once.
                all.extend(items.into_iter().filter(|item| !old.items().contains(item)));
            } else {
                all.extend(items);
            }
            let most = match (&field.kind, field.list) {
                (Kind::Reference { many: true, max_items, .. }, _) => *max_items,
                (_, Some(options)) => options.max_items,
                (_, None) => 0,
            };
            if all.len() > most {
                let detail = format!("{} takes {most} items at most", field.name);
                return Err(flaw(field, "/$append", "max_items", detail));
            }
            Ok(Value::List(all))
        }
        Edit::Remove(items) => {
            let kept: Vec<Value> = old.items().iter().filter(|item| !items.contains(item)).cloned().collect();
            if kept.is_empty() && field.required && field.is_many() {
                return Err(flaw(field, "/$remove", "required", format!("{} needs at least one", field.name)));
            }
            if old.is_null() { Ok(Value::Null) } else { Ok(Value::List(kept)) }
        }
    }
}

/// RFC 7396 on a `json` field, whose limits the result meets like any other value.
fn merge(field: &Field, old: &Value, patch: &str) -> Result<Value, Flaw> {
    let parse = |text: &str| serde_json::from_str::<Json>(text).unwrap_or(Json::Null);
    let mut document = match old {
        Value::Json(text) => parse(text),
        _ => Json::Null,
    };
    merge_patch(&mut document, parse(patch));
    let mut flaws = Vec::new();
    let merged = model::accept_field(field, &document, &field.name, &mut flaws);
    match (merged, flaws.pop()) {
        (Some(value), None) => Ok(value),
        (_, Some(first)) => Err(first),
        (None, None) => Err(flaw(field, "", "type", format!("{} can't hold the merged value", field.name))),
    }
}

fn merge_patch(target: &mut Json, patch: Json) {
    let Json::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Json::Object(serde_json::Map::new());
    }
    let Json::Object(members) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.shift_remove(&name);
        } else {
            merge_patch(members.entry(name).or_insert(Json::Null), value);
        }
    }
}

fn increment(field: &Field, old: &Value, by: &Value) -> Result<Value, Flaw> {
    let overflow =
        || flaw(field, "/$increment", "overflow", format!("{} would leave the range of its type", field.name));
    let (value, too_small, too_large) = match (&field.kind, old, by) {
        (_, Value::Null, _) => {
            let detail = format!("{} has no value that could be incremented; set one", field.name);
            return Err(flaw(field, "/$increment", "null", detail));
        }
        (Kind::Integer { min, max }, Value::Integer(old), Value::Integer(by)) => {
            let sum = old.checked_add(*by).ok_or_else(overflow)?;
            (Value::Integer(sum), min.is_some_and(|min| sum < min), max.is_some_and(|max| sum > max))
        }
        (Kind::Float { min, max }, Value::Float(old), Value::Float(by)) => {
            let sum = old + by;
            if !sum.is_finite() {
                return Err(overflow());
            }
            (Value::Float(sum), min.is_some_and(|min| sum < min), max.is_some_and(|max| sum > max))
        }
        (Kind::Decimal { precision, scale, min, max }, Value::Decimal(old), Value::Decimal(by)) => {
            let by = by.rescale(*scale).ok_or_else(overflow)?;
            let sum = Decimal::new(old.unscaled + by.unscaled, *scale);
            if sum.digits() > u32::from(*precision) {
                return Err(overflow());
            }
            (Value::Decimal(sum), min.is_some_and(|min| sum < min), max.is_some_and(|max| sum > max))
        }
        _ => return Err(flaw(field, "/$increment", "type", format!("{} is no number", field.name))),
    };
    if too_small {
        return Err(flaw(field, "/$increment", "min", format!("{} would fall below its least value", field.name)));
    }
    if too_large {
        return Err(flaw(field, "/$increment", "max", format!("{} would rise above its greatest value", field.name)));
    }
    Ok(value)
}

fn flaw(field: &Field, operator: &str, code: &'static str, detail: String) -> Flaw {
    Flaw::pointer(format!("/{}{operator}", field.name), code, detail)
}
