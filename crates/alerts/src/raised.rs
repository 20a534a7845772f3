//! Alerts that were raised: rows, so that one of several nodes raises each, and none is lost before it is delivered.

use std::time::Duration;

use model::{Problem, time};
use serde_json::{Value as Json, json};
use store::{Statement, Store};

use crate::{Alert, Means, count::Burst};

/// The waits after each attempt; after the last one the alert is given up. The first ones also are how long another node leaves
/// an attempt alone.
const WAITS: [Duration; 9] = [
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(900),
    Duration::from_secs(1_800),
    Duration::from_secs(3_600),
    Duration::from_secs(7_200),
    Duration::from_secs(14_400),
    Duration::from_secs(28_800),
];

/// A raised alert that is to be delivered.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    /// The alert's.
    pub(crate) name: String,
    /// The message's: the same at each attempt.
    pub(crate) id: String,
    /// The message, as JSON.
    pub(crate) body: String,
    /// How often it has been tried.
    attempts: i64,
}

impl Due {
    /// Whether there is another attempt after this one.
    pub(crate) fn may_wait(&self) -> bool {
        self.attempts + 1 < WAITS.len() as i64
    }
}

/// How many messages of an alert, about different addresses or accounts, there may be within its pause: an attack from thousands
/// of addresses is no reason to send thousands.
const AT_MOST: i64 = 20;
/// How long what was raised is remembered: microseconds (60 days, twice the longest pause).
const REMEMBERED: i64 = 60 * 86_400_000_000;

/// How many more messages of an alert may go out now.
pub(crate) async fn room(alert: &Alert, store: &dyn Store, now: i64) -> Result<usize, Problem> {
    let forget = Statement::new("DELETE FROM _alerts WHERE raised_at <= $1", [(now - REMEMBERED).into()]);
    store.own(vec![forget]).await?;
    let pause = i64::try_from(alert.pause.as_micros()).unwrap_or(i64::MAX);
    let query = Statement::new(
        "SELECT count(*) AS many FROM _alerts WHERE name = $1 AND raised_at > $2",
        [alert.name.as_str().into(), now.saturating_sub(pause).into()],
    );
    let rows = store.own_read(query).await?;
    let known = rows.first().and_then(|row| row.integer(0)).unwrap_or(0);
    Ok(usize::try_from(AT_MOST - known).unwrap_or(0))
}

/// Raises an alert, unless it was within its pause; whether it did.
pub(crate) async fn raise(alert: &Alert, burst: &Burst, means: &Means, now: i64) -> Result<bool, Problem> {
    let pause = i64::try_from(alert.pause.as_micros()).unwrap_or(i64::MAX);
    let id = format!("msg_{:032x}", rand::random::<u128>());
    let statement = Statement::new(
        "INSERT INTO _alerts (name, subject, id, raised_at, body, attempts, next_at, delivered_at) \
         VALUES ($1, $2, $3, $4, $5, 0, $4, NULL) \
         ON CONFLICT (name, subject) DO UPDATE SET id = excluded.id, raised_at = excluded.raised_at, body = excluded.body, \
         attempts = 0, next_at = excluded.next_at, delivered_at = NULL WHERE _alerts.raised_at <= $6",
        [
            alert.name.as_str().into(),
            burst.who.as_str().into(),
            id.into(),
            now.into(),
            body(alert, burst, means, now).to_string().into(),
            now.saturating_sub(pause).into(),
        ],
    );
    let outcomes = means.store.own(vec![statement]).await?;
    Ok(outcomes.iter().any(|outcome| outcome.count > 0))
}

/// What receivers are told.
fn body(alert: &Alert, burst: &Burst, means: &Means, now: i64) -> Json {
    json!({
        "type": "alert.raised",
        "timestamp": time::format_datetime(now),
        "data": {
            "alert": alert.name,
            "server": means.public_url,
            "on": alert.on,
            "count": burst.count,
            "rate": format!("{}/{}s", alert.count, alert.period.as_secs()),
            "per": alert.per.word(),
            "who": burst.who,
            "last_at": time::format_datetime(burst.last),
        },
    })
}

/// What is to be delivered now, the oldest first.
pub(crate) async fn due(store: &dyn Store, now: i64) -> Result<Vec<Due>, Problem> {
    let query = Statement::new(
        "SELECT name, id, body, attempts FROM _alerts WHERE next_at <= $1 ORDER BY next_at LIMIT 20",
        [now.into()],
    );
    let rows = store.own_read(query).await?;
    let due = |row: &store::Row| {
        let text = |column| row.text(column).map(str::to_owned);
        Some(Due { name: text(0)?, id: text(1)?, body: text(2)?, attempts: row.integer(3)? })
    };
    Ok(rows.iter().filter_map(due).collect())
}

/// Takes an attempt for this node; false where another one was faster.
pub(crate) async fn claim(due: &Due, store: &dyn Store, now: i64) -> Result<bool, Problem> {
    let place = usize::try_from(due.attempts).unwrap_or(usize::MAX).min(WAITS.len() - 1);
    let wait = i64::try_from(WAITS[place].as_micros()).unwrap_or(i64::MAX);
    let claim = Statement::new(
        "UPDATE _alerts SET attempts = attempts + 1, next_at = $3 WHERE id = $1 AND attempts = $2 AND delivered_at IS NULL",
        [due.id.as_str().into(), due.attempts.into(), now.saturating_add(wait).into()],
    );
    Ok(store.own(vec![claim]).await?.iter().any(|outcome| outcome.count > 0))
}

/// It has arrived.
pub(crate) async fn delivered(due: &Due, store: &dyn Store, now: i64) -> Result<(), Problem> {
    let done = Statement::new(
        "UPDATE _alerts SET delivered_at = $2, next_at = NULL WHERE id = $1",
        [due.id.as_str().into(), now.into()],
    );
    store.own(vec![done]).await.map(drop)
}

/// It never will.
pub(crate) async fn give_up(due: &Due, store: &dyn Store) -> Result<(), Problem> {
    let given_up = Statement::new("UPDATE _alerts SET next_at = NULL WHERE id = $1", [due.id.as_str().into()]);
    store.own(vec![given_up]).await.map(drop)
}
