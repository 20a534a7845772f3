//! `mainstay dev`: the first start, and what happens when files are saved.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::support::{App, NOTES};

const WITH_BODY: &str = "[fields]\nbody = { type = \"text\" }\n";

fn with_body() -> String {
    NOTES.replace("[fields]\n", WITH_BODY)
}

#[test]
fn the_first_start_makes_all_and_the_second_shows_no_key() {
    let app = App::notes();
    app.write("seed/notes.ndjson", "{\"id\":1,\"title\":\"seeded\"}\n");
    let server = app.start("dev");
    server.hear("Ctrl-C ends it");
    let key = server.key();
    assert_eq!(server.get("/api/notes/1").json()["title"], "seeded");
    assert_eq!(server.post("/api/notes", &key, "{\"title\":\"mine\"}").status, 201);
    assert_eq!(server.ask("DELETE", "/api/notes/1", Some(&key), "").unwrap().status, 204);
    assert_eq!(server.terminate(), 0);
    let server = app.start("dev");
    server.hear("Ctrl-C ends it");
    assert!(!server.said().contains("msk_") && server.said().contains("mainstay key create"), "{}", server.said());
    assert_eq!(server.get("/api/notes/1").status, 404, "what was deleted is not seeded again");
    assert_eq!(server.post("/api/notes", &key, "{\"title\":\"again\"}").status, 201);
}

#[test]
fn a_good_save_is_served_and_a_broken_one_is_not() {
    good_and_broken(&App::notes());
}

#[test]
fn a_good_save_is_served_and_a_broken_one_is_not_on_postgres_either() {
    good_and_broken(&App::notes_on_postgres());
}

fn good_and_broken(app: &App) {
    let server = app.start("dev");
    let key = server.key();
    server.post("/api/notes", &key, "{\"title\":\"a\"}");
    app.write("resources/notes.toml", &with_body());
    server.wait("the new field", || server.get("/api/notes/1").json().get("body").is_some());
    app.write("resources/notes.toml", &with_body().replace("\"text\"", "\"txet\""));
    server.hear("the last good version goes on");
    assert!(server.said().contains("resources/notes.toml:5"), "{}", server.said());
    assert!(server.said().contains("did you mean `text`?"), "{}", server.said());
    assert_eq!(server.post("/api/notes", &key, "{\"title\":\"b\",\"body\":\"still\"}").status, 201);
    app.write("resources/books.toml", NOTES);
    app.write("resources/notes.toml", &with_body().replace("\"text\"", "\"text\", max = 50"));
    server.wait("the new resource", || server.get("/api/books").status == 200);
    assert_eq!(server.post("/api/books", &key, "{\"title\":\"first\"}").json()["id"], 1);
    std::fs::remove_file(app.path().join("resources/books.toml")).unwrap();
    server.hear("not made without asking");
    assert_eq!(server.get("/api/books/1").status, 200, "a resource with records stays");
    assert_eq!(server.terminate(), 0);
}

#[test]
fn what_strangers_can_reach_is_told_at_the_start() {
    let app = App::notes();
    let closed = NOTES.split("[access]").next().unwrap();
    let rules = "read = \"record.title != 'draft' || 'staff' in auth.roles\"\ncreate = \"true\"\nupdate = \"record.title == auth.email\"\n";
    app.write("resources/notes.toml", &format!("{closed}[access]\n{rules}"));
    app.write("resources/secrets.toml", &format!("{closed}[access]\nread = \"auth.id != null\"\n"));
    let server = app.start("dev");
    server.hear("Ctrl-C ends it");
    let said = server.said();
    assert!(said.lines().any(|line| line.trim() == "notes  read (some), create"), "{said}");
    assert!(!said.contains("secrets  "), "{said}");
}

#[test]
fn a_change_that_loses_data_waits_until_someone_allows_it() {
    let app = App::notes();
    app.write("resources/notes.toml", &with_body());
    let server = app.start("dev");
    let key = server.key();
    server.post("/api/notes", &key, "{\"title\":\"a\",\"body\":\"b\"}");
    app.write("resources/notes.toml", NOTES);
    server.hear("--allow-data-loss");
    assert_eq!(server.get("/api/notes/1").json()["body"], "b");
    app.good(&["migrate", "apply", "--allow-data-loss"]);
    server.wait("the field to go", || {
        let reply = server.get("/api/notes/1");
        reply.status == 200 && reply.json().get("body").is_none()
    });
}

#[test]
fn an_app_that_is_broken_from_the_start_is_served_once_it_is_mended() {
    let app = App::notes();
    app.write("resources/notes.toml", "[fields]\ntitle = { type = \"sting\" }\n");
    let server = app.start_at_once("dev");
    server.hear("nothing is served yet");
    app.write("resources/notes.toml", NOTES);
    server.wait("it is served", || server.ask("GET", "/api/notes", None, "").is_some_and(|reply| reply.status == 200));
    assert_eq!(server.terminate(), 0);
}

#[test]
fn settings_that_change_are_told_to_need_another_start() {
    let app = App::notes();
    let server = app.start("dev");
    app.write("mainstay.toml", "[server]\nmax_body = \"2MB\"\n");
    server.hear("settings have changed");
    assert_eq!(server.get("/api/notes").status, 200);
}

#[test]
fn a_kill_during_saves_leaves_a_database_that_the_next_start_takes() {
    let app = App::notes();
    for round in 0..5 {
        let server = app.start("dev");
        app.write(
            "resources/notes.toml",
            &NOTES.replace("[access]", &format!("f{round} = {{ type = \"text\" }}\n\n[access]")),
        );
        std::thread::sleep(std::time::Duration::from_millis(100 + 30 * round));
        server.kill();
    }
    let server = app.start("dev");
    assert!(server.get("/api/notes").status == 200);
}

#[test]
fn writes_and_reads_go_on_while_the_database_changes_under_them() {
    change_under_load(&App::notes());
}

#[test]
fn writes_and_reads_go_on_while_postgres_changes_under_them() {
    change_under_load(&App::notes_on_postgres());
}

fn change_under_load(app: &App) {
    let server = Arc::new(app.start("dev"));
    let key = server.key();
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|client| {
            let (server, stop, key) = (Arc::clone(&server), Arc::clone(&stop), key.clone());
            std::thread::spawn(move || {
                let (mut created, mut faults) = (0, Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    let reply = match client % 2 {
                        0 => server.post("/api/notes", &key, "{\"title\":\"load\"}"),
                        _ => server.get("/api/notes?limit=5&sort=-id"),
                    };
                    created += u32::from(reply.status == 201);
                    if !matches!(reply.status, 200 | 201) {
                        faults.push(reply.body);
                    }
                }
                (created, faults)
            })
        })
        .collect();
    for round in 0..6 {
        let fields: String = (0..=round)
            .map(|field| format!("extra{field} = {{ type = \"integer\", default = {field}, required = true }}\n"))
            .collect();
        app.write("resources/notes.toml", &NOTES.replace("[access]", &format!("{fields}\n[access]")));
        server.wait("the next field", || {
            let items = server.get("/api/notes?limit=1").json();
            items["items"][0].get(format!("extra{round}")).is_some()
        });
    }
    stop.store(true, Ordering::Relaxed);
    let ended: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    let created: u32 = ended.iter().map(|(created, _)| created).sum();
    let faults: Vec<_> = ended.into_iter().flat_map(|(_, faults)| faults).collect();
    assert!(faults.is_empty(), "{} of {created}: {:?}", faults.len(), faults.first());
    assert_eq!(server.get("/api/notes?count=true&limit=1").json()["count"], created);
}

#[test]
fn the_curl_lines_that_it_prints_work() {
    for template in ["shop", "empty"] {
        let app = App::empty();
        app.good(&["new", "made", "--template", template]);
        let made = app.path().join("made");
        std::fs::rename(made, app.path().join("x")).unwrap();
        for entry in std::fs::read_dir(app.path().join("x")).unwrap() {
            let entry = entry.unwrap();
            std::fs::rename(entry.path(), app.path().join(entry.file_name())).unwrap();
        }
        let server = app.start("dev");
        server.hear("Ctrl-C ends it");
        let said = server.said();
        let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| line.starts_with("curl ")).collect();
        assert!(lines.len() >= 3, "{said}");
        for line in lines {
            let shown = format!("{line} -s --max-time 3 -o /dev/null -w '%{{http_code}}'");
            let done = Command::new("sh").args(["-c", &shown]).env("KEY", server.key()).output().unwrap();
            let status = String::from_utf8_lossy(&done.stdout).into_owned();
            assert!(matches!(&*status, "200" | "201"), "{line}: {status}");
        }
    }
}
