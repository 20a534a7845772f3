//! Somebody who calls the app over HTTP.

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value as Json;

use crate::{listener::Listener, reply::Reply};

/// A client with or without a key.
#[derive(Clone)]
pub struct Person {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    key: Option<String>,
}

impl Person {
    pub(crate) fn new(base: String, key: Option<String>) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), base, key }
    }

    /// The same person with another `Authorization`.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// Sends any request.
    ///
    /// # Panics
    /// No answer comes.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
        let (parts, body) = self.begin(method, path, headers, body.into()).await.into_parts();
        let bytes = body.collect().await.unwrap_or_else(|error| panic!("half an answer to {path}: {error}")).to_bytes();
        Reply { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// Sends a GET and reads nothing of the body.
    ///
    /// # Panics
    /// No answer comes.
    pub async fn open(&self, path: &str, headers: &[(&str, &str)]) -> Response<Incoming> {
        self.begin(Method::GET, path, headers, Bytes::new()).await
    }

    /// Opens a stream of server-sent events.
    ///
    /// # Panics
    /// No answer comes.
    pub async fn listen(&self, path: &str, headers: &[(&str, &str)]) -> Listener {
        Listener::new(self.begin(Method::GET, path, headers, Bytes::new()).await)
    }

    async fn begin(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Bytes) -> Response<Incoming> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).unwrap_or_else(|error| panic!("{path}: {error}"));
        self.client.request(request).await.unwrap_or_else(|error| panic!("no answer to {path}: {error}"))
    }

    /// GET
    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    /// GET with query parameters, encoded.
    pub async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Reply {
        let encode =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let query: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        self.get(&format!("{path}?{}", query.join("&"))).await
    }

    /// POST
    pub async fn post(&self, path: &str, body: Json) -> Reply {
        self.send(Method::POST, path, &[("content-type", "application/json")], body.to_string()).await
    }

    /// PUT
    pub async fn put(&self, path: &str, body: Json) -> Reply {
        self.send(Method::PUT, path, &[("content-type", "application/json")], body.to_string()).await
    }

    /// PATCH
    pub async fn patch(&self, path: &str, body: Json) -> Reply {
        self.send(Method::PATCH, path, &[("content-type", "application/merge-patch+json")], body.to_string()).await
    }

    /// DELETE
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, &[], Bytes::new()).await
    }
}
