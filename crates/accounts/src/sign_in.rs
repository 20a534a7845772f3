//! Sign-in by password.

use auth::{
    People, Person,
    attempts::Try,
    credential, device,
    password::{self, Password},
};
use http::{Response, header};
use model::{Code, Problem, identity::Method as Way};
use web::{Body, Request};

use crate::{
    Accounts,
    complete::{Entry, complete},
    fields::Fields,
    note_failure, require_method,
};

/// No account is looked up by more than an address can have.
const LONGEST: usize = 254;

/// `POST /auth/sign-in`
pub(crate) async fn sign_in(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    require_method(people, Way::Password)?;
    let mut fields = Fields::read(request).await?;
    let (email, typed) = (fields.required("email"), fields.required("password"));
    let shown = fields.text("device_token").or_else(|| device_cookie(accounts, request));
    fields.finish()?;
    let person = find(accounts, people, &email).await?;
    let known_device = is_known_device(accounts, request, person.as_ref(), shown.as_deref()).await?;
    let counted = shown.as_deref().filter(|_| known_device).map(device::name);
    let account = person.as_ref().map(|person| person.id.as_str());
    let tried = Try { typed: &email, account, address: request.address, device: counted.as_deref() };
    let attempt = accounts.auth.charge(tried, request.now).await.inspect_err(|_| {
        note_failure(accounts, request, "sign_in_refused", &subject(accounts, person.as_ref(), &email));
    })?;
    let typed = Password::new(&typed);
    let Some((person, statements)) = verify(accounts, person, &typed, &email, request).await? else {
        return Err(wrong());
    };
    let amr = vec!["pwd".to_owned()];
    let attempt = Some(attempt);
    let entry = Entry { person, amr, asks_factor: true, known_device, attempt, before: statements };
    complete(accounts, request, people, entry).await
}

/// Holds a password against an account: who it is, and what has to hold of the password when it counts. Does the same work
/// where there is no such account.
pub(crate) async fn verify(
    accounts: &Accounts,
    person: Option<Person>,
    typed: &Password,
    email: &str,
    request: &Request<'_>,
) -> Result<Option<(Person, Vec<store::Statement>)>, Problem> {
    let passwords = accounts.auth.passwords();
    // Somebody who is not there is asked about, too.
    let id = person.as_ref().map_or("", |person| person.id.as_str());
    let kept = credential::find(&**accounts.auth.store(), id).await?;
    let same = passwords.verify(typed, kept.as_deref()).await?;
    let good = person.as_ref().is_some_and(|person| person.identity.is_some());
    match (person, kept) {
        (Some(person), Some(kept)) if same && good => {
            let anew = if password::needs_upgrade(&kept) { Some(passwords.hash(typed).await?) } else { None };
            let hold = credential::hold(&person.id, &kept, anew.as_deref());
            Ok(Some((person, vec![hold])))
        }
        (person, _) => {
            note_failure(accounts, request, "sign_in_failed", &subject(accounts, person.as_ref(), email));
            Ok(None)
        }
    }
}

/// Somebody of an address; what is too long for one is nobody's.
pub(crate) async fn find(accounts: &Accounts, people: &People, email: &str) -> Result<Option<Person>, Problem> {
    if email.len() > LONGEST {
        return Ok(None);
    }
    people.find_by_email(&accounts.engine, email).await
}

/// What the audit log calls somebody who may not be there.
pub(crate) fn subject(accounts: &Accounts, person: Option<&Person>, email: &str) -> String {
    match (person, accounts.auth.master()) {
        (Some(person), _) => person.actor(),
        (None, Ok(master)) => format!("unknown:{}", master.pseudonym(email)),
        (None, Err(_)) => "unknown".to_owned(),
    }
}

async fn is_known_device(
    accounts: &Accounts,
    request: &Request<'_>,
    person: Option<&Person>,
    shown: Option<&str>,
) -> Result<bool, Problem> {
    let Some(shown) = shown else { return Ok(false) };
    let id = person.map_or("", |person| person.id.as_str());
    let rows = accounts.auth.store().own_read(device::find(shown, id, request.now)).await?;
    Ok(!rows.is_empty())
}

fn device_cookie(accounts: &Accounts, request: &Request<'_>) -> Option<String> {
    let all = request.header(header::COOKIE)?;
    accounts.auth.cookies().device(all).map(str::to_owned)
}

/// The same for an unknown account, a wrong password and somebody who is disabled.
fn wrong() -> Problem {
    Problem::new(Code::BadCredentials, "the e-mail or the password is wrong")
}
