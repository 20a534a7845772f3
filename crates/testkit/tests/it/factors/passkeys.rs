//! Passkeys, with an authenticator in software.

use passkey::testing::Authenticator;
use serde_json::{Value as Json, json};
use testkit::{Person, Reply, TestApp};

use super::{ANN, FILES, PASSWORD, amr, audited, enrolled, run, sign_in, sign_up};
use crate::{accounts::with, both};

const ORIGIN: &str = "http://localhost:8080";

async fn register(person: &Person, device: &mut Authenticator) -> Reply {
    let begun = person.post("/auth/passkeys/register/begin", json!({})).await.expect(200).json();
    let body = json!({"ceremony": begun["ceremony"], "credential": device.register(&begun), "name": "Laptop"});
    person.post("/auth/passkeys/register/finish", body).await
}

async fn begin(app: &TestApp) -> Json {
    app.stranger().post("/auth/passkeys/sign-in/begin", json!({})).await.expect(200).json()
}

async fn finish(app: &TestApp, ceremony: &Json, credential: &Json) -> Reply {
    let body = json!({"ceremony": ceremony, "credential": credential});
    app.stranger().post("/auth/passkeys/sign-in/finish", body).await
}

async fn come_in(app: &TestApp, device: &mut Authenticator) -> Reply {
    let begun = begin(app).await;
    finish(app, &begun["ceremony"], &device.sign_in(&begun)).await
}

both! {
    async fn a_passkey_signs_in_by_itself(app) using FILES {
        let ann = enrolled(app, ANN).await;
        let mut device = Authenticator::new(ORIGIN);
        device.counter = 1;
        let made = register(&ann.person, &mut device).await.expect(201).json();
        assert_eq!((&made["kind"], &made["name"], &made["used_at"]), (&json!("passkey"), &json!("Laptop"), &Json::Null));
        let begun = begin(app).await;
        assert_eq!((&begun["publicKey"]["rpId"], &begun["publicKey"]["userVerification"]), (&json!("localhost"), &json!("required")));
        assert_eq!(begun["publicKey"]["allowCredentials"], json!([]), "nobody says who it is");
        // Though there is an authenticator app, nothing more is asked.
        for _ in 0..2 {
            let entered = come_in(app, &mut device).await.expect(200);
            assert_eq!(entered.json()["user"]["email"], ANN);
            assert_eq!(amr(&with(app, &entered)).await, json!(["hwk", "user", "mfa"]));
        }
        let items = ann.person.get("/auth/factors").await.expect(200).items();
        assert!(items.iter().any(|item| item["id"] == made["id"] && item["used_at"].is_string()), "{items:?}");
        let lines = audited(app, &ann.id).await;
        assert!(lines.iter().filter(|line| *line == "factor_used").count() >= 2, "{lines:?}");
        // A copy of it counts from where it was copied.
        device.counter = 1;
        come_in(app, &mut device).await.expect(401);
        // Its answer by cookie.
        device.counter = 20;
        let begun = begin(app).await;
        let body = json!({"ceremony": begun["ceremony"], "credential": device.sign_in(&begun)}).to_string();
        let headers = [("content-type", "application/json"), ("mainstay-session", "cookie"), ("origin", ORIGIN)];
        let page = app.stranger().send(http::Method::POST, "/auth/passkeys/sign-in/finish", &headers, body).await.expect(200);
        assert!(page.header("set-cookie").contains("HttpOnly") && page.json().get("access_token").is_none());
    }

    async fn answers_of_another_site_or_ceremony_are_refused(app) using FILES {
        let (ann, _) = sign_up(app, ANN).await;
        let mut device = Authenticator::new(ORIGIN);
        register(&ann, &mut device).await.expect(201);
        // Another site.
        for origin in ["https://evil.example", "http://localhost:9090", "https://localhost:8080"] {
            device.origin = origin.to_owned();
            come_in(app, &mut device).await.expect(401);
            let mut other = Authenticator::new(origin);
            register(&ann, &mut other).await.expect(422);
        }
        device.origin = ORIGIN.to_owned();
        // Nobody proved that it was them.
        device.verifies_user = false;
        come_in(app, &mut device).await.expect(401);
        device.verifies_user = true;
        // Another challenge, and a ceremony that was ended by a wrong answer.
        let (first, second) = (begin(app).await, begin(app).await);
        finish(app, &second["ceremony"], &device.sign_in(&first)).await.expect(401);
        finish(app, &second["ceremony"], &device.sign_in(&second)).await.expect(401);
        // The same answer again.
        let answer = device.sign_in(&first);
        finish(app, &first["ceremony"], &answer).await.expect(200);
        finish(app, &first["ceremony"], &answer).await.expect(401);
        finish(app, &begin(app).await["ceremony"], &answer).await.expect(401);
        // Too late.
        let late = begin(app).await;
        run(app, "UPDATE _auth_ceremonies SET expires_at = expires_at - 300000001").await;
        finish(app, &late["ceremony"], &device.sign_in(&late)).await.expect(401);
        // No answer at all, one of a passkey that nobody has, and of one that names another person.
        finish(app, &begin(app).await["ceremony"], &json!({"id": "x"})).await.expect(422);
        let mut unknown = Authenticator::new(ORIGIN);
        unknown.register(&ann.post("/auth/passkeys/register/begin", json!({})).await.expect(200).json());
        come_in(app, &mut unknown).await.expect(401);
        run(app, "UPDATE _auth_passkeys SET handle = '00000000-0000-4000-8000-000000000000'").await;
        come_in(app, &mut device).await.expect(401);
    }

    async fn a_registration_is_its_beginners(app) using FILES {
        let (ann, _) = sign_up(app, ANN).await;
        let (bob, _) = sign_up(app, "bob@example.org").await;
        let mut device = Authenticator::new(ORIGIN);
        let begun = ann.post("/auth/passkeys/register/begin", json!({})).await.expect(200).json();
        assert!(!begun.to_string().contains("state"), "{begun}");
        let body = json!({"ceremony": begun["ceremony"], "credential": device.register(&begun)});
        bob.post("/auth/passkeys/register/finish", body.clone()).await.expect(422);
        let count = store::Statement::new("SELECT count(*) FROM _auth_ceremonies", []);
        assert_eq!(app.store().own_read(count).await.expect("a row")[0].integer(0), Some(1), "nor does he end it");
        app.stranger().post("/auth/passkeys/register/finish", body.clone()).await.expect(401);
        // Not in another session of hers either; and that ended it.
        let again = with(app, &sign_in(app, ANN, PASSWORD).await.expect(200));
        again.post("/auth/passkeys/register/finish", body.clone()).await.expect(422);
        ann.post("/auth/passkeys/register/finish", body).await.expect(422);
        register(&ann, &mut device).await.expect(201);
        // One passkey is one account's.
        let begun = bob.post("/auth/passkeys/register/begin", json!({})).await.expect(200).json();
        let body = json!({"ceremony": begun["ceremony"], "credential": device.register(&begun)});
        bob.post("/auth/passkeys/register/finish", body).await.expect(409);
        // A sign-in's ceremony registers nothing, nor the other way round.
        let sign_in = begin(app).await;
        let body = json!({"ceremony": sign_in["ceremony"], "credential": {}});
        ann.post("/auth/passkeys/register/finish", body).await.expect(422);
        // The authenticator is told what it has already.
        let begun = ann.post("/auth/passkeys/register/begin", json!({})).await.expect(200).json();
        assert_eq!(begun["publicKey"]["excludeCredentials"].as_array().map(Vec::len), Some(1));
        assert_eq!(begun["publicKey"]["authenticatorSelection"]["residentKey"], "required");
    }

    async fn somebody_who_is_disabled_stays_outside(app) using FILES {
        let (ann, answer) = sign_up(app, ANN).await;
        let mut device = Authenticator::new(ORIGIN);
        register(&ann, &mut device).await.expect(201);
        let path = format!("/api/users/{}", answer["user"]["id"].as_str().expect("an id"));
        app.admin().patch(&path, json!({"disabled": true})).await.expect(200);
        come_in(app, &mut device).await.expect(401);
        let sessions = store::Statement::new("SELECT id FROM _auth_sessions", []);
        assert!(app.store().own_read(sessions).await.expect("rows").is_empty(), "none was begun");
        app.admin().patch(&path, json!({"disabled": false})).await.expect(200);
        come_in(app, &mut device).await.expect(200);
        app.admin().delete(&path).await.expect(204);
        come_in(app, &mut device).await.expect(401);
    }

    async fn a_passkey_is_a_fresh_proof_of_its_owner(app) using FILES {
        let (ann, _) = sign_up(app, ANN).await;
        let (bob, _) = sign_up(app, "bob@example.org").await;
        let mut device = Authenticator::new(ORIGIN);
        register(&ann, &mut device).await.expect(201);
        run(app, "UPDATE _auth_sessions SET authenticated_at = 1").await;
        for (person, status) in [(&bob, 401), (&ann, 200)] {
            let begun = begin(app).await;
            let body = json!({"ceremony": begun["ceremony"], "credential": device.sign_in(&begun)});
            person.post("/auth/reauth", body).await.expect(status);
        }
        ann.post("/auth/passkeys/register/begin", json!({})).await.expect(200);
        bob.post("/auth/passkeys/register/begin", json!({})).await.expect(403);
    }
}

const NO_CODES: &[(&str, &str)] = &[
    ("mainstay.toml", "[server]\npublic_url = \"http://localhost:8080\"\n"),
    ("resources/users.toml", "[auth]\nmethods = [\"password\", \"passkey\"]\n\n[access]\nread = \"true\"\n"),
];

both! {
    async fn a_server_for_another_domain_does_not_start(app) using FILES {
        let (ann, _) = sign_up(app, ANN).await;
        register(&ann, &mut Authenticator::new(ORIGIN)).await.expect(201);
        let start = |name: &'static str, value: &'static str| async move {
            let set = [("MAINSTAY_SERVER__LISTEN", "127.0.0.1:0"), (name, value)];
            let master = ("MAINSTAY_AUTH__MASTER_KEY", "a master key for tests and nothing else");
            let variables = set.into_iter().chain([master]).map(|(name, value)| (name.to_owned(), value.to_owned()));
            let loaded = app::load(app.directory(), &variables.collect::<app::Environment>());
            let settings = loaded.settings.expect("settings");
            let options = server::serve::Options { quiet: true, ..Default::default() };
            server::serve::Server::start(&settings, std::sync::Arc::clone(app.engine()), options).await
        };
        let same = start("MAINSTAY_LOG__LEVEL", "error").await.expect("a server");
        drop(same);
        let refused = start("MAINSTAY_SERVER__PUBLIC_URL", "https://shop.example").await.err().expect("no server");
        let told = format!("{refused:?}");
        assert!(told.contains("`localhost`") && told.contains("`shop.example`"), "{told}");
        // An address is no domain.
        let refused = start("MAINSTAY_SERVER__PUBLIC_URL", "http://127.0.0.1:8080").await.err().expect("no server");
        assert!(format!("{refused:?}").contains("[auth.passkey]"), "{refused:?}");
    }
}

const WITHOUT: &[(&str, &str)] = &[("resources/users.toml", "[auth]\n\n[access]\nread = \"true\"\n")];

both! {
    async fn the_last_way_in_stays(app) using NO_CODES {
        let (ann, _) = sign_up(app, ANN).await;
        let (mut first, mut second) = (Authenticator::new(ORIGIN), Authenticator::new(ORIGIN));
        let one = register(&ann, &mut first).await.expect(201).json();
        let two = register(&ann, &mut second).await.expect(201).json();
        run(app, "DELETE FROM _auth_credentials").await;
        let paths = [&one, &two].map(|made| format!("/auth/factors/{}", made["id"].as_str().expect("an id")));
        // At once: one goes, one stays.
        let (left, right) = tokio::join!(ann.delete(&paths[0]), ann.delete(&paths[1]));
        let mut statuses = [left.status.as_u16(), right.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409]);
        assert_eq!(ann.get("/auth/factors").await.expect(200).items().len(), 1);
        let mut kept = if left.status.as_u16() == 409 { first } else { second };
        come_in(app, &mut kept).await.expect(200);
    }

    async fn without_the_method_there_are_no_passkeys(app) using WITHOUT {
        let (ann, _) = sign_up(app, ANN).await;
        ann.post("/auth/passkeys/register/begin", json!({})).await.expect(404);
        app.stranger().post("/auth/passkeys/sign-in/begin", json!({})).await.expect(404);
        let body = json!({"ceremony": "x", "credential": {}});
        app.stranger().post("/auth/passkeys/sign-in/finish", body).await.expect(404);
        ann.post("/auth/totp/enroll", json!({})).await.expect(200);
    }
}
