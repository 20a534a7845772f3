//! What happens around every request, in the order of the code of [`Manners::serve`].

use std::{
    future::Future,
    net::IpAddr,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use auth::Auth;
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, Response, header};
use hyper::body::Incoming;
use model::{Code, Problem};

use crate::{
    body::Body,
    client::TrustedProxies,
    cors::Cors,
    log::{Line, RequestLog},
    metrics::Metrics,
    reply::problem_reply,
    request::Request,
};

/// The longest request target, in bytes.
const TARGET: usize = 32 << 10;

/// A protocol: answers requests, or says what is wrong with them.
pub trait Door: Send + Sync + 'static {
    /// Answers a request.
    fn answer<'a>(
        &'a self,
        request: &'a mut Request<'_>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Body>, Problem>> + Send + 'a>>;
}

/// Bounds on what a request may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most bytes of a body.
    pub max_body: usize,
    /// The longest time to the first byte of the answer.
    pub request_timeout: Duration,
    /// The most bytes of all headers together.
    pub max_headers: usize,
}

/// The manners and what they need.
pub struct Manners {
    /// The protocols.
    pub door: Box<dyn Door>,
    /// Who asks.
    pub auth: Auth,
    /// Bounds.
    pub limits: Limits,
    /// Other origins.
    pub cors: Cors,
    /// Believed proxies.
    pub proxies: TrustedProxies,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// The request log.
    pub log: Arc<RequestLog>,
    /// What time it is: microseconds of UTC.
    pub clock: Box<dyn Fn() -> i64 + Send + Sync>,
    /// Request ids of this process begin with it.
    pub prefix: u64,
    /// Numbers them.
    pub number: AtomicU64,
    /// Whether answers tell how long they took (development).
    pub timing: bool,
}

impl Manners {
    /// Answers one request, whatever happens.
    pub async fn serve(&self, request: http::Request<Incoming>, peer: IpAddr) -> Response<Body> {
        let started = Instant::now();
        let active = self.metrics.begin();
        let (parts, body) = request.into_parts();
        let mut request = Request {
            id: self.request_id(&parts.headers),
            address: self.proxies.client(peer, &parts.headers),
            identity: self.auth.anonymous(),
            path: parts.uri.path(),
            query: parts.uri.query(),
            headers: &parts.headers,
            now: (self.clock)(),
            max_body: self.limits.max_body,
            body: Some(body),
            method: parts.method,
        };
        let mut reply = match self.cors.preflight(&request.method, request.headers) {
            Some(reply) => reply,
            None => self.answer(&mut request).await,
        };
        self.dress(&request, &mut reply, started);
        self.record(&request, &reply, started);
        drop(active);
        // Requests that are ready are worked off first, then their answers are written in one go: under load that wakes
        // the other side once for many answers. Without load it costs one look at the sockets.
        tokio::task::yield_now().await;
        reply
    }

    /// The door's answer, or a problem: for what is out of bounds, takes too long or panics.
    async fn answer(&self, request: &mut Request<'_>) -> Response<Body> {
        let outcome = match self.within_bounds(request) {
            Ok(()) => {
                let work = AssertUnwindSafe(self.identified(request)).catch_unwind();
                match tokio::time::timeout(self.limits.request_timeout, work).await {
                    Ok(Ok(outcome)) => outcome,
                    Ok(Err(panic)) => Err(Problem::internal(format!("panic: {}", message(&*panic)))),
                    Err(_) => Err(Problem::unavailable("the request took too long", "the time limit was reached", 1)),
                }
            }
            Err(problem) => Err(problem),
        };
        outcome.unwrap_or_else(|problem| problem_reply(&problem, request))
    }

    async fn identified(&self, request: &mut Request<'_>) -> Result<Response<Body>, Problem> {
        if let Some(shown) = request.headers.get(header::AUTHORIZATION) {
            request.identity = self.auth.identify(Some(shown.to_str().unwrap_or(""))).await?;
        }
        self.door.answer(request).await
    }

    fn within_bounds(&self, request: &Request<'_>) -> Result<(), Problem> {
        let target = request.path.len() + request.query.map_or(0, |query| query.len() + 1);
        if target > TARGET {
            let detail = format!("the path and query have {target} bytes; {TARGET} at most");
            return Err(Problem::new(Code::UriTooLong, detail));
        }
        let headers: usize = request.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if headers > self.limits.max_headers {
            let detail = format!("the headers have {headers} bytes; {} at most", self.limits.max_headers);
            return Err(Problem::new(Code::HeadersTooLarge, detail));
        }
        Ok(())
    }

    /// The id that came, if it is sane, or a new one.
    fn request_id(&self, headers: &HeaderMap) -> Arc<str> {
        let sane = |id: &&str| {
            (1..=128).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'))
        };
        if let Some(id) = headers.get("x-request-id").and_then(|id| id.to_str().ok()).filter(sane) {
            return id.into();
        }
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let mut text = *b"00000000-00000000";
        hexadecimal(self.prefix, &mut text[..8]);
        hexadecimal(number, &mut text[9..]);
        std::str::from_utf8(&text).unwrap_or_default().into()
    }

    /// Headers that every answer has.
    fn dress(&self, request: &Request<'_>, reply: &mut Response<Body>, started: Instant) {
        let headers = reply.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&request.id) {
            headers.insert("x-request-id", id);
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        self.cors.finish(request.headers, headers);
        if self.timing {
            let took = format!("total;dur={:.3}", started.elapsed().as_secs_f64() * 1000.0);
            if let Ok(took) = HeaderValue::from_str(&took) {
                headers.insert("server-timing", took);
            }
        }
    }

    fn record(&self, request: &Request<'_>, reply: &Response<Body>, started: Instant) {
        let duration = started.elapsed();
        let status = reply.status().as_u16();
        let method = request.method_name();
        self.metrics.end(method, status, duration);
        self.log.add(&Line {
            now: request.now,
            request_id: &request.id,
            method,
            path: request.path,
            status,
            bytes: reply.body().length(),
            duration,
            address: request.address,
            actor: request.identity.actor.as_deref(),
        });
    }
}

fn hexadecimal(mut number: u64, out: &mut [u8]) {
    for place in out.iter_mut().rev() {
        *place = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        (None, None) => "of another kind",
    }
}
