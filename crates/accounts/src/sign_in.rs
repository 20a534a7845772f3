//! Sign-in by password, the further proof, and proving anew who one is.

use auth::{
    People, Person, audit, code,
    code::Purpose,
    credential, device, identify,
    password::{self, Password},
    session::Session,
};
use engine::AccountChange;
use http::{Response, StatusCode, header};
use model::{Code, Problem, identity::Method as Way};
use serde_json::{Value as Json, json};
use store::Beside;
use web::{Body, Request};

use crate::{
    Accounts,
    complete::{Entry, complete},
    fields::Fields,
    reply, require_method, signed_in,
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
    let attempt =
        accounts.auth.attempts.charge(&email, request.address, counted.as_deref(), request.now).inspect_err(|_| {
            accounts.auth.failures.add(
                "sign_in_refused",
                &subject(accounts, person.as_ref(), &email),
                &request.caller(),
            );
        })?;
    let typed = Password::new(&typed);
    let Some((person, statements)) = verify(accounts, person, &typed, &email, request).await? else {
        return Err(wrong());
    };
    accounts.auth.attempts.succeed(&attempt);
    let amr = vec!["pwd".to_owned()];
    complete(accounts, request, people, Entry { person, amr, asks_factor: true, known_device, before: statements })
        .await
}

/// Holds a password against an account: who it is, and what has to hold of the password when it counts. Does the same work
/// where there is no such account.
async fn verify(
    accounts: &Accounts,
    person: Option<Person>,
    typed: &Password,
    email: &str,
    request: &Request<'_>,
) -> Result<Option<(Person, Vec<store::Statement>)>, Problem> {
    let passwords = accounts.auth.passwords().await?;
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
            accounts.auth.failures.add("sign_in_failed", &subject(accounts, person.as_ref(), email), &request.caller());
            if let Some(person) = person {
                accounts.auth.attempts.fail_account(&person.id, request.now);
            }
            Ok(None)
        }
    }
}

/// `POST /auth/mfa/verify`
pub(crate) async fn verify_factor(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    let mut fields = Fields::read(request).await?;
    let (ticket, typed) = (fields.required("mfa_token"), fields.required("code"));
    fields.finish()?;
    let attempt = accounts.auth.attempts.charge_address(request.address, request.now)?;
    let known = code::redeem(&**accounts.auth.store(), &[Purpose::Device], &ticket, &typed, request.now).await?;
    accounts.auth.attempts.succeed(&attempt);
    let person = match &known.person {
        Some(id) => people.find(&accounts.engine, id).await?,
        None => None,
    };
    let person = person.filter(|person| person.identity.is_some()).ok_or_else(code::wrong)?;
    let data: Json = serde_json::from_slice(known.data.as_deref().unwrap_or(b"{}")).unwrap_or_default();
    let mut amr: Vec<String> =
        data["amr"].as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect();
    amr.extend(["otp".to_owned(), "mfa".to_owned()]);
    // The code went to the address of the account.
    let proves = !person.verified && person.email.as_deref() == Some(&*known.email);
    let person = if proves {
        let change = AccountChange::Email { id: person.key.clone(), email: None, verified: true };
        let line = audit::line("email_verified", &request.caller(), &person.actor(), &Json::Null);
        let beside = Beside { before: vec![known.spend, line], ..Beside::default() };
        accounts.engine.keep_account(request.caller(), change, beside).await?;
        people.find(&accounts.engine, &person.id).await?.ok_or_else(code::wrong)?
    } else {
        accounts.auth.store().own(vec![known.spend]).await?;
        person
    };
    let entry = Entry { person, amr, asks_factor: false, known_device: false, before: Vec::new() };
    complete(accounts, request, people, entry).await
}

/// `POST /auth/reauth`
pub(crate) async fn reauth(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    let (session, id) = signed_in(request)?;
    let mut fields = Fields::read(request).await?;
    let (typed, ticket, given) = (fields.text("password"), fields.text("ticket"), fields.text("code"));
    fields.finish()?;
    let person = people.find(&accounts.engine, &id).await?.ok_or_else(wrong)?;
    let mut statements = match (typed, ticket, given) {
        (Some(typed), None, None) => {
            let email = person.email.clone().unwrap_or_else(|| person.id.clone());
            let attempt = accounts.auth.attempts.charge(&email, request.address, Some(&session), request.now)?;
            let found = verify(accounts, Some(person.clone()), &Password::new(&typed), &email, request).await?;
            let (_, statements) = found.ok_or_else(|| Problem::new(Code::BadCredentials, "the password is wrong"))?;
            accounts.auth.attempts.succeed(&attempt);
            statements
        }
        (None, Some(ticket), Some(given)) => {
            let attempt = accounts.auth.attempts.charge_address(request.address, request.now)?;
            let store = &**accounts.auth.store();
            let known = code::redeem(store, &[Purpose::SignIn], &ticket, &given, request.now).await?;
            accounts.auth.attempts.succeed(&attempt);
            let same = person.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(&known.email));
            if !same || !person.verified {
                return Err(code::wrong());
            }
            vec![known.spend]
        }
        _ => {
            let detail = "expected `password`, or `ticket` and `code` of POST /auth/code/request";
            return Err(Problem::validation(vec![model::Flaw::pointer("", "required", detail)]));
        }
    };
    statements.push(Session::prove(&session, request.now));
    statements.push(audit::line("reauth", &request.caller(), &person.actor(), &Json::Null));
    statements.push(identify::bump(&person.id, request.now));
    accounts.auth.store().own(statements).await?;
    accounts.auth.person_changed(&person.id);
    fresh_token(accounts, request, people, &person, &session).await
}

/// An access token that says when the proof was given; a cookie needs none.
async fn fresh_token(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    person: &Person,
    session: &str,
) -> Result<Response<Body>, Problem> {
    if request.headers.get(header::AUTHORIZATION).is_none() {
        return Ok(reply::empty());
    }
    let rows = accounts.auth.store().own_read(Session::find(session, request.now)).await?;
    let session = Session::read(rows.first().ok_or_else(wrong)?)?;
    let identity = person.identity.clone().ok_or_else(wrong)?;
    let access = accounts.auth.access_token(people, &identity, &session, request.now).await?;
    let body = json!({ "access_token": access.text, "token_type": "Bearer", "expires_in": access.expires_in });
    Ok(reply::json(StatusCode::OK, &body))
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
