//! Realtime: what happens to records, told as it happens to those who may read them.
//!
//! One task per process ([`tail`]) reads each new entry of the event log once and keeps the latest in a [`ring`]. A
//! [`Subscription`] is a position in the log: it takes what follows from the ring or, where it has fallen behind the ring,
//! from the log itself, so that nothing is queued for anyone and a slow reader costs no more memory than a fast one. Each
//! entry is judged ([`sight`]) for each subscription when its turn comes, by the rules and the data of that moment.

mod kept;
mod ring;
mod sight;
mod sse;
mod subscription;
mod tail;

use std::{collections::HashMap, sync::Arc};

use engine::Engine;
use http::{Method, Response};
use model::{Caller, Problem};
use parking_lot::{Mutex, RwLock};
use rules::query::Query;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use web::{Body, Request};

pub use crate::{
    kept::ChangeKind,
    subscription::{Change, Event, Subscription},
};
use crate::{ring::Ring, tail::Tail};

/// The most subscriptions of a process.
const SUBSCRIPTIONS: usize = 10_000;
/// Readings of the log on behalf of single subscriptions that may run at once; others wait their turn.
const CATCHING_UP: usize = 4;

/// Subscriptions to the records of an engine.
pub struct Live {
    shared: Arc<Shared>,
}

/// What the tailer and all subscriptions share.
pub(crate) struct Shared {
    engine: Arc<Engine>,
    ring: RwLock<Ring>,
    tail: Mutex<Tail>,
    /// Told when the last subscription is gone.
    idle: Notify,
    /// By the resource's name: woken when the ring has something new about it.
    news: Mutex<HashMap<String, watch::Sender<()>>>,
    catching_up: Semaphore,
    stop: CancellationToken,
    most: usize,
}

impl Live {
    /// Follows the log of an engine's store, as long as anyone listens.
    #[must_use]
    pub fn new(engine: Arc<Engine>) -> Self {
        Self::with_limit(engine, SUBSCRIPTIONS)
    }

    fn with_limit(engine: Arc<Engine>, most: usize) -> Self {
        let catalog = Arc::clone(engine.gate().catalog());
        let shared = Shared {
            engine,
            ring: RwLock::new(Ring::new(catalog, 0)),
            tail: Mutex::default(),
            idle: Notify::new(),
            news: Mutex::default(),
            catching_up: Semaphore::new(CATCHING_UP),
            stop: CancellationToken::new(),
            most,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Answers `/api/{resource}/events`.
    ///
    /// # Errors
    /// 404 for an unknown resource, 405, 406, 400 for a query or position that can't be, 503 where too many listen.
    pub async fn answer(&self, request: &mut Request<'_>, resource: &str) -> Result<Response<Body>, Problem> {
        Engine::resource(&self.shared.engine.gate(), resource)?;
        match request.method {
            Method::GET => {}
            Method::OPTIONS => return Ok(sse::options()),
            _ => return Err(sse::not_allowed()),
        }
        sse::accepted(request)?;
        let (query, since) = sse::asked(request)?;
        let suggest = |problem| web::suggest(problem, &sse::NAMES);
        let subscription = self.subscribe(request.caller(), resource, query, since).await.map_err(suggest)?;
        Ok(sse::reply(subscription, request))
    }

    /// Listens for changes of the records that a query names and the caller may read: those above the position `since`,
    /// or from now on. A position that the log does not reach gives [`Event::Reset`] first and last.
    ///
    /// # Errors
    /// 404 for an unknown resource, 400 for a query that can't be, 503 where too many listen or the server is stopping.
    pub async fn subscribe(
        &self,
        caller: Caller,
        resource: &str,
        query: Query,
        since: Option<i64>,
    ) -> Result<Subscription, Problem> {
        Subscription::begin(&self.shared, caller, resource, query, since).await
    }

    /// How many listen.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.shared.tail.lock().subscriptions()
    }

    /// Ends all subscriptions, and takes no new ones.
    pub fn stop(&self) {
        self.shared.stop.cancel();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn stopping() -> Problem {
        Problem::unavailable("the server is stopping", "no subscription is taken any more", 1)
    }

    fn too_many(most: usize) -> Problem {
        Problem::unavailable("too many clients listen already", format!("{most} subscriptions are open"), 5)
    }
}

#[cfg(test)]
mod tests;
