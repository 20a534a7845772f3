//! Sign-in with a provider: to it, back from it, and what the proof is good for.
//!
//! Both ends of the way have a challenge of their own: the provider's code is bound to our verifier, and the code that the
//! client gets to the client's. Whom the provider has signed in is (issuer, subject); an e-mail finds an account only where
//! the operator trusts the provider with that, and the provider says that the address is verified.

use std::{collections::HashMap, sync::Arc};

use auth::{
    People, Person, audit, credential, identify,
    oauth::{self as kept, Proved},
};
use engine::{AccountChange, Terms};
use http::{HeaderValue, Response, StatusCode, header};
use model::{
    Code, Flaw, Problem,
    identity::{Method as Way, OAuthProvider},
};
use oauth::{Attempt, Callback, Error, Provider, Settings};
use outgoing::Client;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use store::Beside;
use url::Url;
use web::{Body, Parameters, Request};

use crate::{
    Accounts,
    complete::{Entry, complete},
    fields::Fields,
    note_failure, reply, require_method,
    sign_up::{New, create, invitation},
};

/// The providers of the app, made when they are first asked for and again when their settings change.
#[derive(Default)]
pub(crate) struct Providers {
    client: Client,
    known: Mutex<HashMap<String, (OAuthProvider, Arc<Provider>)>>,
}

impl Providers {
    pub(crate) fn find(&self, people: &People, name: &str) -> Result<(OAuthProvider, Arc<Provider>), Problem> {
        let declared = &people.settings()?.oauth;
        let Some(declared) = declared.iter().find(|provider| provider.name == name) else {
            let near = rules::nearest(name, declared.iter().map(|provider| provider.name.as_str()));
            let help = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
            return Err(Problem::new(Code::NotFound, format!("there is no provider `{name}`{help}")));
        };
        if let Some((settings, provider)) = self.known.lock().get(name)
            && settings == declared
        {
            return Ok((declared.clone(), Arc::clone(provider)));
        }
        let settings = Settings {
            name: name.to_owned(),
            issuer: declared.issuer.clone(),
            client_id: declared.client_id.clone(),
            client_secret: declared.client_secret.as_ref().map(|secret| secret.expose().to_owned()).unwrap_or_default(),
        };
        let provider = Arc::new(Provider::new(settings, self.client.clone()).map_err(Problem::internal)?);
        self.known.lock().insert(name.to_owned(), (declared.clone(), Arc::clone(&provider)));
        Ok((declared.clone(), provider))
    }
}

/// `GET /auth/oauth/{name}`: to the provider.
pub(crate) async fn begin(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    name: &str,
) -> Result<Response<Body>, Problem> {
    require_method(people, Way::OAuth)?;
    let (_, provider) = accounts.providers.find(people, name)?;
    let mut parameters = Parameters::parse(request.query)?;
    let required = |parameter: &str, value: Option<String>| {
        value.ok_or_else(|| Problem::parameter(parameter, format!("`{parameter}` is required")))
    };
    let return_to = required("return_to", parameters.take("return_to")?)?;
    let challenge = required("code_challenge", parameters.take("code_challenge")?)?;
    let method = parameters.take("code_challenge_method")?;
    parameters.finish(&["return_to", "code_challenge", "code_challenge_method"])?;
    if method.is_some_and(|method| method != "S256") {
        return Err(Problem::parameter("code_challenge_method", "only `S256` is known"));
    }
    if !kept::is_challenge(&challenge) {
        let detail = "`code_challenge` has to be the base64url of a SHA-256 (RFC 7636, S256)";
        return Err(Problem::parameter("code_challenge", detail));
    }
    if !may_return(&people.settings()?.return_urls, &return_to) {
        let detail = "`return_to` is none of the `return_urls` in [auth]";
        return Err(Problem::parameter("return_to", detail));
    }
    let cookies = accounts.auth.cookies();
    if !cookies.are_possible() {
        let detail = "this way in needs an https `server.public_url`, or one of this machine";
        return Err(Problem::new(Code::BadRequest, detail));
    }
    accounts.auth.attempts.count_call(request.address, request.now)?;
    let begun = provider.begin(&redirect_uri(accounts, name)).await.map_err(|error| unavailable(&error))?;
    let shown = request.header(header::COOKIE).and_then(|all| cookies.browser(all));
    let browser = kept::browser(shown);
    let Attempt { state, nonce, verifier } = begun.attempt;
    let attempt = kept::Attempt { nonce, verifier, return_to, challenge };
    let insert = kept::begin(accounts.auth.master()?, name, &state, &browser, &attempt, request.now)?;
    accounts.auth.store().own(vec![insert]).await?;
    let mut reply = see_other(&begun.url)?;
    reply::set_cookie(&mut reply, cookies.set_browser(&browser));
    Ok(reply)
}

/// `GET /auth/oauth/{name}/callback`: back from the provider, and on to the client with a code or an error.
pub(crate) async fn callback(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    name: &str,
) -> Result<Response<Body>, Problem> {
    let (_, provider) = accounts.providers.find(people, name)?;
    // What else providers send along is theirs.
    let mut parameters = Parameters::parse(request.query)?;
    let state = parameters.take("state")?.unwrap_or_default();
    let callback =
        Callback { code: parameters.take("code")?, issuer: parameters.take("iss")?, error: parameters.take("error")? };
    let cookies = accounts.auth.cookies();
    let browser = request.header(header::COOKIE).and_then(|all| cookies.browser(all)).unwrap_or_default();
    let taken = accounts.auth.store().own(vec![kept::take(name, &state, browser, request.now)]).await?;
    let row = taken.first().and_then(|outcome| outcome.rows.first());
    let master = accounts.auth.master()?;
    let Some(attempt) = row.and_then(|row| kept::read_attempt(master, row)) else {
        note_failure(accounts, request, "oauth_state_refused", &format!("provider:{name}"));
        let detail = "this sign-in is not known here: it took more than ten minutes, is over already, or was begun in \
                      another browser";
        return Err(Problem::new(Code::BadRequest, detail));
    };
    let kept::Attempt { nonce, verifier, return_to, challenge } = attempt;
    let secrets = Attempt { state, nonce, verifier };
    let now = request.now.div_euclid(1_000_000);
    let outcome = provider.finish(&callback, &secrets, &redirect_uri(accounts, name), now).await;
    let (parameter, value) = match outcome {
        Ok(person) => {
            let proved = Proved {
                provider: name.to_owned(),
                issuer: person.issuer,
                subject: person.subject,
                email: person.email,
                email_verified: person.email_verified,
                display_name: person.display_name,
            };
            let (code, insert) = kept::lay_by(&proved, &challenge, request.now);
            accounts.auth.store().own(vec![insert]).await?;
            ("code", code)
        }
        Err(error) => {
            tracing::warn!(provider = name, error = %error, "a sign-in with a provider failed");
            note_failure(accounts, request, "oauth_refused", &format!("provider:{name}"));
            ("error", name_of(&error).to_owned())
        }
    };
    let mut url = Url::parse(&return_to).map_err(|_| Problem::internal("a kept return_to is no URL"))?;
    url.query_pairs_mut().append_pair(parameter, &value);
    see_other(&url)
}

/// `POST /auth/oauth/token`: the code for a session.
pub(crate) async fn token(
    accounts: &Accounts,
    request: &mut Request<'_>,
    people: &People,
) -> Result<Response<Body>, Problem> {
    require_method(people, Way::OAuth)?;
    let mut fields = Fields::read(request).await?;
    let (code, verifier) = (fields.required("code"), fields.required("code_verifier"));
    let invite = fields.text("invite");
    let (mut body, mut flaws) = fields.rest();
    if body["email"] != Json::Null {
        flaws.push(Flaw::pointer("/email", "unknown", "the provider says what the address is"));
    }
    if !flaws.is_empty() {
        return Err(Problem::validation(flaws));
    }
    let attempt = accounts.auth.charge_address(request.address, request.now).await?;
    let (proved, spend) = redeem(accounts, request, &code, &verifier).await?;
    accounts.auth.give_back(&attempt).await?;
    let amr = vec!["fed".to_owned()];
    let entry = |person, before| Entry {
        person,
        amr: amr.clone(),
        asks_factor: true,
        known_device: false,
        attempt: None,
        before,
    };
    if let Some(person) = owner(accounts, people, &proved).await? {
        return complete(accounts, request, people, entry(person, vec![spend])).await;
    }
    let (declared, _) = accounts.providers.find(people, &proved.provider)?;
    let known = match &proved.email {
        Some(email) => people.find_by_email(&accounts.engine, email).await?,
        None => None,
    };
    if let Some(person) = known {
        if !declared.link_by_email || !proved.email_verified || person.identity.is_none() {
            return Err(link_required());
        }
        let caller = request.caller();
        let link = kept::link(&proved, &person.id, request.now);
        let line = audit::line("identity_linked", &caller, &person.actor(), &json!({ "provider": proved.provider }));
        if person.verified {
            return complete(accounts, request, people, entry(person, vec![spend, link, line])).await;
        }
        let person = take_over(accounts, request, people, person, vec![spend, link, line]).await?;
        return complete(accounts, request, people, entry(person, Vec::new())).await;
    }
    sign_up(accounts, request, people, &mut body, invite, proved, spend, amr).await
}

/// A new account for somebody whom a provider has signed in.
#[expect(clippy::too_many_arguments, reason = "what the call brought, and what was found of it")]
async fn sign_up(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    body: &mut Json,
    invite: Option<String>,
    proved: Proved,
    spend: store::Statement,
    amr: Vec<String>,
) -> Result<Response<Body>, Problem> {
    let settings = people.settings()?;
    let Some(email) = proved.email.clone() else {
        return Err(Problem::new(Code::Forbidden, "the provider tells no e-mail address, which an account needs"));
    };
    if settings.verify_email && !proved.email_verified {
        let detail = "the provider has not verified this e-mail address: sign up with the address first, then link";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    body["email"] = email.into();
    let (resource, _) = people.resource()?;
    if let (Some(_), Json::Null, Some(name)) = (resource.field("name"), &body["name"], &proved.display_name) {
        body["name"] = name.as_str().into();
    } else if body["name"].is_null()
        && let Some(members) = body.as_object_mut()
    {
        members.remove("name");
    }
    let mut flaws = Vec::new();
    let (terms, invited) = invitation(accounts, request, settings.sign_up, invite, body, &mut flaws).await?;
    if !flaws.is_empty() {
        return Err(Problem::validation(flaws));
    }
    let terms = Terms { verified: terms.verified || proved.email_verified, ..terms };
    let spend = invited.into_iter().chain([spend]).collect();
    let new = New { body: body.clone(), terms, spend, hash: None, amr, identity: Some(proved) };
    create(accounts, request, people, new).await
}

/// The address is proved: whoever made the account had not proved it, and loses everything that could let anybody in.
async fn take_over(
    accounts: &Accounts,
    request: &Request<'_>,
    people: &People,
    person: Person,
    then: Vec<store::Statement>,
) -> Result<Person, Problem> {
    let mut before = credential::purge(&person.id);
    before.extend(then);
    before.push(identify::bump(&person.id, request.now));
    before.push(audit::line("account_taken_over", &request.caller(), &person.actor(), &Json::Null));
    let change = AccountChange::Email { id: person.key.clone(), email: None, verified: true };
    let beside = Beside { before, ..Beside::default() };
    accounts.engine.keep_account(request.caller(), change, beside).await?;
    accounts.auth.person_changed(&person.id);
    let found = people.find(&accounts.engine, &person.id).await?;
    found.ok_or_else(|| Problem::internal("a person is gone who was just there"))
}

/// What stands behind a code, and the statement that spends it.
pub(crate) async fn redeem(
    accounts: &Accounts,
    request: &Request<'_>,
    code: &str,
    verifier: &str,
) -> Result<(Proved, store::Statement), Problem> {
    let challenge = kept::challenge(verifier).ok_or_else(kept::wrong)?;
    let rows = accounts.auth.store().own_read(kept::find(code, &challenge, request.now)).await?;
    let proved = rows.first().and_then(kept::read_proved).ok_or_else(kept::wrong)?;
    Ok((proved, kept::spend(code, &challenge, request.now)))
}

pub(crate) async fn owner(accounts: &Accounts, people: &People, proved: &Proved) -> Result<Option<Person>, Problem> {
    let rows = accounts.auth.store().own_read(kept::owner(proved)).await?;
    let Some(id) = rows.first().and_then(|row| row.text(0)) else { return Ok(None) };
    let person = people.find(&accounts.engine, id).await?.filter(|person| person.identity.is_some());
    person.map(Some).ok_or_else(|| Problem::new(Code::BadCredentials, "this account can't be signed in to"))
}

fn link_required() -> Problem {
    let detail = "an account has this e-mail address already: sign in to it, then link the provider";
    Problem::new(Code::LinkRequired, detail)
}

fn redirect_uri(accounts: &Accounts, name: &str) -> String {
    format!("{}/auth/oauth/{name}/callback", accounts.auth.public_url())
}

/// Whether a browser may be sent there: one of the list, exactly; of one on loopback the port is the app's affair (RFC 8252,
/// 7.3).
fn may_return(allowed: &[String], wanted: &str) -> bool {
    if allowed.iter().any(|allowed| allowed == wanted) {
        return true;
    }
    let without_port = |text: &str| {
        let mut url = Url::parse(text).ok()?;
        let loopback = match url.host()? {
            url::Host::Ipv4(address) => address.is_loopback(),
            url::Host::Ipv6(address) => address.is_loopback(),
            url::Host::Domain(_) => false,
        };
        (loopback && url.scheme() == "http" && url.username().is_empty() && url.password().is_none()).then_some(())?;
        url.set_port(None).ok()?;
        Some(url)
    };
    let Some(wanted) = without_port(wanted) else { return false };
    allowed.iter().filter_map(|allowed| without_port(allowed)).any(|allowed| allowed == wanted)
}

fn see_other(url: &Url) -> Result<Response<Body>, Problem> {
    let location = HeaderValue::from_str(url.as_str()).map_err(|_| Problem::internal("a URL is no header"))?;
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = StatusCode::SEE_OTHER;
    reply.headers_mut().insert(header::LOCATION, location);
    Ok(reply)
}

/// What the client is told in `?error=`.
fn name_of(error: &Error) -> &'static str {
    match error {
        Error::Refused(oauth::Refusal::Reported) => "access_denied",
        Error::Refused(refusal) => refusal.name(),
        Error::Provider(_) | Error::Call(_) => "temporarily_unavailable",
    }
}

fn unavailable(error: &Error) -> Problem {
    let mut cause = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        cause.push_str(&format!(": {inner}"));
        source = inner.source();
    }
    Problem::unavailable("the provider can't be asked at the moment", cause, 5)
}

#[cfg(test)]
mod tests {
    use super::may_return;

    #[test]
    fn browsers_are_sent_to_places_of_the_list_alone() {
        let allowed = ["https://app.example/in", "com.example.app:/in", "http://127.0.0.1/in"].map(str::to_owned);
        for good in ["https://app.example/in", "com.example.app:/in", "http://127.0.0.1/in", "http://127.0.0.1:5312/in"]
        {
            assert!(may_return(&allowed, good), "{good}");
        }
        let bad = "https://app.example/in/ https://app.example/in?x https://app.example https://app.example.evil.example/in \
            https://app.example:444/in http://app.example/in //app.example/in /in com.example.app:/out http://127.0.0.1:1/out \
            http://localhost:1/in https://127.0.0.1/in http://u@127.0.0.1:1/in http://127.0.0.1:1/in?x http://127.0.0.2/in";
        for bad in bad.split_whitespace().chain([""]) {
            assert!(!may_return(&allowed, bad), "{bad}");
        }
    }
}
