//! A request as doors see it.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, header};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use model::{Caller, Code, Problem, caller::Identity};
use serde_json::Value as Json;

use crate::{
    credentials::Session,
    inflate, json,
    rates::{Account, Rates, Who},
    trace::Trace,
};

/// How much of a refused body is read, so that its sender gets to read the answer: bytes, and for how long.
const DRAINED: usize = 16 << 20;
const DRAINING: Duration = Duration::from_secs(5);
/// How long a client may take for the next piece of a body.
const PIECE: Duration = Duration::from_secs(15);

/// A request, with what the manners found out about it.
pub struct Request<'a> {
    /// Its id, as in `X-Request-Id`.
    pub id: Arc<str>,
    /// The client's address.
    pub address: IpAddr,
    /// Who asks.
    pub identity: Arc<Identity>,
    /// By which session, for answers that go on longer than it may; none for strangers and keys.
    pub session: Option<Session>,
    /// Whether a session cookie came that is none any more, so that the answer takes it away.
    pub dead_cookie: bool,
    /// The method.
    pub method: Method,
    /// The path, as it was sent.
    pub path: &'a str,
    /// The query string, as it was sent.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The time when it came: microseconds of UTC.
    pub now: i64,
    /// The most bytes of a body.
    pub max_body: usize,
    /// The body as it comes, until it is read; [`Self::bytes`] reads it out of its coding.
    pub body: Option<Incoming>,
    /// Its place in a trace.
    pub trace: Trace,
    pub(crate) rates: Option<&'a Rates>,
    pub(crate) account: Account,
    pub(crate) is_noted: AtomicBool,
}

impl<'a> Request<'a> {
    /// A request of a stranger on this machine, without a body.
    #[must_use]
    pub fn new(method: Method, path: &'a str, query: Option<&'a str>, headers: &'a HeaderMap) -> Self {
        Self {
            id: "".into(),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            identity: Arc::new(Identity::anonymous()),
            method,
            path,
            query,
            headers,
            now: 0,
            max_body: 0,
            body: None,
            trace: Trace::of(headers, 1, 1),
            rates: None,
            account: Account::default(),
            is_noted: AtomicBool::new(false),
            session: None,
            dead_cookie: false,
        }
    }

    /// Charges the request as `operations` of its own path instead of one, against the rates of `[limits]`: to be called
    /// before they are done.
    ///
    /// # Errors
    /// 429 where that is more than the caller has left; then none of them is charged.
    pub fn charge(&mut self, operations: usize) -> Result<(), Problem> {
        let Some(rates) = self.rates else { return Ok(()) };
        let who = Who { address: self.address, identity: &self.identity };
        rates.same(&mut self.account, who, u32::try_from(operations).unwrap_or(u32::MAX))
    }

    /// Charges the operations that a request carries, each by its method and path: to be called before they are done.
    ///
    /// # Errors
    /// 429 where that is more than the caller has left; then none of them is charged.
    pub fn charge_each<'o, P: AsRef<str>>(
        &mut self,
        operations: impl IntoIterator<Item = (&'o str, P)>,
    ) -> Result<(), Problem> {
        let Some(rates) = self.rates else { return Ok(()) };
        let who = Who { address: self.address, identity: &self.identity };
        rates.more(&mut self.account, who, operations)
    }

    /// Charges operations that were made already, for nobody knew how many they would be: a write of all records that a
    /// filter means. The caller owes what it has not left.
    pub fn owe(&mut self, operations: u32) {
        let Some(rates) = self.rates.filter(|_| operations > 0) else { return };
        let who = Who { address: self.address, identity: &self.identity };
        rates.owe(&mut self.account, who, self.method.as_str(), &format!("{}/*", self.path), operations);
    }

    /// Charges the request itself, before or after it is known who asks.
    pub(crate) fn charge_itself(&mut self, identified: bool) -> Result<(), Problem> {
        let Some(rates) = self.rates else { return Ok(()) };
        let who = Who { address: self.address, identity: &self.identity };
        let method = self.method.as_str();
        if identified {
            rates.identified(&mut self.account, who, method, self.path)
        } else {
            rates.arrive(&mut self.account, who, method, self.path)
        }
    }

    /// Says that what went wrong stands in the audit log already, by a word of its own.
    pub fn noted(&self) {
        self.is_noted.store(true, Ordering::Relaxed);
    }

    /// What rules know of the request.
    #[must_use]
    pub fn caller(&self) -> Caller {
        Caller {
            identity: Arc::clone(&self.identity),
            address: self.address,
            method: self.method_name(),
            now: self.now,
            request_id: Arc::clone(&self.id),
        }
    }

    /// The method as a word of ours: those that no door knows are one, so that strangers can't make up labels.
    pub(crate) fn method_name(&self) -> &'static str {
        match self.method {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::POST => "POST",
            Method::PUT => "PUT",
            Method::PATCH => "PATCH",
            Method::DELETE => "DELETE",
            Method::OPTIONS => "OPTIONS",
            _ => "OTHER",
        }
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON, where its media type is one of `types` (in lower case, without parameters).
    ///
    /// # Errors
    /// 415 for another type, 413 for more bytes than allowed, 400 with line and column for what is no JSON.
    pub async fn json(&mut self, types: &[&str], advertise: (&'static str, &'static str)) -> Result<Json, Problem> {
        let kind = self.header(header::CONTENT_TYPE).unwrap_or("");
        let essence = kind.split(';').next().unwrap_or("").trim();
        if !types.iter().any(|accepted| essence.eq_ignore_ascii_case(accepted)) {
            let detail = if essence.is_empty() {
                format!("the body needs a `Content-Type`: {}", types.join(" or "))
            } else {
                format!("the body is {essence:?}; expected {}", types.join(" or "))
            };
            let mut problem = Problem::new(Code::UnsupportedMediaType, detail);
            problem.extra.accept = Some(advertise);
            self.drain().await;
            return Err(problem);
        }
        let bytes = self.bytes().await?;
        json::parse(&bytes)
    }

    /// The body, whole and out of its content coding.
    ///
    /// # Errors
    /// 413 for more bytes than allowed, coded or not, 400 for a body that breaks off or is not of its coding, 408 for one
    /// that stops coming.
    pub async fn bytes(&mut self) -> Result<Bytes, Problem> {
        let coding = inflate::coding_of(self.headers)?;
        let sent = self.sent_bytes().await?;
        match coding {
            Some(coding) => inflate::inflate(coding, &sent, self.max_body).await,
            None => Ok(sent),
        }
    }

    /// The body as it was sent.
    async fn sent_bytes(&mut self) -> Result<Bytes, Problem> {
        let most = self.max_body;
        let announced = self.header(header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
        if announced.is_some_and(|length| length > most) {
            self.drain().await;
            return Err(too_large(most));
        }
        let Some(mut body) = self.body.take() else { return Ok(Bytes::new()) };
        let mut first: Option<Bytes> = None;
        let mut rest = BytesMut::new();
        while let Some(frame) = next_piece(&mut body).await? {
            let Ok(data) = frame.into_data() else { continue };
            match &first {
                None if data.len() <= most => first = Some(data),
                Some(begin) if begin.len() + rest.len() + data.len() <= most => rest.extend_from_slice(&data),
                _ => {
                    self.body = Some(body);
                    self.drain().await;
                    return Err(too_large(most));
                }
            }
        }
        match first {
            None => Ok(Bytes::new()),
            Some(only) if rest.is_empty() => Ok(only),
            Some(begin) => {
                let mut all = BytesMut::with_capacity(begin.len() + rest.len());
                all.extend_from_slice(&begin);
                all.extend_from_slice(&rest);
                Ok(all.freeze())
            }
        }
    }

    /// Reads and forgets what is left of the body, up to limits of bytes and time, so that a client that writes before it
    /// reads gets to read the answer.
    pub async fn drain(&mut self) {
        let Some(mut body) = self.body.take() else { return };
        // A client that waits for `100 Continue` has sent nothing yet.
        if body.is_end_stream() || self.headers.contains_key(header::EXPECT) {
            return;
        }
        let reading = async {
            let mut read = 0;
            while let Some(Ok(frame)) = body.frame().await {
                read += frame.data_ref().map_or(0, Bytes::len);
                if read > DRAINED {
                    return;
                }
            }
        };
        // Who is still not done by then has had its chance.
        let _ = tokio::time::timeout(DRAINING, reading).await;
    }
}

fn too_large(most: usize) -> Problem {
    Problem::new(Code::PayloadTooLarge, format!("the body has more than {most} bytes"))
}

async fn next_piece(body: &mut Incoming) -> Result<Option<Frame<Bytes>>, Problem> {
    match tokio::time::timeout(PIECE, body.frame()).await {
        Ok(frame) => frame.transpose().map_err(|_| Problem::new(Code::BadRequest, "the body broke off")),
        Err(_) => {
            let detail = format!("nothing more of the body came for {} s", PIECE.as_secs());
            Err(Problem::new(Code::RequestTimeout, detail))
        }
    }
}
