//! One's own record.

use auth::audit;
use http::{HeaderValue, Response, StatusCode, header};
use model::{Code, Problem};
use rules::query::Query;
use serde_json::Value as Json;
use store::Beside;
use web::{Body, Parameters, Request, json_reply, preconditions, take_fields, without_body_for_head};

use crate::{Accounts, freshly_signed_in, reply, signed_in};

const PATCH: &[&str] = &["application/merge-patch+json", "application/json"];

/// `GET /auth/me`; with a key, whose it is.
pub(crate) async fn read(accounts: &Accounts, request: &Request<'_>) -> Result<Response<Body>, Problem> {
    if !request.identity.is_known() {
        return Err(Problem::new(Code::Unauthenticated, "sign in first"));
    }
    let mut parameters = Parameters::parse(request.query)?;
    let mut query = Query::default();
    take_fields(&mut parameters, &mut query)?;
    parameters.finish(&["fields"])?;
    let answer = accounts.engine.own_record(request.caller(), query).await?;
    let mut reply = json_reply(StatusCode::OK, answer.body);
    tag(&mut reply, &answer.tag);
    Ok(without_body_for_head(request, reply))
}

/// `PATCH /auth/me`
pub(crate) async fn patch(accounts: &Accounts, request: &mut Request<'_>) -> Result<Response<Body>, Problem> {
    let (_, person) = signed_in(request)?;
    let precondition = preconditions::of_write(request)?;
    let body = request.json(PATCH, ("accept-patch", "application/merge-patch+json, application/json")).await?;
    let line = audit::line("own_record_changed", &request.caller(), &format!("user:{person}"), &Json::Null);
    let beside = Beside { before: vec![line], ..Beside::default() };
    let answer = accounts.engine.patch_own(request.caller(), &body, precondition, beside).await?;
    accounts.auth.person_changed(&person);
    let mut reply = json_reply(StatusCode::OK, answer.body);
    tag(&mut reply, &answer.tag);
    Ok(reply)
}

/// `DELETE /auth/me`
pub(crate) async fn delete(accounts: &Accounts, request: &mut Request<'_>) -> Result<Response<Body>, Problem> {
    let (_, person) = freshly_signed_in(request)?;
    let precondition = preconditions::of_write(request)?;
    let line = audit::line("account_deleted", &request.caller(), &format!("user:{person}"), &Json::Null);
    let beside = Beside { before: vec![line], ..Beside::default() };
    accounts.engine.delete_own(request.caller(), precondition, beside).await?;
    accounts.auth.person_changed(&person);
    let mut reply = reply::empty();
    reply::clear_cookie(&mut reply, accounts.auth.cookies());
    Ok(reply)
}

fn tag(reply: &mut Response<Body>, tag: &str) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        reply.headers_mut().insert(header::ETAG, tag);
    }
}
