//! Passwords: changed, forgotten, set anew.

use auth::{
    People, attempts::Try, audit, code, credential, device, identify, link, password::Password, session::Session,
};
use engine::AccountChange;
use http::Response;
use model::{Code, Problem, identity::Method as Way};
use serde_json::Value as Json;
use store::Beside;
use web::{Body, Request};

use crate::{
    Accounts,
    errand::{Asker, Errand},
    fields::Fields,
    note_failure, reply, require_method, signed_in,
};

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
    let passwords = accounts.auth.passwords();
    let kept = credential::find(&**store, &id).await?;
    let same = passwords.verify(&current, kept.as_deref()).await?;
    let Some(kept) = kept.filter(|_| same) else {
        note_failure(accounts, request, "password_change_failed", &person.actor());
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
    statements.extend(accounts.desk.tell("password_changed", &person, "", request.now)?);
    store.own(statements).await?;
    accounts.auth.person_changed(&id);
    accounts.desk.wake();
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
    // Kept before it is promised; whom it reaches is found out later.
    let errand = Errand::Reset { email, asker: Asker::of(&request.caller()) };
    let errand = accounts.desk.lay_up(&errand, request.now)?;
    accounts.auth.store().own(vec![errand]).await?;
    accounts.desk.wake();
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
    let hash = accounts.auth.passwords().hash(&new).await?;
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
    statements.extend(accounts.desk.tell("password_changed", &person, "", request.now)?);
    if proves {
        let change = AccountChange::Email { id: person.key.clone(), email: None, verified: true };
        let beside = Beside { before: statements, ..Beside::default() };
        accounts.engine.keep_account(caller, change, beside).await?;
    } else {
        store.own(statements).await?;
    }
    accounts.auth.person_changed(&person.id);
    accounts.desk.wake();
    let mut reply = reply::empty();
    reply::clear_cookie(&mut reply, accounts.auth.cookies());
    Ok(reply)
}
