//! Creations that share a transaction, and don't know of it.

#![expect(clippy::expect_used, reason = "a test that can't begin has failed")]

mod database;
#[expect(dead_code, reason = "each binary has troubles of its own")]
mod network;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use database::{Database, connect};
use model::{Code, Problem, Record, Value};
use network::Network;
use store::conformance::{schema::schema, world::World};
use store_postgres::PostgresStore;
use tokio::task::JoinSet;
use tokio_postgres::Client;

/// A world whose store has a lane for every four connections, one at least: whoever finds them taken shares.
async fn open(size: usize) -> (World, Database, Client) {
    let database = Database::create(&schema()).await;
    let store = PostgresStore::open(&database.url, size).await.expect("a store");
    let client = connect(&database.url).await;
    (World::new(Arc::new(store)), database, client)
}

async fn leave(world: World, database: Database) {
    world.store.close().await;
    database.remove().await;
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.expect("an answer").get(0)
}

async fn visit(world: &World, guest: &Value, page: &str) -> Value {
    let values = [("guest", guest.clone()), ("page", Value::text(page))];
    world.stranger().create("visits", &values).await.id().clone()
}

/// Creates all these visits at once; what became of each, by its page.
async fn all_at_once(world: &World, guest: &Value, pages: &[String]) -> BTreeMap<String, Result<Record, Problem>> {
    let mut tasks = JoinSet::new();
    for page in pages {
        let (world, guest, page) = (world.clone(), guest.clone(), page.clone());
        tasks.spawn(async move {
            let made = world.stranger().try_create("visits", &[("guest", guest), ("page", Value::text(&page))]).await;
            (page, made)
        });
    }
    tasks.join_all().await.into_iter().collect()
}

fn pages(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("page {number:03}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_come_meanwhile_share_a_transaction_and_each_has_its_own_record() {
    let (world, database, client) = open(2).await;
    let guest = world.person("Ann").await;
    let made = all_at_once(&world, &guest, &pages(200)).await;
    for (page, made) in &made {
        let record = made.as_ref().unwrap_or_else(|problem| panic!("{page}: {problem:?}"));
        let found = world.get("visits", record.id()).await.expect("it is there");
        assert_eq!(found["page"], page.as_str());
        assert!(record.revision > 0);
    }
    assert_eq!(number(&client, "SELECT count(DISTINCT id) FROM visits").await, 200);
    let of_visits = "FROM _events WHERE resource = 'visits'";
    assert_eq!(number(&client, &format!("SELECT count(DISTINCT record) {of_visits}")).await, 200);
    // They did share: far fewer transactions than records.
    let transactions = number(&client, &format!("SELECT count(DISTINCT xid) {of_visits}")).await;
    assert!(transactions < 100, "{transactions} transactions");
    let log = world.log(201).await;
    assert_eq!(log.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), (1..=201).collect::<Vec<_>>());
    leave(world, database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_fails_is_told_so_and_the_others_are_made() {
    let (world, database, client) = open(2).await;
    let guest = world.person("Ann").await;
    let mut wanted = pages(120);
    // Each of these is there twice: one of the two is made.
    wanted.extend_from_slice(&pages(20));
    let nobody = Value::Uuid(uuid::Uuid::from_u128(7));
    let mut tasks = JoinSet::new();
    for (place, page) in wanted.into_iter().enumerate() {
        let guest = if place % 10 == 9 { nobody.clone() } else { guest.clone() };
        let world = world.clone();
        tasks.spawn(async move {
            let made = world.stranger().try_create("visits", &[("guest", guest), ("page", Value::text(page))]).await;
            (place, made.map_err(|problem| problem.code))
        });
    }
    let made: BTreeMap<usize, Result<Record, Code>> = tasks.join_all().await.into_iter().collect();
    for place in 0..140_usize {
        let twin = if place < 20 { place + 120 } else { place.wrapping_sub(120) };
        match &made[&place] {
            Err(code) if place % 10 == 9 => assert_eq!(*code, Code::MissingReference, "{place}"),
            Err(code) => {
                assert_eq!(*code, Code::Conflict, "{place}");
                assert!(made[&twin].is_ok(), "neither {place} nor {twin} was made");
            }
            Ok(_) => assert!(place % 10 != 9 && made.get(&twin).is_none_or(Result::is_err), "{place}"),
        }
    }
    assert_eq!(number(&client, "SELECT count(*) FROM visits").await, 108);
    assert_eq!(number(&client, "SELECT count(*) FROM _events WHERE resource = 'visits'").await, 108);
    leave(world, database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_locked_holds_up_those_who_need_it_and_no_others() {
    let (world, database, client) = open(8).await;
    let (ann, bob) = (world.person("Ann").await, world.person("Bob").await);
    client.batch_execute("BEGIN; SELECT FROM people WHERE name = 'Bob' FOR UPDATE").await.expect("a lock");
    let held: Vec<_> = (0..3)
        .map(|number| {
            let (world, bob) = (world.clone(), bob.clone());
            tokio::spawn(async move { visit(&world, &bob, &format!("held {number}")).await })
        })
        .collect();
    let made = tokio::time::timeout(Duration::from_secs(3), all_at_once(&world, &ann, &pages(100))).await;
    assert!(made.expect("nobody waits for Bob").values().all(Result::is_ok));
    assert!(held.iter().all(|task| !task.is_finished()));
    client.batch_execute("ROLLBACK").await.expect("unlocked");
    for task in held {
        task.await.expect("it is made");
    }
    assert_eq!(number(&client, "SELECT count(*) FROM visits").await, 103);
    leave(world, database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_hangs_up_takes_nobody_along() {
    let (world, database, client) = open(2).await;
    let guest = world.person("Ann").await;
    for round in 0..10 {
        let mut gone = JoinSet::new();
        let mut stay = JoinSet::new();
        for place in 0..40 {
            let (world, guest, page) = (world.clone(), guest.clone(), format!("{round} {place}"));
            let tasks = if place % 2 == 0 { &mut gone } else { &mut stay };
            tasks.spawn(async move { visit(&world, &guest, &page).await });
        }
        tokio::time::sleep(Duration::from_millis(round)).await;
        gone.shutdown().await;
        assert_eq!(stay.join_all().await.into_iter().map(|id| store::id_text(&id)).collect::<BTreeSet<_>>().len(), 20);
    }
    // What is in the database is whole: a record and its entry, once.
    visit(&world, &guest, "after").await;
    let records = number(&client, "SELECT count(*) FROM visits").await;
    assert!((201..=401).contains(&records), "{records}");
    assert_eq!(number(&client, "SELECT count(*) FROM _events WHERE resource = 'visits'").await, records);
    leave(world, database).await;
}

/// Writes much, while somebody makes trouble: what was acknowledged is there, and nothing is there twice.
async fn nothing_is_lost_or_doubled(world: &World, client: &Client, trouble: impl AsyncFn() -> i64) {
    let guest = world.person("Ann").await;
    let mut writers = JoinSet::new();
    for writer in 0..32 {
        let (world, guest) = (world.stranger(), guest.clone());
        writers.spawn(async move {
            let mut acknowledged = Vec::new();
            for number in 0..60 {
                // The note isn't unique, so that one made twice would be there twice: the page of another try is another.
                let note = format!("w{writer} n{number}");
                let page = Value::text(format!("{note} {}", rand::random::<u64>()));
                let values = [("guest", guest.clone()), ("page", page), ("note", Value::text(&note))];
                match world.try_create("visits", &values).await {
                    Ok(_) => acknowledged.push(note),
                    Err(problem) => assert_eq!(problem.code, Code::Unavailable, "{problem:?}"),
                }
            }
            acknowledged
        });
    }
    let (mut troubles, mut acknowledged) = (0, Vec::new());
    while !writers.is_empty() {
        troubles += trouble().await;
        if let Ok(Some(of_one)) = tokio::time::timeout(Duration::from_millis(30), writers.join_next()).await {
            acknowledged.extend(of_one.expect("no panic"));
        }
    }
    assert!(troubles > 0 && acknowledged.len() > 100, "{troubles} troubles, {} made", acknowledged.len());
    let rows = client.query("SELECT note, count(*) FROM visits GROUP BY note", &[]).await.expect("the visits");
    let found: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let twice: Vec<_> = found.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    for note in &acknowledged {
        assert!(found.contains_key(note), "{note} was acknowledged and is not there");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_where_the_server_ends_connections() {
    let (world, database, client) = open(8).await;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%INSERT INTO \"visits\"%'";
    nothing_is_lost_or_doubled(&world, &client, async || number(&client, end).await).await;
    leave(world, database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_where_the_network_breaks_after_a_commit() {
    let database = Database::create(&schema()).await;
    let (network, url) = Network::before(&database.url).await;
    let world = World::new(Arc::new(PostgresStore::open(&url, 4).await.expect("a store")));
    let client = connect(&database.url).await;
    nothing_is_lost_or_doubled(&world, &client, async || {
        network.break_after_commits(true);
        1
    })
    .await;
    network.break_after_commits(false);
    leave(world, database).await;
}
