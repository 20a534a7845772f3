//! GitHub, which signs people in by OAuth 2 but is no OpenID provider: who the person is, is asked of its API.

use http::{
    HeaderMap, HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use outgoing::{Call, Client};
use serde::{Deserialize, de::DeserializeOwned};
use url::{Url, form_urlencoded};

use crate::{
    error::{Error, Refusal},
    provider::{Attempt, Person, Settings, bearer},
};

/// What stands for an issuer.
pub(crate) const ISSUER: &str = "https://github.com";
const TOKEN: &str = "https://github.com/login/oauth/access_token";
const USER: &str = "https://api.github.com/user";
const EMAILS: &str = "https://api.github.com/user/emails";
/// The most bytes of an answer.
const LIMIT: usize = 256 * 1024;

#[derive(Deserialize)]
struct Token {
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct User {
    /// Unlike `login`, it never changes.
    id: u64,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Email {
    email: String,
    primary: bool,
    verified: bool,
}

/// Where browsers are sent.
pub(crate) fn authorize() -> Result<Url, Refusal> {
    parse("https://github.com/login/oauth/authorize")
}

fn parse(url: &'static str) -> Result<Url, Refusal> {
    Url::parse(url).map_err(|_| Refusal::Form)
}

/// Exchanges the code and asks who the person is.
pub(crate) async fn finish(
    client: &Client,
    settings: &Settings,
    code: &str,
    attempt: &Attempt,
    redirect_uri: &str,
) -> Result<Person, Error> {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", &settings.client_id)
        .append_pair("client_secret", &settings.client_secret)
        .append_pair("code", code)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("code_verifier", &attempt.verifier)
        .finish();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let token: Token = call(client, Method::POST, TOKEN, headers, form.into_bytes()).await?;
    // A bad code is answered with 200 and an error.
    let token = token.access_token.ok_or(Refusal::Code)?;
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, bearer(&token)?);
    headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
    let user: User = call(client, Method::GET, USER, headers.clone(), Vec::new()).await?;
    let emails: Vec<Email> = call(client, Method::GET, EMAILS, headers, Vec::new()).await?;
    let email = emails.into_iter().find(|email| email.primary);
    Ok(Person {
        issuer: ISSUER.to_owned(),
        subject: user.id.to_string(),
        email_verified: email.as_ref().is_some_and(|email| email.verified),
        email: email.map(|email| email.email),
        display_name: user.name,
    })
}

async fn call<T: DeserializeOwned>(
    client: &Client,
    method: Method,
    url: &'static str,
    headers: HeaderMap,
    body: Vec<u8>,
) -> Result<T, Error> {
    let url = parse(url)?;
    let answer = client.send(Call { method, url, headers, body, limit: LIMIT, trusted: None }).await?;
    if answer.status != 200 {
        return Err(Error::Provider(format!("GitHub answers {}", answer.status)));
    }
    serde_json::from_slice(&answer.body).map_err(|_| Refusal::Form.into())
}
