//! What a store promises: the [`Store`] trait that the engine speaks to, the [`Tx`] trait that each database implements,
//! and between them the one write path ([`write`]), so that every database writes, cascades and logs alike.

use std::sync::Arc;

use async_trait::async_trait;
use model::{Entry, FieldIndex, Problem, Value};
use rules::{
    Allowed, Catalog,
    aggregate::Aggregate,
    plan::{Read, Write, Written},
};
use tokio::sync::watch;

pub mod aggregate;
#[cfg(feature = "conformance")]
pub mod conformance;
mod loading;
pub mod migration;
pub mod own;
pub mod refusal;
pub mod rows;
pub mod transaction;
pub mod write;

pub use loading::Loading;
pub use own::{Beside, Cell, Outcome, Row, Statement};
pub use rules::plan::Judgement;
pub use transaction::{Change, LogLine, Purpose, Tx};

/// A database with an app in it.
#[async_trait]
pub trait Store: Send + Sync {
    /// One record by its id, encoded; none where it is absent or the plan's condition does not hold of it.
    async fn get(&self, read: &Allowed<Read>, id: &Value) -> Result<Option<Found>, Problem>;

    /// A page of records, encoded.
    async fn list(&self, read: &Allowed<Read>) -> Result<Listed, Problem>;

    /// Opens a transaction for a file of records. On SQLite nobody else writes until it ends, so this is for the command
    /// line, not for requests.
    async fn begin_loading(&self) -> Result<Box<dyn Loading + '_>, Problem>;

    /// All records of a list in one state of the database, as a stream of lines; only `limit` and `offset` of the page
    /// count.
    async fn stream(&self, read: Allowed<Read>, form: rules::export::Form) -> Result<rows::Rows, Problem>;

    /// Totals over groups of records: JSON objects, separated by commas.
    async fn aggregate(&self, asked: &Allowed<Aggregate>) -> Result<Vec<u8>, Problem>;

    /// Makes all operations, their cascades and their log entries durable, or none of them.
    async fn write(&self, write: Allowed<Write>) -> Result<Vec<Written>, Problem> {
        self.write_beside(write, Beside::default()).await
    }

    /// The same with statements about our own tables in the same transaction.
    async fn write_beside(&self, write: Allowed<Write>, beside: Beside) -> Result<Vec<Written>, Problem>;

    /// Runs statements about our own tables in one transaction of the write path; durable when it returns.
    async fn own(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>, Problem>;

    /// Runs a query of our own tables beside the write path.
    async fn own_read(&self, query: Statement) -> Result<Vec<Row>, Problem>;

    /// Entries of the log above a sequence, in order, `limit` at most.
    async fn entries(&self, catalog: &Arc<Catalog>, after: i64, limit: u32) -> Result<Vec<Entry>, Problem>;

    /// The least and the greatest sequence in the log; `(1, 0)` where it is empty and always was.
    async fn log_range(&self) -> Result<LogRange, Problem>;

    /// Follows the greatest sequence that readers may see.
    fn watch(&self) -> watch::Receiver<i64>;

    /// Grows when another node has told that people have changed ([`Statement::telling`]), or may have while nobody listened.
    /// A hint: one who waits for it has to look from time to time all the same. Not every database has it.
    fn people_told(&self) -> watch::Receiver<u64> {
        watch::Sender::new(0).subscribe()
    }

    /// Deletes entries of the log older than a moment (microseconds of UTC), `limit` at most; returns how many went.
    async fn trim_log(&self, before: i64, limit: u32) -> Result<u64, Problem>;

    /// Judges conditions about records at hand that lead through relations, against the data as it is now.
    async fn judge(&self, view: &Allowed<Judgement>) -> Result<Judged, Problem>;

    /// Whether the database answers and its schema is the catalog's.
    async fn ready(&self, catalog: &Catalog) -> Result<(), Problem>;

    /// Finishes what is under way and closes; further calls answer 503.
    async fn close(&self);
}

/// One record, encoded for its caller.
#[derive(Debug)]
pub struct Found {
    /// The JSON object.
    pub body: Vec<u8>,
    /// The record's revision.
    pub revision: i64,
    /// Differs with the set of fields that the caller's field rules opened.
    pub mask: u64,
}

/// A page, encoded for its caller.
#[derive(Debug, Default)]
pub struct Listed {
    /// The JSON objects, separated by commas.
    pub items: Vec<u8>,
    /// How many they are.
    pub length: usize,
    /// The sort keys of the last one, where more follow.
    pub next: Option<Vec<Value>>,
    /// How many match in all, where asked.
    pub count: Option<u64>,
}

/// The sequences in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRange {
    /// The least that is still kept; one above `last` where none is.
    pub first: i64,
    /// The greatest that was ever given; 0 where none was.
    pub last: i64,
}

/// Answers to a [`Judgement`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Whether the condition holds.
    pub visible: bool,
    /// Which fields of the view are seen, in its order.
    pub fields: Vec<bool>,
}

/// A 400: what is to be expanded is more than one answer may hold.
#[must_use]
pub fn expands_too_much() -> Problem {
    let detail = "this expands more records than one answer may hold: ask for fewer with `limit`, \
                  `expand[…][limit]` or `fields`, or in several requests";
    Problem::parameter("expand", detail)
}

/// Names of fields, for a message.
#[must_use]
pub fn field_names(resource: &model::Resource, fields: &[FieldIndex]) -> String {
    fields.iter().map(|field| resource.get(*field).name.as_str()).collect::<Vec<_>>().join(", ")
}

/// A record's id as text: its form in paths, events and cursors.
#[must_use]
pub fn id_text(id: &Value) -> String {
    match id {
        Value::Text(text) => text.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Uuid(uuid) => uuid.to_string(),
        _ => String::new(),
    }
}

/// Reads what [`id_text`] wrote; null where it is no id of this resource.
#[must_use]
pub fn read_id(resource: &model::Resource, text: &str) -> Value {
    model::parse_id(resource.id_kind, text).unwrap_or_default()
}
