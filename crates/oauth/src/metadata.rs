//! What a provider says of itself: its discovery document and its keys.
//!
//! Both are kept for a while. A key id that is not known makes the keys be asked for again, but not more than once in a
//! while: tokens with invented ids must not turn into calls.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, Method};
use jsonwebtoken::jwk::JwkSet;
use outgoing::{Call, Client, Origin};
use parking_lot::Mutex;
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use crate::error::{Error, Refusal};

/// How long what was discovered is believed.
const KEPT: Duration = Duration::from_secs(3600);
/// The least time between two calls for keys.
const PAUSE: Duration = Duration::from_secs(60);
/// The most bytes of a document.
const LIMIT: usize = 256 * 1024;

/// A discovery document, as far as it concerns us (OpenID Connect Discovery 1.0, RFC 8414, RFC 9207).
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) issuer: String,
    pub(crate) authorization_endpoint: Url,
    pub(crate) token_endpoint: Url,
    pub(crate) userinfo_endpoint: Option<Url>,
    jwks_uri: Url,
    #[serde(default)]
    pub(crate) id_token_signing_alg_values_supported: Vec<String>,
    pub(crate) token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
}

/// Asks a provider about itself, and remembers.
#[derive(Debug)]
pub(crate) struct Discovery {
    client: Client,
    issuer: Url,
    /// As the operator wrote it: it is compared as text.
    name: String,
    trusted: Origin,
    found: Mutex<Option<(Instant, Arc<Metadata>)>>,
    keys: Mutex<Option<(Instant, Arc<JwkSet>)>>,
}

impl Discovery {
    pub(crate) fn new(client: Client, issuer: &Url, name: &str) -> Self {
        let trusted = Origin::of(issuer);
        let (issuer, name) = (issuer.clone(), name.to_owned());
        Self { client, issuer, name, trusted, found: Mutex::new(None), keys: Mutex::new(None) }
    }

    /// The discovery document.
    pub(crate) async fn metadata(&self) -> Result<Arc<Metadata>, Error> {
        if let Some((since, metadata)) = &*self.found.lock()
            && since.elapsed() < KEPT
        {
            return Ok(Arc::clone(metadata));
        }
        let mut url = self.issuer.clone();
        let path = format!("{}/.well-known/openid-configuration", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let metadata: Metadata = self.fetch(url).await?;
        if metadata.issuer != self.name {
            return Err(Refusal::DiscoveredIssuer.into());
        }
        let metadata = Arc::new(metadata);
        *self.found.lock() = Some((Instant::now(), Arc::clone(&metadata)));
        Ok(metadata)
    }

    /// The provider's keys; with `unknown`, newer ones than those that have just been tried, if it may be asked again.
    pub(crate) async fn keys(&self, unknown: bool) -> Result<Arc<JwkSet>, Error> {
        let patience = if unknown { PAUSE } else { KEPT };
        if let Some((since, keys)) = &*self.keys.lock()
            && since.elapsed() < patience
        {
            return Ok(Arc::clone(keys));
        }
        let metadata = self.metadata().await?;
        let keys: Arc<JwkSet> = Arc::new(self.fetch_keys(metadata.jwks_uri.clone()).await?);
        *self.keys.lock() = Some((Instant::now(), Arc::clone(&keys)));
        Ok(keys)
    }

    /// Keys of a kind that we don't know are passed over: they must not make the others useless.
    async fn fetch_keys(&self, url: Url) -> Result<JwkSet, Error> {
        #[derive(Deserialize)]
        struct Any {
            keys: Vec<serde_json::Value>,
        }
        let any: Any = self.fetch(url).await?;
        let keys = any.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect();
        Ok(JwkSet { keys })
    }

    async fn fetch<T: DeserializeOwned>(&self, url: Url) -> Result<T, Error> {
        let answer = self.call(Method::GET, url, HeaderMap::new(), Vec::new()).await?;
        if answer.status != 200 {
            return Err(Error::Provider(format!("it answers {}", answer.status)));
        }
        serde_json::from_slice(&answer.body).map_err(|_| Refusal::Form.into())
    }

    /// Calls one of the provider's endpoints. The origin of the issuer is the operator's word; others must be public.
    pub(crate) async fn call(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<outgoing::Answer, Error> {
        let trusted = Some(self.trusted.clone());
        Ok(self.client.send(Call { method, url, headers, body, limit: LIMIT, trusted }).await?)
    }
}
