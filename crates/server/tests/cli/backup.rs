//! `mainstay backup` and `mainstay restore`, and what a damaged database does.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use crate::support::{App, Running, files_in};

fn prepared() -> (App, String) {
    let app = App::notes();
    app.good(&["migrate", "apply"]);
    let key = app.good(&["key", "create"]).out.trim().to_owned();
    (app, key)
}

fn note(server: &Running, key: &str, title: &str) -> u16 {
    server.post("/api/notes", key, &format!("{{\"title\":\"{title}\"}}")).status
}

fn count(server: &Running) -> u64 {
    server.get("/api/notes?count=true&limit=1").json()["count"].as_u64().unwrap()
}

fn open(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

#[test]
fn a_backup_of_a_busy_server_is_of_one_moment_and_holds_all_that_was_acknowledged_before() {
    let (app, key) = prepared();
    let server = app.start("serve");
    for number in 0..50 {
        assert_eq!(note(&server, &key, &format!("before {number}")), 201);
    }
    let (written, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(note(&server, &key, &"x".repeat(90)), 201, "writers go on meanwhile");
                written.fetch_add(1, Ordering::Relaxed);
            }
        });
        server.wait("the writer writes", || written.load(Ordering::Relaxed) > 3);
        let least = 50 + written.load(Ordering::Relaxed);
        let made = app.good(&["backup", "copy.db", "--json"]).json();
        stop.store(true, Ordering::Relaxed);
        let copy = open(&app.path().join("copy.db"));
        let notes: i64 = copy.query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).unwrap();
        let events: i64 = copy.query_row("SELECT count(*) FROM _events", [], |row| row.get(0)).unwrap();
        let keys: i64 = copy.query_row("SELECT count(*) FROM _keys", [], |row| row.get(0)).unwrap();
        assert!(notes >= i64::try_from(least).unwrap(), "{notes} of {least}");
        assert_eq!((events, keys), (notes, 1), "records, their events and the keys are of one moment");
        assert_eq!(made["sequence"], notes);
    });
    let mode = fs::metadata(app.path().join("copy.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds keys");
    assert!(!files_in(&app.path()).iter().any(|name| name.contains(".part")), "{:?}", files_in(&app.path()));
}

#[test]
fn a_backup_replaces_nothing_unless_it_is_forced_and_never_the_database() {
    let (app, _) = prepared();
    app.write("copy.db", "mine");
    let done = app.run(&["backup", "copy.db"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("`copy.db` is there already") && done.err.contains("--force"), "{}", done.err);
    assert_eq!(fs::read(app.path().join("copy.db")).unwrap(), b"mine");
    app.good(&["backup", "copy.db", "--force"]);
    assert!(fs::read(app.path().join("copy.db")).unwrap().starts_with(b"SQLite format 3"));
    for own in ["data/app.db", "data/../data/app.db"] {
        let done = app.run(&["backup", own, "--force"]);
        assert_eq!(done.code, 1);
        assert!(done.err.contains("the app's database itself"), "{}", done.err);
    }
    app.write("copy.db-wal", "somebody's log");
    assert!(app.run(&["backup", "copy.db", "--force"]).err.contains("a database in use"));
    // Without a name it goes beside the database, under the time.
    app.good(&["backup"]);
    assert!(files_in(&app.path()).iter().any(|name| name.starts_with("data/app.db.backup-2")));
    assert_eq!(app.run(&["backup", "no/such/directory/copy.db"]).code, 1);
    assert!(App::notes().run(&["backup"]).err.contains("there is no database"));
}

#[test]
fn restore_is_refused_while_a_server_runs_and_keeps_what_was_there() {
    let (app, key) = prepared();
    let server = app.start("serve");
    assert_eq!(note(&server, &key, "in the backup"), 201);
    app.good(&["backup", "copy.db"]);
    assert_eq!(note(&server, &key, "after it"), 201);
    let done = app.run(&["restore", "copy.db"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("is using") && done.err.contains("stop it"), "{}", done.err);
    assert_eq!(count(&server), 2);
    // A server that was killed leaves its log, and no lock.
    server.kill();
    let done = app.good(&["restore", "copy.db", "--json"]).json();
    assert_eq!(done["up_to_date"], true);
    let kept = open(&app.path().join(done["kept"].as_str().unwrap()));
    let before: i64 = kept.query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).unwrap();
    assert_eq!(before, 2, "the database of before is kept, with what was in its log");
    let mode = fs::metadata(app.path().join("data/app.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let server = app.start("serve");
    assert_eq!(count(&server), 1);
    assert_eq!(note(&server, &key, "goes on"), 201, "keys are in the backup, too");
}

#[test]
fn restore_takes_only_what_is_a_sound_backup() {
    let (app, _) = prepared();
    app.write("text.db", &"no database ".repeat(1000));
    rusqlite::Connection::open(app.path().join("foreign.db")).unwrap().execute_batch("CREATE TABLE a (b)").unwrap();
    app.good(&["backup", "good.db"]);
    let mut bytes = fs::read(app.path().join("good.db")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle - 3000..middle + 3000].fill(0x5a);
    fs::write(app.path().join("broken.db"), &bytes).unwrap();
    fs::copy(app.path().join("good.db"), app.path().join("newer.db")).unwrap();
    let newer = rusqlite::Connection::open(app.path().join("newer.db")).unwrap();
    newer.execute_batch("UPDATE _migrations SET schema = replace(schema, '\"system\":', '\"system\":9')").unwrap();
    drop(newer);
    let before = fs::read(app.path().join("data/app.db")).unwrap();
    for (file, words) in [
        ("text.db", "not a database"),
        ("foreign.db", "no backup of a Mainstay app"),
        ("broken.db", "broken.db"),
        ("newer.db", "newer version"),
        ("none.db", "there is no file"),
        ("data/app.db", "itself"),
    ] {
        let done = app.run(&["restore", file]);
        assert_eq!(done.code, 1, "{file}");
        assert!(done.err.contains(words), "{file}: {}", done.err);
        assert_eq!(fs::read(app.path().join("data/app.db")).unwrap(), before, "{file}");
    }
    assert!(!files_in(&app.path()).iter().any(|name| name.contains("before-restore") || name.contains(".part")));
}

#[test]
fn restore_says_where_the_backup_has_another_schema() {
    let (app, _) = prepared();
    app.good(&["backup", "copy.db"]);
    app.write("resources/notes.toml", &crate::support::NOTES.replace("max = 100", "max = 120"));
    app.good(&["migrate", "apply"]);
    let done = app.good(&["restore", "copy.db"]);
    assert!(done.err.contains("another schema") && done.err.contains("migrate apply"), "{}", done.err);
    app.good(&["migrate", "apply"]);
    drop(app.start("serve"));
}

#[test]
fn on_postgresql_its_own_tools_are_named() {
    let app = App::notes_on_postgres();
    for (arguments, tool) in [(&["backup"][..], "pg_dump"), (&["restore", "x"], "pg_restore")] {
        let done = app.run(arguments);
        assert_eq!(done.code, 1);
        assert!(done.err.contains(tool), "{}", done.err);
    }
}

#[test]
fn a_corrupt_page_is_told_and_a_backup_put_back_heals_it() {
    let (app, key) = prepared();
    let server = app.start("serve");
    for number in 0..300 {
        assert_eq!(note(&server, &key, &format!("{number} {}", "x".repeat(80))), 201);
    }
    app.good(&["backup", "copy.db"]);
    assert_eq!(server.terminate(), 0);
    let path = app.path().join("data/app.db");
    let leaf: u32 = {
        let database = rusqlite::Connection::open(&path).unwrap();
        // The last page of the table is a leaf that only some of the records are on.
        let sound: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
        let root: u32 = database
            .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'notes'", [], |row| row.get(0))
            .unwrap();
        let bytes = fs::read(&path).unwrap();
        let root = &bytes[(root as usize - 1) * 4096..][..4096];
        assert_eq!(root[0], 5, "an inner page");
        u32::from_be_bytes(root[8..12].try_into().unwrap())
    };
    let mut bytes = fs::read(&path).unwrap();
    bytes[(leaf as usize - 1) * 4096..][..4096].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let server = app.start("serve");
    assert_eq!(server.get("/api/notes/1").status, 200, "what is on other pages is served");
    let reply = server.get("/api/notes/300");
    assert_eq!(reply.status, 503, "{}", reply.body);
    assert!(reply.body.contains("damaged"), "{}", reply.body);
    let ready = server.get("/readyz");
    assert!(ready.status == 503 && ready.body.contains("damaged"), "{}", ready.body);
    assert_eq!(server.get("/livez").status, 200);
    let done = app.run(&["backup", "of-damaged.db"]);
    assert!(done.code == 1 && done.err.contains("is damaged"), "{}", done.err);
    assert_eq!(server.terminate(), 0);
    app.good(&["restore", "copy.db"]);
    let server = app.start("serve");
    assert_eq!(count(&server), 300);
    assert_eq!(server.get("/readyz").status, 200);
}
