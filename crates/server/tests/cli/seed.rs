//! `mainstay seed`

use crate::support::{App, NOTES};

const TAGS: &str = "[fields]\nnote = { type = \"reference\", to = \"notes\", required = true }\nname = { type = \"string\", \
                    required = true }\n";

#[test]
fn records_are_loaded_once_in_the_order_that_references_need() {
    let app = App::notes();
    // `by_notes` sorts before `notes`, and refers to it.
    app.write("resources/by_notes.toml", TAGS);
    app.write("seed/by_notes.ndjson", "{\"id\":\"0198c0de-0000-7000-8000-000000000001\",\"note\":2,\"name\":\"t\"}\n");
    app.write("seed/notes.ndjson", "\u{feff}{\"id\":1,\"title\":\"a\"}\n\n  {\"id\":2,\"title\":\"b\"}");
    app.good(&["migrate", "apply"]);
    let first = app.good(&["seed", "--json"]).json();
    assert_eq!((&first["loaded"], &first["present"]), (&3.into(), &0.into()));
    assert_eq!(first["files"][0]["resource"], "notes");
    let second = app.good(&["seed", "--json"]).json();
    assert_eq!((&second["loaded"], &second["present"]), (&0.into(), &3.into()));
}

#[test]
fn ids_given_later_never_collide_with_loaded_ones_even_beside_a_running_server() {
    never_collide(&App::notes());
}

#[test]
fn ids_given_later_never_collide_with_loaded_ones_on_postgres_either() {
    never_collide(&App::notes_on_postgres());
}

fn never_collide(app: &App) {
    app.good(&["migrate", "apply"]);
    let server = app.start("serve");
    let key = crate::support::key_in(&app.good(&["key", "create"]).out).unwrap();
    assert_eq!(server.post("/api/notes", &key, "{\"title\":\"before\"}").json()["id"], 1);
    let lines: String = (2..1200).map(|id| format!("{{\"id\":{id},\"title\":\"seeded\"}}\n")).collect();
    app.write("seed/notes.ndjson", &lines);
    assert_eq!(app.good(&["seed", "--json"]).json()["loaded"], 1198);
    let after = server.post("/api/notes", &key, "{\"title\":\"after\"}");
    assert_eq!(after.status, 201, "{}", after.body);
    assert!(after.json()["id"].as_i64().unwrap() >= 1200, "{}", after.body);
    assert_eq!(server.get("/api/notes?count=true&limit=1").json()["count"], 1200);
}

#[test]
fn a_bad_line_is_named_and_nothing_of_its_batch_is_kept() {
    let app = App::notes();
    app.good(&["migrate", "apply"]);
    for (line, told) in [
        ("{\"id\":2}", "seed/notes.ndjson:2: /title"),
        ("{\"id\":2,\"title\":3}", "seed/notes.ndjson:2: /title"),
        ("{\"id\":2,\"titel\":\"x\"}", "did you mean `title`"),
        ("{\"id\":2,", "seed/notes.ndjson:2: column"),
        ("[]", "seed/notes.ndjson:2: this is no object"),
        ("{\"id\":1,\"title\":\"twice in a file\"}", "seed/notes.ndjson:2"),
    ] {
        app.write("seed/notes.ndjson", &format!("{{\"id\":1,\"title\":\"good\"}}\n{line}\n"));
        let done = app.run(&["seed"]);
        assert_eq!(done.code, 1, "{line}");
        assert!(done.err.contains(told), "{line}: {}", done.err);
        let database = rusqlite::Connection::open(app.path().join("data/app.db")).unwrap();
        let rows: i64 = database.query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 0, "{line}");
    }
}

#[test]
fn a_reference_to_nothing_is_named_by_its_line() {
    let app = App::notes();
    app.write("resources/tags.toml", TAGS);
    app.write("seed/tags.ndjson", "{\"note\":99,\"name\":\"t\"}\n");
    app.good(&["migrate", "apply"]);
    let done = app.run(&["seed"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("seed/tags.ndjson:1: /note"), "{}", done.err);
}

#[test]
fn a_file_of_no_resource_and_a_missing_seed_are_told() {
    let app = App::notes();
    app.good(&["migrate", "apply"]);
    assert!(app.run(&["seed"]).err.contains("seed/NAME.ndjson"));
    app.write("seed/note.ndjson", "{}\n");
    let done = app.run(&["seed"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("did you mean `notes`?"), "{}", done.err);
}

#[test]
fn a_circle_counts_only_where_lines_make_it_one() {
    let app = App::notes();
    app.write(
        "resources/notes.toml",
        &NOTES.replace("[access]", "best = { type = \"reference\", to = \"tags\" }\n\n[access]"),
    );
    app.write("resources/tags.toml", &format!("id = \"integer\"\n{TAGS}"));
    app.write("seed/notes.ndjson", "{\"id\":1,\"title\":\"a\"}\n");
    app.write("seed/tags.ndjson", "{\"id\":1,\"note\":1,\"name\":\"t\"}\n");
    app.good(&["migrate", "apply"]);
    assert_eq!(app.good(&["seed", "--json"]).json()["loaded"], 2);
    app.write("seed/notes.ndjson", "{\"id\":1,\"title\":\"a\",\"best\":1}\n");
    let done = app.run(&["seed"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("circle") && done.err.contains("`best` of seed/notes.ndjson"), "{}", done.err);
}

#[test]
fn seeds_wait_for_the_schema() {
    let app = App::notes();
    app.write("seed/notes.ndjson", "{\"id\":1,\"title\":\"a\"}\n");
    let done = app.run(&["seed"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("mainstay migrate apply"), "{}", done.err);
}
