//! Going on with a session, and ending it.

use auth::{
    People, audit, identify,
    session::{self, Renewal, Session},
};
use http::{Response, StatusCode};
use model::{Caller, Flaw, Problem};
use serde_json::{Value as Json, json};
use store::{Row, Statement};
use web::{Body, Request};

use crate::{Accounts, complete::with_session, fields::Fields, reply, signed_in};

/// The fewest characters that 128 bits take.
const RETRY: usize = 20;

/// `POST /auth/refresh`
pub(crate) async fn refresh(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    let mut fields = Fields::read(request).await?;
    let (shown, retry) = (fields.required("refresh_token"), fields.text("retry"));
    if retry.as_ref().is_some_and(|retry| retry.chars().count() < RETRY) {
        let detail = format!("retry has 128 bits of chance or more: {RETRY} characters at least");
        fields.flaw(Flaw::pointer("/retry", "min", detail));
    }
    fields.finish()?;
    let renewal = Renewal::read(accounts.auth.master()?, &shown, retry.as_deref()).ok_or_else(session::not_good)?;
    let session = renew(accounts, request, people, &renewal).await?;
    let person = people.find(&accounts.engine, &session.person).await?.ok_or_else(session::not_good)?;
    let Some(identity) = person.identity else { return Err(session::not_good()) };
    let identity = with_session(identity, &session);
    let access = accounts.auth.access_token(people, &identity, &session, request.now).await?;
    let body = json!({
        "access_token": access.text,
        "refresh_token": renewal.text,
        "token_type": "Bearer",
        "expires_in": access.expires_in,
    });
    Ok(reply::json(StatusCode::OK, &body))
}

/// Spends the token. One that was spent before ends the session, but for the lost answer that `retry` tells of.
async fn renew(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    renewal: &Renewal,
) -> Result<Session, Problem> {
    let ttl = i64::try_from(people.settings()?.session_ttl.as_micros()).unwrap_or(i64::MAX);
    if let Some(row) = first(accounts, renewal.spend(ttl, request.now)).await? {
        return Session::read(&row);
    }
    if let Some(again) = renewal.spend_again(request.now)
        && let Some(row) = first(accounts, again).await?
    {
        return Session::read(&row);
    }
    if let Some(row) = first(accounts, renewal.end()).await? {
        let person = row.text(0).unwrap_or_default().to_owned();
        let detail = json!({ "session": renewal.session });
        let line = audit::line("refresh_token_reused", &request.caller(), &format!("user:{person}"), &detail);
        accounts.auth.store().own(vec![identify::bump(&person, request.now), line]).await?;
        accounts.auth.person_changed(&person);
    }
    Err(session::not_good())
}

async fn first(accounts: &Accounts, statement: Statement) -> Result<Option<Row>, Problem> {
    let outcomes = accounts.auth.store().own(vec![statement]).await?;
    Ok(outcomes.into_iter().next().and_then(|outcome| outcome.rows.into_iter().next()))
}

/// `POST /auth/sign-out`
pub(crate) async fn sign_out(accounts: &Accounts, request: &mut Request<'_>) -> Result<Response<Body>, Problem> {
    let mut fields = Fields::read(request).await?;
    let all = fields.flag("all");
    fields.finish()?;
    let (session, person) = signed_in(request)?;
    let end = if all { Session::end_all(&person, None) } else { Session::end(&session, &person) };
    end_sessions(accounts, &request.caller(), &person, vec![end], &json!({ "all": all, "session": session })).await?;
    let mut reply = reply::empty();
    reply::clear_cookie(&mut reply, accounts.auth.cookies());
    Ok(reply)
}

/// Ends sessions of somebody, at once here and soon elsewhere.
pub(crate) async fn end_sessions(
    accounts: &Accounts,
    caller: &Caller,
    person: &str,
    mut statements: Vec<Statement>,
    detail: &Json,
) -> Result<(), Problem> {
    statements.push(identify::bump(person, caller.now));
    statements.push(audit::line("sign_out", caller, &format!("user:{person}"), detail));
    accounts.auth.store().own(statements).await?;
    accounts.auth.person_changed(person);
    Ok(())
}
