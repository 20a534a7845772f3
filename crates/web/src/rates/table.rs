//! How much of a rate each caller has used: bounded, whoever calls.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hash, RandomState},
    time::Instant,
};

use parking_lot::Mutex;

/// Parts with a lock of their own.
const SHARDS: usize = 16;
/// The most callers of a part: 16 × 4,096 of some 32 bytes are about 2 MB.
const MOST: usize = 4096;
/// How many are looked at to find one to forget.
const LOOKED_AT: usize = 8;

/// By caller and rate: when all that was used will be back, in microseconds since the start.
pub(super) struct Table {
    shards: [Mutex<HashMap<u64, u64>>; SHARDS],
    /// With a seed of its own, so that no client can aim at another's place.
    hasher: RandomState,
    start: Instant,
}

impl Default for Table {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), hasher: RandomState::new(), start: Instant::now() }
    }
}

impl Table {
    pub(super) fn key(&self, rule: usize, who: &(impl Hash + ?Sized)) -> u64 {
        self.hasher.hash_one((rule, who))
    }

    /// Uses `cost` of a `room`, both in microseconds. Returns what is used now, or how long to wait.
    pub(super) fn take(&self, key: u64, cost: u64, room: u64) -> Result<u64, u64> {
        self.take_at(self.now(), key, cost, room)
    }

    fn take_at(&self, now: u64, key: u64, cost: u64, room: u64) -> Result<u64, u64> {
        let mut shard = self.shards[key as usize % SHARDS].lock();
        let known = shard.get(&key).copied().unwrap_or(0).max(now);
        let then = known.saturating_add(cost);
        let used = then - now;
        if used > room {
            return Err(used - room);
        }
        keep(&mut shard, key, then, now);
        Ok(used)
    }

    /// Uses `cost`, however much is left. Returns what is used now, which may be more than there is room for.
    pub(super) fn owe(&self, key: u64, cost: u64) -> u64 {
        let now = self.now();
        let mut shard = self.shards[key as usize % SHARDS].lock();
        let then = shard.get(&key).copied().unwrap_or(0).max(now).saturating_add(cost);
        keep(&mut shard, key, then, now);
        then - now
    }

    /// Gives back what was used in vain.
    pub(super) fn refund(&self, key: u64, cost: u64) {
        if let Some(then) = self.shards[key as usize % SHARDS].lock().get_mut(&key) {
            *then = then.saturating_sub(cost);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

fn keep(shard: &mut HashMap<u64, u64>, key: u64, then: u64, now: u64) {
    if shard.len() >= MOST && !shard.contains_key(&key) {
        make_room(shard, now);
    }
    shard.insert(key, then);
}

/// Forgets those that have everything back; where there is none, the one of a few that has used least.
fn make_room(shard: &mut HashMap<u64, u64>, now: u64) {
    let least = shard.iter().take(LOOKED_AT).min_by_key(|(_, then)| **then).map(|(key, then)| (*key, *then));
    match least {
        // One that is back among a few means that many are: worth a look at all.
        Some((_, then)) if then <= now => shard.retain(|_, then| *then > now),
        Some((key, _)) => drop(shard.remove(&key)),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn what_was_used_comes_back_evenly() {
        let table = Table::default();
        let take = |now: u64, cost: u64| table.take_at(now, 7, cost * SECOND, 10 * SECOND);
        for used in 1..=10 {
            assert_eq!(take(0, 1), Ok(used * SECOND));
        }
        assert_eq!(take(0, 1), Err(SECOND));
        assert_eq!(take(SECOND / 2, 1), Err(SECOND / 2));
        assert_eq!(take(SECOND, 1), Ok(10 * SECOND));
        assert_eq!(take(4 * SECOND, 4), Err(SECOND));
        assert_eq!(take(5 * SECOND, 4), Ok(10 * SECOND));
        assert_eq!(take(100 * SECOND, 11), Err(SECOND), "more at once than there is room for never passes");
        assert_eq!(table.take_at(0, 8, SECOND, 10 * SECOND), Ok(SECOND), "others have their own");
        table.refund(8, SECOND);
        assert_eq!(table.take_at(0, 8, 10 * SECOND, 10 * SECOND), Ok(10 * SECOND));
    }

    #[test]
    fn a_flood_of_callers_takes_bounded_room() {
        let table = Table::default();
        for number in 0..4 * (SHARDS * MOST) as u64 {
            let _ = table.take_at(number, table.key(0, &number), SECOND, SECOND);
        }
        let held: usize = table.shards.iter().map(|shard| shard.lock().len()).sum();
        assert!(held <= SHARDS * MOST, "{held}");
    }
}
