//! What the write path asks of a database inside one transaction.

use model::{
    Action, Caller, FieldIndex, Keep, Problem, Record, Resource, ResourceIndex, Value, identity::PersonFields, json,
};
use rules::{
    Catalog, Condition,
    plan::{Read, WritePlan},
};

use crate::own::{Outcome, Statement};

/// An open transaction. Its futures of SQLite are ready at once, since its writer has a thread of its own.
#[expect(async_fn_in_trait, reason = "used generically, inside the stores only")]
pub trait Tx {
    /// Reads a whole record and locks it against other transactions.
    async fn fetch(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        id: &Value,
        purpose: Purpose,
    ) -> Result<Option<Record>, Problem>;

    /// Reads whole records in the order of these ids, and locks them; those that are not there are left out.
    async fn fetch_all(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        ids: &[Value],
        purpose: Purpose,
    ) -> Result<Vec<Record>, Problem>;

    /// Locks records that will be fetched later, in the order of these ids; those that are not there are left out.
    async fn lock(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        ids: &[Value],
        purpose: Purpose,
    ) -> Result<(), Problem>;

    /// Judges a condition of the plan that leads through relations, against the state of this transaction; `record` and
    /// `new` are held in memory.
    async fn holds(
        &mut self,
        plan: &WritePlan,
        condition: &Condition,
        caller: &Caller,
        record: Option<&Record>,
        new: Option<&Record>,
    ) -> Result<bool, Problem>;

    /// Judges such a condition about each of these records, as [`Self::holds`] would about one after another.
    async fn holds_all(
        &mut self,
        plan: &WritePlan,
        condition: &Condition,
        caller: &Caller,
        records: &[Record],
    ) -> Result<Vec<bool>, Problem> {
        let mut verdicts = Vec::with_capacity(records.len());
        for record in records {
            verdicts.push(self.holds(plan, condition, caller, Some(record), None).await?);
        }
        Ok(verdicts)
    }

    /// Inserts a record with its `many` references, and logs it. The record gets its revision, and where its id is null
    /// the next serial number. A taken unique value is a 409 `conflict`, a missing target a 409 `missing-reference`.
    async fn create(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        record: &mut Record,
        caller: &Caller,
    ) -> Result<(), Problem> {
        self.create_all(catalog, resource, &mut [record], caller).await.map_err(|(_, problem)| problem)
    }

    /// Inserts records of one resource as [`Self::create`] would one after another. On an error, which of them it is about.
    async fn create_all(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        records: &mut [&mut Record],
        caller: &Caller,
    ) -> Result<(), (usize, Problem)>;

    /// Writes the changed fields of a record that was fetched, and logs it. The record gets its next revision: those of a
    /// record grow in commit order.
    async fn change(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        change: Change<'_>,
        caller: &Caller,
    ) -> Result<(), Problem> {
        self.change_all(catalog, resource, &mut [change], caller).await.map_err(|(_, problem)| problem)
    }

    /// Writes changes of records of one resource as [`Self::change`] would one after another. On an error, which of them it
    /// is about.
    async fn change_all(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        changes: &mut [Change<'_>],
        caller: &Caller,
    ) -> Result<(), (usize, Problem)>;

    /// Deletes a record that was fetched and whose referrers are gone, and logs it with a revision of its own.
    async fn remove(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        record: &Record,
        caller: &Caller,
    ) -> Result<(), Problem> {
        self.remove_all(catalog, resource, &[record], caller).await
    }

    /// Deletes records of one resource as [`Self::remove`] would one after another.
    async fn remove_all(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        records: &[&Record],
        caller: &Caller,
    ) -> Result<(), Problem>;

    /// The id of the record that agrees with `record` in these fields, which are unique together and not null, as the
    /// unique index compares them; locked to be changed.
    async fn find(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        fields: &[FieldIndex],
        record: &Record,
    ) -> Result<Option<Value>, Problem>;

    /// The ids of the records that a read means, locked, in the order of ids; `limit` at most.
    async fn matching(&mut self, read: &Read, purpose: Purpose, limit: u32) -> Result<Vec<Value>, Problem>;

    /// Another writer made what this one had looked for and not found: if the write fails now, it is made again.
    fn lost_race(&mut self);

    /// Runs a statement about our own tables and holds its outcome against what is expected of it.
    async fn own(&mut self, statement: &Statement) -> Result<Outcome, Problem>;

    /// Which of these ids the reference (one or many) of a record of `from` names, other than the record that it is the id of.
    async fn referred(
        &mut self,
        catalog: &Catalog,
        from: ResourceIndex,
        field: FieldIndex,
        targets: &[Value],
    ) -> Result<Vec<Value>, Problem>;

    /// The ids of records of `from` whose reference (one or many) names one of `targets`, but for those that are among them
    /// themselves; `limit` at most, in the order of ids.
    async fn referrers(
        &mut self,
        catalog: &Catalog,
        from: ResourceIndex,
        field: FieldIndex,
        targets: &[Value],
        limit: u32,
    ) -> Result<Vec<Value>, Problem>;

    /// Whether a person other than `except` is enabled and has one of these roles. Until the transaction ends, no other one
    /// gets an answer to the same question.
    async fn another_has_role(
        &mut self,
        catalog: &Catalog,
        people: ResourceIndex,
        fields: PersonFields,
        roles: &[String],
        except: &Value,
    ) -> Result<bool, Problem>;

    /// Makes a to-one reference of a record that is about to be deleted harmless: null, or where it is required the
    /// record's own id. For cycles only; leaves no log entry.
    async fn unlink(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        field: FieldIndex,
        id: &Value,
    ) -> Result<(), Problem>;
}

/// Why a record is fetched, for the strength of its lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To change it; records that refer to it may come meanwhile.
    Change,
    /// To delete it.
    Remove,
}

/// A record before and after a change.
#[derive(Debug)]
pub struct Change<'a> {
    /// As it was fetched.
    pub before: &'a Record,
    /// As it shall be; it gets its revision.
    pub after: &'a mut Record,
    /// Which fields the writer changed; `updated_at` goes along unnamed.
    pub fields: &'a [FieldIndex],
}

/// An entry on its way into the log.
#[derive(Debug)]
pub struct LogLine<'a> {
    /// Whose record.
    pub resource: &'a Resource,
    /// What was done.
    pub action: Action,
    /// By whom, when, in which request.
    pub caller: &'a Caller,
    /// The record before, unless created.
    pub before: Option<&'a Record>,
    /// The record after, unless deleted.
    pub after: Option<&'a Record>,
    /// Which fields an update changed.
    pub changed: &'a [FieldIndex],
}

impl LogLine<'_> {
    /// The record's id as text.
    #[must_use]
    pub fn id(&self) -> String {
        self.after.or(self.before).map_or_else(String::new, |record| crate::id_text(record.id()))
    }

    /// The names of the changed fields with commas between; none where an update changed none.
    #[must_use]
    pub fn changed_names(&self) -> Option<String> {
        let names = || self.changed.iter().map(|field| self.resource.get(*field).name.as_str());
        (!self.changed.is_empty()).then(|| names().collect::<Vec<_>>().join(","))
    }

    /// The record before as JSON, where the resource keeps it.
    #[must_use]
    pub fn before_json(&self) -> Option<String> {
        self.whole(self.before)
    }

    /// The record after as JSON, where the resource keeps it.
    #[must_use]
    pub fn after_json(&self) -> Option<String> {
        self.whole(self.after)
    }

    fn whole(&self, record: Option<&Record>) -> Option<String> {
        let record = record.filter(|_| self.resource.keep == Keep::Full)?;
        let mut text = Vec::with_capacity(256);
        json::write_record(self.resource, record, &mut text);
        Some(String::from_utf8(text).unwrap_or_default())
    }
}
