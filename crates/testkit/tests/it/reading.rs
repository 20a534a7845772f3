//! Lists and records, read.

use serde_json::json;
use testkit::{Reply, TestApp};

use crate::both;

const NOTES: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    (
        "resources/teams.toml",
        "id = \"integer\"\ntimestamps = false\n[fields]\nname = { type = \"string\", required = true, case = \"insensitive\" }\n\
         [access]\nread = \"true\"\n",
    ),
    (
        "resources/notes.toml",
        "id = \"integer\"\ntimestamps = false\n[fields]\n\
         title = { type = \"string\", required = true }\n\
         rank = { type = \"integer\" }\n\
         price = { type = \"decimal\", precision = 6, scale = 2 }\n\
         public = { type = \"boolean\", required = true, default = true }\n\
         team = { type = \"reference\", to = \"teams\" }\n\
         labels = { type = \"string\", list = true }\n\
         secret = { type = \"string\", hidden = true }\n\
         wage = { type = \"integer\", read = \"record.rank == 1\" }\n\
         staff = { type = \"string\", read = \"'staff' in auth.roles\" }\n\
         [access]\nread = \"record.public\"\n\
         [indexes]\nby_rank = [\"rank\"]\n",
    ),
];

async fn fill(app: &TestApp) {
    let admin = app.admin();
    admin.post("/api/teams", json!([{"name": "Zebra"}, {"name": "ant"}])).await.expect(201);
    let notes = json!([
        {"title": "b", "rank": 2, "price": "9.50", "team": 1, "labels": ["x", "y"], "wage": 70, "secret": "s1", "staff": "t"},
        {"title": "a", "rank": 1, "price": "10.00", "team": 2, "wage": 90, "secret": "s2"},
        {"title": "Z", "rank": null, "price": "-0.05"},
        {"title": "é", "rank": 2, "team": 1},
        {"title": "private", "rank": 1, "public": false, "team": 2, "wage": 5}
    ]);
    admin.post("/api/notes", notes).await.expect(201);
}

fn titles(reply: &Reply) -> Vec<String> {
    reply.column("title").iter().map(|title| title.as_str().unwrap_or("?").to_owned()).collect()
}

both! {
    async fn a_record_that_may_not_be_read_does_not_exist(app) using NOTES {
        fill(app).await;
        let stranger = app.stranger();
        stranger.get("/api/notes/5").await.expect(404);
        app.admin().get("/api/notes/5").await.expect(200);
        let all = stranger.get("/api/notes?count=true&limit=200").await.expect(200);
        assert_eq!(titles(&all), ["b", "a", "Z", "é"]);
        assert_eq!(all.json()["count"], 4);
        let through = stranger.ask("/api/teams", &[("filter", "notes.exists(n, n.title == 'private')")]).await.expect(200);
        assert_eq!(through.items().len(), 0, "a filter must not see it either");
    }

    async fn fields_are_shown_by_their_rules_and_unreadable_ones_are_unknown(app) using NOTES {
        fill(app).await;
        let stranger = app.stranger();
        let first = stranger.get("/api/notes/1").await.expect(200);
        for hidden in ["secret", "wage", "staff"] {
            assert!(first.json().get(hidden).is_none(), "{hidden} in {first}");
        }
        assert_eq!(stranger.get("/api/notes/2").await.json()["wage"], 90);
        for (parameter, value) in
            [("filter", "secret == 's1'"), ("filter", "staff == 't'"), ("sort", "secret"), ("sort", "staff"), ("staff", "t"), ("secret", "s1"), ("fields", "staff")]
        {
            let refused = stranger.ask("/api/notes", &[(parameter, value)]).await;
            assert_eq!(refused.status, 400, "{parameter}={value}: {refused}");
            let unknown = stranger.ask("/api/notes", &[(parameter, &value.replace("secret", "zzzzzz").replace("staff", "zzzzz"))]).await;
            let neutral = |reply: &Reply| reply.text.replace("secret", "F").replace("staff", "F").replace("zzzzzz", "F").replace("zzzzz", "F");
            let (left, right) = (neutral(&refused), neutral(&unknown));
            let cut = |text: &str| text.split("\"request_id\"").next().unwrap_or("").replace("zzzzzz", "F");
            assert_eq!(cut(&left), cut(&right), "an unreadable field must be answered as an unknown one");
        }
        // Null where the rule does not hold: neither sorted by nor filtered by what is not seen.
        let rich = stranger.ask("/api/notes", &[("filter", "wage > 60")]).await.expect(200);
        assert_eq!(titles(&rich), ["a"]);
        let sorted = stranger.get("/api/notes?sort=-wage").await.expect(200);
        assert_eq!(titles(&sorted)[0], "a");
        assert_eq!(app.admin().get("/api/notes/1").await.json()["wage"], 70);
    }

    async fn sorts_are_total_and_nulls_are_smallest(app) using NOTES {
        fill(app).await;
        let stranger = app.stranger();
        assert_eq!(titles(&stranger.get("/api/notes?sort=rank").await.expect(200)), ["Z", "a", "b", "é"]);
        assert_eq!(titles(&stranger.get("/api/notes?sort=-rank,title").await.expect(200)), ["b", "é", "a", "Z"]);
        assert_eq!(titles(&stranger.get("/api/notes?sort=title").await.expect(200)), ["Z", "a", "b", "é"], "by code point");
        assert_eq!(titles(&stranger.get("/api/notes?sort=team.name,title").await.expect(200)), ["Z", "a", "b", "é"], "ant before Zebra: case folds");
        assert_eq!(titles(&stranger.get("/api/notes?sort=price").await.expect(200)), ["é", "Z", "b", "a"], "-0.05 < 9.50 < 10.00");
    }

    async fn keyset_pages_neither_skip_nor_repeat(app) using NOTES {
        fill(app).await;
        let admin = app.admin();
        let many: Vec<_> = (0..60).map(|n| json!({"title": format!("n{}", n % 7), "rank": if n % 5 == 0 { json!(null) } else { json!(n % 3) }, "price": format!("{}.{:02}", n % 4, n)})).collect();
        admin.post("/api/notes", json!(many)).await.expect(201);
        let stranger = app.stranger();
        for sort in ["", "rank", "-rank", "rank,-title", "-price,rank", "team.name,-id", "-wage,title"] {
            let whole = stranger.ask("/api/notes", &[("sort", sort), ("limit", "200")]).await.expect(200).column("id");
            assert_eq!(whole.len(), 64);
            let mut paged = Vec::new();
            let mut path = format!("/api/notes?limit=7&sort={sort}");
            loop {
                let page = stranger.get(&path).await.expect(200);
                paged.extend(page.column("id"));
                let Some(next) = page.json()["next"].as_str().map(str::to_owned) else { break };
                let link = page.header("link").to_owned();
                path = link.trim_start_matches('<').split('>').next().unwrap_or("").to_owned();
                assert!(path.contains(&next), "{link}");
            }
            assert_eq!(paged, whole, "sort={sort}");
        }
    }

    async fn a_cursor_belongs_to_its_query(app) using NOTES {
        fill(app).await;
        let stranger = app.stranger();
        let next = stranger.get("/api/notes?limit=1&sort=rank").await.expect(200).json()["next"].as_str().unwrap_or("").to_owned();
        stranger.get(&format!("/api/notes?limit=3&sort=rank&cursor={next}")).await.expect(200);
        for wrong in [format!("sort=-rank&cursor={next}"), format!("cursor={next}"), format!("sort=rank&public=true&cursor={next}"), "cursor=AAAA".to_owned(), "cursor=%25%25".to_owned(), "cursor=WyJhIl0".to_owned()] {
            let refused = stranger.get(&format!("/api/notes?{wrong}")).await.expect(400);
            assert_eq!(refused.json()["type"], "/problems/bad-cursor", "{wrong}: {refused}");
        }
        for (place, letter) in next.char_indices() {
            let altered = format!("{}{}{}", &next[..place], if letter == 'A' { 'Q' } else { 'A' }, &next[place + 1..]);
            stranger.get(&format!("/api/notes?sort=rank&cursor={altered}")).await.expect(400);
        }
    }

    async fn filters_in_both_forms(app) using NOTES {
        fill(app).await;
        let stranger = app.stranger();
        for (query, expected) in [
            (vec![("filter", "price == '9.5'")], vec!["b"]),
            (vec![("filter", "rank == null")], vec!["Z"]),
            (vec![("filter", "!(rank == 2)")], vec!["a"]),
            (vec![("filter", "team.name == 'ZEBRA' && title.startsWith('b')")], vec!["b"]),
            (vec![("filter", "'x' in labels || title.contains('é')")], vec!["b", "é"]),
            (vec![("filter", "1 / (rank - 2) > 0 || title == 'a'")], vec!["a"]),
            (vec![("rank", "2")], vec!["b", "é"]),
            (vec![("rank[gte]", "1"), ("rank[lt]", "2")], vec!["a"]),
            (vec![("title[in]", "a,Z")], vec!["a", "Z"]),
            (vec![("title[contains]", "z")], vec!["Z"]),
            (vec![("title[ne]", "a"), ("rank[ne]", "2")], vec![]),
            (vec![("team.name", "ANT")], vec!["a"]),
            (vec![("price[lte]", "9.5")], vec!["b", "Z"]),
        ] {
            let listed = stranger.ask("/api/notes", &query).await.expect(200);
            assert_eq!(titles(&listed), expected, "{query:?}");
        }
    }

    async fn entity_tags_tell_whether_anything_changed(app) using NOTES {
        fill(app).await;
        let stranger = app.stranger();
        let first = stranger.get("/api/notes/1").await.expect(200);
        let tag = first.header("etag").to_owned();
        let send = |method: http::Method, path: &'static str, tag: String| {
            let stranger = stranger.clone();
            async move { stranger.send(method, path, &[("if-none-match", tag.as_str())], "").await }
        };
        let known = send(http::Method::GET, "/api/notes/1", tag.clone()).await;
        assert_eq!((known.status.as_u16(), known.text.as_str()), (304, ""));
        assert_eq!(known.header("etag"), tag);
        assert_eq!(send(http::Method::GET, "/api/notes/1", format!("\"x\", W/{tag}")).await.status, 304);
        assert_eq!(send(http::Method::GET, "/api/notes/1?fields=title", tag.clone()).await.status, 200, "another view, another tag");
        assert_ne!(app.admin().get("/api/notes/1").await.header("etag"), tag, "an administrator sees more");
        let head = send(http::Method::HEAD, "/api/notes/1", String::new()).await;
        assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
        assert_eq!(head.header("content-length"), first.header("content-length"));
        app.admin().patch("/api/notes/1", json!({"rank": 3})).await.expect(200);
        assert_eq!(send(http::Method::GET, "/api/notes/1", tag).await.status, 200);
    }

    async fn only_the_fields_that_were_asked_for(app) using NOTES {
        fill(app).await;
        let one = app.stranger().get("/api/notes/1?fields=title,labels").await.expect(200);
        assert_eq!(one.text, r#"{"id":1,"title":"b","labels":["x","y"]}"#);
        let list = app.stranger().get("/api/notes?fields=rank&limit=1").await.expect(200);
        assert_eq!(list.items(), [json!({"id": 1, "rank": 2})]);
    }

    async fn offset_and_limit_have_bounds(app) using NOTES {
        fill(app).await;
        let stranger = app.stranger();
        assert_eq!(titles(&stranger.get("/api/notes?offset=3").await.expect(200)), ["é"]);
        for wrong in ["limit=0", "limit=201", "limit=-1", "limit=1e1", "limit=", "offset=10001", "offset=x", "count=yes", "limit=1&limit=2", "sort=a,b,c,d,e", "sort=,", "sort=title,", "fields=title,", "expand=team,", "sort=labels", "sort=nothing", "rank[like]=2", "rank[=2", "rank=two", "public=1", "fields=nothing"] {
            stranger.get(&format!("/api/notes?{wrong}")).await.expect(400);
        }
        let teams = "/api/teams?expand=notes&expand[notes][sort]=";
        let refused = stranger.get(&format!("{teams},rank")).await.expect(400);
        assert_eq!(refused.json()["errors"][0]["parameter"], "expand[notes][sort]");
        // What was left empty is left out.
        let whole = stranger.get("/api/notes").await.expect(200);
        assert_eq!(stranger.get("/api/notes?sort=&fields=&expand=&filter=").await.expect(200).json(), whole.json());
        stranger.get(teams).await.expect(200);
    }
}
