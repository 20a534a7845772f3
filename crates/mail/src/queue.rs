//! The queue of mails: bounded, in memory, tried again when a carrier can't take one.

use std::{sync::Arc, time::Duration};

use tokio::sync::{Semaphore, mpsc};

use crate::{
    Mail,
    carrier::{Carrier, SendError},
};

/// The most mails that wait.
const QUEUE: usize = 1_000;
/// Mails that are under way at once.
const AT_ONCE: u32 = 4;
/// The waits between attempts.
const WAITS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
];

/// Takes mails from those who must not wait for them.
#[derive(Clone)]
pub struct Post {
    queue: mpsc::Sender<Mail>,
}

/// Ends the queue.
pub struct Stop {
    working: tokio::task::JoinHandle<()>,
    stop: tokio::sync::oneshot::Sender<()>,
}

impl Post {
    /// Begins to carry mails, on a task of its own.
    #[must_use]
    pub fn start(carrier: Carrier) -> (Self, Stop) {
        let (queue, mails) = mpsc::channel(QUEUE);
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let working = tokio::spawn(work(Arc::new(carrier), mails, stopped));
        (Self { queue }, Stop { working, stop })
    }

    /// Hands a mail over. Where the queue is full the mail is lost, which the log tells.
    pub fn send(&self, mail: Mail) {
        if let Err(error) = self.queue.try_send(mail) {
            let mail = match error {
                mpsc::error::TrySendError::Full(mail) | mpsc::error::TrySendError::Closed(mail) => mail,
            };
            tracing::error!(
                template = mail.template,
                "a mail is lost: {QUEUE} wait already, or the server is stopping"
            );
        }
    }
}

impl Stop {
    /// Sends what waits, without further attempts, for as long as `patience` allows.
    pub async fn stop(self, patience: Duration) {
        drop(self.stop);
        let abort = self.working.abort_handle();
        if tokio::time::timeout(patience, self.working).await.is_err() {
            abort.abort();
            tracing::warn!("some mails were not sent before the server stopped");
        }
    }
}

async fn work(carrier: Arc<Carrier>, mut mails: mpsc::Receiver<Mail>, mut stopped: tokio::sync::oneshot::Receiver<()>) {
    let places = Arc::new(Semaphore::new(AT_ONCE as usize));
    loop {
        let mail = tokio::select! {
            biased;
            mail = mails.recv() => mail,
            _ = &mut stopped => {
                mails.close();
                break;
            }
        };
        let Some(mail) = mail else { break };
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let carrier = Arc::clone(&carrier);
        tokio::spawn(async move {
            // A mail that has to wait gives its place to others.
            let mut place = Some(place);
            for wait in WAITS.iter().map(Some).chain([None]) {
                let outcome = carrier.carry(&mail).await;
                place = None;
                if !again(&mail, outcome, wait).await {
                    break;
                }
            }
            drop(place);
        });
    }
    while let Some(mail) = mails.recv().await {
        again(&mail, carrier.carry(&mail).await, None).await;
    }
    // Those under way hold a place each, unless they wait for another attempt.
    let _ = places.acquire_many(AT_ONCE).await;
}

/// Tells what came of an attempt, and waits where there shall be another.
async fn again(mail: &Mail, outcome: Result<(), SendError>, wait: Option<&Duration>) -> bool {
    let template = mail.template;
    match (outcome, wait) {
        (Ok(()), _) => false,
        (Err(SendError::Later(cause)), Some(wait)) => {
            tracing::warn!(template, cause = %cause, "a mail could not be sent; trying again in {wait:?}");
            tokio::time::sleep(*wait).await;
            true
        }
        (Err(SendError::Later(cause) | SendError::Refused(cause)), _) => {
            tracing::error!(template, cause = %cause, "a mail is lost: it could not be sent");
            false
        }
    }
}
