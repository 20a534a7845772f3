//! Passkeys: registered by who is signed in, and a way in for who is not.

use ::passkey::{Error, Owner, Passkeys};
use auth::{
    People, Person, audit,
    passkeys::{self, Passkey, Purpose},
};
use http::{Response, StatusCode, Uri};
use model::{Code, Flaw, Problem, identity::Method as Way};
use serde_json::{Value as Json, json};
use store::Statement;
use uuid::Uuid;
use web::{Body, Request};

use crate::{
    Accounts,
    complete::{Entry, complete},
    factors,
    fields::Fields,
    freshly_signed_in, note_failure, reply, require_method, signed_in,
};

/// The most passkeys of a person.
const MOST: usize = 50;
/// The most characters of a passkey's name.
const LONGEST: usize = 80;

/// The site that passkeys are for.
struct Site {
    ceremonies: Passkeys,
    rp_id: String,
}

impl Site {
    /// By `[auth.passkey]`, or else by `server.public_url` and `server.cors_origins`.
    fn of(accounts: &Accounts, people: &People) -> Result<Self, Problem> {
        let settings = &people.settings()?.passkey;
        let public = accounts.auth.public_url();
        let rp_id = settings.rp_id.clone().unwrap_or_else(|| host(public));
        let origins = if settings.origins.is_empty() {
            let others = accounts.auth.cors_origins().iter().filter(|origin| {
                let host = host(origin);
                host == rp_id || host.ends_with(&format!(".{rp_id}"))
            });
            others.cloned().chain([public.to_owned()]).collect()
        } else {
            settings.origins.clone()
        };
        let ceremonies = Passkeys::new(&rp_id, accounts.desk.host(), &origins).map_err(|error| {
            Problem::internal(format!(
                "{error}; `rp_id` and `origins` in [auth.passkey] of the resource of the people say what it is, by default \
                 `server.public_url` does ({public})"
            ))
        })?;
        Ok(Self { ceremonies, rp_id })
    }
}

fn host(url: &str) -> String {
    let uri: Option<Uri> = url.parse().ok();
    uri.as_ref().and_then(Uri::host).unwrap_or_default().to_lowercase()
}

/// Whether passkeys can be used as they are set up; asked when the server starts.
///
/// # Errors
/// The settings don't fit each other, or the passkeys that are registered.
pub(crate) async fn prepare(accounts: &Accounts) -> Result<(), Problem> {
    let Ok(people) = accounts.auth.people() else { return Ok(()) };
    if !people.settings()?.allows(Way::Passkey) {
        return Ok(());
    }
    let site = Site::of(accounts, &people)?;
    let foreign = accounts.auth.store().own_read(passkeys::foreign(&site.rp_id)).await?;
    let Some(other) = foreign.first().and_then(|row| row.text(0)) else { return Ok(()) };
    Err(Problem::internal(format!(
        "there are passkeys for `{other}`, and passkeys are for `{}` now: no browser would offer them again. Set `rp_id = \
         \"{other}\"` in [auth.passkey]; or, if they shall be given up, take `passkey` from `methods`, or \
         `DELETE FROM _auth_passkeys WHERE rp_id = '{other}'` in the database",
        site.rp_id
    )))
}

/// `POST /auth/passkeys/register/begin`
pub(crate) async fn begin_registration(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    require_method(people, Way::Passkey)?;
    let (session, id) = freshly_signed_in(request)?;
    Fields::read(request).await?.finish()?;
    let person = people.find(&accounts.engine, &id).await?.ok_or_else(Problem::not_found)?;
    let store = accounts.auth.store();
    let known = store.own_read(passkeys::of_person(&id)).await?;
    if known.len() >= MOST {
        let detail = format!("there are {MOST} passkeys already: take one away first");
        return Err(Problem::new(Code::Conflict, detail));
    }
    // One handle for all passkeys of a person, so that an authenticator holds one account of it.
    let handle = known.first().and_then(|row| row.text(5)).and_then(|handle| handle.parse::<Uuid>().ok());
    let handle = handle.unwrap_or_else(|| Uuid::from_bytes(passkeys::handle()));
    let name = person.email.as_deref().unwrap_or(&id);
    let existing = known.iter().filter_map(|row| row.bytes(4)).map(<[u8]>::to_vec).collect();
    let owner = Owner { handle, name, display_name: name, existing };
    let begun = Site::of(accounts, people)?.ceremonies.begin_registration(owner).map_err(|error| broken(&error))?;
    let state = json!({ "handle": handle.to_string(), "session": session, "state": begun.state }).to_string();
    begin(accounts, request, Purpose::Register, Some(&id), &state, begun.options).await
}

/// `POST /auth/passkeys/register/finish`
pub(crate) async fn finish_registration(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    require_method(people, Way::Passkey)?;
    let (session, id) = signed_in(request)?;
    let mut fields = Fields::read(request).await?;
    let (ceremony, credential) = (fields.required("ceremony"), fields.required_json("credential"));
    let name = fields.text("name").map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| "Passkey".to_owned());
    if name.chars().count() > LONGEST || name.chars().any(char::is_control) {
        fields.flaw(Flaw::pointer("/name", "max", format!("name has at most {LONGEST} characters, all printable")));
    }
    fields.finish()?;
    let person = people.find(&accounts.engine, &id).await?.ok_or_else(Problem::not_found)?;
    let wrong = |at: &str, detail: &str| Problem::validation(vec![Flaw::pointer(at, "credential", detail)]);
    let over = || wrong("/ceremony", "the ceremony is over, unknown or another's: begin anew");
    let kept = end(accounts, request, Purpose::Register, Some(&id), &ceremony).await?.ok_or_else(over)?;
    let kept: Json = serde_json::from_str(&kept).unwrap_or_default();
    if kept["session"] != session {
        return Err(over());
    }
    let site = Site::of(accounts, people)?;
    let registered = site.ceremonies.finish_registration(&credential, kept["state"].as_str().unwrap_or_default());
    let registered = registered.map_err(|error| match error {
        Error::Form => wrong("/credential", "this is no answer of navigator.credentials.create()"),
        Error::Refused(cause) => {
            tracing::info!(user = person.id, %cause, "a passkey was refused");
            wrong("/credential", "the credential does not belong to this ceremony, or not to this site")
        }
        other => broken(&other),
    })?;
    let new = passkeys::New {
        person: &id,
        handle: kept["handle"].as_str().unwrap_or_default(),
        rp_id: &site.rp_id,
        credential_id: &registered.credential_id,
        credential: &registered.credential,
        name: &name,
    };
    let (passkey, add) = passkeys::add(new, request.now);
    let detail = json!({ "factor": "passkey", "id": passkey });
    let line = audit::line("factor_added", &request.caller(), &person.actor(), &detail);
    let mut statements = vec![add, line];
    statements.extend(accounts.desk.tell("factor_added", &person, "a passkey", request.now)?);
    accounts.auth.store().own(statements).await?;
    accounts.desk.wake();
    let item = factors::item(Some(&passkey), "passkey", Some(&name), Some(request.now), None);
    Ok(reply::json(StatusCode::CREATED, &item))
}

/// `POST /auth/passkeys/sign-in/begin`
pub(crate) async fn begin_sign_in(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    require_method(people, Way::Passkey)?;
    Fields::read(request).await?.finish()?;
    accounts.auth.attempts.count_call(request.address, request.now)?;
    let begun = Site::of(accounts, people)?.ceremonies.begin_sign_in().map_err(|error| broken(&error))?;
    begin(accounts, request, Purpose::SignIn, None, &begun.state, begun.options).await
}

/// `POST /auth/passkeys/sign-in/finish`
pub(crate) async fn finish_sign_in(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    let mut fields = Fields::read(request).await?;
    let (ceremony, credential) = (fields.required("ceremony"), fields.required_json("credential"));
    fields.finish()?;
    let (person, before) = prove(accounts, request, people, &ceremony, &credential).await?;
    let amr = ["hwk", "user", "mfa"].map(str::to_owned).to_vec();
    // No further factor; what is asked of an address that nobody has proved is no factor.
    complete(
        accounts,
        request,
        people,
        Entry { person, amr, asks_factor: true, known_device: false, attempt: None, before },
    )
    .await
}

/// Whose passkey an answer is of, and what has to hold for it to count.
///
/// # Errors
/// 401 for whatever is wrong with it, and for somebody who is disabled; 422 where it is none.
pub(crate) async fn prove(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    ceremony: &str,
    credential: &Json,
) -> Result<(Person, Vec<Statement>), Problem> {
    require_method(people, Way::Passkey)?;
    let attempt = accounts.auth.charge_address(request.address, request.now).await?;
    let state = end(accounts, request, Purpose::SignIn, None, ceremony).await?.ok_or_else(passkeys::refused)?;
    let site = Site::of(accounts, people)?;
    let wrong = |error| match error {
        Error::Form => {
            let detail = "this is no answer of navigator.credentials.get() with a user handle";
            Problem::validation(vec![Flaw::pointer("/credential", "credential", detail)])
        }
        Error::Refused(_) => passkeys::refused(),
        other => broken(&other),
    };
    let claimed = site.ceremonies.claimed(credential).map_err(wrong)?;
    let rows = accounts.auth.store().own_read(Passkey::find(&claimed.credential_id)).await?;
    let passkey = rows.first().and_then(Passkey::read).filter(|known| known.handle == claimed.handle.to_string());
    let Some(passkey) = passkey else {
        note_failure(accounts, request, "passkey_failed", "unknown");
        return Err(passkeys::refused());
    };
    let finished = site.ceremonies.finish_sign_in(credential, &state, &passkey.credential);
    let anew = finished.inspect_err(|_| {
        note_failure(accounts, request, "passkey_failed", &format!("user:{}", passkey.person));
    });
    let anew = anew.map_err(wrong)?;
    let person = people.find(&accounts.engine, &passkey.person).await?;
    let person = person.filter(|person| person.identity.is_some()).ok_or_else(passkeys::refused)?;
    accounts.auth.give_back(&attempt).await?;
    let detail = json!({ "factor": "passkey", "id": passkey.id });
    let line = audit::line("factor_used", &request.caller(), &person.actor(), &detail);
    Ok((person, vec![passkey.used(anew.as_deref(), request.now), line]))
}

/// Keeps what a ceremony's second step needs, and gives the browser what it needs.
async fn begin(
    accounts: &Accounts,
    request: &Request<'_>,
    purpose: Purpose,
    person: Option<&str>,
    state: &str,
    mut options: Json,
) -> Result<Response<Body>, Problem> {
    let (ceremony, insert) = passkeys::begin(purpose, person, state, request.now);
    accounts.auth.store().own(vec![insert]).await?;
    options["ceremony"] = ceremony.into();
    Ok(reply::json(StatusCode::OK, &options))
}

/// Ends a ceremony; none where there is none of this kind, or it has ended.
async fn end(
    accounts: &Accounts,
    request: &Request<'_>,
    purpose: Purpose,
    person: Option<&str>,
    ceremony: &str,
) -> Result<Option<String>, Problem> {
    let outcomes = accounts.auth.store().own(vec![passkeys::end(purpose, person, ceremony, request.now)]).await?;
    let row = outcomes.first().and_then(|outcome| outcome.rows.first());
    Ok(row.and_then(|row| row.text(0)).map(str::to_owned))
}

fn broken(error: &Error) -> Problem {
    Problem::internal(format!("a passkey's ceremony failed: {error}"))
}
