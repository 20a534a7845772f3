//! Bursts: which rates are exceeded, counted in the audit log.

use model::Problem;
use store::{Cell, Statement, Store};

use crate::{Alert, Per};

/// The most bursts of one alert at a time; where there are more, the greatest.
const MOST: i64 = 20;

/// Too many events, of one address or account, or of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Burst {
    /// Whom they were counted for; empty for all.
    pub(crate) who: String,
    /// How many there were.
    pub(crate) count: i64,
    /// When the last one was.
    pub(crate) last: i64,
}

/// The bursts of an alert within its time.
pub(crate) async fn bursts(alert: &Alert, store: &dyn Store, now: i64) -> Result<Vec<Burst>, Problem> {
    let rows = store.own_read(question(alert, now)).await?;
    let burst =
        |row: &store::Row| Some(Burst { who: row.text(0)?.to_owned(), count: row.integer(1)?, last: row.integer(2)? });
    Ok(rows.iter().filter_map(burst).collect())
}

fn question(alert: &Alert, now: i64) -> Statement {
    let who = match alert.per {
        Per::Address => "address",
        Per::Account => "COALESCE(actor, subject)",
        Per::All => "''",
    };
    let period = i64::try_from(alert.period.as_micros()).unwrap_or(i64::MAX);
    let mut parameters: Vec<Cell> = vec![now.saturating_sub(period).into(), i64::from(alert.count).into(), MOST.into()];
    let mut names = Vec::new();
    for event in &alert.on {
        parameters.push(event.as_str().into());
        names.push(format!("${}", parameters.len()));
    }
    let sql = format!(
        "SELECT who, many, latest FROM (SELECT {who} AS who, CAST(SUM(count) AS bigint) AS many, MAX(at) AS latest \
         FROM _audit WHERE at > $1 AND what IN ({}) GROUP BY 1) AS counted WHERE many >= $2 \
         ORDER BY many DESC, who LIMIT $3",
        names.join(", ")
    );
    Statement::new(sql, parameters)
}
