//! The audit log of what matters: who, what, when, from where.
//!
//! A line about a change is written in the transaction of the change. Failures are folded by minute, account and address, and
//! written off the path of the request; what they say of an e-mail that is no account's is a pseudonym.

use std::collections::HashMap;

use model::{Caller, Problem};
use parking_lot::Mutex;
use serde_json::Value as Json;
use store::{
    Statement, Store,
    own::identity::{AuditLine, audit},
};

use crate::secret;

/// Microseconds of a minute.
const MINUTE: i64 = 60_000_000;
/// The most different failures that wait to be written; more are counted together.
const WAITING: usize = 5_000;

/// A line about a change: `what` is done to `subject` (`user:ID`) by the caller.
#[must_use]
pub fn line(what: &'static str, caller: &Caller, subject: &str, detail: &Json) -> Statement {
    let detail = if detail.is_null() { String::new() } else { detail.to_string() };
    let id = format!("{:016x}{}", caller.now, secret::name());
    audit(AuditLine { id, what, caller, subject, count: 1, detail })
}

/// Failures on their way into the log.
#[derive(Debug, Default)]
pub struct Failures {
    waiting: Mutex<HashMap<Failure, (Caller, i64)>>,
}

#[derive(Debug, PartialEq, Eq, Hash, Clone)]
struct Failure {
    what: &'static str,
    subject: String,
    address: String,
    minute: i64,
}

impl Failures {
    /// Notes a failure; costs no look at the database.
    pub fn add(&self, what: &'static str, subject: &str, caller: &Caller) {
        let minute = caller.now.div_euclid(MINUTE);
        let mut failure = Failure { what, subject: subject.to_owned(), address: caller.address.to_string(), minute };
        let mut waiting = self.waiting.lock();
        if waiting.len() >= WAITING && !waiting.contains_key(&failure) {
            (failure.subject, failure.address) = (String::new(), String::new());
        }
        let entry = waiting.entry(failure).or_insert_with(|| (caller.clone(), 0));
        entry.0.now = caller.now;
        entry.1 += 1;
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// The database can't be written to; then it goes on waiting.
    pub async fn write(&self, store: &dyn Store) -> Result<(), Problem> {
        let taken = std::mem::take(&mut *self.waiting.lock());
        if taken.is_empty() {
            return Ok(());
        }
        let statements = taken.iter().map(|(failure, (caller, count))| failure.statement(caller, *count));
        let outcome = store.own(statements.collect()).await;
        if outcome.is_err() {
            let mut waiting = self.waiting.lock();
            for (failure, (caller, count)) in taken.into_iter().take(WAITING) {
                waiting.entry(failure).or_insert((caller, 0)).1 += count;
            }
        }
        outcome.map(drop)
    }
}

impl Failure {
    fn statement(&self, caller: &Caller, count: i64) -> Statement {
        let Self { what, subject, address, minute } = self;
        let hash = hex(&secret::hash(&format!("{what}\0{subject}\0{address}")));
        let id = format!("{:016x}{}", minute * MINUTE, &hash[..32]);
        audit(AuditLine { id, what, caller, subject, count, detail: String::new() })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
