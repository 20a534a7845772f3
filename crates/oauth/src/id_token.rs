//! ID tokens: when they are believed (OpenID Connect Core 1.0, 3.1.3.7; RFC 8725).

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse},
};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use crate::error::Refusal;

/// How far the provider's clock may be from ours, in seconds.
const LEEWAY: i64 = 60;
/// The algorithms that are believed, whatever a provider offers: signatures with a public key only.
const ALGORITHMS: &[Algorithm] = &[
    Algorithm::EdDSA,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
];

/// What an ID token has to agree with.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) nonce: &'a str,
    /// Seconds of UTC.
    pub(crate) now: i64,
    /// What the provider says it signs with; empty where it says nothing.
    pub(crate) algorithms: &'a [String],
}

/// What an ID token says.
#[derive(Debug, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    pub(crate) sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    nonce: Option<String>,
    pub(crate) email: Option<String>,
    #[serde(default)]
    pub(crate) email_verified: Truth,
    pub(crate) name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Some providers write the truth as a string.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
pub(crate) enum Truth {
    Plain(bool),
    Text(String),
    #[default]
    Missing,
}

impl Truth {
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Plain(truth) => *truth,
            Self::Text(text) => text == "true",
            Self::Missing => false,
        }
    }
}

/// Holds a token against the provider's keys and what is expected; none where no key fits, but a newer one may.
pub(crate) fn verify(token: &str, keys: &JwkSet, expected: &Expected<'_>) -> Result<Option<Claims>, Refusal> {
    let header = decode_header(token).map_err(|_| Refusal::Algorithm)?;
    let offered = expected.algorithms.is_empty() || expected.algorithms.iter().any(|name| *name == name_of(header.alg));
    if !ALGORITHMS.contains(&header.alg) || !offered {
        return Err(Refusal::Algorithm);
    }
    let fitting = keys.keys.iter().filter(|key| fits(key, header.alg, header.kid.as_deref()));
    let mut validation = Validation::new(header.alg);
    // All claims are held against what is expected below, with a reason for each.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let mut tried = false;
    for key in fitting {
        let Ok(key) = DecodingKey::from_jwk(key) else { continue };
        tried = true;
        if let Ok(token) = decode::<Claims>(token, &key, &validation) {
            hold(&token.claims, expected)?;
            return Ok(Some(token.claims));
        }
    }
    match (tried, &header.kid) {
        // A key of this very name has not made the signature.
        (true, Some(_)) => Err(Refusal::Signature),
        (_, _) => Ok(None),
    }
}

/// Whether a key may have made a signature: by its name, its use, and its kind.
fn fits(key: &Jwk, algorithm: Algorithm, kid: Option<&str>) -> bool {
    if kid.is_some() && key.common.key_id.as_deref() != kid {
        return false;
    }
    if matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption)) {
        return false;
    }
    let stated = key.common.key_algorithm.map(|stated| stated.to_string());
    if stated.is_some_and(|stated| stated != name_of(algorithm)) {
        return false;
    }
    match (&key.algorithm, algorithm) {
        (
            AlgorithmParameters::RSA(_),
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512,
        ) => true,
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES256) => key.curve == EllipticCurve::P256,
        (AlgorithmParameters::EllipticCurve(key), Algorithm::ES384) => key.curve == EllipticCurve::P384,
        (AlgorithmParameters::OctetKeyPair(key), Algorithm::EdDSA) => key.curve == EllipticCurve::Ed25519,
        _ => false,
    }
}

fn name_of(algorithm: Algorithm) -> String {
    format!("{algorithm:?}")
}

fn hold(claims: &Claims, expected: &Expected<'_>) -> Result<(), Refusal> {
    if claims.iss != expected.issuer {
        return Err(Refusal::Issuer);
    }
    let ours = |name: &String| name == expected.client_id;
    let (for_us, alone) = match &claims.aud {
        Audience::One(name) => (ours(name), true),
        Audience::Many(names) => (names.iter().any(ours), names.len() == 1),
    };
    // Among several audiences it says for whom it was made.
    let made_for_us = claims.azp.as_ref().map_or(alone, ours);
    if !for_us || !made_for_us {
        return Err(Refusal::Audience);
    }
    if claims.exp <= expected.now - LEEWAY {
        return Err(Refusal::Expired);
    }
    if claims.iat.max(claims.nbf.unwrap_or(i64::MIN)) > expected.now + LEEWAY {
        return Err(Refusal::NotYet);
    }
    let nonce = claims.nonce.as_deref().unwrap_or_default();
    if !bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
        return Err(Refusal::Nonce);
    }
    if claims.sub.is_empty() || claims.sub.len() > 255 {
        return Err(Refusal::Subject);
    }
    Ok(())
}
