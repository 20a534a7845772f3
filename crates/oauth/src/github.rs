//! GitHub, which signs people in by OAuth 2 but is no OpenID provider: who the person is, is asked of its API. A company's own
//! server (GitHub Enterprise Server) speaks the same, at an address of its own.

use http::{
    HeaderMap, HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use outgoing::{Answer, Call, Client, Origin};
use serde::{Deserialize, de::DeserializeOwned};
use url::{Url, form_urlencoded};

use crate::{
    error::{Error, Refusal},
    provider::{Attempt, Person, Settings, bearer},
};

/// The provider that has no discovery document, by its name in `[auth.oauth]`.
pub(crate) const NAME: &str = "github";
/// What stands for the issuer of the one for everybody.
const ISSUER: &str = "https://github.com";
const API: &str = "https://api.github.com";
/// The most bytes of an answer.
const LIMIT: usize = 256 * 1024;

/// Where GitHub is, and how it is called.
#[derive(Debug)]
pub(crate) struct GitHub {
    client: Client,
    /// What stands for an issuer, without a slash at its end.
    pub(crate) issuer: String,
    api: String,
    /// The operator's own server, which may be a private one.
    trusted: Option<Origin>,
}

#[derive(Deserialize)]
struct Token {
    access_token: Option<String>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct User {
    /// Unlike `login`, it never changes.
    id: u64,
    name: Option<String>,
    /// What the profile shows, which is often nothing.
    email: Option<String>,
}

#[derive(Deserialize)]
struct Email {
    email: String,
    primary: bool,
    verified: bool,
}

impl GitHub {
    /// The one for everybody, or a company's.
    pub(crate) fn new(client: Client, own: Option<&Url>) -> Self {
        match own {
            None => Self { client, issuer: ISSUER.to_owned(), api: API.to_owned(), trusted: None },
            Some(url) => {
                let issuer = url.as_str().trim_end_matches('/').to_owned();
                let api = format!("{issuer}/api/v3");
                Self { client, issuer, api, trusted: Some(Origin::of(url)) }
            }
        }
    }

    /// Where browsers are sent.
    pub(crate) fn authorize(&self) -> Result<Url, Refusal> {
        parse(&format!("{}/login/oauth/authorize", self.issuer))
    }

    /// Exchanges the code and asks who the person is.
    pub(crate) async fn finish(
        &self,
        settings: &Settings,
        code: &str,
        attempt: &Attempt,
        redirect_uri: &str,
    ) -> Result<Person, Error> {
        let token = self.token(settings, code, attempt, redirect_uri).await?;
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer(&token)?);
        headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        let answer = self.call(Method::GET, &format!("{}/user", self.api), headers.clone(), Vec::new()).await?;
        let user: User = read(&answer)?;
        let answer = self.call(Method::GET, &format!("{}/user/emails", self.api), headers, Vec::new()).await?;
        let (email, email_verified) = match answer.status {
            // Who keeps the scope back tells no addresses but the one of the profile, and nobody vouches for that.
            403 | 404 => (user.email, false),
            _ => {
                let emails: Vec<Email> = read(&answer)?;
                let primary = emails.into_iter().find(|email| email.primary);
                let verified = primary.as_ref().is_some_and(|email| email.verified);
                (primary.map(|email| email.email), verified)
            }
        };
        let (issuer, subject) = (self.issuer.clone(), user.id.to_string());
        Ok(Person { issuer, subject, email, email_verified, display_name: user.name })
    }

    async fn token(
        &self,
        settings: &Settings,
        code: &str,
        attempt: &Attempt,
        redirect_uri: &str,
    ) -> Result<String, Error> {
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
        let url = format!("{}/login/oauth/access_token", self.issuer);
        let answer = self.call(Method::POST, &url, headers, form.into_bytes()).await?;
        // Refusals are answered with 200, too.
        let token: Token = read(&answer)?;
        match (token.access_token, token.error.as_deref()) {
            (Some(token), None) if !token.is_empty() => Ok(token),
            (_, Some("bad_verification_code")) => Err(Refusal::Code.into()),
            // The operator's affair: a wrong secret, a redirect URI that is not registered.
            (_, Some(error)) => {
                let word: String = error.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(60).collect();
                Err(Error::Provider(format!("GitHub refuses the code with `{word}`")))
            }
            _ => Err(Refusal::Form.into()),
        }
    }

    async fn call(&self, method: Method, url: &str, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, Error> {
        let url = parse(url)?;
        let trusted = self.trusted.clone();
        Ok(self.client.send(Call { method, url, headers, body, limit: LIMIT, trusted }).await?)
    }
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Error> {
    if answer.status != 200 {
        return Err(Error::Provider(format!("GitHub answers {}", answer.status)));
    }
    serde_json::from_slice(&answer.body).map_err(|_| Refusal::Form.into())
}

fn parse(url: &str) -> Result<Url, Refusal> {
    Url::parse(url).map_err(|_| Refusal::Form)
}
