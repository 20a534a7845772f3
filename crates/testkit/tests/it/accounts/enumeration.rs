//! Whether an e-mail has an account is nobody's to learn: the answers are the same. (Times: `benches/enumeration.py`.)

use serde_json::{Value as Json, json};
use testkit::{Reply, TestApp};

use super::{PASSWORD, code_in};
use crate::both;

const FILES: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    (
        "resources/users.toml",
        "[auth]\nverify_email = true\nmethods = [\"password\", \"email_code\"]\n[fields]\nname = { type = \"string\" }\n",
    ),
];

/// What a stranger can tell one answer from another by: all but what chance and the clock make.
fn shape(reply: &Reply) -> String {
    let mut body = reply.json();
    for name in ["ticket", "request_id"] {
        if let Some(text) = body[name].as_str() {
            body[name] = json!(text.len());
        }
    }
    let changing = ["date", "x-request-id", "ratelimit", "traceparent"];
    let mut headers: Vec<String> = reply
        .headers
        .iter()
        .map(|(name, value)| {
            let value = if changing.contains(&name.as_str()) { "" } else { value.to_str().unwrap_or("?") };
            format!("{name}: {value}")
        })
        .collect();
    headers.sort();
    format!("{} {body} {}", reply.status.as_u16(), headers.join("\n"))
}

async fn ask(app: &TestApp, path: &str, email: &str, password: &str) -> Reply {
    let body: Json = match path {
        "/auth/sign-in" | "/auth/sign-up" => json!({ "email": email, "password": password }),
        _ => json!({ "email": email }),
    };
    app.stranger().post(path, body).await
}

both! {
    async fn no_answer_says_whether_an_address_has_an_account(app) using FILES {
        let person = app.stranger();
        let ticket = ask(app, "/auth/sign-up", "ann@example.org", PASSWORD).await.expect(202).json()["ticket"].clone();
        let code = code_in(&app.mails("ann@example.org", 1).await[0]);
        person.post("/auth/email/verify", json!({ "ticket": ticket, "code": code })).await.expect(201);
        for (path, status) in [
            ("/auth/sign-in", 401), ("/auth/password/forgot", 202), ("/auth/code/request", 202), ("/auth/sign-up", 202),
        ] {
            for number in 0..8 {
                let known = ask(app, path, "ann@example.org", "a wrong password").await.expect(status);
                let unknown = ask(app, path, &format!("eve{number}@example.org"), "a wrong password").await.expect(status);
                assert_eq!(shape(&known), shape(&unknown), "{path}");
            }
        }
    }
}
