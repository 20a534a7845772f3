//! Which protocol answers which path.

use std::{future::Future, pin::Pin, sync::Arc};

use engine::Engine;
use http::{Method, Response};
use live::Live;
use model::{Code, Problem};
use rest::Rest;
use web::{Body, Door, Metrics, Request};

use crate::{pages, pause::Pause, public::Public};

/// All protocols of the program.
pub struct Protocols {
    /// The app.
    pub engine: Arc<Engine>,
    /// `/api`
    pub rest: Rest,
    /// `/api/{resource}/events`
    pub live: Arc<Live>,
    /// `/metrics`
    pub metrics: Arc<Metrics>,
    /// The app's own pages: what is no one else's
    pub(crate) public: Public,
    /// Where requests wait while the app changes.
    pub(crate) pause: Pause,
}

impl Door for Protocols {
    fn answer<'a>(
        &'a self,
        request: &'a mut Request<'_>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Body>, Problem>> + Send + 'a>> {
        Box::pin(async {
            let _going = self.pause.pass().await;
            self.route(request).await
        })
    }
}

impl Protocols {
    /// The table of paths, in the order in which they are tried.
    async fn route(&self, request: &mut Request<'_>) -> Result<Response<Body>, Problem> {
        let path = request.path;
        let mut segments = path.trim_start_matches('/').splitn(4, '/');
        let at = (segments.next().unwrap_or(""), segments.next(), segments.next(), segments.next());
        match at {
            ("api", Some(resource), None, None) if !resource.is_empty() => {
                self.rest.answer(request, resource, None).await
            }
            ("api", Some(resource), Some("events"), None) => self.live.answer(request, resource).await,
            ("api", Some(resource), Some("aggregate"), None) => self.rest.aggregate(request, resource).await,
            ("api", Some(resource), Some(id), None) if !id.is_empty() => {
                let id = percent_encoding::percent_decode_str(id).decode_utf8().map_err(|_| Problem::not_found())?;
                self.rest.answer(request, resource, Some(&id)).await
            }
            ("livez", None, None, None) => only_get(request).map(|()| pages::alive()),
            ("readyz", None, None, None) => {
                only_get(request)?;
                self.engine.store().ready(self.engine.gate().catalog()).await?;
                Ok(pages::ready())
            }
            ("metrics", None, None, None) => only_get(request).map(|()| pages::metrics(&self.metrics)),
            ("problems", Some(slug), None, None) => {
                only_get(request)?;
                pages::problem(slug).ok_or_else(|| no_such_path(path))
            }
            _ => self.public.answer(request).await?.ok_or_else(|| no_such_path(path)),
        }
    }
}

fn only_get(request: &Request<'_>) -> Result<(), Problem> {
    if matches!(request.method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let mut problem = Problem::new(Code::MethodNotAllowed, "allowed here: GET, HEAD");
    problem.extra.allow = Some("GET, HEAD");
    Err(problem)
}

fn no_such_path(path: &str) -> Problem {
    let help = if path == "/" || path == "/api" || path == "/api/" { "; records are at /api/{resource}" } else { "" };
    Problem::new(Code::NotFound, format!("there is nothing at this path{help}"))
}
