//! API keys.
//!
//! A key is `msk_{id}_{secret}`: found by its id, and known by the SHA-256 of its whole text, compared in constant time.
//! The text is shown once, when it is made; only the hash is kept.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use model::{Code, Problem, Roles, caller::Identity};
use parking_lot::Mutex;
use rand::Rng as _;
use sha2::{Digest, Sha256};
use store::{Store, StoredKey};
use subtle::ConstantTimeEq;

/// How long a key that was found is taken as known without asking the database.
const REMEMBERED: Duration = Duration::from_secs(2);
/// The most keys that are remembered.
const MOST: usize = 1024;

/// Who showed a key of this hash, and when it was found.
type Remembered = HashMap<[u8; 32], (Instant, Arc<Identity>)>;

/// The keys that were shown lately.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    remembered: Mutex<Remembered>,
}

/// A key that was just made: what is kept, and the text that is shown once.
pub struct NewKey {
    /// What the store keeps.
    pub stored: StoredKey,
    /// What its owner keeps.
    pub text: String,
}

impl NewKey {
    /// Makes a key with 256 bits of chance.
    #[must_use]
    pub fn make(name: &str, roles: Vec<String>, now: i64) -> Self {
        let mut id = [0_u8; 9];
        rand::rng().fill_bytes(&mut id);
        // An underscore would end the id.
        Self::with_id(URL_SAFE_NO_PAD.encode(id).replace('_', "-"), name, roles, now)
    }

    /// Makes a key with 256 bits of chance, to be found again under an id of our choice, which has no underscore.
    #[must_use]
    pub fn with_id(id: String, name: &str, roles: Vec<String>, now: i64) -> Self {
        let mut secret = [0_u8; 32];
        rand::rng().fill_bytes(&mut secret);
        let text = format!("msk_{id}_{}", URL_SAFE_NO_PAD.encode(secret));
        let stored = StoredKey { id, name: name.to_owned(), hash: hash(&text).to_vec(), roles, created_at: now };
        Self { stored, text }
    }
}

impl Keys {
    /// Whose key this is; roles include what the app says they do.
    pub(crate) async fn identify(
        &self,
        store: &dyn Store,
        roles: &Roles,
        text: &str,
    ) -> Result<Arc<Identity>, Problem> {
        let refused = || Problem::new(Code::BadCredentials, "the key is not valid");
        let shown = hash(text);
        if let Some((since, identity)) = self.remembered.lock().get(&shown)
            && since.elapsed() < REMEMBERED
        {
            return Ok(Arc::clone(identity));
        }
        let id =
            text.strip_prefix("msk_").and_then(|rest| rest.split_once('_')).map(|(id, _)| id).ok_or_else(refused)?;
        let key = store.find_key(id).await?.ok_or_else(refused)?;
        if !bool::from(key.hash.ct_eq(&shown)) {
            return Err(refused());
        }
        let roles = roles.closure(key.roles.iter().map(String::as_str));
        let identity = Arc::new(Identity { roles, actor: Some(format!("key:{}", key.id)), ..Identity::anonymous() });
        let mut remembered = self.remembered.lock();
        if remembered.len() >= MOST {
            remembered.clear();
        }
        remembered.insert(shown, (Instant::now(), Arc::clone(&identity)));
        Ok(identity)
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
