//! What comes too late: codes, links, keys, sessions and devices whose time is over.
//!
//! Where time can be set back, the same thing is good again afterwards: it was its age alone that was refused.

use http::Method;
use serde_json::{Value as Json, json};
use store::{Cell, Statement};
use testkit::{Reply, TestApp};

use super::{PASSWORD, PLAIN, USERS, code_in, cookies, page, secret_in, sign_in, sign_up, ticket};
use crate::both;

/// Microseconds of a minute.
const MINUTE: i64 = 60_000_000;
const CODES: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    (
        "resources/users.toml",
        "[auth]\nmethods = [\"password\", \"email_code\"]\n[access]\nread = \"record.id == auth.id\"\n",
    ),
];
const VERIFIED: &[(&str, &str)] = &[("mainstay.toml", ""), ("resources/users.toml", "[auth]\nverify_email = true\n")];
const INVITED: &[(&str, &str)] = &[("mainstay.toml", ""), ("resources/users.toml", "[auth]\nsign_up = \"invite\"\n")];
const SITE: &[(&str, &str)] =
    &[("mainstay.toml", "[server]\npublic_url = \"http://localhost:8080\"\n"), ("resources/users.toml", USERS)];

/// Makes everything in a table older by so much.
async fn age(app: &TestApp, table: &str, by: i64) {
    let sql = format!("UPDATE {table} SET expires_at = expires_at - $1");
    app.store().own(vec![Statement::new(sql, [Cell::Integer(by)])]).await.expect("an answer");
    app.identity().everybody_changed();
}

/// A proof is refused a little after its time, and good a little before.
async fn counts_for(app: &TestApp, table: &str, minutes: i64, show: impl AsyncFn() -> Reply, good: u16) {
    age(app, table, minutes * MINUTE).await;
    show().await.expect(401);
    age(app, table, -MINUTE).await;
    show().await.expect(good);
}

/// Asks again and again until the moment is well over: nobody is let in who came after it.
async fn ends_at(app: &TestApp, moment: i64, ask: impl AsyncFn() -> Reply) {
    while app.engine().clock().now() < moment + 300_000 {
        let asked = app.engine().clock().now();
        let reply = ask().await;
        assert!(asked < moment || reply.status == 401, "{} µs too late: {reply}", asked - moment);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

both! {
    async fn a_mailed_code_counts_for_ten_minutes(app) using CODES {
        let (stranger, (ann, _)) = (app.stranger(), sign_up(app, "ann@example.org").await);
        let enter = ticket(&stranger, "/auth/code/request", json!({"email": "ann@example.org"})).await;
        let code = code_in(&app.mails("ann@example.org", 1).await[0]);
        // Her address is proved by it, which ends what went before.
        let verified = async || stranger.post("/auth/code/verify", json!({"ticket": enter, "code": code})).await;
        counts_for(app, "_auth_codes", 10, verified, 200).await;
        ann.get("/auth/me").await.expect(401);
        let bob = sign_up(app, "bob@example.org").await.0;
        for (path, email, asked) in [
            ("/auth/email/verify", "bob@example.org", json!({})),
            ("/auth/email/change", "new@example.org", json!({"email": "new@example.org"})),
        ] {
            let asked = ticket(&bob, path, asked).await;
            let code = code_in(&app.mails(email, 1).await[0]);
            let proved = async || bob.post(path, json!({"ticket": asked, "code": code})).await;
            counts_for(app, "_auth_codes", 10, proved, 200).await;
        }
    }

    async fn a_sign_up_waits_ten_minutes_for_its_code(app) using VERIFIED {
        let stranger = app.stranger();
        let asked = ticket(&stranger, "/auth/sign-up", json!({"email": "ann@example.org", "password": PASSWORD})).await;
        let code = code_in(&app.mails("ann@example.org", 1).await[0]);
        let proved = async || stranger.post("/auth/email/verify", json!({"ticket": asked, "code": code})).await;
        counts_for(app, "_auth_codes", 10, proved, 201).await;
    }

    async fn a_link_for_a_new_password_is_good_for_half_an_hour_and_the_latest_alone(app) using PLAIN {
        let stranger = app.stranger();
        sign_up(app, "ann@example.org").await;
        let forget = async || stranger.post("/auth/password/forgot", json!({"email": "ann@example.org"})).await.expect(202);
        forget().await;
        let first = secret_in(&app.mails("ann@example.org", 1).await[0]);
        forget().await;
        let second = secret_in(&app.mails("ann@example.org", 2).await[1]);
        let reset = async |secret: &str| stranger.post("/auth/password/reset", json!({"secret": secret, "password": "another good one"})).await;
        reset(&first).await.expect(401);
        counts_for(app, "_auth_links", 30, async || reset(&second).await, 204).await;
    }

    async fn an_invitation_is_good_for_a_week(app) using INVITED {
        let (_, secret, statements) = auth::link::invite("ann@example.org", &[], "user:1", app.engine().clock().now());
        app.store().own(statements).await.expect("an invitation");
        let join = async || app.stranger().post("/auth/sign-up", json!({"password": PASSWORD, "invite": secret})).await;
        counts_for(app, "_auth_invites", 7 * 24 * 60, join, 201).await;
    }

    async fn a_key_ends_at_its_moment_known_or_not(app) using PLAIN {
        let (ann, _) = sign_up(app, "ann@example.org").await;
        let make = async |moment: i64| {
            let body = json!({"name": "k", "scopes": ["notes:read"], "expires_at": model::time::format_datetime(moment)});
            let made = ann.post("/auth/keys", body).await.expect(201).json();
            ann.with_key(made["key"].as_str().expect("a key"))
        };
        // Nobody has shown it before.
        let late = make(app.engine().clock().now() + MINUTE).await;
        age(app, "_keys", MINUTE).await;
        late.get("/api/notes").await.expect(401);
        age(app, "_keys", -MINUTE).await;
        late.get("/api/notes").await.expect(200);
        // It is remembered when its moment comes, and its stream is open.
        let moment = app.engine().clock().now() + 1_000_000;
        let known = make(moment).await;
        let stream = known.listen("/api/notes/events", &[]).await;
        ends_at(app, moment, async || known.get("/api/notes").await).await;
        if stream.status == 200 {
            let mut stream = stream.opened().await;
            assert_eq!(stream.next().await.expect("an event").event, "error");
        }
    }

    async fn a_session_ends_at_its_moment_known_or_not(app) using SITE {
        let (ann, answer) = sign_up(app, "ann@example.org").await;
        let by_cookie = [("mainstay-session", "cookie"), ("origin", "http://localhost:8080")];
        let body = json!({"email": "ann@example.org", "password": PASSWORD});
        let cookie = cookies::cookie(&page(app, Method::POST, "/auth/sign-in", &by_cookie, &body).await.expect(200));
        let shown = async || page(app, Method::GET, "/auth/me", &[("cookie", &cookie)], &Json::Null).await;
        let refresh = async || app.stranger().post("/auth/refresh", json!({"refresh_token": answer["refresh_token"]})).await;
        // Nobody has shown them before. That a token was refused for its age ends nothing.
        let year = 365 * 24 * 60 * MINUTE;
        age(app, "_auth_sessions", year).await;
        let dead = shown().await.expect(401);
        assert!(dead.header("set-cookie").contains("Max-Age=0"), "{:?}", dead.headers);
        ann.get("/auth/me").await.expect(401);
        age(app, "_auth_sessions", -year).await;
        shown().await.expect(200);
        ann.get("/auth/me").await.expect(200);
        // They are remembered when their moment comes.
        let moment = app.engine().clock().now() + 1_000_000;
        let soon = Statement::new("UPDATE _auth_sessions SET expires_at = $1", [Cell::Integer(moment)]);
        app.store().own(vec![soon]).await.expect("an answer");
        app.identity().everybody_changed();
        tokio::join!(ends_at(app, moment, shown), ends_at(app, moment, async || ann.get("/auth/me").await));
        refresh().await.expect(401);
    }

    async fn a_refresh_token_of_a_session_that_is_over_brings_none_back(app) using PLAIN {
        let (_, answer) = sign_up(app, "ann@example.org").await;
        let retry = "0123456789abcdef0123456789abcdef";
        let body = json!({"refresh_token": answer["refresh_token"], "retry": retry});
        app.stranger().post("/auth/refresh", body.clone()).await.expect(200);
        // A lost answer is given again for a minute.
        let later = Statement::new("UPDATE _auth_sessions SET rotated_at = rotated_at - 60000001", []);
        app.store().own(vec![later]).await.expect("an answer");
        app.stranger().post("/auth/refresh", body).await.expect(401);
        let other = sign_in(app, "ann@example.org", PASSWORD).await.expect(200).json();
        age(app, "_auth_sessions", 365 * 24 * 60 * MINUTE).await;
        app.stranger().post("/auth/refresh", json!({"refresh_token": other["refresh_token"]})).await.expect(401);
    }

    async fn a_device_is_known_for_half_a_year(app) using PLAIN {
        sign_up(app, "ann@example.org").await;
        let device = sign_in(app, "ann@example.org", PASSWORD).await.expect(200).json()["device_token"].clone();
        let body = json!({"email": "ann@example.org", "password": PASSWORD, "device_token": device});
        let known = async || app.stranger().post("/auth/sign-in", body.clone()).await.expect(200).json().get("device_token").is_none();
        age(app, "_auth_devices", 180 * 24 * 60 * MINUTE).await;
        assert!(!known().await, "it gets a new one");
        age(app, "_auth_devices", -MINUTE).await;
        assert!(known().await);
    }
}
