//! What happens beside the requests: hearing of changes that other nodes made, writing down failures, letting old rows go.

use std::{
    collections::HashMap,
    sync::{Arc, Weak, atomic::Ordering},
    time::{Duration, Instant},
};

use model::Problem;
use store::{Statement, own::audit};

use crate::Auth;

/// Time between two looks: with the time that a look takes, well under the two seconds within which nodes follow. Where the
/// database tells of changes, a look follows at once.
const EVERY: Duration = Duration::from_secs(1);
/// The least time between two looks; four times what the last one took, where that is more.
const GAP: Duration = Duration::from_millis(50);
/// How far back a look reaches, so that nodes whose clocks differ miss nothing: microseconds.
const BACK: i64 = 60_000_000;
/// Time between two sweeps.
const SWEEP: Duration = Duration::from_secs(60);
/// How far our clock may be ahead of the database's, which lets no line go early: microseconds.
const CLOCKS: i64 = 3_600_000_000;
/// How many rounds of lines of the audit log one sweep lets go.
const ROUNDS: usize = 50;

/// Rows that are over, by the moment in their column.
const OVER: [&str; 12] = [
    "DELETE FROM _auth_attempts WHERE since <= $1 - 7200000000 AND blocked_until <= $1 - 3600000000",
    "DELETE FROM _auth_ceremonies WHERE expires_at <= $1",
    "DELETE FROM _auth_codes WHERE expires_at <= $1",
    "DELETE FROM _auth_devices WHERE expires_at <= $1",
    "DELETE FROM _auth_invites WHERE expires_at <= $1",
    "DELETE FROM _auth_links WHERE expires_at <= $1",
    "DELETE FROM _auth_oauth_attempts WHERE expires_at <= $1",
    "DELETE FROM _auth_oauth_codes WHERE expires_at <= $1",
    "DELETE FROM _auth_sessions WHERE expires_at <= $1",
    "DELETE FROM _keys WHERE expires_at <= $1",
    "DELETE FROM _auth_mailed WHERE since <= $1 - 7200000000",
    "DELETE FROM _auth_totp WHERE confirmed_at IS NULL AND created_at <= $1 - 3600000000",
];

impl Auth {
    /// Watches until the identity is dropped.
    pub async fn watch(auth: Weak<Self>) {
        let mut seen: Option<HashMap<String, i64>> = None;
        let Some(mut told) = auth.upgrade().map(|auth| auth.store().people_told()) else { return };
        let mut swept = Instant::now();
        loop {
            let began = Instant::now();
            {
                let Some(auth) = auth.upgrade() else { return };
                if let Err(problem) = auth.look_around(&mut seen).await {
                    tracing::warn!(cause = problem.cause, "could not ask the database who has changed; asking again");
                }
                if let Err(problem) = auth.failures.write(&**auth.store()).await {
                    tracing::warn!(
                        cause = problem.cause,
                        "failures could not be written into the audit log; trying again"
                    );
                }
                if swept.elapsed() >= SWEEP {
                    swept = Instant::now();
                    if let Err(problem) = auth.sweep(auth.now()).await {
                        tracing::warn!(cause = problem.cause, "what is over could not be deleted; trying again later");
                    }
                }
            }
            tokio::time::sleep(GAP.max(began.elapsed() * 4).min(EVERY)).await;
            tokio::select! {
                () = tokio::time::sleep(EVERY.saturating_sub(began.elapsed())) => {}
                heard = told.changed() => if heard.is_err() {
                    // Nobody tells any more; the clock does.
                    tokio::time::sleep(EVERY.saturating_sub(began.elapsed())).await;
                },
            }
        }
    }

    async fn look_around(self: &Arc<Self>, seen: &mut Option<HashMap<String, i64>>) -> Result<(), Problem> {
        if self.people().is_err() {
            self.heard.store(self.since_start(), Ordering::Relaxed);
            return Ok(());
        }
        let began = self.since_start();
        let query =
            Statement::new("SELECT person, epoch FROM _auth_epochs WHERE at > $1", [(self.now() - BACK).into()]);
        let rows = self.store().own_read(query).await?;
        let found: HashMap<String, i64> =
            rows.iter().filter_map(|row| Some((row.text(0)?.to_owned(), row.integer(1)?))).collect();
        match seen.as_ref() {
            // Requests were answered before the first look; and what has changed while the database was not heard may lie
            // further back than a look reaches.
            None => self.everybody_changed(),
            Some(_) if self.is_deaf() => {
                self.keyring().await?.load(&**self.store(), self.master()?).await?;
                self.standings.forget_tokens();
                self.everybody_changed();
            }
            Some(before) => {
                for (person, _) in found.iter().filter(|(person, epoch)| before.get(*person) != Some(epoch)) {
                    if person.is_empty() {
                        self.keyring().await?.load(&**self.store(), self.master()?).await?;
                        self.standings.forget_tokens();
                    } else {
                        self.person_changed(person);
                    }
                }
            }
        }
        *seen = Some(found);
        self.heard.store(began, Ordering::Relaxed);
        Ok(())
    }

    /// Lets lines of the audit log go that have been kept long enough, some at a time, so that no write waits long.
    async fn trim_audit(&self, now: i64) -> Result<(), Problem> {
        for _ in 0..ROUNDS {
            let gone = self.store().own(vec![audit::trim(now - CLOCKS)]).await?;
            if gone.iter().all(|outcome| outcome.count < audit::AT_ONCE) {
                break;
            }
        }
        Ok(())
    }

    async fn sweep(&self, now: i64) -> Result<(), Problem> {
        if let Err(problem) = self.trim_audit(now).await {
            tracing::warn!(cause = problem.cause, "old lines of the audit log could not be deleted; trying again");
        }
        self.standings.sweep(now);
        self.attempts.sweep(now);
        let over = OVER.iter().map(|sql| Statement::new(*sql, [now.into()]));
        self.store().own(over.collect()).await?;
        // Another node may have brought keys by another way than `mainstay keys rotate`: a restored backup.
        self.keyring().await?.load(&**self.store(), self.master()?).await
    }
}
