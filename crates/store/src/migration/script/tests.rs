//! Which scripts run, and which are refused.

use std::fs;

use super::*;

#[test]
fn words_in_strings_comments_and_functions_do_not_end_the_transaction() {
    let harmless =
        "UPDATE a SET b = 'x; COMMIT'; -- COMMIT;\n/* ; BEGIN /* ; */ ; END */ SELECT E'\\'; COMMIT;', \";COMMIT\";
        CREATE FUNCTION f() RETURNS int AS $body$ BEGIN; COMMIT; END $body$ LANGUAGE plpgsql; DO $$ BEGIN; END $$;";
    assert_eq!(transaction_control(harmless), None);
}

#[test]
fn a_commit_is_found_wherever_it_hides() {
    for sql in [
        "commit",
        "SELECT 1; Commit;",
        "/* */ SELECT 'a''b'; -- x\n rollback to a",
        "SELECT $1$;BEGIN",
        "start transaction",
    ] {
        assert!(transaction_control(sql).is_some(), "{sql}");
    }
}

#[test]
fn scripts_run_in_the_order_of_their_numbers_and_only_once() {
    let directory = std::env::temp_dir().join(format!("mainstay-scripts-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    for (file, text) in [("0010_b.sql", "B"), ("0002_a.sql", "A\r\n"), ("README.md", "")] {
        fs::write(directory.join(file), text).unwrap();
    }
    let scripts = read(&directory).unwrap();
    assert_eq!(scripts.iter().map(|script| script.name.as_str()).collect::<Vec<_>>(), ["0002_a", "0010_b"]);

    let ran = vec![("0002_a".to_owned(), checksum("A\n"))];
    assert_eq!(pending(&scripts, &ran).unwrap(), [&scripts[1]], "line ends do not count");

    let changed = vec![("0002_a".to_owned(), checksum("AA"))];
    assert!(matches!(pending(&scripts, &changed), Err(MigrationError::ChangedScript(name)) if name == "0002_a"));

    fs::write(directory.join("0010_c.sql"), "C").unwrap();
    assert!(matches!(read(&directory), Err(MigrationError::BadScript { .. })), "two with one number");
    fs::write(directory.join("x.sql"), "C").unwrap();
    assert!(matches!(read(&directory), Err(MigrationError::BadScript { .. })), "no number");
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn no_directory_means_no_scripts() {
    assert_eq!(read(Path::new("/nowhere/at/all")).unwrap(), []);
}
