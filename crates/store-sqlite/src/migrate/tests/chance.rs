//! Whatever becomes of a database: afterwards it is as if it had been made so, or as it was before.

use std::path::Path;

use rusqlite::Connection;
use store::migration::{
    Database, MigrationError,
    physical::{Column, Fill, Id, Table},
    samples::{self, Chance},
};

use super::structure::describe;
use crate::migrate::{Options, apply, convert, ddl::quote};

/// How many pairs are tried, unless `MAINSTAY_TEST_PAIRS` says otherwise.
const PAIRS: u64 = 100;

#[test]
fn a_migrated_database_is_like_one_made_anew_and_keeps_its_records() {
    let directory = tempfile::tempdir().unwrap();
    let (mut applied, mut refused) = (0, 0);
    for seed in 0..pairs() {
        let mut chance = Chance::new(seed);
        let before = samples::database(&mut chance);
        let after = samples::evolve(&mut chance, &before);
        let path = directory.path().join(format!("{seed}.db"));
        migrate(&path, &before).unwrap();
        let with_rows = chance.once_in(2);
        if with_rows {
            before.tables.iter().for_each(|table| insert(&mut chance, &path, table));
        }
        let counts = count(&path, &before);
        match migrate(&path, &after) {
            Ok(()) => {
                applied += 1;
                assert_eq!(structure(&path), fresh(&after), "seed {seed}");
                for ((name, id, count), _) in counts.iter().zip(&before.tables) {
                    let kept = after.table(name).is_some_and(|table| table.id == *id);
                    let now = after.table(name).map(|table| rows(&path, &table.name));
                    assert_eq!(now.unwrap_or(0), if kept { *count } else { 0 }, "seed {seed}, {name}");
                }
                migrate(&path, &after).unwrap();
                assert!(
                    crate::migrate::plan(&path, &options(&after)).unwrap().is_empty(),
                    "seed {seed}: nothing is left to do"
                );
            }
            Err(MigrationError::Refused(refusals)) => {
                refused += 1;
                assert!(with_rows, "seed {seed}: nothing can be refused in empty tables: {refusals:?}");
                assert_eq!(structure(&path), fresh(&before), "seed {seed}");
                assert_eq!(count(&path, &before), counts, "seed {seed}");
            }
            Err(other) => {
                panic!("seed {seed}: {other}: {:?}", std::error::Error::source(&other).map(ToString::to_string))
            }
        }
    }
    assert!(applied > 50 && refused > 5, "{applied} applied, {refused} refused");
    println!("{applied} applied, {refused} refused");
}

#[expect(clippy::disallowed_methods, reason = "tests say here how long they run")]
fn pairs() -> u64 {
    std::env::var("MAINSTAY_TEST_PAIRS").ok().and_then(|pairs| pairs.parse().ok()).unwrap_or(PAIRS)
}

fn options(target: &Database) -> Options<'_> {
    Options { target, scripts: &[], now: 1_700_000_000_000_000, allow_data_loss: true, backup: false }
}

fn migrate(path: &Path, target: &Database) -> Result<(), MigrationError> {
    apply(path, &options(target)).map(drop)
}

fn structure(path: &Path) -> std::collections::BTreeSet<String> {
    describe(&Connection::open(path).unwrap())
}

fn fresh(target: &Database) -> std::collections::BTreeSet<String> {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&crate::migrate::ddl::create_all(target).join(";")).unwrap();
    describe(&connection)
}

fn count(path: &Path, database: &Database) -> Vec<(String, Id, i64)> {
    database.tables.iter().map(|table| (table.name.clone(), table.id, rows(path, &table.name))).collect()
}

fn rows(path: &Path, table: &str) -> i64 {
    let connection = Connection::open(path).unwrap();
    connection.query_row(&format!("SELECT count(*) FROM {}", quote(table)), [], |row| row.get(0)).unwrap()
}

fn insert(chance: &mut Chance, path: &Path, table: &Table) {
    let connection = Connection::open(path).unwrap();
    for number in 1..=chance.below(4) {
        let id = match table.id {
            Id::Integer => number.to_string(),
            Id::String => format!("'id{number}'"),
            Id::Uuid => format!("X'{number:032x}'"),
        };
        let (mut names, mut values) =
            (vec!["\"id\"".to_owned(), "\"_rev\"".to_owned()], vec![id.clone(), "1".to_owned()]);
        for column in &table.columns {
            names.push(quote(&column.name));
            values.push(literal(chance, column));
        }
        let sql = format!(
            "INSERT OR IGNORE INTO {} ({}) VALUES ({})",
            quote(&table.name),
            names.join(", "),
            values.join(", ")
        );
        connection.execute_batch(&sql).unwrap();
    }
}

/// A value of the column as SQL; references stay null, optional values often.
fn literal(chance: &mut Chance, column: &Column) -> String {
    let mut column = column.clone();
    column.origin.fill = match (column.references.is_some(), column.list) {
        (true, _) => Fill::Nothing,
        _ if !column.required && chance.once_in(3) => Fill::Nothing,
        (_, true) => Fill::Value(model::Value::List(vec![samples::value(chance, column.kind)])),
        _ => Fill::Value(samples::value(chance, column.kind)),
    };
    convert::fill(&column, 0)
}
