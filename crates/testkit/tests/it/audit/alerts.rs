//! Alerts: a burst is one message, signed, and tried again until it arrives.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use alerts::{Alert, Alerts, Means, Per, To};
use parking_lot::Mutex;
use serde_json::Value as Json;
use testkit::{Database, TestApp};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::APP;
use crate::accounts::sign_in;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A server that takes webhooks, and answers each with the next status.
struct Receiver {
    url: String,
    got: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    async fn start(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let got: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&got);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                let mut piece = [0; 4096];
                while !is_whole(&request) {
                    match stream.read(&mut piece).await {
                        Ok(0) | Err(_) => break,
                        Ok(read) => request.extend_from_slice(&piece[..read]),
                    }
                }
                let number = kept.lock().len();
                let status = statuses[number.min(statuses.len() - 1)];
                kept.lock().push(String::from_utf8_lossy(&request).into_owned());
                let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, got }
    }

    async fn wait(&self, count: usize) -> Vec<String> {
        for _ in 0..1000 {
            if self.got.lock().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.got.lock().clone()
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn header(request: &str, name: &str) -> String {
    let found =
        request.lines().find_map(|line| line.split_once(": ").filter(|(known, _)| known.eq_ignore_ascii_case(name)));
    found.map(|(_, value)| value.to_owned()).unwrap_or_default()
}

/// The body of a webhook, once its signature is right.
fn checked(request: &str) -> Json {
    let body = request.split_once("\r\n\r\n").expect("a body").1;
    let timestamp = header(request, "webhook-timestamp").parse().expect("a time");
    let wanted = alerts::signature::sign(SECRET, &header(request, "webhook-id"), timestamp, body).expect("a signature");
    assert_eq!(header(request, "webhook-signature"), wanted);
    serde_json::from_str(body).expect("JSON")
}

async fn served(database: Database) {
    let receiver = Receiver::start(&[200]).await;
    let settings = format!(
        "[alerts.guessing]\non = \"sign_in_failed\"\nrate = \"4/10m\"\nper = \"address\"\nto = \"{}\"\nsecret = \"{SECRET}\"\n\
         allow_private = true\n[alerts.post]\non = [\"sign_in_failed\"]\nrate = \"4/10m\"\nper = \"all\"\nto = \"mailto:ops@example.org\"\n",
        receiver.url
    );
    let mut files = APP.to_vec();
    files[0].1 = &settings;
    let app = TestApp::start(database, &files).await;
    for number in 0..6 {
        sign_in(&app, &format!("{number}@example.org"), "wrong").await.expect(401);
    }
    let got = receiver.wait(1).await;
    let told = checked(&got[0]);
    assert_eq!(
        (&told["type"], &told["data"]["alert"], &told["data"]["who"]),
        (&"alert.raised".into(), &"guessing".into(), &"127.0.0.1".into())
    );
    assert!(told["data"]["count"].as_i64() >= Some(4), "{told}");
    let mail = &app.mails("ops@example.org", 1).await[0];
    assert!(
        mail.contains("Subject: Alert post: ") && mail.contains("sign_in_failed") && !mail.contains("@example.org at"),
        "{mail}"
    );
    for number in 0..5 {
        sign_in(&app, &format!("again{number}@example.org"), "wrong").await.expect(401);
    }
    // Longer than alerts are looked for.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(receiver.got.lock().len(), 1, "one burst is one message");
    assert_eq!(app.mails("ops@example.org", 1).await.len(), 1);
    let metrics = app.stranger().get("/metrics").await.expect(200).text;
    assert!(metrics.contains("mainstay_alerts_total{alert=\"guessing\",outcome=\"delivered\"} 1"), "{metrics}");
    app.stop().await;
}

#[tokio::test]
async fn a_burst_of_failures_is_one_signed_message_and_one_mail_on_sqlite() {
    served(Database::Sqlite).await;
}

#[tokio::test]
async fn a_burst_of_failures_is_one_signed_message_and_one_mail_on_postgres() {
    served(Database::Postgres).await;
}

async fn tried_again(database: Database) {
    let app = TestApp::start(database, APP).await;
    let receiver = Receiver::start(&[500, 200]).await;
    let closed = "http://127.0.0.1:1/hook";
    let alert = |name: &str, url: &str, allow_private| Alert {
        name: name.to_owned(),
        on: vec!["roles_changed".to_owned()],
        count: 1,
        period: Duration::from_secs(600),
        per: Per::Account,
        to: To::Webhook {
            url: url.parse().expect("a URL"),
            secret: model::Secret::new(SECRET.to_owned()),
            allow_private,
        },
        pause: Duration::from_secs(3_600),
    };
    let made = app.admin().post("/api/users", serde_json::json!({"email": "a@example.org", "roles": ["editor"]})).await;
    made.expect(201);
    let time = Arc::new(AtomicI64::new(app.engine().clock().now()));
    let node = || {
        let time = Arc::clone(&time);
        let means = Means {
            store: Arc::clone(app.store()),
            client: outgoing::Client::default(),
            carrier: mail::Carrier::Log,
            templates: mail::Templates::load(None).expect("templates"),
            clock: Box::new(move || time.load(Ordering::Relaxed)),
            public_url: "http://here".to_owned(),
        };
        let all = vec![
            alert("open", &receiver.url, true),
            alert("private", &receiver.url, false),
            alert("closed", closed, true),
        ];
        Arc::new(Alerts::new(all, means))
    };
    let (one, other) = (node(), node());
    for _ in 0..2 {
        one.look().await.expect("a look");
        other.look().await.expect("a look");
    }
    assert_eq!(receiver.wait(1).await.len(), 1, "one node tells");
    time.fetch_add(20_000_000, Ordering::Relaxed);
    other.look().await.expect("a look");
    let got = receiver.wait(2).await;
    assert_eq!(got.len(), 2, "what was refused is tried again");
    let (first, second) = (checked(&got[0]), checked(&got[1]));
    assert_eq!((first, header(&got[0], "webhook-id")), (second, header(&got[1], "webhook-id")));
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        time.fetch_add(600_000_000, Ordering::Relaxed);
        one.look().await.expect("a look");
    }
    assert_eq!(receiver.got.lock().len(), 2, "what has arrived is not sent again, and a private address is not called");
    let counts = one.counts();
    assert!(counts.iter().any(|(name, what, _)| name == "private" && *what == "failed"), "{counts:?}");
    app.stop().await;
}

#[tokio::test]
async fn what_cannot_be_delivered_is_tried_again_by_whichever_node_on_sqlite() {
    tried_again(Database::Sqlite).await;
}

#[tokio::test]
async fn what_cannot_be_delivered_is_tried_again_by_whichever_node_on_postgres() {
    tried_again(Database::Postgres).await;
}
