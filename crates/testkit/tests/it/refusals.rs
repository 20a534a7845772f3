//! Bad input: a 4xx problem that says where, nothing stored, nothing leaked.

use bytes::Bytes;
use http::Method;
use serde_json::{Value as Json, json};

use crate::both;

const APP: &[(&str, &str)] = &[
    ("mainstay.toml", "[server]\nmax_body = \"64KB\"\n"),
    (
        "resources/things.toml",
        "id = \"integer\"\n[fields]\nname = { type = \"string\", unique = true }\nbody = { type = \"text\" }\n\
         n = { type = \"integer\" }\nx = { type = \"float\" }\nd = { type = \"decimal\" }\nat = { type = \"datetime\" }\n\
         day = { type = \"date\" }\nkey = { type = \"uuid\" }\nmail = { type = \"email\" }\nlink = { type = \"url\" }\n\
         flag = { type = \"boolean\" }\nmeta = { type = \"json\" }\nlist = { type = \"integer\", list = true }\n\
         [access]\nread = \"true\"\ncreate = \"true\"\nupdate = \"true\"\ndelete = \"true\"\n",
    ),
];

/// Fields that everybody may write and few may read, with bounds.
const BLIND: &[(&str, &str)] = &[(
    "resources/things.toml",
    "id = \"integer\"\n[fields]\nopen = { type = \"boolean\", default = false }\n\
     n = { type = \"integer\", max = 100, read = \"record.open\" }\n\
     l = { type = \"string\", list = true, max_items = 3, read = \"'staff' in auth.roles\" }\n\
     j = { type = \"json\", read = \"record.open\" }\n\
     [access]\nread = \"true\"\nupdate = \"true\"\n",
)];

/// Strings that have hurt databases, shells, pages and parsers.
const NASTY: &[&str] = &[
    "'; DROP TABLE things; --",
    "\" OR \"1\"=\"1",
    "1); DELETE FROM things; --",
    "$1 $2 ?1 ?2 :name @p",
    "%_\\%",
    "<script>alert(1)</script>",
    "{{7*7}} ${7*7} #{7*7}",
    "../../../../etc/passwd",
    "\u{202e}\u{feff}\u{200b}",
    "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
    "\t tab",
    "a\u{301}",
    "\u{10ffff}\u{e000}",
    "\\u0000",
    "E'\\x41'",
];

both! {
    async fn malformed_json_is_told_with_its_place(app) using APP {
        let person = app.stranger();
        let bodies: Vec<(&str, Bytes)> = vec![
            ("", Bytes::new()), ("cut", "{\"name\":".into()), ("twice", "{\"n\":1,\"n\":2}".into()), ("after", "{} {}".into()),
            ("comment", "{/**/}".into()), ("single", "{'n':1}".into()), ("nan", "{\"x\":NaN}".into()), ("big", "{\"x\":1e999}".into()),
            ("latin", Bytes::from_static(b"{\"name\":\"\xe9\"}")), ("surrogate", "{\"name\":\"\\ud800\"}".into()), ("bom", "\u{feff}{}".into()),
            ("deep", format!("{}{}", "[".repeat(5000), "]".repeat(5000)).into()),
            ("deep object", format!("{{\"meta\":{}1{}}}", "{\"a\":".repeat(200), "}".repeat(200)).into()),
        ];
        for (what, body) in bodies {
            let refused = person.send(Method::POST, "/api/things", &[("content-type", "application/json")], body).await.expect(400);
            assert_eq!(refused.json()["type"], "/problems/malformed-json", "{what}: {refused}");
            assert!(what.is_empty() || refused.json()["detail"].as_str().is_some_and(|detail| detail.starts_with("line 1, column")), "{what}: {refused}");
        }
        assert!(app.changes().await.is_empty());
    }

    async fn values_of_wrong_types_and_sizes_are_flaws_of_their_fields(app) using APP {
        let person = app.stranger();
        let wrong: Vec<(&str, Json)> = vec![
            ("name", json!(1)), ("name", json!("a\u{0}b")), ("name", json!("x".repeat(501))), ("name", json!(["a"])), ("name", json!("two\nlines")),
            ("n", json!(1.5)), ("n", json!(1e30)), ("n", json!(9_223_372_036_854_775_808_u64)), ("n", json!(true)), ("n", json!("1")),
            ("x", json!("1.5")), ("d", json!(1.5)), ("d", json!("1,5")), ("d", json!("1e5")), ("d", json!("1.234")), ("d", json!("12345678901234567890")),
            ("at", json!("2020-01-01")), ("at", json!("2020-13-01T00:00:00Z")), ("at", json!("2020-01-01T00:00:00")), ("at", json!(0)),
            ("day", json!("2021-02-29")), ("day", json!("2021-2-1")), ("key", json!("not-a-uuid")), ("key", json!("{01900000-0000-7000-8000-000000000000}")),
            ("mail", json!("a@")), ("link", json!("javascript:alert(1)")), ("flag", json!(1)), ("flag", json!("true")),
            ("list", json!([1, "2"])), ("list", json!(1)), ("list", json!([null])), ("meta", json!({"a\u{0}": 1})), ("meta", json!(["\u{0}"])),
        ];
        for (field, value) in wrong {
            let refused = person.post("/api/things", json!({ field: value.clone() })).await;
            assert_eq!(refused.status, 422, "{field} {value}: {refused}");
            let pointer = refused.json()["errors"][0]["pointer"].as_str().unwrap_or("").to_owned();
            assert!(pointer.starts_with(&format!("/{field}")), "{field} {value}: {refused}");
        }
        let huge = person.post("/api/things", json!({"n": 1, "body": "y".repeat(70_000)})).await.expect(413);
        assert_eq!(huge.json()["type"], "/problems/payload-too-large");
        assert_eq!(person.get("/api/things?count=true").await.json()["count"], 0);
    }

    async fn whatever_a_string_says_it_is_only_a_string(app) using APP {
        let person = app.stranger();
        for (number, nasty) in NASTY.iter().enumerate() {
            let made = person.post("/api/things", json!({"name": nasty, "body": nasty, "meta": {"k": nasty, *nasty: 1}})).await.expect(201);
            assert_eq!(made.json()["name"], *nasty);
            let read = person.get(made.header("location")).await.expect(200);
            assert_eq!(read.json()["meta"]["k"], *nasty);
            for (name, value) in [("name", (*nasty).to_owned()), ("filter", format!("name == {}", Json::from(*nasty))), ("filter", format!("body.contains({})", Json::from(*nasty))), ("name[contains]", (*nasty).to_owned())] {
                let found = person.ask("/api/things", &[(name, &value), ("count", "true")]).await.expect(200);
                assert_eq!(found.json()["count"], 1, "{number} {name}={value}: {found}");
            }
            let hostile = [("sort", *nasty), ("fields", nasty), ("filter", nasty), ("cursor", nasty), ("limit", nasty), (*nasty, "1"), ("n", nasty), ("at[gt]", nasty), ("key", nasty)];
            for (name, value) in hostile {
                let refused = person.ask("/api/things", &[(name, value)]).await;
                assert_eq!(refused.status, 400, "{name}={value}: {refused}");
            }
            let encoded = percent_encoding::utf8_percent_encode(nasty, percent_encoding::NON_ALPHANUMERIC).to_string();
            person.get(&format!("/api/things/{encoded}")).await.expect(404);
            person.get(&format!("/api/{encoded}")).await.expect(404);
        }
        assert_eq!(person.get("/api/things?count=true").await.json()["count"], NASTY.len());
    }

    async fn json_is_read_sixty_four_levels_deep(app) using APP {
        let nested = |depth: usize| format!("{{\"meta\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        let post = async |body: String| app.stranger().send(Method::POST, "/api/things", &[("content-type", "application/json")], body).await;
        post(nested(30)).await.expect(201);
        // The body is read, and the field refuses it.
        post(nested(62)).await.expect(422);
        for depth in [64, 65, 100, 20_000] {
            assert!(post(nested(depth)).await.expect(400).text.contains("deeper"), "{depth}");
        }
    }

    async fn absurd_filters_cost_little_and_say_where(app) using APP {
        let person = app.stranger();
        person.post("/api/things", json!({"name": "a", "n": 1})).await.expect(201);
        let absurd = [
            "(".repeat(3000), "!".repeat(3000), "-".repeat(3000) + "n == 1", "n == 1 && ".repeat(500) + "true", "[".repeat(1000), "n".repeat(4097),
            "n == 1 ||".to_owned(), "n = 1".to_owned(), "n == 'x'".to_owned(), "nope == 1".to_owned(), "name.nope()".to_owned(), "name.matches('(a+)+$') && name.matches('(')".to_owned(),
            "1/0".to_owned(), "\"unterminated".to_owned(), "name == '\\u0000'".to_owned(), "auth.id == null".to_owned(), "record.n == 1".to_owned(), "things.exists(t, true)".to_owned(),
            "n in [1, 'a']".to_owned(), "{}".to_owned(), "size(n) > 1".to_owned(), "at > '2020'".to_owned(), "n + name == 2".to_owned(), "d / d > 1".to_owned(),
        ];
        for filter in absurd {
            let refused = person.ask("/api/things", &[("filter", &filter)]).await;
            assert_eq!(refused.status, 400, "{}: {refused}", &filter[..filter.len().min(60)]);
            assert!(refused.json()["errors"][0]["detail"].as_str().is_some_and(|detail| detail.starts_with("at character")), "{refused}");
        }
        for fine in ["n / 0 == 1", "n * 9223372036854775807 > 1", "-n < 0", "n % 2 == 1", "timestamp('2020-01-01T00:00:00Z') > at || n == 1", "list.exists(i, i > 1) || true", "name.matches('^a+$')"] {
            person.ask("/api/things", &[("filter", fine)]).await.expect(200);
        }
    }

    async fn paths_methods_and_types_that_are_none_here(app) using APP {
        let person = app.stranger();
        for path in ["/", "/api", "/api/", "/api//1", "/api/nope", "/api/nope/1", "/api/things/", "/api/things/x", "/api/things/0", "/api/things/-1", "/api/things/01", "/api/things/1e3", "/api/things/99999999999999999999", "/api/things/1/2", "/api/_events", "/api/_keys/1", "/..%2f", "/nope", "/problems/nope"] {
            person.get(path).await.expect(404);
        }
        let wrong = person.send(Method::DELETE, "/api/things", &[], "").await.expect(405);
        assert!(wrong.header("allow").contains("POST"));
        let wrong = person.send(Method::POST, "/api/things/1", &[("content-type", "application/json")], "{}").await.expect(405);
        assert!(wrong.header("allow").contains("PATCH"));
        person.send(Method::POST, "/livez", &[], "").await.expect(405);
        person.send(Method::from_bytes(b"BREW").expect("a method"), "/api/things", &[], "").await.expect(405);
        let typed = person.send(Method::POST, "/api/things", &[("content-type", "text/plain")], "{}").await.expect(415);
        assert_eq!(typed.header("accept"), "application/json");
        let typed = person.send(Method::PATCH, "/api/things/1", &[("content-type", "application/xml")], "{}").await.expect(415);
        assert!(typed.header("accept-patch").contains("application/merge-patch+json"));
        person.send(Method::GET, "/api/things", &[("accept", "image/png")], "").await.expect(406);
        person.send(Method::GET, "/api/things", &[("accept", "application/json;q=0")], "").await.expect(406);
        person.send(Method::GET, "/api/things", &[("accept", "text/html, application/*;q=0.1")], "").await.expect(200);
        person.get(&format!("/api/things?filter={}", "x".repeat(40_000))).await.expect(414);
        let heavy = "h".repeat(40_000);
        person.send(Method::GET, "/api/things", &[("x-heavy", &heavy)], "").await.expect(431);
        let names: Vec<String> = (0..120).map(|number| format!("x-{number}")).collect();
        let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "a")).collect();
        person.send(Method::GET, "/api/things", &many, "").await.expect(431);
        let filled: Json = (0..300).map(|number| json!({"n": number, "name": null, format!("x{number}"): 1})).collect();
        let refused = person.post("/api/things", filled).await.expect(422).json();
        assert_eq!(refused["errors"].as_array().map(Vec::len), Some(100), "{}", refused["detail"]);
        assert_eq!(refused["detail"], "300 fields are invalid, of which these are the first 100");
        for header in ["if-match", "if-none-match"] {
            let headers = [("content-type", "application/json"), (header, "*")];
            person.send(Method::POST, "/api/things?upsert=name", &headers, "{\"name\":\"a\"}").await.expect(400);
        }
        person.get("/api/things?%ff=1").await.expect(400);
        person.get("/api/things?name=%00").await.expect(400);
        person.get("/api/things/1?expand=name").await.expect(400);
    }

    async fn wrong_keys_are_refused_and_never_taken_for_strangers(app) using APP {
        let stranger = app.stranger();
        for key in ["", "x", "msk_", "msk_a_b", "msk_%27_b", "eyJhbGciOiJub25lIn0.e30."] {
            let refused = stranger.with_key(key).get("/api/things").await.expect(401);
            assert!(refused.header("www-authenticate").starts_with("Bearer"));
        }
        let basic = stranger.send(Method::GET, "/api/things", &[("authorization", "Basic YTpi")], "").await;
        basic.expect(401);
    }

    async fn what_may_not_be_read_is_not_found_out_by_changing_it(app) using BLIND {
        let person = app.stranger();
        let held = json!({"n": 70, "l": ["a", "b"], "j": {"a": 1}});
        app.admin().post("/api/things", held.clone()).await.expect(201);
        for (field, edit) in [
            ("n", json!({"$increment": 30})), ("n", json!({"$increment": 31})), ("l", json!({"$append": ["c"]})), ("l", json!({"$append": ["c", "d"]})),
            ("l", json!({"$remove": ["a"]})), ("j", json!({"b": 2})),
        ] {
            let refused = person.patch("/api/things/1", json!({field: edit})).await.expect(422).json();
            assert_eq!(refused["errors"][0]["code"], "not_writable", "{refused}");
            assert_eq!(refused["errors"][0]["pointer"], format!("/{field}"));
        }
        person.patch("/api/things/1", json!({"n": 7, "l": ["z"], "j": [1]})).await.expect(200);
        let now = app.admin().get("/api/things/1").await.json();
        assert_eq!((&now["n"], &now["l"], &now["j"]), (&json!(7), &json!(["z"]), &json!([1])));
        person.patch("/api/things/1", json!({"open": true})).await.expect(200);
        person.patch("/api/things/1", json!({"n": {"$increment": 1}})).await.expect(200);
        person.patch("/api/things/1", json!({"n": {"$increment": 93}})).await.expect(422);
    }
}
