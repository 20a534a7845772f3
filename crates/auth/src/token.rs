//! Access tokens: JWTs signed with Ed25519 (RFC 8037), by the profile of RFC 9068.
//!
//! The algorithm, the issuer, the audience and the type are fixed here; nothing that a token says about itself chooses how it
//! is verified but `kid`, which picks one of our own keys (RFC 8725).

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use model::{Code, Problem};
use serde::{Deserialize, Serialize};

/// `typ` (RFC 9068, 2.1).
const TYPE: &str = "at+jwt";
/// How far clocks of nodes may differ: seconds.
const LEEWAY: u64 = 5;
/// The longest token that is looked at.
const LONGEST: usize = 8 << 10;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who signs: `public_url`.
    pub iss: String,
    /// For whom: `[auth] audience`.
    pub aud: String,
    /// The person's id.
    pub sub: String,
    /// The session's id.
    pub sid: String,
    /// When it was made: seconds of UTC.
    pub iat: i64,
    /// When it ends: seconds of UTC.
    pub exp: i64,
    /// When the person last proved who it is: seconds of UTC.
    pub auth_time: i64,
    /// How (RFC 8176).
    pub amr: Vec<String>,
    /// For other services; our gate goes by its own picture of the person.
    pub roles: Vec<String>,
}

/// Who signs, for whom.
#[derive(Debug, Clone)]
pub struct Parties {
    /// `iss`
    pub issuer: String,
    /// `aud`
    pub audience: String,
}

/// One of our keys, to sign with.
pub struct Signer {
    /// `kid`
    pub id: String,
    key: EncodingKey,
}

/// One of our keys, to verify with.
pub struct Verifier {
    /// `kid`
    pub id: String,
    key: DecodingKey,
}

impl Signer {
    /// From a PKCS #8 document.
    #[must_use]
    pub fn new(id: String, pkcs8: &[u8]) -> Self {
        Self { id, key: EncodingKey::from_ed_der(pkcs8) }
    }

    /// Signs.
    ///
    /// # Errors
    /// The key is none.
    pub fn sign(&self, claims: &Claims) -> Result<String, Problem> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(self.id.clone());
        encode(&header, claims, &self.key).map_err(|error| Problem::internal(format!("no token: {error}")))
    }
}

impl Verifier {
    /// From the 32 bytes of a public key.
    #[must_use]
    pub fn new(id: String, public: &[u8]) -> Self {
        Self { id, key: DecodingKey::from_ed_der(public) }
    }
}

/// Whether a text looks like a JWT at all.
#[must_use]
pub fn is_token(text: &str) -> bool {
    text.starts_with("eyJ") && text.len() <= LONGEST && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// What a token says, where one of these keys has signed it for us and it is still good; `now` in seconds of UTC.
///
/// # Errors
/// 401 that does not say what was wrong, but for one that has expired.
pub fn verify(token: &str, keys: &[Verifier], parties: &Parties, now: i64) -> Result<Claims, Problem> {
    let header = decode_header(token).map_err(|_| refused())?;
    let typed = header.typ.as_deref().is_some_and(|kind| {
        let kind = kind.strip_prefix("application/").unwrap_or(kind);
        kind.eq_ignore_ascii_case(TYPE)
    });
    let foreign = header.jku.is_some()
        || header.jwk.is_some()
        || header.x5u.is_some()
        || header.x5c.is_some()
        || header.crit.is_some()
        || header.zip.is_some();
    if !typed || foreign || header.alg != Algorithm::EdDSA {
        return Err(refused());
    }
    let key = keys.iter().find(|key| header.kid.as_deref() == Some(&key.id)).ok_or_else(refused)?;
    let mut wanted = Validation::new(Algorithm::EdDSA);
    wanted.set_issuer(&[&parties.issuer]);
    wanted.set_audience(&[&parties.audience]);
    wanted.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // Held against our own clock below.
    wanted.validate_exp = false;
    let claims = decode::<Claims>(token, &key.key, &wanted).map_err(|_| refused())?.claims;
    let leeway = LEEWAY as i64;
    if claims.iat > now + leeway {
        return Err(refused());
    }
    if claims.exp <= now {
        return Err(expired());
    }
    Ok(claims)
}

/// 401 for credentials that are not ours, or not valid any more.
pub(crate) fn refused() -> Problem {
    Problem::new(Code::BadCredentials, "the token is not valid")
}

/// 401 for a token whose time is over.
pub(crate) fn expired() -> Problem {
    Problem::new(Code::BadCredentials, "the token has expired")
}

#[cfg(test)]
mod tests;
