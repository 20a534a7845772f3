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
pub(super) const PAGE: u32 = 500;

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
        let others = tx.referrers(catalog, from, field, std::slice::from_ref(&target), PAGE).await?;
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
            OnDelete::Cascade if !many && is_leaf(catalog, from) => {
                let mut records = tx.fetch_all(catalog, from, &others, Purpose::Remove).await?;
                records.reverse();
                let records: Vec<&Record> = records.iter().collect();
                tx.remove_all(catalog, from, &records, caller).await?;
            }
            OnDelete::Cascade if !many => top.waiting = others,
            OnDelete::Cascade | OnDelete::SetNull => {
                release(tx, catalog, caller, (from, field), &others, &[target]).await?;
            }
        }
    }
    Ok(())
}

/// Whether nothing can depend on the records of a resource, so that they go without a look at each.
fn is_leaf(catalog: &Catalog, resource: ResourceIndex) -> bool {
    catalog.schema.reverse(resource).is_empty() && catalog.schema.get(resource).identity.is_none()
}

/// Whether a record goes on without what it refers to, once that is gone.
pub(super) fn lives_on(catalog: &Catalog, from: ResourceIndex, field: FieldIndex) -> bool {
    match catalog.schema.get(from).get(field).kind {
        Kind::Reference { on_delete: OnDelete::SetNull, .. } => true,
        Kind::Reference { on_delete: OnDelete::Cascade, many, .. } => many,
        _ => false,
    }
}

/// Takes the references to `targets` out of records, which go on living.
pub(super) async fn release<T: Tx>(
    tx: &mut T,
    catalog: &Catalog,
    caller: &Caller,
    (resource, field): (ResourceIndex, FieldIndex),
    ids: &[Value],
    targets: &[Value],
) -> Result<(), Problem> {
    let old = tx.fetch_all(catalog, resource, ids, Purpose::Change).await?;
    let released = |old: &Record| {
        let mut new = old.clone();
        let value = match old.get(field) {
            Value::List(ids) => Value::List(ids.iter().filter(|id| !targets.contains(id)).cloned().collect()),
            _ => Value::Null,
        };
        new.set(field, value);
        stamp(catalog.schema.get(resource), caller, old, &mut new);
        new
    };
    let mut new: Vec<Record> = old.iter().map(released).collect();
    let fields = [field];
    let changes = old.iter().zip(&mut new).map(|(before, after)| Change { before, after, fields: &fields });
    let mut changes: Vec<Change<'_>> = changes.collect();
    tx.change_all(catalog, resource, &mut changes, caller).await.map_err(|(_, problem)| problem)
}

/// A record's name among all resources.
fn key(resource: ResourceIndex, id: &Value) -> (ResourceIndex, String) {
    (resource, format!("{id:?}"))
}
