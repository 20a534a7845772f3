//! Argon2id (RFC 9106) as PHC strings; bcrypt of other programs is read.

use std::sync::LazyLock;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use model::Problem;

/// What OWASP asks: 19 MiB, 2 passes, 1 lane.
static ARGON2: LazyLock<Argon2<'static>> = LazyLock::new(|| {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19_456, 2, 1, None).unwrap_or_default())
});
/// What hashes of ours begin with; others are replaced at the next sign-in.
const OURS: &str = "$argon2id$v=19$m=19456,t=2,p=1$";
/// A hash for accounts that are not there: comparing with it is the work that comparing with one of ours is. Its salt and its
/// result were drawn by lot, so nobody knows a password that it has; made at each start, it would cost each start a hashing.
pub(super) const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$cykXli61gzSVdQ/KjZgOow$LqbFZmLTjyDkVW22CviLUuDjESPKLPy48YO25Rww6uU";

pub(super) fn make(password: &[u8]) -> Result<String, Problem> {
    let hash = ARGON2.hash_password(password).map_err(|error| Problem::internal(format!("no hash: {error}")))?;
    Ok(hash.to_string())
}

/// A hash that can't be read has no password.
pub(super) fn verify(raw: &str, normal: &str, hash: &str) -> bool {
    if is_bcrypt(hash) {
        // Whoever made it hashed the bytes as they were typed.
        return bcrypt::verify(raw.as_bytes(), hash).unwrap_or(false);
    }
    ARGON2.verify_password(normal.as_bytes(), hash).is_ok()
}

/// Whether a hash is of a kind that is read here: Argon2 in a PHC string, or bcrypt.
#[must_use]
pub fn is_known_hash(hash: &str) -> bool {
    let bcrypt = is_bcrypt(hash) && hash.len() == 60;
    bcrypt || (hash.starts_with("$argon2") && argon2::password_hash::phc::PasswordHash::new(hash).is_ok())
}

/// Whether the password should be hashed anew, now that it is known.
#[must_use]
pub fn needs_upgrade(hash: &str) -> bool {
    !hash.starts_with(OURS)
}

fn is_bcrypt(hash: &str) -> bool {
    ["$2a$", "$2b$", "$2x$", "$2y$"].iter().any(|kind| hash.starts_with(kind))
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::phc::PasswordHash;

    use super::{NOBODY, make, needs_upgrade, verify};

    #[test]
    fn an_account_that_is_not_there_costs_what_one_that_is_there_costs() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let made = make(b"some password").unwrap();
        let made = PasswordHash::new(&made).unwrap();
        assert!(!needs_upgrade(NOBODY));
        assert_eq!((nobody.algorithm, nobody.version, &nobody.params), (made.algorithm, made.version, &made.params));
        let lengths = |hash: &PasswordHash| {
            (hash.salt.as_ref().map(|salt| salt.len()), hash.hash.as_ref().map(|output| output.len()))
        };
        assert_eq!(lengths(&nobody), lengths(&made));
        assert!(!verify("", "", NOBODY));
    }
}
