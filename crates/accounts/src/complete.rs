//! The end of every way in: from a proof of who somebody is to a session.
//!
//! Password, mailed code, invitation and sign-up all come here, and so does whatever is added. What stands between the first
//! proof and the session, a second factor above all, is asked for here and nowhere else.

use auth::{
    People, Person,
    attempts::Attempt,
    audit, device,
    session::{Draft, Kind, Origin, Session},
};
use http::{Response, StatusCode, header};
use model::{Caller, Code, Problem, caller::Identity, json};
use rules::query::Query;
use serde_json::{Value as Json, json};
use store::Statement;
use web::{Body, Request, json_reply};

use crate::{Accounts, mfa, reply};

/// Somebody who has proved who it is, in some way.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Who.
    pub(crate) person: Person,
    /// How, by the words of RFC 8176.
    pub(crate) amr: Vec<String>,
    /// Whether a further proof may be asked for; false once one was given, and for ways that are two proofs in themselves.
    pub(crate) asks_factor: bool,
    /// Whether the client showed a device that is known as this person's.
    pub(crate) known_device: bool,
    /// The try that was charged for it, given back with the sign-in.
    pub(crate) attempt: Option<Attempt>,
    /// Statements that have to hold and be run with the sign-in: what was spent for it.
    pub(crate) before: Vec<Statement>,
}

/// Ends a sign-in: with a session, or by asking for one proof more.
pub(crate) async fn complete(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    entry: Entry,
) -> Result<Response<Body>, Problem> {
    let factors =
        if entry.asks_factor { mfa::factors(accounts, people, &entry, request.now).await? } else { Vec::new() };
    if !factors.is_empty() {
        return mfa::ask(accounts, request, entry, &factors).await;
    }
    let Entry { person, amr, known_device, before, attempt, .. } = entry;
    let draft = draft(accounts, request, people, amr)?;
    let caller =
        Caller { identity: std::sync::Arc::new(person.identity.clone().unwrap_or_default()), ..request.caller() };
    let mut statements = before;
    statements.extend(attempt.iter().flat_map(Attempt::give_back));
    statements.push(draft.insert(&person.id));
    let device = if known_device { None } else { Some(device::add(&person.id, request.now)) };
    let device = device.map(|(text, insert)| {
        statements.push(insert);
        text
    });
    statements.push(audit::line(
        "sign_in",
        &caller,
        &person.actor(),
        &json!({ "amr": draft.amr, "session": draft.id }),
    ));
    accounts.auth.store().own(statements).await?;
    answer(accounts, request, people, StatusCode::OK, &person, &draft, device).await
}

/// A session as the client wants to hold it (`Mainstay-Session`).
pub(crate) fn draft(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    amr: Vec<String>,
) -> Result<Draft, Problem> {
    let kind = match request.headers.get("mainstay-session").map(http::HeaderValue::as_bytes) {
        None => Kind::Bearer,
        Some(b"cookie") if accounts.auth.cookies().are_possible() => Kind::Cookie,
        Some(b"cookie") => {
            let detail = "cookies need an https `server.public_url`, or one of this machine";
            return Err(Problem::new(Code::BadRequest, detail));
        }
        Some(_) => return Err(Problem::new(Code::BadRequest, "`Mainstay-Session` can only be `cookie`")),
    };
    let agent = request.header(header::USER_AGENT).unwrap_or("").to_owned();
    let origin = Origin { address: request.address.to_string(), agent };
    Ok(Draft::new(accounts.auth.master()?, people.settings()?, kind, amr, origin, request.now))
}

/// What a client gets with its session.
pub(crate) async fn answer(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    status: StatusCode,
    person: &Person,
    draft: &Draft,
    device: Option<String>,
) -> Result<Response<Body>, Problem> {
    let session = draft.of(&person.id);
    let Some(identity) = person.identity.clone() else {
        return Err(Problem::new(Code::BadCredentials, "the e-mail or the password is wrong"));
    };
    let identity = with_session(identity, &session);
    let caller = Caller { identity: std::sync::Arc::new(identity.clone()), ..request.caller() };
    let user = accounts.engine.own_record(caller, Query::default()).await?.body;
    let mut body = b"{\"user\":".to_vec();
    body.extend_from_slice(&user);
    if draft.kind == Kind::Cookie {
        body.extend_from_slice(b",\"expires_at\":");
        json::write_value(&model::Value::DateTime(session.expires_at), &mut body);
        body.push(b'}');
        let mut reply = json_reply(status, body);
        let cookies = accounts.auth.cookies();
        reply::set_cookie(&mut reply, cookies.set(&draft.text));
        reply::set_cookie(&mut reply, device.and_then(|device| cookies.set_device(&device)));
        return Ok(reply);
    }
    let access = accounts.auth.access_token(people, &identity, &session, request.now).await?;
    let mut write = |name: &str, value: &Json| body.extend_from_slice(format!(",\"{name}\":{value}").as_bytes());
    write("access_token", &access.text.into());
    write("refresh_token", &draft.text.as_str().into());
    write("token_type", &"Bearer".into());
    write("expires_in", &access.expires_in.into());
    if let Some(device) = device {
        write("device_token", &device.into());
    }
    body.push(b'}');
    Ok(json_reply(status, body))
}

/// Who somebody is, in a session.
pub(crate) fn with_session(identity: Identity, session: &Session) -> Identity {
    Identity { session: Some(session.id.as_str().into()), authenticated_at: Some(session.authenticated_at), ..identity }
}
