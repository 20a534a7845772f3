//! Creations that come while others are on their way share a transaction, so that a busy database commits once for many.
//!
//! A creation that is one statement needs one of a few [`crate::lanes`]; those that find all of them taken go together: one transaction,
//! one round trip. Where one of the statements fails, or waits for a lock, all is taken back and each goes alone. Where the
//! connection is lost, nobody is told more than that: whether the database has committed is not known.

use std::{mem::take, sync::Arc};

use model::Problem;
use tokio::sync::Notify;
use tokio_postgres::{Error, Row};

use crate::{
    connection::{Bounds, Connections, Lease, Place, Step, Text},
    fault,
    lanes::{Carried, Carrier, Lanes, Width},
    parameter::Parameter,
};

/// The most creations in a transaction.
const LARGEST: usize = 32;
/// The most lanes: each is a connection while it is used. Few of them make large batches.
const MOST_LANES: usize = 4;
/// Begins a transaction of strangers: none of them waits long for what another one is locked out of.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '50ms'";

/// The lanes of creations.
pub(crate) type GroupCommit = Lanes<Creations>;

/// How creations go together.
pub(crate) struct Creations {
    connections: Connections,
    sequencer: Arc<Notify>,
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

impl Creations {
    /// Lanes for a pool of so many connections.
    pub(crate) fn lanes(connections: Connections, size: usize, sequencer: Arc<Notify>) -> Arc<GroupCommit> {
        let lanes = (size / 4).clamp(1, MOST_LANES);
        Lanes::new(Self { connections, sequencer }, Width { fewest: lanes, most: lanes, together: LARGEST })
    }

    /// The connections that lanes are made of.
    pub(crate) fn connections(&self) -> &Connections {
        &self.connections
    }
}

impl Carrier for Creations {
    type Load = Creation;
    type Answer = Vec<Row>;

    async fn carry(&self, mut creations: Vec<Creation>) -> Carried<Self> {
        let pulse = self.connections.pulse();
        let ended = match self.connections.lease().await {
            Ok(lease) => pulse.unless_silent(commit(lease, &mut creations)).await.unwrap_or_else(|| {
                // The connection went with the work.
                Ended::Refused(fault::silent_in_a_write())
            }),
            Err(problem) => Ended::Refused(problem),
        };
        match ended {
            Ended::Committed(rows) => {
                // Some may have gone meanwhile, and wake nobody.
                self.sequencer.notify_one();
                Carried::Together(rows)
            }
            Ended::TakenBack(error) => {
                tracing::debug!(error = %error, together = creations.len(), "creations that shared a transaction go alone");
                Carried::Apart(creations)
            }
            Ended::Refused(problem) => Carried::Refused(problem),
        }
    }

    fn broken() -> Problem {
        fault::unsure(Problem::unavailable(fault::UNREACHABLE, "a lane broke off", 1))
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
