//! Rates: how many operations a caller may ask for, by path (`[limits]` in mainstay.toml).
//!
//! Counted by the generic cell rate algorithm: a caller has as many operations at once as the rate allows in its period,
//! and gets them back evenly. What is counted by is known to the server (an address, a key, a person), never a word that
//! the client chooses. A batch, or an array, costs as many operations as it holds.

mod pattern;
mod table;

use std::{net::IpAddr, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};
use model::{Code, Problem, caller::Identity};

use self::{pattern::Pattern, table::Table};

/// A rate for paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// The paths, with the method before it where there is one: `POST /api/orders`, `/auth/*`.
    pub paths: String,
    /// How many operations a period has: at least one.
    pub count: u32,
    /// The period.
    pub period: Duration,
    /// How many may come at once: at least one.
    pub burst: u32,
    /// Who shares the rate.
    pub per: Per,
}

/// Who shares a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// All from one address; of IPv6 from one /64, which is what one customer gets.
    Address,
    /// All of one person or key; strangers by their address.
    Caller,
    /// Everyone together.
    All,
}

/// All rates, and what has been used of them.
pub struct Rates {
    rules: Vec<Rule>,
    table: Table,
}

struct Rule {
    /// As in the headers: the paths, numbered where they stand twice.
    name: String,
    pattern: Pattern,
    rate: Rate,
}

/// How a caller stands with one rate.
#[derive(Debug, Clone, Copy)]
struct Standing {
    rule: usize,
    /// How many operations are left at once.
    left: u32,
    /// When all of them are back: seconds.
    reset: u64,
}

/// What one request has been charged.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// The rates that its own path falls under, with how it stands with them.
    standings: Vec<Standing>,
}

impl Rates {
    /// Counts by these rates.
    #[must_use]
    pub fn new(rates: Vec<Rate>) -> Self {
        let mut rules: Vec<Rule> = Vec::new();
        for rate in rates {
            let same = rules.iter().filter(|rule| rule.rate.paths == rate.paths).count();
            let name = if same == 0 { rate.paths.clone() } else { format!("{}#{}", rate.paths, same + 1) };
            rules.push(Rule { name, pattern: Pattern::parse(&rate.paths), rate });
        }
        Self { rules, table: Table::default() }
    }

    /// Charges a request on its arrival with one operation, by what is known before anybody is identified.
    pub(crate) fn arrive(&self, account: &mut Account, who: Who<'_>, method: &str, path: &str) -> Result<(), Problem> {
        self.begin(account, who, method, path, |per| per != Per::Caller)
    }

    /// The same, by who asks.
    pub(crate) fn identified(
        &self,
        account: &mut Account,
        who: Who<'_>,
        method: &str,
        path: &str,
    ) -> Result<(), Problem> {
        self.begin(account, who, method, path, |per| per == Per::Caller)
    }

    fn begin(
        &self,
        account: &mut Account,
        who: Who<'_>,
        method: &str,
        path: &str,
        meant: impl Fn(Per) -> bool,
    ) -> Result<(), Problem> {
        if self.rules.is_empty() {
            return Ok(());
        }
        let path = pattern::plain(path);
        for (index, rule) in self.rules.iter().enumerate() {
            if meant(rule.rate.per) && rule.pattern.holds(method, &path) {
                self.charge(account, who, index, 1)?;
            }
        }
        Ok(())
    }

    /// Charges further operations of a request: under the rates of the request's own path all of them, but for the one
    /// that was charged on its arrival, and under other rates those that fall under them.
    pub(crate) fn more<'o, P: AsRef<str>>(
        &self,
        account: &mut Account,
        who: Who<'_>,
        operations: impl IntoIterator<Item = (&'o str, P)>,
    ) -> Result<(), Problem> {
        if self.rules.is_empty() {
            return Ok(());
        }
        let mut costs = vec![0_u32; self.rules.len()];
        let mut all = 0_u32;
        for (method, path) in operations {
            let path = pattern::plain(path.as_ref());
            all = all.saturating_add(1);
            for (cost, rule) in costs.iter_mut().zip(&self.rules) {
                *cost += u32::from(rule.pattern.holds(method, &path));
            }
        }
        self.charge_all(account, who, costs, all)
    }

    /// Charges a request as `operations` of its own path.
    pub(crate) fn same(&self, account: &mut Account, who: Who<'_>, operations: u32) -> Result<(), Problem> {
        if self.rules.is_empty() {
            return Ok(());
        }
        self.charge_all(account, who, vec![0; self.rules.len()], operations)
    }

    /// Charges operations that were made on records below the path of a request, by `method` and a `path` that stands for
    /// theirs: under the rates of the request's own path all of them but one, and under other rates those that fall under
    /// them. Nothing is refused; what the caller has not left, it owes.
    pub(crate) fn owe(&self, account: &mut Account, who: Who<'_>, method: &str, path: &str, operations: u32) {
        let path = pattern::plain(path);
        for (index, rule) in self.rules.iter().enumerate() {
            let own = account.standings.iter().any(|standing| standing.rule == index);
            let cost = match (own, rule.pattern.holds(method, &path)) {
                (true, _) => operations.saturating_sub(1),
                (false, true) => operations,
                (false, false) => continue,
            };
            let interval = rule.rate.interval();
            let used = self.table.owe(self.key(index, who), interval * u64::from(cost));
            self.note(account, index, used, used);
        }
    }

    fn charge_all(&self, account: &mut Account, who: Who<'_>, mut costs: Vec<u32>, all: u32) -> Result<(), Problem> {
        for standing in &account.standings {
            costs[standing.rule] = all.saturating_sub(1);
        }
        for (index, cost) in costs.iter().enumerate().filter(|(_, cost)| **cost > 0) {
            if let Err(problem) = self.charge(account, who, index, *cost) {
                // What is refused as a whole costs nothing beyond its arrival.
                for (paid, cost) in costs.iter().enumerate().take(index).filter(|(_, cost)| **cost > 0) {
                    self.table.refund(self.key(paid, who), self.rules[paid].rate.interval() * u64::from(*cost));
                }
                return Err(problem);
            }
        }
        Ok(())
    }

    fn charge(&self, account: &mut Account, who: Who<'_>, index: usize, cost: u32) -> Result<(), Problem> {
        let rule = &self.rules[index];
        let interval = rule.rate.interval();
        let room = interval * u64::from(rule.rate.burst);
        let outcome = self.table.take(self.key(index, who), interval * u64::from(cost), room);
        match outcome {
            Ok(used) => {
                self.note(account, index, used, used);
                Ok(())
            }
            Err(wait) => {
                self.note(account, index, room, wait);
                Err(refusal(&rule.rate, cost, wait))
            }
        }
    }

    /// Notes how a caller stands with a rate: what is used of it, and when that will be back.
    fn note(&self, account: &mut Account, index: usize, used: u64, back: u64) {
        let rate = &self.rules[index].rate;
        let interval = rate.interval();
        let room = interval * u64::from(rate.burst);
        let left = u32::try_from(room.saturating_sub(used) / interval).unwrap_or(u32::MAX);
        let standing = Standing { rule: index, left, reset: back.div_ceil(1_000_000) };
        match account.standings.iter_mut().find(|known| known.rule == index) {
            Some(known) => *known = standing,
            None => account.standings.push(standing),
        }
    }

    fn key(&self, index: usize, who: Who<'_>) -> u64 {
        match (self.rules[index].rate.per, who.identity.actor.as_deref()) {
            (Per::All, _) => self.table.key(index, "all"),
            (Per::Caller, Some(actor)) => self.table.key(index, actor),
            (Per::Caller, None) | (Per::Address, _) => self.table.key(index, &neighbourhood(who.address)),
        }
    }

    /// Tells in `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers) how a caller stands.
    pub(crate) fn tell(&self, account: &Account, headers: &mut HeaderMap) {
        if account.standings.is_empty() {
            return;
        }
        let (mut policies, mut states) = (String::new(), String::new());
        for Standing { rule, left, reset } in &account.standings {
            let Rule { name, rate, .. } = &self.rules[*rule];
            let separator = if policies.is_empty() { "" } else { ", " };
            let window = rate.period.as_millis().div_ceil(1000);
            policies.push_str(&format!("{separator}\"{name}\";q={};w={window}", rate.count));
            states.push_str(&format!("{separator}\"{name}\";r={left};t={reset}"));
        }
        for (name, value) in [("ratelimit-policy", policies), ("ratelimit", states)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

impl Rate {
    /// The time in which one operation comes back: microseconds.
    fn interval(&self) -> u64 {
        let period = u64::try_from(self.period.as_micros()).unwrap_or(u64::MAX);
        (period / u64::from(self.count.max(1))).max(1)
    }
}

/// Whose operations are counted.
#[derive(Clone, Copy)]
pub(crate) struct Who<'a> {
    pub(crate) address: IpAddr,
    pub(crate) identity: &'a Identity,
}

/// An IPv4 address, or the /64 of an IPv6 address.
fn neighbourhood(address: IpAddr) -> [u8; 8] {
    match address.to_canonical() {
        // No IPv6 network begins with zeros only.
        IpAddr::V4(address) => u64::from(address.to_bits()).to_be_bytes(),
        IpAddr::V6(address) => ((address.to_bits() >> 64) as u64).to_be_bytes(),
    }
}

fn refusal(rate: &Rate, cost: u32, wait: u64) -> Problem {
    let seconds = u32::try_from(wait.div_ceil(1_000_000)).unwrap_or(u32::MAX).max(1);
    let detail = if cost > rate.burst {
        format!("this asks for {cost} operations at once; {} at most are allowed under {}", rate.burst, rate.paths)
    } else {
        let what = if cost == 1 { String::new() } else { format!(" for {cost} operations") };
        format!("too many requests under {}; try again{what} in {seconds} s", rate.paths)
    };
    let mut problem = Problem::new(Code::RateLimited, detail);
    problem.extra.retry_after = Some(seconds);
    problem
}

#[cfg(test)]
mod tests;
