//! Where somebody is signed in.

use auth::session::Session;
use http::{Response, StatusCode};
use model::Problem;
use serde_json::{Value as Json, json};
use store::{Row, Statement};
use web::{Body, Request};

use crate::{Accounts, refresh::end_sessions, reply, signed_in};

/// The most sessions that are listed, the latest first.
const MOST: i64 = 200;

/// `GET /auth/sessions`
pub(crate) async fn list(accounts: &Accounts, request: &Request<'_>) -> Result<Response<Body>, Problem> {
    let (current, person) = signed_in(request)?;
    let query = Statement::new(
        "SELECT id, kind, amr, address, agent, created_at, used_at, expires_at FROM _auth_sessions \
         WHERE person = $1 AND expires_at > $2 ORDER BY used_at DESC, id LIMIT $3",
        [person.into(), request.now.into(), MOST.into()],
    );
    let rows = accounts.auth.store().own_read(query).await?;
    let items: Vec<Json> = rows.iter().map(|row| shown(row, &current)).collect();
    Ok(reply::json(StatusCode::OK, &json!({ "items": items })))
}

fn shown(row: &Row, current: &str) -> Json {
    let text = |column| row.text(column).unwrap_or_default();
    let amr: Vec<&str> = text(2).split(' ').filter(|word| !word.is_empty()).collect();
    json!({
        "id": text(0),
        "current": text(0) == current,
        "kind": text(1),
        "amr": amr,
        "address": text(3),
        "agent": text(4),
        "created_at": moment(row.integer(5)),
        "used_at": moment(row.integer(6)),
        "expires_at": moment(row.integer(7)),
    })
}

/// A moment as RFC 3339.
pub(crate) fn moment(micros: Option<i64>) -> Json {
    micros.map(model::time::format_datetime).into()
}

/// `DELETE /auth/sessions/{id}`
pub(crate) async fn end(accounts: &Accounts, request: &Request<'_>, id: &str) -> Result<Response<Body>, Problem> {
    let (current, person) = signed_in(request)?;
    let end = Session::end(id, &person).or_else(Problem::not_found());
    end_sessions(accounts, &request.caller(), &person, vec![end], &json!({ "session": id })).await?;
    let mut reply = reply::empty();
    if id == current {
        reply::clear_cookie(&mut reply, accounts.auth.cookies());
    }
    Ok(reply)
}
