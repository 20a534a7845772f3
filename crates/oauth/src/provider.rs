//! A provider, and the two steps of a sign-in with it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use outgoing::Client;
use rand::Rng as _;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use url::{Url, form_urlencoded};

use crate::{
    error::{Error, Refusal},
    github::{self, GitHub},
    id_token::{Expected, Truth, verify},
    metadata::{Discovery, Metadata},
};

/// What the operator has said of a provider.
#[derive(Clone)]
pub struct Settings {
    /// `[auth.oauth.NAME]`
    pub name: String,
    /// The issuer, as the provider writes it; none for GitHub, which is no OpenID provider. For a company's own GitHub, its
    /// address.
    pub issuer: Option<String>,
    /// By what name the provider knows this app.
    pub client_id: String,
    /// The app's secret with the provider.
    pub client_secret: String,
}

/// A provider.
pub struct Provider {
    settings: Settings,
    kind: Kind,
}

enum Kind {
    OpenId(Box<Discovery>),
    GitHub(GitHub),
}

/// The secrets of one attempt, to be kept until the browser comes back, once and for ten minutes at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Comes back with the browser.
    pub state: String,
    /// Comes back in the ID token.
    pub nonce: String,
    /// Proves to the token endpoint that the attempt is ours (RFC 7636).
    pub verifier: String,
}

/// Where to send the browser, and what to keep.
#[derive(Debug)]
pub struct Begun {
    /// The provider's page.
    pub url: Url,
    /// What to keep.
    pub attempt: Attempt,
}

/// What the browser brings back, besides the state, by which its attempt was found.
#[derive(Debug, Default)]
pub struct Callback {
    /// `code`
    pub code: Option<String>,
    /// `iss` (RFC 9207)
    pub issuer: Option<String>,
    /// `error`
    pub error: Option<String>,
}

/// Whom a provider has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// With the subject, the identity.
    pub issuer: String,
    /// The provider's own, unchanging name for the person.
    pub subject: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether the provider says that the address is the person's.
    pub email_verified: bool,
    /// What the person is called.
    pub display_name: Option<String>,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    id_token: Option<String>,
}

#[derive(Deserialize)]
struct UserInfo {
    sub: String,
    email: Option<String>,
    #[serde(default)]
    email_verified: Truth,
    name: Option<String>,
}

impl Provider {
    /// A provider by its settings; nothing is asked of it yet.
    ///
    /// # Errors
    /// Says what is wrong with the issuer: it has to be an `https` URL without query and fragment, or `http` on loopback.
    pub fn new(settings: Settings, client: Client) -> Result<Self, String> {
        let kind = match &settings.issuer {
            None => Kind::GitHub(GitHub::new(client, None)),
            Some(own) if settings.name == github::NAME => Kind::GitHub(GitHub::new(client, Some(&parse_issuer(own)?))),
            Some(name) => Kind::OpenId(Box::new(Discovery::new(client, &parse_issuer(name)?, name))),
        };
        Ok(Self { settings, kind })
    }

    /// What the operator has said of it.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Begins an attempt.
    ///
    /// # Errors
    /// The provider can't be asked about itself.
    pub async fn begin(&self, redirect_uri: &str) -> Result<Begun, Error> {
        let attempt = Attempt { state: secret(), nonce: secret(), verifier: secret() };
        let (mut url, scope) = match &self.kind {
            Kind::OpenId(discovery) => {
                (discovery.metadata().await?.authorization_endpoint.clone(), "openid email profile")
            }
            Kind::GitHub(github) => (github.authorize()?, "read:user user:email"),
        };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(attempt.verifier.as_bytes()));
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", scope)
            .append_pair("state", &attempt.state)
            .append_pair("nonce", &attempt.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(Begun { url, attempt })
    }

    /// Finishes an attempt: who the person is. `now` is in seconds of UTC.
    ///
    /// # Errors
    /// [`Error::Refused`] where anything is not as it has to be.
    pub async fn finish(
        &self,
        callback: &Callback,
        attempt: &Attempt,
        redirect_uri: &str,
        now: i64,
    ) -> Result<Person, Error> {
        match &self.kind {
            Kind::OpenId(discovery) => self.finish_open_id(discovery, callback, attempt, redirect_uri, now).await,
            Kind::GitHub(github) => {
                if callback.issuer.as_deref().is_some_and(|issuer| issuer != github.issuer) {
                    return Err(Refusal::CallbackIssuer.into());
                }
                github.finish(&self.settings, code_of(callback)?, attempt, redirect_uri).await
            }
        }
    }

    async fn finish_open_id(
        &self,
        discovery: &Discovery,
        callback: &Callback,
        attempt: &Attempt,
        redirect_uri: &str,
        now: i64,
    ) -> Result<Person, Error> {
        let metadata = discovery.metadata().await?;
        let good_issuer = match &callback.issuer {
            Some(issuer) => *issuer == metadata.issuer,
            None => !metadata.authorization_response_iss_parameter_supported,
        };
        if !good_issuer {
            return Err(Refusal::CallbackIssuer.into());
        }
        let code = code_of(callback)?;
        let tokens = self.exchange(discovery, &metadata, code, attempt, redirect_uri).await?;
        let token = tokens.id_token.ok_or(Refusal::Form)?;
        let expected = Expected {
            issuer: &metadata.issuer,
            client_id: &self.settings.client_id,
            nonce: &attempt.nonce,
            now,
            algorithms: &metadata.id_token_signing_alg_values_supported,
        };
        let claims = match verify(&token, &*discovery.keys(false).await?, &expected)? {
            Some(claims) => claims,
            None => verify(&token, &*discovery.keys(true).await?, &expected)?.ok_or(Refusal::Signature)?,
        };
        let mut person = Person {
            issuer: metadata.issuer.clone(),
            subject: claims.sub,
            email: claims.email,
            email_verified: claims.email_verified.is_true(),
            display_name: claims.name,
        };
        if person.email.is_none()
            && let Some(url) = &metadata.userinfo_endpoint
        {
            complete(&mut person, discovery, url, &tokens.access_token).await?;
        }
        Ok(person)
    }

    /// Headers and body for the token endpoint.
    fn token_request(
        &self,
        metadata: &Metadata,
        code: &str,
        attempt: &Attempt,
        redirect_uri: &str,
    ) -> Result<(HeaderMap, String), Error> {
        let Settings { client_id, client_secret, .. } = &self.settings;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("code_verifier", &attempt.verifier);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        // `client_secret_basic` is the default (RFC 8414, 2).
        let methods = metadata.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
        let basic = methods.is_empty() || methods.iter().any(|method| method == "client_secret_basic");
        if basic {
            headers.insert(AUTHORIZATION, basic_credentials(client_id, client_secret)?);
        } else {
            form.append_pair("client_id", client_id).append_pair("client_secret", client_secret);
        }
        Ok((headers, form.finish()))
    }

    async fn exchange(
        &self,
        discovery: &Discovery,
        metadata: &Metadata,
        code: &str,
        attempt: &Attempt,
        redirect_uri: &str,
    ) -> Result<Tokens, Error> {
        let (headers, form) = self.token_request(metadata, code, attempt, redirect_uri)?;
        let url = metadata.token_endpoint.clone();
        let answer = discovery.call(Method::POST, url, headers, form.into_bytes()).await?;
        match answer.status {
            200 => serde_json::from_slice(&answer.body).map_err(|_| Refusal::Form.into()),
            400 => Err(Refusal::Code.into()),
            status => Err(Error::Provider(format!("its token endpoint answers {status}"))),
        }
    }
}

/// Fills in what the ID token did not say.
async fn complete(person: &mut Person, discovery: &Discovery, url: &Url, access_token: &str) -> Result<(), Error> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, bearer(access_token)?);
    let answer = discovery.call(Method::GET, url.clone(), headers, Vec::new()).await?;
    if answer.status != 200 {
        return Err(Error::Provider(format!("its userinfo endpoint answers {}", answer.status)));
    }
    let info: UserInfo = serde_json::from_slice(&answer.body).map_err(|_| Refusal::Form)?;
    if info.sub != person.subject {
        return Err(Refusal::Subject.into());
    }
    person.email = info.email;
    person.email_verified = info.email_verified.is_true();
    person.display_name = person.display_name.take().or(info.name);
    Ok(())
}

fn code_of(callback: &Callback) -> Result<&str, Refusal> {
    if callback.error.is_some() {
        return Err(Refusal::Reported);
    }
    callback.code.as_deref().filter(|code| !code.is_empty()).ok_or(Refusal::Form)
}

/// RFC 6749, 2.3.1: both parts are form-encoded first.
fn basic_credentials(id: &str, secret: &str) -> Result<HeaderValue, Error> {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let credentials = format!("{}:{}", encode(id), encode(secret));
    let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(credentials));
    secret_header(&text)
}

pub(crate) fn bearer(token: &str) -> Result<HeaderValue, Error> {
    secret_header(&format!("Bearer {token}"))
}

fn secret_header(text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(text).map_err(|_| Refusal::Form)?;
    value.set_sensitive(true);
    Ok(value)
}

/// 256 bits of chance.
fn secret() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn parse_issuer(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error| format!("`{text}` is no URL: {error}"))?;
    let loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
        return Err(format!("`{text}` has to begin with https:// (http:// is allowed on loopback)"));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(format!("`{text}` has to be without query, fragment and user"));
    }
    Ok(url)
}
