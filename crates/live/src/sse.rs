//! Server-sent events: how a request asks for a subscription, and how its events are written.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use model::{Code, Problem, caller::Identity};
use rules::query::Query;
use web::{Body, Parameters, Request, Session, accepts, short_filters, take_fields, take_filter};

use crate::subscription::{Event, Subscription};

/// Time without an event after which a sign of life is sent.
const PING: Duration = Duration::from_secs(15);
/// How long a client waits before it comes back: milliseconds.
const RETRY: u32 = 2000;
/// What is allowed here.
const ALLOW: &str = "GET, OPTIONS";
/// The parameters; every other name is a short filter's.
pub(crate) const NAMES: [&str; 3] = ["fields", "filter", "last_event_id"];
const LAST_EVENT_ID: &str = "last-event-id";

/// Which records are meant, and from where in the log.
pub(crate) fn asked(request: &Request<'_>) -> Result<(Query, Option<i64>), Problem> {
    let mut parameters = Parameters::parse(request.query)?;
    let mut query = Query::default();
    take_filter(&mut parameters, &mut query)?;
    take_fields(&mut parameters, &mut query)?;
    // A browser's first request can't have the header, so that a page that knows its position needs another way.
    let parameter = parameters.take("last_event_id")?;
    short_filters(parameters, &mut query)?;
    let since = match (header_position(request.headers)?, parameter) {
        (Some(position), _) => Some(position),
        (None, Some(text)) => Some(position(&text, "last_event_id")?),
        (None, None) => None,
    };
    Ok((query, since))
}

fn header_position(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    position(value.to_str().unwrap_or(""), "Last-Event-ID").map(Some)
}

fn position(text: &str, name: &str) -> Result<i64, Problem> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| plain);
    number.ok_or_else(|| Problem::parameter(name, format!("`{name}` is the id of an event, a whole number")))
}

/// # Errors
/// 406 where the client takes no event stream.
pub(crate) fn accepted(request: &Request<'_>) -> Result<(), Problem> {
    if accepts(request.headers, "text/event-stream") {
        return Ok(());
    }
    Err(Problem::new(Code::NotAcceptable, "this is available as text/event-stream"))
}

pub(crate) fn not_allowed() -> Problem {
    let mut problem = Problem::new(Code::MethodNotAllowed, format!("allowed here: {ALLOW}"));
    problem.extra.allow = Some(ALLOW);
    problem
}

pub(crate) fn options() -> Response<Body> {
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static(ALLOW));
    reply
}

/// The answer that goes on as long as the subscription and the client do.
pub(crate) fn reply(subscription: Subscription, request: &Request<'_>) -> Response<Body> {
    let talk = Talk {
        told: subscription.position(),
        subscription,
        right: request.session.clone().map(Right::new),
        stage: Stage::Opening,
        path: request.path.to_owned(),
        request_id: Arc::clone(&request.id),
    };
    let pieces = stream::unfold(talk, |mut talk| async move { talk.say().await.map(|bytes| (bytes, talk)) });
    let mut reply = Response::new(Body::Stream(Box::pin(pieces)));
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies such as nginx would hold events back until a buffer is full.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    reply
}

/// By which right somebody listens: it may end or change while the stream goes on.
struct Right {
    session: Session,
    changes: tokio::sync::watch::Receiver<()>,
    ends: Option<tokio::time::Instant>,
}

impl Right {
    fn new(session: Session) -> Self {
        let mut changes = session.watch();
        // What has changed since the request was let in counts, too.
        changes.mark_changed();
        let ends = session.left().and_then(|left| tokio::time::Instant::now().checked_add(left));
        Self { session, changes, ends }
    }

    /// Waits until something changes: who it is from then on, or why the right has ended.
    async fn change(&mut self) -> Result<Arc<Identity>, Problem> {
        let end = async {
            match self.ends {
                Some(ends) => tokio::time::sleep_until(ends).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // The sender is in the session, so it is there.
            _ = self.changes.changed() => {}
            () = end => {}
        }
        self.session.again().await
    }
}

/// An event, the end, or nothing for a while.
type Heard = Option<Option<Event>>;

async fn listen(subscription: &mut Subscription) -> Heard {
    tokio::time::timeout(PING, subscription.next()).await.ok()
}

/// A stream being written.
struct Talk {
    subscription: Subscription,
    right: Option<Right>,
    stage: Stage,
    /// The position that the client knows.
    told: i64,
    path: String,
    request_id: Arc<str>,
}

enum Stage {
    Opening,
    Open,
    Ended,
}

impl Talk {
    async fn say(&mut self) -> Option<Bytes> {
        match self.stage {
            Stage::Opening => {
                self.stage = Stage::Open;
                // At once, so that the client sees it open; with a position, so that it can come back before any event.
                Some(format!(": open\nretry: {RETRY}\nid: {}\n\n", self.told).into())
            }
            Stage::Open => loop {
                let change = match &mut self.right {
                    None => return self.listen().await,
                    Some(right) => tokio::select! {
                        biased;
                        outcome = right.change() => outcome,
                        piece = listen(&mut self.subscription) => return self.piece(piece),
                    },
                };
                if let Err(problem) = change.and_then(|identity| self.subscription.identify(identity)) {
                    return Some(self.write(Event::Failed(problem)));
                }
            },
            Stage::Ended => None,
        }
    }

    async fn listen(&mut self) -> Option<Bytes> {
        let heard = listen(&mut self.subscription).await;
        self.piece(heard)
    }

    fn piece(&mut self, heard: Heard) -> Option<Bytes> {
        match heard {
            Some(event) => event.map(|event| self.write(event)),
            None => Some(self.ping()),
        }
    }

    /// A comment; with the position where that has moved on over what was not the client's, so that a quiet stream
    /// stays within the log.
    fn ping(&mut self) -> Bytes {
        let position = self.subscription.position();
        if position == self.told {
            return Bytes::from_static(b": ping\n\n");
        }
        self.told = position;
        format!(": ping\nid: {position}\n\n").into()
    }

    fn write(&mut self, event: Event) -> Bytes {
        let (id, name, data) = match event {
            Event::Change(change) => (change.sequence, change.kind.name(), change.data),
            Event::Reset { position } => {
                self.stage = Stage::Ended;
                (position, "reset", Bytes::from_static(b"{}"))
            }
            Event::Failed(problem) => {
                self.stage = Stage::Ended;
                if let Some(cause) = &problem.cause {
                    tracing::error!(request_id = &*self.request_id, cause, "a stream of events ended");
                }
                let document = problem.to_json(&self.path, &self.request_id);
                (self.subscription.position(), "error", document.to_string().into())
            }
        };
        self.told = id;
        let mut text = Vec::with_capacity(data.len() + 64);
        text.extend_from_slice(b"id: ");
        model::json::write_integer(id, &mut text);
        text.extend_from_slice(b"\nevent: ");
        text.extend_from_slice(name.as_bytes());
        // JSON as we write it has no line breaks.
        text.extend_from_slice(b"\ndata: ");
        text.extend_from_slice(&data);
        text.extend_from_slice(b"\n\n");
        text.into()
    }
}
