//! The REST protocol: `/api/{resource}`, `/api/{resource}/{id}` and `/api/batch`.
//!
//! Each file decodes one kind of call, calls the engine, and encodes; nothing is decided here.

mod aggregate;
mod answer;
mod batch;
mod export;
mod once;
mod query;
mod read;
mod write;

use std::sync::Arc;

use engine::{Engine, Target};
use http::{Method, Response, StatusCode};
use model::{Code, Problem};
use web::{Body, Request};

/// Methods of a list.
const LIST: &str = "GET, HEAD, POST, OPTIONS";
/// Methods of what is only read.
const READ: &str = "GET, HEAD, OPTIONS";
/// Methods of a list with a filter.
const FILTERED: &str = "GET, HEAD, POST, PATCH, DELETE, OPTIONS";
/// Methods of a batch.
const BATCH: &str = "POST, OPTIONS";
/// Methods of a record.
const RECORD: &str = "GET, HEAD, PUT, PATCH, DELETE, OPTIONS";

/// The REST protocol over an engine.
pub struct Rest {
    engine: Arc<Engine>,
}

impl Rest {
    /// Speaks for an engine.
    #[must_use]
    pub fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Answers a request whose path, after `/api/`, is one or two segments.
    ///
    /// # Errors
    /// What the engine says, and what is wrong with the request itself.
    pub async fn answer(
        &self,
        request: &mut Request<'_>,
        resource: &str,
        id: Option<&str>,
    ) -> Result<Response<Body>, Problem> {
        let Some(id) = id else {
            if resource == "batch" {
                return self.batch(request).await;
            }
            return match request.method {
                Method::GET | Method::HEAD => read::list(&self.engine, request, resource).await,
                Method::POST => write::create(&self.engine, request, resource).await,
                Method::PATCH => match write::patch_matching(&self.engine, request, resource).await? {
                    Some(reply) => Ok(reply),
                    None => Err(self.not_allowed(resource, LIST)),
                },
                Method::DELETE => match write::delete_matching(&self.engine, request, resource).await? {
                    Some(reply) => Ok(reply),
                    None => Err(self.not_allowed(resource, LIST)),
                },
                Method::OPTIONS => Engine::resource(&self.engine.gate(), resource).map(|_| options(FILTERED)),
                _ => Err(self.not_allowed(resource, LIST)),
            };
        };
        let target = Target { resource, id };
        match request.method {
            Method::GET | Method::HEAD => read::one(&self.engine, request, target).await,
            Method::PUT => write::replace(&self.engine, request, target).await,
            Method::PATCH => write::patch(&self.engine, request, target).await,
            Method::DELETE => write::delete(&self.engine, request, target).await,
            Method::OPTIONS => Engine::resource(&self.engine.gate(), resource).map(|_| options(RECORD)),
            _ => Err(self.not_allowed(resource, RECORD)),
        }
    }

    /// Answers a request for `/api/{resource}/aggregate`.
    ///
    /// # Errors
    /// What the engine says, and what is wrong with the request itself.
    pub async fn aggregate(&self, request: &mut Request<'_>, resource: &str) -> Result<Response<Body>, Problem> {
        match request.method {
            Method::GET | Method::HEAD => aggregate::answer(&self.engine, request, resource).await,
            Method::OPTIONS => Ok(options(READ)),
            _ => Err(self.not_allowed(resource, READ)),
        }
    }

    async fn batch(&self, request: &mut Request<'_>) -> Result<Response<Body>, Problem> {
        match request.method {
            Method::POST => write::batch(&self.engine, request).await,
            Method::OPTIONS => Ok(options(BATCH)),
            _ => Err(method_not_allowed(BATCH)),
        }
    }

    /// 405, or 404 where the resource does not exist either.
    fn not_allowed(&self, resource: &str, allow: &'static str) -> Problem {
        match Engine::resource(&self.engine.gate(), resource) {
            Ok(_) => method_not_allowed(allow),
            Err(problem) => problem,
        }
    }
}

fn method_not_allowed(allow: &'static str) -> Problem {
    let help = if allow == LIST { "; with a filter also PATCH and DELETE" } else { "" };
    let mut problem = Problem::new(Code::MethodNotAllowed, format!("allowed here: {allow}{help}"));
    problem.extra.allow = Some(allow);
    problem
}

fn options(allow: &'static str) -> Response<Body> {
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply.headers_mut().insert(http::header::ALLOW, http::HeaderValue::from_static(allow));
    reply
}
