//! What is kept of passkeys, and of ceremonies between their two steps.

use model::{Code, Problem};
use store::{Row, Statement};

use crate::secret;

/// How long a ceremony may take: microseconds (5 minutes).
const LIFE: i64 = 300_000_000;

/// What a ceremony is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A new passkey of somebody.
    Register,
    /// To sign in.
    SignIn,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::SignIn => "sign_in",
        }
    }
}

/// A ceremony that begins: what the client shows at its end, and the statement that keeps its state.
#[must_use]
pub fn begin(purpose: Purpose, person: Option<&str>, state: &str, now: i64) -> (String, Statement) {
    let text = secret::make("mce_");
    let insert = Statement::new(
        "INSERT INTO _auth_ceremonies (secret, purpose, person, state, expires_at) VALUES ($1, $2, $3, $4, $5)",
        [secret::hash(&text).to_vec().into(), purpose.name().into(), person.into(), state.into(), (now + LIFE).into()],
    );
    (text, insert)
}

/// Ends a ceremony, whatever comes of it: returns its state to one of those who ask.
#[must_use]
pub fn end(purpose: Purpose, person: Option<&str>, text: &str, now: i64) -> Statement {
    Statement::new(
        "DELETE FROM _auth_ceremonies WHERE secret = $1 AND purpose = $2 AND COALESCE(person, '') = $3 \
         AND expires_at > $4 RETURNING state",
        [secret::hash(text).to_vec().into(), purpose.name().into(), person.unwrap_or_default().into(), now.into()],
    )
}

/// A name for somebody that authenticators keep and that says nothing: 128 bits of chance.
#[must_use]
pub fn handle() -> [u8; 16] {
    secret::chance()
}

/// A passkey as stored.
#[derive(Debug, Clone)]
pub struct Passkey {
    /// Our name for it.
    pub id: String,
    /// Whose.
    pub person: String,
    /// What authenticators call its owner.
    pub handle: String,
    /// The public key and the counter.
    pub credential: String,
}

impl Passkey {
    /// A passkey by the id that its authenticator gave it.
    #[must_use]
    pub fn find(credential_id: &[u8]) -> Statement {
        Statement::new(
            "SELECT id, person, handle, credential FROM _auth_passkeys WHERE credential_id = $1",
            [credential_id.into()],
        )
    }

    /// What [`Self::find`] returned.
    #[must_use]
    pub fn read(row: &Row) -> Option<Self> {
        let text = |column| row.text(column).map(str::to_owned);
        Some(Self { id: text(0)?, person: text(1)?, handle: text(2)?, credential: text(3)? })
    }

    /// Notes its use, where its counter is still the one that was verified.
    #[must_use]
    pub fn used(&self, anew: Option<&str>, now: i64) -> Statement {
        Statement::new(
            "UPDATE _auth_passkeys SET credential = $3, used_at = $4 WHERE id = $1 AND credential = $2",
            [
                self.id.as_str().into(),
                self.credential.as_str().into(),
                anew.unwrap_or(&self.credential).into(),
                now.into(),
            ],
        )
        .or_else(refused())
    }
}

/// A passkey that is about to be.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    /// Whose.
    pub person: &'a str,
    /// What authenticators call its owner.
    pub handle: &'a str,
    /// The relying party.
    pub rp_id: &'a str,
    /// The id that its authenticator gave it.
    pub credential_id: &'a [u8],
    /// The public key and the counter.
    pub credential: &'a str,
    /// What its owner calls it.
    pub name: &'a str,
}

/// Keeps a passkey that no account has: our name for it, and the statement.
#[must_use]
pub fn add(new: New<'_>, now: i64) -> (String, Statement) {
    let id = secret::name();
    let insert = Statement::new(
        "INSERT INTO _auth_passkeys (id, person, handle, rp_id, credential_id, credential, name, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (credential_id) DO NOTHING",
        [
            id.as_str().into(),
            new.person.into(),
            new.handle.into(),
            new.rp_id.into(),
            new.credential_id.into(),
            new.credential.into(),
            new.name.into(),
            now.into(),
        ],
    );
    let taken = Problem::new(Code::Conflict, "this passkey is registered already");
    (id, insert.or_else(taken))
}

/// Somebody's passkeys: id, name, since when, when used last; then what ceremonies need, the id that its authenticator gave
/// it and the handle.
#[must_use]
pub fn of_person(person: &str) -> Statement {
    Statement::new(
        "SELECT id, name, created_at, used_at, credential_id, handle FROM _auth_passkeys WHERE person = $1 \
         ORDER BY created_at, id",
        [person.into()],
    )
}

/// Takes a passkey of somebody away.
#[must_use]
pub fn remove(person: &str, id: &str) -> Statement {
    Statement::new("DELETE FROM _auth_passkeys WHERE person = $1 AND id = $2", [person.into(), id.into()])
        .or_else(Problem::not_found())
}

/// A passkey of another relying party than this one.
#[must_use]
pub fn foreign(rp_id: &str) -> Statement {
    Statement::new("SELECT rp_id FROM _auth_passkeys WHERE rp_id <> $1 LIMIT 1", [rp_id.into()])
}

/// Takes all factors from somebody, and whatever is under way.
#[must_use]
pub fn reset(person: &str) -> Vec<Statement> {
    [
        "DELETE FROM _auth_totp WHERE person = $1",
        "DELETE FROM _auth_recovery_codes WHERE person = $1",
        "DELETE FROM _auth_passkeys WHERE person = $1",
        "DELETE FROM _auth_ceremonies WHERE person = $1",
    ]
    .map(|sql| Statement::new(sql, [person.into()]))
    .to_vec()
}

/// 401 for whatever is wrong with a passkey or its ceremony.
#[must_use]
pub fn refused() -> Problem {
    Problem::new(Code::BadCredentials, "the passkey is not accepted: begin anew")
}
