//! What is kept of somebody's passwords.

use model::Problem;
use store::{Statement, Store};

use crate::token;

/// The hash of somebody's password.
///
/// # Errors
/// The database can't be asked.
pub async fn find(store: &dyn Store, person: &str) -> Result<Option<String>, Problem> {
    let query = Statement::new("SELECT password FROM _auth_credentials WHERE person = $1", [person.into()]);
    let rows = store.own_read(query).await?;
    Ok(rows.first().and_then(|row| row.text(0)).map(str::to_owned))
}

/// Sets somebody's password.
#[must_use]
pub fn set(person: &str, hash: &str, now: i64) -> Statement {
    Statement::new(
        "INSERT INTO _auth_credentials (person, password, changed_at) VALUES ($1, $2, $3) \
         ON CONFLICT (person) DO UPDATE SET password = excluded.password, changed_at = excluded.changed_at",
        [person.into(), hash.into(), now.into()],
    )
}

/// Holds that the password is still the one that was just verified, and puts another hash of it in its place where asked.
#[must_use]
pub fn hold(person: &str, verified: &str, anew: Option<&str>) -> Statement {
    Statement::new(
        "UPDATE _auth_credentials SET password = $3 WHERE person = $1 AND password = $2",
        [person.into(), verified.into(), anew.unwrap_or(verified).into()],
    )
    .or_else(token::refused())
}

/// Takes everything from an account by which anybody could come in: whoever made it had not proved the address.
#[must_use]
pub fn purge(person: &str) -> Vec<Statement> {
    store::own::identity::of_person(person)
}
