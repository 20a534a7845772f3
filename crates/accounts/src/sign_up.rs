//! New accounts: at once, or when the mailed code comes.

use std::sync::Arc;

use auth::{
    People, Person, audit,
    code::{self, Known, Purpose},
    credential, link,
    oauth::{self, Proved},
    password::Password,
    session::Draft,
};
use engine::Terms;
use http::{Response, StatusCode};
use model::{
    Caller, Code, Flaw, Problem,
    identity::{Method as Way, SignUp},
};
use rules::plan::Written;
use serde_json::{Value as Json, json};
use store::{Beside, Statement};
use web::{Body, Request};

use crate::{
    Accounts, complete,
    errand::{Errand, Slip},
    fields::Fields,
    reply, require_method,
};

/// `POST /auth/sign-up`
pub(crate) async fn sign_up(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    require_method(people, Way::Password)?;
    let settings = people.settings()?;
    let limits = (settings.password.min, settings.password.max);
    let mut fields = Fields::read(request).await?;
    let (password, invite) = (Password::new(&fields.required("password")), fields.text("invite"));
    if let Err(flaw) = password.check(limits, "/password") {
        fields.flaw(flaw);
    }
    let (mut body, mut flaws) = fields.rest();
    accounts.auth.attempts.count_call(request.address, request.now)?;
    let (terms, spend) = invitation(accounts, request, settings.sign_up, invite, &mut body, &mut flaws).await?;
    let email = body["email"].as_str().map(str::to_owned);
    if email.is_none() && body["email"].is_null() {
        flaws.push(Flaw::pointer("/email", "required", "email is required"));
    }
    // Everything that can be known without the database, in one answer.
    if let Err(problem) = accounts.engine.try_sign_up(request.caller(), &body, terms.clone()).await {
        if problem.code != Code::Validation {
            return Err(problem);
        }
        let told = |flaw: &Flaw| flaws.iter().any(|known| known.at == flaw.at);
        let more: Vec<Flaw> = problem.errors.into_iter().filter(|flaw| !told(flaw)).collect();
        flaws.extend(more);
    }
    if !flaws.is_empty() {
        return Err(Problem::validation(flaws));
    }
    let hash = accounts.auth.passwords().hash(&password).await?;
    if settings.verify_email && !terms.verified {
        return wait_for_code(accounts, request, email.unwrap_or_default(), &body, Some(&hash)).await;
    }
    let spend = spend.into_iter().collect();
    let new = New { body, terms, spend, hash: Some(hash), amr: vec!["pwd".to_owned()], identity: None };
    create(accounts, request, people, new).await
}

/// The terms that an invitation grants, and the statement that spends it.
pub(crate) async fn invitation(
    accounts: &Accounts,
    request: &Request<'_>,
    sign_up: SignUp,
    invite: Option<String>,
    body: &mut Json,
    flaws: &mut Vec<Flaw>,
) -> Result<(Terms, Option<Statement>), Problem> {
    let invite = match (sign_up, invite) {
        // Also to those who were invited before it was closed.
        (SignUp::Closed, _) => return Err(Problem::new(Code::Forbidden, "sign-up is closed")),
        (SignUp::Open, None) => return Ok((Terms::default(), None)),
        (SignUp::Invite, None) => return Err(Problem::new(Code::Forbidden, "an account needs an invitation")),
        (_, Some(invite)) => invite,
    };
    let rows = accounts.auth.store().own_read(link::find_invite(&invite, request.now)).await?;
    let row = rows.first().ok_or_else(link::wrong)?;
    let (Some(invited), Some(roles)) = (row.text(0), row.text(1)) else { return Err(link::wrong()) };
    match &body["email"] {
        Json::Null => body["email"] = invited.into(),
        Json::String(email) if email.eq_ignore_ascii_case(invited) => {}
        _ => flaws.push(Flaw::pointer("/email", "invite", "the invitation is for another address")),
    }
    let roles = serde_json::from_str(roles).unwrap_or_default();
    Ok((Terms { invited: true, verified: true, roles }, Some(link::spend_invite(&invite, request.now))))
}

/// Somebody who is about to be.
pub(crate) struct New {
    pub(crate) body: Json,
    pub(crate) terms: Terms,
    /// What is spent for it.
    pub(crate) spend: Vec<Statement>,
    pub(crate) hash: Option<String>,
    pub(crate) amr: Vec<String>,
    /// Whom a provider has signed in.
    pub(crate) identity: Option<Proved>,
}

/// Makes the record, what it signs in with and its first session, all or nothing.
pub(crate) async fn create(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    new: New,
) -> Result<Response<Body>, Problem> {
    let New { body, terms, spend, hash, amr, identity } = new;
    let draft = complete::draft(accounts, request, people, amr)?;
    let after = beginnings(draft.clone(), hash, identity, request.caller());
    let beside = Beside { before: spend, after: Some(Arc::new(after)) };
    let id = accounts.engine.sign_up(request.caller(), &body, terms, beside).await?;
    let person = people.find(&accounts.engine, &store::id_text(&id)).await?;
    let person: Person = person.ok_or_else(|| Problem::internal("a new person is gone already"))?;
    complete::answer(accounts, request, people, StatusCode::CREATED, &person, &draft, None).await
}

/// What comes with a new record, once its id is known.
fn beginnings(
    draft: Draft,
    hash: Option<String>,
    identity: Option<Proved>,
    caller: Caller,
) -> impl Fn(&[Written]) -> Result<Vec<Statement>, Problem> + Send + Sync {
    move |written| {
        let id = written.first().map(|one| store::id_text(one.record.id())).unwrap_or_default();
        let mut statements = vec![draft.insert(&id)];
        statements.extend(hash.as_deref().map(|hash| credential::set(&id, hash, caller.now)));
        statements.extend(identity.as_ref().map(|proved| oauth::link(proved, &id, caller.now)));
        let detail = json!({ "amr": draft.amr, "session": draft.id });
        statements.push(audit::line("sign_up", &caller, &format!("user:{id}"), &detail));
        Ok(statements)
    }
}

/// Lays a sign-up by until its code comes; the answer is the same for an address that has an account.
async fn wait_for_code(
    accounts: &Accounts,
    request: &Request<'_>,
    email: String,
    body: &Json,
    hash: Option<&str>,
) -> Result<Response<Body>, Problem> {
    let data = json!({ "body": body, "hash": hash }).to_string();
    let sealed = accounts.auth.master()?.seal("sign-up", data.as_bytes())?;
    let asked = code::ask(Purpose::SignUp, code::Way::Mail, None, &email, Some(sealed), request.now);
    let errand = accounts.desk.lay_up(&Errand::SignUp { email, code: Slip::of(&asked) }, request.now)?;
    accounts.auth.store().own(vec![asked.insert, errand]).await?;
    accounts.desk.wake();
    Ok(reply::ticket(&asked.ticket))
}

/// Makes the account that was laid by, now that its code has come.
pub(crate) async fn redeem(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    known: Known,
) -> Result<Response<Body>, Problem> {
    let sealed = known.data.as_deref().unwrap_or_default();
    let data = accounts.auth.master()?.open("sign-up", sealed).ok_or_else(code::wrong)?;
    let data: Json = serde_json::from_slice(&data).map_err(|_| code::wrong())?;
    let new = New {
        body: data["body"].clone(),
        terms: Terms { verified: true, ..Terms::default() },
        spend: vec![known.spend],
        hash: data["hash"].as_str().map(str::to_owned),
        amr: ["pwd", "otp"].map(str::to_owned).to_vec(),
        identity: None,
    };
    create(accounts, request, people, new).await
}
