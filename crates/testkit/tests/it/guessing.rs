//! The numbers of guessing and of rates, tried through the public door from many addresses.

use http::Method;
use serde_json::{Value as Json, json};
use testkit::{Person, Reply, TestApp};

use crate::{
    accounts::{NOTES, PASSWORD, PLAIN, USERS, sign_up},
    both,
};

const BEHIND: &[(&str, &str)] = &[
    (
        "mainstay.toml",
        "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n[roles]\neditor = {}\n[limits]\n\"/auth/*\" = []\n",
    ),
    ("resources/users.toml", USERS),
    ("resources/notes.toml", NOTES),
];
/// Every way in there is.
const EVERY_WAY: &[(&str, &str)] = &[
    ("mainstay.toml", "[server]\npublic_url = \"http://localhost:8080\"\n"),
    (
        "resources/users.toml",
        "[auth]\nmethods = [\"password\", \"email_code\", \"passkey\", \"oauth\"]\n\
         return_urls = [\"http://127.0.0.1/in\"]\n[auth.oauth.acme]\nissuer = \"http://127.0.0.1:1\"\nclient_id = \"ours\"\n\
         client_secret = \"kept\"\n[access]\nread = \"record.id == auth.id\"\n",
    ),
];
const RATED: &[(&str, &str)] = &[
    (
        "mainstay.toml",
        "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n[roles]\neditor = {}\n[limits]\n\"POST /api/notes\" = { rate = \"5/1h\", per = \"caller\" }\n",
    ),
    ("resources/users.toml", USERS),
    ("resources/notes.toml", NOTES),
];

/// Signs in from an address that a proxy tells.
async fn from(app: &TestApp, address: &str, body: &Json) -> Reply {
    let headers = [("content-type", "application/json"), ("x-forwarded-for", address)];
    app.stranger().send(Method::POST, "/auth/sign-in", &headers, body.to_string()).await
}

fn wrong(email: &str) -> Json {
    json!({"email": email, "password": "wrong"})
}

async fn post_note(person: &Person, address: &str) -> u16 {
    let headers = [("content-type", "application/json"), ("x-forwarded-for", address)];
    person.send(Method::POST, "/api/notes", &headers, "{}").await.status.as_u16()
}

both! {
    async fn a_hundred_failures_of_one_address_are_enough_whatever_the_accounts(app) using BEHIND {
        sign_up(app, "ann@example.org").await;
        for number in 0..100 {
            from(app, "198.51.100.7", &wrong(&format!("{number}@example.org"))).await.expect(401);
        }
        let good = json!({"email": "ann@example.org", "password": PASSWORD});
        let refused = from(app, "198.51.100.7", &good).await.expect(429);
        assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|wait| wait > 0), "{refused}");
        from(app, "198.51.100.8", &good).await.expect(200);
        let spoofed = format!("198.51.100.9, {}", "198.51.100.7");
        from(app, &spoofed, &good).await.expect(429);
        let told = crate::audit::lines(app, "what=sign_in_refused&address=198.51.100.7", 1).await;
        assert!(told.iter().all(|line| line["subject"].as_str().is_some_and(|subject| subject.starts_with("user:"))), "{told:?}");
    }

    async fn whatever_can_be_guessed_counts_where_it_is_guessed(app) using EVERY_WAY {
        let (ann, _) = sign_up(app, "ann@example.org").await;
        let verifier = "v".repeat(43);
        let guesses = [
            ("/auth/code/verify", json!({"ticket": "mtk_x", "code": "000000"})),
            ("/auth/email/verify", json!({"ticket": "mtk_x", "code": "000000"})),
            ("/auth/email/change", json!({"ticket": "mtk_x", "code": "000000"})),
            ("/auth/mfa/verify", json!({"mfa_token": "mtk_x", "code": "000000"})),
            ("/auth/oauth/token", json!({"code": "moc_x", "code_verifier": verifier})),
            ("/auth/passkeys/sign-in/finish", json!({"ceremony": "mce_x", "credential": {}})),
            ("/auth/password/reset", json!({"secret": "mrs_x", "password": "another good one"})),
            ("/auth/reauth", json!({"ticket": "mtk_x", "code": "000000"})),
            ("/auth/reauth", json!({"code": "000000"})),
            ("/auth/reauth", json!({"ceremony": "mce_x", "credential": {}})),
            ("/auth/reauth", json!({"code": "moc_x", "code_verifier": verifier})),
            ("/auth/totp/confirm", json!({"code": "000000"})),
        ];
        for (path, body) in &guesses {
            let wrong = ann.post(path, body.clone()).await;
            assert!([401, 409].contains(&wrong.status.as_u16()), "{path}: {wrong}");
        }
        let (here, now) = ([127, 0, 0, 1].into(), app.engine().clock().now());
        for _ in 0..100 {
            let _ = app.identity().charge_address(here, now).await;
        }
        for (path, body) in guesses {
            let refused = ann.post(path, body).await.expect(429);
            assert!(!refused.header("retry-after").is_empty(), "{path}: {refused}");
        }
    }

    async fn a_session_is_no_place_to_guess_its_owners_password(app) using PLAIN {
        for path in ["/auth/reauth", "/auth/password/change"] {
            let (person, _) = sign_up(app, &format!("{}@example.org", &path[6..12])).await;
            let body = |password: &str| match path {
                "/auth/reauth" => json!({"password": password}),
                _ => json!({"current_password": password, "password": "another good one"}),
            };
            for _ in 0..10 {
                let wrong = person.post(path, body("wrong")).await;
                assert!([401, 403].contains(&wrong.status.as_u16()), "{wrong}");
            }
            person.post(path, body(PASSWORD)).await.expect(429);
        }
    }

    async fn an_address_has_a_thousand_calls_that_cost_mails_and_hashes(app) using EVERY_WAY {
        let (here, now) = ([127, 0, 0, 1].into(), app.engine().clock().now());
        for _ in 0..1_000 {
            app.identity().attempts.count_call(here, now).expect("a call");
        }
        for (path, body) in [
            ("/auth/sign-up", json!({"email": "ann@example.org", "password": PASSWORD})),
            ("/auth/password/forgot", json!({"email": "ann@example.org"})),
            ("/auth/code/request", json!({"email": "ann@example.org"})),
            ("/auth/passkeys/sign-in/begin", json!({})),
        ] {
            app.stranger().post(path, body).await.expect(429);
        }
    }

    async fn neighbours_in_one_64_are_one_and_the_next_network_is_not(app) using BEHIND {
        for number in 0..10 {
            from(app, &format!("2001:db8:1:2:{number:x}::1"), &wrong("ann@example.org")).await.expect(401);
        }
        from(app, "2001:db8:1:2:ffff::1", &wrong("Ann@Example.org")).await.expect(429);
        from(app, "2001:db8:1:3::1", &wrong("ann@example.org")).await.expect(401);
        from(app, "2001:db8:1:2:ffff::1", &wrong("bob@example.org")).await.expect(401);
    }

    async fn fifty_failures_of_an_account_ask_unknown_devices_for_a_code_and_known_ones_for_none(app) using BEHIND {
        sign_up(app, "ann@example.org").await;
        let good = json!({"email": "ann@example.org", "password": PASSWORD});
        let device = from(app, "203.0.113.1", &good).await.expect(200).json()["device_token"].clone();
        for number in 0..51 {
            from(app, &format!("198.51.100.{number}"), &wrong("ann@example.org")).await.expect(401);
        }
        let asked = from(app, "203.0.113.1", &good).await.expect(200).json();
        assert_eq!((&asked["factors"], asked.get("access_token")), (&json!(["email_code"]), None));
        let known = json!({"email": "ann@example.org", "password": PASSWORD, "device_token": device});
        assert!(from(app, "203.0.113.1", &known).await.expect(200).json()["access_token"].is_string());
    }

    async fn nobody_is_believed_who_says_where_it_comes_from(app) using PLAIN {
        for number in 0..10 {
            from(app, &format!("198.51.100.{number}"), &wrong("ann@example.org")).await.expect(401);
        }
        from(app, "198.51.100.77", &wrong("ann@example.org")).await.expect(429);
    }

    async fn a_rate_for_creations_is_charged_by_every_door_and_spelling(app) using RATED {
        let (ann, _) = sign_up(app, "ann@example.org").await;
        let (bob, _) = sign_up(app, "bob@example.org").await;
        assert_eq!(post_note(&ann, "198.51.100.1").await, 201);
        let array = json!([{}, {}]);
        ann.post("/api/notes", array).await.expect(201);
        let operation = |path: &str| json!({"method": "POST", "path": path, "body": {}});
        let batch = json!({"operations": [operation("/api/notes"), operation("/api/notes"), operation("/api/notes")]});
        ann.post("/api/batch", batch).await.expect(429);
        ann.post("/api/batch", json!({"operations": [operation("//API/no%74es/?x=1")]})).await.expect(422);
        for way in ["//api//notes", "/API/Notes", "/api/no%74es", "/api/notes/", "/api/./notes", "/api/x/../notes"] {
            ann.send(Method::POST, way, &[("content-type", "application/json")], "{}").await;
        }
        assert_eq!(post_note(&ann, "198.51.100.2").await, 429, "another address is no other caller");
        assert_eq!(post_note(&bob, "198.51.100.2").await, 201);
        let refused = ann.post("/api/notes", json!({})).await.expect(429);
        assert!(refused.header("ratelimit-policy").contains("\"POST /api/notes\";q=5;w=3600"), "{:?}", refused.headers);
        assert!(refused.header("ratelimit").contains(";r=0;") && !refused.header("retry-after").is_empty());
        let told = crate::audit::lines(app, "what=rate_limited", 1).await;
        assert!(told.iter().any(|line| line["subject"] == "notes" && line["actor"].is_string()), "{told:?}");
    }
}
