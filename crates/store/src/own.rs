//! Tables of the program itself: sessions, idempotency keys, the audit log.
//!
//! Their statements are written once, in the SQL that all databases share, and run in transactions of the one write path:
//! alone ([`Store::own`](crate::Store::own)) or beside a write of records ([`Beside`]). Nothing in them comes from a
//! client but the values of parameters.

pub mod audit;
mod factors;
pub mod identity;
mod nodes;

use std::{borrow::Cow, fmt, sync::Arc};

use model::Problem;
use rules::plan::Written;

/// A table and its indexes, as the migrations make them.
#[derive(Debug)]
pub struct Table {
    /// The version of the system tables that brought it.
    pub since: u32,
    /// `CREATE TABLE` and `CREATE INDEX`, with `{text}`, `{bigint}` and `{bytes}` for the types of columns.
    pub statements: &'static [&'static str],
}

/// All of them. Moments are microseconds of UTC, truths 0 and 1, structures JSON in text.
pub const TABLES: &[Table] = &[
    // What a POST or PATCH with an `Idempotency-Key` was answered, to be answered again.
    Table {
        since: 2,
        statements: &[
            "CREATE TABLE _idempotency (caller {text} NOT NULL, path {text} NOT NULL, key {text} NOT NULL, \
             request {bytes} NOT NULL, status {bigint} NOT NULL, head {text} NOT NULL, body {bytes} NOT NULL, \
             created_at {bigint} NOT NULL, PRIMARY KEY (caller, path, key))",
            "CREATE INDEX _idempotency_created_at ON _idempotency (created_at)",
        ],
    },
    Table { since: 3, statements: identity::TABLES },
    Table { since: 4, statements: factors::TABLES },
    Table { since: 5, statements: nodes::TABLES },
    Table { since: 6, statements: audit::TABLES },
];

/// The statements that a version of the system tables brought, with the names of a database's types.
pub fn statements_of(version: u32, text: &str, bigint: &str, bytes: &str) -> Vec<String> {
    let of_version = TABLES.iter().filter(|table| table.since == version);
    let fill =
        |statement: &&str| statement.replace("{text}", text).replace("{bigint}", bigint).replace("{bytes}", bytes);
    of_version.flat_map(|table| table.statements).map(fill).collect()
}

/// A statement about tables of our own.
#[derive(Debug, Clone)]
pub struct Statement {
    /// SQL that all databases share; parameters are `$1`, `$2`, …, and stand nowhere else.
    pub sql: Cow<'static, str>,
    /// The parameters' values.
    pub parameters: Vec<Cell>,
    /// What has to come of it.
    pub expect: Expect,
    /// Whether other nodes are told, with the commit, that people have changed.
    pub tells: bool,
}

impl Statement {
    /// A statement of which nothing is expected.
    pub fn new(sql: impl Into<Cow<'static, str>>, parameters: impl Into<Vec<Cell>>) -> Self {
        Self { sql: sql.into(), parameters: parameters.into(), expect: Expect::Anything, tells: false }
    }

    /// Has other nodes told, with the commit, that people have changed, where the database can tell them.
    #[must_use]
    pub fn telling(self) -> Self {
        Self { tells: true, ..self }
    }

    /// Rolls the transaction back with a problem unless this statement changes or returns just one row.
    #[must_use]
    pub fn or_else(self, problem: Problem) -> Self {
        Self { expect: Expect::Rows(1, Box::new(problem)), ..self }
    }

    /// Rolls the transaction back with a problem if this statement changes or returns a row.
    #[must_use]
    pub fn unless(self, problem: Problem) -> Self {
        Self { expect: Expect::Rows(0, Box::new(problem)), ..self }
    }
}

/// How many rows a statement has to change or to return.
#[derive(Debug, Clone)]
pub enum Expect {
    /// Any number.
    Anything,
    /// So many; else the transaction is rolled back, and this is what is wrong.
    Rows(u64, Box<Problem>),
}

impl Expect {
    /// Holds it against what came of a statement.
    ///
    /// # Errors
    /// The statement's own problem.
    pub fn check(&self, outcome: &Outcome) -> Result<(), Problem> {
        match self {
            Self::Rows(wanted, problem) if *wanted != outcome.count => Err((**problem).clone()),
            Self::Anything | Self::Rows(..) => Ok(()),
        }
    }
}

/// What came of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// How many rows were changed, or returned where it returns any.
    pub count: u64,
    /// The rows it returned.
    pub rows: Vec<Row>,
}

/// A value of a column or a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// None.
    Null,
    /// `{text}`
    Text(String),
    /// `{bigint}`
    Integer(i64),
    /// `{bytes}`
    Bytes(Vec<u8>),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Cell {
    fn from(truth: bool) -> Self {
        Self::Integer(i64::from(truth))
    }
}

impl From<Vec<u8>> for Cell {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&[u8]> for Cell {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row that a statement returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(pub Vec<Cell>);

impl Row {
    /// The text in a column, counted from 0; none where there is no text.
    #[must_use]
    pub fn text(&self, column: usize) -> Option<&str> {
        match self.0.get(column) {
            Some(Cell::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The number in a column, counted from 0; none where there is no number.
    #[must_use]
    pub fn integer(&self, column: usize) -> Option<i64> {
        match self.0.get(column) {
            Some(Cell::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    /// The bytes in a column, counted from 0; none where there are none.
    #[must_use]
    pub fn bytes(&self, column: usize) -> Option<&[u8]> {
        match self.0.get(column) {
            Some(Cell::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }
}

/// Statements of our own in the transaction of a write: all of it becomes durable, or nothing.
#[derive(Clone, Default)]
pub struct Beside {
    /// Run before the records are touched.
    pub before: Vec<Statement>,
    /// Makes the statements that are run once the records are written; a write that is tried again asks again.
    pub after: Option<Arc<After>>,
}

/// Makes statements of what was written, or refuses it.
pub type After = dyn Fn(&[Written]) -> Result<Vec<Statement>, Problem> + Send + Sync;

impl Beside {
    /// Whether there is nothing to run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_none()
    }
}

impl fmt::Debug for Beside {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Beside").field("before", &self.before).finish_non_exhaustive()
    }
}
