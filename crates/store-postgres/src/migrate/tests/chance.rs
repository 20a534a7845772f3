//! Whatever becomes of a database: afterwards it is as if it had been made so, or as it was before.

use std::collections::BTreeSet;

use store::migration::{
    Database, MigrationError,
    physical::{Column, Id, Table},
    samples::{self, Chance},
};
use tokio_postgres::Client;

use super::{structure::describe, town::Town};
use crate::migrate::{
    Options, apply,
    convert::value_literal,
    ddl::{create_all, quote},
    plan,
};

/// How many pairs are tried, unless `MAINSTAY_TEST_PAIRS` says otherwise.
const PAIRS: u64 = 30;

#[tokio::test]
async fn a_migrated_database_is_like_one_made_anew_and_keeps_its_records() {
    let town = Town::new().await;
    let mut client = town.client().await;
    let (mut applied, mut refused) = (0, 0);
    for seed in 0..pairs() {
        let mut chance = Chance::new(seed);
        let before = samples::database(&mut chance);
        let after = samples::evolve(&mut chance, &before);
        let (old, new) = (fresh(&client, &before).await, fresh(&client, &after).await);
        raze(&client).await;
        migrate(&mut client, &before).await.unwrap();
        let with_rows = chance.once_in(2);
        if with_rows {
            for table in &before.tables {
                insert(&mut chance, &client, table).await;
            }
        }
        let counts = count(&client, &before).await;
        match migrate(&mut client, &after).await {
            Ok(()) => {
                applied += 1;
                assert_eq!(describe(&client).await, new, "seed {seed}");
                for (name, id, count) in &counts {
                    if after.table(name).is_some_and(|table| table.id == *id) {
                        assert_eq!(rows(&client, name).await, *count, "seed {seed}, {name}");
                    }
                }
                assert!(
                    plan(&mut client, &options(&after)).await.unwrap().is_empty(),
                    "seed {seed}: nothing is left to do"
                );
            }
            Err(MigrationError::Refused(refusals)) => {
                refused += 1;
                assert!(with_rows, "seed {seed}: nothing can be refused in empty tables: {refusals:?}");
                assert_eq!(describe(&client).await, old, "seed {seed}");
                assert_eq!(count(&client, &before).await, counts, "seed {seed}");
            }
            Err(other) => panic!("seed {seed}: {other}: {:?}", std::error::Error::source(&other)),
        }
    }
    assert!(applied > 15 && refused > 0, "{applied} applied, {refused} refused");
    println!("{applied} applied, {refused} refused");
    drop(client);
    town.drop().await;
}

#[expect(clippy::disallowed_methods, reason = "tests say here how long they run")]
fn pairs() -> u64 {
    std::env::var("MAINSTAY_TEST_PAIRS").ok().and_then(|pairs| pairs.parse().ok()).unwrap_or(PAIRS)
}

fn options(target: &Database) -> Options<'_> {
    Options { target, scripts: &[], now: 1_700_000_000_000_000, allow_data_loss: true }
}

async fn migrate(client: &mut Client, target: &Database) -> Result<(), MigrationError> {
    apply(client, &options(target)).await.map(drop)
}

async fn raze(client: &Client) {
    client.batch_execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await.unwrap();
}

async fn fresh(client: &Client, target: &Database) -> BTreeSet<String> {
    raze(client).await;
    client.batch_execute(&create_all(target).join(";\n")).await.unwrap();
    describe(client).await
}

async fn count(client: &Client, database: &Database) -> Vec<(String, Id, i64)> {
    let mut counts = Vec::new();
    for table in &database.tables {
        counts.push((table.name.clone(), table.id, rows(client, &table.name).await));
    }
    counts
}

async fn rows(client: &Client, table: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) FROM {}", quote(table)), &[]).await.unwrap().get(0)
}

async fn insert(chance: &mut Chance, client: &Client, table: &Table) {
    for number in 1..=chance.below(4) {
        let id = match table.id {
            Id::Integer => number.to_string(),
            Id::String => format!("'id{number}'"),
            Id::Uuid => format!("'{}'", uuid::Uuid::from_u128(number as u128)),
        };
        let (mut names, mut values) = (vec!["\"id\"".to_owned(), "\"_rev\"".to_owned()], vec![id, "1".to_owned()]);
        for column in &table.columns {
            names.push(quote(&column.name));
            values.push(value_literal(&value(chance, column), column));
        }
        let sql = format!(
            "INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING",
            quote(&table.name),
            names.join(", "),
            values.join(", ")
        );
        client.batch_execute(&sql).await.unwrap();
    }
}

/// A value of the column; references stay null, optional values often.
fn value(chance: &mut Chance, column: &Column) -> model::Value {
    match (column.references.is_some(), column.list) {
        (true, _) => model::Value::Null,
        _ if !column.required && chance.once_in(3) => model::Value::Null,
        (_, true) => model::Value::List(vec![samples::value(chance, column.kind)]),
        _ => samples::value(chance, column.kind),
    }
}
