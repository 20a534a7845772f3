//! Rows of a file into a resource, in the order in which they need each other.
//!
//! Most files have that order already, so rows are written as they come. One that is refused while records of its own
//! resource are not there that it refers to is put aside (`waiting.rs`), and follows once those are made, many at a time: a
//! tree goes in whatever its order, in time that grows with its rows and not with their square.

mod waiting;

use std::collections::{BTreeSet, HashSet};

use engine::{Engine, LoadCounts, LoadId, LoadRow, Loader};
use model::{Problem, problem::Place};
use serde_json::Value as Json;
use store::Loading;

use self::waiting::Waiting;
use super::failure::Failure;

/// How often a batch is tried again without a bad row; then its rows are written one by one.
const ROUNDS: usize = 4;

/// Rows to be written together.
#[derive(Default)]
pub(super) struct Batch {
    origins: Vec<Origin>,
    rows: Vec<LoadRow>,
    /// Whether they have waited in vain: what they refer to does not come any more.
    in_vain: bool,
}

/// Where a row comes from.
struct Origin {
    /// The line that it begins in.
    line: u64,
    /// What stands there, to be kept if the row has to wait; null where no row of the resource ever has to.
    record: Json,
}

impl Batch {
    /// Adds a row that has been read from a record.
    pub(super) fn push(&mut self, loader: &Loader, line: u64, row: LoadRow, record: Json) {
        let record = if loader.own_references().next().is_some() { record } else { Json::Null };
        self.add(Origin { line, record }, row);
    }

    fn add(&mut self, origin: Origin, row: LoadRow) {
        self.origins.push(origin);
        self.rows.push(row);
    }

    fn remove(&mut self, at: usize) -> (Origin, LoadRow) {
        (self.origins.remove(at), self.rows.remove(at))
    }

    fn into_rows(self) -> impl Iterator<Item = (Origin, LoadRow)> {
        self.origins.into_iter().zip(self.rows)
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether its rows have waited in vain, so that no better order helps them.
    pub(super) fn is_in_vain(&self) -> bool {
        self.in_vain
    }
}

/// A row that can't be a record.
pub(super) struct Bad {
    pub(super) line: u64,
    pub(super) problem: Problem,
}

/// What came of a batch. Rows that were put aside are in none of it: they come back in a later one.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) counts: LoadCounts,
    pub(super) bad: Vec<Bad>,
}

impl Outcome {
    fn add(&mut self, more: LoadCounts) {
        let LoadCounts { created, updated, present } = &mut self.counts;
        *created += more.created;
        *updated += more.updated;
        *present += more.present;
    }
}

/// A file on its way into a resource.
pub(super) struct Writing<'a> {
    engine: &'a Engine,
    loader: Loader,
    waiting: Waiting,
}

impl<'a> Writing<'a> {
    /// Begins with a file, as it is shown; so many rows that have waited are one batch.
    pub(super) fn new(engine: &'a Engine, loader: Loader, shown: &str, at_once: usize) -> Self {
        let waiting = Waiting::new(loader.clone(), shown, at_once);
        Self { engine, loader, waiting }
    }

    /// Rows that need not wait any longer, to be written before anything else; none where there are none.
    ///
    /// # Errors
    /// What was put aside can't be read again.
    pub(super) fn ready(&mut self) -> Result<Option<Batch>, Failure> {
        self.waiting.ready()
    }

    /// Once the file has been read: rows that have waited in vain, in the file's order. They are written all the same, since
    /// the database says best what is wrong with them.
    ///
    /// # Errors
    /// What was put aside can't be read again.
    pub(super) fn left(&mut self) -> Result<Option<Batch>, Failure> {
        self.waiting.left()
    }

    /// Why a row of those that are left has waited in vain; none where it refers to nothing that is missing.
    ///
    /// # Errors
    /// What was put aside can't be read again.
    pub(super) fn why(&mut self, line: u64) -> Result<Option<String>, Failure> {
        self.waiting.why(line)
    }

    /// Writes a batch without its bad rows; after `most` of them the rest is left.
    ///
    /// # Errors
    /// What fails without being a row's fault.
    pub(super) async fn write(
        &mut self,
        loading: &mut dyn Loading,
        mut batch: Batch,
        most: usize,
    ) -> Result<Outcome, Failure> {
        let mut outcome = Outcome::default();
        self.put_behind(&mut batch)?;
        let mut round = 0;
        while round < ROUNDS {
            let problem = match self.try_all(loading, &batch, &mut outcome).await {
                Ok(()) => return Ok(outcome),
                Err(problem) => problem,
            };
            let Some(at) = position_of(&problem).filter(|at| *at < batch.len()) else { break };
            if self.put_aside(loading, &mut batch, at, &problem).await? {
                continue;
            }
            round += 1;
            let (origin, _) = batch.remove(at);
            outcome.bad.push(bad(origin.line, problem)?);
            if outcome.bad.len() >= most {
                return Ok(outcome);
            }
        }
        let in_vain = batch.in_vain;
        for (origin, row) in batch.into_rows() {
            let line = origin.line;
            let mut one = Batch { origins: vec![origin], rows: vec![row], in_vain };
            self.put_behind(&mut one)?;
            let Err(problem) = self.try_all(loading, &one, &mut outcome).await else { continue };
            if self.put_aside(loading, &mut one, 0, &problem).await? {
                continue;
            }
            outcome.bad.push(bad(line, problem)?);
            if outcome.bad.len() >= most {
                break;
            }
        }
        Ok(outcome)
    }

    async fn try_all(
        &mut self,
        loading: &mut dyn Loading,
        batch: &Batch,
        outcome: &mut Outcome,
    ) -> Result<(), Problem> {
        outcome.add(self.engine.load_rows(&self.loader, loading, &batch.rows).await?);
        // Those that wait in vain stay where they are, to say why others do.
        if !self.waiting.is_empty() && !batch.in_vain {
            batch.rows.iter().filter_map(LoadRow::id).for_each(|id| self.waiting.made(&id));
        }
        Ok(())
    }

    /// Puts rows aside that are about a record which a row of the file before them waits to be about: the order of these counts.
    fn put_behind(&mut self, batch: &mut Batch) -> Result<(), Failure> {
        if self.waiting.is_empty() || batch.in_vain { Ok(()) } else { self.sift(batch, &BTreeSet::new()) }
    }

    /// After a refusal of the row at `at`: puts all rows aside that refer to what is not there yet. Whether that row is one of
    /// them, so that the others can be tried again. What it was refused for does not matter: a rule may have looked
    /// for the record in vain, too.
    async fn put_aside(
        &mut self,
        loading: &mut dyn Loading,
        batch: &mut Batch,
        at: usize,
        problem: &Problem,
    ) -> Result<bool, Failure> {
        if batch.in_vain || problem.code.status() >= 500 || self.loader.needs(&batch.rows[at]).is_empty() {
            return Ok(false);
        }
        let refused = batch.origins[at].line;
        let missing = self.engine.missing(&self.loader, loading, &batch.rows).await?;
        self.sift(batch, &missing)?;
        Ok(batch.origins.iter().all(|origin| origin.line != refused))
    }

    /// Puts rows aside that refer to missing records, unless a row before them in the batch makes these; and with them what
    /// has to stay behind a row that waits.
    fn sift(&mut self, batch: &mut Batch, missing: &BTreeSet<LoadId>) -> Result<(), Failure> {
        let mut made = HashSet::new();
        for (origin, row) in std::mem::take(batch).into_rows() {
            let mut needs = self.loader.needs(&row);
            needs.retain(|id| missing.contains(id) && !made.contains(id));
            let id = row.id();
            needs.extend(id.clone().filter(|id| self.waiting.is_ahead(id, origin.line)));
            if needs.is_empty() {
                made.extend(id);
                batch.add(origin, row);
            } else {
                self.waiting.put(origin, id, needs)?;
            }
        }
        Ok(())
    }
}

/// A row that can't be a record; a fault of the database is none.
fn bad(line: u64, problem: Problem) -> Result<Bad, Failure> {
    if problem.code.status() >= 500 { Err(Failure::from(problem)) } else { Ok(Bad { line, problem }) }
}

/// The row that a problem is about, by its place in the batch.
fn position_of(problem: &Problem) -> Option<usize> {
    let Place::Pointer(at) = &problem.errors.first()?.at else { return None };
    at.strip_prefix('/')?.split('/').next()?.parse().ok()
}

/// What is wrong with a row: the places in it, and the details.
pub(super) fn flaws(problem: &Problem) -> impl Iterator<Item = (String, &str)> {
    problem.errors.iter().map(|flaw| {
        let (Place::Pointer(at) | Place::Parameter(at)) = &flaw.at;
        // The first part is the row's place in the batch, where it has one.
        let within = at.strip_prefix('/').unwrap_or(at);
        let within = match within.split_once('/') {
            Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => format!("/{rest}"),
            None if !within.is_empty() && within.bytes().all(|byte| byte.is_ascii_digit()) => String::new(),
            _ => at.clone(),
        };
        (within, flaw.detail.as_str())
    })
}
