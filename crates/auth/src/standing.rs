//! Who stands behind the tokens that are in use: verified once, remembered until something changes.
//!
//! A warm request costs a hash of its token and two look-ups in memory. What changes a person or a session bumps its epoch in
//! the same transaction; this node marks what it remembers as stale at once, the others when they see the epoch.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use model::caller::Identity;
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

/// The most tokens of a generation; two generations are kept.
const GENERATION: usize = 50_000;

/// A session that is in use on this node.
#[derive(Debug)]
pub struct Standing {
    /// The session's id.
    pub session: Arc<str>,
    /// Whose.
    pub person: Arc<str>,
    picture: Mutex<Picture>,
    /// Counts what may have changed; a picture is good as long as the count is the one that it was taken at.
    changes: AtomicU64,
    used_at: AtomicI64,
    news: watch::Sender<()>,
}

#[derive(Debug, Clone)]
struct Picture {
    identity: Arc<Identity>,
    /// When the session ends: microseconds of UTC.
    expires_at: i64,
    taken_at: Option<u64>,
}

impl Standing {
    /// Who it is, where that is known for sure.
    pub(crate) fn identity(&self, now: i64) -> Option<Arc<Identity>> {
        let picture = self.picture.lock();
        let good = picture.taken_at == Some(self.changes.load(Ordering::Acquire)) && now < picture.expires_at;
        good.then(|| Arc::clone(&picture.identity))
    }

    /// The count of changes; asked for before the database is, so that what changes meanwhile is not missed.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Puts a picture up that was taken at a count of changes.
    pub(crate) fn put(&self, identity: Arc<Identity>, taken_at: u64, expires_at: i64, used_at: i64) {
        *self.picture.lock() = Picture { identity, expires_at, taken_at: Some(taken_at) };
        self.used_at.store(used_at, Ordering::Relaxed);
    }

    /// The picture is to be taken anew when it is needed; nothing has changed that a stream has to hear of.
    pub(crate) fn forget_picture(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether it is time to note that the session is used; true for one of those who ask.
    pub(crate) fn is_due(&self, now: i64, every: i64) -> bool {
        let used = self.used_at.load(Ordering::Relaxed);
        now - used > every && self.used_at.compare_exchange(used, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Told whenever something may have changed.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    fn change(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.news.send_replace(());
    }
}

/// All of them, and the tokens that lead to them.
#[derive(Debug, Default)]
pub(crate) struct Standings {
    tokens: RwLock<Generations>,
    people: Mutex<HashMap<Arc<str>, Vec<Weak<Standing>>>>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<[u8; 32], Remembered>,
    old: HashMap<[u8; 32], Remembered>,
}

/// A token that was verified.
#[derive(Debug, Clone)]
pub(crate) struct Remembered {
    pub(crate) standing: Arc<Standing>,
    /// When the token itself ends: microseconds of UTC; `i64::MAX` for a cookie.
    pub(crate) expires_at: i64,
}

impl Standings {
    pub(crate) fn find(&self, token: &[u8; 32]) -> Option<Remembered> {
        let old = {
            let tokens = self.tokens.read();
            match tokens.young.get(token) {
                Some(found) => return Some(found.clone()),
                None => tokens.old.get(token).cloned()?,
            }
        };
        self.remember(*token, old.clone());
        Some(old)
    }

    pub(crate) fn remember(&self, token: [u8; 32], remembered: Remembered) {
        let mut tokens = self.tokens.write();
        if tokens.young.len() >= GENERATION {
            tokens.old = std::mem::take(&mut tokens.young);
        }
        tokens.young.insert(token, remembered);
    }

    /// Forgets every token, as keys that signed them may be gone.
    pub(crate) fn forget_tokens(&self) {
        *self.tokens.write() = Generations::default();
        self.everybody_changed();
    }

    /// The standing of a session: one for all of its tokens. A new one is stale, so that its picture is taken when changes
    /// are heard of already.
    pub(crate) fn of(&self, session: &str, person: &str) -> Arc<Standing> {
        let mut people = self.people.lock();
        let standings = people.entry(person.into()).or_default();
        standings.retain(|standing| standing.strong_count() > 0);
        let known = standings.iter().filter_map(Weak::upgrade).find(|standing| *standing.session == *session);
        if let Some(known) = known {
            return known;
        }
        let made = Arc::new(Standing {
            session: session.into(),
            person: person.into(),
            picture: Mutex::new(Picture { identity: Arc::default(), expires_at: 0, taken_at: None }),
            changes: AtomicU64::new(0),
            used_at: AtomicI64::new(0),
            news: watch::Sender::new(()),
        });
        standings.push(Arc::downgrade(&made));
        made
    }

    pub(crate) fn person_changed(&self, person: &str) {
        let standings: Vec<_> = match self.people.lock().get(person) {
            Some(standings) => standings.iter().filter_map(Weak::upgrade).collect(),
            None => return,
        };
        standings.iter().for_each(|standing| standing.change());
    }

    pub(crate) fn everybody_changed(&self) {
        let all: Vec<_> = self.people.lock().values().flatten().filter_map(Weak::upgrade).collect();
        all.iter().for_each(|standing| standing.change());
    }

    /// Lets go what nobody uses.
    pub(crate) fn sweep(&self, now: i64) {
        let mut tokens = self.tokens.write();
        tokens.young.retain(|_, remembered| remembered.expires_at > now);
        tokens.old.retain(|_, remembered| remembered.expires_at > now);
        drop(tokens);
        self.people.lock().retain(|_, standings| {
            standings.retain(|standing| standing.strong_count() > 0);
            !standings.is_empty()
        });
    }
}
