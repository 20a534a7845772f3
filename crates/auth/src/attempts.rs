//! Failed sign-ins, counted in memory: who has failed too often is refused before any password is hashed.
//!
//! A try is charged before it is made and given back when it succeeds, so that many at once are no way around. Keys are what
//! was typed and where it came from, so that an account that does not exist is refused as one that does.

use std::{collections::HashMap, hash::Hash, net::IpAddr};

use model::{Code, Problem};
use parking_lot::Mutex;

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;
/// In which failures are counted together: microseconds.
const WINDOW: i64 = 300 * SECOND;
/// Failures of one address with one e-mail, and of one address at all.
const TOGETHER: u32 = 10;
const ADDRESS: u32 = 100;
/// Calls of one address that make work and prove nothing: sign-up, mails that are asked for.
const CALLS: u32 = 1_000;
/// Failures an hour after which an account wants a mailed code from devices that it does not know.
const UNDER_ATTACK: u32 = 50;
const HOUR: i64 = 3_600 * SECOND;
/// The first wait, which doubles each time, and the longest: seconds.
const FIRST_WAIT: i64 = 30;
const LONGEST_WAIT: i64 = 3_600;
/// The most keys that are remembered.
const MOST: usize = 100_000;

/// Counts failed tries.
#[derive(Debug, Default)]
pub struct Attempts {
    together: Mutex<Table<(String, String)>>,
    addresses: Mutex<Table<String>>,
    calls: Mutex<Table<String>>,
    accounts: Mutex<Table<String>>,
}

/// A try that was charged.
#[derive(Debug)]
pub struct Attempt {
    together: (String, String),
    address: Option<String>,
}

#[derive(Debug)]
struct Table<K>(HashMap<K, Count>);

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    since: i64,
    failures: u32,
    blocked_until: i64,
    /// How often it was blocked in a row.
    blocks: u32,
}

impl Attempts {
    /// Charges a try: of a typed e-mail from an address, or from a device that is known as its account's.
    ///
    /// # Errors
    /// 429 where there were too many.
    pub fn charge(&self, typed: &str, address: IpAddr, device: Option<&str>, now: i64) -> Result<Attempt, Problem> {
        let address = network(address);
        let typed = typed.to_lowercase();
        let attempt = match device {
            // Counted by itself: no stranger uses its tries up.
            Some(device) => Attempt { together: (typed, format!("device {device}")), address: None },
            None => Attempt { together: (typed, address.clone()), address: Some(address) },
        };
        self.together.lock().charge(attempt.together.clone(), TOGETHER, WINDOW, now)?;
        if let Some(address) = &attempt.address
            && let Err(problem) = self.addresses.lock().charge(address.clone(), ADDRESS, WINDOW, now)
        {
            self.together.lock().give_back(&attempt.together);
            return Err(problem);
        }
        Ok(attempt)
    }

    /// Charges a try of a code or a link from an address.
    ///
    /// # Errors
    /// 429 where there were too many.
    pub fn charge_address(&self, address: IpAddr, now: i64) -> Result<Attempt, Problem> {
        let address = network(address);
        self.addresses.lock().charge(address.clone(), ADDRESS, WINDOW, now)?;
        Ok(Attempt { together: Default::default(), address: Some(address) })
    }

    /// Counts a call that makes work for us.
    ///
    /// # Errors
    /// 429 where there were too many.
    pub fn count_call(&self, address: IpAddr, now: i64) -> Result<(), Problem> {
        self.calls.lock().charge(network(address), CALLS, WINDOW, now)
    }

    /// The try was a good one.
    pub fn succeed(&self, attempt: &Attempt) {
        self.together.lock().give_back(&attempt.together);
        if let Some(address) = &attempt.address {
            self.addresses.lock().give_back(address);
        }
    }

    /// Counts a failure against an account, whoever made it.
    pub fn fail_account(&self, person: &str, now: i64) {
        self.accounts.lock().count(person.to_owned(), HOUR, now).failures += 1;
    }

    /// Whether somebody has been guessing this account's password.
    #[must_use]
    pub fn is_under_attack(&self, person: &str, now: i64) -> bool {
        let accounts = self.accounts.lock();
        accounts.0.get(person).is_some_and(|count| now - count.since < HOUR && count.failures > UNDER_ATTACK)
    }

    /// Lets go what is over.
    pub fn sweep(&self, now: i64) {
        self.together.lock().sweep(now);
        self.addresses.lock().sweep(now);
        self.calls.lock().sweep(now);
        self.accounts.lock().sweep(now);
    }
}

impl<K: Hash + Eq + Clone> Table<K> {
    /// The count of a key, begun anew where its window is over.
    fn count(&mut self, key: K, window: i64, now: i64) -> &mut Count {
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            self.sweep(now);
            // Whoever fills the table shall not make it forget one in particular.
            if self.0.len() >= MOST
                && let Some(any) = self.0.keys().next().cloned()
            {
                self.0.remove(&any);
            }
        }
        let count = self.0.entry(key).or_default();
        if now - count.since >= window {
            (count.since, count.failures) = (now, 0);
            if now - count.blocked_until >= HOUR {
                count.blocks = 0;
            }
        }
        count
    }

    fn charge(&mut self, key: K, most: u32, window: i64, now: i64) -> Result<(), Problem> {
        let count = self.count(key, window, now);
        if now < count.blocked_until {
            return Err(too_many(count.blocked_until - now));
        }
        if count.failures >= most {
            let wait = (FIRST_WAIT << count.blocks.min(10)).min(LONGEST_WAIT) * SECOND;
            count.blocks += 1;
            count.blocked_until = now + wait;
            // After the wait there are a few tries more, not all of them at once.
            count.failures = most - (most / 5).max(1);
            count.since = now + wait;
            return Err(too_many(wait));
        }
        count.failures += 1;
        Ok(())
    }

    fn give_back(&mut self, key: &K) {
        if let Some(count) = self.0.get_mut(key) {
            count.failures = count.failures.saturating_sub(1);
        }
    }

    fn sweep(&mut self, now: i64) {
        self.0.retain(|_, count| now < count.blocked_until + HOUR || now - count.since < HOUR);
    }
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
    use std::net::IpAddr;

    use super::{Attempts, HOUR, SECOND, network};

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn ten_failures_are_taken_and_then_the_wait_grows() {
        let attempts = Attempts::default();
        for _ in 0..10 {
            attempts.charge("ann@example.org", HERE, None, 0).unwrap();
        }
        let wait = |now| {
            attempts.charge("ANN@example.org", HERE, None, now).err().and_then(|problem| problem.extra.retry_after)
        };
        assert_eq!(wait(0), Some(30));
        assert_eq!(wait(10 * SECOND), Some(20));
        assert_eq!((wait(31 * SECOND), wait(31 * SECOND)), (None, None), "two more tries");
        assert_eq!(wait(31 * SECOND), Some(60), "twice as long");
        attempts.charge("ann@example.org", THERE, None, 0).unwrap();
        attempts.charge("bob@example.org", HERE, None, 0).unwrap();
        attempts.charge("ann@example.org", HERE, Some("known"), 0).unwrap();
    }

    #[test]
    fn an_address_that_tries_many_accounts_is_stopped() {
        let attempts = Attempts::default();
        for number in 0..100 {
            attempts.charge(&format!("{number}@example.org"), HERE, None, 0).unwrap();
        }
        assert!(attempts.charge("ann@example.org", HERE, None, 0).is_err());
        assert!(attempts.charge("ann@example.org", THERE, None, 0).is_ok());
    }

    #[test]
    fn good_tries_cost_nothing() {
        let attempts = Attempts::default();
        for _ in 0..1_000 {
            let attempt = attempts.charge("ann@example.org", HERE, None, 0).unwrap();
            attempts.succeed(&attempt);
        }
    }

    #[test]
    fn an_account_is_under_attack_for_an_hour() {
        let attempts = Attempts::default();
        for _ in 0..51 {
            assert!(!attempts.is_under_attack("7", 0));
            attempts.fail_account("7", 0);
        }
        assert!(attempts.is_under_attack("7", HOUR - 1) && !attempts.is_under_attack("7", HOUR));
    }

    #[test]
    fn neighbours_in_a_64_are_one() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::4"), of("2001:db8:1:3::4"));
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
