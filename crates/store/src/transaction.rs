//! What the write path asks of a database inside one transaction.

use model::{Action, Caller, FieldIndex, Problem, Record, ResourceIndex, Value};
use rules::{Catalog, Condition, plan::WritePlan};

/// An open transaction. Its futures of SQLite are ready at once, since its writer has a thread of its own.
#[expect(async_fn_in_trait, reason = "used generically, inside the stores only")]
pub trait Tx {
    /// Reads a whole record and locks it against other transactions.
    async fn fetch(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        id: &Value,
    ) -> Result<Option<Record>, Problem>;

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

    /// The next revision; called once the record is locked, so that revisions of a record grow in commit order.
    async fn next_revision(&mut self) -> Result<i64, Problem>;

    /// The next id of a resource with integer ids.
    async fn next_id(&mut self, catalog: &Catalog, resource: ResourceIndex) -> Result<i64, Problem>;

    /// Inserts a record and its `many` references. A taken unique value is a 409 `conflict`, a missing target
    /// a 409 `missing-reference`.
    async fn insert(&mut self, catalog: &Catalog, resource: ResourceIndex, record: &Record) -> Result<(), Problem>;

    /// Writes the changed fields of a record and its revision.
    async fn update(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        record: &Record,
        changed: &[FieldIndex],
    ) -> Result<(), Problem>;

    /// Deletes a record whose referrers are gone.
    async fn delete(&mut self, catalog: &Catalog, resource: ResourceIndex, id: &Value) -> Result<(), Problem>;

    /// The ids of records of `from` whose reference (one or many) names `target`; `limit` at most, in the order of ids.
    async fn referring(
        &mut self,
        catalog: &Catalog,
        from: ResourceIndex,
        field: FieldIndex,
        target: &Value,
        limit: u32,
    ) -> Result<Vec<Value>, Problem>;

    /// Makes a to-one reference of a record that is about to be deleted harmless: null, or where it is required the
    /// record's own id. For cycles only; leaves no log entry.
    async fn unlink(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        field: FieldIndex,
        id: &Value,
    ) -> Result<(), Problem>;

    /// Adds an entry to the log.
    async fn append(&mut self, catalog: &Catalog, line: LogLine<'_>) -> Result<(), Problem>;
}

/// An entry on its way into the log.
#[derive(Debug)]
pub struct LogLine<'a> {
    /// Whose record.
    pub resource: ResourceIndex,
    /// What was done.
    pub action: Action,
    /// The revision that the change made.
    pub revision: i64,
    /// By whom, when, in which request.
    pub caller: &'a Caller,
    /// The record before, unless created.
    pub before: Option<&'a Record>,
    /// The record after, unless deleted.
    pub after: Option<&'a Record>,
    /// Which fields an update changed.
    pub changed: &'a [FieldIndex],
}
