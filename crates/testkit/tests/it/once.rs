//! Requests that are sent again: `Idempotency-Key`.

use std::sync::Arc;

use engine::{Done, Engine, Kept, Once, Outcome, SystemClock, Task};
use http::Method;
use serde_json::{Value as Json, json};
use store::{Statement, own::Cell};
use testkit::{Person, Reply};

use crate::{both, together::SHOP};

/// The shop behind a proxy that says where requests come from.
const BEHIND: &[(&str, &str)] =
    &[("mainstay.toml", "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n"), SHOP[1], SHOP[2], SHOP[3]];
const DAY: i64 = 24 * 3_600_000_000;

async fn send(person: &Person, method: Method, path: &str, key: &str, body: &Json) -> Reply {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    person.send(method, path, &headers, body.to_string()).await
}

async fn post(person: &Person, path: &str, key: &str, body: &Json) -> Reply {
    send(person, Method::POST, path, key, body).await
}

/// What a client sees of an answer, but for what is new each time.
fn seen(reply: &Reply) -> (u16, String, Vec<String>) {
    let names = ["etag", "location", "content-type", "preference-applied", "content-length"];
    (reply.status.as_u16(), reply.text.clone(), names.iter().map(|name| reply.header(name).to_owned()).collect())
}

both! {
    async fn a_retry_gets_the_first_answer_byte_for_byte(app) using SHOP {
        let person = app.stranger();
        let body = json!({"number": "a", "note": "x"});
        let first = post(&person, "/api/orders", "k 1", &body).await.expect(201);
        assert_eq!(first.header("idempotency-replayed"), "");
        person.patch("/api/orders/1", json!({"note": "later"})).await.expect(200);
        for _ in 0..2 {
            let again = post(&person, "/api/orders", "k 1", &body).await;
            assert_eq!(seen(&again), seen(&first));
            assert_eq!(again.header("idempotency-replayed"), "true");
        }
        let patch = json!({"total": {"$increment": 1}});
        let patched = send(&person, Method::PATCH, "/api/orders/1", "k 1", &patch).await.expect(200);
        let again = send(&person, Method::PATCH, "/api/orders/1", "k 1", &patch).await.expect(200);
        assert_eq!((seen(&again), again.header("idempotency-replayed")), (seen(&patched), "true"));
        assert_eq!(person.get("/api/orders/1").await.json()["total"], 1, "another path is another key");
        let several = json!([{"number": "b"}, {"number": "c"}]);
        let made = post(&person, "/api/orders", "several", &several).await.expect(201);
        assert_eq!(seen(&post(&person, "/api/orders", "several", &several).await), seen(&made));
        let batch = json!({"operations": [{"method": "POST", "path": "/api/orders", "body": {"number": "d"}}, {"method": "POST", "path": "/api/lines", "body": {"order": "$0.id"}}]});
        let made = post(&person, "/api/batch", "batch", &batch).await.expect(200);
        assert_eq!(seen(&post(&person, "/api/batch", "batch", &batch).await), seen(&made));
        let count = json!({"total": {"$increment": 1}});
        let path = "/api/orders?note=later";
        assert_eq!(send(&person, Method::PATCH, path, "all", &count).await.expect(200).text, r#"{"count":1}"#);
        assert_eq!(send(&person, Method::PATCH, path, "all", &count).await.expect(200).header("idempotency-replayed"), "true");
        assert_eq!(person.get("/api/orders/1").await.json()["total"], 2);
        assert_eq!(app.changes().await.len(), 8);
    }

    async fn an_answer_without_a_body_is_kept_as_well(app) using SHOP {
        let headers = [("content-type", "application/json"), ("idempotency-key", "m"), ("prefer", "return=minimal")];
        let person = app.stranger();
        let first = person.send(Method::POST, "/api/orders", &headers, r#"{"number":"a"}"#).await.expect(201);
        assert_eq!((first.text.as_str(), first.header("preference-applied"), first.header("location")), ("", "return=minimal", "/api/orders/1"));
        let again = person.send(Method::POST, "/api/orders", &headers, r#"{"number":"a"}"#).await.expect(201);
        assert_eq!((seen(&again), again.header("idempotency-replayed")), (seen(&first), "true"));
        let changed = person.send(Method::PATCH, "/api/orders/1", &headers, r#"{"note":"n"}"#).await.expect(204);
        assert!(!changed.header("etag").is_empty());
        assert_eq!(person.get("/api/orders/1").await.header("etag"), changed.header("etag"));
    }

    async fn a_key_belongs_to_one_caller_one_path_and_one_request(app) using SHOP {
        let person = app.stranger();
        let body = json!({"number": "a"});
        post(&person, "/api/orders", "k", &body).await.expect(201);
        let reused = post(&person, "/api/orders", "k", &json!({"number": "b"})).await.expect(422);
        assert_eq!(reused.json()["type"], "/problems/idempotency-key-reused");
        post(&person, "/api/orders?upsert=number", "k", &body).await.expect(422);
        let other = post(&app.admin(), "/api/orders", "k", &body).await.expect(409);
        assert_eq!((other.json()["type"].clone(), other.header("idempotency-replayed")), (json!("/problems/conflict"), ""), "another's key is no key of mine");
        post(&app.admin(), "/api/orders", "k", &json!({"number": "b"})).await.expect(201);
        post(&person, "/api/rooms", "k", &json!({"id": "r"})).await.expect(201);
        person.get("/problems/idempotency-key-reused").await.expect(200);
        for bad in ["", &"x".repeat(256)] {
            post(&person, "/api/orders", bad, &json!({"number": "c"})).await.expect(400);
        }
        post(&person, "/api/orders", &"x".repeat(255), &json!({"number": "c"})).await.expect(201);
        let twice = [("content-type", "application/json"), ("idempotency-key", "a"), ("idempotency-key", "b")];
        person.send(Method::POST, "/api/orders", &twice, r#"{"number":"d"}"#).await.expect(400);
    }

    async fn strangers_at_two_addresses_are_two_callers(app) using BEHIND {
        let post_from = async |address: &str, body: &str| {
            let headers = [("content-type", "application/json"), ("idempotency-key", "k"), ("x-forwarded-for", address)];
            app.stranger().send(Method::POST, "/api/orders", &headers, body.to_owned()).await
        };
        let first = post_from("192.0.2.1", r#"{"number":"a"}"#).await.expect(201);
        let other = post_from("192.0.2.2", r#"{"number":"b"}"#).await.expect(201);
        assert_eq!(other.header("idempotency-replayed"), "");
        let again = post_from("192.0.2.1", r#"{"number":"a"}"#).await.expect(201);
        assert_eq!((seen(&again), again.header("idempotency-replayed")), (seen(&first), "true"));
    }

    async fn a_failed_write_frees_its_key(app) using SHOP {
        let person = app.stranger();
        post(&person, "/api/orders", "k", &json!({"number": "a", "note": "refused"})).await.expect(401);
        post(&person, "/api/orders", "k", &json!({"note": "x"})).await.expect(422);
        post(&person, "/api/batch", "k", &json!({"operations": [{"method": "POST", "path": "/api/rooms", "body": {"id": "r"}}, {"method": "DELETE", "path": "/api/orders/9"}]})).await.expect(404);
        post(&person, "/api/orders", "k", &json!({"number": "a"})).await.expect(201);
        post(&person, "/api/batch", "k", &json!({"operations": [{"method": "POST", "path": "/api/rooms", "body": {"id": "r"}}]})).await.expect(200);
    }

    async fn an_answer_is_kept_for_a_day(app) using SHOP {
        let person = app.stranger();
        let body = json!({"number": "a"});
        post(&person, "/api/orders", "k", &body).await.expect(201);
        post(&person, "/api/orders", "young", &json!({"number": "b"})).await.expect(201);
        let older = Statement::new("UPDATE _idempotency SET created_at = created_at - $1 WHERE key = $2", [Cell::Integer(DAY), "k".into()]);
        app.store().own(vec![older.clone()]).await.expect("statements");
        post(&person, "/api/orders", "k", &json!({"number": "c"})).await.expect(201);
        app.store().own(vec![older]).await.expect("statements");
        assert_eq!(app.engine().trim_answers().await, Ok(false));
        let left = app.store().own_read(Statement::new("SELECT key FROM _idempotency", [])).await.expect("rows");
        assert_eq!(left.iter().map(|row| row.text(0)).collect::<Vec<_>>(), [Some("young")]);
    }

    async fn the_same_request_many_times_at_once_is_made_once(app) using SHOP {
        let person = app.stranger();
        for round in 0..4 {
            let tasks: Vec<_> = (0..10).map(|_| { let person = person.clone(); tokio::spawn(async move {
                post(&person, "/api/orders", &format!("k{round}"), &json!({"number": format!("n{round}")})).await.expect(201)
            }) }).collect();
            let mut replies = Vec::new();
            for task in tasks { replies.push(task.await.expect("an answer")); }
            assert!(replies.iter().all(|reply| seen(reply) == seen(&replies[0])));
            assert_eq!(replies.iter().filter(|reply| reply.header("idempotency-replayed").is_empty()).count(), 1);
        }
        assert_eq!(app.changes().await.len(), 4);
    }

    async fn two_servers_of_one_database_make_it_once(app) using SHOP {
        let catalog = Arc::clone(app.engine().gate().catalog());
        // Each has turns of its own, so that the database alone decides.
        let engines: Vec<_> = (0..6).map(|_| Arc::new(Engine::new(Arc::clone(&catalog), Arc::clone(app.store()), Arc::new(SystemClock)))).collect();
        let caller = model::Caller { identity: Arc::default(), address: [127, 0, 0, 1].into(), method: "POST", now: app.engine().clock().now(), request_id: "r".into() };
        // One that conflicts with itself, and one that would be made twice.
        for body in [json!({"number": "one"}), json!({"note": "n"})] {
            let resource = if body.get("number").is_some() { "orders" } else { "rooms" };
            let tasks: Vec<_> = engines.iter().enumerate().map(|(n, engine)| {
                let (engine, caller, mut body) = (Arc::clone(engine), caller.clone(), body.clone());
                tokio::spawn(async move {
                    let encode = |done: Done| match done { Done::One(answer) => Kept { status: 201, head: vec![], body: answer.body }, other => panic!("{other:?}") };
                    let once = Once { key: "k".into(), path: format!("/api/{resource}"), request: vec![1], encode: Arc::new(encode) };
                    if resource == "rooms" { body = json!({"id": format!("room{n}")}); }
                    engine.write_once(caller, Task::Create { resource, body: &body, upsert: None }, &once).await
                })
            }).collect();
            let mut bodies = Vec::new();
            let mut made = 0;
            for task in tasks {
                match task.await.expect("an answer") {
                    Ok(Outcome::Made(kept)) => { made += 1; bodies.push(kept.body); }
                    Ok(Outcome::Again(kept)) => bodies.push(kept.body),
                    Err(problem) => panic!("{problem:?}"),
                }
            }
            assert_eq!(made, 1);
            assert!(bodies.iter().all(|body| *body == bodies[0]));
        }
        assert_eq!(app.changes().await.len(), 2);
    }
}
