//! Several writes at once: batches, upserts, writes by filter.

use http::Method;
use serde_json::{Value as Json, json};

use crate::both;

pub(crate) const SHOP: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    (
        "resources/rooms.toml",
        "id = \"string\"\ntimestamps = false\n[fields]\nname = { type = \"string\" }\nopen = { type = \"boolean\", default = true }\n\
         [access]\nread = \"record.open\"\ncreate = \"true\"\nupdate = \"true\"\ndelete = \"true\"\n",
    ),
    (
        "resources/orders.toml",
        "id = \"integer\"\n[fields]\nnumber = { type = \"string\", unique = true, required = true, case = \"insensitive\" }\n\
         note = { type = \"string\", max = 20 }\ntotal = { type = \"integer\", default = 0, min = 0 }\n\
         state = { type = \"enum\", values = [\"new\", \"paid\", \"hidden\"], default = \"new\" }\n\
         rank = { type = \"integer\", default = 1, write = \"false\" }\n\
         token = { type = \"string\", unique = true, read = \"false\" }\n\
         day = { type = \"date\" }\nroom = { type = \"reference\", to = \"rooms\" }\n\
         before = { type = \"reference\", to = \"orders\", on_delete = \"restrict\" }\n\
         [access]\nread = \"record.state != 'hidden'\"\ncreate = \"new.note == null || new.note != 'refused'\"\nupdate = \"record.state != 'paid'\"\ndelete = \"record.state != 'paid'\"\n\
         [validate]\n\"an order with a total has a note\" = \"new.total == 0 || new.note != null\"\n\
         [indexes]\none_a_day = { fields = [\"room\", \"day\"], unique = true }\n",
    ),
    (
        "resources/sheets.toml",
        "id = \"integer\"\n[fields]\nof = { type = \"reference\", to = \"orders\", many = true, on_delete = \"cascade\", max_items = 500 }\n\
         [access]\nread = \"true\"\n",
    ),
    (
        "resources/lines.toml",
        "[fields]\norder = { type = \"reference\", to = \"orders\", required = true, on_delete = \"cascade\" }\nn = { type = \"integer\" }\n\
         also = { type = \"reference\", to = \"orders\", many = true }\n\
         [access]\nread = \"true\"\ncreate = \"new.order.state != 'paid' && request.method == 'POST'\"\nupdate = \"request.method == 'PATCH'\"\ndelete = \"true\"\n",
    ),
];

fn pointers(problem: &Json) -> Vec<String> {
    let mut pointers: Vec<String> = problem["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|flaw| flaw["pointer"].as_str().unwrap_or("?").to_owned())
        .collect();
    pointers.sort();
    pointers
}

both! {
    async fn a_batch_makes_a_tree_of_records_whose_ids_nobody_knew(app) using SHOP {
        let person = app.stranger();
        let reply = person.post("/api/batch", json!({"operations": [
            {"method": "POST", "path": "/api/orders", "body": {"number": "A1"}},
            {"method": "POST", "path": "/api/orders", "body": {"number": "A2", "before": "$0.id"}},
            {"method": "POST", "path": "/api/lines", "body": {"order": "$0.id", "n": 1, "also": ["$1.id", "$0.id"]}},
            {"method": "PATCH", "path": "/api/orders/$1.id", "body": {"note": "$0.id"}},
            {"method": "PATCH", "path": "/api/lines/$2.id", "body": {"also": {"$remove": ["$1.id"]}}},
            {"method": "PUT", "path": "/api/rooms/red%7E1", "body": {"name": "Red"}},
            {"method": "POST", "path": "/api/lines", "body": {"order": "$1.id"}},
            {"method": "DELETE", "path": "/api/lines/$6.id"},
        ]})).await.expect(200);
        let results = reply.json()["results"].clone();
        let statuses: Vec<_> = results.as_array().expect("results").iter().map(|result| result["status"].clone()).collect();
        assert_eq!(statuses, [201, 201, 201, 200, 200, 201, 201, 204], "{reply}");
        let (first, second) = (results[0]["body"]["id"].clone(), results[1]["body"]["id"].clone());
        assert_eq!((&first, &results[1]["body"]["before"]), (&json!(1), &first));
        assert_eq!(results[2]["body"]["also"], json!([second, first]));
        assert_eq!(results[3]["body"]["note"], "$0.id", "only a reference is one");
        assert_eq!(results[4]["body"]["also"], json!([first]));
        assert_eq!(results[7], json!({"status": 204}));
        let read = person.get("/api/orders/2").await.expect(200);
        assert_eq!(results[3]["etag"], read.header("etag"));
        assert_eq!(results[3]["body"], read.json());
        person.get("/api/rooms/red~1").await.expect(200);
        assert_eq!(app.changes().await.len(), 8);
    }

    async fn a_failing_operation_undoes_the_batch_and_is_named(app) using SHOP {
        let person = app.stranger();
        let tag = person.post("/api/orders", json!({"number": "old"})).await.expect(201).header("etag").to_owned();
        app.admin().post("/api/orders", json!({"number": "unseen", "state": "hidden"})).await.expect(201);
        let first = json!({"method": "POST", "path": "/api/orders", "body": {"number": "new"}});
        let cases = [
            (json!({"method": "POST", "path": "/api/orders", "body": {"number": "OLD"}}), 409, "/operations/1/body/number"),
            (json!({"method": "POST", "path": "/api/orders", "body": {"number": "x", "note": "refused"}}), 401, "/operations/1"),
            (json!({"method": "POST", "path": "/api/orders", "body": {"number": "x", "rank": 3}}), 422, "/operations/1/body/rank"),
            (json!({"method": "POST", "path": "/api/orders", "body": {"number": "x", "total": 3}}), 422, "/operations/1/body"),
            (json!({"method": "POST", "path": "/api/orders", "body": {"note": 3, "number": "y"}}), 422, "/operations/1/body/note"),
            (json!({"method": "POST", "path": "/api/orders", "body": {"number": "x", "before": 77}}), 409, "/operations/1/body/before"),
            (json!({"method": "PATCH", "path": "/api/orders/2", "body": {"note": "seen"}}), 404, "/operations/1"),
            (json!({"method": "DELETE", "path": "/api/orders/2"}), 404, "/operations/1"),
            (json!({"method": "PATCH", "path": "/api/orders/x", "body": {}}), 404, "/operations/1"),
            (json!({"method": "PATCH", "path": "/api/orders/1", "if_match": "\"999-nonsense\", \"no\"", "body": {"note": "n"}}), 412, "/operations/1"),
            (json!({"method": "POST", "path": "/api/order", "body": {}}), 404, "/operations/1/path"),
            (json!({"method": "POST", "path": "/api/batch", "body": {"operations": []}}), 422, "/operations/1/path"),
            (json!({"method": "POST", "path": "/orders", "body": {}}), 422, "/operations/1/path"),
            (json!({"method": "POST", "path": "/api/orders/1", "body": {}}), 405, "/operations/1/path"),
            (json!({"method": "DELETE", "path": "/api/orders"}), 405, "/operations/1/path"),
            (json!({"method": "DELETE", "path": "/api/orders?filter=true"}), 405, "/operations/1/path"),
            (json!({"method": "POST", "path": "/api/orders?fields=id", "body": {"number": "x"}}), 400, "/operations/1/path"),
            (json!({"method": "POST", "path": "/api/lines", "body": {"order": "$1.id"}}), 422, "/operations/1/body/order"),
            (json!({"method": "POST", "path": "/api/lines", "body": {"order": "$9.id"}}), 422, "/operations/1/body/order"),
            (json!({"method": "POST", "path": "/api/lines", "body": {"order": "$00.id"}}), 422, "/operations/1/body/order"),
            (json!({"method": "POST", "path": "/api/lines", "body": {"order": "$0.number"}}), 422, "/operations/1/body/order"),
            (json!({"method": "POST", "path": "/api/lines", "body": {"order": 1, "also": [1, "$0.id", "$0.id"]}}), 422, "/operations/1/body/also/2"),
            (json!({"method": "POST", "path": "/api/orders", "body": {"number": "x", "room": "$0.id"}}), 422, "/operations/1/body/room"),
            (json!({"method": "PATCH", "path": "/api/rooms/$0.id", "body": {}}), 422, "/operations/1/path"),
            (json!({"method": "POST", "path": "/api/orders", "body": [{"number": "x"}]}), 422, "/operations/1/body"),
            (json!({"method": "POST", "path": "/api/orders"}), 422, "/operations/1/body"),
            (json!({"method": "DELETE", "path": "/api/orders/1", "body": {}}), 422, "/operations/1/body"),
            (json!({"method": "GET", "path": "/api/orders/1"}), 422, "/operations/1/method"),
            (json!({"method": "POST", "path": "/api/orders", "body": {"number": "x"}, "if_match": "*"}), 422, "/operations/1/if_match"),
            (json!({"method": "POST", "path": "/api/orders", "body": {"number": "x"}, "if_mach": "*"}), 422, "/operations/1/if_mach"),
            (json!(7), 422, "/operations/1"),
        ];
        for (operation, status, pointer) in cases {
            let reply = person.post("/api/batch", json!({"operations": [first.clone(), operation.clone()]})).await.expect(status);
            assert_eq!(pointers(&reply.json()), [pointer], "{operation}: {reply}");
            assert!(status != 405 || !reply.header("allow").is_empty(), "{operation}: {reply}");
        }
        let matching = json!({"operations": [first, {"method": "PATCH", "path": "/api/orders/1", "if_match": tag, "body": {"note": "n"}}]});
        assert_eq!(app.changes().await.len(), 2, "nothing of all that was stored");
        person.post("/api/batch", matching.clone()).await.expect(200);
        person.post("/api/batch", matching).await.expect(409);
    }

    async fn a_batch_is_held_against_its_form(app) using SHOP {
        let person = app.stranger();
        for (body, pointer) in [
            (json!([]), ""), (json!({}), "/operations"), (json!({"operations": {}}), "/operations"),
            (json!({"operations": [], "operation": 1}), "/operation"),
            (json!({"operations": vec![json!({"method": "DELETE", "path": "/api/lines/1"}); 101]}), "/operations"),
        ] {
            let reply = person.post("/api/batch", body).await.expect(422);
            assert_eq!(pointers(&reply.json()), [pointer], "{reply}");
        }
        let reply = person.post("/api/batch", json!({"operations": [], "operatons": 1})).await.expect(422);
        assert!(reply.json()["detail"].as_str().is_some_and(|detail| detail.contains("did you mean `operations`")), "{reply}");
        assert_eq!(person.post("/api/batch", json!({"operations": []})).await.expect(200).text, r#"{"results":[]}"#);
        let flaws = person.post("/api/batch", json!({"operations": [
            {"method": "POST", "path": "/api/orders", "body": {"note": 1}}, {"method": "POST", "path": "/api/lines", "body": {"order": "$0.id", "n": "x"}},
        ]})).await.expect(422);
        assert_eq!(pointers(&flaws.json()), ["/operations/0/body/note", "/operations/0/body/number", "/operations/1/body/n"], "all at once");
        for (method, path, allowed) in [("POST", "/api/orders/1", "PUT, PATCH, DELETE"), ("PATCH", "/api/orders", "POST")] {
            let operations = json!({"operations": [{"method": method, "path": path, "body": {}}]});
            assert_eq!(person.post("/api/batch", operations).await.expect(405).header("allow"), allowed, "{method} {path}");
        }
        assert_eq!(person.get("/api/batch").await.expect(405).header("allow"), "POST, OPTIONS");
        person.post("/api/batch?x=1", json!({"operations": []})).await.expect(400);
    }

    async fn operations_of_a_batch_meet_the_rules_of_their_own_methods(app) using SHOP {
        let person = app.stranger();
        let order = person.post("/api/orders", json!({"number": "A"})).await.expect(201).json()["id"].clone();
        let made = person.post("/api/batch", json!({"operations": [
            {"method": "POST", "path": "/api/lines", "body": {"order": order}},
            {"method": "PATCH", "path": "/api/lines/$0.id", "body": {"n": 1}},
        ]})).await.expect(200);
        let line = made.json()["results"][0]["body"]["id"].as_str().unwrap_or("").to_owned();
        let put = json!({"method": "PUT", "path": format!("/api/lines/{line}"), "body": {"order": order, "n": 2}});
        person.post("/api/batch", json!({"operations": [put]})).await.expect(401);
        assert_eq!(person.get(&format!("/api/lines/{line}")).await.json()["n"], 1);
    }

    async fn an_id_of_a_batch_opens_nothing_that_is_closed(app) using SHOP {
        let person = app.stranger();
        let reply = person.post("/api/batch", json!({"operations": [
            {"method": "POST", "path": "/api/orders", "body": {"number": "mine", "state": "hidden"}},
            {"method": "PATCH", "path": "/api/orders/$0.id", "body": {"note": "reached"}},
        ]})).await.expect(404);
        assert_eq!(pointers(&reply.json()), ["/operations/1"]);
        let hidden = person.post("/api/batch", json!({"operations": [{"method": "POST", "path": "/api/orders", "body": {"number": "mine", "state": "hidden"}}]})).await.expect(200);
        assert_eq!(hidden.json()["results"][0]["body"], json!({"id": hidden.json()["results"][0]["body"]["id"]}));
        let paid = json!({"operations": [
            {"method": "POST", "path": "/api/orders", "body": {"number": "paid", "state": "paid"}},
            {"method": "POST", "path": "/api/lines", "body": {"order": "$0.id"}},
        ]});
        assert_eq!(pointers(&person.post("/api/batch", paid).await.expect(401).json()), ["/operations/1"], "the rule sees what is bound");
    }

    async fn an_upsert_changes_what_is_there_and_creates_what_is_not(app) using SHOP {
        let person = app.stranger();
        let made = person.post("/api/orders?upsert=number", json!({"number": "a", "note": "one"})).await.expect(201);
        assert_eq!(made.header("location"), "/api/orders/1");
        let changed = person.post("/api/orders?upsert=number", json!({"number": "A", "total": 5})).await.expect(200);
        assert_eq!((&changed.json()["id"], &changed.json()["note"], &changed.json()["total"], &changed.json()["number"]), (&json!(1), &json!("one"), &json!(5), &json!("a")), "what is left out stays");
        assert_eq!((changed.header("location"), changed.header("etag").is_empty()), ("", false));
        person.post("/api/orders?upsert=number", json!({"note": "x"})).await.expect(422);
        person.post("/api/orders?upsert=number", json!({"number": "a", "rank": 9})).await.expect(422);
        person.post("/api/orders?upsert=number", json!({"number": "a", "rank": 1})).await.expect(200);
        person.post("/api/orders?upsert=number", json!({"number": "a", "note": null})).await.expect(422);
        person.post("/api/orders?upsert=number", json!({"number": "b", "note": "refused"})).await.expect(401);
        person.put("/api/rooms/r", json!({"name": "R"})).await.expect(201);
        let by_day = "/api/orders?upsert=day,room";
        person.post(by_day, json!({"number": "b", "room": "r", "day": "2026-01-01"})).await.expect(201);
        person.post(by_day, json!({"room": "r", "day": "2026-01-02"})).await.expect(422);
        assert_eq!(person.post(by_day, json!({"room": "r", "day": "2026-01-01", "state": "paid"})).await.expect(200).json()["number"], "b");
        person.post(by_day, json!({"room": "r", "day": "2026-01-01", "note": "too late"})).await.expect(401);
        person.post(by_day, json!({"number": "c", "room": null, "day": "2026-01-01"})).await.expect(422);
        let several = person.post("/api/orders?upsert=number", json!([{"number": "a", "note": "two"}, {"number": "c"}, {"number": "C", "note": "three"}])).await.expect(201);
        assert_eq!(several.json().as_array().expect("an array").iter().map(|one| one["id"].clone()).collect::<Vec<_>>(), [1, several.json()[1]["id"].as_i64().unwrap_or(0), several.json()[1]["id"].as_i64().unwrap_or(0)]);
        person.post("/api/orders?upsert=number", json!([{"number": "a"}, {"number": "c"}])).await.expect(200);
        assert_eq!(pointers(&person.post("/api/orders?upsert=number", json!([{"number": "d"}, {"number": "b", "note": "x"}])).await.expect(401).json()), ["/1"]);
        assert_eq!(person.get("/api/orders?count=true").await.json()["count"], 3);
        person.post("/api/rooms?upsert=id", json!({"id": "r", "name": "S"})).await.expect(200);
        person.post("/api/rooms?upsert=id", json!({"name": "S"})).await.expect(422);
    }

    async fn an_upsert_names_what_is_unique_and_readable(app) using SHOP {
        let person = app.stranger();
        for (upsert, words) in [("nummber", "did you mean `number`"), ("note", "unique here: `number`, `room,day`"), ("room", "is not unique"), ("token", "has no field `token`"), ("id", "is not unique"), ("", "upsert"), ("number,", "upsert")] {
            let refused = person.post(&format!("/api/orders?upsert={upsert}"), json!({"number": "a"})).await.expect(400);
            assert!(refused.json()["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{upsert}: {refused}");
        }
        person.post("/api/orders?upsrt=number", json!({"number": "a"})).await.expect(400);
        assert!(app.changes().await.is_empty());
    }

    async fn an_upsert_tells_of_a_hidden_record_no_more_than_that_the_value_is_taken(app) using SHOP {
        app.admin().post("/api/orders", json!({"number": "h", "state": "hidden", "note": "secret", "token": "t"})).await.expect(201);
        let person = app.stranger();
        let taken = person.post("/api/orders?upsert=number", json!({"number": "h", "note": "mine"})).await.expect(409);
        assert_eq!(taken.json()["detail"], person.post("/api/orders", json!({"number": "h"})).await.expect(409).json()["detail"]);
        assert!(!taken.text.contains("secret"), "{taken}");
        person.post("/api/orders?upsert=number", json!({"number": "h", "note": "refused"})).await.expect(401);
        let token = person.post("/api/orders", json!({"number": "i", "token": "t"})).await.expect(409);
        assert!(!token.json()["detail"].as_str().unwrap_or("").contains("token") && token.json().get("errors").is_none(), "a field that can't be read is not named: {token}");
        assert_eq!(app.admin().get("/api/orders/1").await.json()["note"], "secret");
    }

    async fn upserts_at_once_make_one_record(app) using SHOP {
        let person = app.stranger();
        for round in 0..5 {
            let tasks: Vec<_> = (0..12).map(|n| { let person = person.clone(); tokio::spawn(async move {
                person.post("/api/orders?upsert=number", json!({"number": format!("r{round}"), "note": format!("{n}")})).await
            }) }).collect();
            let mut created = 0;
            for task in tasks {
                let reply = task.await.expect("an upsert");
                assert!(matches!(reply.status.as_u16(), 200 | 201), "{reply}");
                created += usize::from(reply.status == 201);
            }
            assert_eq!(created, 1);
        }
        assert_eq!(person.get("/api/orders?count=true").await.json()["count"], 5);
    }

    async fn a_write_by_filter_changes_all_that_match_or_none(app) using SHOP {
        let person = app.stranger();
        let orders: Vec<_> = (0..10).map(|n| json!({"number": format!("n{n}"), "total": n, "note": "x"})).collect();
        person.post("/api/orders", json!(orders)).await.expect(201);
        app.admin().post("/api/orders", json!({"number": "hid", "total": 5, "note": "x", "state": "hidden"})).await.expect(201);
        let changed = person.patch("/api/orders?total[gte]=5&filter=total%3C8", json!({"note": "five", "total": {"$increment": 100}})).await.expect(200);
        assert_eq!(changed.text, r#"{"count":3}"#);
        assert_eq!(app.admin().ask("/api/orders", &[("note", "five"), ("sort", "number")]).await.column("total"), [105, 106, 107]);
        assert_eq!(app.admin().get("/api/orders/11").await.json()["note"], "x", "what can't be read does not match");
        let before = app.changes().await.len();
        person.patch("/api/orders?number=n0", json!({"state": "paid"})).await.expect(200);
        let refused = person.patch("/api/orders?filter=true", json!({"note": "all"})).await.expect(401);
        assert!(refused.json()["detail"].as_str().is_some_and(|detail| detail.contains("record 1")), "{refused}");
        person.patch("/api/orders?filter=true", json!({"rank": 2})).await.expect(422);
        person.delete("/api/orders?filter=true").await.expect(401);
        person.patch("/api/orders?number=n1", json!({"note": null})).await.expect(422);
        assert_eq!(person.patch("/api/orders?number=nobody", json!({"note": "n"})).await.expect(200).text, r#"{"count":0}"#);
        assert_eq!(app.changes().await.len(), before + 1);
        assert_eq!(person.delete("/api/orders?total[gte]=105").await.expect(200).text, r#"{"count":3}"#);
        assert_eq!(person.get("/api/orders?count=true").await.json()["count"], 7);
        let minimal = person.send(Method::DELETE, "/api/orders?number=n9", &[("prefer", "return=minimal")], "").await.expect(204);
        assert_eq!(minimal.header("preference-applied"), "return=minimal");
    }

    async fn a_write_by_filter_says_what_it_means(app) using SHOP {
        let person = app.stranger();
        person.post("/api/orders", json!({"number": "a"})).await.expect(201);
        for path in ["/api/orders", "/api/orders?", "/api/orders?filter="] {
            assert_eq!(person.delete(path).await.expect(405).header("allow"), "GET, HEAD, POST, OPTIONS");
            person.patch(path, json!({"note": "x"})).await.expect(405);
        }
        person.delete("/api/nothing").await.expect(404);
        person.delete("/api/nothing?filter=true").await.expect(404);
        for query in ["filter=true&limit=1", "filter=true&sort=id", "filter=true&offset=1", "filter=true&cursor=x", "filter=true&fields=id", "filter=true&count=true", "token=t", "filter=token=='t'", "nummber=a", "filter=("] {
            person.delete(&format!("/api/orders?{query}")).await.expect(400);
            person.patch(&format!("/api/orders?{query}"), json!({"note": "x"})).await.expect(400);
        }
        person.send(Method::DELETE, "/api/orders?filter=true", &[("if-match", "*")], "").await.expect(400);
        assert_eq!(app.changes().await, ["orders.created"]);
    }

    async fn a_write_by_filter_stops_at_a_thousand(app) using SHOP {
        let admin = app.admin();
        let rooms: Vec<_> = (0..1000).map(|n| json!({"id": format!("r{n}"), "name": "x"})).collect();
        admin.post("/api/rooms", json!(rooms)).await.expect(201);
        admin.post("/api/rooms", json!({"id": "one-more", "name": "x"})).await.expect(201);
        let many = admin.patch("/api/rooms?name=x", json!({"name": "y"})).await.expect(422);
        assert!(many.json()["detail"].as_str().is_some_and(|detail| detail.contains("1000")), "{many}");
        admin.delete("/api/rooms?name=x").await.expect(422);
        assert_eq!(app.changes().await.len(), 1001);
        assert_eq!(admin.patch("/api/rooms?name=x&id[ne]=one-more", json!({"name": "y"})).await.expect(200).text, r#"{"count":1000}"#);
        admin.post("/api/rooms", json!(vec![json!({}); 1001])).await.expect(422);
    }

    async fn a_write_by_filter_of_several_pages_is_one_write(app) using SHOP {
        let admin = app.admin();
        let orders: Vec<_> = (0..700).map(|n| json!({"number": format!("n{n}"), "note": "x", "total": n})).collect();
        admin.post("/api/orders", json!(orders)).await.expect(201);
        let before = app.changes().await.len();
        // The first is written, and the second finds its value taken.
        let taken = admin.patch("/api/orders?note=x", json!({"token": "one for all"})).await.expect(409);
        assert!(taken.json()["detail"].as_str().is_some_and(|detail| detail.contains("of the record 2)")), "{taken}");
        // What is told is what is wrong with the first record, though a rule stops a later one on the same page.
        admin.patch("/api/orders/3", json!({"note": null, "total": 0})).await.expect(200);
        let taken = admin.patch("/api/orders?id[lte]=3", json!({"token": "one for all", "total": {"$increment": 1}})).await.expect(409);
        assert!(taken.json()["detail"].as_str().is_some_and(|detail| detail.contains("of the record 2)")), "{taken}");
        let flawed = admin.patch("/api/orders?id[lte]=600", json!({"total": {"$increment": 1}})).await.expect(422);
        assert!(flawed.json()["detail"].as_str().is_some_and(|detail| detail.contains("of the record 3)")), "{flawed}");
        assert_eq!(app.changes().await.len(), before + 1, "nothing of what failed has stayed");
        // What has the value already counts, and is not written.
        assert_eq!(admin.patch("/api/orders?filter=true", json!({"note": "y"})).await.expect(200).text, r#"{"count":700}"#);
        assert_eq!(admin.patch("/api/orders?id[lte]=650", json!({"note": "z"})).await.expect(200).text, r#"{"count":650}"#);
        assert_eq!(admin.patch("/api/orders?filter=true", json!({"note": "z"})).await.expect(200).text, r#"{"count":700}"#);
        assert_eq!(app.changes().await.len(), before + 1 + 700 + 650 + 50);
        assert_eq!(admin.get("/api/orders?note=z&count=true&limit=1").await.json()["count"], 700);
        let tag = admin.get("/api/orders/700").await.header("etag").to_owned();
        admin.send(Method::PATCH, "/api/orders/700", &[("if-match", &tag), ("content-type", "application/json")], r#"{"note": "last"}"#).await.expect(200);
    }

    async fn a_write_by_filter_changes_lists_and_takes_along_what_depends(app) using SHOP {
        let admin = app.admin();
        let orders: Vec<_> = (0..600).map(|n| json!({"number": format!("n{n}")})).collect();
        admin.post("/api/orders", json!(orders)).await.expect(201);
        admin.patch("/api/orders/5", json!({"before": 590})).await.expect(200);
        admin.patch("/api/orders/6", json!({"before": 6})).await.expect(200);
        let lines: Vec<_> = (1..=4).map(|n| json!({"order": 100 + n, "n": n, "also": [n, 200]})).collect();
        admin.post("/api/lines", json!(lines)).await.expect(201);
        admin.patch("/api/lines?n[gt]=1", json!({"also": {"$append": [300, 10]}})).await.expect(200);
        admin.patch("/api/lines?n[gt]=2", json!({"also": {"$remove": [200]}})).await.expect(200);
        let also = admin.ask("/api/lines", &[("sort", "n")]).await.column("also");
        assert_eq!(json!(also), json!([[1, 200], [2, 200, 300, 10], [3, 300, 10], [4, 300, 10]]));
        // The fifth, which stays, holds one of these.
        let held = admin.delete("/api/orders?id[gt]=500").await.expect(409);
        assert!(held.json()["detail"].as_str().is_some_and(|detail| detail.contains("of the record 590)")), "{held}");
        assert_eq!(admin.get("/api/orders?count=true&limit=1").await.json()["count"], 600);
        admin.patch("/api/lines?n=2", json!({"also": []})).await.expect(200);
        let before = app.changes().await.len();
        assert_eq!(admin.delete("/api/orders?id[ne]=102").await.expect(200).text, r#"{"count":599}"#);
        let also = admin.ask("/api/lines", &[("sort", "n")]).await;
        assert_eq!((json!(also.column("n")), json!(also.column("also"))), (json!([2]), json!([[]])));
        let changes = app.changes().await.split_off(before);
        let count = |what: &str| changes.iter().filter(|change| *change == what).count();
        assert_eq!((count("orders.deleted"), count("lines.deleted")), (599, 3));
    }

    async fn a_list_loses_all_that_are_deleted_together_in_one_change(app) using SHOP {
        let admin = app.admin();
        let orders: Vec<_> = (0..401).map(|n| json!({"number": format!("n{n}")})).collect();
        admin.post("/api/orders", json!(orders)).await.expect(201);
        let all: Vec<_> = (1..=400).rev().collect();
        admin.post("/api/sheets", json!([{"of": all}, {"of": [401, 7]}, {"of": [401]}])).await.expect(201);
        let before = app.changes().await.len();
        assert_eq!(admin.delete("/api/orders?id[lt]=400").await.expect(200).text, r#"{"count":399}"#);
        assert_eq!(json!(admin.get("/api/sheets").await.column("of")), json!([[400], [401], [401]]));
        let changes = app.changes().await.split_off(before);
        let count = |what: &str| changes.iter().filter(|change| *change == what).count();
        assert_eq!((count("orders.deleted"), count("sheets.updated"), changes.len()), (399, 2, 401));
    }

    async fn records_that_hold_each_other_go_together(app) using SHOP {
        let admin = app.admin();
        let made = admin.post("/api/batch", json!({"operations": [
            {"method": "POST", "path": "/api/orders", "body": {"number": "a"}},
            {"method": "POST", "path": "/api/orders", "body": {"number": "b", "before": "$0.id"}},
            {"method": "POST", "path": "/api/orders", "body": {"number": "c", "before": "$1.id"}},
            {"method": "PATCH", "path": "/api/orders/$1.id", "body": {"before": "$2.id"}},
            {"method": "PATCH", "path": "/api/orders/$2.id", "body": {"before": "$0.id"}},
            {"method": "POST", "path": "/api/lines", "body": {"order": "$0.id"}},
        ]})).await.expect(200);
        assert_eq!(made.json()["results"].as_array().map(Vec::len), Some(6));
        admin.delete("/api/orders?number=a").await.expect(409);
        assert_eq!(admin.delete("/api/orders?filter=true").await.expect(200).text, r#"{"count":3}"#);
        assert_eq!(admin.get("/api/lines?count=true").await.json()["count"], 0);
    }
}
