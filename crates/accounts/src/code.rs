//! Sign-in by a mailed code.

use auth::{
    People, audit,
    code::{self, Known, Purpose},
    credential, identify,
};
use engine::{AccountChange, Terms};
use http::Response;
use model::{
    Problem,
    identity::{Method as Way, SignUp},
};
use serde_json::{Value as Json, json};
use store::Beside;
use web::{Body, Request};

use crate::{
    Accounts,
    complete::{Entry, complete},
    errand::{Errand, Slip},
    fields::Fields,
    reply, require_method, sign_in,
    sign_up::{self, New},
};

/// `POST /auth/code/request`: the answer is the same for everybody, and so is the way to it.
pub(crate) async fn request(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    require_method(people, Way::EmailCode)?;
    let mut fields = Fields::read(request).await?;
    let email = fields.required("email");
    fields.finish()?;
    accounts.auth.attempts.count_call(request.address, request.now)?;
    let asked = code::ask(Purpose::SignIn, code::Way::Mail, None, &email, None, request.now);
    let errand = accounts.desk.lay_up(&Errand::SignIn { email, code: Slip::of(&asked) }, request.now)?;
    accounts.auth.store().own(vec![asked.insert, errand]).await?;
    accounts.desk.wake();
    Ok(reply::ticket(&asked.ticket))
}

/// `POST /auth/code/verify`
pub(crate) async fn verify(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    require_method(people, Way::EmailCode)?;
    let mut fields = Fields::read(request).await?;
    let (ticket, typed) = (fields.required("ticket"), fields.required("code"));
    fields.finish()?;
    let attempt = accounts.auth.charge_address(request.address, request.now).await?;
    let store = &**accounts.auth.store();
    let known = code::redeem(store, &[Purpose::SignIn], &ticket, &typed, request.now).await?;
    let amr = vec!["otp".to_owned()];
    let Some(person) = sign_in::find(accounts, people, &known.email).await? else {
        accounts.auth.give_back(&attempt).await?;
        return newcomer(accounts, request, people, known, amr).await;
    };
    if person.identity.is_none() {
        return Err(code::wrong());
    }
    let (person, before) = if person.verified {
        (person, vec![known.spend])
    } else {
        // Whoever made the account had not proved the address: what it laid up to come in by is taken from it.
        let mut statements = vec![known.spend];
        statements.extend(credential::purge(&person.id));
        statements.push(identify::bump(&person.id, request.now));
        statements.push(audit::line("email_verified", &request.caller(), &person.actor(), &Json::Null));
        let change = AccountChange::Email { id: person.key.clone(), email: None, verified: true };
        let beside = Beside { before: statements, ..Beside::default() };
        accounts.engine.keep_account(request.caller(), change, beside).await?;
        accounts.auth.person_changed(&person.id);
        (people.find(&accounts.engine, &person.id).await?.ok_or_else(code::wrong)?, Vec::new())
    };
    complete(
        accounts,
        request,
        people,
        Entry { person, amr, asks_factor: true, known_device: false, attempt: Some(attempt), before },
    )
    .await
}

/// Somebody without an account, where anybody may have one.
async fn newcomer(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    known: Known,
    amr: Vec<String>,
) -> Result<Response<Body>, Problem> {
    if people.settings()?.sign_up != SignUp::Open {
        return Err(code::wrong());
    }
    let new = New {
        body: json!({ "email": known.email }),
        terms: Terms { verified: true, ..Terms::default() },
        spend: vec![known.spend],
        hash: None,
        amr,
        identity: None,
    };
    sign_up::create(accounts, request, people, new).await
}
