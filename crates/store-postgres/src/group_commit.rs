//! Creations that come while others are on their way share a transaction, so that a busy database commits once for many.
//!
//! A creation that is one statement needs a lane. While one is free it goes at once, by itself, as any other write. Where
//! all are taken it waits in a queue, and the lane that is free next takes what waits there: one transaction, one round
//! trip. Nobody waits for the queue to fill.
//!
//! Those who share a transaction don't know of each other. Where one of the statements fails, or waits for a lock, all is
//! taken back and each goes alone, so that each has the answer that it would have had; and the next batches are small.
//! Where the connection is lost, nobody is told more than that: whether the database has committed is not known.

use std::{collections::VecDeque, mem::take, pin::pin, sync::Arc, time::Duration};

use model::Problem;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};
use tokio_postgres::{Error, Row};

use crate::{
    connection::{Bounds, Connections, Lease, PATIENCE, Place, Step, Text, crowded},
    fault,
    parameter::Parameter,
};

/// The most creations in a transaction.
const LARGEST: usize = 32;
/// The most lanes: each is a connection while it is used. Few of them make large batches.
const MOST_LANES: usize = 4;
/// Begins a transaction of strangers: none of them waits long for what another one is locked out of.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '50ms'";
/// As long a lane is kept by one that goes alone.
const KEPT: Duration = Duration::from_millis(50);

/// The lanes, and who waits for them.
pub(crate) struct GroupCommit {
    connections: Connections,
    sequencer: Arc<Notify>,
    lanes: usize,
    state: Mutex<State>,
}

struct State {
    taken: usize,
    /// How many go together now: fewer after a failure, more after a success.
    together: usize,
    number: u64,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    number: u64,
    creation: Creation,
    answer: oneshot::Sender<Turn>,
}

/// A statement that creates a record.
pub(crate) struct Creation {
    pub(crate) text: Arc<Text>,
    pub(crate) values: Vec<Parameter>,
}

impl Creation {
    /// The statement with its values, which go with it.
    pub(crate) fn step(&mut self) -> Step<'_> {
        Step { text: &self.text, values: take(&mut self.values) }
    }
}

/// What becomes of a creation.
pub(crate) enum Turn {
    /// It is committed; its rows.
    Made(Vec<Row>),
    /// It has to go by itself, and may keep the lane until its answer is there.
    Alone(Creation, Option<Lane>),
    /// It was not made, or nobody knows.
    Refused(Problem),
}

impl GroupCommit {
    /// Lanes for a pool of so many connections.
    pub(crate) fn new(connections: Connections, size: usize, sequencer: Arc<Notify>) -> Arc<Self> {
        let lanes = (size / 4).clamp(1, MOST_LANES);
        let state = State { taken: 0, together: LARGEST, number: 0, waiting: VecDeque::new() };
        Arc::new(Self { connections, sequencer, lanes, state: Mutex::new(state) })
    }

    /// The connections that lanes are made of.
    pub(crate) fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Waits for a creation's turn, and for its end where it went with others.
    pub(crate) async fn turn(self: &Arc<Self>, creation: Creation) -> Turn {
        let (number, mut answer) = {
            let mut state = self.state.lock();
            if state.taken < self.lanes {
                state.taken += 1;
                return Turn::Alone(creation, Some(Lane(Arc::clone(self))));
            }
            let (sender, answer) = oneshot::channel();
            state.number += 1;
            let number = state.number;
            state.waiting.push_back(Waiting { number, creation, answer: sender });
            (number, answer)
        };
        let turn = match timeout(PATIENCE, &mut answer).await {
            Ok(turn) => turn,
            // What has been sent is waited for: the statement has a limit of its own.
            Err(_) if self.state.lock().leave(number) => return Turn::Refused(crowded("no lane became free")),
            Err(_) => answer.await,
        };
        turn.unwrap_or_else(|_| {
            Turn::Refused(fault::unsure(Problem::unavailable(fault::UNREACHABLE, "a lane broke off", 1)))
        })
    }

    /// Whoever goes together next. Those whose client has gone are left out.
    fn next(&self) -> Vec<Waiting> {
        let mut state = self.state.lock();
        let mut batch = Vec::new();
        while batch.len() < state.together {
            match state.waiting.pop_front() {
                Some(waiting) if waiting.answer.is_closed() => {}
                Some(waiting) => batch.push(waiting),
                None => break,
            }
        }
        batch
    }

    fn note(&self, succeeded: bool) {
        let mut state = self.state.lock();
        state.together = match succeeded {
            true => (state.together * 2).min(LARGEST),
            false => (state.together / 4).max(1),
        };
    }
}

impl State {
    fn leave(&mut self, number: u64) -> bool {
        let place = self.waiting.iter().position(|waiting| waiting.number == number);
        place.and_then(|place| self.waiting.remove(place)).is_some()
    }
}

/// The right to have a creation under way. Whoever drops it leaves it to those who wait.
pub(crate) struct Lane(Arc<GroupCommit>);

impl Drop for Lane {
    fn drop(&mut self) {
        let runtime = tokio::runtime::Handle::try_current();
        {
            let mut state = self.0.state.lock();
            if state.waiting.is_empty() || runtime.is_err() {
                state.taken -= 1;
                return;
            }
        }
        if let Ok(runtime) = runtime {
            // The lane is made once it runs: a runtime that ends drops what it is given, and a lane would be spawned for ever.
            let group = Arc::clone(&self.0);
            runtime.spawn(async move { Lane(group).serve().await });
        }
    }
}

/// Does the work of one that goes alone, and leaves its lane to others once that is done, or takes long.
pub(crate) async fn keeping<T>(lane: Option<Lane>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    if let Some(lane) = lane {
        if let Ok(done) = timeout(KEPT, &mut work).await {
            return done;
        }
        drop(lane);
    }
    work.await
}

impl Lane {
    /// Carries what waits, until nothing does.
    async fn serve(self) {
        loop {
            let mut batch = self.0.next();
            match batch.len() {
                0 => return,
                // With nobody to share it, a transaction of its own is cheaper, and the lane goes with it.
                1 => {
                    if let Some(only) = batch.pop() {
                        drop(only.answer.send(Turn::Alone(only.creation, Some(self))));
                    }
                    return;
                }
                _ => self.carry(batch).await,
            }
        }
    }

    async fn carry(&self, batch: Vec<Waiting>) {
        let group = &self.0;
        let pulse = group.connections.pulse();
        let (mut creations, answers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|waiting| (waiting.creation, waiting.answer)).unzip();
        let ended = match group.connections.lease().await {
            Ok(lease) => pulse.unless_silent(commit(lease, &mut creations)).await.unwrap_or_else(|| {
                // The connection went with the work.
                Ended::Refused(fault::silent_in_a_write())
            }),
            Err(problem) => Ended::Refused(problem),
        };
        match ended {
            Ended::Committed(rows) => {
                group.note(true);
                // Some may have gone meanwhile, and wake nobody.
                group.sequencer.notify_one();
                for (answer, rows) in answers.into_iter().zip(rows) {
                    drop(answer.send(Turn::Made(rows)));
                }
            }
            Ended::TakenBack(error) => {
                group.note(false);
                tracing::debug!(error = %error, together = creations.len(), "creations that shared a transaction go alone");
                for (answer, creation) in answers.into_iter().zip(creations) {
                    drop(answer.send(Turn::Alone(creation, None)));
                }
            }
            Ended::Refused(problem) => {
                for answer in answers {
                    drop(answer.send(Turn::Refused(problem.clone())));
                }
            }
        }
    }
}

enum Ended {
    Committed(Vec<Vec<Row>>),
    /// Nothing of it is in the database.
    TakenBack(Error),
    Refused(Problem),
}

/// Makes all of them in one transaction, or none.
async fn commit(lease: Lease, creations: &mut [Creation]) -> Ended {
    let steps: Vec<Step<'_>> = creations.iter_mut().map(Creation::step).collect();
    let (place, error) = match lease.placed_pipeline(&steps, Bounds { begin: Some(BEGIN), commit: true }).await {
        Ok(rows) => {
            lease.release();
            return Ended::Committed(rows);
        }
        Err(failure) => failure,
    };
    let certain = match place {
        // Nothing was sent. Whoever goes alone finds out what it means.
        Place::Preparation => true,
        // Without a beginning each statement may have been a transaction of its own.
        Place::Begin => false,
        // Where the database says that a statement has failed, the transaction can only be taken back.
        Place::Step(_) | Place::Commit => error.as_db_error().is_some() && !fault::is_dead(&error),
    };
    if !certain {
        return Ended::Refused(fault::unsure(fault::problem(&error)));
    }
    if !fault::is_dead(&error) && lease.say("ROLLBACK").await.is_ok() {
        lease.release();
    }
    let values: Vec<Vec<Parameter>> = steps.into_iter().map(|step| step.values).collect();
    for (creation, values) in creations.iter_mut().zip(values) {
        creation.values = values;
    }
    Ended::TakenBack(error)
}
