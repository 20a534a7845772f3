//! The store's promises, kept.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use model::{Entry, Problem, Value};
use parking_lot::Mutex;
use rules::{
    Allowed, Catalog,
    aggregate::Aggregate,
    plan::{Read, Write, Written},
};
use rusqlite::Connection;
use store::{Beside, Found, Judged, Judgement, Listed, LogRange, Outcome, Row, Statement, Store};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    aggregate,
    connection::Synchronous,
    fault::problem,
    health::Health,
    loading::SqliteLoading,
    log, migrate, own,
    presence::Presence,
    query,
    reader::Readers,
    stream::Streams,
    writer::{self, Job, OwnWork},
};

/// How often the writer looks at what other processes have written.
const LOOK: Duration = Duration::from_secs(1);

/// An app's records in one SQLite file.
pub struct SqliteStore {
    writer: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    readers: Readers,
    streams: Streams,
    latest: watch::Receiver<i64>,
    health: Arc<Health>,
    /// Keeps others from replacing the file under us.
    present: Mutex<Option<Presence>>,
}

impl SqliteStore {
    /// Opens a database that has the tables of a migration.
    ///
    /// # Errors
    /// 503 where it can't be opened.
    pub fn open(path: &Path, synchronous: Synchronous, reader_threads: usize) -> Result<Self, Problem> {
        let present = Presence::shared(path)
            .map_err(|error| Problem::unavailable("the database is being restored", error.to_string(), 5))?;
        let health = Arc::new(Health::default());
        let (sender, latest, thread) =
            writer::start(path, synchronous, Arc::clone(&health)).map_err(|error| problem(&error))?;
        let readers = Readers::start(path.to_owned(), reader_threads, Arc::clone(&health))
            .map_err(|error| Problem::internal(format!("failed to start a reader thread: {error}")))?;
        let streams = Streams::new(path.to_owned());
        look_around(&sender);
        let (writer, thread) = (Mutex::new(Some(sender)), Mutex::new(Some(thread)));
        Ok(Self { writer, thread, readers, streams, latest, health, present: Mutex::new(present) })
    }

    async fn send<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, Problem>>) -> Job) -> Result<T, Problem> {
        let closed = || Problem::unavailable("the server is stopping", "the writer is closed", 1);
        let writer = self.writer.lock().clone().ok_or_else(closed)?;
        let (reply, answer) = oneshot::channel();
        writer.send(job(reply)).await.map_err(|_| closed())?;
        drop(writer);
        let gone =
            |_| Problem::unavailable("the write was not made", "its transaction was lost with another's fault", 1);
        answer.await.map_err(gone)?
    }

    async fn own(&self, work: OwnWork) -> Result<u64, Problem> {
        self.send(|reply| Job::Own { work, reply }).await
    }

    /// Whether what ailed the disk has gone: a write that could not be made may work by now, and who asks finds out.
    async fn still_ails(&self) -> Result<(), Problem> {
        if let Some((problem, due)) = self.health.writes() {
            if !due {
                return Err(problem);
            }
            // It changes nothing, and has to reach the disk as any write does.
            let touch: OwnWork = Box::new(|connection| {
                let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
                connection.pragma_update(None, "user_version", version).map(|()| 0)
            });
            self.own(touch).await?;
            self.health.wrote();
        }
        match self.health.damage() {
            None => Ok(()),
            Some((problem, false)) => Err(problem),
            Some((problem, true)) => {
                let look = |connection: &Connection| {
                    connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
                };
                if self.readers.pooled(look).await? != "ok" {
                    return Err(problem);
                }
                self.health.sound();
                Ok(())
            }
        }
    }

    /// A small read without parameters that borrow.
    async fn small<T, F>(&self, read: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> rusqlite::Result<T> + Clone + Send + 'static,
    {
        let again = read.clone();
        self.readers.read(read, || again).await
    }
}

/// Has the writer look at what other processes have written, for as long as there is one.
fn look_around(writer: &mpsc::Sender<Job>) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let writer = writer.downgrade();
    runtime.spawn(async move {
        loop {
            tokio::time::sleep(LOOK).await;
            let Some(writer) = writer.upgrade() else { return };
            // One that has much to do looks by itself.
            drop(writer.try_send(Job::Look));
        }
    });
}

#[async_trait]
impl Store for SqliteStore {
    async fn get(&self, read: &Allowed<Read>, id: &Value) -> Result<Option<Found>, Problem> {
        let again = || {
            let (read, id) = (read.clone(), id.clone());
            move |connection: &Connection| query::get(connection, read.get(), &id)
        };
        let found = self.readers.read(|connection| query::get(connection, read.get(), id), again).await?;
        found.map_err(|_| store::expands_too_much())
    }

    async fn list(&self, read: &Allowed<Read>) -> Result<Listed, Problem> {
        let again = || {
            let read = read.clone();
            move |connection: &Connection| query::list(connection, read.get())
        };
        let listed = self.readers.read(|connection| query::list(connection, read.get()), again).await?;
        listed.map_err(|_| store::expands_too_much())
    }

    async fn begin_loading(&self) -> Result<Box<dyn store::Loading + '_>, Problem> {
        let (sender, steps) = mpsc::channel(1);
        self.send(|begun| Job::Loading { steps, begun }).await?;
        Ok(Box::new(SqliteLoading { steps: sender }))
    }

    async fn stream(&self, read: Allowed<Read>, form: rules::export::Form) -> Result<store::rows::Rows, Problem> {
        self.streams.start(read.into_inner(), form).await
    }

    async fn aggregate(&self, asked: &Allowed<Aggregate>) -> Result<Vec<u8>, Problem> {
        let again = || {
            let asked = asked.clone();
            move |connection: &Connection| aggregate::run(connection, asked.get())
        };
        self.readers.read(|connection| aggregate::run(connection, asked.get()), again).await
    }

    async fn write_beside(&self, write: Allowed<Write>, beside: Beside) -> Result<Vec<Written>, Problem> {
        self.send(|reply| Job::Write { write: write.into_inner(), beside, reply }).await
    }

    async fn own(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>, Problem> {
        self.send(|reply| Job::Statements { statements, reply }).await
    }

    async fn own_read(&self, query: Statement) -> Result<Vec<Row>, Problem> {
        let outcome = self.small(move |connection| own::run(connection, &query)).await?;
        Ok(outcome.rows)
    }

    async fn entries(&self, catalog: &Arc<Catalog>, after: i64, limit: u32) -> Result<Vec<Entry>, Problem> {
        let catalog = Arc::clone(catalog);
        self.small(move |connection| log::entries(connection, &catalog, after, limit)).await
    }

    async fn log_range(&self) -> Result<LogRange, Problem> {
        self.small(log::range).await
    }

    fn watch(&self) -> watch::Receiver<i64> {
        self.latest.clone()
    }

    async fn trim_log(&self, before: i64, limit: u32) -> Result<u64, Problem> {
        self.own(Box::new(move |connection| log::trim(connection, before, limit))).await
    }

    async fn judge(&self, judgement: &Allowed<Judgement>) -> Result<Judged, Problem> {
        let judgement = judgement.clone();
        self.small(move |connection| query::judge(connection, judgement.get())).await
    }

    async fn ready(&self, catalog: &Catalog) -> Result<(), Problem> {
        let schema = catalog.schema.clone();
        let matches = self
            .small(move |connection| {
                let other = |error| rusqlite::Error::ToSqlConversionFailure(Box::new(error));
                migrate::matches(connection, &schema).map_err(other)
            })
            .await?;
        if matches {
            return self.still_ails().await;
        }
        Err(Problem::unavailable("the database has another schema than the app", "run `mainstay migrate apply`", 5))
    }

    async fn close(&self) {
        drop(self.writer.lock().take());
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // The writer finishes what is queued; a panic of it has been reported already.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        drop(self.present.lock().take());
    }
}
