//! The links of an account with providers: which there are, made by hand, taken away.

use auth::{People, audit, credential, identify, oauth as kept};
use http::{Response, StatusCode};
use model::{Code, Problem, identity::Method as Way};
use serde_json::{Value as Json, json};
use web::{Body, Request};

use crate::{
    Accounts, fields::Fields, freshly_signed_in, oauth::redeem, reply, require_method, sessions::moment, signed_in,
};

/// `GET /auth/oauth`: the links of the account, also with providers that the app has no more.
pub(crate) async fn list(accounts: &Accounts, request: &Request<'_>) -> Result<Response<Body>, Problem> {
    let (_, id) = signed_in(request)?;
    let rows = accounts.auth.store().own_read(kept::links(&id)).await?;
    let item = |row: &store::Row| {
        json!({
            "id": row.text(0),
            "issuer": row.text(1),
            "subject": row.text(2),
            "created_at": moment(row.integer(3)),
        })
    };
    let items: Vec<Json> = rows.iter().map(item).collect();
    Ok(reply::json(StatusCode::OK, &json!({ "items": items })))
}

/// `POST /auth/oauth/{name}/link`: the code for a link with one's own account.
pub(crate) async fn link(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
    name: &str,
) -> Result<Response<Body>, Problem> {
    require_method(people, Way::OAuth)?;
    let (_, id) = freshly_signed_in(request)?;
    accounts.providers.find(people, name)?;
    let mut fields = Fields::read(request).await?;
    let (code, verifier) = (fields.required("code"), fields.required("code_verifier"));
    fields.finish()?;
    let (proved, spend) = redeem(accounts, request, &code, &verifier).await?;
    if proved.provider != name {
        return Err(kept::wrong());
    }
    let mut statements = vec![spend];
    let rows = accounts.auth.store().own_read(kept::owner(&proved)).await?;
    // One's own already is as good as linked.
    if rows.first().and_then(|row| row.text(0)) != Some(&id) {
        let detail = json!({ "provider": name });
        statements.push(kept::link(&proved, &id, request.now));
        statements.push(audit::line("identity_linked", &request.caller(), &format!("user:{id}"), &detail));
        if let Some(person) = people.find(&accounts.engine, &id).await? {
            let what = format!("a sign-in with {name}");
            statements.extend(accounts.desk.tell("factor_added", &person, &what, request.now)?);
        }
    }
    accounts.auth.store().own(statements).await?;
    accounts.desk.wake();
    Ok(reply::empty())
}

/// `DELETE /auth/oauth/{name}/link`: the link goes, unless it is the last way in.
pub(crate) async fn unlink(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    name: &str,
) -> Result<Response<Body>, Problem> {
    let (_, id) = freshly_signed_in(request)?;
    let store = accounts.auth.store();
    let rows = store.own_read(kept::links(&id)).await?;
    if !rows.iter().any(|row| row.text(0) == Some(name)) {
        return Err(Problem::new(Code::NotFound, "your account is not linked to this provider"));
    }
    let person = people.find(&accounts.engine, &id).await?.ok_or_else(Problem::not_found)?;
    let mut statements = vec![
        // Two of these at once wait for each other here.
        identify::bump(&id, request.now),
        kept::unlink(&id, name),
    ];
    statements.extend(credential::way_in(people.settings()?, &person));
    let detail = json!({ "provider": name });
    statements.push(audit::line("identity_unlinked", &request.caller(), &person.actor(), &detail));
    let what = format!("The sign-in with {name}");
    statements.extend(accounts.desk.tell("factor_removed", &person, &what, request.now)?);
    store.own(statements).await?;
    accounts.desk.wake();
    Ok(reply::empty())
}
