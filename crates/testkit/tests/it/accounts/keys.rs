//! API keys of people.

use http::Method;
use serde_json::{Value as Json, json};
use testkit::{Person, Reply};

use super::{PASSWORD, PLAIN, sign_up};
use crate::both;

async fn make(person: &Person, body: Json) -> Reply {
    person.post("/auth/keys", body).await
}

fn holder(person: &Person, reply: &Reply) -> Person {
    person.with_key(reply.json()["key"].as_str().expect("a key"))
}

both! {
    async fn a_key_acts_for_its_owner_within_its_scopes(app) using PLAIN {
        let (ann, account) = sign_up(app, "ann@example.org").await;
        let made = make(&ann, json!({ "name": "backup", "scopes": ["notes:read"] })).await.expect(201);
        assert!(made.json()["key"].as_str().is_some_and(|key| key.starts_with("msk_")), "{made}");
        let key = holder(&ann, &made);
        ann.post("/api/notes", json!({ "text": "hers" })).await.expect(201);
        assert_eq!(key.get("/api/notes").await.expect(200).column("text"), ["hers"]);
        key.post("/api/notes", json!({ "text": "no" })).await.expect(403);
        key.get("/api/users").await.expect(403);
        let me = key.get("/auth/me").await.expect(200);
        assert_eq!(me.json()["id"], account["user"]["id"]);
        let writer = make(&ann, json!({ "name": "w", "scopes": ["*:read", "notes:create"] })).await.expect(201);
        holder(&ann, &writer).post("/api/notes", json!({ "text": "by key" })).await.expect(201);
        assert_eq!(key.get("/api/notes").await.column("text").len(), 2);
    }

    async fn a_key_is_made_by_who_has_just_signed_in(app) using PLAIN {
        let (ann, _) = sign_up(app, "ann@example.org").await;
        let body = json!({ "name": "k", "scopes": ["notes:read"] });
        make(&ann, body.clone()).await.expect(201);
        let old = store::Statement::new("UPDATE _auth_sessions SET authenticated_at = authenticated_at - 600000001", []);
        app.store().own(vec![old]).await.expect("an answer");
        app.identity().everybody_changed();
        let refused = make(&ann, body.clone()).await.expect(403);
        assert_eq!(refused.json()["type"], "/problems/reauthenticate");
        assert_eq!(ann.get("/auth/keys").await.expect(200).items().len(), 1);
        ann.post("/auth/reauth", json!({ "password": PASSWORD })).await.expect(200);
        make(&ann, body).await.expect(201);
    }

    async fn who_knows_a_key_only_by_name_has_none(app) using PLAIN {
        let (ann, _) = sign_up(app, "ann@example.org").await;
        let made = make(&ann, json!({ "name": "k", "scopes": ["notes:read"] })).await.expect(201).json();
        let (key, id) = (made["key"].as_str().expect("a key"), made["id"].as_str().expect("an id"));
        for known in [false, true] {
            for text in [format!("msk_{id}_"), format!("msk_{id}_x"), format!("{key}x"), key[..key.len() - 1].to_owned(), key.to_lowercase()] {
                ann.with_key(&text).get("/api/notes").await.expect(401);
            }
            if !known {
                ann.with_key(key).get("/api/notes").await.expect(200);
            }
        }
    }

    async fn a_person_has_a_hundred_keys(app) using PLAIN {
        let (ann, account) = sign_up(app, "ann@example.org").await;
        let person = account["user"]["id"].as_str().expect("an id");
        let scopes = ["notes:read".to_owned()];
        let kept = (0..99).map(|_| auth::api_key::Draft::new("k", &scopes, None, None, 0).insert(Some(person))).collect();
        app.store().own(kept).await.expect("an answer");
        let body = json!({ "name": "k", "scopes": scopes });
        let (left, right) = tokio::join!(make(&ann, body.clone()), make(&ann, body));
        let mut statuses = [left.status.as_u16(), right.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "at once, too");
    }

    async fn a_key_can_do_nothing_to_the_account(app) using PLAIN {
        let (ann, _) = sign_up(app, "ann@example.org").await;
        let key = holder(&ann, &make(&ann, json!({ "name": "all", "scopes": ["*:read", "*:write"] })).await.expect(201));
        for (method, path) in [
            (Method::GET, "/auth/keys"), (Method::POST, "/auth/keys"), (Method::GET, "/auth/sessions"),
            (Method::PATCH, "/auth/me"), (Method::DELETE, "/auth/me"), (Method::POST, "/auth/password/change"),
            (Method::POST, "/auth/email/change"), (Method::POST, "/auth/reauth"), (Method::POST, "/auth/sign-out"),
            // What strangers may do, neither: whoever found the key begins nothing with it.
            (Method::POST, "/auth/sign-in"), (Method::POST, "/auth/sign-up"), (Method::POST, "/auth/refresh"),
            (Method::POST, "/auth/password/forgot"), (Method::GET, "/auth/oauth"), (Method::GET, "/auth/factors"),
        ] {
            let headers = [("content-type", "application/json")];
            let body = r#"{"name":"x","scopes":["*:read"],"current_password":"a","password":"b"}"#;
            let body = if path == "/auth/sign-out" { "{}" } else { body };
            let reply = key.send(method.clone(), path, &headers, body).await;
            assert_eq!(reply.status.as_u16(), 403, "{method} {path}: {reply}");
        }
    }

    async fn a_key_ends_when_it_is_deleted_or_its_owner_is_gone(app) using PLAIN {
        let (ann, account) = sign_up(app, "ann@example.org").await;
        let made = make(&ann, json!({ "name": "a", "scopes": ["notes:read"] })).await.expect(201);
        let key = holder(&ann, &made);
        key.get("/api/notes").await.expect(200);
        let listed = ann.get("/auth/keys").await.expect(200);
        assert_eq!(listed.items().len(), 1);
        assert!(!listed.text.contains("msk_"), "{listed}");
        let (bob, _) = sign_up(app, "bob@example.org").await;
        let path = format!("/auth/keys/{}", made.json()["id"].as_str().expect("an id"));
        bob.send(Method::DELETE, &path, &[], "").await.expect(404);
        ann.send(Method::DELETE, &path, &[], "").await.expect(204);
        key.get("/api/notes").await.expect(401);
        ann.send(Method::DELETE, &path, &[], "").await.expect(404);

        let other = holder(&ann, &make(&ann, json!({ "name": "b", "scopes": ["notes:read"] })).await.expect(201));
        other.get("/api/notes").await.expect(200);
        let user = format!("/api/users/{}", account["user"]["id"].as_str().expect("an id"));
        let patch = [("content-type", "application/json")];
        app.admin().send(Method::PATCH, &user, &patch, r#"{"disabled":true}"#).await.expect(200);
        other.get("/api/notes").await.expect(401);
        app.admin().send(Method::PATCH, &user, &patch, r#"{"disabled":false}"#).await.expect(200);
        other.get("/api/notes").await.expect(200);
        app.admin().send(Method::DELETE, &user, &[], "").await.expect(204);
        other.get("/api/notes").await.expect(401);
    }

    async fn a_key_has_no_role_that_its_owner_has_lost(app) using PLAIN {
        let (ann, account) = sign_up(app, "ann@example.org").await;
        let (bob, _) = sign_up(app, "bob@example.org").await;
        bob.post("/api/notes", json!({ "text": "bob's" })).await.expect(201);
        let refused = make(&ann, json!({ "name": "k", "scopes": ["notes:read"], "roles": ["editor"] })).await.expect(422);
        assert_eq!(refused.json()["errors"][0]["pointer"], "/roles/0");
        let user = format!("/api/users/{}", account["user"]["id"].as_str().expect("an id"));
        let patch = [("content-type", "application/json")];
        app.admin().send(Method::PATCH, &user, &patch, r#"{"roles":["editor"]}"#).await.expect(200);
        let editor = holder(&ann, &make(&ann, json!({ "name": "k", "scopes": ["notes:read"], "roles": ["editor"] })).await.expect(201));
        let plain = holder(&ann, &make(&ann, json!({ "name": "p", "scopes": ["notes:read"], "roles": [] })).await.expect(201));
        assert_eq!(editor.get("/api/notes").await.column("text"), ["bob's"]);
        assert_eq!(plain.get("/api/notes").await.column("text").len(), 0);
        app.admin().send(Method::PATCH, &user, &patch, r#"{"roles":[]}"#).await.expect(200);
        assert_eq!(editor.get("/api/notes").await.column("text").len(), 0);
    }

    async fn what_can_be_no_key_is_told(app) using PLAIN {
        let (ann, _) = sign_up(app, "ann@example.org").await;
        let pointer = async |body: Json| make(&ann, body).await.expect(422).json()["errors"][0]["pointer"].clone();
        assert_eq!(pointer(json!({ "scopes": ["notes:read"] })).await, "/name");
        assert_eq!(pointer(json!({ "name": "k" })).await, "/scopes");
        assert_eq!(pointer(json!({ "name": "k", "scopes": ["notes:raed"] })).await, "/scopes/0");
        let unknown = make(&ann, json!({ "name": "k", "scopes": ["note:read"] })).await.expect(422);
        assert!(unknown.text.contains("did you mean `notes`"), "{unknown}");
        assert_eq!(pointer(json!({ "name": "k", "scopes": ["notes:read"], "expires_at": "2020-01-01T00:00:00Z" })).await, "/expires_at");
        let short = json!({ "name": "k", "scopes": ["notes:read"], "expires_at": "2999-01-01T00:00:00Z" });
        assert_eq!(make(&ann, short).await.expect(201).json()["expires_at"], "2999-01-01T00:00:00Z");
        app.stranger().post("/auth/keys", json!({})).await.expect(401);
        for name in [json!(""), json!("  "), json!("two\nlines"), json!("x".repeat(101)), json!("x".repeat(100) + " "), json!(1), Json::Null] {
            let refused = make(&ann, json!({ "name": name, "scopes": ["notes:read"] })).await.expect(422);
            assert_eq!(refused.json()["errors"].as_array().map(Vec::len), Some(1), "{refused}");
        }
        for text in ["msk_", "msk_x_y", "msk_a_b_c", "msk_%00_x", "xyz"] {
            app.stranger().with_key(text).get("/api/notes").await.expect(401);
        }
    }
}
