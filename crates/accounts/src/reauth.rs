//! A fresh proof of who somebody is, in a session that goes on: by password, mailed code, authenticator app,
//! passkey or provider.

use auth::{
    People, Person,
    attempts::Try,
    audit,
    code::{self, Purpose},
    identify,
    password::Password,
    session::Session,
};
use http::{Response, StatusCode, header};
use model::{Code, Problem, identity::Method as Way};
use serde_json::{Value as Json, json};
use store::Statement;
use web::{Body, Request};

use crate::{Accounts, fields::Fields, mfa, oauth, passkeys, reply, require_method, sign_in, signed_in};

/// `POST /auth/reauth`
pub(crate) async fn reauth(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    let (session, id) = signed_in(request)?;
    let mut fields = Fields::read(request).await?;
    let shown = Shown {
        password: fields.text("password"),
        ticket: fields.text("ticket"),
        code: fields.text("code"),
        ceremony: fields.text("ceremony"),
        credential: fields.json("credential"),
    };
    let verifier = fields.text("code_verifier");
    fields.finish()?;
    let person = people.find(&accounts.engine, &id).await?.ok_or_else(wrong)?;
    let mut statements = match verifier {
        Some(verifier) => prove_elsewhere(accounts, request, people, &person, shown, &verifier).await?,
        None => prove(accounts, request, people, &session, &person, shown).await?,
    };
    statements.push(Session::prove(&session, request.now));
    statements.push(audit::line("reauth", &request.caller(), &person.actor(), &Json::Null));
    statements.push(identify::bump(&person.id, request.now));
    accounts.auth.store().own(statements).await?;
    accounts.auth.person_changed(&person.id);
    fresh_token(accounts, request, people, &person, &session).await
}

/// What a client shows as its proof.
struct Shown {
    password: Option<String>,
    ticket: Option<String>,
    code: Option<String>,
    ceremony: Option<String>,
    credential: Option<Json>,
}

/// What has to hold for the proof to count.
async fn prove(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    session: &str,
    person: &Person,
    shown: Shown,
) -> Result<Vec<Statement>, Problem> {
    let Shown { password, ticket, code: given, ceremony, credential } = shown;
    match (password, ticket, given, ceremony, credential) {
        (Some(typed), None, None, None, None) => {
            let email = person.email.clone().unwrap_or_else(|| person.id.clone());
            let tried =
                Try { typed: &email, account: Some(&person.id), address: request.address, device: Some(session) };
            let attempt = accounts.auth.charge(tried, request.now).await?;
            let typed = Password::new(&typed);
            let found = sign_in::verify(accounts, Some(person.clone()), &typed, &email, request).await?;
            let (_, statements) = found.ok_or_else(|| Problem::new(Code::BadCredentials, "the password is wrong"))?;
            Ok([statements, attempt.give_back()].concat())
        }
        (None, Some(ticket), Some(given), None, None) => {
            let attempt = accounts.auth.charge_address(request.address, request.now).await?;
            let store = &**accounts.auth.store();
            let known = code::redeem(store, &[Purpose::SignIn], &ticket, &given, request.now).await?;
            let same = person.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(&known.email));
            if same && person.verified {
                Ok([vec![known.spend], attempt.give_back()].concat())
            } else {
                Err(code::wrong())
            }
        }
        (None, None, Some(given), None, None) => {
            let attempt = accounts.auth.charge_address(request.address, request.now).await?;
            let used = mfa::use_app(accounts, request, person, &given).await?;
            Ok([used, attempt.give_back()].concat())
        }
        (None, None, None, Some(ceremony), Some(credential)) => {
            let (owner, statements) = passkeys::prove(accounts, request, people, &ceremony, &credential).await?;
            if owner.id == person.id { Ok(statements) } else { Err(auth::passkeys::refused()) }
        }
        _ => {
            let detail = "expected `password`, or `ticket` and `code` of POST /auth/code/request, or the `code` of an \
                          authenticator app, or `ceremony` and `credential` of a passkey, or the `code` and `code_verifier` \
                          of a sign-in with a provider";
            Err(Problem::validation(vec![model::Flaw::pointer("", "required", detail)]))
        }
    }
}

/// The same with a provider, by the code that the browser has brought back.
async fn prove_elsewhere(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    person: &Person,
    shown: Shown,
    verifier: &str,
) -> Result<Vec<Statement>, Problem> {
    require_method(people, Way::OAuth)?;
    let Shown { password: None, ticket: None, code: Some(code), ceremony: None, credential: None } = shown else {
        let detail = "with `code_verifier` there is `code`, and nothing else";
        return Err(Problem::validation(vec![model::Flaw::pointer("/code", "required", detail)]));
    };
    let attempt = accounts.auth.charge_address(request.address, request.now).await?;
    let (proved, spend) = oauth::redeem(accounts, request, &code, verifier).await?;
    match oauth::owner(accounts, people, &proved).await? {
        Some(owner) if owner.id == person.id => Ok([vec![spend], attempt.give_back()].concat()),
        _ => Err(Problem::new(Code::BadCredentials, "the provider has signed somebody else in")),
    }
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

/// The session, or whose it is, has gone meanwhile.
fn wrong() -> Problem {
    Problem::new(Code::BadCredentials, "the session has ended")
}
