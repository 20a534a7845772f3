//! Whether the database is heard, so that nobody waits for one that is silent.
//!
//! A network that swallows everything gives no error; it only never answers. So a connection of its own asks something easy
//! twice a second. Where no answer comes in time, a fresh connection is tried, since the old one alone may be dead; where
//! that brings nothing either, and nothing has come on any other connection meanwhile, the database is silent: whatever waits
//! for it is given up, connections are let go, and calls fail at once, until a fresh connection is answered.
//!
//! A database that is busy is not silent: the pulse does not wait for a place in the pool, one that refuses (too many
//! connections, starting up, recovering) has spoken, and every answer to anybody counts.
//!
//! The same connection listens for what other nodes tell.

use std::{
    future::poll_fn,
    io::ErrorKind,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_postgres::{AsyncMessage, Client, Error};

use crate::{fault, server::Server};

/// Time between two looks.
const EVERY: Duration = Duration::from_millis(500);
/// How long a look may take, and then a fresh connection with its first look.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Time between two tries to reach a database that is silent or gone.
const AGAIN: Duration = Duration::from_millis(250);
/// Something easy.
const LOOK: &str = "SELECT 1";
/// What other nodes tell: that a person has changed, a session has ended, keys have been rotated.
pub(crate) const PEOPLE: &str = "mainstay_people";

/// The task, and what it knows.
pub(crate) struct Pulse {
    server: Arc<Server>,
    state: Arc<State>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct State {
    begun: Instant,
    /// When anything last came from the database, on any connection: milliseconds since the begin.
    heard: AtomicU64,
    silent: watch::Sender<bool>,
    people: watch::Sender<u64>,
}

impl Pulse {
    /// A pulse that is felt from now on; `on_silence` is called whenever the database falls silent.
    pub(crate) fn start(server: Server, on_silence: impl Fn() + Send + 'static) -> Self {
        let server = Arc::new(server);
        let state = Arc::new(State {
            begun: Instant::now(),
            heard: AtomicU64::new(0),
            silent: watch::Sender::new(false),
            people: watch::Sender::new(0),
        });
        let task = tokio::spawn(feel(Arc::clone(&server), Arc::clone(&state), on_silence));
        Self { server, state, task: Mutex::new(Some(task)) }
    }

    /// The server whose pulse it is.
    pub(crate) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Notes that the database has answered somebody.
    pub(crate) fn note(&self) {
        self.state.note();
    }

    /// Whether the database is silent.
    pub(crate) fn is_silent(&self) -> bool {
        *self.state.silent.borrow()
    }

    /// Follows whether the database is silent.
    pub(crate) fn silence(&self) -> Silence {
        Silence(self.state.silent.subscribe())
    }

    /// Grows when another node tells that people have changed, or may have told it while nobody listened.
    pub(crate) fn people(&self) -> watch::Receiver<u64> {
        self.state.people.subscribe()
    }

    /// Does something, unless the database is silent or falls silent meanwhile; none then.
    pub(crate) async fn unless_silent<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut silence = self.silence();
        tokio::select! {
            biased;
            () = silence.falls() => None,
            done = work => Some(done),
        }
    }

    /// Ends it.
    pub(crate) fn close(&self) {
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.close();
    }
}

/// Tells whether the database is silent.
pub(crate) struct Silence(watch::Receiver<bool>);

impl Silence {
    /// Returns when the database is silent, at once where it is.
    pub(crate) async fn falls(&mut self) {
        if self.0.wait_for(|silent| *silent).await.is_err() {
            // The store is closing: nothing is known any more.
            std::future::pending::<()>().await;
        }
    }

    /// Returns when the database is heard, at once where it is.
    pub(crate) async fn ends(&mut self) {
        // An error is the store closing; whoever asked goes on, and finds it closed.
        let _ = self.0.wait_for(|silent| !*silent).await;
    }
}

impl State {
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn note(&self) {
        self.heard.store(self.now(), Ordering::Relaxed);
    }

    /// Whether anybody was answered since a moment.
    fn heard_since(&self, moment: u64) -> bool {
        self.heard.load(Ordering::Relaxed) > moment
    }

    fn set_silent(&self, silent: bool) -> bool {
        self.silent.send_if_modified(|known| std::mem::replace(known, silent) != silent)
    }
}

/// A connection that is only asked how it is.
struct Line {
    client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

async fn feel(server: Arc<Server>, state: Arc<State>, on_silence: impl Fn()) {
    let mut line: Option<Line> = None;
    loop {
        let began = state.now();
        if let Some(known) = &line {
            match timeout(PATIENCE, known.client.simple_query(LOOK)).await {
                Ok(Ok(_)) => {
                    state.note();
                    sleep(EVERY).await;
                    continue;
                }
                // It was ended, which says nothing of the database; or it is silent.
                Ok(Err(_)) | Err(_) => line = None,
            }
        }
        match timeout(PATIENCE, dial(&server, &state)).await {
            Ok(Ok(made)) => {
                line = Some(made);
                state.note();
                if state.set_silent(false) {
                    tracing::info!("the database is heard again");
                }
                sleep(EVERY).await;
                continue;
            }
            Ok(Err(error)) if has_spoken(&error) => {
                state.note();
                if state.set_silent(false) {
                    tracing::info!(cause = %error, "the database is heard again, and refuses");
                }
            }
            Ok(Err(_)) | Err(_) => {
                if !state.heard_since(began) && state.set_silent(true) {
                    tracing::error!("the database is silent: requests are refused until it is heard again");
                    on_silence();
                }
            }
        }
        sleep(AGAIN).await;
    }
}

/// A fresh connection that has answered.
async fn dial(server: &Server, state: &Arc<State>) -> Result<Line, Error> {
    let (client, mut connection) = server.connect().await?;
    let hears = Arc::clone(state);
    let driver = tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(told) = message
                && told.channel() == PEOPLE
            {
                hears.people.send_modify(|count| *count += 1);
            }
        }
    });
    let line = Line { client, driver };
    line.client.batch_execute(&format!("LISTEN {PEOPLE}")).await?;
    line.client.simple_query(LOOK).await?;
    // What was told before is not heard any more.
    state.people.send_modify(|count| *count += 1);
    Ok(line)
}

/// Whether a connection that was not made was refused by somebody: by the server itself, or by a machine that has none.
fn has_spoken(error: &Error) -> bool {
    let refused = |kind| {
        matches!(
            kind,
            ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::NotFound | ErrorKind::InvalidData
        )
    };
    error.code().is_some() || error.is_closed() || fault::io_kind(error).is_some_and(refused)
}
