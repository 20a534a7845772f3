//! Codings, limits, traces and clients that misbehave, over real sockets.

use std::{io::Read as _, time::Duration};

use http::Method;
use serde_json::{Value as Json, json};
use testkit::TestApp;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::both;

const RESOURCE: (&str, &str) = (
    "resources/notes.toml",
    "id = \"integer\"\n[fields]\ntext = { type = \"text\" }\nkind = { type = \"enum\", values = [\"draft\", \"final\"] }\n\
     [access]\nread = \"true\"\ncreate = \"true\"\nupdate = \"true\"\ndelete = \"true\"\n",
);
const APP: &[(&str, &str)] =
    &[("mainstay.toml", "[server]\nmax_body = \"64KB\"\npublic_url = \"https://app.example\"\n"), RESOURCE];
const LIMITED: &[(&str, &str)] = &[
    (
        "mainstay.toml",
        "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n[limits]\n\"/api/*\" = \"20/1h\"\n\"GET /api/notes/*\" = { rate = \"3/1h\", per = \"caller\" }\n",
    ),
    RESOURCE,
];
const FEW: &[(&str, &str)] = &[("mainstay.toml", "[server]\nmax_connections = 4\n"), RESOURCE];
const JSON: (&str, &str) = ("content-type", "application/json");

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = flate2::read::GzEncoder::new(bytes, flate2::Compression::default());
    encoder.read_to_end(&mut out).expect("gzip");
    out
}

/// Sends bytes as they are, and reads what comes until the end or a pause.
async fn raw(app: &TestApp, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(app.base().trim_start_matches("http://")).await.expect("a connection");
    stream.write_all(bytes).await.expect("written");
    read(&mut stream).await
}

async fn read(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let mut piece = vec![0; 64 << 10];
    while let Ok(Ok(count @ 1..)) = tokio::time::timeout(Duration::from_millis(700), stream.read(&mut piece)).await {
        all.extend_from_slice(&piece[..count]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// The problem of a raw answer.
fn problem(answer: &str) -> Json {
    assert!(answer.contains("content-type: application/problem+json") && answer.contains("x-request-id: "), "{answer}");
    answer.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok()).unwrap_or_default()
}

both! {
    async fn answers_are_compressed_for_those_who_take_it(app) using APP {
        let person = app.stranger();
        let long = "all work and no play ".repeat(200);
        let made = person.post("/api/notes", json!({"text": long})).await.expect(201);
        let plain = person.get("/api/notes/1").await.expect(200);
        assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "Accept-Encoding"));
        assert_eq!(plain.header("etag"), made.header("etag"));
        for (accept, coding) in [("gzip", "gzip"), ("gzip, zstd", "zstd"), ("gzip;q=0.9, zstd;q=0.1", "gzip"), ("br", ""), ("identity, gzip;q=0.5", "")] {
            let reply = person.send(Method::GET, "/api/notes/1", &[("accept-encoding", accept)], "").await.expect(200);
            assert_eq!(reply.header("content-encoding"), coding, "{accept}");
            let tag = plain.header("etag").trim_end_matches('"').to_owned();
            let expected = if coding.is_empty() { format!("{tag}\"") } else { format!("{tag}-{coding}\"") };
            assert_eq!(reply.header("etag"), expected, "{accept}");
            let head = person.send(Method::HEAD, "/api/notes/1", &[("accept-encoding", accept)], "").await;
            assert_eq!((head.header("content-encoding"), head.header("etag")), (coding, expected.as_str()), "{accept}");
        }
        let tiny = person.send(Method::GET, "/livez", &[("accept-encoding", "gzip")], "").await.expect(200);
        assert_eq!(tiny.header("content-encoding"), "");
        let forced = person.send(Method::GET, "/livez", &[("accept-encoding", "identity;q=0, gzip")], "").await.expect(200);
        assert_eq!(forced.header("content-encoding"), "gzip");
        person.send(Method::GET, "/livez", &[("accept-encoding", "identity;q=0, br")], "").await.expect(406);
        let events = person.listen("/api/notes/events", &[("accept-encoding", "gzip, zstd")]).await.opened().await;
        assert!(events.headers.get("content-encoding").is_none());
    }

    async fn tags_of_compressed_answers_are_good_for_asking_and_writing(app) using APP {
        let person = app.stranger();
        person.post("/api/notes", json!({"text": "x".repeat(2000)})).await.expect(201);
        let coded = person.send(Method::GET, "/api/notes/1", &[("accept-encoding", "gzip")], "").await.expect(200);
        let (tag, plain) = (coded.header("etag").to_owned(), person.get("/api/notes/1").await.header("etag").to_owned());
        let ask = |tag: String, accept: &'static str| {
            let person = person.clone();
            async move { person.send(Method::GET, "/api/notes/1", &[("if-none-match", &tag), ("accept-encoding", accept)], "").await }
        };
        let known = ask(tag.clone(), "gzip").await;
        assert_eq!((known.status.as_u16(), known.header("etag"), known.text.as_str()), (304, tag.as_str(), ""));
        assert_eq!(ask(plain.clone(), "gzip").await.header("etag"), plain, "what they have is still good");
        assert_eq!(ask(tag.clone(), "identity").await.status, 200, "what they have they don't take any more");
        assert_eq!(ask(format!("\"0-0\", {tag}"), "gzip, zstd").await.status, 304);
        let write = |tag: String| {
            let person = person.clone();
            async move { person.send(Method::PATCH, "/api/notes/1", &[JSON, ("if-match", &tag)], "{\"text\":\"short\"}").await }
        };
        write(tag.clone()).await.expect(200);
        write(tag).await.expect(412);
        assert_eq!(ask(plain, "gzip").await.status, 200);
    }

    async fn compressed_bodies_are_read_and_bombs_are_not(app) using APP {
        let person = app.stranger();
        let send = |coding: &'static str, body: Vec<u8>| {
            let person = person.clone();
            async move { person.send(Method::POST, "/api/notes", &[JSON, ("content-encoding", coding)], body).await }
        };
        let body = json!({"text": "y".repeat(5000)}).to_string().into_bytes();
        let zstd = zstd::bulk::compress(&body, 3).expect("zstd");
        for (coding, coded) in [("gzip", gzip(&body)), ("GZIP", gzip(&body)), ("x-gzip", gzip(&body)), ("zstd", zstd), ("identity", body.clone()), ("gzip, identity", gzip(&body))] {
            assert_eq!(send(coding, coded).await.expect(201).json()["text"].as_str().map(str::len), Some(5000), "{coding}");
        }
        let bomb = format!("{{\"text\":\"{}\"}}", " ".repeat(50 << 20)).into_bytes();
        send("gzip", gzip(&bomb)).await.expect(413);
        send("zstd", zstd::bulk::compress(&bomb, 3).expect("zstd")).await.expect(413);
        for (coding, coded) in [("br", body.clone()), ("gzip, gzip", gzip(&gzip(&body))), ("deflate", body.clone())] {
            let refused = send(coding, coded).await.expect(415);
            assert_eq!(refused.header("accept-encoding"), "gzip, zstd, identity", "{coding}");
        }
        for broken in [body.clone(), gzip(&body)[..40].to_vec()] {
            send("gzip", broken).await.expect(400);
        }
        assert_eq!(person.get("/api/notes?count=true").await.json()["count"], 6);
    }

    async fn rates_are_kept_and_told(app) using LIMITED {
        let person = app.stranger();
        let first = person.get("/api/notes").await.expect(200);
        assert_eq!((first.header("ratelimit-policy"), first.header("ratelimit")), ("\"/api/*\";q=20;w=3600", "\"/api/*\";r=19;t=180"));
        assert_eq!(person.get("/livez").await.header("ratelimit"), "");
        for way in ["/api/notes/1", "//api//notes/1", "/API/notes/1"] {
            person.get(way).await;
        }
        let refused = person.get("/api/notes/2").await.expect(429);
        assert!(!refused.header("retry-after").is_empty() && refused.header("ratelimit").contains("\"GET /api/notes/*\";r=0;"), "{:?}", refused.headers);
        assert_eq!(refused.json()["type"], "/problems/rate-limited");
        app.admin().get("/api/notes/1").await.expect(404);
        let many: Vec<Json> = (0..10).map(|number| json!({"text": number.to_string()})).collect();
        let made = person.post("/api/notes", Json::Array(many.clone())).await.expect(201);
        assert!(made.header("ratelimit").starts_with("\"/api/*\";r=4;"), "an array costs what it holds: {}", made.header("ratelimit"));
        person.post("/api/notes", Json::Array(many)).await.expect(429);
        assert_eq!(person.get("/api/notes?count=true").await.json()["count"], 10);
        for _ in 0..2 {
            person.get("/api/notes").await;
        }
        person.get("/api/notes").await.expect(429);
        let elsewhere = |address: &'static str| {
            let person = person.clone();
            async move { person.send(Method::GET, "/api/notes", &[("x-forwarded-for", address)], "").await.status.as_u16() }
        };
        assert_eq!(elsewhere("192.0.2.7").await, 200);
        assert_eq!(elsewhere("198.51.100.1, 127.0.0.1").await, 200, "the last that is no proxy of ours");
        for _ in 0..19 {
            elsewhere("2001:db8::1").await;
        }
        assert_eq!((elsewhere("2001:db8::2").await, elsewhere("2001:db8::3").await), (200, 429), "a /64 is one");
    }

    async fn a_write_by_filter_costs_what_it_changes(app) using LIMITED {
        let person = app.stranger();
        let many: Vec<Json> = (0..6).map(|number| json!({"text": number.to_string()})).collect();
        let left = |reply: &testkit::Reply| reply.header("ratelimit").split(',').next().unwrap_or("").to_owned();
        let made = person.post("/api/notes", Json::Array(many)).await.expect(201);
        assert!(left(&made).starts_with("\"/api/*\";r=14;"), "{}", left(&made));
        let none = person.delete("/api/notes?text=nothing").await.expect(200);
        assert!(left(&none).starts_with("\"/api/*\";r=13;"), "{}", left(&none));
        let gone = person.delete("/api/notes?filter=true").await.expect(200);
        assert_eq!(gone.json()["count"], 6);
        assert!(left(&gone).starts_with("\"/api/*\";r=7;"), "{}", left(&gone));
        let many: Vec<Json> = (0..5).map(|number| json!({"text": number.to_string()})).collect();
        person.post("/api/notes", Json::Array(many)).await.expect(201);
        let owed = person.delete("/api/notes?filter=true").await.expect(200);
        assert!(left(&owed).starts_with("\"/api/*\";r=0;"), "{}", left(&owed));
        let refused = person.get("/api/notes").await.expect(429);
        let wait: u64 = refused.header("retry-after").parse().expect("seconds");
        assert!(wait > 3 * 180, "three operations are owed, and one is wanted: {wait}");
    }

    async fn traces_go_on(app) using APP {
        let person = app.stranger();
        let sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let reply = person.send(Method::GET, "/api/notes", &[("traceparent", sent)], "").await.expect(200);
        let parts: Vec<&str> = reply.header("traceparent").split('-').collect();
        assert_eq!((parts[1], parts[3]), ("4bf92f3577b34da6a3ce929d0e0e4736", "01"));
        assert!(parts[2] != "00f067aa0ba902b7" && parts[2].len() == 16, "{parts:?}");
        let (one, two) = (person.get("/livez").await, person.send(Method::GET, "/nope", &[("traceparent", "00-zz")], "").await);
        assert!(one.header("traceparent").len() == 55 && two.header("traceparent").len() == 55);
        assert_ne!(one.header("traceparent"), two.header("traceparent"));
        assert_eq!(one.header("strict-transport-security"), "max-age=31536000");
    }

    async fn every_path_tells_its_methods(app) using APP {
        let person = app.stranger();
        for (path, allow) in [
            ("/api/notes", "GET, HEAD, POST"), ("/api/notes/1", "GET, HEAD, PUT, PATCH, DELETE"), ("/api/notes/events", "GET"),
            ("/livez", "GET, HEAD"), ("/readyz", "GET, HEAD"), ("/metrics", "GET, HEAD"), ("/problems/not-found", "GET, HEAD"),
        ] {
            let told = person.send(Method::OPTIONS, path, &[], "").await;
            assert_eq!(told.status.as_u16(), 204, "{path}");
            assert!(told.header("allow").starts_with(allow), "{path}: {}", told.header("allow"));
            if path != "/api/notes" && path != "/api/notes/1" {
                let wrong = person.send(Method::DELETE, path, &[], "").await.expect(405);
                assert_eq!(wrong.header("allow"), told.header("allow"), "{path}");
            }
        }
        person.send(Method::OPTIONS, "/api/nope", &[], "").await.expect(404);
        assert_eq!(person.send(Method::OPTIONS, "/api/no%74es", &[], "").await.status.as_u16(), 204, "it is the same path");
        assert!(raw(app, b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.contains("allow: GET, HEAD, POST"));
    }

    async fn pages_of_problems_are_for_people_and_programs(app) using APP {
        let person = app.stranger();
        let page = person.send(Method::GET, "/problems/validation", &[("accept", "text/html,*/*;q=0.1")], "").await.expect(200);
        assert!(page.header("content-type").starts_with("text/html") && page.header("vary").contains("Accept"), "{:?}", page.headers);
        assert!(!page.header("content-security-policy").contains("unsafe") && page.text.contains("color-scheme"));
        let document = person.send(Method::GET, "/problems/validation", &[("accept", "application/json")], "").await.expect(200);
        assert_eq!((&document.json()["status"], &document.json()["type"]), (&json!(422), &json!("/problems/validation")));
        person.send(Method::GET, "/problems/validation", &[("accept", "image/png")], "").await.expect(406);
        assert!(person.get("/problems/validaton").await.expect(404).text.contains("did you mean /problems/validation?"));
    }

    async fn slips_in_parameters_are_told_with_what_was_meant(app) using APP {
        let person = app.stranger();
        for (path, meant) in [
            ("/api/notes?limt=1", "`limit`"), ("/api/notes?txt=1", "`text`"), ("/api/notes?text[qe]=1", "`text[eq]`"),
            ("/api/notes/1?field=text", "`fields`"), ("/api/notes?sort=txt", "`text`"), ("/api/notes?fields=txt", "`text`"),
            ("/api/notes/1?fields=txt", "`text`"), ("/api/notes?filter=txt+==+'a'", "`text`"), ("/api/notes/events?txt=1", "`text`"),
            ("/api/notes/events?filtr=true", "`filter`"), ("/api/notes?kind=draf", "`draft`"), ("/api/notes?kind[in]=final,drat", "`draft`"),
            ("/api/notes/aggregate?count&kind[ne]=finall", "`final`"),
        ] {
            let refused = person.get(path).await.expect(400);
            assert!(refused.text.contains("did you mean") && refused.text.contains(meant), "{path}: {refused}");
        }
    }

    async fn what_is_no_request_is_answered_with_a_problem(app) using APP {
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X-A: b\r\n".repeat(120));
        let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(70_000));
        let longer = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(300_000));
        let heavy = format!("GET / HTTP/1.1\r\nHost: a\r\nX-A: {}\r\n\r\n", "x".repeat(200_000));
        let chunked = "Transfer-Encoding: chunked\r\n";
        for (what, bytes, status) in [
            ("garbage", "\x16\x03\x01garbage\r\n\r\n".to_owned(), 400),
            ("no version", "GET /\r\n\r\n".to_owned(), 400),
            ("space in a name", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\nabc".to_owned(), 400),
            ("two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc".to_owned(), 400),
            ("bad length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc".to_owned(), 400),
            ("not chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nabc".to_owned(), 400),
            ("coded and chunked", "POST /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n".to_owned(), 400),
            ("two types", "POST /api/notes HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}".to_owned(), 400),
            ("both", format!("POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n{chunked}\r\n0\r\n\r\n"), 400),
            ("both, the other way", format!("GET /livez HTTP/1.1\r\nHost: a\r\n{chunked}Content-Length: 3\r\n\r\n0\r\n\r\n"), 400),
            ("no host", "GET /livez HTTP/1.1\r\n\r\n".to_owned(), 400),
            ("two hosts", "GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(), 400),
            ("no name of a host", "GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n".to_owned(), 400),
            ("many headers", many, 431),
            ("long target", long, 414),
            ("target longer than any head", longer, 414),
            ("heavy headers", heavy, 431),
        ] {
            let answer = raw(app, bytes.as_bytes()).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {}", &answer[..answer.len().min(300)]);
            assert_eq!(problem(&answer)["status"], status, "{what}: {answer}");
            // `raw` has read to the end of the connection.
            assert_eq!(answer.matches("\r\ndate: ").count(), 1, "{what}: {answer}");
        }
        let smuggled = format!("POST /livez HTTP/1.1\r\nHost: a\r\n{chunked}Content-Length: 40\r\n\r\n0\r\n\r\nGET /readyz HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(raw(app, smuggled.as_bytes()).await.matches("HTTP/1.1 ").count(), 1, "what follows is not answered");
        app.stranger().get("/livez").await.expect(200);
    }

    async fn a_refused_body_does_not_hide_its_answer(app) using APP {
        let mut stream = TcpStream::connect(app.base().trim_start_matches("http://")).await.expect("a connection");
        let head = format!("POST /api/notes HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", 4 << 20);
        stream.write_all(head.as_bytes()).await.expect("a head");
        for _ in 0..64 {
            stream.write_all(&[b'x'; 64 << 10]).await.expect("all of it can be sent");
        }
        assert!(read(&mut stream).await.starts_with("HTTP/1.1 413 "));
        let waits = "POST /api/notes HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n";
        assert!(raw(app, waits.as_bytes()).await.starts_with("HTTP/1.1 413 "), "at once, without a byte of it");
    }

    async fn a_body_of_no_announced_length_is_bounded_as_any(app) using APP {
        let head = "POST /api/notes HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        let post = async |length: usize| {
            let text = format!("{{\"text\":\"{}\"}}", "x".repeat(length));
            let pieces: String = text.as_bytes().chunks(8000).map(|piece| format!("{:x}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece))).collect();
            raw(app, format!("{head}{pieces}0\r\n\r\n").as_bytes()).await
        };
        assert!(post(60_000).await.starts_with("HTTP/1.1 201 "));
        assert!(post(70_000).await.starts_with("HTTP/1.1 413 "));
        assert_eq!(app.stranger().get("/api/notes?count=true").await.json()["count"], 1);
    }

    async fn a_path_that_would_be_another_host_is_none(app) using APP {
        app.stranger().post("/api/notes", json!([{"text": "a"}, {"text": "b"}])).await.expect(201);
        for (path, status) in [("/api/notes?limit=1", 200), ("//api/notes?limit=1", 404), ("///api/notes?limit=1", 404), ("//livez", 404), ("/api//notes", 404)] {
            let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            let answer = raw(app, head.as_bytes()).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
            let link = answer.lines().find_map(|line| line.strip_prefix("link: "));
            assert_eq!(link.is_some(), status == 200, "{path}: {answer}");
            assert!(link.is_none_or(|link| link.starts_with("</api/notes?limit=1&cursor=")), "{path}: {answer}");
        }
    }

    async fn pipelined_requests_are_answered_in_order(app) using APP {
        let one = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
        let answer = raw(app, one.repeat(500).as_bytes()).await;
        assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 500);
    }

    async fn where_no_place_is_left_an_idle_connection_makes_one(app) using FEW {
        let place = app.base().trim_start_matches("http://").to_owned();
        let mut idle = Vec::new();
        for _ in 0..4 {
            idle.push(TcpStream::connect(&place).await.expect("a connection"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        for _ in 0..8 {
            assert!(raw(app, b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
        }
        let mut busy = Vec::new();
        for _ in 0..4 {
            let mut stream = TcpStream::connect(&place).await.expect("a connection");
            stream.write_all(b"GET /api/notes/events HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("written");
            assert!(read(&mut stream).await.starts_with("HTTP/1.1 200 "));
            busy.push(stream);
        }
        let mut late = TcpStream::connect(&place).await.expect("a connection");
        late.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("written");
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let answer = read(&mut late).await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1"), "{answer}");
        assert_eq!(problem(&answer)["type"], "/problems/unavailable");
        drop(busy);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(raw(app, b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
    }
}
