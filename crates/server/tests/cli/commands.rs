//! Commands that need no database, and what all of them have in common.

use std::{fs, path::Path};

use crate::support::{App, files_in};

#[test]
fn every_command_has_a_help_text_with_examples() {
    let app = App::empty();
    for command in [
        "new",
        "dev",
        "serve",
        "check",
        "access table",
        "access explain",
        "test",
        "migrate plan",
        "migrate apply",
        "migrate status",
        "seed",
        "backup",
        "restore",
        "key create",
        "openapi",
        "schema",
        "completions",
    ] {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        arguments.push("--help");
        let done = app.good(&arguments);
        assert!(done.out.contains("Example"), "`{command} --help` has no examples:\n{}", done.out);
        assert_eq!(done.err, "");
    }
    assert!(app.good(&["--version"]).out.starts_with("mainstay "));
}

#[test]
fn a_command_line_that_is_none_exits_with_2() {
    let app = App::notes();
    for arguments in [
        &["frobnicate"][..],
        &[],
        &["check", "--jsn"],
        &["new"],
        &["schema", "nonsense"],
        &["key", "create", "--role", "Not A Role"],
    ] {
        let done = app.run(arguments);
        assert_eq!(done.code, 2, "{arguments:?}");
        assert_eq!(done.out, "", "{arguments:?}");
        assert!(!done.err.is_empty(), "{arguments:?}");
    }
}

#[test]
fn new_writes_a_template_that_check_accepts() {
    for template in ["accounts", "blog", "shop", "empty"] {
        let app = App::empty();
        let done = app.good(&["new", "made", "--template", template]);
        assert!(done.err.contains("cd made") && done.err.contains("mainstay dev"), "{}", done.err);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates").join(template);
        assert_eq!(files_in(&app.path().join("made")), files_in(&source));
        assert!(app.good(&["check", "--app", "made"]).out.contains("The app is good"));
        if app.path().join("made/tests").is_dir() {
            assert!(app.good(&["test", "--app", "made"]).out.contains("tests passed"));
        }
    }
}

#[test]
fn new_names_the_nearest_template() {
    let app = App::empty();
    let done = app.run(&["new", "x", "--template", "shpo"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("did you mean `shop`?"), "{}", done.err);
    assert!(files_in(&app.path()).is_empty());
}

#[test]
fn new_leaves_a_directory_alone_that_has_something_in_it() {
    let app = App::empty();
    app.write("notes/mine.txt", "mine");
    let done = app.run(&["new", "notes"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("`notes`"), "{}", done.err);
    assert_eq!(files_in(&app.path()), ["notes/mine.txt"]);
    std::fs::create_dir(app.path().join("free")).unwrap();
    app.good(&["new", "free"]);
}

#[test]
fn check_tells_every_mistake_with_its_place() {
    let app = App::notes();
    app.write("mainstay.toml", "[server]\nlistn = \"127.0.0.1:1\"\n");
    app.write("resources/books.toml", "[fields]\ntitle = { type = \"sting\" }\n");
    let done = app.run(&["check"]);
    assert_eq!(done.code, 1);
    for words in ["mainstay.toml:2", "did you mean `listen`", "resources/books.toml:2", "`string`", "2 errors"] {
        assert!(done.out.contains(words), "{words} is missing in\n{}", done.out);
    }
    assert!(!done.out.contains('\x1b'), "colours go to terminals only");
}

#[test]
fn check_answers_programs_in_json() {
    let app = App::notes();
    let good = app.good(&["check", "--json"]).json();
    assert_eq!((&good["ok"], &good["errors"]), (&true.into(), &0.into()));
    app.write("resources/books.toml", "[fields]\ntitle = { type = \"sting\" }\n");
    let done = app.run(&["check", "--json"]);
    assert_eq!(done.code, 1);
    let told = done.json();
    assert_eq!(told["ok"], false);
    let error = &told["diagnostics"][0];
    assert_eq!((&error["severity"], &error["line"]), (&"error".into(), &2.into()), "{error}");
}

#[test]
fn check_looks_at_migrations_and_tests_too() {
    let app = App::notes();
    for (file, text, told) in [
        ("migrations/1_a.sql", "SELECT 1".as_bytes(), "the name has to be four digits"),
        ("migrations/0001_b.sql", b"\xff\xfe", "it can't be read"),
        ("tests/a.toml", b"x = = 1", "tests/a.toml:1:5"),
        ("tests/b.toml", b"[[tst]]\nname = 'a'", "did you mean `test`?"),
    ] {
        app.write(file, "");
        fs::write(app.path().join(file), text).unwrap();
        let done = app.run(&["check"]);
        assert_eq!(done.code, 1, "{file}");
        assert!(done.out.contains(told) && done.out.contains("The app has 1 error"), "{file}: {}", done.out);
        let answer = app.run(&["check", "--json"]).json();
        assert_eq!((&answer["ok"], &answer["errors"]), (&false.into(), &1.into()));
        assert_eq!(answer["diagnostics"][0]["file"], file);
        fs::remove_file(app.path().join(file)).unwrap();
    }
    app.good(&["check"]);
}

#[test]
fn check_needs_no_database_and_never_shows_a_password() {
    let app = App::notes();
    let shown = app
        .command(&["check"])
        .env("MAINSTAY_SERVICES__DATABASE", "postgres://me:hunter2@nowhere.invalid/db")
        .output()
        .unwrap();
    assert!(shown.status.success());
    for arguments in [&["migrate", "plan"][..], &["seed"], &["serve"], &["key", "create"]] {
        app.write("seed/notes.ndjson", "{\"title\":\"a\"}\n");
        let done = app
            .command(arguments)
            .env("MAINSTAY_SERVICES__DATABASE", "postgres://me:hunter2@127.0.0.1:1/db")
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(1), "{arguments:?}");
        let told = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        assert!(told.contains("PostgreSQL") && !told.contains("hunter2"), "{arguments:?}: {told}");
    }
}

#[test]
fn a_directory_without_an_app_is_told() {
    let app = App::empty();
    for arguments in [&["check"][..], &["serve"], &["dev"], &["migrate", "plan"], &["seed"]] {
        let done = app.run(arguments);
        assert_eq!(done.code, 1, "{arguments:?}");
        let told = done.out + &done.err;
        assert!(told.contains("there is no app in this directory") && told.contains("mainstay new"), "{told}");
    }
}

#[test]
fn schemas_are_json_and_completions_are_made_for_each_shell() {
    let app = App::empty();
    assert_eq!(app.good(&["schema", "settings"]).json()["title"], "mainstay.toml");
    assert!(app.good(&["schema", "resource"]).json()["properties"]["fields"].is_object());
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(app.good(&["completions", shell]).out.contains("mainstay"), "{shell}");
    }
}

#[test]
fn the_openapi_document_needs_no_server_and_goes_into_a_file() {
    let app = App::empty();
    app.write(
        "resources/notes.toml",
        "[fields]\ntext = { type = \"text\" }\npay = { type = \"integer\", read = \"'staff' in auth.roles\" }\n\
         [access]\nread = \"true\"\n",
    );
    app.write("mainstay.toml", "[server]\npublic_url = \"https://notes.example\"\n");
    let document: serde_json::Value = serde_json::from_str(&app.good(&["openapi"]).out).unwrap();
    assert_eq!(document["servers"][0]["url"], "https://notes.example");
    assert!(document["components"]["schemas"]["Note"]["properties"].get("pay").is_some());
    let stranger = app.good(&["openapi", "--stranger"]).out;
    assert!(!stranger.contains("\"pay\""), "a stranger's document names what it may not read");
    assert_eq!(app.good(&["openapi", "-o", "openapi.json"]).out, "");
    let written = std::fs::read_to_string(app.path().join("openapi.json")).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), document);
}
