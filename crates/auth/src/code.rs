//! Codes by mail: six digits that count only together with the ticket that their asker holds, for one purpose, five tries long.

use model::{Code, Problem};
use store::{Row, Statement, Store};

use crate::secret;

/// How long a code is good: microseconds.
const LIFE: i64 = 600_000_000;
/// The same in minutes, for mails.
pub const MINUTES: &str = "10";
/// How long a further proof may be brought: microseconds.
const FURTHER: i64 = 300_000_000;
/// The same in minutes, for mails.
pub const FURTHER_MINUTES: &str = "5";
/// Tries of a ticket.
const TRIES: i64 = 5;
/// In the place of the tries of a ticket whose code has not been mailed: more than there are.
const UNSENT: i64 = 1000;

/// What a code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A new address of an account.
    ChangeEmail,
    /// A further proof of who signs in (`mfa_token`): a code by mail, or another factor's.
    Further,
    /// To sign in.
    SignIn,
    /// A new account.
    SignUp,
    /// The address that an account has.
    VerifyEmail,
}

impl Purpose {
    const ALL: [Self; 5] = [Self::ChangeEmail, Self::Further, Self::SignIn, Self::SignUp, Self::VerifyEmail];

    fn name(self) -> &'static str {
        match self {
            Self::ChangeEmail => "change_email",
            Self::Further => "further",
            Self::SignIn => "sign_in",
            Self::SignUp => "sign_up",
            Self::VerifyEmail => "verify_email",
        }
    }

    fn life(self) -> i64 {
        if self == Self::Further { FURTHER } else { LIFE }
    }
}

/// A code and the ticket that goes with it.
#[derive(Debug)]
pub struct Asked {
    /// What the asker gets.
    pub ticket: String,
    /// What is mailed.
    pub code: String,
    /// By what the ticket is found when its code goes out ([`arm`]): nothing secret.
    pub key: String,
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

/// How a code reaches who asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By mail: the ticket has no tries before the mail goes out, so that whoever asks for codes which an address has had too
    /// many of to be mailed, or that are for nobody, has nothing to guess.
    Mail,
    /// It has it already: a code of an authenticator app, say.
    AtHand,
}

/// Makes a code for a purpose; `data` is what shall be done with it, sealed.
#[must_use]
pub fn ask(purpose: Purpose, way: Way, person: Option<&str>, email: &str, data: Option<Vec<u8>>, now: i64) -> Asked {
    let (ticket, code) = (secret::make("mtk_"), secret::code());
    let hash = secret::hash(&ticket);
    let key = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let tries = if way == Way::Mail { UNSENT } else { 0 };
    let insert = Statement::new(
        "INSERT INTO _auth_codes (ticket, purpose, person, email, code, tries, data, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        [
            hash.to_vec().into(),
            purpose.name().into(),
            person.into(),
            email.into(),
            secret::hash_both(&ticket, &code).to_vec().into(),
            tries.into(),
            data.into(),
            (now + purpose.life()).into(),
        ],
    );
    Asked { ticket, code, key, insert }
}

/// Gives a ticket its tries, once: its code is mailed. Nothing for a key that is none.
#[must_use]
pub fn arm(key: &str) -> Option<Statement> {
    let digits = key.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    let hash: Option<Vec<u8>> = digits.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect();
    let sql = "UPDATE _auth_codes SET tries = 0 WHERE ticket = $1 AND tries = $2";
    hash.map(|hash| Statement::new(sql, [hash.into(), UNSENT.into()]))
}

/// A ticket of which a try has been charged.
#[derive(Debug, Clone)]
pub struct Tried {
    /// What for.
    pub purpose: Purpose,
    /// The person; none where there was none yet.
    pub person: Option<String>,
    /// What was laid up with it.
    pub data: Option<Vec<u8>>,
    email: String,
    ticket: Vec<u8>,
    code: Vec<u8>,
}

/// Charges a ticket of one of these purposes with a try, whatever will come of it.
///
/// # Errors
/// 401 for a ticket that is none, or has no tries left.
pub async fn charge(store: &dyn Store, purposes: &[Purpose], ticket: &str, now: i64) -> Result<Tried, Problem> {
    // Names of ours, no client's.
    let names: Vec<String> = purposes.iter().map(|purpose| format!("'{}'", purpose.name())).collect();
    let sql = format!(
        "UPDATE _auth_codes SET tries = tries + 1 WHERE ticket = $1 AND purpose IN ({}) AND tries < $2 AND expires_at > $3 \
         RETURNING person, email, code, data, purpose",
        names.join(", ")
    );
    let ticket = secret::hash(ticket).to_vec();
    let count = Statement::new(sql, [ticket.as_slice().into(), TRIES.into(), now.into()]);
    let outcomes = store.own(vec![count]).await?;
    let row = outcomes.first().and_then(|outcome| outcome.rows.first());
    row.and_then(|row| Tried::read(row, ticket)).ok_or_else(wrong)
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
    charge(store, purposes, ticket, now).await?.redeem(ticket, code)
}

impl Tried {
    fn read(row: &Row, ticket: Vec<u8>) -> Option<Self> {
        let purpose = row.text(4)?;
        Some(Self {
            purpose: Purpose::ALL.into_iter().find(|known| known.name() == purpose)?,
            person: row.text(0).map(str::to_owned),
            email: row.text(1)?.to_owned(),
            code: row.bytes(2)?.to_vec(),
            data: row.bytes(3).map(<[u8]>::to_vec),
            ticket,
        })
    }

    /// What the ticket is for, where the mailed code is its.
    ///
    /// # Errors
    /// 401
    pub fn redeem(self, ticket: &str, code: &str) -> Result<Known, Problem> {
        if !secret::same(&self.code, &secret::hash_both(ticket, code.trim())) {
            return Err(wrong());
        }
        let spend = self.spend();
        Ok(Known { purpose: self.purpose, person: self.person, email: self.email, data: self.data, spend })
    }

    /// Spends the ticket: one of those who have it gets through.
    #[must_use]
    pub fn spend(&self) -> Statement {
        let spend = Statement::new(
            "DELETE FROM _auth_codes WHERE ticket = $1 AND code = $2",
            [self.ticket.as_slice().into(), self.code.as_slice().into()],
        );
        spend.or_else(wrong())
    }
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
