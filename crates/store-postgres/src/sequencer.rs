//! Gives entries of the log their sequences, in an order that readers can rely on.
//!
//! Numbers that transactions draw themselves become visible out of order, since they commit out of order. So entries are
//! committed without a sequence, and readers don't see them; then, in a transaction of its own, whoever holds the row of
//! `_sequence` lists in `_order` what has been committed, in the order of the entries' ids. An entry that commits late gets a
//! later sequence, as nobody has seen it before. A record's own entries have growing ids in commit order, because an id is
//! drawn while the record is locked; and a write that began after another was acknowledged draws greater ones.
//!
//! What has been committed since the last numbering is known without a mark at the entries, which would have to be written
//! once more: an entry has the number of its transaction, and `_sequence` keeps the snapshot in which entries were last
//! numbered. Visible now and not in that snapshot: that is new, however long other transactions or readers go on.
//!
//! Each process runs one sequencer, woken by its own commits; it tells the others' by `NOTIFY`. A timer finds what a
//! process left that was killed after a commit.

use std::{
    future::poll_fn,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_postgres::{AsyncMessage, Client, Error, Statement, error::SqlState};

use crate::{
    connection::SETTINGS,
    pulse::{Pulse, Silence},
    server::Server,
};

/// Looks for entries that a killed process left.
const TICK: Duration = Duration::from_secs(1);
/// How long the database may take for one step; a connection on which it takes longer is given up.
const STEP: Duration = Duration::from_secs(10);
/// The longest wait for the database to come back.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The first.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Commits that come within this time are numbered together.
const GATHER: Duration = Duration::from_millis(2);
/// The same on a busy database.
const LONGEST_GATHER: Duration = Duration::from_millis(20);
/// How long a numbering may take: what a long load brought in one transaction comes all at once.
const LONGEST_NUMBERING: Duration = Duration::from_secs(600);
/// The settings of this connection. The planner knows neither of the bounds of [`FRESH`], and would rather read the whole log,
/// or its primary key: what is left to it is a bitmap of the index on `xid`.
const OWN_SETTINGS: &str = "SET statement_timeout = '600s'; \
    SET enable_seqscan = off; SET enable_indexscan = off; SET enable_indexonlyscan = off; LISTEN mainstay_log";

/// What the database says of tables that the migration has still to make.
const UNMADE: [&SqlState; 2] = [&SqlState::UNDEFINED_TABLE, &SqlState::UNDEFINED_COLUMN];

const LOCK: &str = "SELECT last FROM \"_sequence\" FOR UPDATE";
/// Of the entries that are visible now: whether one was not when entries were last given sequences, since its transaction had
/// not begun then, or had not ended.
const FRESH: &str = "(xid >= (SELECT pg_snapshot_xmax(seen) FROM \"_sequence\") \
    OR xid = ANY (ARRAY(SELECT pg_snapshot_xip(seen) FROM \"_sequence\")))";
/// Whether the database was brought here from another server, whose transactions had other numbers.
const MOVED: &str = "pg_snapshot_xmax(seen) > pg_snapshot_xmax(pg_current_snapshot())";

fn look() -> String {
    format!("SELECT last, EXISTS (SELECT 1 FROM \"_events\" WHERE {FRESH}), {MOVED} FROM \"_sequence\"")
}

fn number() -> String {
    format!(
        "WITH fresh AS MATERIALIZED ( \
            SELECT id, row_number() OVER (ORDER BY id) AS place FROM \"_events\" WHERE {FRESH}), \
        counted AS ( \
            UPDATE \"_sequence\" SET last = last + (SELECT count(*) FROM fresh), seen = pg_current_snapshot() \
            WHERE EXISTS (SELECT 1 FROM fresh) RETURNING last), \
        numbered AS ( \
            INSERT INTO \"_order\" (seq, id) \
            SELECT counted.last - (SELECT count(*) FROM fresh) + fresh.place, fresh.id FROM fresh, counted) \
        SELECT last, pg_notify('mainstay_log', '') FROM counted"
    )
}

/// In a database that was moved: numbers what has no sequence, and takes the numbers of the other server's transactions from
/// entries where a transaction of this one may come to have the same.
fn settle() -> String {
    format!(
        "WITH moved AS MATERIALIZED (SELECT last FROM \"_sequence\" WHERE {MOVED}), \
        fresh AS MATERIALIZED ( \
            SELECT entry.id, row_number() OVER (ORDER BY entry.id) AS place FROM \"_events\" AS entry, moved \
            WHERE NOT EXISTS (SELECT 1 FROM \"_order\" AS known WHERE known.id = entry.id)), \
        settled AS ( \
            UPDATE \"_events\" AS entry SET xid = NULL FROM moved \
            WHERE entry.xid >= pg_snapshot_xmin(pg_current_snapshot())), \
        numbered AS ( \
            INSERT INTO \"_order\" (seq, id) SELECT moved.last + fresh.place, fresh.id FROM fresh, moved) \
        UPDATE \"_sequence\" AS own SET last = moved.last + (SELECT count(*) FROM fresh), seen = pg_current_snapshot() \
        FROM moved"
    )
}

/// The task, and what it tells.
pub(crate) struct Sequencer {
    wake: Arc<Notify>,
    stop: Arc<Notify>,
    latest: watch::Receiver<i64>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Sequencer {
    /// Starts the task, which connects again for as long as it takes.
    pub(crate) fn start(pulse: &Pulse, last: i64) -> Self {
        let (publish, latest) = watch::channel(last);
        let (wake, stop) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let task = tokio::spawn(run(
            Arc::clone(pulse.server()),
            pulse.silence(),
            publish,
            Arc::clone(&wake),
            Arc::clone(&stop),
        ));
        Self { wake, stop, latest, task: Mutex::new(Some(task)) }
    }

    /// Called after each commit.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// The same for those who outlive a call.
    pub(crate) fn waker(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Follows the greatest sequence given.
    pub(crate) fn watch(&self) -> watch::Receiver<i64> {
        self.latest.clone()
    }

    /// Numbers what is left and ends.
    pub(crate) async fn close(&self) {
        self.stop.notify_one();
        let task = self.task.lock().take();
        if let Some(mut task) = task
            && timeout(Duration::from_secs(5), &mut task).await.is_err()
        {
            // What it leaves is numbered at the next start.
            task.abort();
        }
    }
}

impl Drop for Sequencer {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
    }
}

async fn run(
    server: Arc<Server>,
    mut silence: Silence,
    publish: watch::Sender<i64>,
    wake: Arc<Notify>,
    stop: Arc<Notify>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        let begun = Instant::now();
        let ended = tokio::select! {
            ended = session(&server, &publish, &wake, &stop) => ended,
            () = silence.falls() => Err(Broken::Silent),
        };
        match ended {
            Ok(()) => return,
            // Before the first migration.
            Err(Broken::Database(error)) if error.code().is_some_and(|code| UNMADE.contains(&code)) => {
                tracing::debug!("the database has no event log yet");
            }
            Err(error) => tracing::warn!(error = %error, "the event log can't be numbered at the moment"),
        }
        // One that had worked for a while is tried again soon, one after another ever later.
        if begun.elapsed() > LONGEST_PAUSE * 10 {
            pause = FIRST_PAUSE;
        }
        tokio::select! {
            () = async { sleep(pause).await; silence.ends().await } => {}
            () = stop.notified() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Numbers entries on one connection until it fails or the store closes.
async fn session(
    server: &Server,
    publish: &watch::Sender<i64>,
    wake: &Arc<Notify>,
    stop: &Notify,
) -> Result<(), Broken> {
    let (client, mut connection) = in_time(server.connect()).await?;
    // Another process has numbered entries.
    let told = Arc::new(Notify::new());
    let (tell, own) = (Arc::clone(&told), Arc::new(std::sync::atomic::AtomicI32::new(0)));
    let own_id = Arc::clone(&own);
    let driver = AbortOnDrop(tokio::spawn(async move {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            match message {
                Ok(AsyncMessage::Notification(notification))
                    if notification.process_id() != own_id.load(std::sync::atomic::Ordering::Relaxed) =>
                {
                    tell.notify_one();
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        // The session finds its connection closed.
        tell.notify_one();
    }));
    let (id, texts) = in_time(prepare(&client)).await?;
    own.store(id, std::sync::atomic::Ordering::Relaxed);
    loop {
        let (last, waiting, moved) = in_time(texts.look(&client)).await?;
        publish_if_new(publish, last);
        if moved {
            tracing::info!("the database was brought here from another server: its log is put in order once");
            // Another node may have done it meanwhile; then it does nothing.
            let text = format!("BEGIN; {LOCK}; {}; COMMIT", settle());
            within(LONGEST_NUMBERING, client.batch_execute(&text)).await?;
        }
        if waiting || moved {
            number_all(&client, &texts, publish).await?;
        }
        // While this process writes, each numbering finds all that there is, so one looks only after a pause.
        let stopped = loop {
            tokio::select! {
                () = wake.notified() => {
                    let begun = Instant::now();
                    number_all(&client, &texts, publish).await?;
                    // Each numbering waits for the disk, as the writes do: at most half of the time is left to it.
                    sleep(begun.elapsed().clamp(GATHER, LONGEST_GATHER)).await;
                }
                () = told.notified() => break false,
                () = sleep(TICK) => break false,
                () = stop.notified() => break true,
            }
        };
        if stopped {
            number_all(&client, &texts, publish).await?;
            drop(driver);
            return Ok(());
        }
    }
}

/// Why a connection is given up.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Database(#[from] Error),
    #[error("the database did not answer in time")]
    Silent,
}

/// Waits for a step, but not for ever: a connection may be dead without either side knowing.
async fn in_time<T>(step: impl Future<Output = Result<T, Error>>) -> Result<T, Broken> {
    within(STEP, step).await
}

async fn within<T>(time: Duration, step: impl Future<Output = Result<T, Error>>) -> Result<T, Broken> {
    match timeout(time, step).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Broken::Silent),
    }
}

/// The connection's id at the server, and its statements.
async fn prepare(client: &Client) -> Result<(i32, Texts), Error> {
    client.batch_execute(SETTINGS).await?;
    client.batch_execute(OWN_SETTINGS).await?;
    let id = client.query_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)?;
    let texts = Texts {
        lock: client.prepare(LOCK).await?,
        number: client.prepare(&number()).await?,
        look: client.prepare(&look()).await?,
    };
    Ok((id, texts))
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Texts {
    lock: Statement,
    number: Statement,
    look: Statement,
}

impl Texts {
    /// The greatest sequence given, whether there is something to be numbered, and whether the database was moved.
    async fn look(&self, client: &Client) -> Result<(i64, bool, bool), Error> {
        let row = client.query_one(&self.look, &[]).await?;
        Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
    }

    /// Numbers what has been committed; returns the greatest sequence where there was something.
    async fn number(&self, client: &Client) -> Result<Option<i64>, Error> {
        // The statement that numbers must have begun after the lock was won, to see what the winner before has done:
        // hence two statements, sent at once.
        let (begun, locked, numbered, committed) = futures_util::future::join4(
            client.batch_execute("BEGIN"),
            client.query(&self.lock, &[]),
            client.query_opt(&self.number, &[]),
            client.batch_execute("COMMIT"),
        )
        .await;
        begun?;
        locked?;
        let row = numbered?;
        committed?;
        row.map(|row| row.try_get(0)).transpose()
    }
}

async fn number_all(client: &Client, texts: &Texts, publish: &watch::Sender<i64>) -> Result<(), Broken> {
    if let Some(last) = within(LONGEST_NUMBERING, texts.number(client)).await? {
        publish_if_new(publish, last);
    }
    Ok(())
}

fn publish_if_new(publish: &watch::Sender<i64>, last: i64) {
    publish.send_if_modified(|known| std::mem::replace(known, last) != last);
}
