//! `mainstay serve` and `mainstay key`

use std::net::TcpListener;

use crate::support::{App, NOTES, Running, key_in};

#[test]
fn serve_refuses_to_start_while_the_schema_does_not_match() {
    let app = App::notes();
    let done = app.run(&["serve"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("`notes`") && done.err.contains("mainstay migrate apply"), "{}", done.err);
    assert!(!app.path().join("data").exists());
    app.good(&["migrate", "apply"]);
    app.write("resources/notes.toml", &NOTES.replace("max = 100", "max = 120"));
    assert_eq!(app.run(&["serve"]).code, 1, "a new limit is a change, too");
}

#[test]
fn serve_says_where_it_listens_and_what_is_open_and_stops_when_asked() {
    let app = App::notes();
    app.good(&["migrate", "apply"]);
    let server = app.start("serve");
    server.hear("listening");
    assert!(server.said().contains("open to strangers") && server.said().contains("notes"), "{}", server.said());
    assert_eq!(server.get("/api/notes").json()["items"], serde_json::json!([]));
    assert_eq!(server.terminate(), 0);
    assert!(!app.path().join("data/app.db-wal").exists(), "a clean stop leaves no log behind");
}

#[test]
fn logs_are_json_where_asked() {
    let app = App::notes();
    app.write("mainstay.toml", "[log]\nformat = \"json\"\n");
    app.good(&["migrate", "apply"]);
    let server = app.start("serve");
    server.hear("listening");
    for line in server.said().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["level"].is_string(), "{line}");
    }
}

#[test]
fn what_was_acknowledged_outlives_a_kill() {
    let app = App::notes();
    app.good(&["migrate", "apply"]);
    let key = app.good(&["key", "create"]).out.trim().to_owned();
    let server = app.start("serve");
    for number in 1..=20 {
        assert_eq!(server.post("/api/notes", &key, &format!("{{\"title\":\"{number}\"}}")).status, 201);
    }
    server.kill();
    let server = app.start("serve");
    assert_eq!(server.get("/api/notes?count=true").json()["count"], 20);
}

#[test]
fn ids_go_on_where_they_were_after_a_restart_and_are_not_given_twice_after_a_kill() {
    for app in [App::notes(), App::notes_on_postgres()] {
        app.good(&["migrate", "apply"]);
        let key = app.good(&["key", "create"]).out.trim().to_owned();
        let add = |server: &Running| server.post("/api/notes", &key, "{\"title\":\"a\"}").json()["id"].as_i64();
        let server = app.start("serve");
        assert_eq!((add(&server), add(&server)), (Some(1), Some(2)));
        assert_eq!(server.terminate(), 0);
        app.write("three.csv", "title\nthree\n");
        app.good(&["import", "notes", "three.csv"]);
        let server = app.start("serve");
        assert_eq!(add(&server), Some(4));
        // While a server runs, a command takes its ids from beyond those that the server has reserved.
        app.good(&["import", "notes", "three.csv"]);
        let (imported, after) =
            (server.get("/api/notes?sort=-id&limit=1").json()["items"][0]["id"].as_i64(), add(&server));
        assert!(imported > Some(4) && after > imported, "{imported:?} {after:?}");
        let last = format!("/api/notes/{}", after.unwrap_or_default());
        assert_eq!(server.ask("DELETE", &last, Some(&key), "").expect("an answer").status, 204);
        server.kill();
        let server = app.start("serve");
        assert!(add(&server) > after, "the greatest is gone, and so is its id");
        assert_eq!(server.terminate(), 0);
    }
}

#[test]
fn a_taken_port_is_told() {
    let app = App::notes();
    app.good(&["migrate", "apply"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for command in ["serve", "dev"] {
        let done = app.command(&[command]).env("MAINSTAY_SERVER__LISTEN", &address).output().unwrap();
        assert_eq!(done.status.code(), Some(1));
        let told = String::from_utf8_lossy(&done.stderr);
        assert!(told.contains(&address) && told.contains("MAINSTAY_SERVER__LISTEN"), "{told}");
    }
}

#[test]
fn keys_are_printed_once_and_have_the_roles_they_were_given() {
    let app = App::notes();
    app.good(&["migrate", "apply"]);
    let made = app.good(&["key", "create"]);
    let key = made.out.trim();
    assert_eq!(key_in(key).as_deref(), Some(key), "standard output is the key and nothing else");
    assert!(!made.err.contains(key));
    let staff = app.good(&["key", "create", "--name", "desk", "--role", "staff", "--json"]).json();
    assert_eq!((&staff["name"], &staff["roles"]), (&"desk".into(), &serde_json::json!(["staff"])));
    let server = app.start("serve");
    assert_eq!(server.post("/api/notes", key, "{\"title\":\"a\"}").status, 201);
    assert_eq!(server.post("/api/notes", staff["key"].as_str().unwrap(), "{\"title\":\"a\"}").status, 403);
    let later = app.good(&["key", "create"]).out;
    assert_eq!(server.post("/api/notes", later.trim(), "{\"title\":\"b\"}").status, 201);
    let database = std::fs::read(app.path().join("data/app.db")).unwrap();
    let secret = key.rsplit('_').next().unwrap().as_bytes();
    assert!(!database.windows(secret.len()).any(|bytes| bytes == secret), "only a hash is stored");
}
