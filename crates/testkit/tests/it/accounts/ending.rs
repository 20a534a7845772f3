//! What ends or changes a right, and how soon.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value as Json, json};
use testkit::TestApp;

use super::{PASSWORD, PLAIN, sign_in, sign_up, with};
use crate::both;

fn id(answer: &Json) -> String {
    answer["user"]["id"].as_str().expect("an id").to_owned()
}

/// What changes somebody, as another process does it: past this server's memory.
async fn beside(app: &TestApp, id: &str) {
    let now = app.engine().clock().now();
    let end = store::own::identity::end_sessions(id);
    app.store().own(vec![end, store::own::identity::bump(id, now)]).await.expect("an answer");
}

both! {
    async fn sessions_are_listed_and_ended(app) using PLAIN {
        let (first, _) = sign_up(app, "ann@example.org").await;
        let second = with(app, &sign_in(app, "ann@example.org", PASSWORD).await.expect(200));
        let (bob, _) = sign_up(app, "bob@example.org").await;
        let listed = first.get("/auth/sessions").await.expect(200).items();
        assert_eq!(listed.len(), 2);
        assert_eq!(listed.iter().filter(|session| session["current"] == true).count(), 1);
        let other = listed.iter().find(|session| session["current"] == false).expect("another")["id"].as_str().expect("an id").to_owned();
        assert!(listed.iter().all(|session| session.get("secret").is_none()));
        bob.delete(&format!("/auth/sessions/{other}")).await.expect(404);
        second.get("/auth/me").await.expect(200);
        first.delete(&format!("/auth/sessions/{other}")).await.expect(204);
        second.get("/auth/me").await.expect(401);
        first.delete(&format!("/auth/sessions/{other}")).await.expect(404);
        first.post("/auth/sign-out", json!({})).await.expect(204);
        first.get("/auth/me").await.expect(401);
        bob.get("/auth/me").await.expect(200);
        app.stranger().post("/auth/sign-out", json!({})).await.expect(401);
    }

    async fn signing_out_everywhere_ends_every_session(app) using PLAIN {
        let (first, _) = sign_up(app, "ann@example.org").await;
        let second = with(app, &sign_in(app, "ann@example.org", PASSWORD).await.expect(200));
        second.post("/auth/sign-out", json!({"all": true})).await.expect(204);
        first.get("/auth/me").await.expect(401);
        second.get("/auth/me").await.expect(401);
    }

    async fn a_role_counts_at_once_and_so_does_its_loss(app) using PLAIN {
        let (ann, answer) = sign_up(app, "ann@example.org").await;
        let (bob, _) = sign_up(app, "bob@example.org").await;
        bob.post("/api/notes", json!({"text": "his"})).await.expect(201);
        assert_eq!(ann.get("/api/notes").await.items().len(), 0);
        let mut stream = ann.listen("/api/notes/events", &[]).await.opened().await;
        app.admin().patch(&format!("/api/users/{}", id(&answer)), json!({"roles": ["editor"]})).await.expect(200);
        assert_eq!(ann.get("/api/notes").await.items().len(), 1);
        bob.post("/api/notes", json!({"text": "seen"})).await.expect(201);
        assert_eq!(stream.next().await.expect("an event").brief("text"), "created \"seen\"");
        app.admin().patch(&format!("/api/users/{}", id(&answer)), json!({"roles": []})).await.expect(200);
        assert_eq!(ann.get("/api/notes").await.items().len(), 0);
        bob.post("/api/notes", json!({"text": "not seen"})).await.expect(201);
        ann.post("/api/notes", json!({"text": "her own"})).await.expect(201);
        assert_eq!(stream.next().await.expect("an event").brief("text"), "created \"her own\"");
    }

    async fn a_disabled_person_is_nobody_at_once(app) using PLAIN {
        let (ann, answer) = sign_up(app, "ann@example.org").await;
        ann.get("/auth/me").await.expect(200);
        let mut stream = ann.listen("/api/notes/events", &[]).await.opened().await;
        app.admin().patch(&format!("/api/users/{}", id(&answer)), json!({"disabled": true})).await.expect(200);
        ann.get("/auth/me").await.expect(401);
        let told = stream.next().await.expect("an event");
        assert_eq!((&*told.event, &told.json()["status"]), ("error", &json!(401)));
        assert!(stream.next().await.is_none());
        app.stranger().post("/auth/refresh", json!({"refresh_token": answer["refresh_token"]})).await.expect(401);
        app.admin().patch(&format!("/api/users/{}", id(&answer)), json!({"disabled": false})).await.expect(200);
        ann.get("/auth/me").await.expect(401);
        sign_in(app, "ann@example.org", PASSWORD).await.expect(200);
    }

    async fn a_deleted_person_is_nobody_at_once(app) using PLAIN {
        let (ann, answer) = sign_up(app, "ann@example.org").await;
        let mut stream = ann.listen("/api/notes/events", &[]).await.opened().await;
        app.admin().delete(&format!("/api/users/{}", id(&answer))).await.expect(204);
        ann.get("/auth/me").await.expect(401);
        assert_eq!(stream.next().await.expect("an event").event, "error");
        let left = store::Statement::new("SELECT person FROM _auth_sessions UNION ALL SELECT person FROM _auth_credentials", []);
        assert!(app.store().own_read(left).await.expect("rows").is_empty(), "nothing is left to come in by");
    }

    async fn a_change_by_another_node_counts_within_two_seconds(app) using PLAIN {
        let (ann, answer) = sign_up(app, "ann@example.org").await;
        let mut stream = ann.listen("/api/notes/events", &[]).await.opened().await;
        ann.get("/auth/me").await.expect(200);
        beside(app, &id(&answer)).await;
        let told = tokio::time::timeout(Duration::from_secs(2), stream.next()).await.expect("in time").expect("an event");
        assert_eq!(told.event, "error");
        ann.get("/auth/me").await.expect(401);
    }

    async fn a_changed_password_ends_the_other_sessions(app) using PLAIN {
        let (first, _) = sign_up(app, "ann@example.org").await;
        let second = with(app, &sign_in(app, "ann@example.org", PASSWORD).await.expect(200));
        second.post("/auth/password/change", json!({"current_password": "wrong", "password": "another good one"})).await.expect(403);
        second.post("/auth/password/change", json!({"current_password": PASSWORD, "password": "short"})).await.expect(422);
        second.post("/auth/password/change", json!({"current_password": PASSWORD, "password": "another good one"})).await.expect(204);
        first.get("/auth/me").await.expect(401);
        second.get("/auth/me").await.expect(200);
        sign_in(app, "ann@example.org", PASSWORD).await.expect(401);
        sign_in(app, "ann@example.org", "another good one").await.expect(200);
        assert!(app.mails("ann@example.org", 1).await[0].contains("has just been changed"));
        app.stranger().post("/auth/password/change", json!({"current_password": PASSWORD, "password": "another good one"})).await.expect(401);
    }

    async fn what_matters_asks_for_a_fresh_proof(app) using PLAIN {
        let (ann, answer) = sign_up(app, "ann@example.org").await;
        let old = store::Statement::new("UPDATE _auth_sessions SET authenticated_at = authenticated_at - 700000000", []);
        app.store().own(vec![old, store::own::identity::bump(&id(&answer), app.engine().clock().now())]).await.expect("an answer");
        tokio::time::sleep(Duration::from_millis(2_200)).await;
        let refused = ann.delete("/auth/me").await.expect(403);
        assert_eq!(refused.json()["type"], "/problems/reauthenticate");
        ann.post("/auth/email/change", json!({"email": "new@example.org"})).await.expect(403);
        ann.post("/auth/reauth", json!({"password": "wrong"})).await.expect(401);
        ann.post("/auth/reauth", json!({})).await.expect(422);
        let fresh = ann.post("/auth/reauth", json!({"password": PASSWORD})).await.expect(200);
        with(app, &fresh).get("/auth/me").await.expect(200);
        ann.delete("/auth/me").await.expect(204);
    }

    async fn what_happened_is_in_the_audit_log(app) using PLAIN {
        let (ann, answer) = sign_up(app, "ann@example.org").await;
        sign_in(app, "ann@example.org", "wrong password").await.expect(401);
        sign_in(app, "nobody@example.org", "wrong password").await.expect(401);
        sign_in(app, "nobody@example.org", "wrong password").await.expect(401);
        app.admin().patch(&format!("/api/users/{}", id(&answer)), json!({"roles": ["editor"]})).await.expect(200);
        ann.post("/auth/sign-out", json!({})).await.expect(204);
        // Failures reach the log a while later, folded by the minute: two of a kind may be one line or two.
        let mut counts = BTreeMap::<String, i64>::new();
        for _ in 0..2000 {
            let query = store::Statement::new("SELECT what, subject, count FROM _audit", []);
            counts.clear();
            for row in app.store().own_read(query).await.expect("rows") {
                let kind = row.text(1).unwrap_or("").split([':', '/']).next().unwrap_or("").to_owned();
                *counts.entry(format!("{} {kind}", row.text(0).unwrap_or(""))).or_default() += row.integer(2).unwrap_or(0);
            }
            if counts.values().sum::<i64>() >= 7 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let lines: Vec<_> = counts.iter().map(|(line, count)| format!("{line} {count}")).collect();
        assert_eq!(lines, ["admin_changed users 1", "roles_changed user 1", "sign_in_failed unknown 2", "sign_in_failed user 1", "sign_out user 1", "sign_up user 1"]);
        let query = store::Statement::new("SELECT subject, detail FROM _audit", []);
        let rows = app.store().own_read(query).await.expect("rows");
        assert!(rows.iter().all(|row| !row.text(0).unwrap_or("").contains("nobody@") && !row.text(1).unwrap_or("").contains("password")));
    }
}
