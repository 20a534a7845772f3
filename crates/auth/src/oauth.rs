//! Sign-in with a provider, as far as it is kept: attempts, the codes that stand for their outcome, and whose an identity is.
//!
//! An attempt is one row, good for ten minutes, once, and only for the browser that began it. What came of it waits behind a
//! code for a minute, until the client that brought the code challenge takes it; no token stands in a URL.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use model::{Code, Problem};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use store::{Row, Statement};

use crate::{seal::MasterKey, secret};

/// How long a browser may take at the provider: microseconds.
const ATTEMPT: i64 = 600_000_000;
/// How long the code is good that the browser brings back: microseconds.
const CODE: i64 = 60_000_000;
/// What the secrets of an attempt are sealed for.
const PLACE: &str = "oauth-attempt";
/// What a browser's mark begins with.
const BROWSER: &str = "mob_";

/// What is kept of an attempt, besides its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Comes back in the ID token.
    pub nonce: String,
    /// Proves to the provider that the attempt is ours.
    pub verifier: String,
    /// Where the browser goes in the end.
    pub return_to: String,
    /// The client's own challenge (RFC 7636, S256).
    pub challenge: String,
}

/// Whom a provider has signed in, waiting behind a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// The provider's name in `[auth.oauth]`.
    pub provider: String,
    /// With the subject, the identity.
    pub issuer: String,
    /// The provider's name for the person.
    pub subject: String,
    /// The address, where the provider tells one.
    pub email: Option<String>,
    /// Whether the provider says that the address is the person's.
    pub email_verified: bool,
    /// What the person is called.
    pub display_name: Option<String>,
}

/// The mark of a browser: the one it showed, or a new one.
#[must_use]
pub fn browser(shown: Option<&str>) -> String {
    let good = |text: &&str| text.starts_with(BROWSER) && text.len() == BROWSER.len() + 43;
    shown.filter(good).map_or_else(|| secret::make(BROWSER), str::to_owned)
}

/// The challenge that a verifier answers; none for a text that can't be one (RFC 7636, 4.1).
#[must_use]
pub fn challenge(verifier: &str) -> Option<String> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let good = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
    good.then(|| URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())))
}

/// Whether a text can be a challenge: 256 bits.
#[must_use]
pub fn is_challenge(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// Keeps an attempt.
///
/// # Errors
/// Nothing can be sealed.
pub fn begin(
    master: &MasterKey,
    provider: &str,
    state: &str,
    browser: &str,
    attempt: &Attempt,
    now: i64,
) -> Result<Statement, Problem> {
    let Attempt { nonce, verifier, return_to, challenge } = attempt;
    let secrets = json!({ "n": nonce, "v": verifier, "r": return_to, "c": challenge }).to_string();
    Ok(Statement::new(
        "INSERT INTO _auth_oauth_attempts (state, browser, provider, sealed, expires_at) VALUES ($1, $2, $3, $4, $5)",
        [
            secret::hash(state).to_vec().into(),
            secret::hash(browser).to_vec().into(),
            provider.into(),
            master.seal(PLACE, secrets.as_bytes())?.into(),
            (now + ATTEMPT).into(),
        ],
    ))
}

/// Takes an attempt, once, for the browser that began it; it returns what [`read_attempt`] reads.
#[must_use]
pub fn take(provider: &str, state: &str, browser: &str, now: i64) -> Statement {
    Statement::new(
        "DELETE FROM _auth_oauth_attempts WHERE state = $1 AND browser = $2 AND provider = $3 AND expires_at > $4 \
         RETURNING sealed",
        [secret::hash(state).to_vec().into(), secret::hash(browser).to_vec().into(), provider.into(), now.into()],
    )
}

/// Reads what [`take`] returned.
#[must_use]
pub fn read_attempt(master: &MasterKey, row: &Row) -> Option<Attempt> {
    let open = master.open(PLACE, row.bytes(0)?)?;
    let kept: Json = serde_json::from_slice(&open).ok()?;
    let text = |name: &str| kept[name].as_str().map(str::to_owned);
    Some(Attempt { nonce: text("n")?, verifier: text("v")?, return_to: text("r")?, challenge: text("c")? })
}

/// Lays what was proved behind a new code.
#[must_use]
pub fn lay_by(proved: &Proved, challenge: &str, now: i64) -> (String, Statement) {
    let code = secret::make("moc_");
    let Proved { provider, issuer, subject, email, email_verified, display_name } = proved;
    let insert = Statement::new(
        "INSERT INTO _auth_oauth_codes (code, challenge, provider, issuer, subject, email, email_verified, name, \
         expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [
            secret::hash(&code).to_vec().into(),
            challenge.into(),
            provider.as_str().into(),
            issuer.as_str().into(),
            subject.as_str().into(),
            email.as_deref().into(),
            (*email_verified).into(),
            display_name.as_deref().into(),
            (now + CODE).into(),
        ],
    );
    (code, insert)
}

/// What was proved, by the code and the verifier of its challenge; [`read_proved`] reads it.
#[must_use]
pub fn find(code: &str, challenge: &str, now: i64) -> Statement {
    Statement::new(
        "SELECT provider, issuer, subject, email, email_verified, name FROM _auth_oauth_codes \
         WHERE code = $1 AND challenge = $2 AND expires_at > $3",
        [secret::hash(code).to_vec().into(), challenge.into(), now.into()],
    )
}

/// Spends the code: one of those who have it gets through.
#[must_use]
pub fn spend(code: &str, challenge: &str, now: i64) -> Statement {
    Statement::new(
        "DELETE FROM _auth_oauth_codes WHERE code = $1 AND challenge = $2 AND expires_at > $3",
        [secret::hash(code).to_vec().into(), challenge.into(), now.into()],
    )
    .or_else(wrong())
}

/// Reads what [`find`] returned.
#[must_use]
pub fn read_proved(row: &Row) -> Option<Proved> {
    let text = |column| row.text(column).map(str::to_owned);
    Some(Proved {
        provider: text(0)?,
        issuer: text(1)?,
        subject: text(2)?,
        email: text(3),
        email_verified: row.integer(4)? == 1,
        display_name: text(5),
    })
}

/// Whose an identity is.
#[must_use]
pub fn owner(proved: &Proved) -> Statement {
    Statement::new(
        "SELECT person FROM _auth_identities WHERE issuer = $1 AND subject = $2",
        [proved.issuer.as_str().into(), proved.subject.as_str().into()],
    )
}

/// Makes an identity somebody's, unless it is anybody's already.
#[must_use]
pub fn link(proved: &Proved, person: &str, now: i64) -> Statement {
    let taken = Problem::new(Code::Conflict, "this identity belongs to an account already");
    Statement::new(
        "INSERT INTO _auth_identities (issuer, subject, provider, person, created_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (issuer, subject) DO NOTHING",
        [
            proved.issuer.as_str().into(),
            proved.subject.as_str().into(),
            proved.provider.as_str().into(),
            person.into(),
            now.into(),
        ],
    )
    .or_else(taken)
}

/// Which providers somebody is linked to: name, issuer, subject and moment.
#[must_use]
pub fn links(person: &str) -> Statement {
    Statement::new(
        "SELECT provider, issuer, subject, created_at FROM _auth_identities WHERE person = $1 ORDER BY provider, created_at",
        [person.into()],
    )
}

/// Takes somebody's identities at a provider away; [`way_in`](crate::credential::way_in) stands behind it.
#[must_use]
pub fn unlink(person: &str, provider: &str) -> Statement {
    Statement::new("DELETE FROM _auth_identities WHERE person = $1 AND provider = $2", [person.into(), provider.into()])
}

/// 401 for a code that is not good.
#[must_use]
pub fn wrong() -> Problem {
    Problem::new(Code::BadCredentials, "the code is not valid: it was used already, is too old, or is another client's")
}

#[cfg(test)]
mod tests {
    use super::{browser, challenge, is_challenge};

    #[test]
    fn a_verifier_answers_its_challenge_alone() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier).as_deref(), Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
        assert!(is_challenge("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
        assert_eq!(challenge("short"), None);
        assert_eq!(challenge(&format!("{verifier}=")), None);
        assert!(!is_challenge("plain") && !is_challenge(""));
    }

    #[test]
    fn a_browser_keeps_its_mark_and_makes_up_none() {
        let mark = browser(None);
        assert_eq!(browser(Some(&mark)), mark);
        for made_up in ["", "x", "mob_short", &mark.replace("mob_", "xxx_")] {
            assert_ne!(browser(Some(made_up)), made_up);
        }
    }
}
