//! Server-sent events, through the door.

use http::Method;
use serde_json::json;
use testkit::{Database, Listener, TestApp};

use crate::both;

const NOTES: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    (
        "resources/notes.toml",
        "id = \"integer\"\n[fields]\n\
         title = { type = \"string\", required = true }\n\
         body = { type = \"text\" }\n\
         status = { type = \"enum\", values = [\"draft\", \"open\"], default = \"draft\" }\n\
         price = { type = \"decimal\", precision = 6, scale = 2 }\n\
         weight = { type = \"float\" }\n\
         day = { type = \"date\" }\n\
         done = { type = \"boolean\" }\n\
         labels = { type = \"string\", list = true }\n\
         moments = { type = \"datetime\", list = true }\n\
         people = { type = \"reference\", to = \"people\", many = true, on_delete = \"cascade\" }\n\
         meta = { type = \"json\" }\n\
         secret = { type = \"string\", hidden = true, default = \"a secret of the house\" }\n\
         remark = { type = \"string\", read = \"'staff' in auth.roles\", default = \"a remark for staff\" }\n\
         number = { type = \"integer\", read = \"record.done == true\", default = 42 }\n\
         [access]\nread = \"record.status == 'open'\"\n\
         create = \"true\"\nupdate = \"true\"\ndelete = \"true\"\n",
    ),
    (
        "resources/people.toml",
        "id = \"string\"\ntimestamps = false\n[fields]\nname = { type = \"string\" }\n\
         [access]\nread = \"true\"\ncreate = \"true\"\nupdate = \"true\"\ndelete = \"true\"\n",
    ),
    (
        "resources/rooms.toml",
        "id = \"integer\"\ntimestamps = false\n[fields]\nopen = { type = \"boolean\", required = true }\n\
         [access]\nread = \"true\"\ncreate = \"true\"\nupdate = \"true\"\ndelete = \"true\"\n",
    ),
    (
        "resources/messages.toml",
        "id = \"integer\"\ntimestamps = false\n[fields]\ntext = { type = \"string\" }\n\
         room = { type = \"reference\", to = \"rooms\", required = true, on_delete = \"cascade\" }\n\
         [access]\nread = \"record.room.open == true\"\ncreate = \"true\"\nupdate = \"true\"\ndelete = \"true\"\n",
    ),
    (
        "resources/vault.toml",
        "id = \"integer\"\ntimestamps = false\n[fields]\ntext = { type = \"string\" }\n\
         [access]\nread = \"record.text != 'mine'\"\ncreate = \"true\"\nupdate = \"true\"\ndelete = \"true\"\n\
         [events]\nkeep = \"ids\"\n",
    ),
];

async fn listen(app: &TestApp, path: &str) -> Listener {
    app.stranger().listen(path, &[]).await.opened().await
}

both! {
    async fn a_change_is_told_as_a_read_would_answer_it(app) using NOTES {
        let somebody = app.stranger();
        for name in ["ann", "bob"] {
            somebody.post("/api/people", json!({"id": name})).await.expect(201);
        }
        let mut listener = listen(app, "/api/notes/events").await;
        assert_eq!(listener.headers["content-type"], "text/event-stream");
        let full = json!({
            "title": "full", "body": "a\nb\r\n\u{1F600} \u{2028}\"c\"\\", "status": "open", "price": "3.5", "weight": 3, "day": "2026-02-28",
            "done": true, "labels": ["x", "y"], "moments": ["2026-01-01T00:00:00.5Z"], "people": ["bob", "ann"],
            "meta": {"b": 1.50, "a": [null, "\u{7f}"]},
        });
        for body in [full, json!({"title": "bare", "status": "open"})] {
            let made = somebody.post("/api/notes", body).await.expect(201);
            let path = made.header("location").to_owned();
            let told = listener.next().await.expect("an event");
            assert_eq!((told.event.as_str(), &told.text), ("created", &somebody.get(&path).await.expect(200).text));
            for change in [json!({"done": false}), json!({"done": true, "labels": [], "people": null}), json!({"weight": 1e300})] {
                somebody.patch(&path, change).await.expect(200);
                let told = listener.next().await.expect("an event");
                assert_eq!((told.event.as_str(), &told.text), ("updated", &somebody.get(&path).await.expect(200).text));
                assert!(!told.text.contains("secret") && !told.text.contains("remark"), "{}", told.text);
                assert_eq!(told.text.contains("\"number\""), told.text.contains("\"done\":true"), "{}", told.text);
            }
        }
    }
}

both! {
    async fn what_is_no_longer_seen_leaves_and_what_was_never_seen_is_not_told(app) using NOTES {
        let somebody = app.stranger();
        let mut all = listen(app, "/api/notes/events").await;
        let mut some = listen(app, "/api/notes/events?filter=title.startsWith(%22a%22)&fields=title").await;
        let mut staff = app.admin().listen("/api/notes/events?remark=a%20remark%20for%20staff", &[]).await.opened().await;
        somebody.post("/api/notes", json!({"title": "draft"})).await.expect(201);
        somebody.post("/api/notes", json!({"title": "a", "status": "open"})).await.expect(201);
        somebody.patch("/api/notes/2", json!({"title": "b"})).await.expect(200);
        somebody.patch("/api/notes/2", json!({"status": "draft"})).await.expect(200);
        app.admin().delete("/api/notes/1").await.expect(204);
        app.admin().patch("/api/notes/2", json!({"title": "ab", "status": "open"})).await.expect(200);
        somebody.delete("/api/notes/2").await.expect(204);

        let heard = all.briefs(5, "id").await;
        assert_eq!(heard, ["created 2", "updated 2", "left 2", "updated 2", "deleted 2"]);
        let first = some.next().await.expect("an event");
        assert_eq!(first.text, r#"{"id":2,"title":"a"}"#);
        let left = some.next().await.expect("an event");
        assert_eq!((left.event.as_str(), left.text.as_str()), ("left", r#"{"id":2}"#));
        assert_eq!(some.briefs(2, "id").await, ["updated 2", "deleted 2"]);
        assert_eq!(staff.briefs(7, "id").await, ["created 1", "created 2", "updated 2", "updated 2", "deleted 1", "updated 2", "deleted 2"]);
    }
}

both! {
    async fn rules_that_lead_through_relations_hold_at_the_moment_of_the_event(app) using NOTES {
        let somebody = app.stranger();
        somebody.post("/api/rooms", json!([{"open": true}, {"open": false}])).await.expect(201);
        let mut listener = listen(app, "/api/messages/events").await;
        let three = json!([{"text": "heard", "room": 1}, {"text": "unheard", "room": 2}, {"text": "heard", "room": 1}]);
        somebody.post("/api/messages", three).await.expect(201);
        // Who has heard of the third is past the second.
        assert_eq!(listener.briefs(2, "id").await, ["created 1", "created 3"]);
        somebody.patch("/api/rooms/2", json!({"open": true})).await.expect(200);
        app.admin().patch("/api/messages/2", json!({"text": "heard now"})).await.expect(200);
        assert_eq!(listener.briefs(1, "text").await, ["updated \"heard now\""]);
        app.admin().patch("/api/messages/2", json!({"room": 1})).await.expect(200);
        assert_eq!(listener.briefs(1, "room").await, ["updated 1"]);
        somebody.patch("/api/rooms/2", json!({"open": false})).await.expect(200);
        app.admin().patch("/api/messages/2", json!({"room": 2})).await.expect(200);
        assert_eq!(listener.briefs(1, "id").await, ["left 2"]);
        app.admin().delete("/api/messages/1").await.expect(204);
        assert_eq!(listener.briefs(1, "id").await, ["deleted 1"]);
    }
}

both! {
    async fn coming_back_costs_nothing_and_repeats_nothing(app) using NOTES {
        let somebody = app.stranger();
        let mut listener = listen(app, "/api/people/events").await;
        // It fails in the database, and leaves a gap in the sequence that is no end of the log.
        somebody.post("/api/messages", json!({"room": 404})).await.expect(409);
        somebody.post("/api/people", json!({"id": "ann"})).await.expect(201);
        let first = listener.next().await.expect("an event");
        drop(listener);
        for name in ["bob", "cem", "dan"] {
            somebody.post("/api/people", json!({"id": name})).await.expect(201);
        }
        somebody.delete("/api/people/bob").await.expect(204);

        let position = first.id.to_string();
        let mut again = somebody.listen("/api/people/events", &[("last-event-id", &position)]).await;
        let heard = again.briefs(4, "id").await;
        assert_eq!(heard, ["created \"bob\"", "created \"cem\"", "created \"dan\"", "deleted \"bob\""]);
        somebody.post("/api/people", json!({"id": "eve"})).await.expect(201);
        assert_eq!(again.briefs(1, "id").await, ["created \"eve\""]);

        let mut all = somebody.listen("/api/people/events?last_event_id=0", &[]).await;
        assert_eq!(all.briefs(6, "id").await[0], "created \"ann\"");
        let mut beyond = somebody.listen("/api/people/events", &[("last-event-id", "999999")]).await;
        assert_eq!(beyond.next().await.map(|told| told.event), Some("reset".to_owned()));
        assert_eq!(beyond.next().await, None);
    }
}

both! {
    async fn cascades_are_told_where_they_strike(app) using NOTES {
        let somebody = app.stranger();
        somebody.post("/api/people", json!([{"id": "ann"}, {"id": "bob"}])).await.expect(201);
        let mut listener = listen(app, "/api/notes/events").await;
        somebody.post("/api/notes", json!({"title": "n", "status": "open", "people": ["ann", "bob"]})).await.expect(201);
        somebody.delete("/api/people/ann").await.expect(204);
        assert_eq!(listener.briefs(2, "people").await, ["created [\"ann\",\"bob\"]", "updated [\"bob\"]"]);
    }
}

both! {
    async fn where_the_log_keeps_ids_the_record_of_the_moment_is_told(app) using NOTES {
        let somebody = app.stranger();
        let mut listener = listen(app, "/api/vault/events").await;
        let mut admin = app.admin().listen("/api/vault/events", &[]).await.opened().await;
        somebody.post("/api/vault", json!({"text": "ours"})).await.expect(201);
        assert_eq!(listener.next().await.expect("an event").text, r#"{"id":1,"text":"ours"}"#);
        somebody.patch("/api/vault/1", json!({"text": "mine"})).await.expect(200);
        app.admin().delete("/api/vault/1").await.expect(204);
        somebody.post("/api/vault", json!({"text": "next"})).await.expect(201);

        assert_eq!(listener.briefs(1, "id").await, ["created 2"], "neither left nor deleted");
        let heard = admin.briefs(4, "id").await;
        assert_eq!((&heard[0][..], &heard[2..]), ("created 1", &["deleted 1".to_owned(), "created 2".to_owned()][..]));
    }
}

both! {
    async fn everybody_hears_everything_in_order_while_many_write(app) using NOTES {
        let (listeners, writers, each) = (20, 8, 25);
        let mut hearing = Vec::new();
        for number in 0..listeners {
            let mut listener = listen(app, "/api/people/events").await;
            hearing.push(tokio::spawn(async move {
                let mut last = 0;
                let mut heard = std::collections::HashSet::new();
                for _ in 0..writers * each {
                    let told = listener.next().await.expect("an event");
                    assert!(told.id > last, "listener {number}: {} after {last}", told.id);
                    last = told.id;
                    heard.insert(told.text);
                }
                assert_eq!(heard.len(), writers * each, "nothing twice");
            }));
        }
        let mut writing = Vec::new();
        for writer in 0..writers {
            let somebody = app.stranger();
            writing.push(tokio::spawn(async move {
                for number in 0..each {
                    somebody.post("/api/people", json!({"id": format!("p{writer}-{number}")})).await.expect(201);
                }
            }));
        }
        for task in writing.into_iter().chain(hearing) {
            task.await.expect("a task that ends well");
        }
    }
}

both! {
    async fn what_is_wrong_with_the_request_is_a_problem_before_the_stream(app) using NOTES {
        let somebody = app.stranger();
        somebody.get("/api/nothing/events").await.expect(404);
        somebody.get("/api/notes/events?filter=nosuch%20%3D%3D%201").await.expect(400);
        somebody.get("/api/notes/events?filter=secret%20%3D%3D%20%22a%22").await.expect(400);
        somebody.get("/api/notes/events?remark=x").await.expect(400);
        somebody.get("/api/notes/events?limit=3").await.expect(400);
        somebody.send(Method::GET, "/api/notes/events", &[("last-event-id", "x")], "").await.expect(400);
        somebody.send(Method::GET, "/api/notes/events", &[("accept", "text/html")], "").await.expect(406);
        let refused = somebody.post("/api/notes/events", json!({})).await.expect(405);
        assert_eq!(refused.header("allow"), "GET, OPTIONS");
    }
}

#[tokio::test]
async fn a_server_that_stops_ends_its_streams() {
    let app = TestApp::start(Database::Sqlite, NOTES).await;
    let mut listener = listen(&app, "/api/notes/events").await;
    let begun = std::time::Instant::now();

    app.stop().await;

    assert_eq!(listener.next().await, None);
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
}
