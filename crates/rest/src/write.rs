//! POST, PUT, PATCH and DELETE.

use engine::{Answer, Engine, Target};
use http::{HeaderValue, Response, StatusCode, header};
use model::Problem;
use web::{Body, Request, json_reply};

use crate::{preconditions, query, read::json_accepted};

const JSON: &[&str] = &["application/json"];
const PATCH: &[&str] = &["application/merge-patch+json", "application/json"];

/// `POST /api/{resource}`
pub(crate) async fn create(
    engine: &Engine,
    request: &mut Request<'_>,
    resource: &str,
) -> Result<Response<Body>, Problem> {
    json_accepted(request)?;
    query::none(request.query)?;
    let body = request.json(JSON, ("accept", "application/json")).await?;
    if let Some(records) = body.as_array() {
        request.charge(records.len())?;
    }
    let answer = engine.create(request.caller(), resource, &body).await?;
    let location = (!answer.id.is_empty()).then(|| format!("/api/{resource}/{}", answer.id));
    Ok(written(answer, location))
}

/// `PUT /api/{resource}/{id}`
pub(crate) async fn replace(
    engine: &Engine,
    request: &mut Request<'_>,
    target: Target<'_>,
) -> Result<Response<Body>, Problem> {
    json_accepted(request)?;
    query::none(request.query)?;
    let precondition = preconditions::of_write(request)?;
    let body = request.json(JSON, ("accept", "application/json")).await?;
    let answer = engine.replace(request.caller(), target, &body, precondition).await?;
    let location = answer.created.then(|| format!("/api/{}/{}", target.resource, answer.id));
    Ok(written(answer, location))
}

/// `PATCH /api/{resource}/{id}`
pub(crate) async fn patch(
    engine: &Engine,
    request: &mut Request<'_>,
    target: Target<'_>,
) -> Result<Response<Body>, Problem> {
    json_accepted(request)?;
    query::none(request.query)?;
    let precondition = preconditions::of_write(request)?;
    let body = request.json(PATCH, ("accept-patch", "application/merge-patch+json, application/json")).await?;
    let answer = engine.patch(request.caller(), target, &body, precondition).await?;
    Ok(written(answer, None))
}

/// `DELETE /api/{resource}/{id}`
pub(crate) async fn delete(
    engine: &Engine,
    request: &mut Request<'_>,
    target: Target<'_>,
) -> Result<Response<Body>, Problem> {
    query::none(request.query)?;
    let precondition = preconditions::of_write(request)?;
    engine.delete(request.caller(), target, precondition).await?;
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    Ok(reply)
}

fn written(answer: Answer, location: Option<String>) -> Response<Body> {
    let status = if answer.created { StatusCode::CREATED } else { StatusCode::OK };
    let mut reply = json_reply(status, answer.body);
    if let Some(location) = location.and_then(|location| HeaderValue::from_str(&location).ok()) {
        reply.headers_mut().insert(header::LOCATION, location);
    }
    if let Some(tag) = (!answer.tag.is_empty()).then(|| HeaderValue::from_str(&answer.tag).ok()).flatten() {
        reply.headers_mut().insert(header::ETAG, tag);
    }
    reply
}
