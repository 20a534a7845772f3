//! The app's own pages.

use http::Method;
use testkit::{Database, TestApp};

const PAGE: &str = "<!doctype html><title>Hello</title>";

async fn app() -> TestApp {
    let files = [
        ("mainstay.toml", ""),
        ("secret.txt", "outside"),
        ("public/index.html", PAGE),
        ("public/profile.html", "<p>profile"),
        ("public/css/a b.css", "p{}"),
        ("public/deep/index.html", "deep"),
        ("public/.env", "hidden"),
        ("public/.well-known/security.txt", "Contact: x"),
        ("public/api/notes", "not an API"),
        ("public/app.js", "0123456789"),
    ];
    let app = TestApp::start(Database::Sqlite, &files).await;
    let public = app.directory().join("public");
    std::os::unix::fs::symlink(app.directory().join("secret.txt"), public.join("link.txt")).expect("a link");
    std::os::unix::fs::symlink("app.js", public.join("inner.js")).expect("a link");
    std::fs::write(public.join("large.bin"), vec![b'x'; 700_000]).expect("a file");
    app
}

#[tokio::test]
async fn files_of_public_are_served_with_their_types() {
    let app = app().await;
    let stranger = app.stranger();
    for (path, text, kind) in [
        ("/", PAGE, "text/html; charset=utf-8"),
        ("/index.html", PAGE, "text/html; charset=utf-8"),
        ("/profile", "<p>profile", "text/html; charset=utf-8"),
        ("/deep/", "deep", "text/html; charset=utf-8"),
        ("/css/a%20b.css", "p{}", "text/css; charset=utf-8"),
        ("/app.js?v=2", "0123456789", "text/javascript; charset=utf-8"),
        ("/inner.js", "0123456789", "text/javascript; charset=utf-8"),
        ("/.well-known/security.txt", "Contact: x", "text/plain; charset=utf-8"),
    ] {
        let reply = stranger.get(path).await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (200, text), "{path}");
        assert_eq!(reply.header("content-type"), kind, "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
    }
    let large = stranger.get("/large.bin").await;
    assert_eq!((large.text.len(), large.header("content-length")), (700_000, "700000"));
    let moved = stranger.get("/deep").await;
    assert_eq!((moved.status.as_u16(), moved.header("location")), (308, "/deep/"));
    assert_eq!(stranger.send(Method::POST, "/", &[], "").await.status, 405);
}

#[tokio::test]
async fn nothing_outside_and_nothing_hidden_is_served() {
    let app = app().await;
    let stranger = app.stranger();
    let paths = "/.env /link.txt /../secret.txt /%2e%2e/secret.txt /css/..%2f..%2fsecret.txt /..%5csecret.txt /%00 /css //deep \
        /deep//index.html /api/notes/x/y /%61pi/notes /index.html/ /public/index.html /nothing";
    for path in paths.split_whitespace() {
        let reply = stranger.get(path).await;
        assert!([400, 404].contains(&reply.status.as_u16()), "{path}: {} {}", reply.status, reply.text);
        assert!(!reply.text.contains("outside") && !reply.text.contains("hidden"), "{path}");
    }
    assert_eq!(stranger.get("/nothing").await.header("content-type"), "application/problem+json");
}

#[tokio::test]
async fn a_file_that_the_client_has_is_not_sent_again() {
    let app = app().await;
    let stranger = app.stranger();
    let tag = stranger.get("/app.js").await.header("etag").to_owned();
    let again = stranger.send(Method::GET, "/app.js", &[("if-none-match", &format!("\"x\", W/{tag}"))], "").await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""));
    std::fs::write(app.directory().join("public/app.js"), "changed").expect("a file");
    let again = stranger.send(Method::GET, "/app.js", &[("if-none-match", &tag)], "").await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (200, "changed"));
}

#[tokio::test]
async fn a_part_of_a_file_is_sent_where_it_is_asked_for() {
    let app = app().await;
    let stranger = app.stranger();
    for (range, status, text, part) in [
        ("bytes=2-4", 206, "234", "bytes 2-4/10"),
        ("bytes=8-", 206, "89", "bytes 8-9/10"),
        ("bytes=-3", 206, "789", "bytes 7-9/10"),
        ("bytes=-30", 206, "0123456789", "bytes 0-9/10"),
        ("bytes=9-99999999999999999999", 200, "0123456789", ""),
        ("bytes=0-18446744073709551615", 206, "0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, "", "bytes */10"),
        ("bytes=-0", 416, "", "bytes */10"),
        ("bytes=4-2", 200, "0123456789", ""),
        ("bytes=0-1,3-4", 200, "0123456789", ""),
        ("lines=1-2", 200, "0123456789", ""),
    ] {
        let reply = stranger.send(Method::GET, "/app.js", &[("range", range)], "").await;
        assert_eq!(
            (reply.status.as_u16(), reply.text.as_str(), reply.header("content-range")),
            (status, text, part),
            "{range}"
        );
    }
    let stale = [("range", "bytes=2-4"), ("if-range", "\"old\"")];
    assert_eq!(stranger.send(Method::GET, "/app.js", &stale, "").await.status, 200);
    let head = stranger.send(Method::HEAD, "/app.js", &[], "").await;
    assert_eq!((head.text.as_str(), head.header("content-length")), ("", "10"));
}
