//! Sign-up, sign-in, one's own record.

use http::Method;
use serde_json::json;

use super::{PASSWORD, PLAIN, code_in, sign_in, sign_up, with};
use crate::both;

const CLOSED: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    ("resources/users.toml", "[auth]\nsign_up = \"closed\"\n[fields]\nname = { type = \"string\" }\n"),
];
const VERIFIED: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    ("resources/users.toml", "id = \"integer\"\n[auth]\nverify_email = true\n[fields]\nname = { type = \"string\" }\n"),
];
const NOBODY: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    ("resources/notes.toml", "[fields]\ntext = { type = \"string\" }\n[access]\nread = \"true\"\n"),
];

both! {
    async fn somebody_signs_up_and_in(app) using PLAIN {
        let reply = app.stranger().post("/auth/sign-up", json!({"email": "Ann@Example.org", "password": PASSWORD, "name": "Ann"})).await.expect(201);
        assert_eq!(reply.header("cache-control"), "no-store");
        let answer = reply.json();
        assert_eq!((&answer["user"]["email"], &answer["user"]["name"], &answer["user"]["email_verified"]), (&json!("Ann@Example.org"), &json!("Ann"), &json!(false)));
        assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(600)));
        let me = with(app, &reply).get("/auth/me").await.expect(200);
        assert_eq!(me.json(), answer["user"]);
        let again = sign_in(app, "ann@example.org", PASSWORD).await.expect(200);
        assert_eq!(again.json()["user"]["id"], answer["user"]["id"]);
        let note = with(app, &again).post("/api/notes", json!({"text": "mine"})).await.expect(201);
        assert_eq!(note.json()["owner"], answer["user"]["id"]);
        assert_eq!(with(app, &reply).get("/api/notes").await.items().len(), 1);
        assert_eq!(app.stranger().get("/api/notes").await.items().len(), 0);
        assert_eq!(app.changes().await, ["users.created", "notes.created"]);
    }

    async fn no_answer_about_an_account_is_kept_or_compressed(app) using PLAIN {
        let (ann, _) = sign_up(app, "ann@example.org").await;
        let body = json!({"email": "ann@example.org", "password": PASSWORD}).to_string();
        let headers = [("content-type", "application/json"), ("accept-encoding", "gzip, zstd")];
        let entered = app.stranger().send(Method::POST, "/auth/sign-in", &headers, body).await.expect(200);
        // What is secret and what somebody else has a say in, compressed together, tells of each other by its length.
        assert!(entered.text.len() > 512 && entered.header("content-encoding").is_empty(), "{:?}", entered.headers);
        for path in ["/auth/me", "/auth/sessions", "/auth/keys", "/auth/factors"] {
            assert_eq!(ann.get(path).await.expect(200).header("cache-control"), "no-store", "{path}");
        }
        assert_eq!(app.stranger().get("/auth/me").await.expect(401).header("cache-control"), "no-store");
    }

    async fn a_bad_sign_up_is_told_all_its_flaws(app) using PLAIN {
        for (body, wanted) in [
            (json!({}), vec!["/password required", "/email required"]),
            (json!({"email": "nobody", "password": "short", "nme": "x"}), vec!["/password min", "/email format", "/nme unknown"]),
            (json!({"email": "a@example.org", "password": "qwertyuiop"}), vec!["/password common"]),
            (json!({"email": "a@example.org", "password": 7}), vec!["/password type"]),
            (json!({"email": "a@example.org", "password": PASSWORD, "roles": ["admin"]}), vec!["/roles "]),
            (json!({"email": "a@example.org", "password": PASSWORD, "email_verified": true}), vec!["/email_verified "]),
        ] {
            let refused = app.stranger().post("/auth/sign-up", body.clone()).await.expect(422);
            let found: Vec<String> = refused.json()["errors"].as_array().expect("errors").iter().map(|flaw| format!("{} {}", flaw["pointer"].as_str().unwrap_or(""), flaw["code"].as_str().unwrap_or(""))).collect();
            for one in &wanted {
                assert!(found.iter().any(|flaw| flaw.starts_with(one)), "{body}: {found:?}");
            }
        }
        sign_up(app, "ann@example.org").await;
        app.stranger().post("/auth/sign-up", json!({"email": "ANN@example.org", "password": PASSWORD})).await.expect(409);
        assert_eq!(app.changes().await, ["users.created"]);
    }

    async fn an_unknown_address_is_answered_as_a_wrong_password(app) using PLAIN {
        let (_, ann) = sign_up(app, "ann@example.org").await;
        let wrong = sign_in(app, "ann@example.org", "not the password").await.expect(401);
        let unknown = sign_in(app, "nobody@example.org", "not the password").await.expect(401);
        let id = ann["user"]["id"].as_str().expect("an id");
        app.admin().patch(&format!("/api/users/{id}"), json!({"disabled": true})).await.expect(200);
        let disabled = sign_in(app, "ann@example.org", PASSWORD).await.expect(401);
        let sessions = store::Statement::new("SELECT id FROM _auth_sessions", []);
        assert!(app.store().own_read(sessions).await.expect("rows").is_empty(), "none was begun");
        let bare = |reply: &testkit::Reply| { let mut json = reply.json(); json["request_id"] = json!(null); json };
        assert_eq!(bare(&wrong), bare(&unknown));
        assert_eq!(bare(&wrong), bare(&disabled));
        sign_in(app, "nobody", "x").await.expect(401);
        // A NUL is a fault of its field everywhere.
        sign_in(app, "\u{0}", "x").await.expect(422);
    }

    async fn the_own_record_is_read_changed_and_deleted(app) using PLAIN {
        let (ann, answer) = sign_up(app, "ann@example.org").await;
        ann.patch("/auth/me", json!({"name": "Ann"})).await.expect(200);
        assert_eq!(ann.get("/auth/me?fields=name").await.expect(200).json()["name"], "Ann");
        ann.patch("/auth/me", json!({"roles": ["admin"]})).await.expect(422);
        ann.patch("/auth/me", json!({"email": "other@example.org"})).await.expect(422);
        ann.patch("/auth/me", json!({"claims": {"a": 1}})).await.expect(422);
        app.stranger().get("/auth/me").await.expect(401);
        app.stranger().patch("/auth/me", json!({"name": "x"})).await.expect(401);
        ann.delete("/auth/me").await.expect(204);
        ann.get("/auth/me").await.expect(401);
        sign_in(app, "ann@example.org", PASSWORD).await.expect(401);
        app.stranger().post("/auth/refresh", json!({"refresh_token": answer["refresh_token"]})).await.expect(401);
        assert_eq!(app.changes().await, ["users.created", "users.updated", "users.deleted"]);
    }

    async fn sign_up_can_be_closed(app) using CLOSED {
        // Whoever was invited before comes too late.
        let (_, secret, statements) = auth::link::invite("ann@example.org", &[], "user:1", app.engine().clock().now());
        app.store().own(statements).await.expect("an invitation");
        app.stranger().post("/auth/sign-up", json!({"password": PASSWORD, "invite": secret})).await.expect(403);
        app.stranger().post("/auth/sign-up", json!({"email": "ann@example.org", "password": PASSWORD})).await.expect(403);
        app.stranger().post("/auth/code/request", json!({"email": "ann@example.org"})).await.expect(404);
    }

    async fn nobody_is_in_before_the_code(app) using VERIFIED {
        let person = app.stranger();
        let body = json!({"email": "ann@example.org", "password": PASSWORD, "name": "Ann"});
        let ticket = person.post("/auth/sign-up", body.clone()).await.expect(202).json()["ticket"].clone();
        let code = code_in(&app.mails("ann@example.org", 1).await[0]);
        assert!(app.changes().await.is_empty(), "there is no record yet");
        sign_in(app, "ann@example.org", PASSWORD).await.expect(401);
        person.post("/auth/email/verify", json!({"ticket": ticket, "code": "000000"})).await.expect(401);
        person.post("/auth/email/verify", json!({"ticket": "mtk_none", "code": code})).await.expect(401);
        let made = person.post("/auth/email/verify", json!({"ticket": ticket, "code": code})).await.expect(201);
        assert_eq!((&made.json()["user"]["email_verified"], &made.json()["user"]["name"]), (&json!(true), &json!("Ann")));
        person.post("/auth/email/verify", json!({"ticket": ticket, "code": code})).await.expect(401);
        sign_in(app, "ann@example.org", PASSWORD).await.expect(200);
        let known = person.post("/auth/sign-up", body).await.expect(202);
        assert_eq!(known.json().as_object().map(serde_json::Map::len), Some(1));
        assert!(app.mails("ann@example.org", 2).await[1].contains("you have an account"));
        person.post("/auth/sign-up", json!({"email": "bob@example.org", "password": "short"})).await.expect(422);
    }

    async fn an_app_without_people_has_no_accounts(app) using NOBODY {
        app.stranger().post("/auth/sign-in", json!({})).await.expect(404);
        app.stranger().get("/.well-known/jwks.json").await.expect(404);
    }

    async fn what_is_no_call_is_told(app) using PLAIN {
        let missing = app.stranger().post("/auth/sign-inn", json!({})).await.expect(404);
        assert!(missing.json()["detail"].as_str().unwrap_or("").contains("/auth/sign-in"), "{missing}");
        assert_eq!(app.stranger().get("/auth/sign-in").await.expect(405).header("allow"), "POST, OPTIONS");
        app.stranger().send(Method::POST, "/auth/sign-in", &[("content-type", "text/plain")], "x").await.expect(415);
        app.stranger().post("/auth/sign-in", json!([])).await.expect(422);
        app.stranger().post("/auth/sign-in", json!({"email": "a", "pasword": "b"})).await.expect(422);
        let options = app.stranger().send(Method::OPTIONS, "/auth/me", &[], "").await;
        assert_eq!((options.status.as_u16(), options.header("allow")), (204, "GET, HEAD, PATCH, DELETE, OPTIONS"));
    }
}
