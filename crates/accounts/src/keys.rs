//! API keys of people: for programs that act in their place, within scopes.

use auth::{
    api_key::{self, Draft},
    audit,
};
use http::{HeaderValue, Response, StatusCode, header};
use model::{Flaw, Problem, caller::Identity};
use serde_json::{Value as Json, json};
use store::Row;
use web::{Body, Request};

use crate::{Accounts, fields::Fields, freshly_signed_in, reply, sessions::moment, signed_in};

/// The most keys that one person has.
const MOST: i64 = 100;

/// `GET /auth/keys`
pub(crate) async fn list(accounts: &Accounts, request: &Request<'_>) -> Result<Response<Body>, Problem> {
    let (_, person) = signed_in(request)?;
    let rows = accounts.auth.store().own_read(api_key::of_person(&person, MOST)).await?;
    let items: Vec<Json> = rows.iter().map(shown).collect();
    Ok(reply::json(StatusCode::OK, &json!({ "items": items })))
}

fn shown(row: &Row) -> Json {
    let list = |column| row.text(column).and_then(|text| serde_json::from_str::<Json>(text).ok()).unwrap_or_default();
    json!({
        "id": row.text(0),
        "name": row.text(1),
        "scopes": list(2),
        "roles": list(3),
        "created_at": moment(row.integer(4)),
        "expires_at": moment(row.integer(5)),
        "used_at": moment(row.integer(6)),
    })
}

/// `POST /auth/keys`: the only answer that shows the key.
pub(crate) async fn create(accounts: &Accounts, request: &mut Request<'_>) -> Result<Response<Body>, Problem> {
    let (_, person) = freshly_signed_in(request)?;
    let mut fields = Fields::read(request).await?;
    let (name, expires_at) = (fields.required("name"), fields.text("expires_at"));
    let scopes = fields.texts("scopes");
    let roles = fields.texts_or_none("roles");
    if !api_key::is_name(&name) && !fields.is_flawed("/name") {
        fields.flaw(Flaw::pointer("/name", "name", api_key::NAME));
    }
    check_scopes(accounts, &scopes, &mut fields);
    check_roles(&request.identity, roles.as_deref(), &mut fields);
    let expires_at = expiry(expires_at.as_deref(), request.now, &mut fields);
    fields.finish()?;
    let draft = Draft::new(&name, &scopes, roles.as_deref(), expires_at, request.now);
    let detail = json!({ "key": draft.id, "name": name, "scopes": scopes });
    let statements = vec![
        // Two at once wait for each other here, so that the count holds.
        auth::identify::bump(&person, request.now),
        api_key::hold_count(&person, MOST - 1),
        draft.insert(Some(&person)),
        audit::line("key_made", &request.caller(), &format!("user:{person}"), &detail),
    ];
    accounts.auth.store().own(statements).await?;
    let body = json!({
        "id": draft.id, "name": name, "key": draft.text, "scopes": scopes, "roles": roles,
        "created_at": moment(Some(request.now)), "expires_at": moment(expires_at), "used_at": null,
    });
    let mut reply = reply::json(StatusCode::CREATED, &body);
    if let Ok(location) = HeaderValue::from_str(&format!("/auth/keys/{}", draft.id)) {
        reply.headers_mut().insert(header::LOCATION, location);
    }
    Ok(reply)
}

/// `DELETE /auth/keys/{id}`
pub(crate) async fn delete(accounts: &Accounts, request: &Request<'_>, id: &str) -> Result<Response<Body>, Problem> {
    let (_, person) = signed_in(request)?;
    let statements = vec![
        api_key::delete(id, &person).or_else(Problem::not_found()),
        auth::identify::bump(&person, request.now),
        audit::line("key_deleted", &request.caller(), &format!("user:{person}"), &json!({ "key": id })),
    ];
    accounts.auth.store().own(statements).await?;
    accounts.auth.person_changed(&person);
    Ok(reply::empty())
}

/// A scope names a resource that there is.
fn check_scopes(accounts: &Accounts, scopes: &[String], fields: &mut Fields) {
    if scopes.is_empty() {
        fields.flaw(Flaw::pointer(
            "/scopes",
            "required",
            "name what the key may do, as in [\"posts:read\"], or [\"*:read\", \"*:write\"]",
        ));
    }
    let gate = accounts.engine.gate();
    for (position, scope) in scopes.iter().enumerate() {
        if let Some(detail) = api_key::scope_flaw(&gate.catalog().schema, scope) {
            fields.flaw(Flaw::pointer(format!("/scopes/{position}"), "scope", detail));
        }
    }
}

/// A key's roles are some of its owner's.
fn check_roles(owner: &Identity, roles: Option<&[String]>, fields: &mut Fields) {
    for (position, role) in roles.unwrap_or_default().iter().enumerate() {
        if !owner.roles.contains(role) {
            fields.flaw(Flaw::pointer(
                format!("/roles/{position}"),
                "role",
                format!("you don't have the role `{role}`"),
            ));
        }
    }
}

fn expiry(text: Option<&str>, now: i64, fields: &mut Fields) -> Option<i64> {
    let text = text?;
    match model::time::parse_datetime(text) {
        Some(moment) if moment > now => Some(moment),
        Some(_) => {
            fields.flaw(Flaw::pointer("/expires_at", "past", "expected a moment in the future"));
            None
        }
        None => {
            fields.flaw(Flaw::pointer("/expires_at", "datetime", "expected a moment in the future (RFC 3339)"));
            None
        }
    }
}
