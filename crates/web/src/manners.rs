//! What happens around every request, in the order of the code of [`Manners::serve`].

use std::{
    future::Future,
    net::IpAddr,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use auth::Auth;
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header};
use http_body::Body as _;
use hyper::body::Incoming;
use model::{Code, Problem};

use crate::{
    body::Body,
    client::TrustedProxies,
    coding::{CODINGS, Preference},
    compress,
    cors::Cors,
    credentials, denials, inflate,
    log::{Line, RequestLog},
    metrics::Metrics,
    rates::{Account, Rates},
    reply::problem_reply,
    request::Request,
    tags,
    trace::{Trace, mix},
};

/// The longest request target, in bytes.
const TARGET: usize = 32 << 10;
/// The most headers, which HTTP/1.1's parser keeps to by itself.
const FIELDS: usize = 100;

/// A protocol: answers requests, or says what is wrong with them.
pub trait Door: Send + Sync + 'static {
    /// Answers a request.
    fn answer<'a>(
        &'a self,
        request: &'a mut Request<'_>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Body>, Problem>> + Send + 'a>>;

    /// Whether it matters who asks. Where it does not, credentials are not looked at: a page is shown with a cookie that has
    /// died, too.
    fn minds(&self, _request: &Request<'_>) -> bool {
        true
    }
}

/// An extension of a request that came with both `Content-Length` and `Transfer-Encoding`, by which a proxy on the way
/// may have seen another request than we do (RFC 9112, 6.1).
#[derive(Debug, Clone, Copy)]
pub struct Ambiguous;

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
    pub auth: Arc<Auth>,
    /// Bounds.
    pub limits: Limits,
    /// Other origins.
    pub cors: Cors,
    /// Believed proxies.
    pub proxies: TrustedProxies,
    /// How often callers may ask.
    pub rates: Option<Rates>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// The request log.
    pub log: Arc<RequestLog>,
    /// What time it is: microseconds of UTC.
    pub clock: Box<dyn Fn() -> i64 + Send + Sync>,
    /// Chance: request ids of this process begin with its lower half, and traces are made from all of it.
    pub prefix: u64,
    /// Numbers them.
    pub number: AtomicU64,
    /// Whether answers tell how long they took (development).
    pub timing: bool,
    /// Whether browsers are told to come by TLS only (`server.public_url` is https).
    pub secure: bool,
}

impl Manners {
    /// Answers one request, whatever happens.
    pub async fn serve(&self, request: http::Request<Incoming>, peer: IpAddr) -> Response<Body> {
        let started = Instant::now();
        let active = self.metrics.begin();
        let (mut parts, body) = request.into_parts();
        let preference = Preference::of(&parts.headers);
        let known = tags::unmark(&mut parts.headers, preference);
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let chance = mix(self.prefix ^ number);
        let mut request = Request {
            id: self.request_id(number, &parts.headers),
            address: self.proxies.client(peer, &parts.headers),
            identity: self.auth.anonymous(),
            session: None,
            dead_cookie: false,
            path: parts.uri.path(),
            query: parts.uri.query(),
            headers: &parts.headers,
            now: (self.clock)(),
            max_body: self.limits.max_body,
            body: Some(body),
            method: parts.method,
            trace: Trace::of(&parts.headers, chance, mix(chance)),
            rates: self.rates.as_ref(),
            account: Account::default(),
            is_noted: AtomicBool::new(false),
        };
        let well_formed = well_formed(&request, parts.version, parts.extensions.get::<Ambiguous>().is_some());
        // A proxy on the way may have seen another request than we do: nothing that follows is believed.
        let ends = well_formed.is_err() && parts.version < Version::HTTP_2;
        let mut reply = match self.cors.preflight(&request.method, request.headers).filter(|_| !ends) {
            Some(reply) => reply,
            None => {
                let outcome = match well_formed.and_then(|()| acceptable(preference)) {
                    Ok(()) => self.answer(&mut request).await,
                    Err(problem) => Err(problem),
                };
                outcome.unwrap_or_else(|problem| {
                    denials::note(&self.auth, &request, &problem);
                    problem_reply(&problem, &request)
                })
            }
        };
        if !reply.status().is_success() && request.body.as_ref().is_some_and(|body| !body.is_end_stream()) {
            request.drain().await;
        }
        match known {
            Some(known) if reply.status() == StatusCode::NOT_MODIFIED => tags::remark(reply.headers_mut(), &known),
            _ => {}
        }
        if !compress::is_secret(request.path) {
            compress::compress(&request.method, preference, &mut reply);
        }
        if ends {
            reply.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        self.dress(&request, &mut reply, started);
        self.record(&request, &reply, started);
        drop(active);
        // Requests that are ready are worked off first, then their answers are written in one go: under load that wakes
        // the other side once for many answers. Without load it costs one look at the sockets.
        tokio::task::yield_now().await;
        reply
    }

    /// A whole answer in HTTP/1.1 for what is refused before there is a request; the connection ends with it.
    #[must_use]
    pub fn refuse(&self, peer: IpAddr, status: u16) -> Vec<u8> {
        let problem = unread(status);
        let headers = HeaderMap::new();
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let chance = mix(self.prefix ^ number);
        let mut request = Request::new(Method::from_bytes(b"OTHER").unwrap_or_default(), "", None, &headers);
        request.id = self.request_id(number, &headers);
        request.address = peer.to_canonical();
        request.now = (self.clock)();
        request.trace = Trace::of(&headers, chance, mix(chance));
        let active = self.metrics.begin();
        let mut reply = problem_reply(&problem, &request);
        let started = Instant::now();
        self.dress(&request, &mut reply, started);
        self.record(&request, &reply, started);
        drop(active);
        let status = reply.status();
        // hyper adds it to every other answer.
        let date = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(request.now).unwrap_or(0));
        let mut text =
            format!("HTTP/1.1 {} {}\r\n", status.as_u16(), status.canonical_reason().unwrap_or("")).into_bytes();
        text.extend(format!("date: {}\r\n", httpdate::fmt_http_date(date)).into_bytes());
        for (name, value) in reply.headers() {
            text.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        let body = match reply.into_body() {
            Body::Whole(Some(bytes)) => bytes,
            Body::Whole(None) | Body::Stream(_) | Body::Pieces(_) => bytes::Bytes::new(),
        };
        text.extend(format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()).into_bytes());
        text.extend(body);
        text
    }

    /// The door's answer, or a problem: for what is out of bounds, takes too long or panics.
    async fn answer(&self, request: &mut Request<'_>) -> Result<Response<Body>, Problem> {
        self.within_bounds(request)?;
        let work = AssertUnwindSafe(self.identified(request)).catch_unwind();
        match tokio::time::timeout(self.limits.request_timeout, work).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Err(Problem::internal(format!("panic: {}", message(&*panic)))),
            Err(_) => Err(Problem::unavailable("the request took too long", "the time limit was reached", 1)),
        }
    }

    async fn identified(&self, request: &mut Request<'_>) -> Result<Response<Body>, Problem> {
        // Before anything is looked up, so that trying keys is limited, too.
        request.charge_itself(false)?;
        if self.door.minds(request) {
            credentials::identify(&self.auth, request).await?;
        }
        request.charge_itself(true)?;
        // Before anything is done, so that nobody has to think of it who reads the body.
        inflate::coding_of(request.headers)?;
        self.door.answer(request).await
    }

    fn within_bounds(&self, request: &Request<'_>) -> Result<(), Problem> {
        let target = request.path.len() + request.query.map_or(0, |query| query.len() + 1);
        if target > TARGET {
            let detail = format!("the path and query have {target} bytes; {TARGET} at most");
            return Err(Problem::new(Code::UriTooLong, detail));
        }
        let fields = request.headers.len();
        if fields > FIELDS {
            let detail = format!("there are {fields} headers; {FIELDS} at most");
            return Err(Problem::new(Code::HeadersTooLarge, detail));
        }
        let headers: usize = request.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if headers > self.limits.max_headers {
            let detail = format!("the headers have {headers} bytes; {} at most", self.limits.max_headers);
            return Err(Problem::new(Code::HeadersTooLarge, detail));
        }
        Ok(())
    }

    /// The id that came, if it is sane, or a new one.
    fn request_id(&self, number: u64, headers: &HeaderMap) -> Arc<str> {
        let sane = |id: &&str| {
            (1..=128).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'))
        };
        if let Some(id) = headers.get("x-request-id").and_then(|id| id.to_str().ok()).filter(sane) {
            return id.into();
        }
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
        if self.secure {
            let year = HeaderValue::from_static("max-age=31536000");
            headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
        }
        if let Ok(trace) = HeaderValue::from_str(&request.trace.to_string()) {
            headers.insert("traceparent", trace);
        }
        if request.dead_cookie
            && !headers.contains_key(header::SET_COOKIE)
            && let Some(cookie) = self.auth.cookies().clear().and_then(|cookie| HeaderValue::from_str(&cookie).ok())
        {
            headers.insert(header::SET_COOKIE, cookie);
        }
        self.cors.finish(request.headers, headers);
        if let Some(rates) = &self.rates {
            rates.tell(&request.account, headers);
        }
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
            trace: request.trace,
        });
    }
}

/// Why there is no request, by the status that tells so.
fn unread(status: u16) -> Problem {
    match status {
        431 => Problem::new(
            Code::HeadersTooLarge,
            "the headers are too many or too large: 100 of them, 32768 bytes at most",
        ),
        414 => Problem::new(Code::UriTooLong, format!("the path and query have more than {TARGET} bytes")),
        503 => {
            let mut problem = Problem::new(Code::Unavailable, "too many connections are open");
            problem.extra.retry_after = Some(1);
            problem
        }
        _ => Problem::new(Code::BadRequest, "this is not a request of HTTP/1.1 as RFC 9112 has it"),
    }
}

/// What hyper lets pass and the standard does not.
fn well_formed(request: &Request<'_>, version: Version, ambiguous: bool) -> Result<(), Problem> {
    if ambiguous {
        let detail = "the request has both `Content-Length` and `Transfer-Encoding`: send one of them";
        return Err(Problem::new(Code::BadRequest, detail));
    }
    let several = |name| request.headers.get_all(name).iter().nth(1).is_some();
    if several(header::CONTENT_TYPE) {
        return Err(Problem::new(Code::BadRequest, "the request has several `Content-Type` headers: send one of them"));
    }
    let codings = request.headers.get(header::TRANSFER_ENCODING);
    if codings.is_some_and(|codings| !codings.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Err(Problem::new(
            Code::BadRequest,
            "of `Transfer-Encoding` only `chunked` is understood (RFC 9112, 6.1)",
        ));
    }
    let mut hosts = request.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if !host.as_bytes().iter().all(is_of_host) => {
            Err(Problem::new(Code::BadRequest, "the `Host` header is no name or address with a port (RFC 3986, 3.2.2)"))
        }
        (Some(_), None) => Ok(()),
        (None, None) if version != Version::HTTP_11 => Ok(()),
        _ => Err(Problem::new(Code::BadRequest, "the request needs one `Host` header")),
    }
}

/// Whether a byte may stand in `Host`: unreserved, sub-delimiters, percent signs, and those of ports and IPv6.
fn is_of_host(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%:[]".contains(byte)
}

/// # Errors
/// 406 where no coding is taken, not even none.
fn acceptable(preference: Preference) -> Result<(), Problem> {
    if preference.is_impossible() {
        let detail = format!("`Accept-Encoding` takes nothing that can be made here: {CODINGS}");
        return Err(Problem::new(Code::NotAcceptable, detail));
    }
    Ok(())
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
