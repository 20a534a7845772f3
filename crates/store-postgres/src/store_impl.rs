//! The store's promises, kept.
//!
//! What is waited for is pinned where it is, since each function that is handed a future moves it, and keeps room for it twice.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use model::{Entry, Problem, Value};
use rules::{
    Allowed, Catalog,
    aggregate::Aggregate,
    plan::{Read, Write, Written},
};
use store::{Beside, Found, Judged, Judgement, Listed, LogRange, Outcome, Row, Statement, Store, Tx, write};
use tokio::sync::watch;
use tokio_postgres::error::SqlState;

use crate::{
    aggregate,
    connection::Connections,
    fault::{self, problem},
    group_commit::{Creations, GroupCommit},
    loading::PgLoading,
    log, migrate, own, query,
    sequencer::Sequencer,
    server::Server,
    session::Scratch,
    shared_reads::SharedReads,
    stream::Streams,
    transaction::PgTx,
};

/// How often a write is made again that lost against others.
const TRIES: u32 = 8;

/// An app's records in a PostgreSQL database.
pub struct PostgresStore {
    connections: Connections,
    streams: Streams,
    sequencer: Sequencer,
    group: Arc<GroupCommit>,
    reads: SharedReads,
    /// How many writes had to be made again.
    lost: AtomicU32,
    /// Whose turn it is to make a write again: one at a time, so that those who have lost don't lose against each other.
    losers: tokio::sync::Mutex<()>,
}

impl PostgresStore {
    /// Opens a database that has the tables of a migration, with so many connections at most, and one for the log.
    ///
    /// # Errors
    /// 503 where the URL can't be used, the database can't be reached, or its encoding isn't UTF-8.
    pub async fn open(url: &str, connections: usize) -> Result<Self, Problem> {
        Self::at(Server::read(url)?, connections).await
    }

    /// Opens a scratch database in the same way.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_scratch(scratch: &Scratch, connections: usize) -> Result<Self, Problem> {
        Self::at(scratch.server(), connections).await
    }

    async fn at(server: Server, connections: usize) -> Result<Self, Problem> {
        let streams = Streams::new(connections);
        let size = connections;
        let connections = Connections::new(server, size)?;
        let lease = connections.lease().await?;
        let last = match lease.client() {
            Some(client) => {
                let row = client.query_one("SHOW server_encoding", &[]).await.map_err(|error| problem(&error))?;
                let encoding: String = row.try_get(0).map_err(|error| problem(&error))?;
                if encoding != "UTF8" {
                    let detail = format!("the database's encoding is {encoding}, and has to be UTF8");
                    return Err(Problem::unavailable(detail.clone(), detail, 60));
                }
                match client.query_one("SELECT last FROM \"_sequence\"", &[]).await {
                    Ok(row) => row.try_get(0).map_err(|error| problem(&error))?,
                    Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => 0,
                    Err(error) => return Err(problem(&error)),
                }
            }
            None => 0,
        };
        lease.release();
        let sequencer = Sequencer::start(connections.pulse(), last);
        let group = Creations::lanes(connections.clone(), size, sequencer.waker());
        let reads = SharedReads::new(connections.clone(), size);
        Ok(Self {
            connections,
            reads,
            streams,
            sequencer,
            group,
            lost: AtomicU32::new(0),
            losers: tokio::sync::Mutex::new(()),
        })
    }

    /// Writes, unless the database is silent; where it falls silent meanwhile, whether it was written is not known.
    async fn writing<T>(&self, work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        if self.connections.pulse().is_silent() {
            return Err(fault::silent());
        }
        self.connections.pulse().unless_silent(work).await.unwrap_or_else(|| Err(fault::silent_in_a_write()))
    }

    async fn write_until_won(&self, write: Write, beside: Beside) -> Result<Vec<Written>, Problem> {
        let mut round = 1;
        let mut turn = None;
        loop {
            match self.try_write(write.clone(), &beside).await {
                Err((problem, true)) if round < TRIES => {
                    if turn.is_none() {
                        turn = Some(self.losers.lock().await);
                    }
                    self.make_way(&problem, round).await;
                }
                outcome => return outcome.map_err(|(problem, _)| problem),
            }
            round += 1;
        }
    }

    async fn own_until_won(&self, statements: &[Statement]) -> Result<Vec<Outcome>, Problem> {
        let mut round = 1;
        loop {
            match self.try_own(statements).await {
                Err((problem, true)) if round < TRIES => self.make_way(&problem, round).await,
                outcome => return outcome.map_err(|(problem, _)| problem),
            }
            round += 1;
        }
    }

    async fn try_write(&self, write: Write, beside: &Beside) -> Result<Vec<Written>, (Problem, bool)> {
        let begun = PgTx::begin(&self.group, &write, beside).await;
        let mut transaction = begun.map_err(|problem| (problem, false))?;
        let outcome = write::apply(&mut transaction, write, beside).await;
        transaction.finish(outcome).await
    }

    async fn try_own(&self, statements: &[Statement]) -> Result<Vec<Outcome>, (Problem, bool)> {
        let lease = self.connections.lease_to_write().await.map_err(|problem| (problem, false))?;
        let mut transaction = PgTx::begun_by_statements(lease);
        let mut outcomes = Vec::with_capacity(statements.len());
        for statement in statements {
            match transaction.own(statement).await {
                Ok(outcome) => outcomes.push(outcome),
                Err(problem) => return transaction.finish(Err(problem)).await,
            }
        }
        transaction.finish(Ok(outcomes)).await
    }

    async fn look_at_schema(&self, catalog: &Catalog) -> Result<(), Problem> {
        let lease = self.connections.lease().await?;
        let matches = match lease.client() {
            Some(client) => migrate::matches(client, &catalog.schema).await,
            None => Ok(false),
        };
        lease.release();
        match matches {
            Ok(true) => Ok(()),
            Ok(false) => {
                let cause = "run `mainstay migrate apply`";
                Err(Problem::unavailable("the database has another schema than the app", cause, 5))
            }
            Err(error) => Err(Problem::unavailable(crate::fault::UNREACHABLE, format!("{error:?}"), 1)),
        }
    }

    /// A short pause before a write is made again that lost against another.
    async fn make_way(&self, problem: &Problem, round: u32) {
        tracing::debug!(cause = problem.cause, round, "a write lost against another and is made again");
        // Rivals that met once should not meet again in step: the pauses of each differ.
        let lost = self.lost.fetch_add(1, Ordering::Relaxed).wrapping_add(std::process::id());
        let milliseconds = u64::from(round * (1 + lost.wrapping_mul(7) % 5));
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn get(&self, read: &Allowed<Read>, id: &Value) -> Result<Option<Found>, Problem> {
        self.connections.reading(pin!(query::get(&self.reads, read.get(), id))).await
    }

    async fn list(&self, read: &Allowed<Read>) -> Result<Listed, Problem> {
        self.connections.reading(pin!(query::list(&self.reads, read.get()))).await
    }

    async fn begin_loading(&self) -> Result<Box<dyn store::Loading + '_>, Problem> {
        let lease = self.connections.lease().await?;
        Ok(Box::new(PgLoading::begin(lease, &self.sequencer).await?))
    }

    async fn stream(&self, read: Allowed<Read>, form: rules::export::Form) -> Result<store::rows::Rows, Problem> {
        self.connections.reading(pin!(self.streams.start(&self.connections, read.into_inner(), form))).await
    }

    async fn aggregate(&self, asked: &Allowed<Aggregate>) -> Result<Vec<u8>, Problem> {
        self.connections.reading(pin!(aggregate::run(&self.connections, asked.get()))).await
    }

    async fn write_beside(&self, write: Allowed<Write>, beside: Beside) -> Result<Vec<Written>, Problem> {
        let written = self.writing(pin!(self.write_until_won(write.into_inner(), beside))).await?;
        self.sequencer.wake();
        Ok(written)
    }

    async fn own(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>, Problem> {
        self.writing(pin!(self.own_until_won(&statements))).await
    }

    async fn own_read(&self, query: Statement) -> Result<Vec<Row>, Problem> {
        self.connections.reading(pin!(own::read(&self.connections, &query))).await
    }

    async fn entries(&self, catalog: &Arc<Catalog>, after: i64, limit: u32) -> Result<Vec<Entry>, Problem> {
        self.connections.reading(pin!(log::entries(&self.connections, catalog, after, limit))).await
    }

    async fn log_range(&self) -> Result<LogRange, Problem> {
        self.connections.reading(pin!(log::range(&self.connections))).await
    }

    fn watch(&self) -> watch::Receiver<i64> {
        self.sequencer.watch()
    }

    fn people_told(&self) -> watch::Receiver<u64> {
        self.connections.pulse().people()
    }

    async fn trim_log(&self, before: i64, limit: u32) -> Result<u64, Problem> {
        self.connections.reading(pin!(log::trim(&self.connections, before, limit))).await
    }

    async fn judge(&self, judgement: &Allowed<Judgement>) -> Result<Judged, Problem> {
        self.connections.reading(pin!(query::judge(&self.connections, judgement.get()))).await
    }

    async fn ready(&self, catalog: &Catalog) -> Result<(), Problem> {
        self.connections.reading(pin!(self.look_at_schema(catalog))).await
    }

    async fn close(&self) {
        self.connections.close().await;
        self.sequencer.close().await;
    }
}
