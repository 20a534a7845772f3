//! The audit log of what matters: who, what, when, from where.
//!
//! A line about a change is written in the transaction of the change. Failures and refusals are folded by minute, account and
//! address, and written off the path of the request; what they say of an e-mail that is no account's is a pseudonym.

mod follow;
mod lines;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
};

use model::{Caller, Problem};
use parking_lot::Mutex;
use serde_json::Value as Json;
use store::{
    Statement, Store,
    own::audit::{AuditLine, audit},
};

pub use self::{
    follow::Follower,
    lines::{Line, PAGE, Place, moment, pages, patterns},
};
use crate::{attempts::network, secret};

/// Microseconds of a minute.
const MINUTE: i64 = 60_000_000;
/// The most different failures of a minute that have lines of their own; more are counted together. So that a flood from many
/// addresses fills no disk: a line has some 200 bytes.
const DIFFERENT: usize = 1_000;
/// The most that wait to be written, where the database does not take them.
const WAITING: usize = 5_000;

/// The most characters of whom or what a failure is about.
const SUBJECT: usize = 200;

/// A line about a change: `what` is done to `subject` (`user:ID`) by the caller.
#[must_use]
pub fn line(what: &'static str, caller: &Caller, subject: &str, detail: &Json) -> Statement {
    let detail = if detail.is_null() { String::new() } else { detail.to_string() };
    let id = format!("{:016x}{}", caller.now, secret::name());
    audit(AuditLine { id, what, caller, subject, address: None, count: 1, detail })
}

/// Failures and refusals on their way into the log.
#[derive(Default)]
pub struct Failures {
    waiting: Mutex<Waiting>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: HashMap<Failure, (Caller, i64)>,
    /// The latest minute, and which failures it has had.
    minute: i64,
    had: HashSet<u64>,
    /// How many there ever were.
    counts: BTreeMap<&'static str, u64>,
}

#[derive(Debug, PartialEq, Eq, Hash, Clone)]
struct Failure {
    what: &'static str,
    subject: String,
    actor: Option<String>,
    address: String,
    minute: i64,
}

impl Failures {
    /// Notes a failure; costs no look at the database.
    pub fn add(&self, what: &'static str, subject: &str, caller: &Caller) {
        let minute = caller.now.div_euclid(MINUTE);
        let mut failure = Failure {
            what,
            // What a client has typed may be part of it.
            subject: subject.chars().take(SUBJECT).collect(),
            actor: caller.identity.actor.clone(),
            // Whoever has a /64 has all its addresses.
            address: network(caller.address),
            minute,
        };
        let mut waiting = self.waiting.lock();
        *waiting.counts.entry(what).or_default() += 1;
        if minute > waiting.minute {
            waiting.minute = minute;
            waiting.had.clear();
        }
        let name = self.hasher.hash_one(&failure);
        let mut caller = caller.clone();
        if !waiting.had.contains(&name) && (waiting.had.len() >= DIFFERENT || waiting.lines.len() >= WAITING) {
            failure = failure.among_others();
            (caller.identity, caller.request_id) = (Arc::default(), "".into());
        } else {
            waiting.had.insert(name);
        }
        let now = caller.now;
        let entry = waiting.lines.entry(failure).or_insert_with(|| (caller, 0));
        entry.0.now = entry.0.now.max(now);
        entry.1 += 1;
    }

    /// How many failures there have been since the start, by what they were.
    #[must_use]
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        self.waiting.lock().counts.iter().map(|(what, count)| (*what, *count)).collect()
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// The database can't be written to; then it goes on waiting.
    pub async fn write(&self, store: &dyn Store) -> Result<(), Problem> {
        let taken = std::mem::take(&mut self.waiting.lock().lines);
        if taken.is_empty() {
            return Ok(());
        }
        let statements = taken.iter().map(|(failure, (caller, count))| failure.statement(caller, *count));
        let outcome = store.own(statements.collect()).await;
        if outcome.is_err() {
            let mut waiting = self.waiting.lock();
            for (mut failure, (caller, count)) in taken {
                if waiting.lines.len() >= WAITING {
                    failure = failure.among_others();
                }
                waiting.lines.entry(failure).or_insert((caller, 0)).1 += count;
            }
        }
        outcome.map(drop)
    }
}

impl std::fmt::Debug for Failures {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Failures").finish_non_exhaustive()
    }
}

impl Failure {
    /// The same, not told apart from others of its kind.
    fn among_others(self) -> Self {
        Self { subject: "others".to_owned(), actor: None, address: String::new(), ..self }
    }

    fn statement(&self, caller: &Caller, count: i64) -> Statement {
        let Self { what, subject, actor, address, minute } = self;
        let actor = actor.as_deref().unwrap_or_default();
        let hash = hex(&secret::hash(&format!("{what}\0{subject}\0{actor}\0{address}")));
        let id = format!("{:016x}{}", minute * MINUTE, &hash[..32]);
        audit(AuditLine { id, what, caller, subject, address: Some(address), count, detail: String::new() })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn caller(address: u32, now: i64) -> Caller {
        let address = IpAddr::V4(Ipv4Addr::from_bits(address));
        Caller { identity: Arc::default(), address, method: "POST", now, request_id: "one".into() }
    }

    #[test]
    fn a_flood_from_many_addresses_makes_a_bounded_number_of_lines_and_loses_no_count() {
        let failures = Failures::default();
        for address in 0..100_000 {
            failures.add("sign_in_failed", "unknown:1", &caller(address, 5));
        }
        let waiting = failures.waiting.lock();
        assert_eq!(waiting.lines.len(), DIFFERENT + 1);
        assert_eq!(waiting.lines.values().map(|(_, count)| *count).sum::<i64>(), 100_000);
        let (others, (caller, _)) = waiting.lines.iter().find(|(failure, _)| failure.subject == "others").unwrap();
        assert_eq!((others.address.as_str(), &*caller.request_id), ("", ""));
    }

    #[test]
    fn the_next_minute_has_room_again() {
        let failures = Failures::default();
        for address in 0..2_000 {
            failures.add("sign_in_failed", "unknown:1", &caller(address, 5));
        }
        failures.add("sign_in_failed", "unknown:1", &caller(77, MINUTE + 5));
        let waiting = failures.waiting.lock();
        assert!(waiting.lines.keys().any(|failure| failure.minute == 1 && failure.address == "0.0.0.77"));
    }
}
