//! Records, written.

use http::Method;
use serde_json::json;

use crate::both;

const SHOP: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    (
        "resources/tags.toml",
        "id = \"string\"\ntimestamps = false\n[fields]\nname = { type = \"string\" }\n\
         [access]\nread = \"true\"\ncreate = \"true\"\nupdate = \"true\"\ndelete = \"true\"\n",
    ),
    (
        "resources/items.toml",
        "[fields]\n\
         sku = { type = \"string\", required = true, unique = true, immutable = true, max = 20, case = \"insensitive\" }\n\
         title = { type = \"string\", min = 1, max = 10 }\n\
         stock = { type = \"integer\", default = 0, min = 0, max = 1000 }\n\
         price = { type = \"decimal\", precision = 6, scale = 2, min = \"0\" }\n\
         weight = { type = \"float\" }\n\
         labels = { type = \"string\", list = true, max_items = 3 }\n\
         tags = { type = \"reference\", to = \"tags\", many = true, on_delete = \"cascade\" }\n\
         parent = { type = \"reference\", to = \"items\", on_delete = \"cascade\" }\n\
         main = { type = \"reference\", to = \"tags\", on_delete = \"set_null\" }\n\
         meta = { type = \"json\" }\n\
         views = { type = \"integer\", default = 7, write = \"false\" }\n\
         status = { type = \"enum\", values = [\"draft\", \"live\"], default = \"draft\" }\n\
         at = { type = \"datetime\", default = \"now\" }\n\
         [access]\nread = \"record.status != 'draft' || record.stock < 500\"\ncreate = \"true\"\n\
         update = \"new.title == null || new.title != 'forbidden'\"\ndelete = \"record.stock == 0\"\n\
         [validate]\n\"live items have a price\" = \"new.status != 'live' || new.price != null\"\n\
         [indexes]\none_title_per_parent = { fields = [\"parent\", \"title\"], unique = true }\n",
    ),
    (
        "resources/parts.toml",
        "id = \"integer\"\ntimestamps = false\n[fields]\nitem = { type = \"reference\", to = \"items\", required = true }\n\
         [access]\nread = \"true\"\ncreate = \"new.item.status == 'live'\"\n",
    ),
];

both! {
    async fn creating_one_gives_it_back_with_its_defaults(app) using SHOP {
        let made = app.stranger().post("/api/items", json!({"sku": "A-1", "price": "3.5", "weight": 1.25, "meta": {"b": 1, "a": [1.0]}})).await.expect(201);
        let record = made.json();
        let id = record["id"].as_str().unwrap_or("").to_owned();
        assert_eq!(made.header("location"), format!("/api/items/{id}"));
        assert_eq!(record["price"], "3.50");
        assert_eq!((&record["stock"], &record["views"], &record["status"]), (&json!(0), &json!(7), &json!("draft")));
        assert_eq!(record["tags"], json!([]));
        assert!(made.text.contains(r#""meta":{"a":[1],"b":1}"#), "canonical: {made}");
        let read = app.stranger().get(&format!("/api/items/{id}")).await.expect(200);
        assert_eq!(read.text, made.text);
        assert_eq!(read.header("etag"), made.header("etag"));
        assert_eq!(app.changes().await, ["items.created"]);
    }

    async fn a_bad_body_is_told_every_flaw_at_once(app) using SHOP {
        let refused = app.stranger().post("/api/items", json!({"title": "much too long a title", "stock": "1", "price": 3, "nope": 1, "views": 1, "status": "gone", "labels": ["a", 2], "created_at": "2020-01-01T00:00:00Z"})).await.expect(422);
        let mut pointers: Vec<String> = refused.json()["errors"].as_array().expect("errors").iter().map(|flaw| format!("{} {}", flaw["pointer"].as_str().unwrap_or(""), flaw["code"].as_str().unwrap_or(""))).collect();
        pointers.sort();
        assert_eq!(pointers, ["/created_at system", "/labels/1 type", "/nope unknown", "/price type", "/sku required", "/status enum", "/stock type", "/title max"]);
        app.stranger().post("/api/items", json!({"sku": "A", "views": 1})).await.expect(422);
        app.stranger().post("/api/items", json!({"sku": "A", "status": "live"})).await.expect(422);
        for body in [json!(7), json!("x"), json!(null)] {
            app.stranger().post("/api/items", body).await.expect(422);
        }
        assert!(app.changes().await.is_empty(), "nothing was stored");
    }

    async fn many_at_once_are_all_or_none(app) using SHOP {
        let person = app.stranger();
        let made = person.post("/api/items", json!([{"sku": "a"}, {"sku": "b"}])).await.expect(201);
        assert_eq!(made.json().as_array().map(Vec::len), Some(2));
        let refused = person.post("/api/items", json!([{"sku": "c"}, {"sku": "B"}])).await.expect(409);
        assert_eq!(refused.json()["errors"][0]["pointer"], "/1/sku", "{refused}");
        let flawed = person.post("/api/items", json!([{"sku": "c"}, {"stock": -1}, {}])).await.expect(422);
        assert_eq!(flawed.json()["errors"][0]["pointer"], "/1/stock", "{flawed}");
        person.post("/api/items", json!(vec![json!({"sku": "z"}); 1001])).await.expect(422);
        assert_eq!(person.get("/api/items?count=true").await.json()["count"], 2);
        assert_eq!(app.changes().await, ["items.created", "items.created"]);
    }

    async fn taken_values_conflict_whatever_their_case(app) using SHOP {
        let person = app.stranger();
        person.post("/api/items", json!({"sku": "abc"})).await.expect(201);
        let refused = person.post("/api/items", json!({"sku": "ABC"})).await.expect(409);
        assert_eq!(refused.json()["type"], "/problems/conflict");
        assert_eq!(refused.json()["errors"][0]["pointer"], "/sku");
        let parent = person.post("/api/items", json!({"sku": "p"})).await.expect(201).json()["id"].clone();
        person.post("/api/items", json!({"sku": "q", "parent": parent, "title": "one"})).await.expect(201);
        let refused = person.post("/api/items", json!({"sku": "r", "parent": parent, "title": "one"})).await.expect(409);
        assert_eq!(refused.json()["errors"].as_array().map(Vec::len), Some(2), "{refused}");
        person.post("/api/items", json!({"sku": "s", "title": "one"})).await.expect(201);
        person.post("/api/items", json!({"sku": "t", "title": "one"})).await.expect(201);
    }

    async fn references_name_records_that_exist(app) using SHOP {
        let person = app.stranger();
        let missing = "01900000-0000-7000-8000-000000000000";
        let refused = person.post("/api/items", json!({"sku": "a", "parent": missing})).await.expect(409);
        assert_eq!((&refused.json()["type"], &refused.json()["errors"][0]["pointer"]), (&json!("/problems/missing-reference"), &json!("/parent")));
        person.put("/api/tags/red", json!({})).await.expect(201);
        person.post("/api/items", json!({"sku": "a", "tags": ["red", "blue"]})).await.expect(409);
        assert_eq!(person.get("/api/items?count=true").await.json()["count"], 0, "nothing of it was stored");
        let made = person.post("/api/items", json!({"sku": "a", "tags": ["red"]})).await.expect(201);
        assert_eq!(made.json()["tags"], json!(["red"]));
    }

    async fn patches_merge_and_atomic_operators_work_on_the_server(app) using SHOP {
        let person = app.stranger();
        let id = person.post("/api/items", json!({"sku": "a", "title": "t", "price": "1", "weight": 0.5, "labels": ["x"], "meta": {"a": 1, "b": {"c": 2}}})).await.expect(201).json()["id"].as_str().unwrap_or("").to_owned();
        let path = format!("/api/items/{id}");
        let changed = person.patch(&path, json!({"title": null, "stock": {"$increment": 5}, "price": {"$increment": "0.25"}, "weight": {"$increment": -0.25}, "labels": {"$append": ["y", "x"]}, "meta": {"a": null, "b": {"d": 3}}})).await.expect(200).json();
        assert_eq!(changed["title"], json!(null));
        assert_eq!(changed["stock"], 5);
        assert_eq!(changed["price"], "1.25");
        assert_eq!(changed["weight"], 0.25);
        assert_eq!(changed["labels"], json!(["x", "y", "x"]));
        assert_eq!(changed["meta"], json!({"b": {"c": 2, "d": 3}}));
        assert_eq!(person.patch(&path, json!({"labels": {"$remove": ["x"]}})).await.expect(200).json()["labels"], json!(["y"]));
        for wrong in [json!({"stock": {"$increment": -6}}), json!({"stock": {"$increment": "1"}}), json!({"stock": {"$increment": 9_223_372_036_854_775_807_i64}}), json!({"title": {"$increment": 1}}), json!({"labels": {"$append": "z"}}), json!({"labels": {"$append": ["1", "2", "3"]}}), json!({"sku": null}), json!({"views": 8}), json!({"sku": "b"}), json!({"id": "x"}), json!({"nope": 1}), json!([])] {
            person.patch(&path, wrong.clone()).await.expect(422);
        }
        person.patch(&path, json!({"title": "forbidden"})).await.expect(401);
        assert_eq!(person.patch(&path, json!({"views": 7, "sku": "a"})).await.expect(200).json()["stock"], 5, "sent back as it is: no harm");
        let steps: Vec<_> = (0..40).map(|_| { let (person, path) = (person.clone(), path.clone()); tokio::spawn(async move { person.patch(&path, json!({"stock": {"$increment": 1}})).await.expect(200); }) }).collect();
        for step in steps { step.await.expect("a patch"); }
        assert_eq!(person.get(&path).await.json()["stock"], 45, "no increment is lost");
    }

    async fn put_replaces_what_the_caller_may_write(app) using SHOP {
        let person = app.stranger();
        let made = person.post("/api/items", json!({"sku": "a", "title": "t", "stock": 3})).await.expect(201);
        let path = made.header("location").to_owned();
        let put = person.put(&path, json!({"title": "u"})).await.expect(200).json();
        assert_eq!((&put["title"], &put["stock"], &put["sku"], &put["views"]), (&json!("u"), &json!(0), &json!("a"), &json!(7)), "absent: default; immutable and unwritable: as they are");
        let whole = person.get(&path).await.json();
        person.put(&path, whole).await.expect(200);
        person.put(&path, json!({"sku": "b"})).await.expect(422);
        person.put(&path, json!({"views": 9})).await.expect(422);
        person.put("/api/items/01900000-0000-7000-8000-000000000000", json!({"sku": "n"})).await.expect(404);
        let created = person.put("/api/tags/blue", json!({"name": "Blue"})).await.expect(201);
        assert_eq!(created.header("location"), "/api/tags/blue");
        person.put("/api/tags/blue", json!({})).await.expect(200);
        let only = person.send(Method::PUT, "/api/tags/blue", &[("content-type", "application/json"), ("if-none-match", "*")], "{}").await;
        only.expect(412);
        for wrong in ["aggregate", "events", ".hidden", "a%20b", "%00"] {
            let refused = person.put(&format!("/api/tags/{wrong}"), json!({})).await;
            assert!(matches!(refused.status.as_u16(), 404 | 405), "{wrong}: {refused}");
        }
    }

    async fn two_writers_never_silently_overwrite_each_other(app) using SHOP {
        let person = app.stranger();
        let made = person.post("/api/items", json!({"sku": "a"})).await.expect(201);
        let (path, tag) = (made.header("location").to_owned(), made.header("etag").to_owned());
        let patch = |tag: String, body: &'static str| {
            let (person, path) = (person.clone(), path.clone());
            async move { person.send(Method::PATCH, &path, &[("content-type", "application/json"), ("if-match", tag.as_str())], body).await }
        };
        let second = patch(tag.clone(), r#"{"stock":1}"#).await.expect(200).header("etag").to_owned();
        patch(tag.clone(), r#"{"stock":2}"#).await.expect(412);
        // What would be refused without a precondition is refused for that reason (RFC 9110, 13.2.1).
        patch(tag.clone(), r#"{"title":"forbidden"}"#).await.expect(401);
        patch(tag.clone(), r#"{"views":9}"#).await.expect(422);
        let bound = [("content-type", "application/json"), ("if-match", tag.as_str())];
        person.send(Method::PUT, &path, &bound, r#"{"title":"forbidden"}"#).await.expect(401);
        let sold = person.post("/api/items", json!({"sku": "b", "stock": 1})).await.expect(201).header("location").to_owned();
        person.send(Method::DELETE, &sold, &[("if-match", "\"stale\"")], "").await.expect(401);
        patch(format!("\"nonsense\", {second}"), r#"{"stock":2}"#).await.expect(200);
        let tag_now = patch("*".to_owned(), r#"{"stock":3}"#).await.expect(200).header("etag").to_owned();
        let lines = [("content-type", "application/json"), ("if-match", "\"nonsense\""), ("if-match", tag_now.as_str())];
        person.send(Method::PATCH, &path, &lines, r#"{"stock":0}"#).await.expect(200);
        let known = [("if-none-match", "\"nonsense\""), ("if-none-match", tag_now.as_str())];
        person.send(Method::GET, &path, &known, "").await.expect(200);
        person.send(Method::DELETE, &path, &[("if-match", tag.as_str())], "").await.expect(412);
        person.delete(&path).await.expect(204);
        person.delete(&path).await.expect(404);
    }

    async fn deleting_asks_its_rule_and_cascades(app) using SHOP {
        let person = app.stranger();
        for tag in ["red", "blue"] { person.put(&format!("/api/tags/{tag}"), json!({})).await.expect(201); }
        let id = |reply: testkit::Reply| reply.expect(201).json()["id"].as_str().unwrap_or("").to_owned();
        let root = id(person.post("/api/items", json!({"sku": "root", "main": "red", "tags": ["red", "blue"]})).await);
        let child = id(person.post("/api/items", json!({"sku": "child", "parent": root, "stock": 1, "status": "live", "price": "1"})).await);
        let grandchild = id(person.post("/api/items", json!({"sku": "grand", "parent": child})).await);
        person.delete(&format!("/api/items/{child}")).await.expect(401);
        person.delete("/api/tags/red").await.expect(204);
        let released = person.get(&format!("/api/items/{root}")).await.expect(200).json();
        assert_eq!((&released["main"], &released["tags"]), (&json!(null), &json!(["blue"])));
        app.admin().post("/api/parts", json!({"item": child})).await.expect(201);
        let used = person.delete(&format!("/api/items/{root}")).await.expect(409);
        assert_eq!(used.json()["type"], "/problems/in-use");
        person.get(&format!("/api/items/{grandchild}")).await.expect(200);
        app.admin().delete("/api/parts/1").await.expect(204);
        // A ring of parents goes as a whole.
        app.admin().patch(&format!("/api/items/{root}"), json!({"parent": grandchild})).await.expect(200);
        let before = app.changes().await.len();
        person.delete(&format!("/api/items/{root}")).await.expect(204);
        assert_eq!(person.get("/api/items?count=true").await.json()["count"], 0);
        assert_eq!(&app.changes().await[before..], ["items.deleted", "items.deleted", "items.deleted"]);
        assert_eq!(app.admin().post("/api/parts", json!({"item": child})).await.expect(409).json()["type"], "/problems/missing-reference");
    }

    async fn rules_about_other_records_are_asked_before_the_write(app) using SHOP {
        let person = app.stranger();
        let draft = person.post("/api/items", json!({"sku": "d"})).await.expect(201).json()["id"].clone();
        let live = person.post("/api/items", json!({"sku": "l", "status": "live", "price": "1"})).await.expect(201).json()["id"].clone();
        person.post("/api/parts", json!({"item": draft})).await.expect(401);
        assert_eq!(person.post("/api/parts", json!({"item": live})).await.expect(201).json()["id"], 1);
    }

    async fn who_may_not_read_the_result_gets_its_id_alone(app) using SHOP {
        let made = app.stranger().post("/api/items", json!({"sku": "a", "stock": 500})).await.expect(201).json();
        assert_eq!(made.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>()), Some(vec!["id".to_owned()]));
    }

    async fn what_may_not_be_read_can_not_be_written_either(app) using SHOP {
        let id = app.admin().post("/api/items", json!({"sku": "a", "stock": 500})).await.expect(201).json()["id"].as_str().unwrap_or("").to_owned();
        let (person, path) = (app.stranger(), format!("/api/items/{id}"));
        for reply in [person.get(&path).await, person.patch(&path, json!({"stock": 1})).await, person.put(&path, json!({"stock": 1})).await, person.delete(&path).await] {
            let missing = reply.expect(404).json();
            assert_eq!(missing["detail"], person.get("/api/items/01900000-0000-7000-8000-000000000000").await.json()["detail"]);
        }
        assert_eq!(app.admin().get(&path).await.json()["stock"], 500);
        assert_eq!(app.changes().await, ["items.created"]);
    }

    async fn a_write_that_changes_nothing_leaves_no_trace(app) using SHOP {
        let person = app.stranger();
        let made = person.post("/api/items", json!({"sku": "a", "stock": 2})).await.expect(201);
        let again = person.patch(made.header("location"), json!({"stock": 2})).await.expect(200);
        assert_eq!(again.header("etag"), made.header("etag"));
        assert_eq!(app.changes().await, ["items.created"]);
    }

    async fn ids_are_never_given_twice(app) using SHOP {
        let admin = app.admin();
        let live = admin.post("/api/items", json!({"sku": "l", "status": "live", "price": "1"})).await.expect(201).json()["id"].clone();
        for expected in 1..=3 {
            let id = admin.post("/api/parts", json!({"item": live})).await.expect(201).json()["id"].clone();
            assert_eq!(id, expected);
            admin.delete(&format!("/api/parts/{id}")).await.expect(204);
        }
        admin.post("/api/parts", json!({"item": live, "id": 9})).await.expect(422);
        // Nor by a server that finds no record of them.
        let after = app.another_node().await;
        let id = after.admin().post("/api/parts", json!({"item": live})).await.expect(201).json()["id"].as_i64();
        assert!(id > Some(3), "{id:?}");
        after.stop().await;
    }
}
