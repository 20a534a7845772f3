//! `mainstay import` and `mainstay export`

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use crate::support::{App, Done, NOTES};

const GOODS: &str = "id = \"integer\"\n\n[fields]\nname = { type = \"string\", required = true, max = 50 }\n\
    code = { type = \"string\", unique = true }\nprice = { type = \"decimal\", precision = 8, scale = 2, min = \"0\" }\n\
    stock = { type = \"integer\", default = 7 }\nweight = { type = \"float\" }\nfresh = { type = \"boolean\" }\n\
    best_by = { type = \"date\" }\nlabels = { type = \"string\", list = true }\nmeta = { type = \"json\" }\n\
    text = { type = \"text\" }\nnote = { type = \"reference\", to = \"notes\" }\nsecret = { type = \"string\", hidden = true }\n\n\
    [access]\nread = \"false\"\n";

fn goods(mut_app: App) -> App {
    mut_app.write("resources/goods.toml", GOODS);
    mut_app.good(&["migrate", "apply"]);
    mut_app
}

fn both(story: impl Fn(&App)) {
    for app in [App::notes(), App::notes_on_postgres()] {
        story(&goods(app));
    }
}

fn with_input(app: &App, arguments: &[&str], input: &[u8]) -> Done {
    let mut command: Command = app.command(arguments);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let bytes = input.to_owned();
    let writing = std::thread::spawn(move || drop(stdin.write_all(&bytes)));
    let output = process.wait_with_output().unwrap();
    writing.join().unwrap();
    Done {
        code: output.status.code().expect("the command was killed"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn ids(app: &App) -> Vec<i64> {
    let all = app.good(&["export", "goods", "--fields", "id"]).out;
    all.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_i64().unwrap()).collect()
}

#[test]
fn what_is_exported_can_be_imported_again_whatever_the_form() {
    both(|app| {
        let lines = "{\"id\":1,\"name\":\"say \\\"a\\\", b\",\"code\":\"\",\"price\":\"1.50\",\"weight\":0.1,\"fresh\":true,\"labels\":[\"x,y\",\"\"],\"meta\":{\"a\":[1,null]},\"text\":\"two\\r\\nlines\",\"secret\":\"s\"}\n\
                     {\"id\":5,\"name\":\"=1+1\",\"best_by\":\"2026-02-03\",\"stock\":-3}\n";
        // JSON that is a string is no other JSON, whatever stands in it.
        let strings = ["1", "true", "null", "[1,2]", "plain", "", "a \\\"b\\\", c"].iter().enumerate();
        let strings =
            strings.map(|(place, text)| format!("{{\"id\":{},\"name\":\"j\",\"meta\":\"{text}\"}}\n", place + 10));
        app.write("goods.ndjson", &(lines.to_owned() + &strings.collect::<String>()));
        assert_eq!(app.good(&["import", "goods", "goods.ndjson", "--json"]).json()["created"], 9);
        let whole = app.good(&["export", "goods"]).out;
        assert!(!whole.contains("secret") && whole.contains("two\\r\\nlines"), "{whole}");
        for format in ["csv", "ndjson"] {
            let file = format!("out.{format}");
            let told = app.good(&["export", "goods", "-o", &file]);
            assert_eq!((told.out.as_str(), told.err.as_str()), ("", &*format!("9 records in {file}\n")));
            assert!(!fs::read_to_string(app.path().join(&file)).unwrap().contains("secret"));
            // Another app: the same records come out of it.
            let other = goods(App::notes());
            fs::copy(app.path().join(&file), other.path().join(&file)).unwrap();
            other.good(&["import", "goods", &file]);
            assert_eq!(other.good(&["export", "goods"]).out, whole, "{format}");
            let again = other.good(&["import", "goods", &file, "--on-conflict", "skip", "--json"]).json();
            assert_eq!((&again["created"], &again["present"]), (&0.into(), &9.into()));
        }
        let some = app.good(&[
            "export",
            "goods",
            "--filter",
            "stock < 0",
            "--fields",
            "name,stock",
            "--sort",
            "-id",
            "--format",
            "csv",
            "--spreadsheet",
        ]);
        assert_eq!(some.out, "id,name,stock\r\n5,'=1+1,-3\r\n");
        assert!(app.run(&["export", "goods", "--fields", "secret"]).err.contains("has no field `secret`"));
        assert!(app.run(&["export", "gods"]).err.contains("did you mean `goods`?"));
        let wrong = app.run(&["export", "goods", "--filter", "stock > 'a'"]);
        assert!(wrong.code == 1 && wrong.err.contains("at character 9"), "{}", wrong.err);
    });
}

#[test]
fn a_bad_row_is_told_with_its_line_and_nothing_is_imported() {
    both(|app| {
        for (rows, told) in [
            (
                "{\"name\":\"a\"}\n{\"nam\":\"b\"}\n",
                "rows.ndjson:2: /nam: goods has no field `nam`, did you mean `name`?",
            ),
            ("{\"name\":\"a\"}\n\n{\"name\":\"b\",\"stock\":\"1\"}\n", "rows.ndjson:3: /stock: "),
            ("{\"name\":\"a\",\"code\":\"x\"}\n{\"name\":\"b\",\"code\":\"x\"}\n", "rows.ndjson:2: /code: "),
            ("{\"name\":\"a\"}\n{\"name\":\"b\",\"note\":99}\n", "rows.ndjson:2: /note: "),
            ("{\"id\":1,\"name\":\"a\"}\n{\"id\":1,\"name\":\"b\"}\n", "rows.ndjson:2: /id: "),
            ("{\"name\":\"a\"}\n{\"name\":", "rows.ndjson:2: column"),
            ("{\"name\":\"a\"}\n[1]", "rows.ndjson:2: this is no object"),
        ] {
            app.write("rows.ndjson", rows);
            let done = app.run(&["import", "goods", "rows.ndjson"]);
            assert_eq!(done.code, 1, "{rows}");
            assert!(done.err.contains(told), "{rows}: {}", done.err);
            assert!(done.err.contains("1 bad row; nothing was imported"), "{rows}: {}", done.err);
            assert_eq!(ids(app), [] as [i64; 0], "{rows}");
        }
        // One far behind takes back what was written long before it.
        let mut rows: String =
            (0..5000).map(|number| format!("{{\"name\":\"n{number}\",\"code\":\"c{number}\"}}\n")).collect();
        rows.push_str("{\"name\":\"late\",\"code\":\"c3\"}\n");
        app.write("rows.ndjson", &rows);
        let done = app.run(&["import", "goods", "rows.ndjson"]);
        assert!(done.err.contains("rows.ndjson:5001: /code: "), "{}", done.err);
        assert_eq!(ids(app), [] as [i64; 0]);
    });
}

#[test]
fn with_keep_going_bad_rows_are_left_out_and_the_rest_goes_in() {
    both(|app| {
        let mut rows = "name,code,stock\r\n".to_owned();
        for number in 0..3000 {
            match number {
                10 => rows.push_str("too,many,1,2\n"),
                20 => rows.push_str(",no name,1\n"),
                30..40 => rows.push_str("taken,c5,1\n"),
                50 => rows.push_str("\"b\"ad,x,1\n"),
                60 => rows.push_str("not a number,y,one\n"),
                _ => rows.push_str(&format!("n{number},c{number},{number}\n")),
            }
        }
        app.write("rows.csv", &rows);
        let done = app.run(&["import", "goods", "rows.csv", "--keep-going", "--json"]);
        assert_eq!(done.code, 1);
        assert_eq!((&done.json()["created"], &done.json()["bad"]), (&2986.into(), &14.into()), "{}", done.err);
        for told in [
            "rows.csv:12: the row has 4 cells; the header has 3",
            "rows.csv:22: /name: ",
            "rows.csv:32: /code: ",
            "rows.csv:41: /code: ",
            "rows.csv:52: text behind a closing quote",
            "rows.csv:62: /stock: ",
        ] {
            assert!(done.err.contains(told), "{told}\n{}", done.err);
        }
        assert_eq!(ids(app).len(), 2986);
        // What is given later does not collide.
        app.write("more.csv", "name\nlater\n");
        app.good(&["import", "goods", "more.csv"]);
        assert_eq!(ids(app).len(), 2987);
    });
}

#[test]
fn records_that_are_there_are_refused_skipped_or_updated() {
    both(|app| {
        app.write("first.csv", "id,name,price,stock\n1,a,1.00,1\n2,b,2.00,\n");
        app.good(&["import", "goods", "first.csv"]);
        app.write("second.csv", "id,price,name\n2,20,\n3,30,c\n");
        let refused = app.run(&["import", "goods", "second.csv"]);
        assert!(refused.code == 1 && refused.err.contains("second.csv:2: "), "{}", refused.err);
        app.write("skip.csv", "id,price,name\n2,20,x\n3,30,c\n3,31,c\n");
        let skipped = app.good(&["import", "goods", "skip.csv", "--on-conflict", "skip"]);
        assert_eq!(skipped.out, "1 imported, 2 were there already.\n");
        app.write("update.csv", "id,price,name\n2,20,\n3,33,\n4,4,d\n4,40,\n");
        let updated = app.good(&["import", "goods", "update.csv", "--on-conflict", "update"]);
        assert_eq!(updated.out, "1 imported, 3 updated.\n");
        let all = app.good(&["export", "goods", "--fields", "name,price,stock", "--format", "csv"]).out;
        assert_eq!(all, "id,name,price,stock\r\n1,a,1.00,1\r\n2,b,20.00,7\r\n3,c,33.00,7\r\n4,d,40.00,7\r\n");
        let nameless = with_input(
            app,
            &["import", "goods", "-", "--format", "csv", "--on-conflict", "update"],
            b"id,price\n9,9\n",
        );
        assert!(nameless.err.contains("standard input:2: /name: "), "{}", nameless.err);
    });
}

#[test]
fn files_that_are_no_utf_8_are_named_for_what_they_are() {
    let app = goods(App::notes());
    let text = "name,stock\r\nkäse,1\r\nbrot,2\r\n";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin: Vec<u8> = text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
    let import = |bytes: &[u8]| with_input(&app, &["import", "goods", "-", "--format", "csv"], bytes);
    for (bytes, told) in [
        ([b"\xff\xfe", utf16.as_slice()].concat(), "UTF-16 (little-endian)"),
        (utf16, "looks like UTF-16"),
        (latin, "standard input:2: /name: no UTF-8: byte 0xE4 at character 2; if the file is in Latin-1"),
        (b"\x1f\x8b\x08\x00".to_vec(), "compressed with gzip"),
        (b"PK\x03\x04".to_vec(), "a spreadsheet"),
        (Vec::new(), "standard input is empty"),
        (b"name;stock\nkase;1\n".to_vec(), "--delimiter ';'"),
        (b"nmae,stock\nkase,1\n".to_vec(), "did you mean `name`?"),
        (b"name,name\nkase,1\n".to_vec(), "stands twice"),
        (b"name\n\"never closed\n".to_vec(), "standard input:2: a quote that is never closed"),
    ] {
        let done = import(&bytes);
        assert_eq!(done.code, 1);
        assert!(done.err.contains(told), "{told}: {}", done.err);
    }
    assert_eq!(import(b"\xef\xbb\xbfname,stock\r\n\r\nbrot,2").out, "1 imported.\n");
    let tabs = with_input(
        &app,
        &["import", "goods", "-", "--format", "csv", "--delimiter", "tab"],
        b"name\tstock\nwurst\t3\n",
    );
    assert_eq!(tabs.code, 0, "{}", tabs.err);
}

#[test]
fn a_row_of_a_hundred_megabytes_is_refused_in_bounded_memory() {
    let app = App::notes();
    app.good(&["migrate", "apply"]);
    let long = vec![b'x'; 100 << 20];
    let commas = vec![b','; 100 << 20];
    for (begin, middle, format) in
        [("title\n\"", &long, "csv"), ("title\n", &commas, "csv"), ("{\"title\":\"", &long, "ndjson")]
    {
        let end: &[u8] = if format == "csv" { b"\"\nshort\n" } else { b"\"}\n{\"title\":\"short\"}\n" };
        let file = app.path().join("long");
        let mut bytes = begin.as_bytes().to_vec();
        bytes.extend_from_slice(middle);
        bytes.extend_from_slice(if middle[0] == b',' { b"\nshort\n" } else { end });
        fs::write(&file, &bytes).unwrap();
        drop(bytes);
        let script = "ulimit -v 1500000; exec \"$0\" import notes long --keep-going --json --format \"$1\"";
        let output = Command::new("sh")
            .args(["-c", script, env!("CARGO_BIN_EXE_mainstay"), format])
            .current_dir(app.path())
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(out.contains("\"created\": 1") && out.contains("\"bad\": 1"), "{format}: {out} {err}");
        assert!(
            err.contains("the row has more than 16 MiB")
                || err.contains("the line has more than 16 MiB")
                || err.contains("cells; the header has 1"),
            "{err}"
        );
    }
}

#[test]
fn an_export_that_fails_leaves_no_file_behind() {
    let app = App::notes();
    app.write("resources/notes.toml", NOTES);
    app.good(&["migrate", "apply"]);
    let done = app.run(&["export", "notes", "--sort", "nothing", "-o", "out.csv"]);
    assert_eq!(done.code, 1);
    assert!(!app.path().join("out.csv").exists());
    assert!(app.run(&["export", "notes", "-o", "no/such/directory/out.csv"]).err.contains("no/such/directory"));
}
