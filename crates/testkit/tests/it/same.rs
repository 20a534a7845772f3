//! The same calls on both databases get the same answers, byte for byte.

use serde_json::json;
use testkit::{Database, Person, Reply, TestApp};

const APP: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    (
        "resources/groups.toml",
        "id = \"integer\"\ntimestamps = false\n[fields]\nname = { type = \"string\", required = true }\n\
         [access]\nread = \"record.name != 'hidden'\"\n",
    ),
    (
        "resources/rows.toml",
        "id = \"string\"\ntimestamps = false\n[fields]\n\
         s = { type = \"string\" }\nf = { type = \"string\", case = \"insensitive\", unique = true }\nt = { type = \"text\" }\n\
         i = { type = \"integer\" }\nx = { type = \"float\" }\nd = { type = \"decimal\", precision = 18, scale = 6 }\n\
         b = { type = \"boolean\" }\nat = { type = \"datetime\" }\nday = { type = \"date\" }\nu = { type = \"uuid\" }\n\
         e = { type = \"enum\", values = [\"low\", \"High\"] }\nj = { type = \"json\" }\ng = { type = \"reference\", to = \"groups\" }\n\
         gs = { type = \"reference\", to = \"groups\", many = true }\n\
         ls = { type = \"string\", list = true }\nli = { type = \"integer\", list = true }\nlx = { type = \"float\", list = true }\n\
         ld = { type = \"decimal\", precision = 9, scale = 3, list = true }\nlb = { type = \"boolean\", list = true }\n\
         la = { type = \"datetime\", list = true }\nlday = { type = \"date\", list = true }\nlu = { type = \"uuid\", list = true }\n\
         [access]\nread = \"record.i == null || record.i != 13\"\n",
    ),
];

#[tokio::test]
async fn answers_are_the_same_byte_for_byte() {
    let sqlite = TestApp::start(Database::Sqlite, APP).await;
    let postgres = TestApp::start(Database::Postgres, APP).await;
    let (left, right) = (tour(&sqlite).await, tour(&postgres).await);
    assert!(left.len() > 150, "{}", left.len());
    for ((call, left), (_, right)) in left.iter().zip(&right) {
        assert_eq!(comparable(left), comparable(right), "{call}");
    }
    sqlite.stop().await;
    postgres.stop().await;
}

/// Without what differs from run to run: the request's id.
fn comparable(reply: &Reply) -> (u16, String, String) {
    let text = reply.text.split("\"request_id\"").next().unwrap_or("").to_owned();
    (reply.status.as_u16(), text, reply.header("content-type").to_owned())
}

async fn tour(app: &TestApp) -> Vec<(String, Reply)> {
    let (admin, stranger) = (app.admin(), app.stranger());
    let mut seen = Vec::new();
    for name in ["one", "hidden", "three"] {
        seen.push((format!("group {name}"), admin.post("/api/groups", json!({ "name": name })).await));
    }
    for (id, row) in rows() {
        seen.push((format!("put {id}"), admin.put(&format!("/api/rows/{id}"), row).await));
        for person in [&admin, &stranger] {
            seen.push((format!("get {id}"), person.get(&format!("/api/rows/{id}")).await));
        }
    }
    for key in [
        "id",
        "s",
        "f",
        "i",
        "x",
        "d",
        "b",
        "at",
        "day",
        "u",
        "e",
        "g",
        "g.name",
        "s,-i",
        "-f,x",
        "-d,-s",
        "b,day,-at,u",
    ] {
        for sort in [key.to_owned(), format!("-{key}").replace("--", "")] {
            seen.extend(pages(&stranger, &sort).await);
        }
    }
    for filter in filters() {
        for person in [&admin, &stranger] {
            let reply = person
                .ask("/api/rows", &[("filter", filter), ("fields", "s"), ("count", "true"), ("limit", "200")])
                .await;
            seen.push((filter.to_owned(), reply));
        }
    }
    for (field, value) in [
        ("s", "a"),
        ("f", "STRASSE"),
        ("i[gt]", "-5"),
        ("x[lte]", "0.1"),
        ("d", "0.1"),
        ("at[lt]", "2020-01-01T00:00:00+01:00"),
        ("e[in]", "low,High"),
        ("e[in]", "low,high"),
        ("e", "lo"),
        ("e[ne]", "none"),
        ("e[contains]", "ig"),
        ("u", "01900000-0000-7000-8000-00000000000A"),
        ("b", "true"),
        ("t[contains]", "É"),
        ("g.name", "hidden"),
        ("li[contains]", "2"),
        ("i", "1.0"),
        ("d", "x"),
    ] {
        seen.push((format!("{field}={value}"), stranger.ask("/api/rows", &[(field, value)]).await));
    }
    for (path, body) in [
        (
            "/api/rows/full",
            json!({"i": {"$increment": -7}, "x": {"$increment": 0.1}, "d": {"$increment": "0.000001"}, "ls": {"$append": ["é"]}, "j": {"k": null, "n": {"m": 1e21}}}),
        ),
        ("/api/rows/full", json!({"gs": {"$append": [3, 1]}})),
        ("/api/rows/full", json!({"gs": {"$remove": [2]}})),
        ("/api/rows/edge", json!({"i": {"$increment": 1}})),
        ("/api/rows/edge", json!({"f": "full"})),
        ("/api/rows/edge", json!({"g": 77})),
        ("/api/rows/nope", json!({})),
    ] {
        seen.push((format!("patch {path} {body}"), admin.patch(path, body).await));
        seen.push((format!("get {path}"), admin.get(path).await));
    }
    for path in ["/api/groups/1", "/api/groups/2", "/api/groups/9", "/api/rows/full", "/api/rows/full"] {
        seen.push((format!("delete {path}"), admin.delete(path).await));
    }
    let changes = app.changes().await;
    let log = Reply { text: changes.join(" "), ..seen[0].1.clone() };
    seen.push(("the log".to_owned(), log));
    seen
}

async fn pages(person: &Person, sort: &str) -> Vec<(String, Reply)> {
    let mut seen = Vec::new();
    let mut path = format!("/api/rows?limit=3&fields=s&sort={sort}");
    for _ in 0..10 {
        let page = person.get(&path).await;
        let next = page.json()["next"].as_str().map(str::to_owned);
        seen.push((path.clone(), page));
        match next {
            Some(cursor) => path = format!("/api/rows?limit=3&fields=s&sort={sort}&cursor={cursor}"),
            None => break,
        }
    }
    seen
}

fn rows() -> Vec<(&'static str, serde_json::Value)> {
    vec![
        ("empty", json!({})),
        (
            "full",
            json!({"s": "a", "f": "Full", "t": "line\nfeed é", "i": 42, "x": 0.1, "d": "0.1", "b": true, "at": "2020-01-01T01:00:00.5+01:00",
                   "day": "2020-02-29", "u": "01900000-0000-7000-8000-00000000000a", "e": "High", "j": {"z": [1.50, 1e3, "x"], "a": {"k": null}}, "g": 1, "gs": [3, 2],
                   "ls": ["b", "a"], "li": [2, -1], "lx": [0.5, 1e-7, 3.0], "ld": ["1.5", "-0.001"], "lb": [true, false], "la": ["2020-01-01T00:00:00.000001Z"], "lday": ["1999-12-31"], "lu": ["01900000-0000-7000-8000-00000000000a"]}),
        ),
        (
            "edge",
            json!({"s": "Z", "f": "strasse", "t": "", "i": i64::MAX, "x": -1.5e300, "d": "-999999999999.999999", "b": false, "at": "0001-01-01T00:00:00Z", "day": "9999-12-31",
                   "u": "00000000-0000-0000-0000-000000000000", "e": "low", "j": null, "g": 2, "gs": [], "ls": [], "li": [], "ld": []}),
        ),
        (
            "least",
            json!({"s": "\u{10ffff}", "i": i64::MIN, "x": 5e-324, "d": "999999999999.999999", "at": "9999-12-31T23:59:59.999999Z", "day": "0001-01-01", "j": [9_007_199_254_740_993_i64, -0.0, 1e21, 0.000_001]}),
        ),
        ("mark", json!({"s": "\u{e000}", "f": "É", "i": 0, "x": 0.0, "d": "0", "j": "text", "g": 3})),
        (
            "lower",
            json!({"s": "é", "f": "é", "i": -1, "x": 1e21, "j": {"é": 1, "e": 2, "\u{1f600}": 3, "\u{fb33}": 4}}),
        ),
        ("blank", json!({"s": "", "f": "", "t": "\\ \" / \u{8} \u{1f}", "i": 7, "j": true, "ls": ["", "\"", "\\"]})),
        ("thirteen", json!({"s": "not for strangers", "i": 13})),
        ("wrong", json!({"i": "x"})),
        ("taken", json!({"f": "FULL"})),
        ("lost", json!({"g": 99, "gs": [1, 98]})),
    ]
}

fn filters() -> Vec<&'static str> {
    vec![
        "s == null",
        "s != null",
        "s < 'é'",
        "s >= 'Z'",
        "f == 'STRASSE'",
        "f != 'É'",
        "f < 'G'",
        "size(s) == 1",
        "size(t) > 0",
        "s.startsWith('')",
        "t.contains('\\n')",
        "s.endsWith('é')",
        "s.matches('^[a-z]$')",
        "s.matches('.')",
        "t.matches('feed.+$')",
        "s.lowerAscii() == 'z'",
        "f.lowerAscii().contains('ss')",
        "i + 1 > 0",
        "i - 1 < 0",
        "i * 2 == 84",
        "i / 5 == 8",
        "i % 5 == 2",
        "-i > 0",
        "i / 0 == 0 || i == 0",
        "!(i > 0)",
        "i in [42, 7, 0]",
        "!(i in [42, 7])",
        "x + 0.2 > 0.3",
        "x * 1e300 > 0.0",
        "x < 0.0",
        "x == 0.1",
        "d == '0.10'",
        "d + 0.05 == 0.15",
        "d * d > 1",
        "d * 100 == 10",
        "-d < 0",
        "d in ['0', '0.1']",
        "b",
        "!b",
        "b == true && !(b == false)",
        "b ? i > 0 : i < 0",
        "(i > 0 ? 'p' : 'n') == 'p'",
        "at > timestamp('2019-12-31T23:59:59Z')",
        "at + duration('24h') > '2020-01-02T00:00:00Z'",
        "now > at",
        "at - timestamp('2020-01-01T00:00:00Z') == duration('500ms')",
        "day < '2021-01-01'",
        "u == '01900000-0000-7000-8000-00000000000A'",
        "e == 'High'",
        "e < 'low'",
        "e in ['low']",
        "g == 1",
        "g.name == 'one'",
        "g.name != 'one'",
        "g.name == null",
        "!(g.name == 'hidden')",
        "g == null || g.name.startsWith('t')",
        "3 in gs",
        "gs.exists(k, k.name == 'three')",
        "gs.all(k, k.name != 'hidden')",
        "size(gs) == 2",
        "size(gs) > 0",
        "ls.exists(k, k == 'a')",
        "ls.all(k, size(k) < 2)",
        "'b' in ls",
        "!('b' in ls)",
        "2 in li",
        "li.exists(k, k < 0)",
        "size(li) == 0",
        "0.5 in lx",
        "ld.exists(k, k == '1.500')",
        "true in lb",
        "lb.all(k, k)",
        "la.exists(k, k > '2020-01-01T00:00:00Z')",
        "lday.exists(k, k < '2000-01-01')",
        "'01900000-0000-7000-8000-00000000000a' in lu",
        "j == null",
        "j != null",
        "has(g)",
        "true",
        "false",
        "i == i",
        "i != i",
        "s + t == 'aline\\nfeed é'",
        "i > 1.5",
        "x > 1",
        "j.a == 1",
        "nope",
    ]
}
