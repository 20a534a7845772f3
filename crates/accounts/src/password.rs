//! Passwords: changed, forgotten, set anew.

use std::sync::Arc;

use auth::{
    People, Person, attempts::Try, audit, code, credential, device, identify, link, password::Password,
    session::Session,
};
use engine::AccountChange;
use http::Response;
use model::{Code, Problem, identity::Method as Way};
use serde_json::Value as Json;
use store::Beside;
use web::{Body, Request};

use crate::{Accounts, fields::Fields, reply, require_method, signed_in};

/// `POST /auth/password/change`
pub(crate) async fn change(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    require_method(people, Way::Password)?;
    let (session, id) = signed_in(request)?;
    let limits = people.settings()?.password;
    let mut fields = Fields::read(request).await?;
    let current = Password::new(&fields.required_either("current_password", "current"));
    let new = Password::new(&fields.required_either("password", "new_password"));
    if let Err(flaw) = new.check((limits.min, limits.max), "/password") {
        fields.flaw(flaw);
    }
    fields.finish()?;
    let wrong = || Problem::new(Code::Forbidden, "the current password is wrong");
    let person = people.find(&accounts.engine, &id).await?.ok_or_else(wrong)?;
    let counted = person.email.clone().unwrap_or_else(|| id.clone());
    let tried = Try { typed: &counted, account: Some(&id), address: request.address, device: Some(&session) };
    let attempt = accounts.auth.charge(tried, request.now).await?;
    let store = accounts.auth.store();
    let passwords = accounts.auth.passwords().await?;
    let kept = credential::find(&**store, &id).await?;
    let same = passwords.verify(&current, kept.as_deref()).await?;
    let Some(kept) = kept.filter(|_| same) else {
        accounts.auth.failures.add("password_change_failed", &person.actor(), &request.caller());
        return Err(wrong());
    };
    let hash = passwords.hash(&new).await?;
    let mut statements = attempt.give_back();
    statements.extend([
        credential::hold(&id, &kept, Some(&hash)),
        Session::end_all(&id, Some(&session)),
        link::forget(&id),
        code::forget(&id),
        device::forget(&id),
        identify::bump(&id, request.now),
        audit::line("password_changed", &request.caller(), &person.actor(), &Json::Null),
    ]);
    store.own(statements).await?;
    accounts.auth.person_changed(&id);
    tell(accounts, &person);
    Ok(reply::empty())
}

/// `POST /auth/password/forgot`: the answer is the same for everybody, and so is the way to it.
pub(crate) async fn forgot(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    require_method(people, Way::Password)?;
    let mut fields = Fields::read(request).await?;
    let email = fields.required("email");
    fields.finish()?;
    accounts.auth.attempts.count_call(request.address, request.now)?;
    let (desk, engine, auth) = (Arc::clone(&accounts.desk), Arc::clone(&accounts.engine), Arc::clone(&accounts.auth));
    let (people, caller) = (people.clone(), request.caller());
    accounts.behind("mail a link", async move {
        let Some(person) = people.find_by_email(&engine, &email).await? else { return Ok(()) };
        // To the address as it is stored: what was typed may only look like it.
        let (Some(address), Some(_)) = (&person.email, &person.identity) else { return Ok(()) };
        let (secret, mut statements) = link::reset(&person.id, address, false, caller.now);
        statements.push(audit::line("password_forgotten", &caller, &person.actor(), &Json::Null));
        auth.store().own(statements).await?;
        desk.reset(&people, address, &secret, caller.now).await
    });
    Ok(reply::accepted())
}

/// `POST /auth/password/reset`
pub(crate) async fn reset(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    let limits = people.settings()?.password;
    let mut fields = Fields::read(request).await?;
    let secret = fields.required_either("secret", "token");
    let new = Password::new(&fields.required("password"));
    if let Err(flaw) = new.check((limits.min, limits.max), "/password") {
        fields.flaw(flaw);
    }
    fields.finish()?;
    let attempt = accounts.auth.charge_address(request.address, request.now).await?;
    let store = accounts.auth.store();
    let rows = store.own_read(link::find_reset(&secret, request.now)).await?;
    let row = rows.first().ok_or_else(link::wrong)?;
    let (Some(id), Some(email)) = (row.text(0), row.text(1)) else { return Err(link::wrong()) };
    let person = people.find(&accounts.engine, id).await?.ok_or_else(link::wrong)?;
    let hash = accounts.auth.passwords().await?.hash(&new).await?;
    let caller = request.caller();
    let mut statements = vec![link::spend_reset(&secret, request.now)];
    statements.extend(attempt.give_back());
    // The link went to this address, so whoever has it has proved the address.
    let proves = !person.verified && person.email.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(email));
    if proves {
        statements.extend(credential::purge(&person.id));
    }
    statements.extend([
        credential::set(&person.id, &hash, request.now),
        Session::end_all(&person.id, None),
        link::forget(&person.id),
        code::forget(&person.id),
        device::forget(&person.id),
        identify::bump(&person.id, request.now),
        audit::line("password_reset", &caller, &person.actor(), &Json::Null),
    ]);
    if proves {
        let change = AccountChange::Email { id: person.key.clone(), email: None, verified: true };
        let beside = Beside { before: statements, ..Beside::default() };
        accounts.engine.keep_account(caller, change, beside).await?;
    } else {
        store.own(statements).await?;
    }
    accounts.auth.person_changed(&person.id);
    tell(accounts, &person);
    let mut reply = reply::empty();
    reply::clear_cookie(&mut reply, accounts.auth.cookies());
    Ok(reply)
}

/// Tells the owner by mail, which needs no waiting for.
fn tell(accounts: &Accounts, person: &Person) {
    if let Some(email) = &person.email
        && let Err(problem) = accounts.desk.tell("password_changed", email)
    {
        tracing::error!(cause = problem.cause, "nobody could be told of a changed password");
    }
}
