//! Reads that come while others are on their way share a round trip, so that a busy server waits for the database once for
//! many.
//!
//! Each of them is still a statement and a snapshot of its own; they only go the way together. But one that is slow holds up
//! those behind it. So only statements go together ([`crate::lanes`]) that were quick again and again; where those that went
//! together are not through in time, they are given up, each goes alone, and has to prove itself again.

use std::{
    mem::take,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use model::Problem;
use tokio::time::timeout;
use tokio_postgres::Row;

use crate::{
    connection::{Bounds, Connections, Place, Step, Text},
    fault,
    lanes::{Carried, Carrier, Lanes, Turn, Width, keeping},
    parameter::Parameter,
};

/// The most reads in a round trip.
const LARGEST: usize = 16;
/// The most lanes while so many go together: each is a connection while it is used.
const MOST_LANES: usize = 8;
/// How long a quick statement takes at most, with its way there and back.
const QUICK: Duration = Duration::from_millis(10);
/// How often in a row a statement has to have been quick.
const PROVEN: u32 = 64;
/// How long those that go together should take; where it is longer, fewer go.
const AIM: Duration = Duration::from_millis(3);
/// How long they may take before they are given up.
const LONG: Duration = Duration::from_millis(50);

/// How quick a statement has been.
#[derive(Debug, Default)]
pub(crate) struct Pace(AtomicU32);

impl Pace {
    fn is_quick(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= PROVEN
    }

    /// Notes how long it has taken by itself.
    fn note(&self, took: Duration) {
        let times = self.0.load(Ordering::Relaxed);
        if took > QUICK {
            self.doubt();
        } else if times < PROVEN {
            // Two at once may count as one.
            self.0.store(times + 1, Ordering::Relaxed);
        }
    }

    /// From now on it has to prove itself again.
    fn doubt(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// A statement that only reads, and may go with others.
#[derive(Debug)]
pub(crate) struct Shareable {
    pub(crate) text: Text,
    pace: Pace,
}

impl From<Text> for Shareable {
    fn from(text: Text) -> Self {
        Self { text, pace: Pace::default() }
    }
}

/// How reads go together.
struct Together(Connections);

/// A statement with its values.
struct Question {
    statement: Arc<Shareable>,
    values: Vec<Parameter>,
}

impl Question {
    /// The statement with its values, which go with it.
    fn step(&mut self) -> Step<'_> {
        Step { text: &self.statement.text, values: take(&mut self.values) }
    }
}

/// Reads, alone or with others.
pub(crate) struct SharedReads(Arc<Lanes<Together>>);

impl SharedReads {
    /// For a pool of so many connections.
    pub(crate) fn new(connections: Connections, size: usize) -> Self {
        let fewest = (size / 2).clamp(1, MOST_LANES);
        let width = Width { fewest, most: size.max(fewest), together: LARGEST };
        Self(Lanes::new(Together(connections), width))
    }

    /// The connections that lanes are made of.
    pub(crate) fn connections(&self) -> &Connections {
        &self.0.carrier().0
    }

    /// The rows of a statement.
    ///
    /// # Errors
    /// The problem that it met.
    pub(crate) async fn rows(&self, statement: &Arc<Shareable>, values: Vec<Parameter>) -> Result<Vec<Row>, Problem> {
        if !statement.pace.is_quick() {
            return self.alone(statement, values).await;
        }
        match self.0.turn(Question { statement: Arc::clone(statement), values }).await {
            Turn::Done(rows) => Ok(rows),
            Turn::Alone(question, lane) => keeping(lane, self.alone(statement, question.values)).await,
            Turn::Refused(problem) => Err(problem),
        }
    }

    async fn alone(&self, statement: &Shareable, values: Vec<Parameter>) -> Result<Vec<Row>, Problem> {
        let steps = vec![Step { text: &statement.text, values }];
        let (results, took) = self.connections().timed(steps, Bounds::default()).await?;
        statement.pace.note(took);
        Ok(results.into_iter().next().unwrap_or_default())
    }
}

impl Carrier for Together {
    type Load = Question;
    type Answer = Vec<Row>;

    async fn carry(&self, mut questions: Vec<Question>) -> Carried<Self> {
        let lease = match self.0.lease().await {
            Ok(lease) => lease,
            Err(problem) => return Carried::Refused(problem),
        };
        let begun = Instant::now();
        let steps: Vec<Step<'_>> = questions.iter_mut().map(Question::step).collect();
        let ended = timeout(LONG, lease.placed_pipeline(&steps, Bounds::default())).await;
        let values = steps.into_iter().map(|step| step.values).collect::<Vec<_>>();
        let doubtful = match ended {
            Ok(Ok(rows)) => {
                lease.release();
                return if begun.elapsed() > AIM { Carried::TooMany(rows) } else { Carried::Together(rows) };
            }
            // They read, so each may be asked again. Who goes alone finds out what the error means.
            Ok(Err((_, error))) if fault::is_dead(&error) => 0..0,
            Ok(Err((place, _))) => {
                lease.release();
                if let Place::Step(at) = place { at..at + 1 } else { 0..0 }
            }
            // What is under way is ended with the lease. Nobody knows who it was.
            Err(_) => 0..questions.len(),
        };
        for (question, values) in questions.iter_mut().zip(values) {
            question.values = values;
        }
        for question in &questions[doubtful] {
            question.statement.pace.doubt();
        }
        Carried::Apart(questions)
    }

    fn broken() -> Problem {
        Problem::unavailable(fault::UNREACHABLE, "a lane broke off", 1)
    }
}
