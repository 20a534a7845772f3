//! A hand-written CRUD server on axum and SQLite with no features at all: no rules, no validation, no log.
//!
//! It is the yardstick. What it reaches is near the limit of what HTTP and SQLite allow on the machine, so
//! the share of it that Mainstay reaches says what Mainstay's features cost.
//!
//! Environment:
//! - `DB`: a database made by `load/data.py` (required)
//! - `PORT`: 7002
//! - `READERS`: `2`, a number of reader threads, or `inline` to read on the thread that serves the request
//! - `SYNC`: `FULL` or `NORMAL`, SQLite's `synchronous`
//! - `SECRET`: what signs the tokens of `/secure` (HS256); without it nobody gets in

mod read;
mod write;

use std::{env, error::Error, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
    routing::{get, post},
    serve::ListenerExt as _,
};
use bytes::Bytes;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};

use crate::{
    read::{Read, Reader},
    write::{NewMessage, Writer},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A row of `message`, as it is answered.
#[derive(Serialize)]
struct Message {
    id: i64,
    room_id: i64,
    author_id: i64,
    text: String,
    /// Milliseconds since 1970.
    created: i64,
}

/// A message with its author beside it.
#[derive(Serialize)]
struct Expanded {
    id: i64,
    room_id: i64,
    author_id: i64,
    text: String,
    created: i64,
    expand: Beside,
}

#[derive(Serialize)]
struct Beside {
    author: User,
}

#[derive(Serialize)]
struct User {
    id: i64,
    name: String,
}

#[derive(Deserialize)]
struct ListParams {
    room_id: i64,
    limit: Option<i64>,
    /// `author`, the only one there is.
    expand: Option<String>,
}

/// What a token says: whose it is. Its time is checked, too.
#[derive(Deserialize)]
struct Claims {
    sub: String,
}

struct App {
    reader: Reader,
    writer: Writer,
    database: String,
    key: Option<DecodingKey>,
    validation: Validation,
}

fn main() -> Result<(), Box<dyn Error>> {
    let database = env::var("DB").map_err(|_| "DB must name a database made by load/data.py")?;
    let port: u16 = env::var("PORT").map_or(Ok(7002), |port| port.parse())?;
    let readers = env::var("READERS").unwrap_or_else(|_| "2".to_owned());
    let synchronous = env::var("SYNC").unwrap_or_else(|_| "FULL".to_owned());
    // The writer comes first: it turns the journal to WAL before any reader looks.
    let writer = Writer::open(&database, &synchronous)?;
    let reader = Reader::open(&database, &readers)?;
    let key = env::var("SECRET").ok().map(|secret| DecodingKey::from_secret(secret.as_bytes()));
    let validation = Validation::new(Algorithm::HS256);
    let app = Arc::new(App { reader, writer, database, key, validation });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let routes = Router::new()
            .route("/messages", get(list).post(create))
            .route("/messages/export", get(export))
            .route("/messages/{id}", get(one))
            .route("/secure/messages/{id}", get(secure))
            .route("/batch", post(batch))
            .with_state(app);
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        // A connection that refuses TCP_NODELAY is only slower; it still gets its answer.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        axum::serve(listener, routes).await?;
        Ok(())
    })
}

async fn one(State(app): State<Arc<App>>, Path(id): Path<i64>) -> Response {
    found(app.reader.read(Read::One { id }).await)
}

/// A message of a room that the token's owner is a member of.
async fn secure(State(app): State<Arc<App>>, headers: HeaderMap, Path(id): Path<i64>) -> Response {
    let Some(user) = user_of(&app, &headers) else {
        return json(StatusCode::UNAUTHORIZED, b"{\"error\":\"no token\"}".to_vec());
    };
    found(app.reader.read(Read::Secure { id, user }).await)
}

/// Whose token it is, verified anew for each request, as hand-written servers do.
fn user_of(app: &App, headers: &HeaderMap) -> Option<i64> {
    let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    let claims = jsonwebtoken::decode::<Claims>(token, app.key.as_ref()?, &app.validation).ok()?.claims;
    claims.sub.parse().ok()
}

async fn list(State(app): State<Arc<App>>, Query(params): Query<ListParams>) -> Response {
    let limit = params.limit.unwrap_or(20).clamp(1, 100);
    found(app.reader.read(Read::List { room: params.room_id, limit, expand: params.expand.is_some() }).await)
}

async fn export(State(app): State<Arc<App>>) -> Response {
    let mut chunks = read::export(app.database.clone());
    let stream = futures_util::stream::poll_fn(move |context| {
        chunks.poll_recv(context).map(|chunk| chunk.map(Ok::<_, std::convert::Infallible>))
    });
    let mut response = Response::new(Body::from_stream(stream));
    let kind = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

async fn batch(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let Ok(new) = serde_json::from_slice::<Vec<NewMessage>>(&body) else {
        return json(StatusCode::BAD_REQUEST, b"{\"error\":\"bad body\"}".to_vec());
    };
    let stored = app.writer.insert_all(new).await;
    match stored.and_then(|messages| serde_json::to_vec(&messages).ok()) {
        Some(body) => json(StatusCode::OK, body),
        None => json(StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
    }
}

async fn create(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let Ok(new) = serde_json::from_slice::<NewMessage>(&body) else {
        return json(StatusCode::BAD_REQUEST, b"{\"error\":\"bad body\"}".to_vec());
    };
    let stored = app.writer.insert(new).await;
    match stored.and_then(|message| serde_json::to_vec(&message).ok()) {
        Some(body) => json(StatusCode::CREATED, body),
        None => json(StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
    }
}

fn found(body: Option<Vec<u8>>) -> Response {
    match body {
        Some(body) => json(StatusCode::OK, body),
        None => json(StatusCode::NOT_FOUND, b"{\"error\":\"not found\"}".to_vec()),
    }
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
