//! Devices that somebody has signed in from: a text that a client keeps, so that strangers who guess passwords lock no owner out.

use store::Statement;

use crate::secret;

/// How long a device is known: microseconds (180 days).
const LIFE: i64 = 180 * 86_400_000_000;

/// A new device of somebody: what its client keeps, and what we keep.
#[must_use]
pub fn add(person: &str, now: i64) -> (String, Statement) {
    let text = secret::make("mdt_");
    let insert = Statement::new(
        "INSERT INTO _auth_devices (secret, person, created_at, expires_at) VALUES ($1, $2, $3, $4)",
        [secret::hash(&text).to_vec().into(), person.into(), now.into(), (now + LIFE).into()],
    );
    (text, insert)
}

/// A row where the device is known as this person's.
#[must_use]
pub fn find(text: &str, person: &str, now: i64) -> Statement {
    Statement::new(
        "SELECT 1 FROM _auth_devices WHERE secret = $1 AND person = $2 AND expires_at > $3",
        [secret::hash(text).to_vec().into(), person.into(), now.into()],
    )
}

/// A name for a device in memory.
#[must_use]
pub fn name(text: &str) -> String {
    secret::hash(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Knows none of somebody's devices any more.
#[must_use]
pub fn forget(person: &str) -> Statement {
    Statement::new("DELETE FROM _auth_devices WHERE person = $1", [person.into()])
}
