//! Passwords: what is taken as one, and how it is kept and compared.
//!
//! Hashing is slow and large on purpose (Argon2id: 19 MiB, 2 passes), so it runs on few threads of low priority, with a bounded
//! queue: a storm of sign-ins takes neither all memory nor the processors from other requests.

mod common;
mod hash;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use model::{Flaw, Problem};
use tokio::sync::{Semaphore, oneshot};
use unicode_normalization::UnicodeNormalization as _;

pub use self::hash::{is_known_hash, needs_upgrade};

/// The most hashings that wait for a thread.
const QUEUE: usize = 256;
/// The priority of a hashing, the lowest: where requests want every processor, it gets a seventieth of one, and all that they leave
/// (with 10, reads waited more than twice as long while 64 people signed in: benches/RESULTS.md).
#[cfg(target_os = "linux")]
const NICE: i32 = 19;

/// A password as it was typed, never shown.
#[derive(Clone)]
pub struct Password {
    raw: String,
    normal: String,
}

impl Password {
    /// Brings a typed password to the form that is hashed: NFC (RFC 8265, never trimmed).
    #[must_use]
    pub fn new(typed: &str) -> Self {
        Self { raw: typed.to_owned(), normal: typed.nfc().collect() }
    }

    /// Whether it may be somebody's new password.
    ///
    /// # Errors
    /// 422 at `pointer`: too short or too long in code points, or among the commonest.
    pub fn check(&self, (min, max): (usize, usize), pointer: &str) -> Result<(), Flaw> {
        let length = self.normal.chars().count();
        if length < min {
            return Err(Flaw::pointer(pointer, "min", format!("a password has at least {min} characters")));
        }
        if length > max {
            return Err(Flaw::pointer(pointer, "max", format!("a password has at most {max} characters")));
        }
        if common::is_common(&self.normal) {
            let detail = "this is one of the most common passwords, which are tried first";
            return Err(Flaw::pointer(pointer, "common", detail));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("***")
    }
}

/// Hashes and compares passwords, few at a time.
#[derive(Debug, Clone)]
pub struct Passwords {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// Counts one who waits, until dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for Passwords {
    /// A pool of half the processors, one at least; a thread starts with the hashing that it is for.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let places = Arc::new(Semaphore::new((processors / 2).clamp(1, 8)));
        Self { shared: Arc::new(Shared { places, waiting: AtomicUsize::new(0) }) }
    }
}

impl Passwords {
    /// The hash of a password, as a PHC string.
    ///
    /// # Errors
    /// 503 where too many wait.
    pub async fn hash(&self, password: &Password) -> Result<String, Problem> {
        let normal = password.normal.clone();
        self.work(move || hash::make(normal.as_bytes())).await?
    }

    /// Whether a password has this hash. Without one the same work is done, and the answer is no.
    ///
    /// # Errors
    /// 503 where too many wait.
    pub async fn verify(&self, password: &Password, hash: Option<&str>) -> Result<bool, Problem> {
        let known = hash.is_some();
        let hash = hash.unwrap_or(hash::NOBODY).to_owned();
        let Password { raw, normal } = password.clone();
        let same = self.work(move || hash::verify(&raw, &normal, &hash)).await?;
        Ok(same && known)
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let shared = &self.shared;
        if shared.waiting.fetch_add(1, Ordering::Relaxed) >= QUEUE {
            shared.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Problem::unavailable("too many sign in at once", "the queue of hashings is full", 2));
        }
        let waiting = Waiting(&shared.waiting);
        let closed = |_| Problem::internal("the pool of hashings is gone");
        let place = Arc::clone(&shared.places).acquire_owned().await.map_err(closed)?;
        drop(waiting);
        let (reply, done) = oneshot::channel();
        // A thread of its own, for its priority can't be raised again. Starting one costs a thousandth of what it does.
        let hashing = std::thread::Builder::new().name("password".to_owned()).spawn(move || {
            // Held by the thread itself: one whose client has gone is not interrupted, so its place is not free.
            let _place = place;
            step_back();
            // A receiver that has gone is a client that has gone.
            drop(reply.send(work()));
        });
        hashing.map_err(|error| {
            Problem::unavailable("no password can be checked at the moment", format!("no thread: {error}"), 2)
        })?;
        done.await.map_err(|error| Problem::internal(format!("a hashing ended: {error}")))
    }
}

/// Lets the threads that serve requests go before the one that calls this.
fn step_back() {
    // The priority is the calling thread's alone on Linux; elsewhere it would be the whole program's.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(error = %error, "the priority of a hashing could not be lowered");
    }
}

#[cfg(test)]
mod tests {
    use super::{Password, Passwords};

    const LIMITS: (usize, usize) = (10, 12);

    fn fault(text: &str) -> Option<&'static str> {
        Password::new(text).check(LIMITS, "/password").err().map(|flaw| flaw.code)
    }

    #[test]
    fn length_is_counted_in_code_points_after_nfc() {
        assert_eq!(fault("ééééééééé"), Some("min"), "nine");
        assert_eq!(
            fault("e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}"),
            None,
            "ten"
        );
        assert_eq!(fault("  blanks  "), None, "blanks count");
        assert_eq!(fault("much too long"), Some("max"));
    }

    #[test]
    fn the_commonest_are_refused_however_they_are_written() {
        assert_eq!(fault("1234567890"), Some("common"));
        assert_eq!(fault("QWERTYUIOP"), Some("common"));
    }

    #[tokio::test]
    async fn a_password_has_its_hash_and_no_other() {
        let passwords = Passwords::default();
        let hash = passwords.hash(&Password::new("cafe\u{301} au lait")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify(&Password::new("café au lait"), Some(&hash)).await.unwrap());
        assert!(!passwords.verify(&Password::new("café au lait "), Some(&hash)).await.unwrap());
        assert!(!passwords.verify(&Password::new("café au lait"), None).await.unwrap());
    }

    #[tokio::test]
    async fn hashes_of_bcrypt_are_compared_by_raw_bytes_and_want_replacing() {
        let passwords = Passwords::default();
        let decomposed = "cafe\u{301} au lait";
        let hash = bcrypt::hash(decomposed, 4).unwrap();
        assert!(super::needs_upgrade(&hash) && super::is_known_hash(&hash));
        assert!(passwords.verify(&Password::new(decomposed), Some(&hash)).await.unwrap());
        assert!(!passwords.verify(&Password::new("other words"), Some(&hash)).await.unwrap());
        assert!(!super::is_known_hash("md5:abc"));
    }
}
