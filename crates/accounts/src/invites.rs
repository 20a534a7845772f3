//! Invitations, by administrators.

use auth::{People, audit, link};
use http::{Response, StatusCode};
use model::{Code, Flaw, Problem, accept_field, identity::SignUp};
use serde_json::{Value as Json, json};
use store::{Row, Statement};
use web::{Body, Request};

use crate::{Accounts, errand::Errand, fields::Fields, reply, sessions::moment, signed_in};

/// The most invitations that are listed, the latest first.
const MOST: i64 = 1_000;

/// `GET /auth/invites`
pub(crate) async fn list(accounts: &Accounts, request: &Request<'_>) -> Result<Response<Body>, Problem> {
    administrator(request)?;
    let query = Statement::new(
        "SELECT id, email, roles, created_by, created_at, expires_at FROM _auth_invites WHERE expires_at > $1 \
         ORDER BY created_at DESC, id LIMIT $2",
        [request.now.into(), MOST.into()],
    );
    let rows = accounts.auth.store().own_read(query).await?;
    let items: Vec<Json> = rows.iter().map(shown).collect();
    Ok(reply::json(StatusCode::OK, &json!({ "items": items })))
}

fn shown(row: &Row) -> Json {
    let roles: Json = serde_json::from_str(row.text(2).unwrap_or("[]")).unwrap_or_default();
    json!({
        "id": row.text(0),
        "email": row.text(1),
        "roles": roles,
        "created_by": row.text(3),
        "created_at": moment(row.integer(4)),
        "expires_at": moment(row.integer(5)),
    })
}

/// `POST /auth/invites`
pub(crate) async fn create(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    let by = administrator(request)?;
    if people.settings()?.sign_up == SignUp::Closed {
        let detail = "sign-up is closed, so an invitation would be of no use: `sign_up = \"invite\"` in [auth] opens it to the invited";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let mut fields = Fields::read(request).await?;
    let (email, roles) = (fields.required("email"), fields.texts("roles"));
    let (resource, settings) = people.resource()?;
    let mut flaws = Vec::new();
    if !fields.is_flawed("/email") {
        accept_field(resource.get(settings.fields.email), &email.as_str().into(), "email", &mut flaws);
    }
    if !fields.is_flawed("/roles") {
        accept_field(resource.get(settings.fields.roles), &Json::from(roles.clone()), "roles", &mut flaws);
    }
    flaws.into_iter().for_each(|flaw| fields.flaw(flaw));
    if people.find_by_email(&accounts.engine, &email).await?.is_some() {
        fields.flaw(Flaw::pointer("/email", "unique", "this address has an account already"));
    }
    fields.finish()?;
    let (id, secret, mut statements) = link::invite(&email, &roles, &by, request.now);
    let detail = json!({ "invite": id, "email": email, "roles": roles });
    statements.push(audit::line("invited", &request.caller(), &format!("invite:{id}"), &detail));
    statements.push(accounts.desk.lay_up(&Errand::Invite { email: email.clone(), secret }, request.now)?);
    accounts.auth.store().own(statements).await?;
    accounts.desk.wake();
    let body = json!({
        "id": id,
        "email": email,
        "roles": roles,
        "created_by": by,
        "created_at": moment(Some(request.now)),
        "expires_at": moment(Some(request.now + link::INVITE)),
    });
    Ok(reply::json(StatusCode::CREATED, &body))
}

/// `DELETE /auth/invites/{id}`
pub(crate) async fn delete(accounts: &Accounts, request: &Request<'_>, id: &str) -> Result<Response<Body>, Problem> {
    administrator(request)?;
    let gone = Statement::new("DELETE FROM _auth_invites WHERE id = $1", [id.into()]).or_else(Problem::not_found());
    let line = audit::line("invite_withdrawn", &request.caller(), &format!("invite:{id}"), &Json::Null);
    accounts.auth.store().own(vec![gone, line]).await?;
    Ok(reply::empty())
}

/// # Errors
/// 401 and 403 for all but administrators who are signed in.
fn administrator(request: &Request<'_>) -> Result<String, Problem> {
    let (_, _) = signed_in(request)?;
    if !request.identity.is_admin() {
        return Err(Problem::new(Code::Forbidden, "only administrators invite"));
    }
    Ok(request.identity.actor.clone().unwrap_or_default())
}
