//! Connections: how they are made, lent and taken back, and statements on them.
//!
//! A connection goes back into the pool only once its borrower says that nothing is under way on it. One whose borrower
//! has gone (a client that hung up) is given a moment to finish, so that impatient clients don't cost a connection each; what
//! still runs then is cancelled, and the connection closed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType, Timeouts,
};
use futures_util::future::{join, join_all, join3};
use model::Problem;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_postgres::{
    Error, Row,
    types::{ToSql, Type},
};

use crate::{fault, parameter::Parameter, pulse::Pulse, server::Server};

/// How long a caller waits for a connection, with those that have to be made.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// How long what is under way may go on for nobody. Connecting anew costs the database about 5 ms of work.
const GRACE: Duration = Duration::from_millis(100);
/// How long a cancellation may take; the statement's own limit ends it where that is too short.
const CANCELLING: Duration = Duration::from_secs(5);
/// The most statements that a connection keeps prepared: clients' filters make new ones.
const PREPARED: usize = 512;
/// How often a read is tried on another connection, where its own turned out to be dead or out of date.
const TRIES: usize = 4;

/// Begins a transaction that sees one state of the database.
pub(crate) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Said on every new connection.
pub(crate) const SETTINGS: &str = "SET statement_timeout = '15s'; SET lock_timeout = '5s'; \
    SET idle_in_transaction_session_timeout = '30s'; SET timezone = 'UTC'; SET jit = off; \
    SET default_transaction_isolation = 'read committed'; SET client_min_messages = 'warning'";

/// Said with them: a statement whose asker has gone without a word (a killed node, a cut network) is ended. Servers before 14,
/// and those on some systems, can't do that, and go on until its time is over.
const ATTENTION: &str = "SELECT set_config(name, '2s', false) FROM pg_settings \
    WHERE name = 'client_connection_check_interval' AND setting = '0'";

/// A statement's text and the types of its parameters.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(crate) sql: String,
    pub(crate) types: Vec<Type>,
}

/// A statement with its values.
pub(crate) struct Step<'a> {
    pub(crate) text: &'a Text,
    pub(crate) values: Vec<Parameter>,
}

/// Whether a pipeline begins or ends a transaction.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bounds {
    pub(crate) begin: Option<&'static str>,
    pub(crate) commit: bool,
}

/// Where a pipeline has failed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    /// Before anything was sent.
    Preparation,
    Begin,
    Step(usize),
    Commit,
}

impl Place {
    /// The statement at fault; the first where it was none of them.
    pub(crate) fn step(self) -> usize {
        if let Self::Step(place) = self { place } else { 0 }
    }
}

/// 503 where a caller has waited too long.
pub(crate) fn crowded(cause: &str) -> Problem {
    Problem::unavailable("too many requests wait for the database", cause, 1)
}

/// All connections for records.
#[derive(Clone)]
pub(crate) struct Connections {
    pool: Pool,
    /// Places for writes: they may all wait for a lock, and reads go on by the connections that are left.
    writers: Arc<Semaphore>,
    pulse: Arc<Pulse>,
}

impl Connections {
    /// A pool that connects when it is first needed.
    pub(crate) fn new(server: Server, size: usize) -> Result<Self, Problem> {
        let recycling_method = RecyclingMethod::Fast;
        let manager =
            Manager::from_config(server.config.clone(), server.tls.clone(), ManagerConfig { recycling_method });
        let patience = Some(PATIENCE);
        let set_up = deadpool_postgres::Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, _| {
            Box::pin(async move {
                let (set, attends) = join(client.batch_execute(SETTINGS), client.batch_execute(ATTENTION)).await;
                if let Err(error) = attends {
                    tracing::debug!(error = %error, "the server can't notice that its client has gone");
                }
                set.map_err(deadpool_postgres::HookError::Backend)
            })
        });
        let pool = Pool::builder(manager)
            .max_size(size.max(1))
            .timeouts(Timeouts { wait: patience, create: patience, recycle: patience })
            .runtime(Runtime::Tokio1)
            .post_create(set_up)
            .build()
            .map_err(|error| Problem::internal(format!("failed to build the pool: {error}")))?;
        let idle = pool.clone();
        // What lies in the pool may be dead, or about to be answered what nobody waits for any more.
        let pulse = Arc::new(Pulse::start(server, move || drop(idle.retain(|_, _| false))));
        let writers = Arc::new(Semaphore::new((size - size / 4).max(1)));
        Ok(Self { pool, writers, pulse })
    }

    /// Whether the database is heard.
    pub(crate) fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    /// Lends a connection.
    ///
    /// # Errors
    /// A 503 where none is free, or the database is silent or can't be reached.
    pub(crate) async fn lease(&self) -> Result<Lease, Problem> {
        if self.pulse.is_silent() {
            return Err(fault::silent());
        }
        // In a box: to connect takes much state, which every call would carry along.
        let client = Box::pin(self.pool.get()).await.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => crowded("no connection became free"),
            PoolError::Timeout(_) => Problem::unavailable(fault::UNREACHABLE, "connecting took too long", 1),
            PoolError::Closed => Problem::unavailable("the server is stopping", "the pool is closed", 1),
            PoolError::Backend(error) | PoolError::PostCreateHook(deadpool_postgres::HookError::Backend(error)) => {
                fault::unconnected(&error)
            }
            other => Problem::unavailable(fault::UNREACHABLE, other.to_string(), 1),
        })?;
        if client.statement_cache.size() > PREPARED {
            client.statement_cache.clear();
        }
        let (open, pulse) = (AtomicBool::new(false), Arc::clone(&self.pulse));
        Ok(Lease { client: Some(client), open, pulse, place: None })
    }

    /// Lends a connection to a write, of which there are fewer than connections.
    ///
    /// # Errors
    /// As [`Self::lease`].
    pub(crate) async fn lease_to_write(&self) -> Result<Lease, Problem> {
        let place = match timeout(PATIENCE, Arc::clone(&self.writers).acquire_owned()).await {
            Ok(place) => place.ok(),
            Err(_) => return Err(crowded("no connection for writes became free")),
        };
        let mut lease = self.lease().await?;
        lease.place = place;
        Ok(lease)
    }

    /// Reads, unless the database is silent or falls silent meanwhile.
    ///
    /// # Errors
    /// 503 then.
    pub(crate) async fn reading<T>(&self, work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        self.pulse.unless_silent(work).await.unwrap_or_else(|| Err(fault::silent()))
    }

    /// The rows of one statement that only reads.
    ///
    /// # Errors
    /// The problem that it met.
    pub(crate) async fn rows(&self, text: &Text, values: Vec<Parameter>) -> Result<Vec<Row>, Problem> {
        let results = self.read(vec![Step { text, values }], Bounds::default()).await?;
        Ok(results.into_iter().next().unwrap_or_default())
    }

    /// The rows of statements that only read, in one round trip.
    ///
    /// # Errors
    /// The problem that the first of them met.
    pub(crate) async fn read(&self, steps: Vec<Step<'_>>, bounds: Bounds) -> Result<Vec<Vec<Row>>, Problem> {
        self.timed(steps, bounds).await.map(|(results, _)| results)
    }

    /// As [`Self::read`]; with the rows comes how long the database took, with the way there and back.
    ///
    /// # Errors
    /// The same.
    pub(crate) async fn timed(
        &self,
        steps: Vec<Step<'_>>,
        bounds: Bounds,
    ) -> Result<(Vec<Vec<Row>>, Duration), Problem> {
        let mut tries = 0;
        loop {
            tries += 1;
            let lease = self.lease().await?;
            let begun = Instant::now();
            match lease.pipeline(&steps, bounds).await {
                Ok(results) => {
                    lease.release();
                    return Ok((results, begun.elapsed()));
                }
                Err(error) if tries < TRIES && fault::is_stale(&error) => {
                    lease.forget_statements();
                    lease.release();
                }
                Err(error) if tries < TRIES && fault::is_dead(&error) => {}
                Err(error) => {
                    if !fault::is_dead(&error) {
                        lease.release();
                    }
                    return Err(fault::problem(&error));
                }
            }
        }
    }

    /// Reads in several round trips, each made of what the one before came to, of one state of the database.
    ///
    /// # Errors
    /// The problem that the first of them met.
    pub(crate) async fn converse<'a>(&self, rounds: &mut impl Rounds<'a>) -> Result<(), Problem> {
        let mut tries = 0;
        loop {
            tries += 1;
            let lease = self.lease().await?;
            let Err(error) = lease.rounds(rounds).await else {
                lease.release();
                return Ok(());
            };
            let dead = fault::is_dead(&error) || lease.say("ROLLBACK").await.is_err();
            let stale = fault::is_stale(&error);
            if stale {
                lease.forget_statements();
            }
            if !dead {
                lease.release();
            }
            if tries >= TRIES || !(dead || stale) {
                return Err(fault::problem(&error));
            }
        }
    }

    /// Lends nothing any more, and waits a while for what is lent.
    pub(crate) async fn close(&self) {
        self.pulse.close();
        self.pool.close();
        for _ in 0..1000 {
            if self.pool.status().size == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Statements whose values come from the rows of others.
pub(crate) trait Rounds<'a> {
    /// The first of them; what was learned before is forgotten.
    fn begin(&mut self) -> Vec<Step<'a>>;

    /// The next of them, after the results of the last; none at the end.
    ///
    /// # Errors
    /// A result that can't be read.
    fn go_on(&mut self, results: &[Vec<Row>]) -> Result<Vec<Step<'a>>, Error>;
}

/// A connection on loan.
pub(crate) struct Lease {
    client: Option<Object>,
    /// Whether what was sent last leaves a transaction open.
    open: AtomicBool,
    pulse: Arc<Pulse>,
    /// That of a write, for as long as it has the connection.
    place: Option<OwnedSemaphorePermit>,
}

impl Lease {
    /// Runs statements one after another in one round trip.
    ///
    /// # Errors
    /// That of the first statement that fails. A transaction that should have been committed is rolled back then.
    pub(crate) async fn pipeline(&self, steps: &[Step<'_>], bounds: Bounds) -> Result<Vec<Vec<Row>>, Error> {
        self.placed_pipeline(steps, bounds).await.map_err(|(_, error)| error)
    }

    /// As [`Self::pipeline`]; with the error comes its place.
    pub(crate) async fn placed_pipeline(
        &self,
        steps: &[Step<'_>],
        bounds: Bounds,
    ) -> Result<Vec<Vec<Row>>, (Place, Error)> {
        let Some(client) = &self.client else { return Ok(Vec::new()) };
        let mut prepared: Vec<tokio_postgres::Statement> = Vec::with_capacity(steps.len());
        for (place, step) in steps.iter().enumerate() {
            // Many records are written by one text, which is looked up once.
            let before = place.checked_sub(1).filter(|before| std::ptr::eq(steps[*before].text, step.text));
            prepared.push(match before {
                Some(before) => prepared[before].clone(),
                None => {
                    let prepared = client.prepare_typed_cached(&step.text.sql, &step.text.types).await;
                    prepared.map_err(|error| (Place::Preparation, error))?
                }
            });
        }
        if bounds.begin.is_some() || bounds.commit {
            self.set_open(!bounds.commit);
        }
        // Each of these sends when it is first polled, so they are sent in this order before any is waited for.
        let begin = async {
            match bounds.begin {
                Some(begin) => client.batch_execute(begin).await,
                None => Ok(()),
            }
        };
        let queries = prepared.iter().zip(steps).map(|(statement, step)| async move {
            let values: Vec<&(dyn ToSql + Sync)> = step.values.iter().map(|value| value as _).collect();
            client.query(statement, &values).await
        });
        let commit = async { if bounds.commit { client.batch_execute("COMMIT").await } else { Ok(()) } };
        let (begun, results, committed) = join3(begin, join_all(queries), commit).await;
        begun.map_err(|error| (Place::Begin, error))?;
        let mut rows = Vec::with_capacity(results.len());
        for (place, result) in results.into_iter().enumerate() {
            rows.push(result.map_err(|error| (Place::Step(place), error))?);
        }
        committed.map_err(|error| (Place::Commit, error))?;
        self.note();
        Ok(rows)
    }

    /// Runs rounds in a transaction that sees one state of the database.
    async fn rounds<'a>(&self, rounds: &mut impl Rounds<'a>) -> Result<(), Error> {
        let mut steps = rounds.begin();
        let mut bounds = Bounds { begin: Some(SNAPSHOT), commit: false };
        while !steps.is_empty() {
            let results = self.pipeline(&steps, bounds).await?;
            bounds.begin = None;
            steps = rounds.go_on(&results)?;
        }
        self.say("COMMIT").await
    }

    /// Runs text without values or results.
    pub(crate) async fn say(&self, text: &str) -> Result<(), Error> {
        let Some(client) = &self.client else { return Ok(()) };
        match text {
            "COMMIT" | "ROLLBACK" => self.set_open(false),
            text if text.starts_with("BEGIN") => self.set_open(true),
            _ => {}
        }
        client.batch_execute(text).await?;
        self.note();
        Ok(())
    }

    /// Notes whether what is sent next leaves a transaction open.
    pub(crate) fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::Relaxed);
    }

    /// Notes that the database has answered.
    pub(crate) fn note(&self) {
        self.pulse.note();
    }

    /// The connection with the statements that it keeps prepared.
    pub(crate) fn wrapper(&self) -> Option<&deadpool_postgres::ClientWrapper> {
        self.client.as_deref()
    }

    /// The connection itself.
    pub(crate) fn client(&self) -> Option<&tokio_postgres::Client> {
        self.client.as_ref().map(|client| &***client)
    }

    /// The connection itself, for a transaction of its own.
    pub(crate) fn client_mut(&mut self) -> Option<&mut tokio_postgres::Client> {
        self.client.as_mut().map(|client| &mut ***client)
    }

    /// A statement, prepared unless it has been.
    ///
    /// # Errors
    /// It can't be prepared.
    pub(crate) async fn prepare(&self, text: &Text) -> Result<Option<tokio_postgres::Statement>, Error> {
        match &self.client {
            Some(client) => client.prepare_typed_cached(&text.sql, &text.types).await.map(Some),
            None => Ok(None),
        }
    }

    /// Lets every connection of the pool prepare its statements anew.
    pub(crate) fn forget_statements(&self) {
        if let Some(pool) = self.client.as_ref().and_then(Object::pool) {
            pool.manager().statement_caches.clear();
        }
    }

    /// Gives the connection back: nothing runs on it, and no transaction is open.
    pub(crate) fn release(mut self) {
        drop(self.client.take());
    }
}

impl Drop for Lease {
    /// Not given back: something may be under way.
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) if !client.is_closed() => {
                let (open, pulse) = (self.open.load(Ordering::Relaxed), Arc::clone(&self.pulse));
                runtime.spawn(abandon(client, open, pulse));
            }
            _ => drop(Object::take(client)),
        }
    }
}

/// Gives a connection back once what is under way has ended, or cancels that and closes it.
async fn abandon(client: Object, open: bool, pulse: Arc<Pulse>) {
    // The answer to this comes after all others; their own are thrown away.
    let last = client.batch_execute(if open { "ROLLBACK" } else { "" });
    if let Some(Ok(Ok(()))) = pulse.unless_silent(timeout(GRACE, last)).await {
        return drop(client);
    }
    let client = Object::take(client);
    if client.is_closed() {
        return;
    }
    // The connection is kept until then, so that the server still knows whom this is about.
    match timeout(CANCELLING, pulse.server().cancel(client.cancel_token())).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error = %error, "a statement could not be cancelled"),
        Err(_) => tracing::debug!("a statement could not be cancelled in time"),
    }
}
