//! The one write path: every operation of every protocol, on every database, is made by [`apply`].
//!
//! A record is locked and read, judged as it is and as it would be, then written, then logged. Rules see the state
//! before the write: a record that would grant its own creation does not.

mod cascade;
mod checks;
mod each;
mod edit;
mod late;
mod marks;
mod people;
mod run;
mod upsert;
mod verdict;
mod whole;

use std::{collections::BTreeMap, sync::Arc};

use model::{Action, Caller, FieldIndex, Flaw, Problem, Record, Resource, ResourceIndex, Value};
use rules::plan::{Operation, OperationKind, Precondition, Write, WritePlan, Written};

pub use self::marks::Marks;
use self::{
    checks::{immutable, not_writable, require, require_fields, stamp, unreadable},
    marks::Deed,
    run::Run,
};
use crate::{
    own::Beside,
    transaction::{Change, Purpose, Tx},
};

/// Makes every operation of a write, in order, within the caller's transaction, and what goes beside it. On an error the
/// caller rolls back. There is one outcome for each operation, but for one that means several records.
///
/// # Errors
/// The problem of the first operation that fails, its pointers moved under the operation's place in the input.
pub async fn apply<T: Tx>(tx: &mut T, write: Write, beside: &Beside) -> Result<Vec<Written>, Problem> {
    let caller = write.caller.clone();
    let mut marks = Marks::default();
    let written = apply_unmarked(tx, write, beside, &mut marks).await?;
    for line in marks.lines(&caller) {
        tx.own(&line).await?;
    }
    Ok(written)
}

/// The same in a transaction that goes on: what is to stand in the audit log about it is added to `marks`, and has to be
/// written before the transaction ends.
///
/// # Errors
/// As [`apply`].
pub async fn apply_unmarked<T: Tx>(
    tx: &mut T,
    write: Write,
    beside: &Beside,
    marks: &mut Marks,
) -> Result<Vec<Written>, Problem> {
    let mut own = Marks::default();
    for statement in &beside.before {
        tx.own(statement).await?;
    }
    lock_ahead(tx, &write.operations).await?;
    let mut written = Vec::with_capacity(write.operations.len());
    let mut operations = write.operations.into_iter().peekable();
    while let Some(operation) = operations.next() {
        if Run::begins(&operation, operations.peek()) {
            Run::of(operation, &mut operations).make(tx, &write.caller, &mut own, &mut written).await?;
            continue;
        }
        let position = operation.position.clone();
        make(tx, &write.caller, operation, &mut own, &mut written).await.map_err(|problem| position.place(problem))?;
    }
    if let Some(after) = &beside.after {
        for statement in after(&written)? {
            tx.own(&statement).await?;
        }
    }
    // What has failed is not in it.
    marks.merge(own);
    Ok(written)
}

/// Locks all records that several operations will change, in one order for all writers: two of them that name the same
/// records the other way about would wait for each other otherwise.
async fn lock_ahead<T: Tx>(tx: &mut T, operations: &[Operation]) -> Result<(), Problem> {
    let mut wanted: BTreeMap<ResourceIndex, (BTreeMap<String, &Value>, Purpose)> = BTreeMap::new();
    // What an earlier operation of the same write makes is nobody else's yet.
    for operation in operations.iter().filter(|operation| operation.late.is_empty()) {
        let (id, purpose) = match &operation.kind {
            OperationKind::Replace { id, .. } | OperationKind::Patch { id, .. } => (id, Purpose::Change),
            OperationKind::Delete { id, .. } => (id, Purpose::Remove),
            OperationKind::Create { .. } | OperationKind::Upsert { .. } | OperationKind::Each { .. } => continue,
        };
        let (ids, strongest) = wanted.entry(operation.plan.resource).or_insert((BTreeMap::new(), purpose));
        ids.insert(crate::id_text(id), id);
        if purpose == Purpose::Remove {
            *strongest = purpose;
        }
    }
    let Some(first) = operations.first() else { return Ok(()) };
    if wanted.values().map(|(ids, _)| ids.len()).sum::<usize>() < 2 {
        return Ok(());
    }
    for (resource, (ids, purpose)) in wanted {
        let ids: Vec<Value> = ids.into_values().cloned().collect();
        tx.lock(&first.plan.catalog, resource, &ids, purpose).await?;
    }
    Ok(())
}

/// Makes one operation.
async fn make<T: Tx>(
    tx: &mut T,
    caller: &Caller,
    operation: Operation,
    marks: &mut Marks,
    written: &mut Vec<Written>,
) -> Result<(), Problem> {
    let Operation { plan, mut kind, method, late, .. } = operation;
    if !late.is_empty() {
        let ids: Vec<Value> = written.iter().map(|one| one.record.id().clone()).collect();
        let resource = plan.catalog.schema.get(plan.resource);
        late::bind(&mut kind, &late, &ids, |field| resource.get(field).name.clone())?;
    }
    let own = method.map(|method| Caller { method, ..caller.clone() });
    let mut path = Path { tx, caller: own.as_ref().unwrap_or(caller), plan: &plan, marks };
    written.push(match kind {
        OperationKind::Create { record, given } => path.create(record, given, &Precondition::None).await?,
        OperationKind::Upsert { record, given, by } => path.upsert(record, &given, &by).await?,
        OperationKind::Replace { id, record, given, precondition, or_create } => {
            path.replace(&id, record, &given, &precondition, or_create).await?
        }
        OperationKind::Patch { id, edits, precondition } => path.patch(&id, edits, &precondition).await?,
        OperationKind::Delete { id, precondition } => path.delete(&id, &precondition).await?,
        OperationKind::Each { select, most, act } => {
            written.extend(path.each(select.get(), most, act).await?);
            return Ok(());
        }
    });
    Ok(())
}

/// Whether a write may fail after it has changed something, so that it needs a savepoint of its own among others.
#[must_use]
pub fn needs_savepoint(write: &Write, beside: &Beside) -> bool {
    if !beside.is_empty() {
        return true;
    }
    let [only] = write.operations.as_slice() else { return true };
    if writes_more(&write.caller, only) {
        return true;
    }
    let resource = only.plan.catalog.schema.get(only.plan.resource);
    match only.kind {
        OperationKind::Delete { .. } | OperationKind::Each { .. } => true,
        // One statement writes the record, and a failing statement changes nothing.
        OperationKind::Create { .. }
        | OperationKind::Upsert { .. }
        | OperationKind::Replace { .. }
        | OperationKind::Patch { .. } => resource.fields.iter().any(model::Field::is_many),
    }
}

/// Whether more is written for an operation than its one record: others, what follows from a change of a person, or a mark in
/// the audit log.
#[must_use]
pub fn writes_more(caller: &Caller, operation: &Operation) -> bool {
    let plan = &operation.plan;
    let of_person = plan.catalog.schema.get(plan.resource).identity.is_some();
    let several = matches!(operation.kind, OperationKind::Delete { .. } | OperationKind::Each { .. });
    several || of_person || marks::are_made(caller, plan)
}

/// One operation on its way.
struct Path<'a, T> {
    tx: &'a mut T,
    caller: &'a Caller,
    plan: &'a Arc<WritePlan>,
    marks: &'a mut Marks,
}

/// A new record that the rules have let in.
struct Creation {
    record: Record,
    /// Which fields were sent.
    given: Vec<FieldIndex>,
    /// Whether that took an administrator's role.
    overruled: bool,
}

/// A change of a record that the rules have let through.
struct Alteration {
    old: Record,
    new: Record,
    /// Which fields differ.
    fields: Vec<FieldIndex>,
    /// Whether that took an administrator's role.
    overruled: bool,
}

impl Alteration {
    /// What is to be written; none where nothing differs.
    fn change(&mut self) -> Option<Change<'_>> {
        let Self { old, new, fields, .. } = self;
        (!fields.is_empty()).then_some(Change { before: old, after: new, fields })
    }
}

impl<'a, T: Tx> Path<'a, T> {
    async fn create(
        &mut self,
        record: Record,
        given: Vec<FieldIndex>,
        precondition: &Precondition,
    ) -> Result<Written, Problem> {
        let Creation { mut record, given, overruled } = self.admit(record, given, precondition).await?;
        let plan = self.plan;
        let outcome = self.tx.create(&plan.catalog, plan.resource, &mut record, self.caller).await;
        outcome.map_err(|problem| self.discreet(problem))?;
        self.created(Creation { record, given, overruled }).await
    }

    /// Lets a new record in, or says why not; nothing is written yet.
    async fn admit(
        &mut self,
        record: Record,
        given: Vec<FieldIndex>,
        precondition: &Precondition,
    ) -> Result<Creation, Problem> {
        self.may_create(&record, &given).await?;
        require(precondition, None)?;
        let deed = Deed { action: Action::Created, old: None, new: Some(&record), fields: &given };
        let overruled = self.overrules(&deed).await?;
        Ok(Creation { record, given, overruled })
    }

    /// What follows from a new record once it is written.
    async fn created(&mut self, creation: Creation) -> Result<Written, Problem> {
        let Creation { record, given, overruled } = creation;
        let plan = self.plan;
        people::begin(self.tx, &plan.catalog, self.caller, plan.resource, &record).await?;
        self.mark(Action::Created, &record, &given, overruled);
        self.written(Action::Created, record).await
    }

    /// Holds a new record against the rules.
    async fn may_create(&mut self, record: &Record, given: &[FieldIndex]) -> Result<(), Problem> {
        let plan = self.plan;
        if !self.holds(&plan.create, None, Some(record)).await? {
            return Err(self.uncreatable());
        }
        let mut flaws = Vec::new();
        for (field, rule) in &plan.field_writes {
            if given.contains(field) && !self.holds(rule, None, Some(record)).await? {
                flaws.push(not_writable(self.resource(), *field));
            }
        }
        flaws.extend(people::flaw(plan, None, record));
        self.validate(None, record, &mut flaws).await?;
        if flaws.is_empty() { Ok(()) } else { Err(Problem::validation(flaws)) }
    }

    async fn replace(
        &mut self,
        id: &Value,
        mut record: Record,
        given: &[FieldIndex],
        precondition: &Precondition,
        or_create: bool,
    ) -> Result<Written, Problem> {
        let Some(old) = self.fetch(id, Purpose::Change).await? else {
            if !or_create {
                return Err(Problem::not_found());
            }
            // A creation's input was held against this when it was read; a replacement's could not be, as it may leave out
            // what the record has already.
            record.values[0] = id.clone();
            let mut flaws = Vec::new();
            require_fields(self.resource(), &record, &mut flaws);
            if !flaws.is_empty() {
                return Err(Problem::validation(flaws));
            }
            let outcome = self.create(record, given.to_vec(), precondition).await;
            if outcome.as_ref().is_err_and(|problem| upsert::is_about(problem, self.resource(), &[Resource::ID])) {
                // Somebody has made it meanwhile, so there is something to replace.
                self.tx.lost_race();
            }
            return outcome;
        };
        self.readable(&old).await?;
        let mut flaws = self.keep(&old, &mut record, given).await?;
        require_fields(self.resource(), &record, &mut flaws);
        if !flaws.is_empty() {
            return Err(Problem::validation(flaws));
        }
        let alteration = self.judge(old, record, precondition).await?;
        let new = self.alter(alteration).await?;
        self.written(Action::Updated, new).await
    }

    async fn patch(
        &mut self,
        id: &Value,
        edits: Vec<(FieldIndex, rules::plan::Edit)>,
        precondition: &Precondition,
    ) -> Result<Written, Problem> {
        let old = self.fetch_readable(id, Purpose::Change).await?;
        let alteration = self.edit(old, edits, precondition).await?;
        let new = self.alter(alteration).await?;
        self.written(Action::Updated, new).await
    }

    /// What becomes of a record that was fetched and may be read when some of its fields are changed.
    async fn edit(
        &mut self,
        old: Record,
        edits: Vec<(FieldIndex, rules::plan::Edit)>,
        precondition: &Precondition,
    ) -> Result<Alteration, Problem> {
        let resource = self.resource();
        let mut new = old.clone();
        let mut flaws = Vec::new();
        let edited: Vec<FieldIndex> = edits.iter().map(|(field, _)| *field).collect();
        let seen = self.visible(&old).await?;
        for (field, edit) in edits {
            let declared = resource.get(field);
            if edit.is_relative() && !seen.contains(&field) {
                flaws.push(unreadable(resource, field));
                continue;
            }
            match edit::apply(declared, old.get(field), edit) {
                Ok(value) => new.set(field, value),
                Err(flaw) => flaws.push(flaw),
            }
        }
        for field in edited {
            let declared = resource.get(field);
            let same = seen.contains(&field) && new.get(field) == old.get(field);
            if same {
                continue;
            }
            if declared.immutable {
                flaws.push(immutable(resource, field));
            } else if !declared.is_declared() || !self.writable(field, &old, &new).await? {
                flaws.push(not_writable(resource, field));
            }
        }
        if !flaws.is_empty() {
            return Err(Problem::validation(flaws));
        }
        self.judge(old, new, precondition).await
    }

    async fn delete(&mut self, id: &Value, precondition: &Precondition) -> Result<Written, Problem> {
        let old = self.fetch_readable(id, Purpose::Remove).await?;
        if !self.holds(&self.plan.delete, Some(&old), None).await? {
            return Err(self.undeletable());
        }
        require(precondition, Some(old.revision))?;
        let deed = Deed { action: Action::Deleted, old: Some(&old), new: None, fields: &[] };
        let overruled = self.overrules(&deed).await?;
        self.mark(Action::Deleted, &old, &[], overruled);
        let visible = self.mask(&old).await?;
        cascade::remove(self.tx, &self.plan.catalog, self.caller, self.plan.resource, old.clone()).await?;
        Ok(Written { action: Action::Deleted, plan: Arc::clone(self.plan), record: old, visible: Some(visible) })
    }

    /// Holds one state of a record, and what it shall become, against rules and validation; nothing is written yet. The
    /// precondition is the last that is asked: it counts only where the request would do something without it (RFC 9110,
    /// 13.2.1), so that a 412 tells nobody of changes to a record that they may not change.
    async fn judge(
        &mut self,
        old: Record,
        mut new: Record,
        precondition: &Precondition,
    ) -> Result<Alteration, Problem> {
        let resource = self.resource();
        people::settle(self.plan, &old, &mut new);
        if !self.holds(&self.plan.update, Some(&old), Some(&new)).await? {
            return Err(self.unchangeable());
        }
        let mut flaws: Vec<Flaw> = people::flaw(self.plan, Some(&old), &new).into_iter().collect();
        self.validate(Some(&old), &new, &mut flaws).await?;
        if !flaws.is_empty() {
            return Err(Problem::validation(flaws));
        }
        require(precondition, Some(old.revision))?;
        let fields: Vec<FieldIndex> = resource.indices().filter(|field| old.get(*field) != new.get(*field)).collect();
        if fields.is_empty() {
            return Ok(Alteration { old, new, fields, overruled: false });
        }
        people::keep_an_administrator(self.tx, &self.plan.catalog, self.plan.resource, &old, Some(&new)).await?;
        let deed = Deed { action: Action::Updated, old: Some(&old), new: Some(&new), fields: &fields };
        let overruled = self.overrules(&deed).await?;
        stamp(resource, self.caller, &old, &mut new);
        Ok(Alteration { old, new, fields, overruled })
    }

    /// Turns one state of a record into another. One that it is in already stays as it is.
    async fn alter(&mut self, mut alteration: Alteration) -> Result<Record, Problem> {
        let plan = self.plan;
        if let Some(change) = alteration.change() {
            let outcome = self.tx.change(&plan.catalog, plan.resource, change, self.caller).await;
            outcome.map_err(|problem| self.discreet(problem))?;
        }
        self.altered(alteration).await
    }

    /// What follows from a change once it is written.
    async fn altered(&mut self, alteration: Alteration) -> Result<Record, Problem> {
        let Alteration { old, new, fields, overruled } = alteration;
        if fields.is_empty() {
            return Ok(old);
        }
        people::follow(self.tx, &self.plan.catalog, self.caller, self.plan.resource, &old, Some(&new)).await?;
        self.mark(Action::Updated, &new, &fields, overruled);
        Ok(new)
    }

    async fn fetch(&mut self, id: &Value, purpose: Purpose) -> Result<Option<Record>, Problem> {
        self.tx.fetch(&self.plan.catalog, self.plan.resource, id, purpose).await
    }

    async fn fetch_readable(&mut self, id: &Value, purpose: Purpose) -> Result<Record, Problem> {
        let found = self.fetch(id, purpose).await?;
        let old = found.ok_or_else(Problem::not_found)?;
        self.readable(&old).await?;
        Ok(old)
    }

    /// The fields of the view that are open in a record.
    async fn visible(&mut self, record: &Record) -> Result<Vec<FieldIndex>, Problem> {
        let mask = self.mask(record).await?;
        let open = self.plan.view.fields.iter().zip(mask).filter(|(_, open)| *open);
        Ok(open.map(|(seen, _)| seen.field).collect())
    }

    /// Which fields of the view are open in a record, in its order.
    async fn mask(&mut self, record: &Record) -> Result<Vec<bool>, Problem> {
        let plan = self.plan;
        let mut mask = Vec::with_capacity(plan.view.fields.len());
        for field in &plan.view.fields {
            mask.push(match &field.condition {
                Some(rule) => self.holds(rule, Some(record), None).await?,
                None => true,
            });
        }
        Ok(mask)
    }

    async fn written(&mut self, action: Action, record: Record) -> Result<Written, Problem> {
        let plan = self.plan;
        let visible =
            if self.holds(&plan.read, Some(&record), None).await? { Some(self.mask(&record).await?) } else { None };
        Ok(Written { action, plan: Arc::clone(plan), record, visible })
    }

    fn resource(&self) -> &'a model::Resource {
        self.plan.catalog.schema.get(self.plan.resource)
    }
}
