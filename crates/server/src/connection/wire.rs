//! What is known of a connection by those who serve it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use tokio::{sync::Notify, time::Instant};
use web::Pieces;

/// The state of a connection.
pub(crate) struct Wire {
    /// All connections measure from the same moment.
    epoch: Instant,
    /// Milliseconds after the epoch when it was last without a request, or was opened.
    idle_since: AtomicU64,
    /// Requests whose answers are not at their end.
    active: AtomicUsize,
    /// Requests that have begun.
    begun: AtomicU64,
    /// Whether the head that came last had both ways to say how long the body is.
    both: AtomicBool,
    /// Whether it speaks another protocol by now.
    handed_over: AtomicBool,
    /// Whether it is to end.
    ending: AtomicBool,
    told: Notify,
    /// Its place in the list of those that are open, kept by that list.
    pub(crate) slot: AtomicUsize,
}

impl Wire {
    pub(crate) fn new(epoch: Instant) -> Arc<Self> {
        Arc::new(Self {
            epoch,
            idle_since: AtomicU64::new(since(epoch)),
            active: AtomicUsize::new(0),
            begun: AtomicU64::new(0),
            both: AtomicBool::new(false),
            handed_over: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            told: Notify::new(),
            slot: AtomicUsize::new(0),
        })
    }

    /// A request begins; it is over when the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Going {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.active.fetch_add(1, Ordering::Relaxed);
        Going(Arc::clone(self))
    }

    /// How many requests have begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Since when no request is under way; none while one is, or where it is HTTP no more.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let idle = self.active.load(Ordering::Relaxed) == 0 && !self.handed_over.load(Ordering::Relaxed);
        idle.then(|| self.epoch + Duration::from_millis(self.idle_since.load(Ordering::Relaxed)))
    }

    pub(crate) fn mark_both(&self) {
        self.both.store(true, Ordering::Relaxed);
    }

    pub(crate) fn take_both(&self) -> bool {
        self.both.swap(false, Ordering::Relaxed)
    }

    /// From here on it speaks another protocol, whose pauses are its own.
    pub(crate) fn hand_over(&self) {
        self.handed_over.store(true, Ordering::Relaxed);
    }

    /// Ends it in good order. False where that was asked for already.
    pub(crate) fn close(&self) -> bool {
        let first = !self.ending.swap(true, Ordering::Relaxed);
        self.told.notify_one();
        first
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Until it is to end.
    pub(crate) async fn closing(&self) {
        self.told.notified().await;
    }
}

/// A request under way.
pub(crate) struct Going(Arc<Wire>);

impl Drop for Going {
    fn drop(&mut self) {
        self.0.idle_since.store(since(self.0.epoch), Ordering::Relaxed);
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}

fn since(epoch: Instant) -> u64 {
    u64::try_from(epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// What a watched stream is doing.
#[derive(Default)]
struct Progress {
    /// How often somebody asked for more.
    asked: AtomicU64,
    /// Whether it has nothing to give at the moment.
    waiting: AtomicBool,
}

/// A stream that ends its connection when nobody has asked for more for the time of `limit`, though there is more.
pub(crate) fn watched(inner: Pieces, wire: &Arc<Wire>, limit: Duration) -> Pieces {
    let progress = Arc::new(Progress::default());
    let watcher = tokio::spawn(watch(Arc::clone(&progress), Arc::clone(wire), limit));
    let guard = Ended(watcher.abort_handle());
    let mut inner = inner;
    Box::pin(stream::poll_fn(move |context| {
        let _ = &guard;
        progress.asked.fetch_add(1, Ordering::Relaxed);
        let next = inner.poll_next_unpin(context);
        progress.waiting.store(matches!(next, Poll::Pending), Ordering::Relaxed);
        next
    }))
}

/// Ends the watcher with the stream.
struct Ended(tokio::task::AbortHandle);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn watch(progress: Arc<Progress>, wire: Arc<Wire>, limit: Duration) {
    let mut before = u64::MAX;
    loop {
        tokio::time::sleep(limit).await;
        let asked = progress.asked.load(Ordering::Relaxed);
        if asked == before && !progress.waiting.load(Ordering::Relaxed) {
            wire.close();
            return;
        }
        before = asked;
    }
}
