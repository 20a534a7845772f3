//! What is kept of somebody's passwords.

use model::{Code, IdentitySettings, Problem, identity::Method};
use store::{Statement, Store};

use crate::{Person, token};

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

/// What each way in needs to be there.
const WAYS: [(Method, &str); 2] = [
    (Method::Password, "_auth_credentials WHERE person = $1 AND password IS NOT NULL"),
    (Method::Passkey, "_auth_passkeys WHERE person = $1"),
];

/// Holds, after something was taken from somebody, that there is a way in left; no statement where a mailed code always is
/// one. To be run in a transaction that begins with [`bump`](crate::identify::bump), so that two of them wait for each other.
#[must_use]
pub fn way_in(settings: &IdentitySettings, person: &Person) -> Option<Statement> {
    if settings.allows(Method::EmailCode) && person.email.is_some() && person.verified {
        return None;
    }
    let open = WAYS.iter().filter(|(way, _)| settings.allows(*way));
    let mut ways: String = open.map(|(_, rows)| format!(" OR EXISTS (SELECT 1 FROM {rows})")).collect();
    let mut values: Vec<store::Cell> = vec![person.id.as_str().into()];
    // A link with a provider that the app has no more lets nobody in.
    let providers = settings.oauth.iter().filter(|_| settings.allows(Method::OAuth));
    for provider in providers {
        values.push(provider.name.as_str().into());
        let place = values.len();
        ways.push_str(&format!(
            " OR EXISTS (SELECT 1 FROM _auth_identities WHERE person = $1 AND provider = ${place})"
        ));
    }
    // Nobody's id is empty.
    let sql = format!("SELECT 1 WHERE $1 = ''{ways}");
    let detail = "this is the last way into your account: set a password or add a passkey first";
    Some(Statement::new(sql, values).or_else(Problem::new(Code::Conflict, detail)))
}
