//! `mainstay migrate`

use crate::support::{App, NOTES};

#[test]
fn plan_shows_and_apply_does_what_the_resources_ask() {
    let app = App::notes();
    plan_and_apply(&app);
}

#[test]
fn plan_shows_and_apply_does_what_the_resources_ask_on_postgres() {
    plan_and_apply(&App::notes_on_postgres());
}

fn plan_and_apply(app: &App) {
    let plan = app.good(&["migrate", "plan"]);
    assert!(plan.out.contains("`notes`") && plan.out.contains("CREATE TABLE"), "{}", plan.out);
    assert!(!app.path().join("data").exists(), "a plan makes no database");
    assert_eq!(app.run(&["migrate", "plan", "--exit-code"]).code, 2);
    assert!(app.good(&["migrate", "apply"]).out.contains("version 1"));
    assert_eq!(app.run(&["migrate", "plan", "--exit-code"]).code, 0);
    assert!(app.good(&["migrate", "apply"]).out.contains("Nothing to do"));
}

#[test]
fn programs_get_json() {
    let app = App::notes();
    let plan = app.good(&["migrate", "plan", "--json"]).json();
    assert_eq!((&plan["up_to_date"], &plan["safe"]), (&false.into(), &true.into()));
    assert!(plan["steps"][0]["sql"][0].is_string(), "{plan}");
    let status = app.good(&["migrate", "status", "--json"]).json();
    assert_eq!((&status["version"], &status["up_to_date"]), (&0.into(), &false.into()));
    let applied = app.good(&["migrate", "apply", "--json"]).json();
    assert_eq!((&applied["version"], &applied["backup"]), (&1.into(), &serde_json::Value::Null));
    let status = app.good(&["migrate", "status", "--json"]).json();
    assert_eq!((&status["version"], &status["up_to_date"]), (&1.into(), &true.into()));
    assert_eq!(status["applied"][0]["name"], "resources");
}

#[test]
fn what_loses_data_has_to_be_allowed_and_a_backup_is_kept() {
    let app = App::notes();
    app.write("resources/notes.toml", &NOTES.replace("[access]", "body = { type = \"text\" }\n\n[access]"));
    app.write("seed/notes.ndjson", "{\"id\":1,\"title\":\"a\",\"body\":\"b\"}\n");
    app.good(&["migrate", "apply"]);
    app.good(&["seed"]);
    app.write("resources/notes.toml", NOTES);
    assert!(app.good(&["migrate", "plan"]).out.contains("loses data"));
    let refused = app.run(&["migrate", "apply"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("`body`") && refused.err.contains("--allow-data-loss"), "{}", refused.err);
    let applied = app.good(&["migrate", "apply", "--allow-data-loss", "--json"]).json();
    let backup = app.path().join(applied["backup"].as_str().unwrap());
    let kept = rusqlite::Connection::open(backup).unwrap();
    assert_eq!(kept.query_row("SELECT body FROM notes", [], |row| row.get::<_, String>(0)).unwrap(), "b");
}

#[test]
fn records_that_do_not_fit_are_named() {
    let app = App::notes();
    app.write("seed/notes.ndjson", "{\"id\":7,\"title\":\"far too long\"}\n{\"id\":8,\"title\":\"ok\"}\n");
    app.good(&["migrate", "apply"]);
    app.good(&["seed"]);
    app.write("resources/notes.toml", &NOTES.replace("max = 100", "max = 5"));
    let plan = app.good(&["migrate", "plan", "--json"]).json();
    let refusals: Vec<_> =
        plan["steps"].as_array().unwrap().iter().flat_map(|step| step["refusals"].as_array().unwrap()).collect();
    assert_eq!(refusals[0]["records"], serde_json::json!(["7"]));
    let refused = app.run(&["migrate", "apply"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("`title` of `notes`") && refused.err.contains(": 7"), "{}", refused.err);
    assert_eq!(app.run(&["serve"]).code, 1, "and it is not served");
}

#[test]
fn scripts_run_once_and_a_bad_one_changes_nothing() {
    let app = App::notes();
    app.good(&["migrate", "apply"]);
    app.write("migrations/0001_first.sql", "INSERT INTO notes (id, _rev, title) VALUES (1, 1, 'by hand');");
    assert!(app.good(&["migrate", "plan"]).out.contains("0001_first"));
    app.good(&["migrate", "apply"]);
    assert_eq!(app.run(&["migrate", "plan", "--exit-code"]).code, 0);
    app.write("migrations/0002_bad.sql", "SELEC 1;");
    let refused = app.run(&["migrate", "apply"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("0002_bad.sql"), "{}", refused.err);
}
