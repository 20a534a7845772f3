//! Authenticator apps: codes of the time (RFC 6238; SHA-1, six digits, 30 seconds, as all apps know them).
//!
//! The secret is sealed. A code counts once: the time step that it was of is kept by the statement that uses it, and only a
//! later one counts after it. Wrong codes in a row make the next one wait, whoever sends them and to whichever node.

use model::{Code, Problem};
use store::{Row, Statement, Store};
use totp_rs::{Builder, Secret, Totp};

use crate::{
    code,
    seal::MasterKey,
    secret::{chance, name},
};

/// How long somebody may take to confirm a new secret: microseconds (1 hour).
const PENDING: i64 = 3_600_000_000;
/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

/// A new secret, which counts for nothing until a code of it has come.
#[derive(Debug)]
pub struct Enrolment {
    /// The secret in base32, to be typed.
    pub secret: String,
    /// The same as `otpauth://…`, for a QR code.
    pub uri: String,
    /// Keeps it, in the place of one that was never confirmed.
    pub insert: Statement,
}

/// Makes a secret for somebody; `account` is the name by which the app shows it, `issuer` the site's.
///
/// # Errors
/// 409 when the statement finds one that is in use; the names can't stand in a URI, which they always can.
pub fn enrol(master: &MasterKey, person: &str, account: &str, issuer: &str, now: i64) -> Result<Enrolment, Problem> {
    let (id, bytes) = (name(), chance::<20>());
    let plain = |text: &str| text.replace(':', " ");
    let totp = Builder::new()
        .with_secret(Secret::from(bytes))
        .with_issuer(Some(plain(issuer)))
        .with_account_name(plain(account))
        .build();
    let broken = |error| Problem::internal(format!("no authenticator secret could be made: {error}"));
    let totp = totp.map_err(broken)?;
    let insert = Statement::new(
        "INSERT INTO _auth_totp (person, id, sealed, step, failures, next_at, created_at) \
         VALUES ($1, $2, $3, 0, 0, 0, $4) ON CONFLICT (person) DO UPDATE SET id = excluded.id, sealed = excluded.sealed, \
         created_at = excluded.created_at, step = 0, failures = 0, next_at = 0 WHERE _auth_totp.confirmed_at IS NULL",
        [person.into(), id.as_str().into(), master.seal(&place(&id), &bytes)?.into(), now.into()],
    );
    let uri = totp.to_url().map_err(broken)?;
    Ok(Enrolment { secret: totp.secret().to_base32(), uri, insert: insert.or_else(taken()) })
}

/// Holds a code against the secret that waits for it: the statement that brings it into force.
///
/// # Errors
/// 409 where nothing waits, 401 where the code is wrong.
pub async fn confirm(
    store: &dyn Store,
    master: &MasterKey,
    person: &str,
    code: &str,
    now: i64,
) -> Result<Statement, Problem> {
    let query = Statement::new(
        "SELECT id, sealed FROM _auth_totp WHERE person = $1 AND confirmed_at IS NULL AND created_at > $2",
        [person.into(), (now - PENDING).into()],
    );
    let rows = store.own_read(query).await?;
    let none = || Problem::new(Code::Conflict, "no authenticator app waits to be confirmed: POST /auth/totp/enroll");
    let row = rows.first().ok_or_else(none)?;
    let step = matched(master, row, code, now).ok_or_else(code::wrong)?;
    let confirm = Statement::new(
        "UPDATE _auth_totp SET confirmed_at = $3, used_at = $3, step = $4 \
         WHERE person = $1 AND id = $2 AND confirmed_at IS NULL",
        [person.into(), row.text(0).unwrap_or_default().into(), now.into(), step.into()],
    );
    Ok(confirm.or_else(none()))
}

/// Holds a code against somebody's authenticator app: the statement that uses it up. One of those who have it gets through.
///
/// # Errors
/// 401 for a code that is wrong, too old, or was used; 429 after too many wrong ones.
pub async fn verify(
    store: &dyn Store,
    master: &MasterKey,
    person: &str,
    code: &str,
    now: i64,
) -> Result<Statement, Problem> {
    // Charged before it is looked at. The waits: 30 s after the tenth in a row, then 5 min, then an hour each.
    let charge = Statement::new(
        "UPDATE _auth_totp SET failures = failures + 1, next_at = CASE WHEN failures < 9 THEN next_at WHEN failures < 12 THEN $3 \
         WHEN failures < 15 THEN $4 ELSE $5 END WHERE person = $1 AND confirmed_at IS NOT NULL AND next_at <= $2 \
         RETURNING id, sealed, step",
        [
            person.into(),
            now.into(),
            (now + 30 * SECOND).into(),
            (now + 300 * SECOND).into(),
            (now + 3_600 * SECOND).into(),
        ],
    );
    let outcomes = store.own(vec![charge]).await?;
    let Some(row) = outcomes.first().and_then(|outcome| outcome.rows.first()) else {
        return Err(waits(store, person, now).await?);
    };
    let step = matched(master, row, code, now).ok_or_else(code::wrong)?;
    let used = Statement::new(
        "UPDATE _auth_totp SET step = $3, used_at = $4, failures = 0, next_at = 0 \
         WHERE person = $1 AND id = $2 AND step < $3",
        [person.into(), row.text(0).unwrap_or_default().into(), step.into(), now.into()],
    );
    Ok(used.or_else(code::wrong()))
}

/// Why no code is looked at.
async fn waits(store: &dyn Store, person: &str, now: i64) -> Result<Problem, Problem> {
    let query = Statement::new("SELECT next_at FROM _auth_totp WHERE person = $1", [person.into()]);
    let rows = store.own_read(query).await?;
    let Some(wait) = rows.first().and_then(|row| row.integer(0)).map(|next| next - now).filter(|wait| *wait > 0) else {
        return Ok(code::wrong());
    };
    let seconds = u32::try_from((wait + SECOND - 1) / SECOND).unwrap_or(u32::MAX);
    let detail = format!("too many wrong codes; try again in {seconds} s, or use a recovery code");
    let mut problem = Problem::new(Code::RateLimited, detail);
    problem.extra.retry_after = Some(seconds);
    Ok(problem)
}

/// Somebody's authenticator app that is in use: id, since when, when it was used last.
#[must_use]
pub fn find(person: &str) -> Statement {
    Statement::new(
        "SELECT id, confirmed_at, used_at FROM _auth_totp WHERE person = $1 AND confirmed_at IS NOT NULL",
        [person.into()],
    )
}

/// Takes somebody's authenticator app away.
#[must_use]
pub fn remove(person: &str, id: &str) -> Statement {
    Statement::new(
        "DELETE FROM _auth_totp WHERE person = $1 AND id = $2 AND confirmed_at IS NOT NULL",
        [person.into(), id.into()],
    )
    .or_else(Problem::not_found())
}

/// Lets go of the wrong codes that were counted.
#[must_use]
pub fn forgive(person: &str) -> Statement {
    Statement::new("UPDATE _auth_totp SET failures = 0, next_at = 0 WHERE person = $1", [person.into()])
}

/// The time step that a code is of: this one, the last or the next. The row begins with the id and what is sealed.
fn matched(master: &MasterKey, row: &Row, code: &str, now: i64) -> Option<i64> {
    let bytes = master.open(&place(row.text(0)?), row.bytes(1)?)?;
    let code: String = code.chars().filter(|character| !character.is_whitespace()).collect();
    let totp: Totp = Builder::new().with_secret(Secret::from(bytes)).build().ok()?;
    let step = totp.check(&code, u64::try_from(now / SECOND).ok()?)?;
    i64::try_from(step).ok()
}

fn place(id: &str) -> String {
    format!("totp/{id}")
}

fn taken() -> Problem {
    let detail = "there is an authenticator app already: take it away first, DELETE /auth/factors/{id}";
    Problem::new(Code::Conflict, detail)
}
