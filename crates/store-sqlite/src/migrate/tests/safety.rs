//! Backups, scripts, and several at once.

use std::thread;

use store::migration::{
    MigrationError,
    physical::{Column, Id, Table, Type},
    samples::{app, filled, optional, table},
};

use super::{shop::Shop, structure::describe};
use crate::migrate::{self, status};

const TEXT: Type = Type::Text { fold_case: false };

fn ants(columns: &[Column]) -> Table {
    table("ants", Id::Integer, columns)
}

fn with_rows() -> Shop {
    Shop::with(&app(&[ants(&[optional("x", TEXT)])]), "INSERT INTO ants VALUES (1, 1, 'a'), (2, 1, NULL)")
}

#[test]
fn a_database_with_records_is_copied_before_it_changes() {
    let shop = with_rows();
    assert_eq!(shop.backups(), Vec::<String>::new(), "there was nothing in it when it was made");
    let after = app(&[ants(&[optional("x", TEXT), filled("y", Type::Integer, model::Value::Integer(4))])]);

    let backup = shop.migrate(&after).unwrap().backup.unwrap();

    assert_eq!(shop.backups(), ["app.db.backup-20231114T221320Z-1"]);
    assert!(backup.ends_with("app.db.backup-20231114T221320Z-1"));
    let copy = shop.open_backup(&shop.backups()[0]);
    let count: i64 = copy.query_row("SELECT count(*) FROM ants", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 2);
    assert!(copy.prepare("SELECT y FROM ants").is_err(), "the copy is from before");
    let healthy: String = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(healthy, "ok");

    shop.migrate(&app(&[ants(&[optional("x", TEXT)])])).unwrap_err();
    let third = app(&[ants(&[optional("x", TEXT), optional("y", Type::Integer)])]);
    shop.migrate(&third).unwrap();
    assert_eq!(shop.backups().len(), 2, "each has its own name");
}

#[test]
fn without_a_backup_nothing_changes() {
    let shop = with_rows();
    let blocked = shop.directory().join("app.db.backup-20231114T221320Z-1.partial");
    std::fs::create_dir(&blocked).unwrap();
    let after = app(&[ants(&[optional("x", TEXT), optional("y", TEXT)])]);

    assert!(matches!(shop.migrate(&after), Err(MigrationError::Backup { .. })));

    assert_eq!(shop.query("SELECT * FROM ants"), ["1 1 a", "2 1 NULL"]);
    assert!(!shop.plan(&after).is_empty());
}

#[test]
fn scripts_run_once_before_the_checks() {
    let mut shop = with_rows();
    let after = app(&[ants(&[Column { required: true, ..optional("x", TEXT) }])]);
    assert_eq!(shop.plan(&after).refusals().count(), 1);

    shop.script("0001_fill.sql", "UPDATE ants SET x = 'filled', _rev = _rev + 1 WHERE x IS NULL;");
    let plan = shop.plan(&after);
    assert_eq!((plan.scripts.as_slice(), plan.refusals().count()), (["0001_fill".to_owned()].as_slice(), 0));
    assert_eq!(shop.query("SELECT x FROM ants"), ["a", "NULL"], "a plan only tries them");

    assert_eq!(shop.migrate(&after).unwrap().version, 3);
    assert_eq!(shop.query("SELECT x, _rev FROM ants"), ["a 1", "filled 2"]);
    assert_eq!(shop.migrate(&after).unwrap().version, 3);
    let names: Vec<_> = status(&shop.path()).unwrap().applied.into_iter().map(|applied| applied.name).collect();
    assert_eq!(names, ["resources", "0001_fill", "resources"]);

    shop.script("0001_fill.sql", "UPDATE ants SET x = 'other';");
    assert!(matches!(shop.migrate(&after), Err(MigrationError::ChangedScript(name)) if name == "0001_fill"));
}

#[test]
fn a_script_may_split_one_column_in_two() {
    let mut shop = with_rows();
    shop.run("UPDATE ants SET x = 'Ann Lee'");
    shop.script(
        "0001_split.sql",
        "ALTER TABLE ants ADD COLUMN first TEXT; ALTER TABLE ants ADD COLUMN last VARCHAR(9) DEFAULT 'none';
         ALTER TABLE ants ADD COLUMN spare TEXT;
         UPDATE ants SET first = substr(x, 1, instr(x, ' ') - 1), last = substr(x, instr(x, ' ') + 1);
         ALTER TABLE ants DROP COLUMN x;",
    );
    let first = Column { required: true, ..optional("first", TEXT) };
    let after = app(&[ants(&[first, optional("last", Type::Text { fold_case: true })])]);

    let outcome = shop.migrate(&after).unwrap();

    assert_eq!(
        outcome.steps,
        [
            "drop column `spare` of `ants`",
            "take over column `first` of `ants` from a script",
            "take over column `last` of `ants` from a script"
        ]
    );
    assert_eq!(shop.query("SELECT * FROM ants"), ["1 1 Ann Lee", "2 1 Ann Lee"]);
    let made = Shop::with(&after, "");
    let structure = |shop: &Shop| describe(&rusqlite::Connection::open(shop.path()).unwrap());
    assert_eq!(structure(&shop), structure(&made));
}

#[test]
fn a_script_can_not_end_the_transaction_and_fails_whole() {
    for text in [
        "DELETE FROM ants; COMMIT; SELECT 1;",
        "DELETE FROM ants; SELECT * FROM nowhere;",
        "DELETE FROM ants; ROLLBACK",
    ] {
        let mut shop = with_rows();
        shop.script("0001_bad.sql", text);
        assert!(matches!(shop.migrate(&app(&[ants(&[optional("x", TEXT)])])), Err(MigrationError::Script { .. })));
        assert_eq!(shop.query("SELECT count(*) FROM ants"), ["2"], "{text}");
    }
}

#[test]
fn in_a_new_database_scripts_follow_the_tables() {
    let mut shop = with_rows();
    shop.script("0001_fill.sql", "UPDATE ants SET x = 'filled' WHERE x IS NULL;");
    let target = app(&[ants(&[optional("x", TEXT)])]);
    let path = shop.directory().join("new.db");
    assert_eq!(migrate::apply(&path, &shop.options(&target)).unwrap().scripts, ["0001_fill"]);
    assert!(migrate::plan(&path, &shop.options(&target)).unwrap().is_empty());
}

#[test]
fn a_new_database_leaves_out_what_is_about_older_tables() {
    let mut shop = with_rows();
    shop.script("0001_split.sql", "INSERT INTO ants VALUES (9, 9, 'x'); UPDATE ants SET x = gone;");
    shop.script("0002_again.sql", "ALTER TABLE ants ADD COLUMN x TEXT;");
    shop.script("0003_index.sql", "CREATE INDEX own ON ants (x);");
    let target = app(&[ants(&[optional("x", TEXT)])]);
    let path = shop.directory().join("new.db");

    let outcome = migrate::apply(&path, &shop.options(&target)).unwrap();

    assert!(outcome.left_out[0].starts_with("0001_split: no such column: gone"), "{:?}", outcome.left_out);
    assert_eq!(outcome.left_out[1..], ["0002_again: duplicate column name: x"]);
    let connection = rusqlite::Connection::open(&path).unwrap();
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM ants"), 0, "left out whole");
    assert_eq!(count("SELECT count(*) FROM sqlite_master WHERE name = 'own'"), 1);
    assert!(migrate::plan(&path, &shop.options(&target)).unwrap().is_empty());

    shop.script("0004_wrong.sql", "NONSENSE;");
    let other = shop.directory().join("other.db");
    assert!(matches!(migrate::apply(&other, &shop.options(&target)), Err(MigrationError::Script { .. })));
    assert_eq!(status(&other).unwrap().version(), 0, "anything else that is wrong stops all");
}

#[test]
fn triggers_and_indexes_of_scripts_survive_a_rebuild() {
    let shop = with_rows();
    shop.run(
        "CREATE INDEX own ON ants (x) WHERE x IS NOT NULL; CREATE VIEW seen AS SELECT x FROM ants;
         CREATE TABLE log (x); CREATE TRIGGER keep AFTER UPDATE ON ants BEGIN INSERT INTO log VALUES (old.x); END",
    );
    let after = app(&[ants(&[optional("x", TEXT), filled("y", TEXT, model::Value::text("y"))])]);
    shop.migrate(&after).unwrap();
    shop.run("UPDATE ants SET x = 'b' WHERE id = 1");
    assert_eq!(shop.query("SELECT * FROM log"), ["a"]);
    assert_eq!(shop.query("SELECT * FROM seen"), ["b", "NULL"]);
    assert_eq!(shop.query("SELECT count(*) FROM sqlite_master WHERE name = 'own'"), ["1"]);
}

#[test]
fn of_several_that_migrate_at_once_one_does_it() {
    let shop = with_rows();
    let after = app(&[ants(&[optional("x", TEXT), filled("y", TEXT, model::Value::text("y"))])]);
    let done: usize = thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(|| shop.migrate(&after).unwrap().steps.len())).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert_eq!(done, 1);
    assert_eq!(status(&shop.path()).unwrap().version(), 2);
}

#[test]
fn a_newer_programs_database_is_left_alone() {
    let shop = with_rows();
    shop.run("UPDATE _migrations SET schema = '{\"system\": 99, \"tables\": []}'");
    assert!(matches!(shop.migrate(&app(&[])), Err(MigrationError::Newer)));
}

#[test]
fn a_look_at_a_database_that_is_not_there_makes_none() {
    let shop = with_rows();
    let path = shop.directory().join("nowhere.db");
    assert_eq!(status(&path).unwrap().version(), 0);
    let target = app(&[ants(&[])]);
    let plan = migrate::plan(&path, &shop.options(&target)).unwrap();
    assert_eq!(plan.steps.len(), 2);
    assert!(plan.is_safe());
    assert!(!path.exists());
}
