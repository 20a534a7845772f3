//! Carries what was laid up in the database, off the path of any request: finds out whom an errand reaches, writes the mail, and
//! hands it to the carrier until that takes it.
//!
//! Every node has one; a row is one node's at a time. A mail is sent once unless a node dies between the carrier's yes and its
//! own note of it; it is lost only when it is of no use any more, when the mail server refuses it for good, or when ten thousand
//! wait; the log tells of each, by the template and never by what stands in it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use auth::outbox::{self, Taken};
use mail::{Carrier, SendError};
use model::{Code, Problem};
use store::Statement;
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

use crate::{
    errand::Errand,
    mails::{Desk, Letter, encode},
};

/// Mails that are under way at once.
const AT_ONCE: usize = 4;
/// Time between two looks for what is due again, or was left by a node that died.
const EVERY: Duration = Duration::from_secs(2);
/// How long an errand waits, so that what it takes from the machine does not slow the answer that it stands behind.
const ASIDE: Duration = Duration::from_millis(50);
/// How long a carrier may take for one mail: well within the lease.
const CARRYING: Duration = Duration::from_secs(60);
/// Time between two looks at how many wait.
const TIDY: Duration = Duration::from_secs(60);
/// The waits between attempts: microseconds; the last one goes on.
const WAITS: [i64; 6] = [1_000_000, 5_000_000, 15_000_000, 60_000_000, 300_000_000, 900_000_000];

/// The task that carries.
pub struct Postman {
    working: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Postman {
    /// Begins to carry.
    pub(crate) fn start(desk: Arc<Desk>, carrier: Carrier) -> Self {
        let (stop, stopped) = oneshot::channel();
        let working = tokio::spawn(work(Arc::new(Round { desk, carrier }), stopped));
        Self { working, stop }
    }

    /// Ends: what is under way is sent, for as long as `patience` allows; the rest is there at the next start.
    pub async fn stop(self, patience: Duration) {
        drop(self.stop);
        let abort = self.working.abort_handle();
        if timeout(patience, self.working).await.is_err() {
            abort.abort();
            tracing::warn!("some mails were under way when the server stopped; they are sent again later");
        }
    }
}

struct Round {
    desk: Arc<Desk>,
    carrier: Carrier,
}

async fn work(round: Arc<Round>, mut stopped: oneshot::Receiver<()>) {
    let mut running = JoinSet::new();
    let mut tidied = Instant::now();
    // What an earlier run left.
    let mut full = false;
    loop {
        if !full {
            let places = AT_ONCE - running.len();
            match round.take(places).await {
                Ok(taken) => {
                    full = taken.len() == places;
                    for one in taken {
                        let round = Arc::clone(&round);
                        running.spawn(async move { round.carry(&one).await });
                    }
                }
                Err(problem) => tracing::warn!(cause = problem.cause, "could not look for mails; looking again"),
            }
        }
        if tidied.elapsed() > TIDY {
            tidied = Instant::now();
            round.tidy().await;
        }
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            Some(_) = running.join_next() => full = false,
            () = round.desk.woken() => sleep(ASIDE).await,
            () = sleep(EVERY) => {}
        }
    }
    while running.join_next().await.is_some() {}
}

impl Round {
    /// Takes what is due, so many at most.
    async fn take(&self, most: usize) -> Result<Vec<Taken>, Problem> {
        let auth = self.desk.auth();
        // An app without people has nothing to mail, and no key either.
        if most == 0 || auth.people().is_err() {
            return Ok(Vec::new());
        }
        let (store, now) = (auth.store(), auth.now());
        if store.own_read(outbox::due(now)).await?.is_empty() {
            return Ok(Vec::new());
        }
        let master = auth.master()?;
        let outcomes = store.own(vec![outbox::take(i64::try_from(most).unwrap_or(1), now)]).await?;
        Ok(outcomes.iter().flat_map(|outcome| &outcome.rows).filter_map(|row| Taken::read(master, row)).collect())
    }

    /// Brings one on its way, and settles what came of it.
    async fn carry(&self, taken: &Taken) {
        let auth = self.desk.auth();
        let errand: Option<Errand> = taken.open.as_deref().and_then(|open| serde_json::from_slice(open).ok());
        let settled = match &errand {
            None => {
                tracing::error!("a mail is lost: it was sealed with another master key, or is of another version");
                taken.done()
            }
            Some(errand) if taken.expires_at <= auth.now() => {
                tracing::error!(template = errand.name(), "a mail is lost: it could not be sent in time");
                taken.done()
            }
            Some(errand) => self.send(taken, errand).await,
        };
        if let Err(problem) = auth.store().own(vec![settled]).await {
            // It is due again when its lease is over.
            tracing::warn!(cause = problem.cause, "what came of a mail could not be noted");
        }
    }

    /// Writes and sends one: how it is settled then.
    async fn send(&self, taken: &Taken, errand: &Errand) -> Statement {
        let template = errand.name();
        let letter = match self.prepare(taken, errand).await {
            Ok(Some(letter)) => letter,
            Ok(None) => return taken.done(),
            Err(problem) if problem.code == Code::Unavailable => {
                return self.again(taken, template, &problem.cause.unwrap_or_default());
            }
            Err(problem) => {
                tracing::error!(template, cause = problem.cause, "a mail is lost: it could not be written");
                return taken.done();
            }
        };
        match timeout(CARRYING, self.carrier.carry(&letter.mail)).await {
            Ok(Ok(())) => taken.done(),
            Ok(Err(SendError::Refused(cause))) => {
                tracing::error!(template, cause = %cause, "a mail is lost: it was refused for good");
                taken.done()
            }
            Ok(Err(SendError::Later(cause))) => self.again(taken, template, &cause.to_string()),
            Err(_) => self.again(taken, template, "the mail server took too long"),
        }
    }

    /// Makes an errand the mail that it leads to, and keeps that: it is found out once whom it reaches.
    async fn prepare(&self, taken: &Taken, errand: &Errand) -> Result<Option<Letter>, Problem> {
        let auth = self.desk.auth();
        let Some(mut letter) = self.desk.write(errand, auth.now()).await? else { return Ok(None) };
        if !matches!(errand, Errand::Mail { .. }) {
            let mut statements = vec![taken.replace(auth.master()?, &encode(&Errand::of(&letter.mail))?)?];
            statements.append(&mut letter.keep);
            auth.store().own(statements).await?;
        }
        Ok(Some(letter))
    }

    fn again(&self, taken: &Taken, template: &str, cause: &str) -> Statement {
        let tried = usize::try_from(taken.tries).unwrap_or(1).clamp(1, WAITS.len());
        let wait = WAITS[tried - 1];
        tracing::warn!(template, cause, "a mail could not be sent; trying again in {} s", wait / 1_000_000);
        taken.later(self.desk.auth().now() + wait)
    }

    async fn tidy(&self) {
        let auth = self.desk.auth();
        if auth.people().is_err() {
            return;
        }
        match auth
            .store()
            .own(vec![outbox::make_room()])
            .await
            .map(|outcomes| outcomes.first().map_or(0, |one| one.count))
        {
            Ok(0) => {}
            Ok(lost) => tracing::error!(lost, "mails are lost: too many wait"),
            Err(problem) => tracing::warn!(cause = problem.cause, "could not look how many mails wait"),
        }
    }
}
