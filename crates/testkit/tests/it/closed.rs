//! What is closed stays closed: without a rule, to guesses at values, and to other callers' tags.

use http::Method;
use serde_json::{Value as Json, json};
use testkit::{Person, Reply};

use crate::{
    accounts::{USERS, sign_up},
    both,
};

const FILES: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    ("resources/users.toml", USERS),
    // Nobody has said who may do what.
    (
        "resources/vaults.toml",
        "id = \"integer\"\n[fields]\ntext = { type = \"string\" }\nname = { type = \"string\", unique = true }\n",
    ),
    (
        "resources/boxes.toml",
        "id = \"integer\"\n[fields]\nvault = { type = \"reference\", to = \"vaults\" }\n[access]\nread = \"true\"\n",
    ),
    (
        "resources/cards.toml",
        "id = \"integer\"\n[fields]\nname = { type = \"string\" }\n\
         pin = { type = \"integer\", read = \"record.owner == auth.id\", write = \"new.owner == auth.id\" }\n\
         secret = { type = \"integer\", hidden = true, write = \"false\" }\n\
         owner = { type = \"reference\", to = \"users\", default = \"auth.id\", immutable = true }\n\
         [access]\nread = \"true\"\ncreate = \"true\"\nupdate = \"auth.id != null\"\n",
    ),
    ("resources/rooms.toml", "id = \"integer\"\n[fields]\nopen = { type = \"boolean\" }\n[access]\nread = \"true\"\n"),
    (
        "resources/talks.toml",
        "id = \"integer\"\n[fields]\ntext = { type = \"string\" }\n\
         link = { type = \"string\", read = \"record.room.open == true\" }\nroom = { type = \"reference\", to = \"rooms\" }\n\
         [access]\nread = \"true\"\n",
    ),
];

/// Every way in which somebody could reach the record of the vault.
async fn tries(person: &Person) -> Vec<(&'static str, Reply)> {
    vec![
        ("create", person.post("/api/vaults", json!({"text": "y"})).await),
        ("create several", person.post("/api/vaults", json!([{"text": "y"}])).await),
        ("upsert", person.post("/api/vaults?upsert=name", json!({"name": "n", "text": "y"})).await),
        ("read", person.get("/api/vaults/1").await),
        ("patch", person.patch("/api/vaults/1", json!({"text": "y"})).await),
        ("put", person.put("/api/vaults/1", json!({"text": "y"})).await),
        ("delete", person.delete("/api/vaults/1").await),
        (
            "batch",
            person.post("/api/batch", json!({"operations": [{"method": "DELETE", "path": "/api/vaults/1"}]})).await,
        ),
    ]
}

both! {
    async fn who_may_make_none_is_told_nothing_of_what_a_record_needs(app) using FILES {
        let (ann, _) = sign_up(app, "ann@example.org").await;
        let wrong = json!({"nonsense": 1, "text": 5, "name": "n"});
        let batch = json!({"operations": [{"method": "POST", "path": "/api/vaults", "body": wrong}]});
        for (person, status) in [(app.stranger(), 401), (ann, 403)] {
            for path in ["/api/vaults", "/api/vaults?upsert=name"] {
                for body in [wrong.clone(), json!([wrong])] {
                    let denied = person.post(path, body).await.expect(status);
                    assert_eq!(denied.json()["detail"], "you may not create vaults");
                }
            }
            person.post("/api/batch", batch.clone()).await.expect(status);
        }
        // Who might have had their way with another body is told what is wrong with this one.
        app.admin().post("/api/vaults", wrong).await.expect(422);
        app.stranger().post("/api/cards", json!({"nonsense": 1})).await.expect(422);
    }

    async fn where_no_rule_is_nothing_is_open(app) using FILES {
        app.admin().post("/api/vaults", json!({"text": "gold"})).await.expect(201);
        app.admin().post("/api/boxes", json!({"vault": 1})).await.expect(201);
        let (ann, _) = sign_up(app, "ann@example.org").await;
        for person in [app.stranger(), ann] {
            let mut stream = person.listen("/api/vaults/events", &[]).await.opened().await;
            for (what, reply) in tries(&person).await {
                assert!((400..500).contains(&reply.status.as_u16()), "{what}: {reply}");
                assert!(!reply.text.contains("gold"), "{what}: {reply}");
            }
            let listed = person.get("/api/vaults?count=true").await.expect(200).json();
            assert_eq!((&listed["items"], &listed["count"]), (&json!([]), &json!(0)));
            assert_eq!(person.get("/api/vaults/aggregate?count").await.expect(200).json()["items"][0]["count"], 0);
            assert_eq!(person.patch("/api/vaults?filter=true", json!({"text": "y"})).await.expect(200).json()["count"], 0);
            assert_eq!(person.delete("/api/vaults?filter=true").await.expect(200).json()["count"], 0);
            let exported = person.send(Method::GET, "/api/vaults", &[("accept", "text/csv")], "").await.expect(200);
            assert!(!exported.text.contains("gold"), "{exported}");
            let around = person.ask("/api/boxes", &[("filter", "vault.text == 'gold'")]).await.expect(200);
            assert_eq!(around.items().len(), 0);
            let expanded = person.get("/api/boxes?expand=vault").await.expect(200);
            assert!(!expanded.text.contains("gold"), "{expanded}");
            app.admin().patch("/api/vaults/1", json!({"text": "gold and silver"})).await.expect(200);
            app.admin().patch("/api/vaults/1", json!({"text": "gold"})).await.expect(200);
            let heard = tokio::time::timeout(std::time::Duration::from_millis(400), stream.next()).await;
            assert!(heard.is_err(), "{heard:?}");
        }
        assert_eq!(app.admin().get("/api/vaults?count=true").await.json()["count"], 1);
        assert_eq!(app.admin().get("/api/vaults/1").await.json()["text"], "gold");
    }

    async fn a_value_that_may_not_be_read_can_not_be_guessed_by_writing_it(app) using FILES {
        let (ann, _) = sign_up(app, "ann@example.org").await;
        let (bob, _) = sign_up(app, "bob@example.org").await;
        ann.post("/api/cards", json!({"name": "hers", "pin": 4711})).await.expect(201);
        app.admin().patch("/api/cards/1", json!({"secret": 8})).await.expect(200);
        let answer = async |reply: Reply| (reply.status.as_u16(), reply.json()["errors"].clone());
        for (right, wrong) in [(json!({"pin": 4711}), json!({"pin": 4712})), (json!({"secret": 8}), json!({"secret": 9}))] {
            let (good, bad) = (bob.patch("/api/cards/1", right.clone()).await, bob.patch("/api/cards/1", wrong.clone()).await);
            assert_eq!(good.status.as_u16(), 422, "{good}");
            assert_eq!(answer(good).await, answer(bad).await);
            let (mut put_right, mut put_wrong) = (json!({"name": "hers"}), json!({"name": "hers"}));
            for (whole, part) in [(&mut put_right, &right), (&mut put_wrong, &wrong)] {
                part.as_object().expect("an object").iter().for_each(|(name, value)| whole[name] = value.clone());
            }
            let (good, bad) = (bob.put("/api/cards/1", put_right).await, bob.put("/api/cards/1", put_wrong).await);
            assert_eq!(good.status.as_u16(), 422, "{good}");
            assert_eq!(answer(good).await, answer(bad).await);
        }
        ann.patch("/api/cards/1", json!({"pin": 4711})).await.expect(200);
    }

    async fn a_rule_of_a_field_is_asked_of_the_record_that_will_be_written(app) using FILES {
        let (ann, _) = sign_up(app, "ann@example.org").await;
        let (bob, _) = sign_up(app, "bob@example.org").await;
        ann.post("/api/cards", json!({"name": "hers", "pin": 4711})).await.expect(201);
        // The default would make him the owner, were that not set once.
        bob.put("/api/cards/1", json!({"name": "his", "pin": 1})).await.expect(422);
        bob.put("/api/cards/1", json!({"name": "his"})).await.expect(200);
        let card = ann.get("/api/cards/1").await.expect(200).json();
        assert_eq!((&card["name"], &card["pin"]), (&json!("his"), &json!(4711)));
        ann.put("/api/cards/1", json!({"name": "hers", "pin": 1})).await.expect(200);
        assert_eq!(ann.get("/api/cards/1").await.json()["pin"], 1);
    }

    async fn nobody_is_told_the_names_of_fields_that_not_everybody_reads(app) using FILES {
        let (bob, _) = sign_up(app, "bob@example.org").await;
        for (typed, name) in [("secrt", "`secret`"), ("pinn", "`pin`")] {
            let refused = bob.post("/api/cards", json!({typed: 1})).await.expect(422);
            assert!(!refused.text.contains(name), "{refused}");
        }
        assert!(bob.post("/api/cards", json!({"nam": "x"})).await.expect(422).text.contains("`name`"));
    }

    async fn two_who_see_different_fields_have_different_tags(app) using FILES {
        let (ann, _) = sign_up(app, "ann@example.org").await;
        let (bob, _) = sign_up(app, "bob@example.org").await;
        ann.post("/api/cards", json!({"name": "hers", "pin": 1})).await.expect(201);
        for path in ["/api/cards/1", "/api/cards"] {
            let (hers, his) = (ann.get(path).await.expect(200), bob.get(path).await.expect(200));
            assert!(hers.text.contains("\"pin\":1") && !his.text.contains("\"pin\""), "{hers} {his}");
            assert_ne!(hers.header("etag"), his.header("etag"), "{path}");
            let borrowed = bob.send(Method::GET, path, &[("if-none-match", hers.header("etag"))], "").await.expect(200);
            assert_eq!(borrowed.json(), his.json(), "what another has is not what this one would get");
        }
        let written = ann.patch("/api/cards/1", json!({"name": "still hers"})).await.expect(200);
        assert_eq!(ann.get("/api/cards/1").await.header("etag"), written.header("etag"));
    }

    async fn a_field_that_is_open_by_another_record_is_told_of_by_that_one(app) using FILES {
        let admin = app.admin();
        admin.post("/api/rooms", json!([{"open": true}, {"open": false}])).await.expect(201);
        let mut stream = app.stranger().listen("/api/talks/events", &[]).await.opened().await;
        for room in [1, 2] {
            admin.post("/api/talks", json!({"text": "t", "link": "https://talk.example", "room": room})).await.expect(201);
            let told = stream.next().await.expect("an event");
            assert_eq!(told.json()["link"], if room == 1 { json!("https://talk.example") } else { Json::Null });
            assert_eq!(told.json(), app.stranger().get(&format!("/api/talks/{room}")).await.expect(200).json());
        }
    }
}
