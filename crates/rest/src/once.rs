//! `Idempotency-Key`: what a client calls a request that it may send again.

use std::sync::Arc;

use engine::{Engine, Once, Outcome, Task};
use http::{HeaderValue, Response};
use model::{Code, Problem};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use web::{Body, Request};

use crate::answer::{Form, reply};

/// The most characters of a key.
const LONGEST: usize = 255;

/// Makes a write and answers it: where the request has a key, only if it was not made before.
pub(crate) async fn write(
    engine: &Engine,
    request: &Request<'_>,
    task: Task<'_>,
    body: Option<&Json>,
    form: Form,
) -> Result<Response<Body>, Problem> {
    let key = match body {
        Some(_) => key(request)?,
        None => None,
    };
    let (Some(key), Some(body)) = (key, body) else {
        let done = engine.write(request.caller(), task).await?;
        return Ok(reply(form.encode(&done)));
    };
    let once = Once {
        key: key.to_owned(),
        path: request.path.to_owned(),
        request: digest(request, body),
        encode: Arc::new(move |done| form.encode(done)),
    };
    match engine.write_once(request.caller(), task, &once).await? {
        Outcome::Made(kept) => Ok(reply(kept)),
        Outcome::Again(kept) => {
            let mut reply = reply(kept);
            reply.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
            Ok(reply)
        }
    }
}

/// The key of a request.
///
/// # Errors
/// 400 for one that is empty, too long, no text, or stands twice.
fn key<'a>(request: &'a Request<'_>) -> Result<Option<&'a str>, Problem> {
    let bad = |detail: &str| Problem::new(Code::BadRequest, format!("Idempotency-Key {detail}"));
    let mut values = request.headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(bad("stands twice"));
    }
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| bad("is no text"))?;
    match text.chars().count() {
        1..=LONGEST => Ok(Some(text)),
        length => Err(bad(&format!("has 1 to {LONGEST} characters, not {length}"))),
    }
}

/// Differs where the method, the query or the body does.
fn digest(request: &Request<'_>, body: &Json) -> Vec<u8> {
    let mut digest = Sha256::new();
    for part in [request.method.as_str(), request.query.unwrap_or(""), &body.to_string()] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().to_vec()
}
