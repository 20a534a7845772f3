//! The one client for calls to other servers.
//!
//! Where such a call goes is often said by somebody else: a provider's discovery document, a webhook's owner. So every
//! address that a name resolves to is checked, and the connection goes to an address that was checked, not to the name
//! again; redirects are not followed; an answer is read up to a limit, within a time limit. See the server-side request
//! forgery page of OWASP.

mod address;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderMap, Method};
use reqwest::{
    ClientBuilder,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use tokio::sync::OnceCell;
use url::{Host, Url};

pub use address::is_public;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a call may take in all.
const WHOLE: Duration = Duration::from_secs(10);

/// Makes calls.
///
/// Its two ways out are set up with the first call that takes them: reading the system's certificates is a good part of the
/// time and the memory of a start, and most servers call nobody.
#[derive(Debug, Clone, Default)]
pub struct Client(Arc<Ways>);

#[derive(Debug, Default)]
struct Ways {
    /// To public addresses alone.
    public: OnceCell<reqwest::Client>,
    /// To a place that the operator has named.
    any: OnceCell<reqwest::Client>,
}

/// A call to another server.
#[derive(Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// Where to: `https`, or `http` at a trusted origin.
    pub url: Url,
    /// Further headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// How many bytes of the answer are read at most; more is an error.
    pub limit: usize,
    /// The scheme, host and port that the operator of this server has named: it may be private. Any other place must have
    /// public addresses only, and TLS.
    pub trusted: Option<Origin>,
}

/// A scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(url::Origin);

impl Origin {
    /// The origin of a URL.
    #[must_use]
    pub fn of(url: &Url) -> Self {
        Self(url.origin())
    }
}

/// What another server answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Vec<u8>,
}

/// Why a call came to nothing. The messages name no part of a URL but the host.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is of no scheme that is called.
    #[error("only https is called, not {0}")]
    Scheme(String),
    /// The host is, or resolves to, an address of a private network.
    #[error("{0} is at a private address")]
    Private(String),
    /// No answer came.
    #[error("{host} can't be reached")]
    Unreachable {
        /// Who was called.
        host: String,
        /// What the network says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer has more bytes than the call allows.
    #[error("{host} answers with more than {limit} bytes")]
    TooLarge {
        /// Who was called.
        host: String,
        /// What the call allows.
        limit: usize,
    },
    /// The client can't be set up.
    #[error("failed to set up the HTTP client")]
    SetUp(#[source] reqwest::Error),
    /// Setting the client up has ended before it was done.
    #[error("failed to finish setting up the HTTP client")]
    SetUpEnded(#[source] tokio::task::JoinError),
}

impl Client {
    /// Makes a call and reads its whole answer.
    ///
    /// # Errors
    /// See [`Error`]; an answer of any status is no error.
    pub async fn send(&self, call: Call) -> Result<Answer, Error> {
        let Call { method, url, headers, body, limit, trusted } = call;
        let host = url.host_str().unwrap_or_default().to_owned();
        let client = match trusted {
            Some(trusted) if trusted == Origin::of(&url) => set_up(&self.0.any, builder).await?,
            _ => {
                check(&url)?;
                set_up(&self.0.public, || builder().dns_resolver(PublicOnly)).await?
            }
        };
        let unreachable = |source: reqwest::Error| refused(&host, source);
        let request = client.request(method, url).headers(headers).body(body);
        let mut response = request.send().await.map_err(unreachable)?;
        let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > limit {
                return Err(Error::TooLarge { host, limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }
}

fn builder() -> ClientBuilder {
    reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .timeout(WHOLE)
        .pool_max_idle_per_host(2)
        .user_agent("mainstay")
}

/// A way out, set up unless it has been: away from the threads that serve requests, since files are read.
async fn set_up(
    way: &OnceCell<reqwest::Client>,
    builder: impl FnOnce() -> ClientBuilder + Send + 'static,
) -> Result<&reqwest::Client, Error> {
    let made = || async {
        match tokio::task::spawn_blocking(move || builder().build()).await {
            Ok(built) => built.map_err(Error::SetUp),
            Err(error) => Err(Error::SetUpEnded(error)),
        }
    };
    way.get_or_try_init(made).await
}

/// What can be said of a URL before its name is resolved: a literal address never meets the resolver.
fn check(url: &Url) -> Result<(), Error> {
    if url.scheme() != "https" {
        return Err(Error::Scheme(url.scheme().to_owned()));
    }
    let public = match url.host() {
        Some(Host::Ipv4(address)) => is_public(address.into()),
        Some(Host::Ipv6(address)) => is_public(address.into()),
        Some(Host::Domain(_)) => true,
        None => false,
    };
    if public { Ok(()) } else { Err(Error::Private(url.host_str().unwrap_or_default().to_owned())) }
}

fn refused(host: &str, source: reqwest::Error) -> Error {
    let mut cause: Option<&dyn std::error::Error> = Some(&source);
    while let Some(error) = cause {
        if error.is::<PrivateAddress>() {
            return Error::Private(host.to_owned());
        }
        cause = error.source();
    }
    // The URL may have secrets in it.
    Error::Unreachable { host: host.to_owned(), source: Box::new(source.without_url()) }
}

/// Resolves names, and refuses those that have any address in a private network: of a name that has both kinds, one can't
/// know which is meant.
#[derive(Debug)]
struct PublicOnly;

#[derive(Debug, thiserror::Error)]
#[error("the name resolves to a private address")]
struct PrivateAddress;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(public_only(found)?.into_iter()) as Addrs)
        })
    }
}

fn public_only(found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, PrivateAddress> {
    if found.iter().all(|address| is_public(address.ip())) { Ok(found) } else { Err(PrivateAddress) }
}

#[cfg(test)]
mod tests;
