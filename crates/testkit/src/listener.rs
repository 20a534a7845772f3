//! Somebody who listens to server-sent events.

use std::{collections::VecDeque, time::Duration};

use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value as Json;

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// `id:`
    pub id: i64,
    /// `event:`
    pub event: String,
    /// `data:`, as it was sent.
    pub text: String,
}

impl Told {
    /// The data as JSON.
    ///
    /// # Panics
    /// They are none.
    #[must_use]
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.text))
    }

    /// The event and one field of its data: `created 1`.
    #[must_use]
    pub fn brief(&self, field: &str) -> String {
        format!("{} {}", self.event, self.json()[field])
    }
}

/// An open stream of events.
pub struct Listener {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The last `id:`, of events and of what is none.
    pub last_id: Option<i64>,
    body: Incoming,
    text: String,
    ready: VecDeque<Told>,
}

impl Listener {
    pub(crate) fn new(reply: http::Response<Incoming>) -> Self {
        let (parts, body) = reply.into_parts();
        let (status, headers) = (parts.status, parts.headers);
        Self { status, headers, last_id: None, body, text: String::new(), ready: VecDeque::new() }
    }

    /// Waits until the stream says that it is open.
    ///
    /// # Panics
    /// It does not open.
    pub async fn opened(mut self) -> Self {
        assert_eq!(self.status, StatusCode::OK);
        while self.last_id.is_none() {
            assert!(self.more().await, "the stream ended before it opened");
        }
        self
    }

    /// The next event; none where the stream has ended.
    ///
    /// # Panics
    /// Nothing comes.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(told) = self.ready.pop_front() {
                return Some(told);
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// The next events, in brief.
    ///
    /// # Panics
    /// They don't come.
    pub async fn briefs(&mut self, count: usize, field: &str) -> Vec<String> {
        let mut briefs = Vec::with_capacity(count);
        for _ in 0..count {
            briefs.push(self.next().await.expect("an event").brief(field));
        }
        briefs
    }

    /// Reads a piece; false at the end.
    async fn more(&mut self) -> bool {
        let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.expect("an event in time");
        let Some(Ok(frame)) = frame else { return false };
        if let Ok(data) = frame.into_data() {
            self.text.push_str(&String::from_utf8_lossy(&data));
        }
        while let Some(end) = self.text.find("\n\n") {
            let block: String = self.text.drain(..end + 2).collect();
            self.take(&block);
        }
        true
    }

    fn take(&mut self, block: &str) {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let id = field("id: ").and_then(|id| id.parse().ok());
        self.last_id = id.or(self.last_id);
        if let (Some(id), Some(event), Some(text)) = (id, field("event: "), field("data: ")) {
            self.ready.push_back(Told { id, event, text });
        }
    }
}
