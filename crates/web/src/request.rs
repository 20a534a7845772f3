//! A request as doors see it.

use std::{net::IpAddr, sync::Arc};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use model::{Caller, Code, Problem, caller::Identity};
use serde_json::Value as Json;

use crate::json;

/// How much of a refused body is read, so that its sender gets to read the answer: bytes.
const DRAINED: usize = 16 << 20;

/// A request, with what the manners found out about it.
pub struct Request<'a> {
    /// Its id, as in `X-Request-Id`.
    pub id: Arc<str>,
    /// The client's address.
    pub address: IpAddr,
    /// Who asks.
    pub identity: Arc<Identity>,
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
    /// The body, until it is read.
    pub body: Option<Incoming>,
}

impl Request<'_> {
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

    /// The body, whole.
    ///
    /// # Errors
    /// 413 for more bytes than allowed, 400 for a body that breaks off.
    pub async fn bytes(&mut self) -> Result<Bytes, Problem> {
        let too_large =
            |most: usize| Problem::new(Code::PayloadTooLarge, format!("the body has more than {most} bytes"));
        let most = self.max_body;
        let announced = self.header(header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
        if announced.is_some_and(|length| length > most) {
            // A client that waits for `100 Continue` has sent nothing yet.
            if self.headers.get(header::EXPECT).is_none() {
                self.drain().await;
            }
            return Err(too_large(most));
        }
        let Some(mut body) = self.body.take() else { return Ok(Bytes::new()) };
        let mut first: Option<Bytes> = None;
        let mut rest = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Problem::new(Code::BadRequest, "the body broke off"))?;
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

    /// Reads and forgets what is left of the body, up to a limit; the time limit of the request holds here, too.
    pub async fn drain(&mut self) {
        let Some(mut body) = self.body.take() else { return };
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > DRAINED {
                return;
            }
        }
    }
}
