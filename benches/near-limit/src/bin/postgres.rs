//! The hand-written server of `main.rs` on PostgreSQL, by axum and tokio-postgres: W1 to W3, with no features at all.
//!
//! Environment:
//! - `DATABASE`: a URL; its tables are those of `load/data.py` (`load_postgres`)
//! - `PORT`: 7004
//! - `CONNECTIONS`: 10, as many as Mainstay has

use std::{
    env,
    error::Error,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
    routing::get,
    serve::ListenerExt as _,
};
use bytes::Bytes;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use serde::{Deserialize, Serialize};
use tokio_postgres::{NoTls, Row};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SELECT_ONE: &str = "SELECT id, room_id, author_id, text, created FROM message WHERE id = $1";
const SELECT_NEWEST: &str = "SELECT id, room_id, author_id, text, created FROM message \
                             WHERE room_id = $1 ORDER BY created DESC LIMIT $2";
const INSERT: &str = "INSERT INTO message (room_id, author_id, text, created) VALUES ($1, $2, $3, $4) RETURNING id";

#[derive(Serialize)]
struct Message {
    id: i64,
    room_id: i64,
    author_id: i64,
    text: String,
    created: i64,
}

#[derive(Deserialize)]
struct NewMessage {
    room_id: i64,
    author_id: i64,
    text: String,
}

#[derive(Deserialize)]
struct ListParams {
    room_id: i64,
    limit: Option<i64>,
}

type Fault = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = env::var("PORT").map_or(Ok(7004), |port| port.parse())?;
    let connections = env::var("CONNECTIONS").map_or(Ok(10), |number| number.parse())?;
    let manager = Manager::from_config(
        env::var("DATABASE")?.parse()?,
        NoTls,
        ManagerConfig { recycling_method: RecyclingMethod::Fast },
    );
    let pool = Pool::builder(manager).max_size(connections).build()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let routes =
            Router::new().route("/messages", get(list).post(create)).route("/messages/{id}", get(one)).with_state(pool);
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        // A connection that refuses TCP_NODELAY is only slower; it still gets its answer.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        axum::serve(listener, routes).await?;
        Ok(())
    })
}

async fn one(State(pool): State<Pool>, Path(id): Path<i64>) -> Response {
    answer(StatusCode::OK, find_one(&pool, id).await)
}

async fn list(State(pool): State<Pool>, Query(params): Query<ListParams>) -> Response {
    answer(StatusCode::OK, find_newest(&pool, &params).await)
}

async fn create(State(pool): State<Pool>, body: Bytes) -> Response {
    answer(StatusCode::CREATED, insert(&pool, &body).await)
}

async fn find_one(pool: &Pool, id: i64) -> Result<Option<Vec<u8>>, Fault> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(SELECT_ONE).await?;
    let row = client.query_opt(&statement, &[&id]).await?;
    Ok(row.map(|row| serde_json::to_vec(&message_of(&row))).transpose()?)
}

async fn find_newest(pool: &Pool, params: &ListParams) -> Result<Option<Vec<u8>>, Fault> {
    let limit = params.limit.unwrap_or(20).clamp(1, 100);
    let client = pool.get().await?;
    let statement = client.prepare_cached(SELECT_NEWEST).await?;
    let rows = client.query(&statement, &[&params.room_id, &limit]).await?;
    let messages: Vec<Message> = rows.iter().map(message_of).collect();
    Ok(Some(serde_json::to_vec(&messages)?))
}

async fn insert(pool: &Pool, body: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
    let NewMessage { room_id, author_id, text } = serde_json::from_slice(body)?;
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let created = i64::try_from(since_1970.as_millis())?;
    let client = pool.get().await?;
    let statement = client.prepare_cached(INSERT).await?;
    let row = client.query_one(&statement, &[&room_id, &author_id, &text, &created]).await?;
    Ok(Some(serde_json::to_vec(&Message { id: row.get(0), room_id, author_id, text, created })?))
}

fn message_of(row: &Row) -> Message {
    Message { id: row.get(0), room_id: row.get(1), author_id: row.get(2), text: row.get(3), created: row.get(4) }
}

fn answer(status: StatusCode, body: Result<Option<Vec<u8>>, Fault>) -> Response {
    let (status, body) = match body {
        Ok(Some(body)) => (status, body),
        Ok(None) => (StatusCode::NOT_FOUND, b"{\"error\":\"not found\"}".to_vec()),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
