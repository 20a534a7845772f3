//! `[alerts]`: rates of events of the audit log, told by webhook or mail, off the path of any request.
//!
//! The log in the database is what is counted, so that an alert sees what all nodes see. What was raised is a row, too: one node
//! raises it, though all look, one burst is one message until the pause is over, and a message that can't be delivered is tried
//! again, by whichever node is there.

mod count;
mod deliver;
mod raised;
pub mod signature;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mail::{Carrier, Templates};
use model::{Problem, Secret};
use parking_lot::Mutex;
use store::Store;
use tokio_util::sync::CancellationToken;
use url::Url;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(2);

/// An alert as it is set up.
#[derive(Debug, Clone)]
pub struct Alert {
    /// What it is called.
    pub name: String,
    /// The events that count.
    pub on: Vec<String>,
    /// How many of them are too many…
    pub count: u32,
    /// … within this time.
    pub period: Duration,
    /// What they are counted by.
    pub per: Per,
    /// Who is told.
    pub to: To,
    /// How long no other message of the same kind goes out.
    pub pause: Duration,
}

/// What events are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// The address that they come from.
    Address,
    /// Who they are about: whoever did them, or where that is nobody, the account that they were tried on.
    Account,
    /// All together.
    All,
}

impl Per {
    /// As it stands in the settings.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Account => "account",
            Self::All => "all",
        }
    }
}

/// Who is told of an alert.
#[derive(Debug, Clone)]
pub enum To {
    /// A URL that takes webhooks.
    Webhook {
        /// Where; it may hold a secret.
        url: Url,
        /// What signs them.
        secret: Secret,
        /// Whether the operator means a private network.
        allow_private: bool,
    },
    /// Somebody's address.
    Mail(String),
}

/// What carries messages.
pub struct Means {
    /// Where the log is.
    pub store: Arc<dyn Store>,
    /// Calls to other servers.
    pub client: outgoing::Client,
    /// Mails.
    pub carrier: Carrier,
    /// Their texts.
    pub templates: Templates,
    /// What time it is: microseconds of UTC.
    pub clock: Box<dyn Fn() -> i64 + Send + Sync>,
    /// `server.public_url`, which tells receivers whom an alert is of.
    pub public_url: String,
}

/// Alerts that are watched.
pub struct Alerts {
    alerts: Vec<Alert>,
    means: Means,
    counts: Mutex<BTreeMap<(String, &'static str), u64>>,
}

impl Alerts {
    /// Alerts, and what carries them.
    #[must_use]
    pub fn new(alerts: Vec<Alert>, means: Means) -> Self {
        Self { alerts, means, counts: Mutex::default() }
    }

    /// Watches until it is stopped.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        if self.alerts.is_empty() {
            return;
        }
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return,
            }
            if let Err(problem) = self.look().await {
                tracing::warn!(
                    cause = problem.cause,
                    detail = problem.detail,
                    "alerts could not be looked for; trying again"
                );
            }
        }
    }

    /// Raises what is to be raised, and begins to deliver what is due.
    ///
    /// # Errors
    /// The database can't be asked.
    pub async fn look(self: &Arc<Self>) -> Result<(), Problem> {
        let now = (self.means.clock)();
        for alert in &self.alerts {
            let bursts = count::bursts(alert, &*self.means.store, now).await?;
            if bursts.is_empty() {
                continue;
            }
            let room = raised::room(alert, &*self.means.store, now).await?;
            for burst in bursts.into_iter().take(room) {
                if raised::raise(alert, &burst, &self.means, now).await? {
                    self.note(&alert.name, "raised");
                    tracing::warn!(alert = alert.name, who = burst.who, count = burst.count, "an alert was raised");
                }
            }
        }
        for due in raised::due(&*self.means.store, now).await? {
            let Some(alert) = self.alerts.iter().find(|alert| alert.name == due.name).cloned() else { continue };
            if raised::claim(&due, &*self.means.store, now).await? {
                let alerts = Arc::clone(self);
                // A receiver that is slow delays no other one.
                tokio::spawn(async move { alerts.deliver(&alert, due).await });
            }
        }
        Ok(())
    }

    async fn deliver(&self, alert: &Alert, due: raised::Due) {
        let now = (self.means.clock)();
        let outcome = deliver::deliver(alert, &due, &self.means, now).await;
        let (word, ended) = match &outcome {
            Ok(()) => ("delivered", raised::delivered(&due, &*self.means.store, now).await),
            Err(deliver::Failed::Later(cause)) if due.may_wait() => {
                tracing::warn!(alert = alert.name, cause, "an alert could not be delivered; trying again");
                ("failed", Ok(()))
            }
            Err(deliver::Failed::Later(cause) | deliver::Failed::Never(cause)) => {
                tracing::error!(alert = alert.name, cause, "an alert is given up: it could not be delivered");
                ("given_up", raised::give_up(&due, &*self.means.store).await)
            }
        };
        self.note(&alert.name, word);
        if let Err(problem) = ended {
            tracing::warn!(
                alert = alert.name,
                cause = problem.cause,
                "what came of an alert could not be written down"
            );
        }
    }

    fn note(&self, name: &str, what: &'static str) {
        *self.counts.lock().entry((name.to_owned(), what)).or_default() += 1;
    }

    /// How often each alert was raised, delivered, failed to be delivered, or given up, since the start.
    #[must_use]
    pub fn counts(&self) -> Vec<(String, &'static str, u64)> {
        self.counts.lock().iter().map(|((name, what), count)| (name.clone(), *what, *count)).collect()
    }
}
