//! One attempt to tell somebody.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use mail::SendError;
use outgoing::{Call, Origin};
use serde_json::Value as Json;

use crate::{Alert, Means, To, raised::Due, signature};

/// How much of an answer is read: nothing in it is of use, but a receiver that says much has received.
const ANSWER: usize = 1 << 20;

/// Why nobody was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It may go later.
    Later(String),
    /// The receiver wants no such message any more.
    Never(String),
}

pub(crate) async fn deliver(alert: &Alert, due: &Due, means: &Means, now: i64) -> Result<(), Failed> {
    match &alert.to {
        To::Webhook { url, secret, allow_private } => {
            let timestamp = now.div_euclid(1_000_000);
            let signature = signature::sign(secret.expose(), &due.id, timestamp, &due.body)
                .ok_or_else(|| Failed::Never("the alert's `secret` is no key".to_owned()))?;
            let call = Call {
                method: Method::POST,
                url: url.clone(),
                headers: headers(&due.id, timestamp, &signature),
                body: due.body.clone().into_bytes(),
                limit: ANSWER,
                trusted: allow_private.then(|| Origin::of(url)),
            };
            match means.client.send(call).await {
                Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
                // The receiver is gone for good (the specification of Standard Webhooks says so).
                Ok(answer) if answer.status == 410 => Err(Failed::Never("the receiver answers 410".to_owned())),
                Ok(answer) => Err(Failed::Later(format!("the receiver answers {}", answer.status))),
                Err(error) => Err(Failed::Later(chain(&error))),
            }
        }
        To::Mail(address) => {
            let mail = fill(alert, due, means, address).map_err(Failed::Never)?;
            means.carrier.carry(&mail).await.map_err(|error| match error {
                SendError::Refused(_) => Failed::Never(chain(&error)),
                SendError::Later(_) => Failed::Later(chain(&error)),
            })
        }
    }
}

fn headers(id: &str, timestamp: i64, signature: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let texts = [("webhook-id", id.to_owned()), ("webhook-timestamp", timestamp.to_string())];
    for (name, text) in texts.into_iter().chain([("webhook-signature", signature.to_owned())]) {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers
}

fn fill(alert: &Alert, due: &Due, means: &Means, address: &str) -> Result<mail::Mail, String> {
    let body: Json = serde_json::from_str(&due.body).unwrap_or_default();
    let data = &body["data"];
    let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    let who = match (text("who"), alert.per) {
        (who, _) if who.is_empty() => "all together".to_owned(),
        (who, per) => format!("{} {who}", per.word()),
    };
    let (events, count) = (alert.on.join(", "), data["count"].to_string());
    let values = [
        ("alert", alert.name.as_str()),
        ("server", &means.public_url),
        ("events", &events),
        ("count", &count),
        ("rate", &text("rate")),
        ("who", &who),
        ("last_at", &text("last_at")),
    ];
    means.templates.fill("alert", address, &values).map_err(|error| error.to_string())
}

/// An error with what led to it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
