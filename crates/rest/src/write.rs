//! POST, PUT, PATCH and DELETE.

use engine::{Engine, Target, Task};
use http::Response;
use model::{Code, Problem};
use rules::plan::Precondition;
use web::{Body, Request, preconditions};

use crate::{answer::Form, batch, once, query, read::json_accepted};

const JSON: &[&str] = &["application/json"];
const PATCH: &[&str] = &["application/merge-patch+json", "application/json"];
const ACCEPT: (&str, &str) = ("accept", "application/json");
const ACCEPT_PATCH: (&str, &str) = ("accept-patch", "application/merge-patch+json, application/json");

/// `POST /api/{resource}`
pub(crate) async fn create(
    engine: &Engine,
    request: &mut Request<'_>,
    resource: &str,
) -> Result<Response<Body>, Problem> {
    json_accepted(request)?;
    let upsert = query::of_creation(request.query)?;
    if upsert.is_some() {
        no_precondition(request)?;
    }
    let body = request.json(JSON, ACCEPT).await?;
    if let Some(records) = body.as_array() {
        request.charge(records.len())?;
    }
    let task = Task::Create { resource, body: &body, upsert: upsert.as_deref() };
    let named = once::digest_if_named(request, &body);
    once::write(engine, request, task, named, Form::of(request.headers, resource)).await
}

/// `POST /api/batch`
pub(crate) async fn batch(engine: &Engine, request: &mut Request<'_>) -> Result<Response<Body>, Problem> {
    json_accepted(request)?;
    query::none(request.query)?;
    let body = request.json(JSON, ACCEPT).await?;
    let named = once::digest_if_named(request, &body);
    let steps = batch::read(body)?;
    // Where nothing is charged, no path is written out.
    request.charge_each(steps.iter().map(|step| (step.method(), step.path())))?;
    once::write(engine, request, Task::Batch(steps), named, Form::of(request.headers, "")).await
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
    let body = request.json(JSON, ACCEPT).await?;
    let task = Task::Replace { target, body: &body, precondition };
    once::write(engine, request, task, None, Form::of(request.headers, target.resource)).await
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
    let body = request.json(PATCH, ACCEPT_PATCH).await?;
    let task = Task::Patch { target, body: &body, precondition };
    let named = once::digest_if_named(request, &body);
    once::write(engine, request, task, named, Form::of(request.headers, target.resource)).await
}

/// `PATCH /api/{resource}?filter=…`; none without a filter.
pub(crate) async fn patch_matching(
    engine: &Engine,
    request: &mut Request<'_>,
    resource: &str,
) -> Result<Option<Response<Body>>, Problem> {
    let Some(query) = query::of_matching(request.query)? else { return Ok(None) };
    json_accepted(request)?;
    no_precondition(request)?;
    let body = request.json(PATCH, ACCEPT_PATCH).await?;
    let task = Task::PatchMatching { resource, query, body: &body };
    let named = once::digest_if_named(request, &body);
    let answer = once::write(engine, request, task, named, Form::of(request.headers, resource)).await;
    answer.map_err(|problem| web::suggest(problem, &["filter"])).map(Some)
}

/// `DELETE /api/{resource}/{id}`
pub(crate) async fn delete(
    engine: &Engine,
    request: &mut Request<'_>,
    target: Target<'_>,
) -> Result<Response<Body>, Problem> {
    query::none(request.query)?;
    let precondition = preconditions::of_write(request)?;
    let task = Task::Delete { target, precondition };
    once::write(engine, request, task, None, Form::of(request.headers, target.resource)).await
}

/// `DELETE /api/{resource}?filter=…`; none without a filter.
pub(crate) async fn delete_matching(
    engine: &Engine,
    request: &mut Request<'_>,
    resource: &str,
) -> Result<Option<Response<Body>>, Problem> {
    let Some(query) = query::of_matching(request.query)? else { return Ok(None) };
    json_accepted(request)?;
    no_precondition(request)?;
    let task = Task::DeleteMatching { resource, query };
    let answer = once::write(engine, request, task, None, Form::of(request.headers, resource)).await;
    answer.map_err(|problem| web::suggest(problem, &["filter"])).map(Some)
}

fn no_precondition(request: &Request<'_>) -> Result<(), Problem> {
    if preconditions::of_write(request)? == Precondition::None {
        return Ok(());
    }
    Err(Problem::new(Code::BadRequest, "If-Match and If-None-Match are for writes of one record"))
}
