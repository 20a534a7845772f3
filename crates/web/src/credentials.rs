//! Which credentials a request shows: a header, else a cookie, and whether the page may send that.

use std::{sync::Arc, time::Duration};

use auth::{Auth, Grant, Identified};
use http::{HeaderMap, Method, header};
use model::{Code, Problem, caller::Identity};
use tokio::sync::watch;

use crate::request::Request;

/// What asks for a session cookie.
const ASKS: &str = "mainstay-session";

/// The session by which somebody asks, for answers that go on: it may end before they do.
#[derive(Clone)]
pub struct Session {
    auth: Arc<Auth>,
    grant: Grant,
}

impl Session {
    /// Told whenever the person or the session may have changed.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<()> {
        self.grant.standing.watch()
    }

    /// Who it is now.
    ///
    /// # Errors
    /// 401 where session or token have ended.
    pub async fn again(&self) -> Result<Arc<Identity>, Problem> {
        self.auth.again(&self.grant).await
    }

    /// How long the token goes on that was shown; none for a cookie.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        let left = self.grant.expires_at.checked_sub(self.auth.now()).filter(|_| self.grant.expires_at < i64::MAX)?;
        Some(Duration::from_micros(u64::try_from(left).unwrap_or(0)))
    }
}

/// Finds out who asks.
///
/// # Errors
/// 401 for credentials that are not valid: never taken for a stranger's. 403 `csrf` for an unsafe request that carries or asks
/// for the cookie and comes from no page of ours.
pub(crate) async fn identify(auth: &Arc<Auth>, request: &mut Request<'_>) -> Result<(), Problem> {
    let shown = request.headers.get(header::AUTHORIZATION);
    let cookies =
        request.header(header::COOKIE).and_then(|all| auth.cookies().session(all)).filter(|_| shown.is_none());
    let asks = request.headers.contains_key(ASKS);
    if (cookies.is_some() || asks) && is_unsafe(&request.method, request.headers) {
        let text = |name: &str| request.headers.get(name).map(|value| value.to_str().unwrap_or(""));
        if !auth.cookies().admit(text("origin"), text("sec-fetch-site")) {
            let detail = "with the session cookie, `Origin` has to be that of `server.public_url`, or one of \
                          `server.cors_origins`";
            return Err(Problem::new(Code::Csrf, detail));
        }
    }
    let identified = match (shown, cookies) {
        (Some(shown), _) => auth.identify(shown.to_str().unwrap_or("")).await?,
        (None, Some(cookie)) => match auth.identify_cookie(cookie).await {
            Err(problem) if problem.code.status() == 401 => {
                request.dead_cookie = true;
                return Err(problem);
            }
            other => other?,
        },
        (None, None) => return Ok(()),
    };
    let Identified { identity, grant } = identified;
    request.identity = identity;
    request.session = grant.map(|grant| Session { auth: Arc::clone(auth), grant });
    Ok(())
}

/// Whether a request may change something; an upgrade opens a connection on which anything may.
fn is_unsafe(method: &Method, headers: &HeaderMap) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) || headers.contains_key(header::UPGRADE)
}
