//! The master key: what seals signing keys and other secrets that have to lie in the database in a readable form.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf, hmac,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use model::Problem;

use crate::secret::chance;

/// Bytes of a nonce of AES-GCM.
const NONCE: usize = 12;

/// The key that all nodes of an app share; never stored in the database.
pub struct MasterKey {
    sealing: LessSafeKey,
    macs: hmac::Key,
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("***")
    }
}

impl MasterKey {
    /// A new key, as the text that is kept in a file or a setting.
    #[must_use]
    pub fn make() -> String {
        URL_SAFE_NO_PAD.encode(chance::<32>())
    }

    /// Makes the keys that are used of the text that an operator keeps: 32 characters of chance or more.
    ///
    /// # Errors
    /// It is shorter.
    pub fn read(text: &str) -> Result<Self, Problem> {
        let wrong = || Problem::internal("the master key has fewer than 32 characters");
        let text = text.trim();
        if text.len() < 32 {
            return Err(wrong());
        }
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"mainstay");
        let base = salt.extract(text.as_bytes());
        let sealing = UnboundKey::new(&AES_256_GCM, &derive(&base, b"seal")?).map_err(|_| wrong())?;
        let macs = hmac::Key::new(hmac::HMAC_SHA256, &derive(&base, b"mac")?);
        Ok(Self { sealing: LessSafeKey::new(sealing), macs })
    }

    /// Seals bytes for one place (`what` and its id), so that no row can be put in another's stead.
    ///
    /// # Errors
    /// The cipher refuses, which it never should.
    pub fn seal(&self, place: &str, open: &[u8]) -> Result<Vec<u8>, Problem> {
        let nonce = chance::<NONCE>();
        let mut sealed = open.to_vec();
        self.sealing
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place.as_bytes()), &mut sealed)
            .map_err(|_| Problem::internal("nothing could be sealed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed for this place; none where the key is another, or the bytes are not what was sealed.
    #[must_use]
    pub fn open(&self, place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut open = sealed.to_vec();
        let length = self.sealing.open_in_place(nonce, Aad::from(place.as_bytes()), &mut open).ok()?.len();
        open.truncate(length);
        Some(open)
    }

    /// A mark that only holders of the key can make: 128 bits.
    #[must_use]
    pub fn mark(&self, place: &str, bytes: &[u8]) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.macs);
        context.update(place.as_bytes());
        context.update(&[0]);
        context.update(bytes);
        let mut mark = [0; 16];
        mark.copy_from_slice(&context.sign().as_ref()[..16]);
        mark
    }

    /// A name for a text that nobody without the key can guess: for e-mails that are no account's, in logs.
    #[must_use]
    pub fn pseudonym(&self, text: &str) -> String {
        self.mark("pseudonym", text.to_lowercase().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn derive(base: &hkdf::Prk, purpose: &[u8]) -> Result<[u8; 32], Problem> {
    let mut key = [0; 32];
    base.expand(&[purpose], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key))
        .map_err(|_| Problem::internal("no key could be derived"))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::MasterKey;

    #[test]
    fn what_is_sealed_opens_in_its_place_alone() {
        let key = MasterKey::read(&MasterKey::make()).unwrap();
        let mut sealed = key.seal("signing/1", b"words").unwrap();
        assert_eq!(key.open("signing/1", &sealed).as_deref(), Some(&b"words"[..]));
        assert_eq!(key.open("signing/2", &sealed), None);
        assert_eq!(MasterKey::read(&MasterKey::make()).unwrap().open("signing/1", &sealed), None);
        sealed[15] ^= 1;
        assert_eq!(key.open("signing/1", &sealed), None);
        assert_eq!(key.open("signing/1", b"short"), None);
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        for text in ["", "password", "   AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA   "] {
            let problem = MasterKey::read(text).unwrap_err();
            assert!(text.is_empty() || !format!("{problem:?}").contains(text));
        }
    }
}
