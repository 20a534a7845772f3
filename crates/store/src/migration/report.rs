//! What a migration says: beforehand, afterwards, and where it refuses.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

/// What a migration would do to this database.
#[derive(Debug, Clone, Default)]
pub struct Preview {
    /// The database's version: how many migrations it has seen.
    pub version: i64,
    /// Names of the scripts in `migrations/` that have not run yet, in order; they run first.
    pub scripts: Vec<String>,
    /// The steps that bring the database to the resources.
    pub steps: Vec<PlannedStep>,
}

/// A step of a plan, in words and in this database's SQL.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedStep {
    /// What it does, for people; no full stop.
    pub words: String,
    /// The statements; none where only a limit changes, which no table knows of, or where a step before does it, too.
    pub sql: Vec<String>,
    /// Whether values that are there now are gone afterwards.
    pub loses_data: bool,
    /// Records that do not fit, as reasons not to go on.
    #[serde(skip)]
    pub refusals: Vec<Refusal>,
}

/// Records that do not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The resource.
    pub table: String,
    /// The field, or the fields of an index.
    pub field: String,
    /// What is wrong with them: "is longer than 10".
    pub reason: String,
    /// Some of their ids.
    pub records: Vec<String>,
    /// Whether there are others.
    pub more: bool,
}

impl Refusal {
    /// How many ids a refusal names at most.
    pub const NAMED: usize = 5;
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, field, reason, records, more } = self;
        let and_more = if *more { ", …" } else { "" };
        write!(formatter, "`{field}` of `{table}` {reason}: {}{and_more}", records.join(", "))
    }
}

impl Preview {
    /// Whether the database is as the resources want it, and no script waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.scripts.is_empty()
    }

    /// Whether it could be applied now without asking: nothing is lost, nothing refused, no script waits.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        self.scripts.is_empty() && !self.loses_data() && self.refusals().next().is_none()
    }

    /// Whether a step loses values that are there now.
    #[must_use]
    pub fn loses_data(&self) -> bool {
        self.steps.iter().any(|step| step.loses_data)
    }

    /// All reasons not to go on.
    pub fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.steps.iter().flat_map(|step| &step.refusals)
    }

    /// Whether it may be applied.
    ///
    /// # Errors
    /// [`MigrationError::Refused`] where records don't fit, [`MigrationError::DataLoss`] where data would be lost and that
    /// was not allowed.
    pub fn permit(&self, allow_data_loss: bool) -> Result<(), MigrationError> {
        let refusals: Vec<_> = self.refusals().cloned().collect();
        if !refusals.is_empty() {
            return Err(MigrationError::Refused(refusals));
        }
        if self.loses_data() && !allow_data_loss {
            let losing = self.steps.iter().filter(|step| step.loses_data);
            return Err(MigrationError::DataLoss(losing.map(|step| step.words.clone()).collect()));
        }
        Ok(())
    }
}

/// What a migration has done.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The database's version now.
    pub version: i64,
    /// The scripts that ran.
    pub scripts: Vec<String>,
    /// Scripts that a new database has no use for, each with what stood in its way: it speaks of columns or tables that are
    /// no more, or makes some that are there already. They count as run.
    pub left_out: Vec<String>,
    /// The words of the steps that were done.
    pub steps: Vec<String>,
    /// Where the database as it was before has been kept (SQLite, where it held anything).
    pub backup: Option<PathBuf>,
}

/// What runs now.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// The migrations that this database has seen, oldest first.
    pub applied: Vec<Applied>,
}

/// A migration that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// 1, 2, …
    pub id: i64,
    /// The script's name, or `resources`.
    pub name: String,
    /// When: microseconds of UTC.
    pub applied_at: i64,
    /// The script's checksum.
    pub checksum: Option<String>,
    /// What it did, in words.
    pub words: Vec<String>,
}

impl Applied {
    /// The name of migrations that were planned, not written by hand.
    pub const PLANNED: &str = "resources";

    /// Reads the words from the column `steps`; text that this program did not write yields none.
    #[must_use]
    pub fn words_of(steps: &str) -> Vec<String> {
        #[derive(Deserialize)]
        struct Words {
            words: String,
        }
        serde_json::from_str::<Vec<Words>>(steps).unwrap_or_default().into_iter().map(|step| step.words).collect()
    }

    /// The column `steps` for a plan.
    #[must_use]
    pub fn steps_json(steps: &[PlannedStep]) -> String {
        serde_json::to_string(steps).unwrap_or_default()
    }
}

impl Status {
    /// How many migrations the database has seen.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.applied.last().map_or(0, |last| last.id)
    }

    /// Name and checksum of each script that ran.
    #[must_use]
    pub fn scripts(&self) -> Vec<(String, String)> {
        let script = |applied: &Applied| Some((applied.name.clone(), applied.checksum.clone()?));
        self.applied.iter().filter_map(script).collect()
    }
}

/// Why a migration did not happen. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// Records don't fit the new schema.
    #[error("{} of the database's values do not fit: {}", .0.len(), list(.0))]
    Refused(Vec<Refusal>),
    /// Data would be lost.
    #[error("data would be lost: {}", .0.join("; "))]
    DataLoss(Vec<String>),
    /// A script has changed since it ran.
    #[error("`migrations/{0}.sql` has changed since it ran; write a new script instead")]
    ChangedScript(String),
    /// A file in `migrations/` that can't be run as it is.
    #[error("`migrations/{file}`: {problem}")]
    BadScript {
        /// The file's name.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A script failed.
    #[error("`migrations/{name}.sql` failed")]
    Script {
        /// Its name.
        name: String,
        /// What the database said.
        #[source]
        source: Cause,
    },
    /// The scripts can't be read.
    #[error("could not read `{path}`")]
    Read {
        /// Which directory or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The backup could not be written.
    #[error("could not write the backup `{path}`")]
    Backup {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: Cause,
    },
    /// A newer program has been here.
    #[error("the database was made by a newer version of this program")]
    Newer,
    /// The database failed.
    #[error("could not {doing}")]
    Database {
        /// What we were about to do: "run \"ALTER TABLE …\"".
        doing: String,
        /// What the database said.
        #[source]
        source: Cause,
    },
}

/// What lies below an error.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

fn list(refusals: &[Refusal]) -> String {
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
