//! Turns: of several requests that name the same thing, one goes on and the others wait.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Mutex as Turnstile;

/// By caller, path and key.
pub(crate) type Name = (String, String, String);

/// Who is at it, and who waits; nothing is kept of those that have gone.
#[derive(Debug, Default)]
pub(crate) struct Turns<N: Hash + Eq = Name>(Mutex<HashMap<N, Arc<Turnstile<()>>>>);

/// A turn, or the wait for one; it ends when this is dropped.
pub(crate) struct Turn<N: Hash + Eq + Clone = Name> {
    turns: Arc<Turns<N>>,
    name: N,
    turnstile: Option<Arc<Turnstile<()>>>,
    guard: Option<tokio::sync::OwnedMutexGuard<()>>,
}

impl<N: Hash + Eq + Clone> Turns<N> {
    /// Waits for a turn.
    pub(crate) async fn take(self: &Arc<Self>, name: N) -> Turn<N> {
        let turnstile = Arc::clone(self.0.lock().entry(name.clone()).or_default());
        // Made before the wait, so that one who gives up leaves nothing behind.
        let mut turn = Turn { turns: Arc::clone(self), name, turnstile: Some(Arc::clone(&turnstile)), guard: None };
        turn.guard = Some(turnstile.lock_owned().await);
        turn
    }
}

impl<N: Hash + Eq + Clone> Drop for Turn<N> {
    fn drop(&mut self) {
        drop(self.guard.take());
        let mut turns = self.turns.0.lock();
        drop(self.turnstile.take());
        // The table's own is the last one.
        if turns.get(&self.name).is_some_and(|turnstile| Arc::strong_count(turnstile) == 1) {
            turns.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn one_goes_and_the_next_waits_and_nothing_is_left() {
        let turns: Arc<Turns<u8>> = Arc::default();
        let first = turns.take(1).await;
        drop(turns.take(2).await);
        let waits = tokio::time::timeout(Duration::from_millis(10), turns.take(1)).await;
        assert!(waits.is_err(), "the first is still at it");
        assert_eq!(turns.0.lock().len(), 1);
        drop(first);
        assert!(turns.0.lock().is_empty());
        drop(turns.take(1).await);
        assert!(turns.0.lock().is_empty());
    }
}
