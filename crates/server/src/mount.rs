//! Which protocol answers which path.

use std::{borrow::Cow, future::Future, pin::Pin, sync::Arc};

use accounts::Accounts;
use admin::Admin;
use alerts::Alerts;
use engine::Engine;
use http::{HeaderValue, Method, Response, StatusCode, header};
use live::Live;
use model::{Code, Problem};
use openapi::OpenApi;
use rest::Rest;
use web::{Body, Door, Metrics, Request};

use crate::{
    pages,
    pause::Pause,
    problems,
    public::{self, Public},
};

/// All protocols of the program.
pub struct Protocols {
    /// The app.
    pub engine: Arc<Engine>,
    /// `/api`
    pub rest: Rest,
    /// `/api/{resource}/events`
    pub live: Arc<Live>,
    /// `/auth`
    pub accounts: Accounts,
    /// `/_/api`
    pub admin: Arc<Admin>,
    /// `/openapi.json`, `/docs`
    pub openapi: OpenApi,
    /// `/metrics`
    pub metrics: Arc<Metrics>,
    /// What of the alerts is counted.
    pub alerts: Arc<Alerts>,
    /// What of failures is counted.
    pub auth: Arc<auth::Auth>,
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

    fn minds(&self, request: &Request<'_>) -> bool {
        !(matches!(request.method, Method::GET | Method::HEAD) && is_page(request.path))
    }
}

/// Whether a path is that of a page, the same for everybody.
fn is_page(path: &str) -> bool {
    let (first, rest) = below_root(path).split_once('/').unwrap_or((below_root(path), ""));
    match first {
        "docs" | "problems" => true,
        // A browser comes back there from elsewhere, and would show a refusal as it is.
        "auth" => matches!(rest, "join" | "page.css" | "page.js" | "reset") || rest.starts_with("oauth/"),
        _ => public::is_free(path),
    }
}

/// A path without its first slash. Only one: `//host/…` is no path of ours, and would be another host's in a `Link`.
fn below_root(path: &str) -> &str {
    path.strip_prefix('/').unwrap_or(path)
}

/// A segment of a path without its percent signs.
fn decoded(segment: &str) -> Result<Cow<'_, str>, Problem> {
    percent_encoding::percent_decode_str(segment).decode_utf8().map_err(|_| Problem::not_found())
}

impl Protocols {
    /// The metrics, with what others count brought up to date.
    fn metrics(&self) -> Response<Body> {
        self.metrics.refusals(&self.auth.failures.counts());
        self.metrics.alerts(&self.alerts.counts());
        pages::metrics(&self.metrics)
    }

    /// The table of paths, in the order in which they are tried.
    async fn route(&self, request: &mut Request<'_>) -> Result<Response<Body>, Problem> {
        let path = request.path;
        let mut segments = below_root(path).splitn(4, '/');
        let at = (segments.next().unwrap_or(""), segments.next(), segments.next(), segments.next());
        match at {
            ("api", Some(resource), None, None) if !resource.is_empty() => {
                self.rest.answer(request, &decoded(resource)?, None).await
            }
            ("api", Some(resource), Some("events"), None) => self.live.answer(request, &decoded(resource)?).await,
            ("api", Some(resource), Some("aggregate"), None) => self.rest.aggregate(request, &decoded(resource)?).await,
            ("api", Some(resource), Some(id), None) if !resource.is_empty() && !id.is_empty() => {
                self.rest.answer(request, &decoded(resource)?, Some(&decoded(id)?)).await
            }
            ("auth", Some(_), _, _) => {
                let rest = below_root(path).strip_prefix("auth/").unwrap_or("");
                // In a box: every other request would carry room for it.
                Box::pin(self.accounts.answer(request, rest)).await
            }
            ("_", Some("api"), Some(call), None) => self.admin.answer(request, call).await,
            (".well-known", Some("jwks.json"), None, None) => self.accounts.jwks(request).await,
            ("livez", None, None, None) => readable(request, || Ok(pages::alive())),
            ("readyz", None, None, None) => {
                if request.method != Method::OPTIONS {
                    self.engine.store().ready(self.engine.gate().catalog()).await?;
                }
                readable(request, || Ok(pages::ready()))
            }
            ("openapi.json", None, None, None) => readable(request, || Ok(self.openapi.document(request))),
            ("docs", file, None, None) => match OpenApi::page(file) {
                Some(page) => readable(request, || Ok(page)),
                None => Err(no_such_path(path)),
            },
            ("metrics", None, None, None) => readable(request, || Ok(self.metrics())),
            ("problems", Some(slug), None, None) => match problems::find(slug) {
                Some(code) => readable(request, || problems::page(code, request.headers)),
                None => Err(problems::unknown(slug)),
            },
            // The server as a whole (RFC 9110, 9.3.7).
            ("*", None, None, None) if request.method == Method::OPTIONS => Ok(options(EVERYTHING)),
            _ => self.public.answer(request).await?.ok_or_else(|| no_such_path(path)),
        }
    }
}

/// What can be read and not written.
const READABLE: &str = "GET, HEAD, OPTIONS";
/// What the server knows at all.
const EVERYTHING: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// A page that can only be read.
pub(crate) fn readable(
    request: &Request<'_>,
    page: impl FnOnce() -> Result<Response<Body>, Problem>,
) -> Result<Response<Body>, Problem> {
    match request.method {
        Method::GET | Method::HEAD => page(),
        Method::OPTIONS => Ok(options(READABLE)),
        _ => {
            let mut problem = Problem::new(Code::MethodNotAllowed, format!("allowed here: {READABLE}"));
            problem.extra.allow = Some(READABLE);
            Err(problem)
        }
    }
}

fn options(allow: &'static str) -> Response<Body> {
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    reply
}

fn no_such_path(path: &str) -> Problem {
    let help = if path == "/" || path == "/api" || path == "/api/" { "; records are at /api/{resource}" } else { "" };
    Problem::new(Code::NotFound, format!("there is nothing at this path{help}"))
}
