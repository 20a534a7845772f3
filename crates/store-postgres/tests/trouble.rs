//! When PostgreSQL goes, or its caller does.

#![expect(clippy::expect_used, reason = "a test that can't begin has failed")]

mod database;
#[expect(dead_code, reason = "each binary has troubles of its own")]
mod network;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use database::{Database, connect};
use model::{Code, Value};
use network::Network;
use rules::plan::Edit;
use store::conformance::{
    schema::schema,
    world::{World, filtered, refused},
};
use store_postgres::PostgresStore;

async fn open(size: usize) -> (World, Database) {
    let database = Database::create(&schema()).await;
    let store = PostgresStore::open(&database.url, size).await.expect("a store");
    (World::new(Arc::new(store)), database)
}

async fn leave(world: World, database: Database) {
    world.store.close().await;
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_the_server_ended_are_replaced() {
    let (world, database) = open(4).await;
    world.room("before", "x").await;
    world.log(1).await;
    let other = connect(&database.url).await;
    for round in 0..5 {
        other
            .batch_execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .await
            .expect("the connections end");
        // A reader notices nothing; a writer is told to come again at most once.
        assert!(world.get("rooms", &Value::text("before")).await.is_some());
        let begun = Instant::now();
        let id = Value::text(format!("after {round}"));
        while let Err(problem) = world.try_create("rooms", &[("id", id.clone())]).await {
            assert_eq!(problem.code, Code::Unavailable, "{problem:?}");
            assert!(problem.extra.retry_after.is_some());
            assert!(begun.elapsed() < Duration::from_secs(5));
        }
    }
    // The log's connection is back, too.
    assert_eq!(world.log(6).await.len(), 6);
    leave(world, database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_is_unavailable_until_it_is_back() {
    let (world, database) = open(4).await;
    let name = database.url.rsplit_once('/').expect("a name").1.to_owned();
    let server = connect(&database.url.replace(&name, "postgres")).await;
    server.batch_execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await.expect("closed");
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    server.batch_execute(&end).await.expect("ended");
    for _ in 0..3 {
        let (code, _) = refused(world.try_create("rooms", &[("id", Value::text("r"))]).await);
        assert_eq!(code, Code::Unavailable);
        assert_eq!(refused(world.store.log_range().await).0, Code::Unavailable);
        assert_eq!(refused(world.store.ready(world.catalog()).await).0, Code::Unavailable);
    }
    server.batch_execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await.expect("open");
    let back = Instant::now();
    world.room("r", "x").await;
    world.log(1).await;
    assert!(back.elapsed() < Duration::from_secs(5));
    leave(world, database).await;
}

/// A store that is reached over a network that can fall silent.
async fn open_afar(size: usize) -> (World, Database, Network) {
    let database = Database::create(&schema()).await;
    let (network, url) = Network::before(&database.url).await;
    let store = PostgresStore::open(&url, size).await.expect("a store");
    (World::new(Arc::new(store)), database, network)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_network_that_swallows_everything() {
    let (world, database, network) = open_afar(4).await;
    world.room("before", "x").await;
    network.be_silent(true);
    // Those who asked just then, some of whom wait for a connection.
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..8 {
        let world = world.clone();
        asking.spawn(async move {
            match number % 2 {
                0 => refused(world.try_create("rooms", &[("id", Value::text(format!("r{number}")))]).await).0,
                _ => refused(world.store.log_range().await).0,
            }
        });
    }
    let told = tokio::time::timeout(Duration::from_secs(10), asking.join_all()).await.expect("an answer for all");
    assert_eq!(told, [Code::Unavailable; 8]);
    // Nobody has to find out again.
    let problem = world.store.ready(world.catalog()).await.expect_err("it is not ready");
    assert_eq!((problem.code, problem.extra.retry_after), (Code::Unavailable, Some(1)));
    assert_eq!(problem.cause.as_deref(), Some("the database is silent"));
    network.be_silent(false);
    let back = Instant::now();
    while let Err(problem) = world.try_create("rooms", &[("id", Value::text("after"))]).await {
        assert_eq!(problem.code, Code::Unavailable, "{problem:?}");
        assert!(back.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // What was given up was made once or not at all, and the log has what was made.
    let made = world.list("rooms", filtered("true")).await.length;
    assert!((2..=6).contains(&made), "{made}");
    assert_eq!(world.log(made).await.len(), made);
    leave(world, database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_busy_is_not_silent() {
    let (world, database) = open(2).await;
    let author = world.person("Ann").await;
    let other = connect(&database.url).await;
    other.batch_execute("BEGIN; LOCK TABLE posts").await.expect("a lock");
    // They hold the whole pool, and nothing comes of them for longer than a silence takes to be noticed.
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let world = world.clone();
        asking.spawn(async move { world.list("posts", filtered("title == \"a\"")).await.length });
    }
    tokio::time::sleep(Duration::from_millis(4_200)).await;
    other.batch_execute("ROLLBACK").await.expect("unlocked");
    assert_eq!(asking.join_all().await, [0, 0]);
    assert!(world.get("people", &author).await.is_some());
    leave(world, database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_finds_all_connections_taken_is_told_so() {
    let (world, database) = open(1).await;
    let lease = world.store.begin_loading().await.expect("the only connection");
    let problem = world.store.log_range().await.expect_err("none is free");
    assert_eq!((problem.code, problem.extra.retry_after), (Code::Unavailable, Some(1)));
    assert!(problem.detail.contains("too many requests wait"), "{problem:?}");
    drop(lease);
    world.store.log_range().await.expect("it is free again");
    leave(world, database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_hangs_up_leaves_nothing_running_and_nothing_half_done() {
    let (world, database) = open(2).await;
    let author = world.person("Ann").await;
    let other = connect(&database.url).await;
    other.batch_execute("BEGIN; LOCK TABLE posts").await.expect("a lock");
    for number in 0..5 {
        let batch = vec![
            ("rooms", world.creation("rooms", &[("id", Value::text(format!("r{number}")))])),
            ("posts", world.creation("posts", &[("title", Value::text("a")), ("author", author.clone())])),
        ];
        assert!(tokio::time::timeout(Duration::from_millis(100), world.batch(batch)).await.is_err());
        let list = world.list("posts", filtered("title == \"a\""));
        assert!(tokio::time::timeout(Duration::from_millis(100), list).await.is_err());
    }
    // Others are served meanwhile, and what was begun is gone.
    assert!(world.get("people", &author).await.is_some());
    for number in 0..5 {
        assert_eq!(world.get("rooms", &Value::text(format!("r{number}"))).await, None);
    }
    let mut busy = 1;
    for _ in 0..100 {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        busy = other.query_one(waiting, &[]).await.expect("a count").get::<_, i64>(0);
        if busy == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(busy, 0);
    other.batch_execute("ROLLBACK").await.expect("unlocked");
    leave(world, database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_hangs_up_costs_no_connection() {
    let (world, database) = open(1).await;
    let author = world.person("Ann").await;
    let ours = || async {
        let other = connect(&database.url).await;
        let ours = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let rows = other.query(ours, &[]).await.expect("connections");
        rows.iter().map(|row| row.get(0)).collect::<std::collections::BTreeSet<i32>>()
    };
    let before = ours().await;
    for number in 0..20 {
        let id = Value::text(format!("r{number}"));
        let post = world.creation("posts", &[("title", Value::text("a")), ("author", author.clone())]);
        let batch = vec![("rooms", world.creation("rooms", &[("id", id.clone())])), ("posts", post)];
        let mut write = Box::pin(world.batch(batch));
        let begun = std::future::poll_fn(|context| std::task::Poll::Ready(write.as_mut().poll(context)));
        assert!(begun.await.is_pending());
        drop(write);
        // The one connection is given back without the transaction.
        assert_eq!(world.get("rooms", &id).await, None);
    }
    assert_eq!(ours().await, before);
    leave(world, database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_give_one_order() {
    let (world, database) = open(4).await;
    let second = World::new(Arc::new(PostgresStore::open(&database.url, 4).await.expect("a second node")));
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let (here, there) = (world.clone(), second.clone());
            tokio::spawn(async move {
                for number in 0..20 {
                    let node = if (task + number) % 2 == 0 { &here } else { &there };
                    node.room(&format!("{task}-{number}"), "x").await;
                }
            })
        })
        .collect();
    let mut seen = Vec::new();
    while seen.len() < 320 {
        let after = seen.last().map_or(0, |entry: &model::Entry| entry.sequence);
        seen.extend(second.store.entries(second.catalog(), after, 7).await.expect("entries"));
    }
    for task in tasks {
        task.await.expect("no panic");
    }
    let sequences: Vec<i64> = seen.iter().map(|entry| entry.sequence).collect();
    assert_eq!(sequences, (1..=320).collect::<Vec<_>>());
    for task in 0..16 {
        let own = seen
            .iter()
            .filter_map(|entry| store::id_text(&entry.id).strip_prefix(&format!("{task}-")).map(str::to_owned));
        assert_eq!(own.collect::<Vec<_>>(), (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
    }
    // A node that wrote nothing hears of what others wrote.
    let mut watch = second.store.watch();
    world.room("last", "x").await;
    let heard = tokio::time::timeout(Duration::from_secs(2), watch.wait_for(|last| *last == 321)).await;
    heard.expect("in time").expect("a watch");
    second.store.close().await;
    leave(world, database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_of_a_killed_node_is_found() {
    let (world, database) = open(4).await;
    let other = connect(&database.url).await;
    other.batch_execute(BY_HAND).await.expect("an entry");
    assert_eq!(world.log(1).await[0].sequence, 1);
    leave(world, database).await;
}

/// An entry as a node would write it, but by hand.
const BY_HAND: &str = "INSERT INTO _events (time, resource, action, record, revision, request) \
    VALUES (1, 'rooms', 3, 'by-hand', nextval('_events_id_seq'), 'x')";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_gets_its_place_when_it_is_committed_and_not_before() {
    let (world, database) = open(4).await;
    let (late, never) = (connect(&database.url).await, connect(&database.url).await);
    late.batch_execute(&format!("BEGIN; {BY_HAND}; SAVEPOINT one; {BY_HAND}")).await.expect("a transaction");
    never.batch_execute(&format!("BEGIN; {BY_HAND}")).await.expect("a transaction");
    for number in 1..=5 {
        world.room(&format!("r{number}"), "x").await;
        // One numbering each.
        assert_eq!(world.log(number).await.len(), number);
    }
    never.batch_execute("ROLLBACK").await.expect("it is taken back");
    late.batch_execute("COMMIT").await.expect("it is committed");
    world.log(7).await;
    world.room("after", "x").await;
    let log = world.log(8).await;
    let found: Vec<_> = log.iter().map(|entry| (entry.sequence, store::id_text(&entry.id))).collect();
    let expected = ["r1", "r2", "r3", "r4", "r5", "by-hand", "by-hand", "after"];
    assert_eq!(found, (1..).zip(expected.map(str::to_owned)).collect::<Vec<_>>());
    leave(world, database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbering_reads_what_is_new_alone() {
    let (world, database) = open(4).await;
    let client = connect(&database.url).await;
    let many = BY_HAND.replace("VALUES (", "SELECT ").replace("'x')", "'x' FROM generate_series(1, 20000)");
    client.batch_execute(&format!("{many}; ANALYZE")).await.expect("a log");
    world.log(20_000).await;
    let read = async || {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let sum = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = '_events'";
        client.query_one(sum, &[]).await.expect("a sum").get::<_, i64>(0)
    };
    let before = read().await;
    let mut watch = world.store.watch();
    for number in 1..=50 {
        world.room(&format!("r{number}"), "x").await;
        let numbered = watch.wait_for(|last| *last == 20_000 + number);
        tokio::time::timeout(Duration::from_secs(5), numbered).await.expect("in time").expect("a watch");
    }
    let read = read().await - before;
    // Connections tell late what they have read: what was there at first may be in it once, but not fifty times.
    assert!(read < 100_000, "50 entries were numbered and {read} read");
    leave(world, database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_goes_on_in_a_database_that_was_moved() {
    let (world, database) = open(4).await;
    for number in 0..3 {
        world.room(&format!("r{number}"), "x").await;
    }
    world.log(3).await;
    world.store.close().await;
    let client = connect(&database.url).await;
    // What a dump brings from a server that has seen a million times more transactions: two of them unnumbered.
    let elsewhere = "UPDATE _events SET xid = ((xid::text::bigint + 1000000000000)::text)::xid8; \
        UPDATE _sequence SET seen = '2000000000000:2000000000003:2000000000001'";
    client.batch_execute(&format!("{BY_HAND}; {BY_HAND}; {elsewhere}")).await.expect("a move");
    client
        .batch_execute("UPDATE _events SET xid = '2000000000001' WHERE id = (SELECT max(id) FROM _events)")
        .await
        .expect("one");
    let node = async || World::new(Arc::new(PostgresStore::open(&database.url, 4).await.expect("a node")));
    let (one, two) = tokio::join!(node(), node());
    one.log(5).await;
    for number in 6..=15 {
        one.room(&format!("r{number}"), "x").await;
        one.log(number).await;
    }
    let sequences: Vec<_> = two.log(15).await.iter().map(|entry| entry.sequence).collect();
    assert_eq!(sequences, (1..=15).collect::<Vec<_>>());
    let row = client.query_one("SELECT count(*), count(DISTINCT id) FROM _order", &[]).await.expect("the order");
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (15, 15));
    one.store.close().await;
    leave(two, database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_served_is_refused_at_the_start() {
    let (world, database) = open(1).await;
    let refusal = async |url: &str| {
        let problem = PostgresStore::open(url, 1).await.err().expect("a refusal");
        assert_eq!(problem.code, Code::Unavailable);
        problem.detail
    };
    assert!(refusal(&format!("{}?sslmode=allow", database.url)).await.contains("sslmode=allow is none of disable"));
    assert!(refusal("postgres://root:secret@127.0.0.1:1/none").await.contains("can't be reached"));
    let wrong = refusal("postgres://root:secret@127.0.0.1/none?nonsense=1").await;
    assert!(wrong.contains("nonsense") && !wrong.contains("secret"), "{wrong}");
    let name = database.url.rsplit_once('/').expect("a name").1.to_owned();
    let latin = format!("{name}_latin");
    let server = connect(&database.url).await;
    let create = format!("CREATE DATABASE {latin} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    server.batch_execute(&create).await.expect("a database");
    assert!(refusal(&database.url.replace(&name, &latin)).await.contains("LATIN1"));
    server.batch_execute(&format!("DROP DATABASE {latin} WITH (FORCE)")).await.expect("it goes");
    leave(world, database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_from_before_a_migration_are_made_anew() {
    let (world, database) = open(3).await;
    let rename = |name: &str| vec![("name", rules::plan::Edit::Set(Value::text(name)))];
    world.room("r", "7").await;
    assert!(world.get("rooms", &Value::text("r")).await.is_some());
    let other = connect(&database.url).await;
    other.batch_execute("ALTER TABLE rooms ALTER COLUMN name TYPE varchar(20)").await.expect("another type");
    assert_eq!(world.get("rooms", &Value::text("r")).await.expect("the room")["name"], "7");
    world.patch("rooms", &Value::text("r"), rename("8")).await.expect("a patch");
    other.batch_execute("ALTER TABLE rooms ALTER COLUMN name TYPE text").await.expect("the type of before");
    world.patch("rooms", &Value::text("r"), rename("9")).await.expect("a patch");
    leave(world, database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nul_in_a_filter_harms_nobody() {
    let (world, database) = open(1).await;
    world.room("r", "x").await;
    let query = filtered("name == \"a\\u0000b\"");
    if let Ok(read) = world.gate.read(world.caller().clone(), world.resource("rooms"), query) {
        match world.store.list(&read).await {
            Ok(listed) => assert_eq!(listed.length, 0),
            Err(problem) => assert_eq!(problem.code, Code::BadRequest, "{problem:?}"),
        }
    }
    leave(world, database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_go_on_while_every_write_waits_for_a_lock() {
    let (world, database) = open(8).await;
    let (ann, bob) = (world.person("Ann").await, world.person("Bob").await);
    let client = connect(&database.url).await;
    client.batch_execute("BEGIN; SELECT FROM people WHERE name = 'Bob' FOR UPDATE").await.expect("a lock");
    let writes: Vec<_> = (0..40)
        .map(|number| {
            let (world, bob) = (world.clone(), bob.clone());
            let edits = vec![("age", Edit::Set(Value::Integer(number)))];
            tokio::spawn(async move { world.patch("people", &bob, edits).await })
        })
        .collect();
    let reads = async {
        for _ in 0..200 {
            assert_eq!(world.get("people", &ann).await.expect("she is there")["name"], "Ann");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(3), reads).await.expect("reads need no lock");
    assert!(writes.iter().all(|write| !write.is_finished()));
    client.batch_execute("ROLLBACK").await.expect("unlocked");
    for write in writes {
        assert!(write.await.expect("no panic").is_ok());
    }
    leave(world, database).await;
}
