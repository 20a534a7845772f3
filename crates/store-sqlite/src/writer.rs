//! The one writer: a thread that takes all that waits into one transaction and one sync of the disk.
//!
//! Each write that could fail half-way has a savepoint, so a failing one takes nothing of its neighbours along, and no
//! answer is given before the commit has returned.

use std::{
    future::Future,
    path::Path,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use model::{Caller, Problem};
use rules::plan::{Write, Written};
use rusqlite::Connection;
use store::{
    Beside, Outcome, Statement,
    write::{self, Marks},
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    connection::{self, Synchronous},
    fault::problem,
    health::Health,
    loading::Step,
    query,
    sequence::Sequences,
    transaction::SqliteTx,
};

/// The most writes in one transaction.
const GROUP: usize = 512;
/// The most writes that wait; further ones are told to come later once their queue is full for a while.
const QUEUE: usize = 4096;

/// What the writer is asked to do.
pub(crate) enum Job {
    /// A write of the gate's.
    Write { write: Write, beside: Beside, reply: Reply<Vec<Written>> },
    /// Statements about our own tables.
    Statements { statements: Vec<Statement>, reply: Reply<Vec<Outcome>> },
    /// A transaction that stays open from batch to batch.
    Loading { steps: mpsc::Receiver<Step>, begun: Reply<()> },
    /// A look at what other processes have written, so that those who follow the log hear of it.
    Look,
    /// Something of the store's own, within the transaction.
    Own { work: OwnWork, reply: Reply<u64> },
}

impl Job {
    /// Answers without having done anything.
    fn refuse(self, problem: Problem) {
        match self {
            Self::Write { reply, .. } => drop(reply.send(Err(problem))),
            Self::Statements { reply, .. } => drop(reply.send(Err(problem))),
            Self::Own { reply, .. } => drop(reply.send(Err(problem))),
            Self::Loading { begun, .. } => drop(begun.send(Err(problem))),
            Self::Look => {}
        }
    }
}

type Reply<T> = oneshot::Sender<Result<T, Problem>>;

/// Work of the store's own.
pub(crate) type OwnWork = Box<dyn FnOnce(&Connection) -> rusqlite::Result<u64> + Send>;

/// An answer that waits for the commit.
enum Waiting {
    Write(Reply<Vec<Written>>, Vec<Written>),
    Statements(Reply<Vec<Outcome>>, Vec<Outcome>),
    Own(Reply<u64>, u64),
}

impl Waiting {
    fn committed(self) {
        // A receiver that has gone is a client that has gone.
        match self {
            Self::Write(reply, written) => drop(reply.send(Ok(written))),
            Self::Statements(reply, outcomes) => drop(reply.send(Ok(outcomes))),
            Self::Own(reply, count) => drop(reply.send(Ok(count))),
        }
    }

    fn failed(self, problem: Problem) {
        match self {
            Self::Write(reply, _) => drop(reply.send(Err(problem))),
            Self::Statements(reply, _) => drop(reply.send(Err(problem))),
            Self::Own(reply, _) => drop(reply.send(Err(problem))),
        }
    }
}

/// The writer's thread.
struct Writer {
    connection: Connection,
    sequences: Sequences,
    /// SQLite's mark of what others have committed; where it has moved, the sequences may have, too.
    others: i64,
    latest: watch::Sender<i64>,
    health: Arc<Health>,
    /// What made the database end the transaction.
    ended: Option<Problem>,
}

/// Opens the writer and starts its thread; it ends when the last sender is dropped.
///
/// # Errors
/// The database can't be opened.
pub(crate) fn start(
    path: &Path,
    synchronous: Synchronous,
    health: Arc<Health>,
) -> rusqlite::Result<(mpsc::Sender<Job>, watch::Receiver<i64>, std::thread::JoinHandle<()>)> {
    let connection = connection::open_writer(path, synchronous)?;
    let others = data_version(&connection)?;
    let sequences = Sequences::open(&connection)?;
    let (latest, watched) = watch::channel(sequences.revision());
    let (sender, receiver) = mpsc::channel(QUEUE);
    let mut writer = Writer { connection, sequences, others, latest, health, ended: None };
    let thread = std::thread::Builder::new()
        .name("sqlite-writer".to_owned())
        .spawn(move || writer.run(receiver))
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    Ok((sender, watched, thread))
}

impl Writer {
    fn run(&mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut waiting = Vec::with_capacity(GROUP);
        let mut held = None;
        while let Some(first) = held.take().or_else(|| jobs.blocking_recv()) {
            let before = self.connection.total_changes();
            match first {
                Job::Loading { steps, begun } => {
                    self.load(steps, begun);
                    continue;
                }
                Job::Look => {
                    self.look();
                    continue;
                }
                _ => {}
            }
            if let Err(error) = self.group(first, &mut jobs, &mut waiting, &mut held) {
                let problem = self.fault(&error);
                let _ = self.connection.execute_batch("ROLLBACK");
                self.sequences.rolled_back();
                for answer in waiting.drain(..) {
                    answer.failed(problem.clone());
                }
                continue;
            }
            if self.connection.total_changes() != before {
                self.health.wrote();
            }
            self.latest.send_replace(self.sequences.revision());
            for answer in waiting.drain(..) {
                answer.committed();
            }
        }
        // A gap in the ids does no harm, so what keeps this from being written need not be told.
        let _ = self.sequences.release(&self.connection);
        // The last one out leaves no log file behind to be replayed.
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// Runs all that waits in one transaction.
    fn group(
        &mut self,
        first: Job,
        jobs: &mut mpsc::Receiver<Job>,
        waiting: &mut Vec<Waiting>,
        held: &mut Option<Job>,
    ) -> rusqlite::Result<()> {
        if let Err(error) = self.execute("BEGIN IMMEDIATE").and_then(|()| self.meet_others()) {
            first.refuse(problem(&error));
            return Err(error);
        }
        let mut next = Some(first);
        while let Some(job) = next {
            self.run_one(job, waiting)?;
            next = if waiting.len() < GROUP { jobs.try_recv().ok() } else { None };
            if let Some(Job::Loading { .. }) = next {
                *held = next.take();
            }
        }
        self.execute("COMMIT")
    }

    /// Tells of a transaction that was lost.
    fn fault(&mut self, error: &rusqlite::Error) -> Problem {
        let problem = self.ended.take().unwrap_or_else(|| problem(error));
        tracing::error!(error = %error, cause = problem.cause, "a transaction failed and was rolled back");
        self.health.write(&problem);
        problem
    }

    /// Another process, `mainstay seed` say, may have written since the last transaction and given out numbers.
    fn meet_others(&mut self) -> rusqlite::Result<()> {
        let others = data_version(&self.connection)?;
        if others != self.others {
            self.sequences = Sequences::open(&self.connection)?;
            self.others = others;
        }
        Ok(())
    }

    /// Tells those who follow the log what others have written.
    fn look(&mut self) {
        match self.meet_others() {
            Ok(()) => {
                let revision = self.sequences.revision();
                self.latest.send_if_modified(|known| std::mem::replace(known, revision) != revision);
            }
            Err(error) => tracing::debug!(error = %error, "what other processes have written can't be seen now"),
        }
    }

    /// Runs a transaction that lasts until its owner commits or drops it.
    fn load(&mut self, mut steps: mpsc::Receiver<Step>, begun: Reply<()>) {
        // A file's rows go everywhere in the indexes; with room for more of them, fewer pages are written twice.
        let _ = self.connection.execute_batch("PRAGMA cache_size = -65536");
        let began = self.execute("BEGIN IMMEDIATE").and_then(|()| self.meet_others());
        let failed = began.is_err();
        // What is to stand in the audit log, and who did it.
        let (mut marks, mut by): (Marks, Option<Caller>) = (Marks::default(), None);
        drop(begun.send(began.map_err(|error| problem(&error))));
        while let Some(step) = steps.blocking_recv().filter(|_| !failed) {
            match step {
                Step::Write { write, reply } => {
                    by = Some(write.caller.clone());
                    drop(reply.send(self.load_batch(write, &mut marks)));
                }
                Step::Matching { read, reply } => {
                    let read = read.get();
                    let found = query::matching(&self.connection, read, read.page.limit);
                    drop(reply.send(found.map_err(|error| problem(&error))));
                }
                Step::Commit { reply } => {
                    let lines = by.take().map_or_else(Vec::new, |caller| std::mem::take(&mut marks).lines(&caller));
                    let transaction = SqliteTx { connection: &self.connection, sequences: &mut self.sequences };
                    if let Err(problem) = transaction.run_own(&lines) {
                        drop(reply.send(Err(problem)));
                        break;
                    }
                    let committed = self.execute("COMMIT");
                    if committed.is_ok() {
                        self.latest.send_replace(self.sequences.revision());
                        self.health.wrote();
                    }
                    drop(reply.send(committed.map_err(|error| problem(&error))));
                    break;
                }
            }
        }
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
            self.sequences.rolled_back();
        }
        let _ = self.connection.execute_batch(connection::CACHE);
    }

    fn load_batch(&mut self, write: Write, marks: &mut Marks) -> Result<Vec<Written>, Problem> {
        let failed = |error: rusqlite::Error| problem(&error);
        self.execute("SAVEPOINT one").map_err(failed)?;
        let mut transaction = SqliteTx { connection: &self.connection, sequences: &mut self.sequences };
        let outcome = ready(write::apply_unmarked(&mut transaction, write, &Beside::default(), marks));
        if let Err(problem) = &outcome {
            self.health.write(problem);
            if self.connection.is_autocommit() {
                return outcome;
            }
            self.execute("ROLLBACK TO one").map_err(failed)?;
            self.sequences.rolled_back();
        }
        self.execute("RELEASE one").map_err(failed)?;
        outcome
    }

    /// Runs one job; an error is one that the whole transaction can't go on after.
    fn run_one(&mut self, job: Job, waiting: &mut Vec<Waiting>) -> rusqlite::Result<()> {
        match job {
            Job::Write { write, beside, reply } => {
                if reply.is_closed() {
                    return Ok(());
                }
                let savepoint = write::needs_savepoint(&write, &beside);
                if savepoint {
                    self.execute("SAVEPOINT one")?;
                }
                let mut transaction = SqliteTx { connection: &self.connection, sequences: &mut self.sequences };
                match ready(write::apply(&mut transaction, write, &beside)) {
                    Ok(written) => waiting.push(Waiting::Write(reply, written)),
                    Err(problem) => {
                        self.health.write(&problem);
                        drop(reply.send(Err(problem.clone())));
                        self.still_open(problem)?;
                        if savepoint {
                            self.execute("ROLLBACK TO one")?;
                            self.sequences.rolled_back();
                        }
                    }
                }
                if savepoint {
                    self.execute("RELEASE one")?;
                }
            }
            Job::Statements { statements, reply } => {
                self.execute("SAVEPOINT one")?;
                let transaction = SqliteTx { connection: &self.connection, sequences: &mut self.sequences };
                match transaction.run_own(&statements) {
                    Ok(outcomes) => waiting.push(Waiting::Statements(reply, outcomes)),
                    Err(problem) => {
                        self.health.write(&problem);
                        drop(reply.send(Err(problem.clone())));
                        self.still_open(problem)?;
                        self.execute("ROLLBACK TO one")?;
                    }
                }
                self.execute("RELEASE one")?;
            }
            // One of these is never within a group.
            Job::Loading { .. } | Job::Look => {}
            Job::Own { work, reply } => {
                self.execute("SAVEPOINT one")?;
                match work(&self.connection) {
                    Ok(count) => waiting.push(Waiting::Own(reply, count)),
                    Err(error) => {
                        let problem = problem(&error);
                        self.health.write(&problem);
                        drop(reply.send(Err(problem.clone())));
                        self.still_open(problem)?;
                        self.execute("ROLLBACK TO one")?;
                    }
                }
                self.execute("RELEASE one")?;
            }
        }
        Ok(())
    }

    /// A full disk or an I/O error may have ended the transaction under us, with all that was in it.
    fn still_open(&mut self, problem: Problem) -> rusqlite::Result<()> {
        if self.connection.is_autocommit() {
            self.ended = Some(problem);
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK);
            return Err(rusqlite::Error::SqliteFailure(code, Some("the database ended the transaction".to_owned())));
        }
        Ok(())
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(|_| ())
    }
}

/// Differs from the last answer where another connection has committed in between.
fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

/// The result of a future that never waits: those of [`SqliteTx`] are ready at once.
fn ready<T>(future: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(Problem::internal("a step of an SQLite transaction waited")),
    }
}
