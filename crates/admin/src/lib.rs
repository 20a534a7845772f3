//! `/_/api/…`: what administrators read of the server itself.
//!
//! Whoever comes here has the role `admin`, by a session or by a key without scopes: a key with scopes is for records, and has
//! no scope that would reach here.

mod audit;
mod follow;

use std::sync::Arc;

use auth::Auth;
use http::{HeaderValue, Method, Response, StatusCode, header};
use model::{Code, Problem, caller::Identity};
use tokio_util::sync::CancellationToken;
use web::{Body, Request};

/// What can be read.
const ALLOW: &str = "GET, HEAD, OPTIONS";

/// The protocol of administrators.
pub struct Admin {
    auth: Arc<Auth>,
    stop: CancellationToken,
}

impl Admin {
    /// Speaks of a server.
    #[must_use]
    pub fn new(auth: Arc<Auth>) -> Self {
        Self { auth, stop: CancellationToken::new() }
    }

    /// Ends the answers that go on.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Answers `/_/api/{rest}`.
    ///
    /// # Errors
    /// 401 and 403 for everybody but administrators, 404 for what is not there.
    pub async fn answer(&self, request: &Request<'_>, rest: &str) -> Result<Response<Body>, Problem> {
        require_admin(&request.identity)?;
        if rest != "audit" {
            return Err(Problem::new(Code::NotFound, "there is nothing at this path; there is `/_/api/audit`"));
        }
        match request.method {
            Method::GET | Method::HEAD => {
                let reply = audit::answer(self, request).await?;
                Ok(web::without_body_for_head(request, reply))
            }
            Method::OPTIONS => {
                let mut reply = Response::new(Body::empty());
                *reply.status_mut() = StatusCode::NO_CONTENT;
                reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static(ALLOW));
                Ok(reply)
            }
            _ => {
                let mut problem = Problem::new(Code::MethodNotAllowed, format!("allowed here: {ALLOW}"));
                problem.extra.allow = Some(ALLOW);
                Err(problem)
            }
        }
    }
}

/// Lets administrators pass.
fn require_admin(identity: &Identity) -> Result<(), Problem> {
    match (identity.is_known(), identity.is_admin(), &identity.scopes) {
        (_, true, None) => Ok(()),
        (_, true, Some(_)) => Err(Problem::new(
            Code::Forbidden,
            "a key with scopes reaches records only: sign in, or use an operator's key",
        )),
        (true, false, _) => Err(Problem::new(Code::Forbidden, "this is for administrators")),
        (false, ..) => Err(Problem::new(Code::Unauthenticated, "sign in as an administrator first")),
    }
}
