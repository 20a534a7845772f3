//! Sessions: one row each, from a sign-in to its end.
//!
//! | kind | what the client holds | |
//! | --- | --- | --- |
//! | bearer | `mrt_…`, good once, for new access tokens | a used one that comes again ends the session |
//! | cookie | `mst_…`, until the session ends | |
//!
//! Both texts are the session's id, 256 bits of chance, and a mark of the master key. The mark tells a text that was once ours
//! from one that somebody made up who has seen an id: only the former may end a session.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use model::{IdentitySettings, Problem};
use store::{Cell, Row, Statement};

use crate::{
    seal::MasterKey,
    secret::{self, chance},
    token,
};

/// What the texts begin with.
const REFRESH: &str = "mrt_";
const COOKIE: &str = "mst_";
/// How long a `retry` counts after the token was used: microseconds.
const RETRY: i64 = 60_000_000;
/// The most characters of a client's name that are kept.
const AGENT: usize = 200;

/// How a client holds its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By tokens in its own keeping.
    Bearer,
    /// By a cookie.
    Cookie,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Cookie => "cookie",
        }
    }
}

/// From where a session is begun.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The client's address.
    pub address: String,
    /// What it calls itself (`User-Agent`).
    pub agent: String,
}

/// A session that is about to begin.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its id: nothing secret.
    pub id: String,
    /// How it will be held.
    pub kind: Kind,
    /// The text that its client gets: refresh token or cookie.
    pub text: String,
    /// How the person has proved who it is (RFC 8176).
    pub amr: Vec<String>,
    /// When: microseconds of UTC.
    pub now: i64,
    /// When it ends unless it is used: microseconds of UTC.
    pub expires_at: i64,
    ends_at: i64,
    origin: Origin,
}

impl Draft {
    /// Decides on all that a session has but whose it is.
    #[must_use]
    pub fn new(
        master: &MasterKey,
        settings: &IdentitySettings,
        kind: Kind,
        amr: Vec<String>,
        origin: Origin,
        now: i64,
    ) -> Self {
        let bytes: [u8; 16] = chance();
        let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let ends_at = now.saturating_add(micros(settings.session_max));
        let expires_at = now.saturating_add(micros(settings.session_ttl)).min(ends_at);
        Self { text: make(master, kind, bytes), id, kind, amr, now, expires_at, ends_at, origin }
    }

    /// The session that it will be, for somebody.
    #[must_use]
    pub fn of(&self, person: &str) -> Session {
        Session {
            id: self.id.clone(),
            person: person.to_owned(),
            amr: self.amr.clone(),
            authenticated_at: self.now,
            used_at: self.now,
            expires_at: self.expires_at,
            ends_at: self.ends_at,
        }
    }

    /// Begins it, for somebody.
    #[must_use]
    pub fn insert(&self, person: &str) -> Statement {
        let hash = secret::hash(&self.text).to_vec();
        let agent: String = self.origin.agent.chars().filter(|character| !character.is_control()).take(AGENT).collect();
        Statement::new(
            "INSERT INTO _auth_sessions (id, person, kind, secret, amr, authenticated_at, created_at, used_at, expires_at, \
             ends_at, address, agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            [
                self.id.as_str().into(),
                person.into(),
                self.kind.name().into(),
                hash.into(),
                self.amr.join(" ").into(),
                self.now.into(),
                self.now.into(),
                self.now.into(),
                self.expires_at.into(),
                self.ends_at.into(),
                self.origin.address.as_str().into(),
                agent.into(),
            ],
        )
    }
}

/// A session as stored.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Whose.
    pub person: String,
    /// How the person has proved who it is.
    pub amr: Vec<String>,
    /// When it did so last: microseconds of UTC.
    pub authenticated_at: i64,
    /// When it was used last, about.
    pub used_at: i64,
    /// When it ends unless it is used.
    pub expires_at: i64,
    /// When it ends in any case.
    pub ends_at: i64,
}

const COLUMNS: &str = "id, person, amr, authenticated_at, used_at, expires_at, ends_at";

impl Session {
    /// A session that goes on, by its id.
    #[must_use]
    pub fn find(id: &str, now: i64) -> Statement {
        let sql = format!("SELECT {COLUMNS} FROM _auth_sessions WHERE id = $1 AND expires_at > $2");
        Statement::new(sql, [id.into(), now.into()])
    }

    /// A session that goes on, by the cookie that stands for it; none where the text can't be one.
    #[must_use]
    pub fn find_by_cookie(master: &MasterKey, text: &str, now: i64) -> Option<Statement> {
        let id = read(master, Kind::Cookie, text)?;
        let sql = format!(
            "SELECT {COLUMNS} FROM _auth_sessions WHERE id = $1 AND kind = 'cookie' AND secret = $2 AND expires_at > $3"
        );
        Some(Statement::new(sql, [id.into(), secret::hash(text).to_vec().into(), now.into()]))
    }

    /// What [`Self::find`] returned.
    ///
    /// # Errors
    /// The row is not one of these.
    pub fn read(row: &Row) -> Result<Self, Problem> {
        let found = || {
            Some(Self {
                id: row.text(0)?.to_owned(),
                person: row.text(1)?.to_owned(),
                amr: row.text(2)?.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
                authenticated_at: row.integer(3)?,
                used_at: row.integer(4)?,
                expires_at: row.integer(5)?,
                ends_at: row.integer(6)?,
            })
        };
        found().ok_or_else(|| Problem::internal("a row of _auth_sessions can't be read"))
    }

    /// Moves the end of a session that is used.
    #[must_use]
    pub fn touch(id: &str, ttl: i64, now: i64) -> Statement {
        Statement::new(
            "UPDATE _auth_sessions SET used_at = $2, \
             expires_at = CASE WHEN ends_at < $3 THEN ends_at ELSE $3 END WHERE id = $1 AND expires_at > $2",
            [id.into(), now.into(), now.saturating_add(ttl).into()],
        )
    }

    /// Notes a fresh proof of who it is.
    #[must_use]
    pub fn prove(id: &str, now: i64) -> Statement {
        Statement::new(
            "UPDATE _auth_sessions SET authenticated_at = $2 WHERE id = $1 AND expires_at > $2",
            [id.into(), now.into()],
        )
        .or_else(token::refused())
    }

    /// Ends a session of somebody.
    #[must_use]
    pub fn end(id: &str, person: &str) -> Statement {
        Statement::new("DELETE FROM _auth_sessions WHERE id = $1 AND person = $2", [id.into(), person.into()])
    }

    /// Ends all sessions of somebody, or all but one.
    #[must_use]
    pub fn end_all(person: &str, but: Option<&str>) -> Statement {
        Statement::new(
            "DELETE FROM _auth_sessions WHERE person = $1 AND id <> $2",
            [person.into(), but.unwrap_or("").into()],
        )
    }
}

/// A refresh token that is shown, and what it shall become.
#[derive(Debug)]
pub struct Renewal {
    /// The session's id.
    pub session: String,
    /// The next refresh token.
    pub text: String,
    shown: Vec<u8>,
    next: Vec<u8>,
    retry: Option<Vec<u8>>,
}

impl Renewal {
    /// Reads a refresh token; none where it never was one of ours.
    #[must_use]
    pub fn read(master: &MasterKey, shown: &str, retry: Option<&str>) -> Option<Self> {
        let session = read(master, Kind::Bearer, shown)?;
        let text = make(master, Kind::Bearer, bytes_of(&session)?);
        Some(Self {
            shown: secret::hash(shown).to_vec(),
            next: secret::hash(&text).to_vec(),
            // Kept with the token that it came with, so that it can't be tried against another.
            retry: retry.map(|retry| secret::hash_both(shown, retry).to_vec()),
            session,
            text,
        })
    }

    /// Spends the token, where it is the one that counts: returns the session.
    #[must_use]
    pub fn spend(&self, ttl: i64, now: i64) -> Statement {
        let sql = format!(
            "UPDATE _auth_sessions SET secret = $3, previous = $2, retry = $4, rotated_at = $5, used_at = $5, \
             expires_at = CASE WHEN ends_at < $6 THEN ends_at ELSE $6 END \
             WHERE id = $1 AND kind = 'bearer' AND secret = $2 AND expires_at > $5 RETURNING {COLUMNS}"
        );
        Statement::new(
            sql,
            [
                self.session.as_str().into(),
                self.shown.as_slice().into(),
                self.next.as_slice().into(),
                Cell::from(self.retry.clone()),
                now.into(),
                now.saturating_add(ttl).into(),
            ],
        )
    }

    /// Replaces the successor of a token whose answer got lost: with the same `retry`, soon, and while that one is unused.
    #[must_use]
    pub fn spend_again(&self, now: i64) -> Option<Statement> {
        let retry = self.retry.clone()?;
        let sql = format!(
            "UPDATE _auth_sessions SET secret = $3, used_at = $5 WHERE id = $1 AND kind = 'bearer' AND previous = $2 \
             AND retry = $4 AND rotated_at > $6 AND expires_at > $5 RETURNING {COLUMNS}"
        );
        Some(Statement::new(
            sql,
            [
                self.session.as_str().into(),
                self.shown.as_slice().into(),
                self.next.as_slice().into(),
                retry.into(),
                now.into(),
                (now - RETRY).into(),
            ],
        ))
    }

    /// The token was used before: somebody else may have it, so nobody goes on with the session. Returns whose it was.
    #[must_use]
    pub fn end(&self) -> Statement {
        // Spared where the token has become the one that counts meanwhile, which no other request can bring about.
        Statement::new(
            "DELETE FROM _auth_sessions WHERE id = $1 AND secret <> $2 RETURNING person",
            [self.session.as_str().into(), self.shown.as_slice().into()],
        )
    }
}

/// 401 for a refresh token that is not good.
#[must_use]
pub fn not_good() -> Problem {
    Problem::new(model::Code::BadCredentials, "the refresh token is not valid: sign in again")
}

fn make(master: &MasterKey, kind: Kind, session: [u8; 16]) -> String {
    let prefix = prefix(kind);
    let mut bytes = Vec::with_capacity(64);
    bytes.extend_from_slice(&session);
    bytes.extend_from_slice(&chance::<32>());
    let mark = master.mark(prefix, &bytes);
    bytes.extend_from_slice(&mark);
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// The id of the session that a text of ours was made for.
fn read(master: &MasterKey, kind: Kind, text: &str) -> Option<String> {
    let prefix = prefix(kind);
    let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(prefix)?).ok()?;
    let bytes: [u8; 64] = bytes.try_into().ok()?;
    let (said, mark) = bytes.split_at(48);
    let genuine = secret::same(&master.mark(prefix, said), mark);
    genuine.then(|| said[..16].iter().map(|byte| format!("{byte:02x}")).collect())
}

fn bytes_of(id: &str) -> Option<[u8; 16]> {
    u128::from_str_radix(id, 16).ok().map(u128::to_be_bytes)
}

fn prefix(kind: Kind) -> &'static str {
    match kind {
        Kind::Bearer => REFRESH,
        Kind::Cookie => COOKIE,
    }
}

/// A span as microseconds.
#[must_use]
pub(crate) fn micros(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
