//! What a person got.

use std::fmt;

use http::{HeaderMap, StatusCode};
use serde_json::Value as Json;

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
}

impl Reply {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or(Json::Null)
    }

    /// A header as text; empty where it is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// The items of a list.
    #[must_use]
    pub fn items(&self) -> Vec<Json> {
        self.json()["items"].as_array().cloned().unwrap_or_default()
    }

    /// One field of every item.
    #[must_use]
    pub fn column(&self, field: &str) -> Vec<Json> {
        self.items().iter().map(|item| item[field].clone()).collect()
    }

    /// The body, where the status is the expected one.
    ///
    /// # Panics
    /// It is another: with the whole reply.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self}");
        if status >= 400 {
            assert_eq!(self.header("content-type"), "application/problem+json", "{self}");
            assert_eq!(self.json()["status"], status, "{self}");
        }
        self
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.status.as_u16(), self.text)
    }
}
