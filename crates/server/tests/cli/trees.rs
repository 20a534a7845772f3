//! Files whose rows refer to each other: `mainstay export`, `import` and `seed` of trees.

use std::fmt::Write as _;

use crate::support::App;

const PAGES: &str = "id = \"integer\"\n\n[fields]\ntitle = { type = \"string\" }\n\
                     level = { type = \"integer\", default = 0 }\nparent = { type = \"reference\", to = \"pages\" }\n\
                     near = { type = \"reference\", to = \"pages\", many = true }\n\
                     note = { type = \"reference\", to = \"notes\" }\n\n[access]\nread = \"false\"\n";

fn pages(app: App) -> App {
    pages_of(app, "integer")
}

fn pages_of(app: App, kind: &str) -> App {
    app.write("resources/pages.toml", &PAGES.replace("id = \"integer\"", &format!("id = \"{kind}\"")));
    app.good(&["migrate", "apply"]);
    app
}

fn both(story: impl Fn(&App)) {
    for app in [App::notes(), App::notes_on_postgres()] {
        story(&pages(app));
    }
}

fn ids(app: &App) -> Vec<i64> {
    let all = app.good(&["export", "pages", "--fields", "id"]).out;
    all.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_i64().unwrap()).collect()
}

#[test]
fn a_tree_comes_back_exactly_in_another_database_whatever_the_form() {
    both(|app| {
        // Each page lies under one with a greater id, but for the last; some are near to others, before and behind.
        let mut rows = String::new();
        for id in (1..=300).rev() {
            let parent = if id == 300 { "null".to_owned() } else { (id + 1 + id % 3).min(300).to_string() };
            let near = if id % 5 == 0 && id < 290 { format!("[{},{}]", id + 7, id + 3) } else { "[]".to_owned() };
            writeln!(rows, "{{\"id\":{id},\"title\":\"page {id}\",\"parent\":{parent},\"near\":{near}}}").unwrap();
        }
        app.write("rows.ndjson", &rows);
        app.good(&["import", "pages", "rows.ndjson"]);
        let whole = app.good(&["export", "pages"]).out;
        assert!(whole.starts_with("{\"id\":1,") && whole.contains("\"parent\":3,"), "{whole}");
        for format in ["ndjson", "csv"] {
            let file = format!("pages.{format}");
            app.good(&["export", "pages", "-o", &file]);
            let text = std::fs::read_to_string(app.path().join(&file)).unwrap();
            for (other, flags) in [(App::notes(), [].as_slice()), (App::notes_on_postgres(), &["--keep-going"])] {
                let other = pages(other);
                other.write(&file, &text);
                let done = other.good(&[&["import", "pages", &file], flags].concat());
                assert_eq!(done.out, "300 imported.\n");
                assert_eq!(other.good(&["export", "pages"]).out, whole, "{file}");
            }
        }
    });
}

#[test]
fn a_chain_in_the_worst_order_goes_in() {
    both(|app| {
        const ROWS: usize = 9000;
        let mut rows = String::new();
        for id in 1..ROWS {
            writeln!(rows, "{{\"id\":{id},\"parent\":{}}}", id + 1).unwrap();
        }
        writeln!(rows, "{{\"id\":{ROWS}}}").unwrap();
        app.write("rows.ndjson", &rows);
        assert_eq!(app.good(&["import", "pages", "rows.ndjson"]).out, format!("{ROWS} imported.\n"));
        let other = app.good(&["import", "pages", "rows.ndjson", "--on-conflict", "skip"]);
        assert_eq!(other.out, format!("0 imported, {ROWS} were there already.\n"));
        assert_eq!(ids(app).len(), ROWS);
    });
}

#[test]
fn a_row_waits_for_all_that_it_refers_to() {
    both(|app| {
        // Near to itself, to others far behind, and to one that is its own parent.
        let mut rows = "{\"id\":1,\"near\":[2,5000,1,4000],\"parent\":3}\n{\"id\":2,\"parent\":2}\n".to_owned();
        for id in 3..=5000 {
            writeln!(rows, "{{\"id\":{id}}}").unwrap();
        }
        app.write("rows.ndjson", &rows);
        assert_eq!(app.good(&["import", "pages", "rows.ndjson"]).out, "5000 imported.\n");
        let first = app.good(&["export", "pages", "--filter", "id == 1", "--fields", "near,parent"]).out;
        assert_eq!(first, "{\"id\":1,\"parent\":3,\"near\":[2,5000,1,4000]}\n");
    });
}

#[test]
fn a_child_of_nobody_is_told_with_its_line() {
    both(|app| {
        app.write(
            "rows.ndjson",
            "{\"id\":1,\"parent\":99}\n\n{\"id\":2,\"parent\":3}\n{\"id\":3}\n{\"id\":4,\"near\":[3,1]}\n",
        );
        let done = app.run(&["import", "pages", "rows.ndjson"]);
        assert_eq!(done.code, 1);
        for told in [
            "rows.ndjson:1: /parent: parent names no record\n",
            "rows.ndjson:1: no record has the id 99, nor has a good row of the file\n",
            "rows.ndjson:5: /near: near names no record\n",
            "rows.ndjson:5: it waits for line 1: no record has the id 99, nor has a good row of the file\n",
            "2 bad rows; nothing was imported",
        ] {
            assert!(done.err.contains(told), "{told}\n{}", done.err);
        }
        assert_eq!(ids(app), [] as [i64; 0]);
        let done = app.run(&["import", "pages", "rows.ndjson", "--keep-going"]);
        assert_eq!((done.code, done.out.as_str()), (1, "2 imported, 2 bad rows left out.\n"), "{}", done.err);
        assert!(done.err.contains("rows.ndjson:1: /parent: parent names no record\n"), "{}", done.err);
        assert_eq!(ids(app), [2, 3]);
    });
}

#[test]
fn a_circle_is_told() {
    both(|app| {
        app.write("rows.csv", "id,parent,near\n1,3,\n2,1,\n3,2,\n4,,\"[2,5]\"\n5,,\n");
        let done = app.run(&["import", "pages", "rows.csv"]);
        assert_eq!(done.code, 1);
        for told in [
            "rows.csv:2: /parent: parent names no record\n",
            "rows.csv:2: it waits for line 4: lines 2, 4, 3 refer to each other in a circle; leave one reference out",
            "rows.csv:5: it waits for line 3: lines 3, 2, 4 refer to each other in a circle",
            "4 bad rows; nothing was imported",
        ] {
            assert!(done.err.contains(told), "{told}\n{}", done.err);
        }
        let done = app.run(&["import", "pages", "rows.csv", "--keep-going"]);
        assert_eq!((done.code, done.out.as_str()), (1, "1 imported, 4 bad rows left out.\n"), "{}", done.err);
        // Told how, and done so.
        app.write("first.csv", "id\n1\n");
        app.good(&["import", "pages", "first.csv"]);
        let done = app.good(&["import", "pages", "rows.csv", "--on-conflict", "update"]);
        assert_eq!(done.out, "3 imported, 2 updated.\n");
        let all = app.good(&["export", "pages", "--fields", "parent", "--format", "csv"]).out;
        assert_eq!(all, "id,parent\r\n1,3\r\n2,1\r\n3,2\r\n4,\r\n5,\r\n");
    });
}

#[test]
fn what_is_wrong_with_a_row_that_waits_is_told_with_its_line_and_takes_those_below_along() {
    both(|app| {
        // Beyond one batch, so that the middle one is only found bad when its turn has come.
        let mut rows = String::new();
        for id in 1..5000 {
            let note = if id == 2500 { ",\"note\":77" } else { "" };
            writeln!(rows, "{{\"id\":{id},\"parent\":{}{note}}}", id + 1).unwrap();
        }
        rows.push_str("{\"id\":5000}\n");
        app.write("rows.ndjson", &rows);
        let done = app.run(&["import", "pages", "rows.ndjson"]);
        assert_eq!(done.code, 1);
        assert!(done.err.contains("rows.ndjson:2500: /note: note names no record\n"), "{}", done.err);
        assert!(done.err.contains("1 bad row; nothing was imported"), "{}", done.err);
        assert_eq!(ids(app), [] as [i64; 0]);
        let done = app.run(&["import", "pages", "rows.ndjson", "--keep-going"]);
        assert_eq!((done.code, done.out.as_str()), (1, "2500 imported, 2500 bad rows left out.\n"), "{}", done.err);
        assert!(done.err.contains("rows.ndjson:2500: /note: note names no record\n"), "{}", done.err);
        assert!(done.err.contains("rows.ndjson:1: /parent: parent names no record\n"), "{}", done.err);
        assert_eq!(ids(app), (2501..=5000).collect::<Vec<_>>());
    });
}

#[test]
fn rows_about_one_record_keep_their_order_where_the_first_has_to_wait() {
    both(|app| {
        let rows = "{\"id\":1,\"title\":\"first\",\"parent\":2}\n{\"id\":1,\"title\":\"second\"}\n{\"id\":2}\n";
        app.write("rows.ndjson", rows);
        let refused = app.run(&["import", "pages", "rows.ndjson"]);
        assert!(refused.err.contains("rows.ndjson:2: /id: "), "{}", refused.err);
        for (flag, title) in [("skip", "first"), ("update", "second")] {
            let done = app.good(&["import", "pages", "rows.ndjson", "--on-conflict", flag, "--json"]).json();
            assert_eq!(done["bad"], 0, "{done}");
            let all = app.good(&["export", "pages", "--fields", "title,parent"]).out;
            let title = format!(
                "{{\"id\":1,\"title\":\"{title}\",\"parent\":2}}\n{{\"id\":2,\"title\":null,\"parent\":null}}\n"
            );
            assert_eq!(all, title, "{flag}");
        }
    });
}

#[test]
fn rows_about_one_record_keep_their_order_among_bad_ones_too() {
    both(|app| {
        let mut rows = "{\"title\":\"bad\",\"note\":77}\n".repeat(6);
        rows.push_str("{\"id\":9,\"note\":77}\n{\"id\":1,\"title\":\"first\",\"parent\":9}\n{\"id\":1,\"title\":\"second\"}\n{\"id\":9}\n");
        app.write("rows.ndjson", &rows);
        let done = app.run(&["import", "pages", "rows.ndjson", "--keep-going", "--on-conflict", "update"]);
        assert_eq!(done.out, "2 imported, 1 updated, 7 bad rows left out.\n", "{}", done.err);
        let first = app.good(&["export", "pages", "--filter", "id == 1", "--fields", "title,parent"]).out;
        assert_eq!(first, "{\"id\":1,\"title\":\"second\",\"parent\":9}\n");
    });
}

#[test]
fn every_kind_of_id_can_be_waited_for() {
    for (kind, child, parent) in [
        ("uuid", "0198c0de-0000-7000-8000-000000000001", "0198C0DE-0000-7000-8000-000000000002"),
        ("string", "jazz", "music"),
    ] {
        for app in [App::notes(), App::notes_on_postgres()] {
            let app = pages_of(app, kind);
            let rows = format!("{{\"id\":\"{child}\",\"parent\":\"{parent}\"}}\n{{\"id\":\"{parent}\"}}\n");
            app.write("rows.ndjson", &rows);
            app.good(&["import", "pages", "rows.ndjson"]);
            let all = app.good(&["export", "pages", "--fields", "parent"]).out;
            let parent = parent.to_ascii_lowercase();
            let both =
                format!("{{\"id\":\"{child}\",\"parent\":\"{parent}\"}}\n{{\"id\":\"{parent}\",\"parent\":null}}\n");
            assert_eq!(all, both);
        }
    }
}

#[test]
fn rules_find_the_parent_that_comes_further_down() {
    both(|app| {
        app.write("resources/pages.toml", &PAGES.replace("[access]", "[validate]\n\"a page lies below its parent\" = \"new.parent == null || new.level == new.parent.level + 1\"\n\n[access]"));
        app.write(
            "rows.ndjson",
            "{\"id\":1,\"level\":2,\"parent\":2}\n{\"id\":2,\"level\":1,\"parent\":3}\n{\"id\":3}\n",
        );
        app.good(&["import", "pages", "rows.ndjson"]);
        app.write("rows.ndjson", "{\"id\":4,\"level\":7,\"parent\":5}\n{\"id\":5}\n");
        let done = app.run(&["import", "pages", "rows.ndjson"]);
        assert!(done.err.contains("rows.ndjson:1: ") && done.err.contains("below its parent"), "{}", done.err);
        assert_eq!(ids(app), [1, 2, 3]);
    });
}

#[test]
fn seeds_may_have_a_child_before_its_parent() {
    both(|app| {
        let mut rows = String::new();
        for id in 1..3000 {
            writeln!(rows, "{{\"id\":{id},\"parent\":{}}}", id + 1).unwrap();
        }
        app.write("seed/pages.ndjson", "{\"id\":1,\"parent\":2}\n\n{\"id\":2,\"near\":[1]}\n");
        let done = app.run(&["seed"]);
        assert_eq!(done.code, 1);
        for told in [
            "seed/pages.ndjson:1: /parent parent names no record\n",
            "seed/pages.ndjson:1: it waits for line 3: lines 1, 3 refer to each other in a circle",
        ] {
            assert!(done.err.contains(told), "{told}\n{}", done.err);
        }
        assert_eq!(ids(app), [] as [i64; 0]);
        app.write("seed/pages.ndjson", &format!("{rows}{{\"id\":3000}}\n"));
        let first = app.good(&["seed", "--json"]).json();
        assert_eq!((&first["loaded"], &first["present"]), (&3000.into(), &0.into()));
        let second = app.good(&["seed", "--json"]).json();
        assert_eq!((&second["loaded"], &second["present"]), (&0.into(), &3000.into()));
    });
}
