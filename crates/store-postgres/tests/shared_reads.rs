//! Reads that share a round trip, and don't know of it.

#![expect(clippy::expect_used, reason = "a test that can't begin has failed")]

mod database;
#[expect(dead_code, reason = "each binary has troubles of its own")]
mod network;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use database::{Database, connect};
use model::{Code, Problem, Value};
use network::Network;
use rules::query::{Form, Query};
use store::{
    Found, Listed,
    conformance::{
        schema::schema,
        world::{World, filtered, items},
    },
};
use store_postgres::PostgresStore;
use tokio::task::JoinSet;
use tokio_postgres::Client;

/// The store's own work sends two statements at once now and then.
const OWN: usize = 2;
/// As often a statement has to have been quick before it goes with others.
const PROVEN: usize = 64;

/// A world behind a network, with visits by a guest.
struct Site {
    world: World,
    network: Network,
    database: Database,
    client: Client,
    visits: Vec<Value>,
}

impl Site {
    /// One whose store has so many connections, half as many lanes, and these reads proven.
    async fn open(connections: usize) -> Self {
        let database = Database::create(&schema()).await;
        let (network, url) = Network::before(&database.url).await;
        let world = World::new(Arc::new(PostgresStore::open(&url, connections).await.expect("a store")));
        let guest = world.person("Ann").await;
        world.room("r1", "open").await;
        let mut visits = Vec::new();
        for number in 0..50 {
            let values = [("guest", guest.clone()), ("page", Value::text(page_of(number)))];
            visits.push(world.create("visits", &values).await.id().clone());
        }
        let site = Self { world, network, client: connect(&database.url).await, database, visits };
        for number in 0..PROVEN {
            site.visit(number % 50).await;
            assert!(site.world.get("rooms", &Value::text("r1")).await.is_some());
            assert_eq!(pages(&by_page(&site.world, &page_of(1)).await), [page_of(1)]);
        }
        site.network.take_most_together();
        site
    }

    /// Reads a visit, and holds it against what it has to be.
    async fn visit(&self, number: usize) {
        assert_eq!(read_visit(&self.world, &self.visits[number]).await, Ok(page_of(number)));
    }

    async fn leave(self) {
        self.world.store.close().await;
        self.database.remove().await;
    }
}

fn page_of(number: usize) -> String {
    format!("page {number:03}")
}

/// The page of a visit.
async fn read_visit(world: &World, id: &Value) -> Result<String, Code> {
    let found = read(world, "visits", id).await?.expect("it is there");
    let record: serde_json::Value = serde_json::from_slice(&found.body).expect("JSON");
    Ok(record["page"].as_str().expect("a page").to_owned())
}

async fn read(world: &World, resource: &str, id: &Value) -> Result<Option<Found>, Code> {
    let form = Form { single: true, ..Form::default() };
    let query = Query { form, ..Query::default() };
    let read = world.gate.read(world.caller().clone(), world.resource(resource), query).expect("a good query");
    world.store.get(&read, id).await.map_err(|problem| problem.code)
}

/// The visits to a page. All of these are one statement.
async fn by_page(world: &World, page: &str) -> Result<Listed, Problem> {
    let query = filtered(&format!("page == '{page}'"));
    let read = world.gate.read(world.caller().clone(), world.resource("visits"), query).expect("a good query");
    world.store.list(&read).await
}

fn pages(listed: &Result<Listed, Problem>) -> Vec<String> {
    let listed = listed.as_ref().expect("an answer");
    items(listed).into_iter().map(|item| item["page"].as_str().expect("a page").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_come_meanwhile_share_a_round_trip_and_each_has_its_own_answer() {
    let site = Arc::new(Site::open(2).await);
    for number in 0..50 {
        site.visit(number).await;
    }
    assert!(site.network.take_most_together() <= OWN, "one after another");
    let mut readers = JoinSet::new();
    for number in 0..200 {
        let site = Arc::clone(&site);
        readers.spawn(async move {
            site.visit(number % 50).await;
            let page = page_of(number % 50);
            assert_eq!(pages(&by_page(&site.world, &page).await), [page]);
        });
    }
    readers.join_all().await;
    let together = site.network.take_most_together();
    assert!((4..=16).contains(&together), "{together} together");
    Arc::into_inner(site).expect("all are done").leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_that_have_not_proven_to_be_quick_go_alone() {
    let site = Arc::new(Site::open(2).await);
    let mut readers = JoinSet::new();
    for number in 0..60 {
        let site = Arc::clone(&site);
        // Each is a statement of its own.
        let filter = format!("page == 'page 007'{}", " || page == 'none'".repeat(number));
        readers.spawn(async move { pages(&Ok(site.world.list("visits", filtered(&filter)).await)) });
    }
    for found in readers.join_all().await {
        assert_eq!(found, ["page 007"]);
    }
    assert!(site.network.take_most_together() <= OWN);
    Arc::into_inner(site).expect("all are done").leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_fails_is_told_so_and_the_others_are_answered() {
    let site = Arc::new(Site::open(2).await);
    let mut readers = JoinSet::new();
    for number in 0..200 {
        let site = Arc::clone(&site);
        readers.spawn(async move {
            if number % 20 == 19 {
                // PostgreSQL has no such character.
                let refused = read(&site.world, "rooms", &Value::text("r\u{0}1")).await.map(|found| found.is_some());
                assert_eq!(refused, Err(Code::BadRequest));
            } else {
                site.visit(number % 50).await;
                assert_eq!(pages(&by_page(&site.world, &page_of(3)).await), [page_of(3)]);
            }
        });
    }
    readers.join_all().await;
    assert!(site.network.take_most_together() > OWN);
    Arc::into_inner(site).expect("all are done").leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_waits_for_a_lock_holds_up_no_others() {
    let site = Arc::new(Site::open(8).await);
    site.client.batch_execute("BEGIN; LOCK TABLE rooms").await.expect("a lock");
    let (mut held, mut others) = (JoinSet::new(), JoinSet::new());
    for number in 0..300 {
        let site = Arc::clone(&site);
        // Four take all lanes, and three more come among the others.
        if number < 4 || number % 100 == 50 {
            held.spawn(async move { site.world.get("rooms", &Value::text("r1")).await });
        } else {
            others.spawn(async move { site.visit(number % 50).await });
        }
    }
    let read = tokio::time::timeout(Duration::from_secs(3), others.join_all()).await;
    assert_eq!(read.expect("nobody waits for rooms").len(), 293);
    assert!(held.try_join_next().is_none());
    site.client.batch_execute("ROLLBACK").await.expect("unlocked");
    for room in held.join_all().await {
        assert_eq!(room.expect("it is there")["name"], "open");
    }
    assert!(site.network.take_most_together() > OWN);
    Arc::into_inner(site).expect("all are done").leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_hangs_up_takes_nobody_along() {
    let site = Arc::new(Site::open(2).await);
    for round in 0..20 {
        let (mut gone, mut stay) = (JoinSet::new(), JoinSet::new());
        for number in 0..60 {
            let site = Arc::clone(&site);
            let tasks = if number % 2 == 0 { &mut gone } else { &mut stay };
            tasks.spawn(async move { site.visit(number % 50).await });
        }
        tokio::time::sleep(Duration::from_micros(round * 100)).await;
        gone.shutdown().await;
        assert_eq!(stay.join_all().await.len(), 30);
    }
    assert!(site.network.take_most_together() > OWN);
    Arc::into_inner(site).expect("all are done").leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_right_where_the_server_ends_connections() {
    let site = Arc::new(Site::open(8).await);
    let mut readers = JoinSet::new();
    for reader in 0..32 {
        let site = Arc::clone(&site);
        readers.spawn(async move {
            let mut unavailable = 0;
            for number in 0..100 {
                match read_visit(&site.world, &site.visits[(reader + number) % 50]).await {
                    Ok(page) => assert_eq!(page, page_of((reader + number) % 50)),
                    // The connections of several tries in a row were ended.
                    Err(code) => {
                        assert_eq!(code, Code::Unavailable);
                        unavailable += 1;
                    }
                }
            }
            unavailable
        });
    }
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%FROM \"visits\"%'";
    let (mut ended, mut unavailable) = (0, 0);
    while !readers.is_empty() {
        ended += site.client.query_one(end, &[]).await.expect("a count").get::<_, i64>(0);
        if let Ok(Some(of_one)) = tokio::time::timeout(Duration::from_millis(20), readers.join_next()).await {
            unavailable += of_one.expect("no panic");
        }
    }
    assert!(ended > 0 && site.network.take_most_together() > OWN, "{ended} ended");
    assert!(unavailable < 320, "{unavailable} of 3,200 were not answered");
    Arc::into_inner(site).expect("all are done").leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_that_share_go_on_after_a_migration_has_changed_their_table() {
    let site = Arc::new(Site::open(4).await);
    let mut pages = BTreeSet::new();
    for round in 0..3 {
        // What a connection has prepared does not fit any more: the column's type is another, and then again the first.
        let kind = if round % 2 == 0 { "varchar(90)" } else { "text" };
        let change = format!("ALTER TABLE visits ALTER COLUMN page TYPE {kind}");
        site.client.batch_execute(&change).await.expect("changed");
        let mut readers = JoinSet::new();
        for number in 0..100 {
            let site = Arc::clone(&site);
            readers.spawn(async move { read_visit(&site.world, &site.visits[number % 50]).await });
        }
        pages.extend(readers.join_all().await.into_iter().map(|page| page.expect("an answer")));
    }
    assert_eq!(pages.len(), 50);
    Arc::into_inner(site).expect("all are done").leave().await;
}
