//! Second factors: authenticator apps, recovery codes, and the list of all that somebody has.

use auth::{People, audit, code, credential, identify, passkeys, recovery, session::Session, totp};
use http::{Response, StatusCode};
use model::{Code, Problem};
use serde_json::{Value as Json, json};
use store::Row;
use web::{Body, Request};

use crate::{Accounts, fields::Fields, freshly_signed_in, reply, sessions::moment, signed_in};

/// What stands for the recovery codes in `/auth/factors/{id}`.
const RECOVERY: &str = "recovery_codes";

/// `GET /auth/factors`
pub(crate) async fn list(accounts: &Accounts, request: &Request<'_>) -> Result<Response<Body>, Problem> {
    let (_, person) = signed_in(request)?;
    let store = accounts.auth.store();
    let apps = store.own_read(totp::find(&person)).await?;
    let codes = store.own_read(recovery::find(&person)).await?;
    let keys = store.own_read(passkeys::of_person(&person)).await?;
    let mut items: Vec<Json> = apps
        .iter()
        .map(|row| item(row.text(0), "totp", Some("Authenticator app"), row.integer(1), row.integer(2)))
        .collect();
    items.extend(keys.iter().map(passkey));
    items.extend(codes.first().filter(|row| row.integer(0) > Some(0)).map(|row| {
        let mut item = item(Some(RECOVERY), RECOVERY, Some("Recovery codes"), row.integer(2), row.integer(3));
        item["left"] = row.integer(1).into();
        item
    }));
    Ok(reply::json(StatusCode::OK, &json!({ "items": items })))
}

fn passkey(row: &Row) -> Json {
    item(row.text(0), "passkey", row.text(1), row.integer(2), row.integer(3))
}

/// A factor as its owner sees it.
pub(crate) fn item(id: Option<&str>, kind: &str, name: Option<&str>, created: Option<i64>, used: Option<i64>) -> Json {
    json!({ "id": id, "kind": kind, "name": name, "created_at": moment(created), "used_at": moment(used) })
}

/// `POST /auth/totp/enroll`
pub(crate) async fn enrol(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    let (_, id) = freshly_signed_in(request)?;
    Fields::read(request).await?.finish()?;
    let person = people.find(&accounts.engine, &id).await?.ok_or_else(Problem::not_found)?;
    let account = person.email.as_deref().unwrap_or(&id);
    let enrolment = totp::enrol(accounts.auth.master()?, &id, account, accounts.desk.host(), request.now)?;
    accounts.auth.store().own(vec![enrolment.insert]).await?;
    Ok(reply::json(StatusCode::OK, &json!({ "secret": enrolment.secret, "uri": enrolment.uri })))
}

/// `POST /auth/totp/confirm`
pub(crate) async fn confirm(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    let (_, id) = freshly_signed_in(request)?;
    let mut fields = Fields::read(request).await?;
    let typed = fields.required("code");
    fields.finish()?;
    let person = people.find(&accounts.engine, &id).await?.ok_or_else(Problem::not_found)?;
    let attempt = accounts.auth.charge_address(request.address, request.now).await?;
    let store = accounts.auth.store();
    let confirm = totp::confirm(&**store, accounts.auth.master()?, &id, &typed, request.now).await?;
    accounts.auth.give_back(&attempt).await?;
    let (codes, made) = recovery::make(&id, request.now);
    let mut statements = vec![confirm];
    statements.extend(made);
    // Sign-ins that wait for a mailed code were begun without the new factor.
    statements.push(code::forget(&id));
    statements.push(audit::line("factor_added", &request.caller(), &person.actor(), &json!({ "factor": "totp" })));
    statements.extend(accounts.desk.tell("factor_added", &person, "an authenticator app", request.now)?);
    store.own(statements).await?;
    accounts.desk.wake();
    Ok(reply::json(StatusCode::OK, &json!({ RECOVERY: codes })))
}

/// `POST /auth/recovery-codes`
pub(crate) async fn recovery_codes(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    let (_, id) = freshly_signed_in(request)?;
    Fields::read(request).await?.finish()?;
    let person = people.find(&accounts.engine, &id).await?.ok_or_else(Problem::not_found)?;
    let none = Problem::new(Code::Conflict, "recovery codes stand in for an authenticator app, and there is none");
    let (codes, made) = recovery::make(&id, request.now);
    let mut statements = vec![totp::find(&id).or_else(none)];
    statements.extend(made);
    let detail = json!({ "factor": RECOVERY });
    statements.push(audit::line("factor_added", &request.caller(), &person.actor(), &detail));
    statements.extend(accounts.desk.tell("factor_added", &person, "new recovery codes", request.now)?);
    accounts.auth.store().own(statements).await?;
    accounts.desk.wake();
    Ok(reply::json(StatusCode::OK, &json!({ RECOVERY: codes })))
}

/// `DELETE /auth/factors/{id}`: the other sessions end, since what is taken away may be in the wrong hands.
pub(crate) async fn remove(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    factor: &str,
) -> Result<Response<Body>, Problem> {
    let (session, id) = freshly_signed_in(request)?;
    let person = people.find(&accounts.engine, &id).await?.ok_or_else(Problem::not_found)?;
    let store = accounts.auth.store();
    let is_app = store.own_read(totp::find(&id)).await?.first().is_some_and(|row| row.text(0) == Some(factor));
    let (kind, shown, removal) = if is_app {
        ("totp", "The authenticator app", vec![totp::remove(&id, factor), recovery::forget(&id)])
    } else if factor == RECOVERY {
        let known = recovery::exist(&id).or_else(Problem::not_found());
        (RECOVERY, "The recovery codes", vec![known, recovery::forget(&id)])
    } else {
        let mut removal = vec![passkeys::remove(&id, factor)];
        removal.extend(credential::way_in(people.settings()?, &person));
        ("passkey", "A passkey", removal)
    };
    // First of all, since it makes those wait who take another way in from the same person.
    let mut statements = vec![identify::bump(&id, request.now)];
    statements.extend(removal);
    statements.push(Session::end_all(&id, Some(&session)));
    statements.push(code::forget(&id));
    let detail = json!({ "factor": kind, "id": factor });
    statements.push(audit::line("factor_removed", &request.caller(), &person.actor(), &detail));
    statements.extend(accounts.desk.tell("factor_removed", &person, shown, request.now)?);
    store.own(statements).await?;
    accounts.auth.person_changed(&id);
    accounts.desk.wake();
    Ok(reply::empty())
}
