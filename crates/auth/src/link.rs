//! Secrets that are mailed as links: 256 bits, good once, kept as hashes. They stand in the fragment of a URL, which no server
//! sees, and are spent by POST only.

use model::{Code, Problem};
use store::Statement;

use crate::secret;

/// How long a new password may be set with one: microseconds.
const RESET: i64 = 1_800_000_000;
/// The same in minutes, for mails.
pub const RESET_MINUTES: &str = "30";
/// How long a link by which `mainstay user add` lets somebody in is good: microseconds.
const FIRST: i64 = 7 * 86_400_000_000;
/// How long an invitation is good: microseconds.
pub const INVITE: i64 = 7 * 86_400_000_000;
/// The same in days, for mails.
pub const INVITE_DAYS: &str = "7";

/// The secret of a link to set a password, to be kept by [`reset`].
#[must_use]
pub fn reset_secret() -> String {
    secret::make("mrs_")
}

/// The statements that keep the secret of a link to set a password, and no other of the same person.
#[must_use]
pub fn reset(secret: &str, person: &str, email: &str, by_operator: bool, now: i64) -> Vec<Statement> {
    let life = if by_operator { FIRST } else { RESET };
    vec![
        // The latest link alone is good.
        forget(person),
        Statement::new(
            "INSERT INTO _auth_links (secret, person, email, expires_at) VALUES ($1, $2, $3, $4)",
            [secret::hash(secret).to_vec().into(), person.into(), email.into(), (now + life).into()],
        ),
    ]
}

/// Whose link it is: person and address.
#[must_use]
pub fn find_reset(text: &str, now: i64) -> Statement {
    Statement::new(
        "SELECT person, email FROM _auth_links WHERE secret = $1 AND expires_at > $2",
        [secret::hash(text).to_vec().into(), now.into()],
    )
}

/// Spends it: one of those who have it gets through.
#[must_use]
pub fn spend_reset(text: &str, now: i64) -> Statement {
    Statement::new(
        "DELETE FROM _auth_links WHERE secret = $1 AND expires_at > $2",
        [secret::hash(text).to_vec().into(), now.into()],
    )
    .or_else(wrong())
}

/// Takes back all links of somebody.
#[must_use]
pub fn forget(person: &str) -> Statement {
    Statement::new("DELETE FROM _auth_links WHERE person = $1", [person.into()])
}

/// An invitation: its id, the secret that is mailed, and what keeps it.
#[must_use]
pub fn invite(email: &str, roles: &[String], by: &str, now: i64) -> (String, String, Vec<Statement>) {
    let (id, text) = (secret::name(), secret::make("min_"));
    let roles = serde_json::Value::from(roles).to_string();
    let statements = vec![
        Statement::new("DELETE FROM _auth_invites WHERE email = $1", [email.into()]),
        Statement::new(
            "INSERT INTO _auth_invites (id, secret, email, roles, created_by, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            [
                id.as_str().into(),
                secret::hash(&text).to_vec().into(),
                email.into(),
                roles.into(),
                by.into(),
                now.into(),
                (now + INVITE).into(),
            ],
        ),
    ];
    (id, text, statements)
}

/// An invitation by its secret: address and roles.
#[must_use]
pub fn find_invite(text: &str, now: i64) -> Statement {
    Statement::new(
        "SELECT email, roles FROM _auth_invites WHERE secret = $1 AND expires_at > $2",
        [secret::hash(text).to_vec().into(), now.into()],
    )
}

/// Spends an invitation.
#[must_use]
pub fn spend_invite(text: &str, now: i64) -> Statement {
    Statement::new(
        "DELETE FROM _auth_invites WHERE secret = $1 AND expires_at > $2",
        [secret::hash(text).to_vec().into(), now.into()],
    )
    .or_else(wrong())
}

/// 401 for a link that is not good.
#[must_use]
pub fn wrong() -> Problem {
    Problem::new(Code::BadCredentials, "the link is not valid: it was used already, or is too old")
}
