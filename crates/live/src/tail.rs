//! The one reader of new entries: from the log into the ring, as long as anyone listens.

use std::{collections::HashSet, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use model::{Entry, Problem};
use tokio::sync::watch;

use crate::{Shared, kept::Kept, ring::Ring};

/// Entries of one reading.
const PAGE: u32 = 64;
/// Time between two tries while the log can't be read.
const AGAIN: Duration = Duration::from_millis(500);

/// Who listens, and whether anybody reads for them.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    subscriptions: usize,
    running: bool,
}

impl Tail {
    pub(crate) fn subscriptions(&self) -> usize {
        self.subscriptions
    }
}

/// One subscription that is counted; the tailer rests when the last one is dropped.
pub(crate) struct Listening(Arc<Shared>);

impl Drop for Listening {
    fn drop(&mut self) {
        let mut tail = self.0.tail.lock();
        tail.subscriptions -= 1;
        if tail.subscriptions == 0 {
            self.0.idle.notify_one();
        }
    }
}

/// How far a reading of `limit` entries has got: entries of resources that the app no longer has are passed over, so a
/// short page says little. Of the `limit` numbers that follow a position, no entry can have been left out.
pub(crate) fn reached(after: i64, limit: u32, latest: i64, entries: &[Entry]) -> i64 {
    let sure = after.saturating_add(i64::from(limit)).min(latest).max(after);
    entries.last().map_or(sure, |entry| entry.sequence.max(sure))
}

impl Shared {
    /// Counts a subscription, and starts the tailer for the first one.
    ///
    /// # Errors
    /// 503 where there are too many, or the server is stopping.
    pub(crate) fn listen(self: &Arc<Self>) -> Result<Listening, Problem> {
        if self.stop.is_cancelled() {
            return Err(Self::stopping());
        }
        let mut tail = self.tail.lock();
        if tail.subscriptions >= self.most {
            return Err(Self::too_many(self.most));
        }
        tail.subscriptions += 1;
        if !tail.running {
            tail.running = true;
            let latest = self.engine.store().watch();
            let position = *latest.borrow();
            *self.ring.write() = Ring::new(Arc::clone(self.engine.gate().catalog()), position);
            tokio::spawn(follow(Arc::clone(self), latest));
        }
        Ok(Listening(Arc::clone(self)))
    }

    /// A receiver that is woken when the ring has news of a resource.
    pub(crate) fn news_of(&self, resource: &str) -> watch::Receiver<()> {
        let mut news = self.news.lock();
        match news.get(resource) {
            Some(sender) => sender.subscribe(),
            None => news.entry(resource.to_owned()).or_insert_with(|| watch::channel(()).0).subscribe(),
        }
    }

    /// Reads all that is new, as far as `target`.
    async fn pull(&self, target: i64) -> Result<(), Problem> {
        loop {
            let catalog = Arc::clone(self.engine.gate().catalog());
            let after = {
                let mut ring = self.ring.write();
                if !ring.is_of(&catalog) {
                    // Another version of the app may number its resources otherwise.
                    *ring = Ring::new(Arc::clone(&catalog), ring.upto());
                }
                ring.upto()
            };
            if after >= target {
                return Ok(());
            }
            let entries = self.engine.store().entries(&catalog, after, PAGE).await?;
            let upto = reached(after, PAGE, target, &entries);
            let touched: HashSet<_> = entries.iter().map(|entry| entry.resource).collect();
            self.ring.write().push(entries.into_iter().map(Kept::from), upto);
            let news = self.news.lock();
            for resource in touched {
                if let Some(sender) = news.get(&catalog.schema.get(resource).name) {
                    sender.send_replace(());
                }
            }
        }
    }

    /// Whether the tailer may rest; then nothing is kept in memory.
    fn rests(&self) -> bool {
        let mut tail = self.tail.lock();
        if tail.subscriptions > 0 {
            return false;
        }
        tail.running = false;
        let mut ring = self.ring.write();
        *ring = Ring::new(Arc::clone(self.engine.gate().catalog()), ring.upto());
        true
    }
}

async fn follow(shared: Arc<Shared>, mut latest: watch::Receiver<i64>) {
    loop {
        let target = *latest.borrow_and_update();
        // A fault in reading one entry must not silence all others for good.
        let pulled = AssertUnwindSafe(shared.pull(target)).catch_unwind().await;
        let failed = match pulled {
            Ok(Ok(())) => false,
            Ok(Err(problem)) => {
                tracing::warn!(
                    detail = problem.detail,
                    cause = problem.cause,
                    "the event log could not be read; trying again"
                );
                true
            }
            Err(_) => {
                tracing::error!("reading the event log panicked; trying again");
                true
            }
        };
        tokio::select! {
            changed = latest.changed(), if !failed => if changed.is_err() {
                // The store is closed.
                shared.stop.cancel();
                return;
            },
            () = tokio::time::sleep(AGAIN), if failed => {}
            () = shared.idle.notified() => if shared.rests() {
                return;
            },
            () = shared.stop.cancelled() => return,
        }
    }
}
