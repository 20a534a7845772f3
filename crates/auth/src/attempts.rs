//! Failed tries, counted in the database, so that nodes count together and a restart forgives nothing: who has failed too
//! often is refused before any password is hashed.
//!
//! A try is charged before it is made and given back with the sign-in that it leads to, so that many at once are no way
//! around. Keys are what was typed and where it came from, so that an account that does not exist costs the same and is
//! refused as one that does. Who is blocked is remembered here, too, and costs the database nothing.

use std::{collections::HashMap, net::IpAddr};

use model::{Code, Problem};
use parking_lot::Mutex;
use store::{Row, Statement};

use crate::{Auth, seal::MasterKey};

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;
/// In which failures are counted together: microseconds.
const WINDOW: i64 = 300 * SECOND;
/// Failures of one address with one e-mail, and of one address at all.
const TOGETHER: i64 = 10;
const ADDRESS: i64 = 100;
/// Calls of one address that make work and prove nothing: sign-up, mails that are asked for. Counted by each node for itself.
const CALLS: u32 = 1_000;
/// Failures an hour after which an account wants a mailed code from devices that it does not know.
const UNDER_ATTACK: i64 = 50;
const HOUR: i64 = 3_600 * SECOND;
/// The most keys that are remembered.
const MOST: usize = 100_000;

/// Counts a try. Past the most failures of a window the key is blocked, twice as long each time; after the wait there are a
/// few tries more, not all of them at once.
const CHARGE: &str = "INSERT INTO _auth_attempts (key, since, failures, blocked_until, blocks) VALUES ($1, $2, 1, 0, 0) \
    ON CONFLICT (key) DO UPDATE SET \
    since = CASE WHEN _auth_attempts.blocked_until > $2 THEN _auth_attempts.since \
        WHEN _auth_attempts.since <= $3 THEN $2 \
        WHEN _auth_attempts.failures < $4 THEN _auth_attempts.since \
        ELSE $2 + (CASE _auth_attempts.blocks WHEN 0 THEN 30000000 WHEN 1 THEN 60000000 WHEN 2 THEN 120000000 \
            WHEN 3 THEN 240000000 WHEN 4 THEN 480000000 WHEN 5 THEN 960000000 WHEN 6 THEN 1920000000 ELSE 3600000000 END) END, \
    failures = CASE WHEN _auth_attempts.blocked_until > $2 THEN _auth_attempts.failures \
        WHEN _auth_attempts.since <= $3 THEN 1 \
        WHEN _auth_attempts.failures < $4 THEN _auth_attempts.failures + 1 ELSE $5 END, \
    blocked_until = CASE WHEN _auth_attempts.blocked_until > $2 OR _auth_attempts.since <= $3 \
        OR _auth_attempts.failures < $4 THEN _auth_attempts.blocked_until \
        ELSE $2 + (CASE _auth_attempts.blocks WHEN 0 THEN 30000000 WHEN 1 THEN 60000000 WHEN 2 THEN 120000000 \
            WHEN 3 THEN 240000000 WHEN 4 THEN 480000000 WHEN 5 THEN 960000000 WHEN 6 THEN 1920000000 ELSE 3600000000 END) END, \
    blocks = CASE WHEN _auth_attempts.blocked_until > $2 THEN _auth_attempts.blocks \
        WHEN _auth_attempts.since <= $3 AND _auth_attempts.blocked_until <= $6 THEN 0 \
        WHEN _auth_attempts.since <= $3 OR _auth_attempts.failures < $4 THEN _auth_attempts.blocks \
        ELSE _auth_attempts.blocks + 1 END \
    RETURNING failures, blocked_until";

/// What this node remembers of tries.
#[derive(Debug, Default)]
pub struct Attempts {
    /// Until when a key is blocked, as the database said.
    blocked: Mutex<HashMap<String, i64>>,
    calls: Mutex<HashMap<String, Calls>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Calls {
    since: i64,
    count: u32,
}

/// A try of a password.
#[derive(Debug, Clone, Copy)]
pub struct Try<'a> {
    /// What was typed as the e-mail.
    pub typed: &'a str,
    /// The person whose that is; none where it is nobody's.
    pub account: Option<&'a str>,
    /// Where it comes from.
    pub address: IpAddr,
    /// A device or a session that is known as this account's: counted by itself, so that no stranger uses its tries up.
    pub device: Option<&'a str>,
}

/// A try that was charged.
#[derive(Debug, Clone)]
pub struct Attempt {
    keys: Vec<String>,
    /// Failures of the account within the hour before this try; none where they were not counted.
    failures: Option<i64>,
}

impl Attempt {
    /// The try was a good one: to be run with what it leads to.
    #[must_use]
    pub fn give_back(&self) -> Vec<Statement> {
        let less = "UPDATE _auth_attempts SET failures = failures - 1 WHERE key = $1 AND failures > 0";
        self.keys.iter().map(|key| Statement::new(less, [key.as_str().into()])).collect()
    }

    /// Whether somebody has been guessing the account's password; none where it was not asked.
    #[must_use]
    pub fn is_under_attack(&self) -> Option<bool> {
        self.failures.map(|failures| failures > UNDER_ATTACK)
    }
}

impl Auth {
    /// Charges a try of a password.
    ///
    /// # Errors
    /// 429 where there were too many.
    pub async fn charge(&self, tried: Try<'_>, now: i64) -> Result<Attempt, Problem> {
        let master = self.master()?;
        let (typed, address) = (tried.typed.to_lowercase(), network(tried.address));
        let origin = tried.device.map_or_else(|| address.clone(), |device| format!("device {device}"));
        let mut counts = vec![(mark(master, "try", &format!("{typed}\0{origin}")), TOGETHER, WINDOW)];
        if tried.device.is_none() {
            counts.push((of_address(&address), ADDRESS, WINDOW));
        }
        let account = tried.account.map_or_else(|| mark(master, "account", &typed), of_account);
        counts.push((account, i64::MAX, HOUR));
        let mut charged = self.charge_all(&counts, now).await?;
        charged.failures = charged.failures.map(|failures| failures - 1);
        Ok(charged)
    }

    /// Charges a try of a code or a link from an address.
    ///
    /// # Errors
    /// 429 where there were too many.
    pub async fn charge_address(&self, address: IpAddr, now: i64) -> Result<Attempt, Problem> {
        let charged = self.charge_all(&[(of_address(&network(address)), ADDRESS, WINDOW)], now).await?;
        Ok(Attempt { failures: None, ..charged })
    }

    /// Gives a good try back that leads to nothing in the database.
    ///
    /// # Errors
    /// The database's faults.
    pub async fn give_back(&self, attempt: &Attempt) -> Result<(), Problem> {
        self.store().own(attempt.give_back()).await.map(drop)
    }

    /// Whether somebody has been guessing a person's password.
    ///
    /// # Errors
    /// The database's faults.
    pub async fn is_under_attack(&self, person: &str, now: i64) -> Result<bool, Problem> {
        let count = "SELECT failures FROM _auth_attempts WHERE key = $1 AND since > $2";
        let rows =
            self.store().own_read(Statement::new(count, [of_account(person).into(), (now - HOUR).into()])).await?;
        Ok(rows.first().and_then(|row| row.integer(0)).is_some_and(|failures| failures > UNDER_ATTACK))
    }

    /// Charges keys, each up to so many failures in a window.
    async fn charge_all(&self, counts: &[(String, i64, i64)], now: i64) -> Result<Attempt, Problem> {
        for (key, ..) in counts {
            self.attempts.refuse_blocked(key, now)?;
        }
        let charges = counts.iter().map(|(key, most, window)| charge(key, *most, *window, now)).collect();
        let outcomes = self.store().own(charges).await?;
        let rows = outcomes.iter().filter_map(|outcome| outcome.rows.first());
        let mut failures = None;
        for ((key, ..), row) in counts.iter().zip(rows) {
            let (count, blocked_until) = read(row);
            if blocked_until > now {
                self.attempts.block(key.clone(), blocked_until, now);
                return Err(too_many(blocked_until - now));
            }
            failures = Some(count);
        }
        Ok(Attempt { keys: counts.iter().map(|(key, ..)| key.clone()).collect(), failures })
    }
}

impl Attempts {
    /// Counts a call that makes work for us.
    ///
    /// # Errors
    /// 429 where there were too many.
    pub fn count_call(&self, address: IpAddr, now: i64) -> Result<(), Problem> {
        let mut calls = self.calls.lock();
        let key = network(address);
        make_room(&mut calls, &key, |calls| now - calls.since < WINDOW);
        let calls = calls.entry(key).or_default();
        if now - calls.since >= WINDOW {
            *calls = Calls { since: now, count: 0 };
        }
        if calls.count >= CALLS {
            return Err(too_many(calls.since + WINDOW - now));
        }
        calls.count += 1;
        Ok(())
    }

    /// Lets go what is over.
    pub(crate) fn sweep(&self, now: i64) {
        self.blocked.lock().retain(|_, until| *until > now);
        self.calls.lock().retain(|_, calls| now - calls.since < WINDOW);
    }

    fn refuse_blocked(&self, key: &str, now: i64) -> Result<(), Problem> {
        match self.blocked.lock().get(key) {
            Some(until) if *until > now => Err(too_many(until - now)),
            _ => Ok(()),
        }
    }

    fn block(&self, key: String, until: i64, now: i64) {
        let mut blocked = self.blocked.lock();
        make_room(&mut blocked, &key, |until| *until > now);
        blocked.insert(key, until);
    }
}

/// Lets go what is over where there is no room for a key, and any other where that is not enough: whoever fills the table
/// shall not make it forget one in particular.
fn make_room<T>(table: &mut HashMap<String, T>, key: &str, counts: impl Fn(&T) -> bool) {
    if table.len() < MOST || table.contains_key(key) {
        return;
    }
    table.retain(|_, value| counts(value));
    if table.len() >= MOST
        && let Some(any) = table.keys().next().cloned()
    {
        table.remove(&any);
    }
}

fn charge(key: &str, most: i64, window: i64, now: i64) -> Statement {
    let rest = most - (most / 5).max(1);
    let parameters = [key.into(), now.into(), (now - window).into(), most.into(), rest.into(), (now - HOUR).into()];
    Statement::new(CHARGE, parameters)
}

fn read(row: &Row) -> (i64, i64) {
    (row.integer(0).unwrap_or(0), row.integer(1).unwrap_or(0))
}

fn of_account(person: &str) -> String {
    format!("account {person}")
}

fn of_address(network: &str) -> String {
    format!("address {network}")
}

/// A key that says nothing to who reads the table.
fn mark(master: &MasterKey, what: &str, text: &str) -> String {
    let mark: String = master.mark(what, text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{what} {mark}")
}

/// What counts as one address: an IPv4 address, or the /64 that one IPv6 user has.
#[must_use]
pub fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

fn too_many(wait: i64) -> Problem {
    let seconds = u32::try_from((wait + SECOND - 1) / SECOND).unwrap_or(u32::MAX);
    let detail = format!("too many failed attempts; try again in {seconds} s");
    let mut problem = Problem::new(Code::RateLimited, detail);
    problem.extra.retry_after = Some(seconds);
    problem
}

#[cfg(test)]
mod tests {
    use super::{Attempts, CALLS, WINDOW, network};

    #[test]
    fn an_address_makes_so_much_work_and_no_more() {
        let (attempts, address, now) = (Attempts::default(), "192.0.2.1".parse().unwrap(), WINDOW * 10);
        for _ in 0..CALLS {
            attempts.count_call(address, now).unwrap();
        }
        assert!(attempts.count_call(address, now + WINDOW - 1).is_err());
        attempts.count_call("192.0.2.2".parse().unwrap(), now).unwrap();
        attempts.count_call(address, now + WINDOW).unwrap();
    }

    #[test]
    fn neighbours_in_a_64_are_one() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::4"), of("2001:db8:1:3::4"));
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
