//! Lets old entries of the event log and old answers to idempotency keys go.

use std::{sync::Arc, time::Duration};

use engine::Engine;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(60);
/// Entries that go in one transaction, so that no write waits long behind it.
const AT_ONCE: u32 = 1000;

/// Deletes entries older than `kept`, and answers that have run out, for as long as the server runs.
pub(crate) async fn keep(engine: Arc<Engine>, kept: Duration) {
    let kept = i64::try_from(kept.as_micros()).unwrap_or(i64::MAX);
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        trim_answers(&engine).await;
        let before = engine.clock().now().saturating_sub(kept);
        loop {
            match engine.store().trim_log(before, AT_ONCE).await {
                Ok(gone) if gone < u64::from(AT_ONCE) => break,
                Ok(_) => tokio::task::yield_now().await,
                Err(problem) => {
                    tracing::warn!(cause = problem.cause, "old log entries could not be deleted; trying again later");
                    break;
                }
            }
        }
    }
}

async fn trim_answers(engine: &Engine) {
    loop {
        match engine.trim_answers().await {
            Ok(false) => break,
            Ok(true) => tokio::task::yield_now().await,
            Err(problem) => {
                tracing::warn!(cause = problem.cause, "old answers could not be deleted; trying again later");
                break;
            }
        }
    }
}
