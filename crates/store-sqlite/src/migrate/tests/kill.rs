//! A migration that is killed leaves the old database or the new one.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use model::Value;
use rusqlite::Connection;
use store::migration::{
    Database,
    physical::{Id, Type},
    samples::{app, filled, optional, table},
};

use super::{
    shop::{NOW, Shop},
    structure::describe,
};
use crate::migrate::{self, Options};

const VICTIM: &str = "MAINSTAY_TEST_VICTIM";
const ROWS: i64 = 20_000;

fn before() -> Database {
    app(&[table("ants", Id::Uuid, &[optional("x", Type::Integer)])])
}

fn after() -> Database {
    app(&[table("ants", Id::Uuid, &[optional("x", Type::Float), filled("y", Type::Integer, Value::Integer(1))])])
}

fn migrate(path: &Path) {
    let target = after();
    let options = Options { target: &target, scripts: &[], now: NOW, allow_data_loss: false, backup: true };
    migrate::apply(path, &options).unwrap();
}

#[test]
fn a_migration_that_is_killed_leaves_the_old_database_or_the_new_one() {
    let fill = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
         INSERT INTO ants SELECT randomblob(16), i, i FROM n"
    );
    let shop = Shop::with(&before(), &fill);
    let old = describe(&Connection::open(shop.path()).unwrap());
    let pristine = shop.directory().join("pristine.db");
    std::fs::copy(shop.path(), &pristine).unwrap();

    let began = Instant::now();
    assert!(victim(&shop.path()).wait().unwrap().success());
    let whole = began.elapsed();
    let new = describe(&Connection::open(shop.path()).unwrap());
    assert_ne!(old, new);

    let (mut left_old, mut left_new) = (0, 0);
    for round in 0..12_u32 {
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(with_suffix(&shop.path(), suffix));
        }
        std::fs::copy(&pristine, shop.path()).unwrap();
        let mut child = victim(&shop.path());
        thread::sleep(whole * (round + 1) / 12);
        let _ = child.kill();
        child.wait().unwrap();

        let connection = Connection::open(shop.path()).unwrap();
        let healthy: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        let count: i64 = connection.query_row("SELECT count(*) FROM ants", [], |row| row.get(0)).unwrap();
        assert_eq!((healthy.as_str(), count), ("ok", ROWS));
        match describe(&connection) {
            found if found == old => left_old += 1,
            found if found == new => left_new += 1,
            found => panic!("neither old nor new: {found:?}"),
        }
        drop(connection);
        migrate(&shop.path());
        assert_eq!(describe(&Connection::open(shop.path()).unwrap()), new);
    }
    println!("killed 12 times: {left_old} left the old database, {left_new} the new one");
    assert!(left_old > 0);
}

/// This program again, in a process of its own, migrating a database.
fn victim(path: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "migrate::tests::kill::the_victim", "--ignored"])
        .env(VICTIM, path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "is killed by another test, in a process of its own"]
#[expect(clippy::disallowed_methods, reason = "the other test says here which database it is")]
fn the_victim() {
    let Some(path) = std::env::var_os(VICTIM) else { return };
    migrate(&PathBuf::from(path));
    // Killed after the end is killed as well.
    thread::sleep(Duration::from_millis(5));
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
