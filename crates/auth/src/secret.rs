//! Things that only their owner knows: made here, kept as hashes.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Bytes of chance.
#[must_use]
pub(crate) fn chance<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// A new secret of 256 bits behind a word that says what it is, so that scanners find one that leaked.
#[must_use]
pub(crate) fn make(prefix: &str) -> String {
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(chance::<32>()))
}

/// A new name of 128 bits: nothing secret, never given twice.
#[must_use]
pub(crate) fn name() -> String {
    chance::<16>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is kept of a secret. One of 256 bits needs no salt and no slow hash.
#[must_use]
pub(crate) fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// What is kept of a text together with another that is not kept at all.
#[must_use]
pub(crate) fn hash_both(secret: &str, text: &str) -> [u8; 32] {
    Sha256::new().chain_update(secret.as_bytes()).chain_update([0]).chain_update(text.as_bytes()).finalize().into()
}

/// Whether two hashes are the same, in a time that says nothing of where they differ.
#[must_use]
pub(crate) fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// A code of six digits, each as likely as any other.
#[must_use]
pub(crate) fn code() -> String {
    loop {
        // The greatest multiple of a million below 2^32; what lies above would make small codes likelier.
        let number = u32::from_le_bytes(chance::<4>());
        if number < 4_294_000_000 {
            return format!("{:06}", number % 1_000_000);
        }
    }
}
