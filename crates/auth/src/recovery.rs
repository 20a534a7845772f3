//! Recovery codes: ten, for the day on which the authenticator app is gone; each counts once.

use store::Statement;

use crate::{
    code,
    secret::{chance, hash_both},
};

/// How many are made at a time.
pub const MANY: usize = 10;
/// Letters and digits that nobody mistakes for another (32 of them: 5 bits each).
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
/// Letters of a code: 80 bits, so that a hash of it can't be searched through.
const LENGTH: usize = 16;
/// Letters between two hyphens.
const GROUP: usize = 4;

/// Ten codes for somebody, and the statements that put them in the place of all earlier ones.
#[must_use]
pub fn make(person: &str, now: i64) -> (Vec<String>, Vec<Statement>) {
    let codes: Vec<String> = (0..MANY).map(|_| code()).collect();
    let mut statements = vec![forget(person)];
    statements.extend(codes.iter().map(|code| {
        Statement::new(
            "INSERT INTO _auth_recovery_codes (secret, person, created_at) VALUES ($1, $2, $3)",
            [kept(person, code).into(), person.into(), now.into()],
        )
    }));
    (codes, statements)
}

/// Uses a code up: one of those who have it gets through.
#[must_use]
pub fn spend(person: &str, code: &str, now: i64) -> Statement {
    Statement::new(
        "UPDATE _auth_recovery_codes SET used_at = $3 WHERE secret = $1 AND person = $2 AND used_at IS NULL",
        [kept(person, code).into(), person.into(), now.into()],
    )
    .or_else(code::wrong())
}

/// Somebody's codes: how many, how many are left, since when, when one was used last.
#[must_use]
pub fn find(person: &str) -> Statement {
    Statement::new(
        "SELECT COUNT(*), COUNT(*) - COUNT(used_at), MAX(created_at), MAX(used_at) FROM _auth_recovery_codes \
         WHERE person = $1",
        [person.into()],
    )
}

/// A row where somebody has codes.
#[must_use]
pub fn exist(person: &str) -> Statement {
    Statement::new("SELECT 1 FROM _auth_recovery_codes WHERE person = $1 LIMIT 1", [person.into()])
}

/// Takes somebody's codes away.
#[must_use]
pub fn forget(person: &str) -> Statement {
    Statement::new("DELETE FROM _auth_recovery_codes WHERE person = $1", [person.into()])
}

fn code() -> String {
    let letters: Vec<u8> = chance::<LENGTH>().iter().map(|byte| LETTERS[usize::from(*byte) % LETTERS.len()]).collect();
    let groups: Vec<String> = letters.chunks(GROUP).map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    groups.join("-")
}

/// What is kept of a code, however it was typed.
fn kept(person: &str, code: &str) -> Vec<u8> {
    let letters = code.chars().filter(|letter| letter.is_ascii_alphanumeric());
    let plain: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    hash_both(&plain, person).to_vec()
}

#[cfg(test)]
mod tests {
    use super::{MANY, kept, make};

    #[test]
    fn codes_differ_and_are_kept_however_they_are_typed() {
        let (mut codes, statements) = make("7", 0);
        assert_eq!((codes.len(), statements.len()), (MANY, MANY + 1));
        let code = codes[0].clone();
        assert_eq!(code.len(), 19);
        assert_eq!(kept("7", &code), kept("7", &code.replace('-', " ").to_uppercase()));
        assert_ne!(kept("7", &code), kept("8", &code));
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len(), MANY);
    }
}
