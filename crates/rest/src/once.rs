//! `Idempotency-Key`: what a client calls a request that it may send again.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use engine::{Done, Engine, Once, Outcome, Task};
use http::{HeaderValue, Response};
use model::{Code, Problem};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use web::{Body, Request};

use crate::answer::{Form, reply};

/// The header that brings a key.
const NAME: &str = "idempotency-key";
/// The most characters of a key.
const LONGEST: usize = 255;

/// Makes a write and answers it: where the request has a key, only if it was not made before. How many records a filter
/// means is known when they are changed, so what they cost beyond the request itself is charged then. `named` is what
/// [`digest_if_named`] says of the request, and nothing for one that is made anew each time.
pub(crate) async fn write(
    engine: &Engine,
    request: &mut Request<'_>,
    task: Task<'_>,
    named: Option<Vec<u8>>,
    form: Form,
) -> Result<Response<Body>, Problem> {
    let Some(digest) = named else {
        let done = engine.write(request.caller(), task).await?;
        request.owe(changed(&done));
        return Ok(reply(form.encode(done)));
    };
    let key = key(request)?;
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    let encode = move |done: Done| {
        counted.store(changed(&done), Ordering::Relaxed);
        form.encode(done)
    };
    let once = Once { key: key.to_owned(), path: request.path.to_owned(), request: digest, encode: Arc::new(encode) };
    match engine.write_once(request.caller(), task, &once).await? {
        Outcome::Made(kept) => {
            request.owe(count.load(Ordering::Relaxed));
            Ok(reply(kept))
        }
        Outcome::Again(kept) => {
            let mut reply = reply(kept);
            reply.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
            Ok(reply)
        }
    }
}

/// How many records a write by a filter has changed; other writes are charged before they are made.
fn changed(done: &Done) -> u32 {
    match done {
        Done::Count(count) => u32::try_from(*count).unwrap_or(u32::MAX),
        Done::One(_) | Done::Several { .. } | Done::Gone | Done::Batch(_) => 0,
    }
}

/// The key of a request.
///
/// # Errors
/// 400 for one that is empty, too long, no text, or stands twice.
fn key<'a>(request: &'a Request<'_>) -> Result<&'a str, Problem> {
    let bad = |detail: &str| Problem::new(Code::BadRequest, format!("Idempotency-Key {detail}"));
    let mut values = request.headers.get_all(NAME).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(bad("stands twice")) };
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| bad("is no text"))?;
    match text.chars().count() {
        1..=LONGEST => Ok(text),
        length => Err(bad(&format!("has 1 to {LONGEST} characters, not {length}"))),
    }
}

/// What differs where the method, the query or the body does; nothing for a request without a key.
pub(crate) fn digest_if_named(request: &Request<'_>, body: &Json) -> Option<Vec<u8>> {
    if !request.headers.contains_key(NAME) {
        return None;
    }
    let mut digest = Sha256::new();
    for part in [request.method.as_str(), request.query.unwrap_or(""), &body.to_string()] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    Some(digest.finalize().to_vec())
}
