//! GET and HEAD.

use engine::{Engine, Target};
use http::{HeaderValue, Response, StatusCode, header};
use model::{Code, Problem};
use rules::export::Form;
use web::{Body, Request, accepts, choose, json_reply, preconditions, without_body_for_head};

use crate::{export, query};

pub(crate) const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// What a list can be answered as, the usual one first.
const LIST_TYPES: [&str; 3] = ["application/json", "application/x-ndjson", "text/csv"];

/// `GET /api/{resource}`
pub(crate) async fn list(
    engine: &Engine,
    request: &mut Request<'_>,
    resource: &str,
) -> Result<Response<Body>, Problem> {
    let form = match choose(request.headers, &LIST_TYPES) {
        Some(0) => None,
        Some(1) => Some(Form::Ndjson),
        Some(_) => Some(Form::Csv { guarded: false }),
        None => {
            let detail = format!("this is available as {}", LIST_TYPES.join(", "));
            return Err(Problem::new(Code::NotAcceptable, detail));
        }
    };
    if let Some(form) = form {
        return export::answer(engine, request, resource, form).await;
    }
    let asked = query::of_list(request.query)?;
    let answer =
        engine.list(request.caller(), resource, asked).await.map_err(|problem| web::suggest(problem, &query::NAMES))?;
    let mut reply = answered(request, answer.body, &answer.tag);
    reply.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    if let Some(next) = answer.next {
        let link = next_link(request, &next);
        if let Ok(link) = HeaderValue::from_str(&link) {
            reply.headers_mut().insert(header::LINK, link);
        }
    }
    Ok(without_body_for_head(request, reply))
}

/// `GET /api/{resource}/{id}`
pub(crate) async fn one(
    engine: &Engine,
    request: &mut Request<'_>,
    target: Target<'_>,
) -> Result<Response<Body>, Problem> {
    json_accepted(request)?;
    let asked = query::of_record(request.query)?;
    let answer = engine.get(request.caller(), target, asked).await?;
    let reply = answered(request, answer.body, &answer.tag);
    Ok(without_body_for_head(request, reply))
}

/// The answer with its entity tag, or 304 where the client has it already.
fn answered(request: &Request<'_>, body: Vec<u8>, tag: &str) -> Response<Body> {
    let mut reply = if preconditions::is_known(request.headers, tag) {
        let mut reply = Response::new(Body::empty());
        *reply.status_mut() = StatusCode::NOT_MODIFIED;
        reply
    } else {
        json_reply(StatusCode::OK, body)
    };
    reply.headers_mut().insert(header::CACHE_CONTROL, PRIVATE);
    if let Ok(tag) = HeaderValue::from_str(tag) {
        reply.headers_mut().insert(header::ETAG, tag);
    }
    reply
}

/// # Errors
/// 406 where the client takes no JSON.
pub(crate) fn json_accepted(request: &Request<'_>) -> Result<(), Problem> {
    if accepts(request.headers, "application/json") {
        return Ok(());
    }
    Err(Problem::new(Code::NotAcceptable, "this is available as application/json"))
}

/// The same list, one page on (RFC 8288).
fn next_link(request: &Request<'_>, cursor: &str) -> String {
    let kept = request.query.unwrap_or("").split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or("");
        !pair.is_empty() && name != "cursor" && name != "offset"
    });
    let query: Vec<&str> = kept.collect();
    let separator = if query.is_empty() { "" } else { "&" };
    format!("<{}?{}{separator}cursor={cursor}>; rel=\"next\"", request.path, query.join("&"))
}
