//! Deleting a record and what depends on it, each with its own event and revision.

use std::collections::HashSet;

use model::{Caller, FieldIndex, Kind, OnDelete, Problem, Record, ResourceIndex, Value};
use rules::Catalog;

use super::{checks::stamp, people};
use crate::{
    refusal,
    transaction::{Change, Purpose, Tx},
};

/// How many referrers are read at a time.
const PAGE: u32 = 500;

/// A record that goes, and how far its referrers have been seen to.
struct Doomed {
    resource: ResourceIndex,
    record: Record,
    /// The next of the resource's reverse relations to look at.
    relation: usize,
    /// Referrers of the current relation that still have to go first.
    waiting: Vec<Value>,
}

/// Deletes a record; those that refer to it go first, lose the reference, or forbid it, as their fields say. Delete
/// rules of what depends on it are not asked. Works on a stack of its own, so a long chain can't exhaust the thread's.
pub(super) async fn remove<T: Tx>(
    tx: &mut T,
    catalog: &Catalog,
    caller: &Caller,
    resource: ResourceIndex,
    record: Record,
) -> Result<(), Problem> {
    let mut going = HashSet::from([key(resource, record.id())]);
    let mut stack = vec![Doomed { resource, record, relation: 0, waiting: Vec::new() }];
    while let Some(top) = stack.last_mut() {
        if let Some(id) = top.waiting.pop() {
            let relation = &catalog.schema.reverse(top.resource)[top.relation];
            let (from, field) = (relation.resource, relation.field);
            if going.contains(&key(from, &id)) {
                // It is on its way out already, further down the stack: only the cycle has to be opened.
                tx.unlink(catalog, from, field, &id).await?;
            } else if let Some(record) = tx.fetch(catalog, from, &id, Purpose::Remove).await? {
                going.insert(key(from, &id));
                stack.push(Doomed { resource: from, record, relation: 0, waiting: Vec::new() });
            }
            continue;
        }
        let Some(relation) = catalog.schema.reverse(top.resource).get(top.relation) else {
            if let Some(done) = stack.pop() {
                people::keep_an_administrator(tx, catalog, done.resource, &done.record, None).await?;
                tx.remove(catalog, done.resource, &done.record, caller).await?;
                people::follow(tx, catalog, caller, done.resource, &done.record, None).await?;
            }
            continue;
        };
        let (from, field) = (relation.resource, relation.field);
        let target = top.record.id().clone();
        let ids = tx.referring(catalog, from, field, &target, PAGE).await?;
        let own = key(top.resource, &target);
        let others: Vec<Value> = ids.into_iter().filter(|id| key(from, id) != own).collect();
        if others.is_empty() {
            top.relation += 1;
            continue;
        }
        let (on_delete, many) = match catalog.schema.get(from).get(field).kind {
            Kind::Reference { on_delete, many, .. } => (on_delete, many),
            _ => (OnDelete::Restrict, false),
        };
        match on_delete {
            OnDelete::Restrict if others.iter().all(|id| going.contains(&key(from, id))) => top.waiting = others,
            OnDelete::Restrict => return Err(refusal::in_use()),
            OnDelete::Cascade if !many => top.waiting = others,
            OnDelete::Cascade | OnDelete::SetNull => {
                for id in others {
                    release(tx, catalog, caller, from, field, &id, &target).await?;
                }
            }
        }
    }
    Ok(())
}

/// Takes a reference to `target` out of a record, which goes on living.
async fn release<T: Tx>(
    tx: &mut T,
    catalog: &Catalog,
    caller: &Caller,
    resource: ResourceIndex,
    field: FieldIndex,
    id: &Value,
    target: &Value,
) -> Result<(), Problem> {
    let Some(old) = tx.fetch(catalog, resource, id, Purpose::Change).await? else { return Ok(()) };
    let mut new = old.clone();
    let value = match old.get(field) {
        Value::List(ids) => Value::List(ids.iter().filter(|id| *id != target).cloned().collect()),
        _ => Value::Null,
    };
    new.set(field, value);
    stamp(catalog.schema.get(resource), caller, &old, &mut new);
    let change = Change { before: &old, after: &mut new, fields: &[field] };
    tx.change(catalog, resource, change, caller).await
}

/// A record's name among all resources.
fn key(resource: ResourceIndex, id: &Value) -> (ResourceIndex, String) {
    (resource, format!("{id:?}"))
}
