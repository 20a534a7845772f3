//! The address of an account: proved, changed. By code and ticket, never by a link alone: a click would confirm what a stranger
//! began.

use auth::{
    People, Person, audit,
    code::{self, Known, Purpose},
    identify,
};
use engine::AccountChange;
use http::{Response, StatusCode};
use model::{Flaw, Problem, accept_field};
use rules::query::Query;
use serde_json::Value as Json;
use store::Beside;
use web::{Body, Request, json_reply};

use crate::{
    Accounts,
    errand::{Errand, Slip},
    fields::Fields,
    freshly_signed_in, reply, sign_up, signed_in,
};

/// `POST /auth/email/verify`: with a ticket and its code what was asked for is done; without, a code is mailed to the own
/// address.
pub(crate) async fn verify(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    let mut fields = Fields::read(request).await?;
    let (ticket, typed) = (fields.text("ticket"), fields.text("code"));
    match (ticket, typed) {
        (Some(ticket), Some(typed)) => {
            fields.finish()?;
            let purposes = [Purpose::SignUp, Purpose::VerifyEmail, Purpose::ChangeEmail];
            redeem(accounts, request, people, &purposes, &ticket, &typed).await
        }
        (None, None) => {
            fields.finish()?;
            let (_, id) = signed_in(request)?;
            let person = people.find(&accounts.engine, &id).await?.ok_or_else(Problem::not_found)?;
            let email = person.email.clone().ok_or_else(Problem::not_found)?;
            ask(accounts, request, Purpose::VerifyEmail, "verify_email", &person, email).await
        }
        (ticket, _) => {
            let missing = if ticket.is_some() { "code" } else { "ticket" };
            fields.flaw(Flaw::pointer(format!("/{missing}"), "required", format!("{missing} is required")));
            fields.finish()?;
            Err(code::wrong())
        }
    }
}

/// `POST /auth/email/change`: with `email` a code is mailed there; with the ticket and the code it becomes the address.
pub(crate) async fn change(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    let mut fields = Fields::read(request).await?;
    let (email, ticket, typed) = (fields.text("email"), fields.text("ticket"), fields.text("code"));
    if let (None, Some(ticket), Some(typed)) = (&email, &ticket, &typed) {
        fields.finish()?;
        return redeem(accounts, request, people, &[Purpose::ChangeEmail], ticket, typed).await;
    }
    let (_, id) = freshly_signed_in(request)?;
    for (name, given) in [("ticket", ticket.is_some()), ("code", typed.is_some())] {
        if email.is_some() && given {
            let detail = format!("{name} goes with another call: first the address, then ticket and code");
            fields.flaw(Flaw::pointer(format!("/{name}"), "unknown", detail));
        }
    }
    let (resource, settings) = people.resource()?;
    let mut flaws = Vec::new();
    let declared = resource.get(settings.fields.email);
    let accepted = email.as_ref().map(|email| accept_field(declared, &email.as_str().into(), "email", &mut flaws));
    if accepted.is_none() {
        flaws.push(Flaw::pointer("/email", "required", "email is required, or `ticket` and `code`"));
    }
    flaws.into_iter().for_each(|flaw| fields.flaw(flaw));
    fields.finish()?;
    let person = people.find(&accounts.engine, &id).await?.ok_or_else(Problem::not_found)?;
    ask(accounts, request, Purpose::ChangeEmail, "change_email", &person, email.unwrap_or_default()).await
}

/// Mails a code; that the address is another's shows nowhere but in its own mailbox.
async fn ask(
    accounts: &Accounts,
    request: &Request<'_>,
    purpose: Purpose,
    template: &'static str,
    person: &Person,
    email: String,
) -> Result<Response<Body>, Problem> {
    let asked = code::ask(purpose, code::Way::Mail, Some(&person.id), &email, None, request.now);
    let errand =
        Errand::Prove { template: template.to_owned(), person: person.id.clone(), email, code: Slip::of(&asked) };
    let errand = accounts.desk.lay_up(&errand, request.now)?;
    accounts.auth.store().own(vec![asked.insert, errand]).await?;
    accounts.desk.wake();
    Ok(reply::ticket(&asked.ticket))
}

async fn redeem(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    purposes: &[Purpose],
    ticket: &str,
    typed: &str,
) -> Result<Response<Body>, Problem> {
    let attempt = accounts.auth.charge_address(request.address, request.now).await?;
    let known = code::redeem(&**accounts.auth.store(), purposes, ticket, typed, request.now).await?;
    accounts.auth.give_back(&attempt).await?;
    if known.purpose == Purpose::SignUp {
        return sign_up::redeem(accounts, request, people, known).await;
    }
    prove(accounts, request, people, known).await
}

/// The address is its owner's now.
async fn prove(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    known: Known,
) -> Result<Response<Body>, Problem> {
    // In the session that asked for it, so that a ticket that was handed on changes nothing.
    let (_, id) = signed_in(request)?;
    if known.person.as_deref() != Some(&*id) {
        return Err(code::wrong());
    }
    let person = people.find(&accounts.engine, &id).await?.ok_or_else(code::wrong)?;
    let same = person.email.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(&known.email));
    if known.purpose == Purpose::VerifyEmail && !same {
        return Err(code::wrong());
    }
    let what = if same { "email_verified" } else { "email_changed" };
    let mut before = vec![
        known.spend,
        identify::bump(&id, request.now),
        audit::line(what, &request.caller(), &person.actor(), &Json::Null),
    ];
    if !same {
        before.extend(accounts.desk.tell("email_changed", &person, "", request.now)?);
    }
    let email = (!same).then(|| known.email.clone());
    let change = AccountChange::Email { id: person.key.clone(), email, verified: true };
    accounts.engine.keep_account(request.caller(), change, Beside { before, ..Beside::default() }).await?;
    accounts.auth.person_changed(&id);
    accounts.desk.wake();
    let user = accounts.engine.own_record(request.caller(), Query::default()).await?.body;
    Ok(json_reply(StatusCode::OK, [b"{\"user\":".as_slice(), &user, b"}"].concat()))
}
