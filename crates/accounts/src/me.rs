//! One's own record.

use auth::audit;
use http::{HeaderValue, Method, Response, StatusCode, header};
use model::{Code, Problem};
use rules::{plan::Precondition, query::Query};
use serde_json::Value as Json;
use store::Beside;
use web::{Body, Parameters, Request, json_reply, take_fields};

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
    if request.method == Method::HEAD {
        if let Some(length) = reply.body().length() {
            reply.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        *reply.body_mut() = Body::empty();
    }
    Ok(reply)
}

/// `PATCH /auth/me`
pub(crate) async fn patch(accounts: &Accounts, request: &mut Request<'_>) -> Result<Response<Body>, Problem> {
    let (_, person) = signed_in(request)?;
    let precondition = precondition(request);
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
    let line = audit::line("account_deleted", &request.caller(), &format!("user:{person}"), &Json::Null);
    let beside = Beside { before: vec![line], ..Beside::default() };
    accounts.engine.delete_own(request.caller(), precondition(request), beside).await?;
    accounts.auth.person_changed(&person);
    let mut reply = reply::empty();
    reply::clear_cookie(&mut reply, accounts.auth.cookies());
    Ok(reply)
}

/// `If-Match`, as on any record.
fn precondition(request: &Request<'_>) -> Precondition {
    match request.header(header::IF_MATCH) {
        None => Precondition::None,
        Some("*") => Precondition::Exists,
        Some(tags) => Precondition::Revision(tags.split(',').map(str::trim).filter_map(engine::revision_of).collect()),
    }
}

fn tag(reply: &mut Response<Body>, tag: &str) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        reply.headers_mut().insert(header::ETAG, tag);
    }
}
