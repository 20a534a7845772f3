//! Ids that an operation names before they are known: those that earlier operations of the same write bring.

use model::{FieldIndex, Flaw, Problem, Value};
use rules::plan::{Edit, Late, LatePlace, OperationKind};

/// Puts the ids of earlier operations, which are known by now, into their places.
///
/// # Errors
/// 422 where an id now stands twice in a `many` reference; 500 for an operation that has not been made.
pub(super) fn bind(
    kind: &mut OperationKind,
    late: &[Late],
    ids: &[Value],
    name: impl Fn(FieldIndex) -> String,
) -> Result<(), Problem> {
    let mut flaws = Vec::new();
    for one in late {
        let id = ids.get(one.operation).ok_or_else(|| Problem::internal("an id was named before its operation"))?;
        let Some(place) = place(kind, one.place) else {
            return Err(Problem::internal("an id was named where none can be"));
        };
        *place = id.clone();
    }
    for one in late {
        let LatePlace::Item(field, position) = one.place else { continue };
        let items = items(kind, field);
        if items.iter().take(position).any(|other| items.get(position) == Some(other)) {
            let name = name(field);
            let detail = format!("item {position} of {name} stands there twice");
            flaws.push(Flaw::pointer(format!("/{name}/{position}"), "duplicate", detail));
        }
    }
    if flaws.is_empty() { Ok(()) } else { Err(Problem::validation(flaws)) }
}

fn place(kind: &mut OperationKind, place: LatePlace) -> Option<&mut Value> {
    match (kind, place) {
        (
            OperationKind::Replace { id, .. } | OperationKind::Patch { id, .. } | OperationKind::Delete { id, .. },
            LatePlace::Id,
        ) => Some(id),
        (
            OperationKind::Create { record, .. }
            | OperationKind::Upsert { record, .. }
            | OperationKind::Replace { record, .. },
            LatePlace::Field(field) | LatePlace::Item(field, _),
        ) => inner(record.values.get_mut(field.0 as usize)?, place),
        (OperationKind::Patch { edits, .. }, LatePlace::Field(field) | LatePlace::Item(field, _)) => {
            match edits.iter_mut().find(|(edited, _)| *edited == field) {
                Some((_, Edit::Set(value))) => inner(value, place),
                Some((_, Edit::Append(items) | Edit::Remove(items))) => match place {
                    LatePlace::Item(_, position) => items.get_mut(position),
                    LatePlace::Id | LatePlace::Field(_) => None,
                },
                _ => None,
            }
        }
        _ => None,
    }
}

fn inner(value: &mut Value, place: LatePlace) -> Option<&mut Value> {
    match (value, place) {
        (Value::List(items), LatePlace::Item(_, position)) => items.get_mut(position),
        (value, LatePlace::Field(_)) => Some(value),
        _ => None,
    }
}

/// The items that an operation gives a list.
fn items(kind: &OperationKind, field: FieldIndex) -> &[Value] {
    match kind {
        OperationKind::Create { record, .. }
        | OperationKind::Upsert { record, .. }
        | OperationKind::Replace { record, .. } => record.get(field).items(),
        OperationKind::Patch { edits, .. } => match edits.iter().find(|(edited, _)| *edited == field) {
            Some((_, Edit::Set(value))) => value.items(),
            Some((_, Edit::Append(items) | Edit::Remove(items))) => items,
            _ => &[],
        },
        OperationKind::Delete { .. } | OperationKind::Each { .. } => &[],
    }
}
