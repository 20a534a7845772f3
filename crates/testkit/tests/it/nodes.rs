//! Two nodes on one database: what is ended or changed by one counts at the other, at its open streams, too.

use std::time::Duration;

use serde_json::{Value as Json, json};
use testkit::{Listener, Person, TestApp};

use crate::{
    accounts::{PASSWORD, PLAIN, secret_in, sign_in, sign_up, with},
    both,
};

/// Within which other nodes follow, and a little for a busy machine.
const SOON: Duration = Duration::from_millis(2_500);

fn id(answer: &Json) -> String {
    answer["user"]["id"].as_str().expect("an id").to_owned()
}

/// The same person at another node.
fn at(node: &TestApp, answer: &Json) -> Person {
    node.stranger().with_key(answer["access_token"].as_str().expect("an access token"))
}

/// Asks until the answer is this one.
async fn soon(person: &Person, path: &str, status: u16) {
    let asking = async {
        while person.get(path).await.status != status {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, asking).await.unwrap_or_else(|_| panic!("{path} is not answered with {status}"));
}

/// The stream ends with an error of its right.
async fn ends(stream: &mut Listener) {
    let told = tokio::time::timeout(SOON, stream.next()).await.expect("in time").expect("an event");
    assert_eq!((&*told.event, &told.json()["status"]), ("error", &json!(401)));
    assert!(stream.next().await.is_none());
}

both! {
    async fn a_node_that_hears_nothing_from_the_database_asks_it_at_every_request(app) using PLAIN {
        let (ann, _) = sign_up(app, "ann@example.org").await;
        ann.get("/auth/me").await.expect(200);
        // It can't be told of changes any more, and so not of this one either.
        for sql in ["ALTER TABLE _auth_epochs RENAME TO _auth_epochs_away", "DELETE FROM _auth_sessions"] {
            app.store().own(vec![store::Statement::new(sql, [])]).await.expect("done");
        }
        let asking = async {
            while ann.get("/auth/me").await.status == 200 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), asking).await.expect("it asks, some ten seconds later");
        ann.get("/auth/me").await.expect(401);
    }

    async fn an_event_of_one_node_is_heard_at_the_other(app) using PLAIN {
        let other = app.another_node().await;
        let (ann, answer) = sign_up(app, "ann@example.org").await;
        let mut stream = at(&other, &answer).listen("/api/notes/events", &[]).await.opened().await;
        ann.post("/api/notes", json!({"text": "far"})).await.expect(201);
        let told = tokio::time::timeout(SOON, stream.next()).await.expect("in time").expect("an event");
        assert_eq!(told.brief("text"), "created \"far\"");
        other.stop().await;
    }

    async fn a_sign_out_counts_at_the_other_node(app) using PLAIN {
        let other = app.another_node().await;
        let (ann, answer) = sign_up(app, "ann@example.org").await;
        let there = at(&other, &answer);
        let mut stream = there.listen("/api/notes/events", &[]).await.opened().await;
        there.get("/auth/me").await.expect(200);
        ann.post("/auth/sign-out", json!({})).await.expect(204);
        ends(&mut stream).await;
        soon(&there, "/auth/me", 401).await;
        other.stop().await;
    }

    async fn a_reset_counts_at_the_other_node(app) using PLAIN {
        let other = app.another_node().await;
        let (_, answer) = sign_up(app, "ann@example.org").await;
        let there = at(&other, &answer);
        let mut stream = there.listen("/api/notes/events", &[]).await.opened().await;
        there.get("/auth/me").await.expect(200);
        app.stranger().post("/auth/password/forgot", json!({"email": "ann@example.org"})).await.expect(202);
        let secret = secret_in(&app.mails("ann@example.org", 1).await[0]);
        let body = json!({"secret": secret, "password": "another good one"});
        // Whatever node the link is shown to.
        other.stranger().post("/auth/password/reset", body).await.expect(204);
        ends(&mut stream).await;
        soon(&with(app, &sign_in(app, "ann@example.org", "another good one").await.expect(200)), "/auth/me", 200).await;
        soon(&there, "/auth/me", 401).await;
        other.stop().await;
    }

    async fn disabling_and_deletion_count_at_the_other_node(app) using PLAIN {
        let other = app.another_node().await;
        for (email, deleted) in [("ann@example.org", false), ("bob@example.org", true)] {
            let (_, answer) = sign_up(app, email).await;
            let there = at(&other, &answer);
            let mut stream = there.listen("/api/notes/events", &[]).await.opened().await;
            there.get("/auth/me").await.expect(200);
            let path = format!("/api/users/{}", id(&answer));
            match deleted {
                true => app.admin().delete(&path).await.expect(204),
                false => app.admin().patch(&path, json!({"disabled": true})).await.expect(200),
            };
            ends(&mut stream).await;
            soon(&there, "/auth/me", 401).await;
        }
        other.stop().await;
    }

    async fn a_role_and_its_loss_count_at_the_other_node(app) using PLAIN {
        let other = app.another_node().await;
        let (_, answer) = sign_up(app, "ann@example.org").await;
        let bob = at(&other, &sign_up(app, "bob@example.org").await.1);
        let there = at(&other, &answer);
        let mut stream = there.listen("/api/notes/events", &[]).await.opened().await;
        let note = bob.post("/api/notes", json!({"text": "first"})).await.expect(201).json();
        let path = format!("/api/notes/{}", note["id"].as_str().map_or_else(|| note["id"].to_string(), str::to_owned));
        there.get(&path).await.expect(404);
        app.admin().patch(&format!("/api/users/{}", id(&answer)), json!({"roles": ["editor"]})).await.expect(200);
        soon(&there, &path, 200).await;
        bob.post("/api/notes", json!({"text": "seen"})).await.expect(201);
        assert_eq!(stream.next().await.expect("an event").brief("text"), "created \"seen\"");
        app.admin().patch(&format!("/api/users/{}", id(&answer)), json!({"roles": []})).await.expect(200);
        soon(&there, &path, 404).await;
        bob.post("/api/notes", json!({"text": "not seen"})).await.expect(201);
        there.post("/api/notes", json!({"text": "her own"})).await.expect(201);
        assert_eq!(stream.next().await.expect("an event").brief("text"), "created \"her own\"");
        other.stop().await;
    }

    async fn a_revoked_key_ends_its_streams_here_and_at_the_other_node(app) using PLAIN {
        let other = app.another_node().await;
        let (ann, _) = sign_up(app, "ann@example.org").await;
        let body = json!({"name": "reader", "scopes": ["notes:read"]});
        let key = ann.post("/auth/keys", body).await.expect(201).json();
        let text = key["key"].as_str().expect("a key");
        let (here, there) = (app.stranger().with_key(text), other.stranger().with_key(text));
        let mut stream = here.listen("/api/notes/events", &[]).await.opened().await;
        let mut far = there.listen("/api/notes/events", &[]).await.opened().await;
        ann.delete(&format!("/auth/keys/{}", key["id"].as_str().expect("an id"))).await.expect(204);
        here.get("/api/notes").await.expect(401);
        ends(&mut stream).await;
        ends(&mut far).await;
        soon(&there, "/api/notes", 401).await;
        other.stop().await;
    }

    async fn two_nodes_give_no_more_tries_than_one(app) using PLAIN {
        let other = app.another_node().await;
        sign_up(app, "ann@example.org").await;
        let nodes = [app, &other];
        for number in 0..10 {
            for email in ["ann@example.org", "nobody@example.org"] {
                sign_in(nodes[number % 2], email, "wrong").await.expect(401);
            }
        }
        for node in nodes {
            for email in ["ann@example.org", "nobody@example.org"] {
                let refused = sign_in(node, email, PASSWORD).await.expect(429);
                let wait: u32 = refused.header("retry-after").parse().expect("seconds");
                assert!((1..=30).contains(&wait), "{wait}");
            }
        }
        other.stop().await;
    }

    async fn many_tries_at_once_at_two_nodes_are_ten(app) using PLAIN {
        let other = app.another_node().await;
        sign_up(app, "ann@example.org").await;
        let mut tries = tokio::task::JoinSet::new();
        for number in 0..24 {
            let person = if number % 2 == 0 { app.stranger() } else { other.stranger() };
            let body = json!({"email": "ann@example.org", "password": "wrong"});
            tries.spawn(async move { person.post("/auth/sign-in", body).await });
        }
        let answers = tries.join_all().await;
        let heard = answers.iter().filter(|answer| answer.status == 401).count();
        assert_eq!((heard, answers.len() - heard), (10, 14));
        other.stop().await;
    }
}
