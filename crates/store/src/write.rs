//! The one write path: every operation of every protocol, on every database, is made by [`apply`].
//!
//! A record is locked and read, judged as it is and as it would be, then written, then logged. Rules see the state
//! before the write: a record that would grant its own creation does not.

mod cascade;
mod edit;
mod people;

use std::sync::Arc;

use model::{Action, Caller, Code, FieldIndex, Flaw, Origin, Problem, Record, Value};
use rules::{
    Condition, Situation,
    plan::{Operation, OperationKind, Precondition, Write, WritePlan, Written},
};

use crate::{
    own::Beside,
    transaction::{Change, Purpose, Tx},
};

/// Makes every operation of a write, in order, within the caller's transaction, and what goes beside it. On an error the caller rolls back.
///
/// # Errors
/// The problem of the first operation that fails, its pointers moved under the operation's place in the input.
pub async fn apply<T: Tx>(tx: &mut T, write: Write, beside: &Beside) -> Result<Vec<Written>, Problem> {
    for statement in &beside.before {
        tx.own(statement).await?;
    }
    let mut written = Vec::with_capacity(write.operations.len());
    for operation in write.operations {
        let Operation { plan, kind, pointer } = operation;
        let mut path = Path { tx, caller: &write.caller, plan: &plan };
        let outcome = match kind {
            OperationKind::Create { record, given } => path.create(record, &given).await,
            OperationKind::Replace { id, record, given, precondition, or_create } => {
                path.replace(&id, record, &given, &precondition, or_create).await
            }
            OperationKind::Patch { id, edits, precondition } => path.patch(&id, edits, &precondition).await,
            OperationKind::Delete { id, precondition } => path.delete(&id, &precondition).await,
        };
        written.push(outcome.map_err(|problem| problem.under(&pointer))?);
    }
    if let Some(after) = &beside.after {
        for statement in after(&written)? {
            tx.own(&statement).await?;
        }
    }
    Ok(written)
}

/// Whether a write may fail after it has changed something, so that it needs a savepoint of its own among others.
#[must_use]
pub fn needs_savepoint(write: &Write, beside: &Beside) -> bool {
    if !beside.is_empty() {
        return true;
    }
    let [only] = write.operations.as_slice() else { return true };
    let resource = only.plan.catalog.schema.get(only.plan.resource);
    match only.kind {
        OperationKind::Delete { .. } => true,
        // One statement writes the record, and a failing statement changes nothing.
        OperationKind::Create { .. } | OperationKind::Replace { .. } | OperationKind::Patch { .. } => {
            resource.fields.iter().any(model::Field::is_many)
        }
    }
}

/// One operation on its way.
struct Path<'a, T> {
    tx: &'a mut T,
    caller: &'a Caller,
    plan: &'a Arc<WritePlan>,
}

impl<'a, T: Tx> Path<'a, T> {
    async fn create(&mut self, mut record: Record, given: &[FieldIndex]) -> Result<Written, Problem> {
        let plan = self.plan;
        if !self.holds(&plan.create, None, Some(&record)).await? {
            return Err(self.denied(&format!("you may not create {}", self.resource().name)));
        }
        let mut flaws = Vec::new();
        for (field, rule) in &plan.field_writes {
            if given.contains(field) && !self.holds(rule, None, Some(&record)).await? {
                flaws.push(not_writable(self.resource(), *field));
            }
        }
        flaws.extend(people::flaw(plan, None, &record));
        self.validate(None, &record, &mut flaws).await?;
        if !flaws.is_empty() {
            return Err(Problem::validation(flaws));
        }
        self.tx.create(&plan.catalog, plan.resource, &mut record, self.caller).await?;
        self.written(Action::Created, record).await
    }

    async fn replace(
        &mut self,
        id: &Value,
        mut record: Record,
        given: &[FieldIndex],
        precondition: &Precondition,
        or_create: bool,
    ) -> Result<Written, Problem> {
        let Some(old) = self.tx.fetch(&self.plan.catalog, self.plan.resource, id, Purpose::Change).await? else {
            if !or_create {
                return Err(Problem::not_found());
            }
            require(precondition, None)?;
            // A creation's input was held against this when it was read; a replacement's could not be, as it may leave out
            // what the record has already.
            let mut flaws = Vec::new();
            require_fields(self.resource(), &record, &mut flaws);
            if !flaws.is_empty() {
                return Err(Problem::validation(flaws));
            }
            record.values[0] = id.clone();
            return self.create(record, given).await;
        };
        self.readable(&old).await?;
        require(precondition, Some(old.revision))?;
        let seen = self.visible(&old).await?;
        let resource = self.resource();
        let mut flaws = Vec::new();
        for field in resource.indices() {
            let declared = resource.get(field);
            let readable = seen.contains(&field);
            let locked = !declared.is_declared() || declared.immutable || !self.writable(field, &old, &record).await?;
            let sent = given.contains(&field);
            if !locked && (readable || sent) {
                continue;
            }
            // What the caller may not read or write stays, and so does what is set once.
            if sent && !(readable && record.get(field) == old.get(field)) {
                flaws.push(if declared.immutable { immutable(resource, field) } else { not_writable(resource, field) });
            }
            record.set(field, old.get(field).clone());
        }
        require_fields(resource, &record, &mut flaws);
        if !flaws.is_empty() {
            return Err(Problem::validation(flaws));
        }
        self.change(old, record).await
    }

    async fn patch(
        &mut self,
        id: &Value,
        edits: Vec<(FieldIndex, rules::plan::Edit)>,
        precondition: &Precondition,
    ) -> Result<Written, Problem> {
        let old = self.fetch_readable(id, Purpose::Change).await?;
        require(precondition, Some(old.revision))?;
        let resource = self.resource();
        let mut new = old.clone();
        let mut flaws = Vec::new();
        let edited: Vec<FieldIndex> = edits.iter().map(|(field, _)| *field).collect();
        for (field, edit) in edits {
            let declared = resource.get(field);
            match edit::apply(declared, old.get(field), edit) {
                Ok(value) => new.set(field, value),
                Err(flaw) => flaws.push(flaw),
            }
        }
        let seen = self.visible(&old).await?;
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
        self.change(old, new).await
    }

    async fn delete(&mut self, id: &Value, precondition: &Precondition) -> Result<Written, Problem> {
        let old = self.fetch_readable(id, Purpose::Remove).await?;
        require(precondition, Some(old.revision))?;
        if !self.holds(&self.plan.delete, Some(&old), None).await? {
            return Err(self.denied(&format!("you may not delete this record of {}", self.resource().name)));
        }
        let visible = self.mask(&old).await?;
        cascade::remove(self.tx, &self.plan.catalog, self.caller, self.plan.resource, old.clone()).await?;
        Ok(Written { action: Action::Deleted, plan: Arc::clone(self.plan), record: old, visible: Some(visible) })
    }

    /// Turns one state of a record into another, where rules and validation let it.
    async fn change(&mut self, old: Record, mut new: Record) -> Result<Written, Problem> {
        let resource = self.resource();
        people::settle(self.plan, &old, &mut new);
        if !self.holds(&self.plan.update, Some(&old), Some(&new)).await? {
            return Err(self.denied(&format!("you may not change this record of {}", resource.name)));
        }
        let mut flaws: Vec<Flaw> = people::flaw(self.plan, Some(&old), &new).into_iter().collect();
        self.validate(Some(&old), &new, &mut flaws).await?;
        if !flaws.is_empty() {
            return Err(Problem::validation(flaws));
        }
        let changed: Vec<FieldIndex> = resource.indices().filter(|field| old.get(*field) != new.get(*field)).collect();
        if changed.is_empty() {
            return self.written(Action::Updated, old).await;
        }
        people::keep_an_administrator(self.tx, &self.plan.catalog, self.plan.resource, &old, Some(&new)).await?;
        stamp(resource, self.caller, &old, &mut new);
        let change = Change { before: &old, after: &mut new, fields: &changed };
        self.tx.change(&self.plan.catalog, self.plan.resource, change, self.caller).await?;
        self.written(Action::Updated, new).await
    }

    async fn fetch_readable(&mut self, id: &Value, purpose: Purpose) -> Result<Record, Problem> {
        let found = self.tx.fetch(&self.plan.catalog, self.plan.resource, id, purpose).await?;
        let old = found.ok_or_else(Problem::not_found)?;
        self.readable(&old).await?;
        Ok(old)
    }

    /// A record that the caller may not read does not exist for it.
    async fn readable(&mut self, record: &Record) -> Result<(), Problem> {
        if self.holds(&self.plan.read, Some(record), None).await? { Ok(()) } else { Err(Problem::not_found()) }
    }

    async fn writable(&mut self, field: FieldIndex, old: &Record, new: &Record) -> Result<bool, Problem> {
        let plan = self.plan;
        match plan.field_writes.iter().find(|(restricted, _)| *restricted == field) {
            Some((_, rule)) => self.holds(rule, Some(old), Some(new)).await,
            None => Ok(true),
        }
    }

    async fn validate(&mut self, old: Option<&Record>, new: &Record, flaws: &mut Vec<Flaw>) -> Result<(), Problem> {
        let plan = self.plan;
        for (message, rule) in &plan.validations {
            if !self.holds(rule, old, Some(new)).await? {
                flaws.push(Flaw::pointer("", "rule", message.clone()));
            }
        }
        Ok(())
    }

    async fn holds(
        &mut self,
        rule: &Condition,
        record: Option<&Record>,
        new: Option<&Record>,
    ) -> Result<bool, Problem> {
        holds(self.tx, self.plan, rule, self.caller, record, new).await
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

    fn denied(&self, detail: &str) -> Problem {
        let code = if self.caller.identity.is_known() { Code::Forbidden } else { Code::Unauthenticated };
        match &self.caller.identity.scopes {
            Some(scopes) => {
                Problem::new(code, format!("{detail} with this key, whose scopes are {}", scopes.texts().join(", ")))
            }
            None => Problem::new(code, detail),
        }
    }
}

/// Judges a rule in memory where it says nothing of other records, and in the transaction where it does.
async fn holds<T: Tx>(
    tx: &mut T,
    plan: &WritePlan,
    rule: &Condition,
    caller: &Caller,
    record: Option<&Record>,
    new: Option<&Record>,
) -> Result<bool, Problem> {
    match rule {
        Condition::Constant(verdict) => Ok(*verdict),
        rule if rule.uses_relations() => tx.holds(plan, rule, caller, record, new).await,
        rule => {
            let blank = Situation::blank(&plan.catalog.schema);
            Ok(Situation { caller: Some(caller), record, new, ..blank }.judge(rule))
        }
    }
}

/// Notes every required field that has no value.
fn require_fields(resource: &model::Resource, record: &Record, flaws: &mut Vec<Flaw>) {
    for (field, declared) in resource.indices().zip(&resource.fields) {
        if declared.required && declared.is_declared() {
            model::check_required(declared, record.get(field), &format!("/{}", declared.name), flaws);
        }
    }
}

/// Keeps `updated_at`; it never runs backwards, whatever the clock does.
fn stamp(resource: &model::Resource, caller: &Caller, old: &Record, new: &mut Record) {
    if let Some(field) = resource.kept(Origin::UpdatedAt) {
        let before = match old.get(field) {
            Value::DateTime(moment) => *moment,
            _ => i64::MIN,
        };
        new.set(field, Value::DateTime(caller.now.max(before)));
    }
}

/// Holds a precondition against the stored revision, none where there is no record.
fn require(precondition: &Precondition, stored: Option<i64>) -> Result<(), Problem> {
    let holds = match (precondition, stored) {
        (Precondition::None, _) | (Precondition::Absent, None) | (Precondition::Exists, Some(_)) => true,
        (Precondition::Revision(wanted), Some(revision)) => wanted.contains(&revision),
        (Precondition::Absent, Some(_)) | (Precondition::Exists | Precondition::Revision(_), None) => false,
    };
    if holds {
        return Ok(());
    }
    let detail = match precondition {
        Precondition::Absent => "a record with this id is there already",
        _ => "the record has changed since you read it; read it again and repeat the change",
    };
    Err(Problem::new(Code::PreconditionFailed, detail))
}

fn not_writable(resource: &model::Resource, field: FieldIndex) -> Flaw {
    let name = &resource.get(field).name;
    Flaw::pointer(format!("/{name}"), "not_writable", format!("you may not set {name}"))
}

fn immutable(resource: &model::Resource, field: FieldIndex) -> Flaw {
    let name = &resource.get(field).name;
    Flaw::pointer(format!("/{name}"), "immutable", format!("{name} is set at creation only"))
}
