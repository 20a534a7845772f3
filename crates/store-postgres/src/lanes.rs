//! A few lanes for calls that may go together: while one is free a call takes it and goes at once, by itself. Where all are
//! taken it waits in a queue, and the lane that is free next takes what waits there, all in one round trip. Nobody waits for
//! the queue to fill.
//!
//! Those who go together don't know of each other. Where that turns out to be a bad idea, each goes alone, so that each has
//! the answer that it would have had. Then, and where they take long together, the next that go together are fewer, in more
//! lanes.

use std::{collections::VecDeque, future::Future, pin::pin, sync::Arc, time::Duration};

use model::Problem;
use parking_lot::Mutex;
use tokio::{sync::oneshot, time::timeout};

use crate::connection::{PATIENCE, crowded};

/// As long a lane is kept by one that goes alone.
const KEPT: Duration = Duration::from_millis(50);

/// What lanes are for.
pub(crate) trait Carrier: Send + Sync + Sized + 'static {
    /// What a call wants done.
    type Load: Send + 'static;
    /// What comes of it.
    type Answer: Send + 'static;

    /// Does what several calls want, in one round trip.
    fn carry(&self, loads: Vec<Self::Load>) -> impl Future<Output = Carried<Self>> + Send;

    /// What a call is told whose lane broke off.
    fn broken() -> Problem;
}

/// What became of those who went together.
pub(crate) enum Carried<C: Carrier> {
    /// All is done: an answer for each, in their order.
    Together(Vec<C::Answer>),
    /// The same, but they were too many: they took long.
    TooMany(Vec<C::Answer>),
    /// Nothing is done: each has to go alone.
    Apart(Vec<C::Load>),
    /// Nothing is done, or nobody knows, and it is of no use to try again.
    Refused(Problem),
}

/// What becomes of a call.
pub(crate) enum Turn<C: Carrier> {
    /// It went with others.
    Done(C::Answer),
    /// It has to go by itself, and may keep the lane until its answer is there.
    Alone(C::Load, Option<Lane<C>>),
    /// It went with others, or waited for long, and got this.
    Refused(Problem),
}

/// How many lanes there are, and how many calls go together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Width {
    /// The lanes while as many go together as may.
    pub(crate) fewest: usize,
    /// The lanes when fewer do.
    pub(crate) most: usize,
    /// How many may go together.
    pub(crate) together: usize,
}

impl Width {
    /// The lanes while so many go together: as many places in all as far as there may be lanes.
    fn lanes(self, together: usize) -> usize {
        (self.fewest * self.together / together).clamp(self.fewest, self.most)
    }
}

/// The lanes, and who waits for them.
pub(crate) struct Lanes<C: Carrier> {
    carrier: C,
    width: Width,
    state: Mutex<State<C>>,
}

struct State<C: Carrier> {
    taken: usize,
    /// How many lanes there are now.
    lanes: usize,
    /// How many go together now.
    together: usize,
    ticket: u64,
    waiting: VecDeque<Waiting<C>>,
}

struct Waiting<C: Carrier> {
    ticket: u64,
    load: C::Load,
    turn: oneshot::Sender<Turn<C>>,
}

impl<C: Carrier> Lanes<C> {
    /// Lanes that nobody has taken yet.
    pub(crate) fn new(carrier: C, width: Width) -> Arc<Self> {
        let Width { fewest: lanes, together, .. } = width;
        let state = State { taken: 0, lanes, together, ticket: 0, waiting: VecDeque::new() };
        Arc::new(Self { carrier, width, state: Mutex::new(state) })
    }

    /// How those who go together go.
    pub(crate) fn carrier(&self) -> &C {
        &self.carrier
    }

    /// Waits for a call's turn, and for its end where it went with others.
    pub(crate) async fn turn(self: &Arc<Self>, load: C::Load) -> Turn<C> {
        let (ticket, mut turn) = {
            let mut state = self.state.lock();
            if state.taken < state.lanes {
                state.taken += 1;
                return Turn::Alone(load, Some(Lane(Arc::clone(self))));
            }
            let (sender, turn) = oneshot::channel();
            state.ticket += 1;
            let ticket = state.ticket;
            state.waiting.push_back(Waiting { ticket, load, turn: sender });
            (ticket, turn)
        };
        let turn = match timeout(PATIENCE, &mut turn).await {
            Ok(turn) => turn,
            // What has been sent is waited for: a statement has a limit of its own.
            Err(_) if self.state.lock().leave(ticket) => return Turn::Refused(crowded("no lane became free")),
            Err(_) => turn.await,
        };
        turn.unwrap_or_else(|_| Turn::Refused(C::broken()))
    }

    /// Whoever goes together next, nobody where there are too many lanes. Those whose client has gone are left out.
    fn next(&self) -> Vec<Waiting<C>> {
        let mut state = self.state.lock();
        let mut batch = Vec::new();
        if state.taken > state.lanes {
            return batch;
        }
        while batch.len() < state.together {
            match state.waiting.pop_front() {
                Some(waiting) if waiting.turn.is_closed() => {}
                Some(waiting) => batch.push(waiting),
                None => break,
            }
        }
        batch
    }

    /// Lets more or fewer go together from now on.
    fn adapt(&self, change: impl FnOnce(usize) -> usize) {
        let mut state = self.state.lock();
        // One that goes alone shows nothing about going together: two have to, or it would never be tried again.
        state.together = change(state.together).min(self.width.together).max(2);
        state.lanes = self.width.lanes(state.together);
    }
}

impl<C: Carrier> State<C> {
    fn leave(&mut self, ticket: u64) -> bool {
        let place = self.waiting.iter().position(|waiting| waiting.ticket == ticket);
        place.and_then(|place| self.waiting.remove(place)).is_some()
    }
}

/// The right to be under way. Whoever drops it leaves it to those who wait.
pub(crate) struct Lane<C: Carrier>(Arc<Lanes<C>>);

impl<C: Carrier> Drop for Lane<C> {
    fn drop(&mut self) {
        let runtime = tokio::runtime::Handle::try_current();
        {
            let mut state = self.0.state.lock();
            if state.waiting.is_empty() || state.taken > state.lanes || runtime.is_err() {
                state.taken -= 1;
                return;
            }
        }
        if let Ok(runtime) = runtime {
            // The lane is made once it runs: a runtime that ends drops what it is given, and a lane would be spawned for ever.
            let lanes = Arc::clone(&self.0);
            runtime.spawn(async move { Lane(lanes).serve().await });
        }
    }
}

/// Does the work of one that goes alone, and leaves its lane to others once that is done, or takes long.
pub(crate) async fn keeping<C: Carrier, T>(lane: Option<Lane<C>>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    if let Some(lane) = lane {
        if let Ok(done) = timeout(KEPT, &mut work).await {
            return done;
        }
        drop(lane);
    }
    work.await
}

impl<C: Carrier> Lane<C> {
    /// Carries what waits, until nothing does.
    async fn serve(self) {
        loop {
            let mut batch = self.0.next();
            match batch.len() {
                0 => return,
                // With nobody to share it, a round trip of its own is cheaper, and the lane goes with it.
                1 => {
                    if let Some(only) = batch.pop() {
                        drop(only.turn.send(Turn::Alone(only.load, Some(self))));
                    }
                    return;
                }
                _ => self.carry(batch).await,
            }
        }
    }

    async fn carry(&self, batch: Vec<Waiting<C>>) {
        let (loads, turns): (Vec<_>, Vec<_>) = batch.into_iter().map(|waiting| (waiting.load, waiting.turn)).unzip();
        let lanes = &self.0;
        let answers = match lanes.carrier.carry(loads).await {
            Carried::Together(answers) => {
                lanes.adapt(|together| together * 2);
                answers
            }
            Carried::TooMany(answers) => {
                lanes.adapt(|together| together / 2);
                answers
            }
            Carried::Apart(loads) => {
                lanes.adapt(|together| together / 4);
                for (turn, load) in turns.into_iter().zip(loads) {
                    drop(turn.send(Turn::Alone(load, None)));
                }
                return;
            }
            Carried::Refused(problem) => {
                for turn in turns {
                    drop(turn.send(Turn::Refused(problem.clone())));
                }
                return;
            }
        };
        // A receiver that has gone is a client that has gone.
        for (turn, answer) in turns.into_iter().zip(answers) {
            drop(turn.send(Turn::Done(answer)));
        }
    }
}

#[cfg(test)]
mod tests;
