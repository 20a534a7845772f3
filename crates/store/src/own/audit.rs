//! The audit log as a table: a line is added, a folded one counts up, and nothing is ever changed or taken out before its time.
//!
//! That holds for whoever speaks to the database: triggers of each store refuse every UPDATE but one that only counts up, and
//! every DELETE of a line that is younger than [`KEPT`].

use model::Caller;

use super::{Cell, Statement};

/// How long a line is kept: microseconds (400 days). The triggers have the same number.
pub const KEPT: i64 = 400 * 86_400_000_000;

/// How many lines go in one transaction.
pub const AT_ONCE: u64 = 1000;

/// What came after the table itself (see [`super::identity`]): an order for readers, and alerts on their way.
pub(super) const TABLES: &[&str] = &[
    "DROP INDEX _audit_at",
    "CREATE INDEX _audit_at ON _audit (at, id)",
    // An alert that was raised: the latest of a name and of whom it is about. `next_at` is when it is tried (again), and none
    // once it is delivered or given up.
    "CREATE TABLE _alerts (name {text} NOT NULL, subject {text} NOT NULL, id {text} NOT NULL, raised_at {bigint} NOT NULL, \
     body {text} NOT NULL, attempts {bigint} NOT NULL, next_at {bigint}, delivered_at {bigint}, PRIMARY KEY (name, subject))",
    "CREATE INDEX _alerts_next_at ON _alerts (next_at)",
    "CREATE INDEX _alerts_raised_at ON _alerts (raised_at)",
];

/// A line about a change, or about failures that are counted together.
#[derive(Debug)]
pub struct AuditLine<'a> {
    /// Differs from every other line's.
    pub id: String,
    /// What was done: a word of [`model::audit::EVENTS`].
    pub what: &'a str,
    /// By whom, when, from where.
    pub caller: &'a Caller,
    /// To whom or what.
    pub subject: &'a str,
    /// From where, where that is told less exactly than the caller's address.
    pub address: Option<&'a str>,
    /// How often.
    pub count: i64,
    /// More, as JSON; empty for nothing.
    pub detail: String,
}

/// Writes a line; one of the same id counts up.
#[must_use]
pub fn audit(line: AuditLine<'_>) -> Statement {
    let AuditLine { id, what, caller, subject, address, count, detail } = line;
    debug_assert!(model::audit::is_event(what), "{what} is not in the table of events");
    Statement::new(
        "INSERT INTO _audit (id, at, what, actor, subject, address, request_id, session, count, detail) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (id) DO UPDATE SET count = _audit.count + excluded.count, \
         at = CASE WHEN excluded.at > _audit.at THEN excluded.at ELSE _audit.at END",
        [
            id.into(),
            caller.now.into(),
            what.into(),
            caller.identity.actor.as_deref().into(),
            subject.into(),
            address.map_or_else(|| caller.address.to_string(), str::to_owned).into(),
            caller.request_id.as_ref().into(),
            caller.identity.session.as_deref().into(),
            count.into(),
            detail.into(),
        ],
    )
}

/// Which lines are read: all that every part admits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// What was done; anything where there is none.
    pub what: Vec<String>,
    /// By whom.
    pub actor: Option<String>,
    /// To whom or what.
    pub subject: Option<String>,
    /// From where.
    pub address: Option<String>,
    /// In which request.
    pub request_id: Option<String>,
    /// From this moment on: microseconds of UTC.
    pub since: Option<i64>,
    /// Before this moment.
    pub until: Option<i64>,
}

/// Reads lines after a place in the log (a moment and an id), oldest first: id, at, what, actor, subject, address, `request_id`,
/// session, count, detail.
#[must_use]
pub fn read(wanted: &Wanted, after: Option<(i64, &str)>, limit: u32) -> Statement {
    let mut conditions: Vec<String> = Vec::new();
    let mut parameters: Vec<Cell> = Vec::new();
    let mut bind = |cell: Cell| {
        parameters.push(cell);
        format!("${}", parameters.len())
    };
    if let Some((at, id)) = after {
        let (at, id) = (bind(at.into()), bind(id.into()));
        conditions.push(format!("(at, id) > ({at}, {id})"));
    }
    if !wanted.what.is_empty() {
        let names: Vec<String> = wanted.what.iter().map(|what| bind(what.as_str().into())).collect();
        conditions.push(format!("what IN ({})", names.join(", ")));
    }
    let equal = [
        ("actor", &wanted.actor),
        ("subject", &wanted.subject),
        ("address", &wanted.address),
        ("request_id", &wanted.request_id),
    ];
    for (column, value) in equal {
        if let Some(value) = value {
            conditions.push(format!("{column} = {}", bind(value.as_str().into())));
        }
    }
    if let Some(since) = wanted.since {
        conditions.push(format!("at >= {}", bind(since.into())));
    }
    if let Some(until) = wanted.until {
        conditions.push(format!("at < {}", bind(until.into())));
    }
    let condition = if conditions.is_empty() { String::new() } else { format!("WHERE {} ", conditions.join(" AND ")) };
    let sql = format!(
        "SELECT id, at, what, actor, subject, address, request_id, session, count, detail FROM _audit {condition}\
         ORDER BY at, id LIMIT {}",
        bind(i64::from(limit).into())
    );
    Statement::new(sql, parameters)
}

/// Lets [`AT_ONCE`] lines go that have been kept long enough.
#[must_use]
pub fn trim(now: i64) -> Statement {
    Statement::new(
        "DELETE FROM _audit WHERE id IN (SELECT id FROM _audit WHERE at <= $1 ORDER BY at, id LIMIT 1000)",
        [(now - KEPT).into()],
    )
}
