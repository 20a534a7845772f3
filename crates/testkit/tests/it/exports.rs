//! Whole lists, streamed as NDJSON and CSV.

use http::Method;
use serde_json::{Value as Json, json};
use testkit::{Person, Reply, TestApp};

use crate::both;

const NOTES: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    (
        "resources/teams.toml",
        "id = \"integer\"\ntimestamps = false\n[fields]\nname = { type = \"string\" }\n[access]\nread = \"true\"\n",
    ),
    (
        "resources/notes.toml",
        "id = \"integer\"\ntimestamps = false\n[fields]\n\
         title = { type = \"string\" }\n\
         price = { type = \"decimal\", precision = 6, scale = 2 }\n\
         done = { type = \"boolean\" }\n\
         team = { type = \"reference\", to = \"teams\" }\n\
         labels = { type = \"string\", list = true }\n\
         meta = { type = \"json\" }\n\
         at = { type = \"datetime\" }\n\
         public = { type = \"boolean\", required = true, default = true }\n\
         secret = { type = \"string\", hidden = true }\n\
         wage = { type = \"integer\", read = \"record.done == true\" }\n\
         staff = { type = \"string\", read = \"'staff' in auth.roles\" }\n\
         [access]\nread = \"record.public\"\n",
    ),
];

async fn fill(app: &TestApp) {
    let admin = app.admin();
    admin.post("/api/teams", json!([{"name": "Zebra"}, {"name": "ant"}])).await.expect(201);
    let notes = json!([
        {"title": "say \"hi\", all of you", "price": "9.50", "team": 1, "labels": ["x", "y,z"], "meta": {"a": [1, null]}, "secret": "s1", "staff": "t1", "wage": 70},
        {"title": "", "done": true, "wage": 90, "at": "2026-01-02T03:04:05.5Z", "team": 2, "staff": "t2"},
        {"title": "=1+1", "price": "-0.05", "done": false},
        {"title": "private", "public": false, "secret": "s2"}
    ]);
    admin.post("/api/notes", notes).await.expect(201);
}

async fn stream(person: &Person, accept: &str, query: &str) -> Reply {
    person.send(Method::GET, &format!("/api/notes{query}"), &[("accept", accept)], "").await
}

const CSV: &str = "text/csv";
const NDJSON: &str = "application/x-ndjson";

fn lines(reply: &Reply) -> Vec<Json> {
    assert_eq!(reply.header("content-type"), NDJSON);
    reply
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

both! {
    async fn a_list_is_streamed_as_the_pages_show_it(app) using NOTES {
        fill(app).await;
        for person in [app.stranger(), app.admin()] {
            let listed = person.get("/api/notes?sort=-title").await.expect(200);
            assert_eq!(listed.header("vary"), "Accept, Accept-Encoding");
            let streamed = stream(&person, NDJSON, "?sort=-title").await.expect(200);
            assert_eq!(lines(&streamed), listed.items());
            assert_eq!((streamed.header("vary"), streamed.header("cache-control")), ("Accept, Accept-Encoding", "private, no-cache"));
        }
        let few = stream(&app.stranger(), NDJSON, "?sort=-team.name&fields=title&limit=1&done=true").await.expect(200);
        assert_eq!(few.text, "{\"id\":2,\"title\":\"\"}\n");
        assert_eq!(stream(&app.stranger(), NDJSON, "?title=nothing").await.expect(200).text, "");
    }

    async fn csv_has_a_header_and_what_may_be_seen(app) using NOTES {
        fill(app).await;
        let all = stream(&app.stranger(), CSV, "").await.expect(200);
        assert_eq!(all.header("content-type"), "text/csv; charset=utf-8; header=present");
        assert_eq!(all.header("content-disposition"), "attachment; filename=\"notes.csv\"");
        assert_eq!(
            all.text,
            "id,title,price,done,team,labels,meta,at,public,wage\r\n\
             1,\"say \"\"hi\"\", all of you\",9.50,,1,\"[\"\"x\"\",\"\"y,z\"\"]\",\"{\"\"a\"\":[1,null]}\",,true,\r\n\
             2,\"\",,true,2,,,2026-01-02T03:04:05.500000Z,true,90\r\n\
             3,=1+1,-0.05,false,,,,,true,\r\n"
        );
        let none = stream(&app.stranger(), CSV, "?filter=id%20%3E%2099&fields=title").await.expect(200);
        assert_eq!(none.text, "id,title\r\n");
        let admin = stream(&app.admin(), CSV, "?limit=1&sort=-id").await.expect(200);
        assert_eq!(admin.text, "id,title,price,done,team,labels,meta,at,public,wage,staff\r\n4,private,,,,,,,false,,\r\n", "hidden fields never leave");
        let head = app.stranger().send(Method::HEAD, "/api/notes", &[("accept", CSV)], "").await.expect(200);
        assert_eq!((head.text.as_str(), head.header("content-type")), ("", all.header("content-type")));
    }

    async fn a_stream_tells_what_is_wrong_before_it_begins(app) using NOTES {
        fill(app).await;
        let stranger = app.stranger();
        for (query, told) in [
            ("?fields=secret", "has no field `secret`"),
            ("?fields=staff", "has no field `staff`"),
            ("?sort=staff", "staff"),
            ("?filter=secret=='s'", "secret"),
            ("?cursor=abc", "`cursor` is for pages"),
            ("?offset=3", "`offset` is for pages"),
            ("?count=true", "`count` is for pages"),
            ("?limit=0", "`limit` is a number"),
            ("?limt=1", "did you mean `limit`?"),
        ] {
            for accept in [CSV, NDJSON] {
                let refused = stream(&stranger, accept, query).await.expect(400);
                assert!(refused.text.contains(told), "{query}: {refused}");
            }
        }
        stream(&stranger, "text/html", "").await.expect(406);
        stream(&stranger, "application/json;q=0, text/*;q=0", "").await.expect(406);
        assert_eq!(stream(&stranger, "text/csv;q=0.4, application/x-ndjson;q=0.8", "").await.header("content-type"), NDJSON);
        assert_eq!(stream(&stranger, "*/*", "").await.header("content-type"), "application/json");
        stranger.send(Method::GET, "/api/nothing", &[("accept", CSV)], "").await.expect(404);
        stranger.send(Method::GET, "/api/notes/1", &[("accept", CSV)], "").await.expect(406);
    }

    async fn a_long_list_is_streamed_whole_and_one_that_nobody_takes_ends(app) using NOTES {
        let admin = app.admin();
        let long = "x".repeat(900);
        for batch in 0..12 {
            let many: Vec<_> = (0..1000).map(|number| json!({"title": format!("{batch} {number} {long}")})).collect();
            admin.post("/api/notes", json!(many)).await.expect(201);
        }
        let whole = stream(&app.stranger(), NDJSON, "?sort=-id").await.expect(200);
        let ids: Vec<i64> = lines(&whole).iter().filter_map(|note| note["id"].as_i64()).collect();
        assert_eq!(ids, (1..=12_000).rev().collect::<Vec<_>>());
        assert_eq!(stream(&app.stranger(), CSV, "").await.expect(200).text.lines().count(), 12_001);
        // More than there are places for: each that is dropped half-way gives its place back.
        for _ in 0..12 {
            let opened = app.stranger().open("/api/notes", &[("accept", NDJSON)]).await;
            assert_eq!(opened.status().as_u16(), 200);
            drop(opened);
        }
        assert_eq!(lines(&stream(&app.stranger(), NDJSON, "?limit=7000").await.expect(200)).len(), 7000);
    }
}
