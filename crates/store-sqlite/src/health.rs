//! What the disk has said of late: whether writes can be made, and whether the database is damaged.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use model::Problem;
use parking_lot::Mutex;

use crate::fault;

/// How long a write that failed counts without a look. On a disk that is almost full a small write may do where a larger
/// one has just failed.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// How often a database that was found to be damaged is looked through again.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Faults that have not healed yet, as far as is known.
#[derive(Debug, Default)]
pub(crate) struct Health {
    ails: AtomicBool,
    writes: Mutex<Option<(Problem, Instant)>>,
    damage: Mutex<Option<Damage>>,
}

#[derive(Debug)]
struct Damage {
    problem: Problem,
    looked: Instant,
}

impl Health {
    /// A read met this.
    pub(crate) fn read(&self, problem: &Problem) {
        if fault::is_damage(problem) {
            let mut damage = self.damage.lock();
            match damage.as_mut() {
                Some(known) => known.problem = problem.clone(),
                None => *damage = Some(Damage { problem: problem.clone(), looked: Instant::now() }),
            }
            self.ails.store(true, Ordering::Release);
        }
    }

    /// A write met this.
    pub(crate) fn write(&self, problem: &Problem) {
        self.read(problem);
        if fault::is_of_the_disk(problem) {
            *self.writes.lock() = Some((problem.clone(), Instant::now()));
            self.ails.store(true, Ordering::Release);
        }
    }

    /// Something was written.
    pub(crate) fn wrote(&self) {
        if self.ails.load(Ordering::Acquire) {
            *self.writes.lock() = None;
            self.settle();
        }
    }

    /// What keeps writes from being made, and whether it is time to try whether it still does.
    pub(crate) fn writes(&self) -> Option<(Problem, bool)> {
        if !self.ails.load(Ordering::Acquire) {
            return None;
        }
        let (problem, met) = self.writes.lock().clone()?;
        Some((problem, met.elapsed() >= TRY_AGAIN))
    }

    /// That the database is damaged, and whether it is time to look through it again.
    pub(crate) fn damage(&self) -> Option<(Problem, bool)> {
        if !self.ails.load(Ordering::Acquire) {
            return None;
        }
        let mut damage = self.damage.lock();
        let known = damage.as_mut()?;
        let due = known.looked.elapsed() >= LOOK_AGAIN;
        if due {
            known.looked = Instant::now();
        }
        Some((known.problem.clone(), due))
    }

    /// Looked through, and found sound.
    pub(crate) fn sound(&self) {
        *self.damage.lock() = None;
        self.settle();
    }

    fn settle(&self) {
        let ails = self.writes.lock().is_some() || self.damage.lock().is_some();
        self.ails.store(ails, Ordering::Release);
    }
}
