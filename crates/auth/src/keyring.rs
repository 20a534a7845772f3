//! The keys that sign access tokens: in the database, sealed by the master key, so that all nodes share them.
//!
//! A key stands in the JWKS for ten minutes before it signs, and as long as a token of it may live after it has signed the
//! last one. Which key signs follows from the rows and the time alone, so that nodes agree without speaking.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use model::Problem;
use serde_json::{Value as Json, json};
use store::{Row, Statement, Store};

use crate::{
    seal::MasterKey,
    secret,
    session::micros,
    token::{Signer, Verifier},
};

/// How long a key is shown before it signs, as caches of the JWKS have to see it first: microseconds.
const SHOWN_BEFORE: i64 = 600_000_000;
/// What clocks may differ by: microseconds.
const SLACK: i64 = 30_000_000;

/// The keys at one moment.
pub struct Keyring {
    keys: ArcSwap<Vec<Key>>,
}

struct Key {
    public: Vec<u8>,
    /// From when on it signs: microseconds of UTC.
    signs_at: i64,
    signer: Signer,
}

/// What is in force at one moment.
pub struct InForce {
    keys: Arc<Vec<Key>>,
    signing: usize,
}

impl InForce {
    /// The key that signs now.
    #[must_use]
    pub fn signer(&self) -> &Signer {
        &self.keys[self.signing].signer
    }
}

impl Keyring {
    /// Reads the keys, and makes the first one.
    ///
    /// # Errors
    /// The database can't be asked, or the keys were sealed by another master key.
    pub async fn open(store: &dyn Store, master: &MasterKey, now: i64) -> Result<Self, Problem> {
        let ring = Self { keys: ArcSwap::default() };
        ring.load(store, master).await?;
        if ring.keys.load().is_empty() {
            let (first, _) = new_key(master, now, now)?;
            let sql = "INSERT INTO _auth_signing_keys (id, public, sealed, created_at, signs_at) \
                       SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT 1 FROM _auth_signing_keys)";
            store.own(vec![Statement { sql: sql.into(), ..first }]).await?;
            ring.load(store, master).await?;
        }
        Ok(ring)
    }

    /// Reads the keys anew.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn load(&self, store: &dyn Store, master: &MasterKey) -> Result<(), Problem> {
        let query = "SELECT id, public, sealed, signs_at FROM _auth_signing_keys ORDER BY signs_at, id";
        let rows = store.own_read(Statement::new(query, [])).await?;
        let keys: Vec<Key> = rows.iter().map(|row| read(row, master)).collect::<Result<_, _>>()?;
        self.keys.store(Arc::new(keys));
        Ok(())
    }

    /// The keys with the one that signs now.
    ///
    /// # Errors
    /// There is none.
    pub fn in_force(&self, now: i64) -> Result<InForce, Problem> {
        let keys = self.keys.load_full();
        let signing = keys.iter().rposition(|key| key.signs_at <= now).or((!keys.is_empty()).then_some(0));
        let signing = signing.ok_or_else(|| Problem::internal("there is no key to sign tokens with"))?;
        Ok(InForce { keys, signing })
    }

    /// The keys whose tokens may still be good.
    #[must_use]
    pub fn verifiers(&self, access_ttl: Duration, now: i64) -> Vec<Verifier> {
        let keys = self.keys.load();
        let good = keys.iter().enumerate().filter(|(place, _)| !is_over(&keys, *place, access_ttl, now));
        good.map(|(_, key)| Verifier::new(key.signer.id.clone(), &key.public)).collect()
    }

    /// The public keys (RFC 7517).
    #[must_use]
    pub fn jwks(&self, access_ttl: Duration, now: i64) -> Json {
        let keys = self.keys.load();
        let good = keys.iter().enumerate().filter(|(place, _)| !is_over(&keys, *place, access_ttl, now));
        let shown: Vec<Json> = good
            .map(|(_, key)| {
                json!({
                    "kty": "OKP",
                    "crv": "Ed25519",
                    "alg": "EdDSA",
                    "use": "sig",
                    "kid": key.signer.id,
                    "x": URL_SAFE_NO_PAD.encode(&key.public),
                })
            })
            .collect();
        json!({ "keys": shown })
    }
}

/// Whether the last token of a key, at a place in their order, has ended.
fn is_over(keys: &[Key], place: usize, access_ttl: Duration, now: i64) -> bool {
    keys.get(place + 1).is_some_and(|next| next.signs_at.saturating_add(micros(access_ttl) + SLACK) <= now)
}

/// Statements that bring a new key, and the moment from which on it signs (microseconds of UTC). With `at_once`, no other
/// key is good any more.
///
/// # Errors
/// The system gives no chance.
pub fn rotate(
    master: &MasterKey,
    access_ttl: Duration,
    at_once: bool,
    now: i64,
) -> Result<(Vec<Statement>, i64), Problem> {
    let signs_at = if at_once { now } else { now + SHOWN_BEFORE };
    let (insert, id) = new_key(master, signs_at, now)?;
    // Those that were over before the last rotation: nothing that they signed can be good.
    let old = if at_once {
        Statement::new("DELETE FROM _auth_signing_keys WHERE id <> $1", [id.as_str().into()])
    } else {
        let over = now.saturating_sub(micros(access_ttl) + SLACK);
        Statement::new(
            "DELETE FROM _auth_signing_keys WHERE signs_at < (SELECT MAX(signs_at) FROM _auth_signing_keys WHERE signs_at < $1)",
            [over.into()],
        )
    };
    Ok((vec![insert, old], signs_at))
}

fn new_key(master: &MasterKey, signs_at: i64, now: i64) -> Result<(Statement, String), Problem> {
    let none = |_| Problem::internal("no key could be made");
    let pair = Ed25519KeyPair::generate().map_err(none)?;
    let document = pair.to_pkcs8v1().map_err(none)?;
    let id = secret::name();
    let sealed = master.seal(&place(&id), document.as_ref())?;
    let statement = Statement::new(
        "INSERT INTO _auth_signing_keys (id, public, sealed, created_at, signs_at) VALUES ($1, $2, $3, $4, $5)",
        [id.as_str().into(), pair.public_key().as_ref().into(), sealed.into(), now.into(), signs_at.into()],
    );
    Ok((statement, id))
}

fn read(row: &Row, master: &MasterKey) -> Result<Key, Problem> {
    let parts = (row.text(0), row.bytes(1), row.bytes(2), row.integer(3));
    let (Some(id), Some(public), Some(sealed), Some(signs_at)) = parts else {
        return Err(Problem::internal("a row of _auth_signing_keys can't be read"));
    };
    let document = master.open(&place(id), sealed).ok_or_else(|| {
        Problem::internal(
            "the signing keys in the database were sealed with another master key: set `auth.master_key` to the one that \
             this database was begun with, or delete the rows of _auth_signing_keys, which ends all access tokens",
        )
    })?;
    let signer = Signer::new(id.to_owned(), &document);
    Ok(Key { public: public.to_vec(), signs_at, signer })
}

/// What a key is sealed for.
fn place(id: &str) -> String {
    format!("signing/{id}")
}
