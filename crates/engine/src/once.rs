//! Writes that are made once, however often they are sent: `Idempotency-Key`.
//!
//! The answer is kept in the transaction of the write. So either both are there, and a retry gets the answer, or neither
//! is, and the retry makes the write.

use std::{fmt, sync::Arc, time::Duration};

use model::{Caller, Code, Problem};
use parking_lot::Mutex;
use rules::plan::Written;
use serde_json::Value as Json;
use store::{Beside, Cell, Statement};

use crate::{
    Engine,
    turns::Name,
    writes::{Done, Task, tell},
};

/// How long an answer is kept: microseconds.
const KEPT: i64 = 24 * 3_600_000_000;
/// How long a retry waits for the first request.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often, and after which pause, one looks for an answer whose transaction is about to end.
const LOOKS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(25);

const FIND: &str = "SELECT request, status, head, body FROM _idempotency \
    WHERE caller = $1 AND path = $2 AND key = $3 AND created_at > $4";
/// An answer that has run out makes room; any other stays, and then no row is changed.
const KEEP: &str = "INSERT INTO _idempotency (caller, path, key, request, status, head, body, created_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
    ON CONFLICT (caller, path, key) DO UPDATE SET request = excluded.request, status = excluded.status, \
    head = excluded.head, body = excluded.body, created_at = excluded.created_at \
    WHERE _idempotency.created_at <= $9";
const TRIM: &str = "DELETE FROM _idempotency WHERE (caller, path, key) IN \
    (SELECT caller, path, key FROM _idempotency WHERE created_at <= $1 ORDER BY created_at LIMIT 1000)";

/// How many rows [`Engine::trim_answers`] deletes at a time.
const TRIMMED: u64 = 1000;

/// A write that is to be made once.
#[derive(Clone)]
pub struct Once {
    /// What the client calls it.
    pub key: String,
    /// The path that it was sent to.
    pub path: String,
    /// Differs where the request does.
    pub request: Vec<u8>,
    /// Makes the answer that is given and kept.
    pub encode: Arc<dyn Fn(Done) -> Kept + Send + Sync>,
}

impl fmt::Debug for Once {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Once").field("path", &self.path).finish_non_exhaustive()
    }
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The status.
    pub status: u16,
    /// Names and values of the headers that belong to the answer.
    pub head: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What became of a write that is made once.
#[derive(Debug)]
pub enum Outcome {
    /// It was made just now.
    Made(Kept),
    /// It was made before, and this is what was answered then.
    Again(Kept),
}

impl Engine {
    /// Makes a write, unless the caller has made it before under the same key.
    ///
    /// # Errors
    /// As [`Self::write`]; 422 where the key was used for another request, 409 where the first one still runs.
    pub async fn write_once(&self, caller: Caller, task: Task<'_>, once: &Once) -> Result<Outcome, Problem> {
        let name: Name = (who(&caller), once.path.clone(), once.key.clone());
        let turn = tokio::time::timeout(PATIENCE, self.turns.take(name.clone())).await;
        let _turn = turn.map_err(|_| still_running())?;
        let now = caller.now;
        if let Some(kept) = self.kept(&name, once, now).await? {
            return Ok(Outcome::Again(kept));
        }
        match self.make_once(caller, task, once, &name).await {
            Ok(kept) => Ok(Outcome::Made(kept)),
            Err(problem) => self.after_all(&name, once, now, problem).await,
        }
    }

    /// What a request is answered that could not be made. The same one may have come first through another server of the
    /// database, or from a client that has hung up meanwhile; then it is made, or about to be.
    async fn after_all(&self, name: &Name, once: &Once, now: i64, problem: Problem) -> Result<Outcome, Problem> {
        let looks = if problem.code == Code::KeyInUse { LOOKS } else { 1 };
        for look in 0..looks {
            if look > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            match self.kept(name, once, now).await {
                Ok(Some(kept)) => return Ok(Outcome::Again(kept)),
                Err(other) if other.code == Code::KeyReused => return Err(other),
                Ok(None) | Err(_) => {}
            }
        }
        Err(problem)
    }

    /// Deletes answers that have run out; returns whether there may be more of them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn trim_answers(&self) -> Result<bool, Problem> {
        let before = Cell::from(self.clock().now().saturating_sub(KEPT));
        let outcomes = self.store().own(vec![Statement::new(TRIM, [before])]).await?;
        Ok(outcomes.iter().any(|outcome| outcome.count >= TRIMMED))
    }

    async fn make_once(&self, caller: Caller, task: Task<'_>, once: &Once, name: &Name) -> Result<Kept, Problem> {
        let gate = self.gate();
        let now = caller.now;
        let (drafts, shape) = self.draft(&gate, &caller, task)?;
        let answer = Arc::new(Mutex::new(None));
        let (once, owner, slot) = (once.clone(), name.clone(), Arc::clone(&answer));
        let after = move |written: &[Written]| {
            let kept = (once.encode)(tell(shape, written)?);
            let statement = keep(&owner, &once, &kept, now);
            *slot.lock() = Some(kept);
            Ok(vec![statement])
        };
        // In its transaction the one writer of SQLite sees what it has made and not yet committed.
        let since = Cell::from(now.saturating_sub(KEPT));
        let parameters = [name.0.as_str().into(), name.1.as_str().into(), name.2.as_str().into(), since];
        let before = vec![Statement::new(FIND, parameters).unless(still_running())];
        let beside = Beside { before, after: Some(Arc::new(after)) };
        self.commit(gate.write(caller, drafts), beside).await?;
        let kept = answer.lock().take();
        kept.ok_or_else(|| Problem::internal("a write was made without an answer"))
    }

    /// The answer that is kept under a name.
    async fn kept(&self, (caller, path, key): &Name, once: &Once, now: i64) -> Result<Option<Kept>, Problem> {
        let since = Cell::from(now.saturating_sub(KEPT));
        let parameters = [caller.as_str().into(), path.as_str().into(), key.as_str().into(), since];
        let rows = self.store().own_read(Statement::new(FIND, parameters)).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        if row.bytes(0) != Some(&once.request) {
            let detail = "this Idempotency-Key was used with another request; a new request needs a new key";
            return Err(Problem::new(Code::KeyReused, detail));
        }
        let status = row.integer(1).and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
        let head = serde_json::from_str(row.text(2).unwrap_or("[]")).unwrap_or_default();
        Ok(Some(Kept { status, head, body: row.bytes(3).unwrap_or_default().to_vec() }))
    }
}

fn keep((caller, path, key): &Name, once: &Once, kept: &Kept, now: i64) -> Statement {
    let head = Json::from_iter(kept.head.iter().map(|(name, value)| Json::from(vec![name.as_str(), value.as_str()])));
    let parameters: [Cell; 9] = [
        caller.as_str().into(),
        path.as_str().into(),
        key.as_str().into(),
        once.request.as_slice().into(),
        i64::from(kept.status).into(),
        head.to_string().into(),
        kept.body.as_slice().into(),
        now.into(),
        now.saturating_sub(KEPT).into(),
    ];
    Statement::new(KEEP, parameters).or_else(still_running())
}

/// Whose keys these are: a person's, an API key's, or those of strangers at one address.
fn who(caller: &Caller) -> String {
    match &caller.identity.actor {
        Some(actor) => format!("actor {actor}"),
        None => format!("address {}", caller.address),
    }
}

fn still_running() -> Problem {
    let mut problem = Problem::new(Code::KeyInUse, "the first request with this Idempotency-Key still runs");
    problem.extra.retry_after = Some(1);
    problem
}
