//! One subscriber's way through the log.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use model::{Caller, Problem, caller::Identity};
use rules::query::Query;
use tokio::sync::watch;

use crate::{
    Shared,
    kept::{ChangeKind, Kept},
    ring::Piece,
    sight::{Sight, Told},
    tail::{Listening, reached},
};

/// Entries of one reading of the log.
const PAGE: u32 = 64;
/// How often a fault of the database is met before the subscription ends, and the waits between.
const WAITS: [Duration; 3] = [Duration::from_millis(50), Duration::from_millis(250), Duration::from_secs(1)];

/// What a subscriber hears.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A record that it sees, or saw, has changed.
    Change(Change),
    /// The log does not reach back to the subscriber's position (or not up to it): it has to load anew what it needs.
    /// Nothing follows; whoever subscribes again from `position` misses nothing of what comes after this.
    Reset {
        /// Where the log ends.
        position: i64,
    },
    /// The subscription can't go on. Nothing follows, and nothing was passed over.
    Failed(Problem),
}

/// A change of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its place in the log.
    pub sequence: i64,
    /// What happened, as the subscriber sees it.
    pub kind: ChangeKind,
    /// A JSON object: the record as a read answers it, or its id alone.
    pub data: Bytes,
}

/// A position in the log, and who reads on from there.
pub struct Subscription {
    shared: Arc<Shared>,
    caller: Caller,
    resource: String,
    query: Query,
    sight: Sight,
    news: watch::Receiver<()>,
    /// All up to here was told, or is not the subscriber's.
    passed: i64,
    /// The greatest sequence of an entry up to there: what a client may come back with. `passed` itself may be a number
    /// that a rolled back write has used up, and that a restarted server gives anew.
    position: i64,
    /// What follows, not judged yet.
    waiting: VecDeque<Arc<Kept>>,
    /// What `passed` is once these are told, and the greatest sequence met as far as that.
    upto: i64,
    met: i64,
    faults: usize,
    stage: Stage,
    _listening: Listening,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Open,
    OutOfReach,
    Ended,
}

/// What one step came to.
enum Step {
    Told(Change),
    Nothing,
    CaughtUp,
    OutOfReach,
}

impl Subscription {
    pub(crate) async fn begin(
        shared: &Arc<Shared>,
        caller: Caller,
        resource: &str,
        query: Query,
        since: Option<i64>,
    ) -> Result<Self, Problem> {
        let sight = Sight::open(&shared.engine, caller.clone(), resource, query.clone())?;
        let listening = shared.listen()?;
        let news = shared.news_of(resource);
        let store = shared.engine.store();
        let latest = *store.watch().borrow();
        let range = store.log_range().await?;
        let (position, stage) = match since {
            None => (latest.min(range.last), Stage::Open),
            Some(since) if (range.first - 1..=range.last).contains(&since) => (since, Stage::Open),
            Some(_) => (latest.min(range.last), Stage::OutOfReach),
        };
        Ok(Self {
            shared: Arc::clone(shared),
            caller,
            resource: resource.to_owned(),
            query,
            sight,
            news,
            passed: position,
            position,
            waiting: VecDeque::new(),
            upto: position,
            met: position,
            faults: 0,
            stage,
            _listening: listening,
        })
    }

    /// The position from which the subscription can be taken up again without a gap.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Somebody else, or the same person with other roles, reads on from here.
    ///
    /// # Errors
    /// 400 where the query names what that one can't see; the subscription stays as it was.
    pub fn identify(&mut self, identity: Arc<Identity>) -> Result<(), Problem> {
        let caller = Caller { identity, ..self.caller.clone() };
        self.look(caller.clone())?;
        self.caller = caller;
        Ok(())
    }

    /// The next event, when there is one; none after the last. It may be dropped and called again: nothing is lost.
    pub async fn next(&mut self) -> Option<Event> {
        let stop = self.shared.stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => None,
            event = self.advance() => event,
        }
    }

    async fn advance(&mut self) -> Option<Event> {
        loop {
            match self.stage {
                Stage::Open => {}
                Stage::OutOfReach => {
                    self.stage = Stage::Ended;
                    return Some(Event::Reset { position: self.position });
                }
                Stage::Ended => return None,
            }
            match self.step().await {
                Ok(Step::Told(change)) => return Some(Event::Change(change)),
                // Whoever has much to pass over lets others go on, too.
                Ok(Step::Nothing) => tokio::task::yield_now().await,
                // The sender is in `shared`, so it is there.
                Ok(Step::CaughtUp) => drop(self.news.changed().await),
                Ok(Step::OutOfReach) => self.stage = Stage::OutOfReach,
                Err(problem) => match WAITS.get(self.faults) {
                    Some(wait) if problem.code.status() >= 500 => {
                        self.faults += 1;
                        tokio::time::sleep(*wait).await;
                    }
                    _ => {
                        self.stage = Stage::Ended;
                        return Some(Event::Failed(problem));
                    }
                },
            }
        }
    }

    /// Judges the next entry, or fetches more. State changes only after the last wait, so that a step can be dropped.
    async fn step(&mut self) -> Result<Step, Problem> {
        if !self.sight.stands(&self.shared.engine) {
            self.look(self.caller.clone())?;
        }
        let Some(entry) = self.waiting.front() else { return self.fetch().await };
        let told = self.sight.tell(&**self.shared.engine.store(), entry).await?;
        let sequence = entry.sequence;
        self.waiting.pop_front();
        self.faults = 0;
        (self.passed, self.position) =
            if self.waiting.is_empty() { (self.upto, self.met) } else { (sequence, sequence) };
        Ok(match told {
            Some(Told { kind, data }) => Step::Told(Change { sequence, kind, data }),
            None => Step::Nothing,
        })
    }

    /// Asks the gate what this caller sees now.
    fn look(&mut self, caller: Caller) -> Result<(), Problem> {
        let sight = Sight::open(&self.shared.engine, caller, &self.resource, self.query.clone())?;
        if !Arc::ptr_eq(sight.catalog(), self.sight.catalog()) {
            // What waits was read for another version of the app.
            self.waiting.clear();
            self.upto = self.passed;
        }
        self.sight = sight;
        Ok(())
    }

    /// Fetches what follows the position: from the ring, or from the log.
    async fn fetch(&mut self) -> Result<Step, Problem> {
        // Marked as heard before looking, so that what comes after the look wakes us.
        self.news.borrow_and_update();
        let ring = self.shared.ring.read().read(self.sight.catalog(), self.sight.resource(), self.passed);
        let piece = match ring {
            Some(piece) => piece,
            None => match self.fetch_from_log().await? {
                Some(piece) => piece,
                None => {
                    self.position = self.end_of_log().await?;
                    return Ok(Step::OutOfReach);
                }
            },
        };
        self.faults = 0;
        let caught_up = piece.upto == self.passed && piece.entries.is_empty();
        self.upto = piece.upto;
        self.met = piece.met.max(self.position);
        if piece.entries.is_empty() {
            (self.passed, self.position) = (self.upto, self.met);
        }
        self.waiting = piece.entries;
        Ok(if caught_up { Step::CaughtUp } else { Step::Nothing })
    }

    /// None where what follows the position is no longer in the log.
    async fn fetch_from_log(&self) -> Result<Option<Piece>, Problem> {
        let store = self.shared.engine.store();
        let _turn = self.shared.catching_up.acquire().await;
        let latest = *store.watch().borrow();
        let entries = store.entries(self.sight.catalog(), self.passed, PAGE).await?;
        // Asked after the reading: what was deleted meanwhile is missed by this, at worst once too often.
        if self.passed < store.log_range().await?.first - 1 {
            return Ok(None);
        }
        let upto = reached(self.passed, PAGE, latest, &entries);
        let entries = entries.into_iter().map(|entry| Arc::new(Kept::from(entry)));
        Ok(Some(Piece::gather(entries, self.sight.resource(), upto)))
    }

    async fn end_of_log(&self) -> Result<i64, Problem> {
        let store = self.shared.engine.store();
        let latest = *store.watch().borrow();
        Ok(latest.min(store.log_range().await?.last))
    }
}
