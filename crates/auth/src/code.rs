//! Codes by mail: six digits that count only together with the ticket that their asker holds, for one purpose, five tries long.

use model::{Code, Problem};
use store::{Row, Statement, Store};

use crate::secret;

/// How long a code is good: microseconds.
const LIFE: i64 = 600_000_000;
/// The same in minutes, for mails.
pub const MINUTES: &str = "10";
/// Tries of a ticket.
const TRIES: i64 = 5;

/// What a code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A new address of an account.
    ChangeEmail,
    /// A device that nobody knows, while an account is under attack.
    Device,
    /// To sign in.
    SignIn,
    /// A new account.
    SignUp,
    /// The address that an account has.
    VerifyEmail,
}

impl Purpose {
    const ALL: [Self; 5] = [Self::ChangeEmail, Self::Device, Self::SignIn, Self::SignUp, Self::VerifyEmail];

    fn name(self) -> &'static str {
        match self {
            Self::ChangeEmail => "change_email",
            Self::Device => "device",
            Self::SignIn => "sign_in",
            Self::SignUp => "sign_up",
            Self::VerifyEmail => "verify_email",
        }
    }
}

/// A code and the ticket that goes with it.
#[derive(Debug)]
pub struct Asked {
    /// What the asker gets.
    pub ticket: String,
    /// What is mailed.
    pub code: String,
    /// Keeps both, as hashes.
    pub insert: Statement,
}

/// What a code was asked for.
#[derive(Debug, Clone)]
pub struct Known {
    /// What for.
    pub purpose: Purpose,
    /// The person; none where there was none yet.
    pub person: Option<String>,
    /// The address that the code was mailed to.
    pub email: String,
    /// What was laid up with it, sealed.
    pub data: Option<Vec<u8>>,
    /// Spends the ticket: one of those who have the code gets a row.
    pub spend: Statement,
}

/// Makes a code for a purpose; `data` is what shall be done with it, sealed.
#[must_use]
pub fn ask(purpose: Purpose, person: Option<&str>, email: &str, data: Option<Vec<u8>>, now: i64) -> Asked {
    let (ticket, code) = (secret::make("mtk_"), secret::code());
    let insert = Statement::new(
        "INSERT INTO _auth_codes (ticket, purpose, person, email, code, tries, data, expires_at) \
         VALUES ($1, $2, $3, $4, $5, 0, $6, $7)",
        [
            secret::hash(&ticket).to_vec().into(),
            purpose.name().into(),
            person.into(),
            email.into(),
            secret::hash_both(&ticket, &code).to_vec().into(),
            data.into(),
            (now + LIFE).into(),
        ],
    );
    Asked { ticket, code, insert }
}

/// Holds a code against its ticket, for one of these purposes. Each call costs one of the ticket's tries, whatever comes of it.
///
/// # Errors
/// 401, the same for a wrong code and a ticket that is none.
pub async fn redeem(
    store: &dyn Store,
    purposes: &[Purpose],
    ticket: &str,
    code: &str,
    now: i64,
) -> Result<Known, Problem> {
    // Names of ours, no client's.
    let names: Vec<String> = purposes.iter().map(|purpose| format!("'{}'", purpose.name())).collect();
    let sql = format!(
        "UPDATE _auth_codes SET tries = tries + 1 WHERE ticket = $1 AND purpose IN ({}) AND tries < $2 AND expires_at > $3 \
         RETURNING person, email, code, data, purpose",
        names.join(", ")
    );
    let count = Statement::new(sql, [secret::hash(ticket).to_vec().into(), TRIES.into(), now.into()]);
    let outcomes = store.own(vec![count]).await?;
    let row = outcomes.first().and_then(|outcome| outcome.rows.first());
    row.and_then(|row| check(row, ticket, code)).ok_or_else(wrong)
}

/// What a ticket is for, where the code is its.
fn check(row: &Row, ticket: &str, code: &str) -> Option<Known> {
    let shown = secret::hash_both(ticket, code.trim());
    if !secret::same(row.bytes(2)?, &shown) {
        return None;
    }
    let purpose = row.text(4)?;
    let spend = Statement::new(
        "DELETE FROM _auth_codes WHERE ticket = $1 AND code = $2",
        [secret::hash(ticket).to_vec().into(), shown.to_vec().into()],
    );
    Some(Known {
        purpose: Purpose::ALL.into_iter().find(|known| known.name() == purpose)?,
        person: row.text(0).map(str::to_owned),
        email: row.text(1)?.to_owned(),
        data: row.bytes(3).map(<[u8]>::to_vec),
        spend: spend.or_else(wrong()),
    })
}

/// Takes back whatever was asked for somebody.
#[must_use]
pub fn forget(person: &str) -> Statement {
    Statement::new("DELETE FROM _auth_codes WHERE person = $1", [person.into()])
}

/// 401 for a code that is not good.
#[must_use]
pub fn wrong() -> Problem {
    Problem::new(Code::BadCredentials, "the code is not valid: wrong, spent, too old, or not of this ticket")
}
