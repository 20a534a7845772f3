//! Time and chance, brought in from outside so that tests can hold them still.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

/// Where time and new ids come from.
pub trait Clock: Send + Sync {
    /// Now: microseconds of UTC.
    fn now(&self) -> i64;

    /// A new UUID, version 7, for a moment.
    fn uuid(&self, now: i64) -> Uuid;
}

/// The machine's clock and its source of chance.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where time comes from")]
    fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where ids come from")]
    fn uuid(&self, _now: i64) -> Uuid {
        // Also monotonic within a millisecond, so that ids of one process sort as they were made.
        Uuid::now_v7()
    }
}
