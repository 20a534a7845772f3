//! The protocol of accounts: `/auth/…`, `/.well-known/jwks.json`, and the pages that mailed links open.
//!
//! Each file decodes one family of calls, asks `engine` and `auth`, and encodes. Every way in ends in
//! [`complete`](complete::complete), so that what stands between a proof and a session stands there once.

mod code;
mod complete;
mod email;
mod errand;
mod factors;
mod fields;
mod invites;
mod keys;
mod mails;
mod me;
mod mfa;
mod oauth;
mod oauth_links;
mod pages;
mod passkeys;
mod password;
mod postman;
mod reauth;
mod refresh;
mod reply;
mod sessions;
mod sign_in;
mod sign_up;

use std::sync::Arc;

use auth::{Auth, People};
use engine::Engine;
use http::{Method, Response};
use mail::{Carrier, Templates};
use model::{Code, Problem, identity::Method as Way};
use web::{Body, Request};

pub use self::postman::Postman;

/// The methods of `/.well-known/jwks.json`.
const KEY_SET: &str = "GET, HEAD, OPTIONS";
/// How fresh a proof has to be for what matters most: microseconds (10 minutes).
const FRESH: i64 = 600_000_000;

/// The protocol over an engine.
pub struct Accounts {
    engine: Arc<Engine>,
    auth: Arc<Auth>,
    desk: Arc<mails::Desk>,
    providers: oauth::Providers,
}

/// Every call, in the order of the contract.
const CALLS: &[(&str, &str)] = &[
    ("sign-up", "POST, OPTIONS"),
    ("sign-in", "POST, OPTIONS"),
    ("mfa/verify", "POST, OPTIONS"),
    ("refresh", "POST, OPTIONS"),
    ("sign-out", "POST, OPTIONS"),
    ("me", "GET, HEAD, PATCH, DELETE, OPTIONS"),
    ("sessions", "GET, HEAD, OPTIONS"),
    ("sessions/{id}", "DELETE, OPTIONS"),
    ("reauth", "POST, OPTIONS"),
    ("password/change", "POST, OPTIONS"),
    ("password/forgot", "POST, OPTIONS"),
    ("password/reset", "POST, OPTIONS"),
    ("email/verify", "POST, OPTIONS"),
    ("email/change", "POST, OPTIONS"),
    ("code/request", "POST, OPTIONS"),
    ("code/verify", "POST, OPTIONS"),
    ("oauth/token", "POST, OPTIONS"),
    ("oauth", "GET, HEAD, OPTIONS"),
    ("oauth/{id}", "GET, OPTIONS"),
    ("oauth/{id}/callback", "GET, OPTIONS"),
    ("oauth/{id}/link", "POST, DELETE, OPTIONS"),
    ("keys", "GET, HEAD, POST, OPTIONS"),
    ("keys/{id}", "DELETE, OPTIONS"),
    ("totp/enroll", "POST, OPTIONS"),
    ("totp/confirm", "POST, OPTIONS"),
    ("factors", "GET, HEAD, OPTIONS"),
    ("factors/{id}", "DELETE, OPTIONS"),
    ("recovery-codes", "POST, OPTIONS"),
    ("passkeys/register/begin", "POST, OPTIONS"),
    ("passkeys/register/finish", "POST, OPTIONS"),
    ("passkeys/sign-in/begin", "POST, OPTIONS"),
    ("passkeys/sign-in/finish", "POST, OPTIONS"),
    ("invites", "GET, HEAD, POST, OPTIONS"),
    ("invites/{id}", "DELETE, OPTIONS"),
    ("reset", "GET, HEAD, OPTIONS"),
    ("join", "GET, HEAD, OPTIONS"),
    ("page.js", "GET, HEAD, OPTIONS"),
    ("page.css", "GET, HEAD, OPTIONS"),
];

impl Accounts {
    /// Speaks for an engine.
    #[must_use]
    pub fn new(engine: Arc<Engine>, auth: Arc<Auth>, templates: Templates) -> Self {
        let desk = Arc::new(mails::Desk::new(templates, Arc::clone(&engine), Arc::clone(&auth)));
        Self { engine, auth, desk, providers: oauth::Providers::default() }
    }

    /// Begins to send the mails that people are owed.
    #[must_use]
    pub fn start_mail(&self, carrier: Carrier) -> Postman {
        Postman::start(Arc::clone(&self.desk), carrier)
    }

    /// Makes sure that what people sign in with can be used as it is set up.
    ///
    /// # Errors
    /// The passkeys that are registered are for another site.
    pub async fn prepare(&self) -> Result<(), Problem> {
        passkeys::prepare(self).await
    }

    /// Answers `/auth/{rest}`.
    ///
    /// # Errors
    /// What is wrong with the request, or whom it comes from; 404 where the app has no people.
    pub async fn answer(&self, request: &mut Request<'_>, rest: &str) -> Result<Response<Body>, Problem> {
        let mut answer = self.route(request, rest).await?;
        reply::never_store(&mut answer);
        Ok(answer)
    }

    async fn route(&self, request: &mut Request<'_>, rest: &str) -> Result<Response<Body>, Problem> {
        let people = self.auth.people()?;
        let (family, id) = family_of(rest);
        let Some((_, allowed)) = CALLS.iter().find(|(path, _)| *path == family) else {
            let near = rules::nearest(rest, CALLS.iter().map(|(path, _)| *path));
            let help = near.map(|near| format!(", did you mean `/auth/{near}`?")).unwrap_or_default();
            return Err(Problem::new(Code::NotFound, format!("there is nothing at this path{help}")));
        };
        if request.method == Method::OPTIONS {
            return Ok(reply::options(allowed));
        }
        let method = request.method.as_str().to_owned();
        if !allowed.split(", ").any(|one| one == method) {
            return Err(not_allowed(allowed));
        }
        let get = matches!(request.method, Method::GET | Method::HEAD);
        // Whoever finds a key can use it for what its scopes say, and begin nothing else with it.
        if is_key(request) && !(family == "me" && get) {
            return Err(by_key());
        }
        match (family.as_str(), method.as_str()) {
            ("sign-up", _) => sign_up::sign_up(self, request, &people).await,
            ("sign-in", _) => sign_in::sign_in(self, request, &people).await,
            ("mfa/verify", _) => mfa::verify(self, request, &people).await,
            ("refresh", _) => refresh::refresh(self, request, &people).await,
            ("sign-out", _) => refresh::sign_out(self, request).await,
            ("me", "PATCH") => me::patch(self, request).await,
            ("me", "DELETE") => me::delete(self, request).await,
            ("me", _) => me::read(self, request).await,
            ("sessions", _) => sessions::list(self, request).await,
            ("sessions/{id}", _) => sessions::end(self, request, &id).await,
            ("reauth", _) => reauth::reauth(self, request, &people).await,
            ("password/change", _) => password::change(self, request, &people).await,
            ("password/forgot", _) => password::forgot(self, request, &people).await,
            ("password/reset", _) => password::reset(self, request, &people).await,
            ("email/verify", _) => email::verify(self, request, &people).await,
            ("email/change", _) => email::change(self, request, &people).await,
            ("code/request", _) => code::request(self, request, &people).await,
            ("code/verify", _) => code::verify(self, request, &people).await,
            ("oauth/token", _) => oauth::token(self, request, &people).await,
            ("oauth/{id}", _) => oauth::begin(self, request, &people, &id).await,
            ("oauth/{id}/callback", _) => oauth::callback(self, request, &people, &id).await,
            ("oauth", _) => oauth_links::list(self, request).await,
            ("oauth/{id}/link", "DELETE") => oauth_links::unlink(self, request, &people, &id).await,
            ("oauth/{id}/link", _) => oauth_links::link(self, request, &people, &id).await,
            ("keys", _) if get => keys::list(self, request).await,
            ("keys", _) => keys::create(self, request).await,
            ("keys/{id}", _) => keys::delete(self, request, &id).await,
            ("totp/enroll", _) => factors::enrol(self, request, &people).await,
            ("totp/confirm", _) => factors::confirm(self, request, &people).await,
            ("factors", _) => factors::list(self, request).await,
            ("factors/{id}", _) => factors::remove(self, request, &people, &id).await,
            ("recovery-codes", _) => factors::recovery_codes(self, request, &people).await,
            ("passkeys/register/begin", _) => passkeys::begin_registration(self, request, &people).await,
            ("passkeys/register/finish", _) => passkeys::finish_registration(self, request, &people).await,
            ("passkeys/sign-in/begin", _) => passkeys::begin_sign_in(self, request, &people).await,
            ("passkeys/sign-in/finish", _) => passkeys::finish_sign_in(self, request, &people).await,
            ("invites", _) if get => invites::list(self, request).await,
            ("invites", _) => invites::create(self, request, &people).await,
            ("invites/{id}", _) => invites::delete(self, request, &id).await,
            _ => pages::answer(&family).ok_or_else(Problem::not_found),
        }
    }

    /// Answers `/.well-known/jwks.json`.
    ///
    /// # Errors
    /// 404 where the app has no people, 405 for what does not read.
    pub async fn jwks(&self, request: &Request<'_>) -> Result<Response<Body>, Problem> {
        let people = self.auth.people()?;
        match request.method {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => return Ok(reply::options(KEY_SET)),
            _ => return Err(not_allowed(KEY_SET)),
        }
        let keys = self.auth.keyring().await?.jwks(people.settings()?.access_ttl, request.now);
        Ok(web::without_body_for_head(request, reply::jwks(&keys)))
    }
}

/// Notes a failure in the audit log, by a word of its own.
fn note_failure(accounts: &Accounts, request: &Request<'_>, what: &'static str, subject: &str) {
    accounts.auth.failures.add(what, subject, &request.caller());
    request.noted();
}

/// Which call a path below `/auth/` is, and the name that stands in it.
fn family_of(rest: &str) -> (String, String) {
    let mut segments: Vec<&str> = rest.split('/').collect();
    let id = match segments.as_mut_slice() {
        ["sessions" | "invites" | "keys" | "factors", id] | ["oauth", id] | ["oauth", id, _]
            if !id.is_empty() && *id != "token" =>
        {
            std::mem::replace(id, "{id}").to_owned()
        }
        _ => String::new(),
    };
    (segments.join("/"), id)
}

fn not_allowed(allowed: &'static str) -> Problem {
    let mut problem = Problem::new(Code::MethodNotAllowed, format!("allowed here: {allowed}"));
    problem.extra.allow = Some(allowed);
    problem
}

/// Refuses what is no way in here.
fn require_method(people: &People, way: Way) -> Result<(), Problem> {
    if people.settings()?.allows(way) {
        return Ok(());
    }
    let (name, _) = Way::ALL.iter().find(|(_, known)| *known == way).copied().unwrap_or(("this", way));
    Err(Problem::new(Code::NotFound, format!("`{name}` is not among the `methods` of this app's [auth]")))
}

/// Whether somebody shows a key, and no session.
fn is_key(request: &Request<'_>) -> bool {
    request.identity.is_known() && request.identity.session.is_none()
}

/// 403 for what people alone may do.
fn by_key() -> Problem {
    Problem::new(Code::Forbidden, "a key can't do this: sign in as a person")
}

/// The session by which somebody asks: its id, and the person's.
///
/// # Errors
/// 401 for a stranger, 403 for a key.
fn signed_in(request: &Request<'_>) -> Result<(String, String), Problem> {
    let identity = &request.identity;
    match (&identity.session, identity.is_known()) {
        (Some(session), _) => Ok((session.to_string(), store::id_text(&identity.id))),
        (None, true) => Err(by_key()),
        (None, false) => Err(Problem::new(Code::Unauthenticated, "sign in first")),
    }
}

/// The same, for what asks for a proof of who it is that is under ten minutes old.
///
/// # Errors
/// 403 `reauthenticate`, too.
fn freshly_signed_in(request: &Request<'_>) -> Result<(String, String), Problem> {
    let found = signed_in(request)?;
    let since = request.identity.authenticated_at.unwrap_or(0);
    if request.now.saturating_sub(since) > FRESH {
        let detail = "this asks for a sign-in under 10 minutes old: POST /auth/reauth first";
        return Err(Problem::new(Code::Reauthenticate, detail));
    }
    Ok(found)
}
