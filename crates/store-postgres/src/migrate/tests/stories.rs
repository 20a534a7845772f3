//! What becomes of the records, step by step. The planner's own decisions are told by the stories of the SQLite store;
//! here is what PostgreSQL says and does differently.

use model::{Decimal, Value};
use store::migration::{
    Database, MigrationError, Refusal,
    physical::{Column, Fill, Id, Join, Limits, Origin, Table, Type},
    report::Outcome,
    samples::{app, filled, optional, reference, table, unique},
    script::{self, Script},
};
use tokio_postgres::{Client, SimpleQueryMessage};

use super::{structure::describe, town::Town};
use crate::migrate::{self, Options};

const TEXT: Type = Type::Text { fold_case: false };
const FOLDED: Type = Type::Text { fold_case: true };
/// 2023-11-14T22:13:20.123456Z
const NOW: i64 = 1_700_000_000_123_456;

fn ants(columns: &[Column]) -> Table {
    table("ants", Id::Integer, columns)
}

/// A database that goes from one story to the next.
struct Shop {
    client: Client,
    scripts: Vec<Script>,
    allow_data_loss: bool,
}

impl Shop {
    async fn new(town: &Town) -> Self {
        Self { client: town.client().await, scripts: Vec::new(), allow_data_loss: false }
    }

    /// Begins anew with these tables and rows.
    async fn begin(&mut self, target: &Database, sql: &str) {
        self.client.batch_execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await.unwrap();
        self.migrate(target).await.unwrap();
        self.run(sql).await;
    }

    /// Begins anew with three records of one column.
    async fn three(&mut self, column: &Column, values: [&str; 3]) {
        let [one, two, three] = values;
        let sql = format!(
            "INSERT INTO ants (id, _rev, \"{}\") VALUES (1, 11, {one}), (2, 12, {two}), (3, 13, {three})",
            column.name
        );
        self.begin(&app(&[ants(std::slice::from_ref(column))]), &sql).await;
    }

    async fn migrate(&mut self, target: &Database) -> Result<Outcome, MigrationError> {
        let options = Options { target, scripts: &self.scripts, now: NOW, allow_data_loss: self.allow_data_loss };
        migrate::apply(&mut self.client, &options).await
    }

    async fn refusals(&mut self, target: &Database) -> Vec<Refusal> {
        match self.migrate(target).await {
            Err(MigrationError::Refused(refusals)) => refusals,
            Err(other) => panic!("{other}: {:?}", std::error::Error::source(&other)),
            Ok(_) => panic!("it was not refused"),
        }
    }

    async fn run(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap();
    }

    async fn query(&self, sql: &str) -> Vec<String> {
        let messages = self.client.simple_query(sql).await.unwrap();
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        rows.map(|row| (0..row.len()).map(|at| row.get(at).unwrap_or("NULL")).collect::<Vec<_>>().join(" ")).collect()
    }
}

#[tokio::test]
async fn values_are_filled_converted_and_renamed() {
    let town = Town::new().await;
    let mut shop = Shop::new(&town).await;
    shop.run("SET TIME ZONE 'Asia/Tokyo'").await;
    let decimal = |precision, scale| Type::Decimal { precision, scale };
    let id = "00112233-4455-6677-8899-aabbccddeeff";
    let uuid = "'00112233-4455-6677-8899-AABBCCDDEEFF'";
    for (from, values, to, expected) in [
        (Type::Integer, ["1", "-7", "NULL"], decimal(5, 2), ["1.00", "-7.00", "NULL"]),
        (Type::Integer, ["1", "-9007199254740992", "NULL"], Type::Float, ["1", "-9.007199254740992e+15", "NULL"]),
        (Type::Integer, ["1", "-7", "NULL"], TEXT, ["1", "-7", "NULL"]),
        (decimal(5, 2), ["-0.05", "123.45", "NULL"], TEXT, ["-0.05", "123.45", "NULL"]),
        (decimal(5, 2), ["-0.05", "123.45", "NULL"], decimal(9, 4), ["-0.0500", "123.4500", "NULL"]),
        (decimal(9, 4), ["-0.05", "123.45", "NULL"], decimal(5, 2), ["-0.05", "123.45", "NULL"]),
        (Type::Date, ["'1970-01-01'", "'1969-12-31'", "NULL"], Type::DateTime, ["0", "-86400000000", "NULL"]),
        (Type::Uuid, [uuid, uuid, "NULL"], TEXT, [id, id, "NULL"]),
        (TEXT, ["'A'", "'a'", "NULL"], FOLDED, ["A", "a", "NULL"]),
    ] {
        shop.three(&optional("x", from), values).await;
        let renamed = Origin { renamed_from: Some("x".into()), fill: Fill::Nothing, ..Origin::default() };
        shop.migrate(&app(&[ants(&[Column { origin: renamed, ..optional("y", to) }])])).await.unwrap();
        let value = if to == Type::DateTime { "(extract(epoch FROM y) * 1000000)::bigint" } else { "y" };
        assert_eq!(shop.query(&format!("SELECT {value} FROM ants ORDER BY id")).await, expected, "{from:?} to {to:?}");
    }

    shop.three(&optional("x", TEXT), ["'a'", "'b'", "NULL"]).await;
    let price = filled("price", decimal(8, 2), Value::Decimal(Decimal::new(95, 1)));
    let since = Column {
        required: true,
        origin: Origin { renamed_from: None, fill: Fill::Now, ..Origin::default() },
        ..optional("since", Type::DateTime)
    };
    let tags = Column { list: true, ..filled("tags", TEXT, Value::List(vec![Value::text("it's"), Value::text("\\")])) };
    let outcome = shop.migrate(&app(&[ants(&[optional("x", TEXT), price, since, tags])])).await.unwrap();
    assert_eq!((outcome.version, outcome.steps.len()), (2, 3));
    let query =
        "SELECT x, price, (extract(epoch FROM since) * 1000000)::bigint, tags[1], tags[2] FROM ants WHERE id = 3";
    assert_eq!(shop.query(query).await, [format!("NULL 9.50 {NOW} it's \\")]);
    drop(shop);
    town.drop().await;
}

#[tokio::test]
async fn values_that_do_not_fit_are_named() {
    let town = Town::new().await;
    let mut shop = Shop::new(&town).await;
    let limited = |limits: Limits, kind| Column { limits, ..optional("x", kind) };
    let decimal = |precision, scale| Type::Decimal { precision, scale };
    let max = |max: &str| Limits { max: Some(max.into()), ..Limits::default() };
    let min = |min: &str| Limits { min: Some(min.into()), ..Limits::default() };
    let length = |max| Limits { max_length: Some(max), ..Limits::default() };
    let values = |values: &[&str]| Limits {
        values: Some(values.iter().map(|value| (*value).into()).collect()),
        ..Limits::default()
    };
    let list = |limits| Column { list: true, limits, ..optional("x", TEXT) };
    let long = "is too large for a float to hold exactly";
    for (from, stored, to, reason) in [
        (optional("x", TEXT), ["'ab'", "'äöü'", "NULL"], limited(length(2), TEXT), "is longer than 2"),
        (optional("x", Type::Json), ["'[1]'", "'[1,2]'", "NULL"], limited(length(3), Type::Json), "is longer than 3"),
        (optional("x", FOLDED), ["'a'", "'A'", "NULL"], limited(values(&["a", "b"]), FOLDED), "is none of a, b"),
        (optional("x", Type::Integer), ["5", "6", "NULL"], limited(max("5"), Type::Integer), "is greater than 5"),
        (optional("x", Type::Float), ["0.5", "0.25", "NULL"], limited(min("0.5"), Type::Float), "is less than 0.5"),
        (
            optional("x", decimal(6, 2)),
            ["1.5", "1.51", "NULL"],
            limited(max("1.505"), decimal(6, 2)),
            "is greater than 1.505",
        ),
        (
            optional("x", decimal(6, 2)),
            ["99.99", "-100", "NULL"],
            optional("x", decimal(4, 2)),
            "has more than 2 digits before the point",
        ),
        (
            optional("x", decimal(6, 2)),
            ["1.5", "1.51", "NULL"],
            optional("x", decimal(6, 1)),
            "has more than 1 digits after the point",
        ),
        (
            optional("x", Type::Integer),
            ["99", "9223372036854775807", "NULL"],
            optional("x", decimal(4, 2)),
            "has more than 2 digits before the point",
        ),
        (
            optional("x", Type::Integer),
            ["9007199254740992", "9007199254740993", "NULL"],
            optional("x", Type::Float),
            long,
        ),
        (
            optional("x", TEXT),
            ["'a'", "NULL", "'b'"],
            Column { required: true, ..optional("x", TEXT) },
            "has no value, and is required from now on",
        ),
        (list(Limits::default()), ["'{a}'", "'{a,bb}'", "NULL"], list(length(1)), "is longer than 1"),
        (
            list(Limits::default()),
            ["'{a}'", "'{a,b}'", "NULL"],
            list(Limits { max_items: Some(1), ..Limits::default() }),
            "has more than 1 items",
        ),
    ] {
        shop.three(&from, stored).await;
        let refused = shop.refusals(&app(&[ants(std::slice::from_ref(&to))])).await;
        let found: Vec<_> =
            refused.iter().map(|refusal| (refusal.reason.as_str(), refusal.records.join(","))).collect();
        assert_eq!(found, [(reason, "2".to_owned())], "{from:?} to {to:?}");
        shop.run("DELETE FROM ants WHERE id = 2").await;
        shop.migrate(&app(&[ants(&[to])])).await.unwrap();
    }
    drop(shop);
    town.drop().await;
}

#[tokio::test]
async fn what_becomes_unique_or_a_reference_is_checked() {
    let town = Town::new().await;
    let mut shop = Shop::new(&town).await;
    let with_index =
        |column: &Column| Table { indexes: vec![unique("ants", column)], ..ants(std::slice::from_ref(column)) };
    shop.three(&optional("x", TEXT), ["'a'", "'A'", "NULL"]).await;
    shop.migrate(&app(&[with_index(&optional("x", TEXT))])).await.unwrap();
    let refused = shop.refusals(&app(&[with_index(&optional("x", FOLDED))])).await;
    assert_eq!(refused[0].records, ["1", "2"], "folding makes them agree");

    let bees = || table("bees", Id::Integer, &[]);
    let before = app(&[ants(&[optional("x", Type::Integer)]), bees()]);
    shop.begin(&before, "INSERT INTO bees VALUES (7, 1); INSERT INTO ants VALUES (1, 1, 7), (2, 1, 8), (3, 1, NULL)")
        .await;
    let after = app(&[ants(&[reference("x", "bees", Id::Integer)]), bees()]);
    let refused = shop.refusals(&after).await;
    assert_eq!(
        (refused[0].reason.as_str(), refused[0].records.join(",")),
        ("names no record of `bees`", "2".to_owned())
    );
    shop.run("UPDATE ants SET x = 7 WHERE id = 2").await;
    shop.migrate(&after).await.unwrap();
    assert!(shop.client.batch_execute("DELETE FROM bees").await.is_err(), "the foreign key holds");
    drop(shop);
    town.drop().await;
}

#[tokio::test]
async fn tables_that_refer_to_each_other_come_and_go() {
    let town = Town::new().await;
    let mut shop = Shop::new(&town).await;
    let friends = |target: &str| Join {
        field: "friends".into(),
        target: target.into(),
        target_id: Id::Integer,
        max_items: None,
        renamed_from: None,
    };
    let ants = Table { joins: vec![friends("bees")], ..ants(&[reference("home", "bees", Id::Integer)]) };
    let bees = |columns: &[Column]| table("bees", Id::Integer, columns);
    let both = app(&[ants, bees(&[reference("guest", "ants", Id::Integer), reference("queen", "bees", Id::Integer)])]);
    shop.begin(
        &both,
        "INSERT INTO bees VALUES (1, 1, NULL, 1); INSERT INTO ants VALUES (1, 1, 1); UPDATE bees SET guest = 1;
         INSERT INTO ants__friends VALUES (1, 0, 1)",
    )
    .await;
    let alone = app(&[bees(&[reference("queen", "bees", Id::Integer)])]);
    let lost = match shop.migrate(&alone).await {
        Err(MigrationError::DataLoss(words)) => words,
        other => panic!("{other:?}"),
    };
    assert_eq!(lost, ["drop column `guest` of `bees`", "drop table `ants` with all its records"]);
    shop.allow_data_loss = true;
    shop.migrate(&alone).await.unwrap();
    assert_eq!(shop.query("SELECT * FROM bees").await, ["1 1 1"]);
    shop.migrate(&both).await.unwrap();
    drop(shop);
    town.drop().await;
}

#[tokio::test]
async fn scripts_run_once_before_the_checks_and_can_not_end_the_transaction() {
    let town = Town::new().await;
    let mut shop = Shop::new(&town).await;
    let directory = tempfile::tempdir().unwrap();
    let write = |text: &str| {
        std::fs::write(directory.path().join("0001_fill.sql"), text).unwrap();
        script::read(directory.path()).unwrap()
    };
    shop.three(&optional("x", TEXT), ["'a'", "'b'", "NULL"]).await;
    let after = app(&[ants(&[Column { required: true, ..optional("x", TEXT) }])]);
    shop.scripts = write("DELETE FROM ants; COMMIT;");
    assert!(matches!(shop.migrate(&after).await, Err(MigrationError::BadScript { .. })));
    shop.scripts = write("DELETE FROM ants; SELECT nowhere;");
    assert!(matches!(shop.migrate(&after).await, Err(MigrationError::Script { .. })));
    assert_eq!(shop.query("SELECT count(*) FROM ants").await, ["3"]);

    shop.scripts = write("UPDATE ants SET x = 'filled' WHERE x IS NULL; DO $$ BEGIN PERFORM 1; END $$;");
    let scripts = shop.scripts.clone();
    let options = Options { target: &after, scripts: &scripts, now: NOW, allow_data_loss: false };
    let plan = migrate::plan(&mut shop.client, &options).await.unwrap();
    assert_eq!((plan.scripts.len(), plan.refusals().count()), (1, 0));
    assert_eq!(shop.query("SELECT x FROM ants WHERE id = 3").await, ["NULL"], "a plan only tries them");
    assert_eq!(shop.migrate(&after).await.unwrap().version, 3);
    assert_eq!(shop.query("SELECT x FROM ants WHERE id = 3").await, ["filled"]);
    assert_eq!(shop.migrate(&after).await.unwrap().version, 3);
    shop.scripts = write("SELECT 1");
    assert!(matches!(shop.migrate(&after).await, Err(MigrationError::ChangedScript(_))));
    drop(shop);
    town.drop().await;
}

#[tokio::test]
async fn a_script_may_split_one_column_in_two() {
    let town = Town::new().await;
    let mut shop = Shop::new(&town).await;
    let first = Column { required: true, ..optional("first", TEXT) };
    let after = app(&[ants(&[first, optional("last", FOLDED)])]);
    shop.begin(&after, "").await;
    let made = describe(&shop.client).await;

    shop.three(&optional("x", TEXT), ["'Ann Lee'", "'Bob Ray'", "'Cy Day'"]).await;
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("0001_split.sql"),
        "ALTER TABLE ants ADD COLUMN first text, ADD COLUMN last varchar(9) DEFAULT 'none', ADD COLUMN spare int;
         UPDATE ants SET first = split_part(x, ' ', 1), last = split_part(x, ' ', 2);
         ALTER TABLE ants DROP COLUMN x;",
    )
    .unwrap();
    shop.scripts = script::read(directory.path()).unwrap();

    assert_eq!(shop.migrate(&after).await.unwrap().steps.len(), 3);

    assert_eq!(shop.query("SELECT first, last FROM ants WHERE id < 3 ORDER BY id").await, ["Ann Lee", "Bob Ray"]);
    assert_eq!(describe(&shop.client).await, made);

    shop.client.batch_execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await.unwrap();
    let outcome = shop.migrate(&after).await.unwrap();
    assert_eq!(outcome.left_out, ["0001_split: column \"first\" of relation \"ants\" already exists"]);
    assert_eq!(describe(&shop.client).await, made, "a new database has no use for it");
    drop(shop);
    town.drop().await;
}

#[tokio::test]
async fn of_several_that_migrate_at_once_one_does_it() {
    let town = Town::new().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let mut shop = Shop::new(&town).await;
        let target = app(&[ants(&[optional("x", TEXT)])]);
        tasks.spawn(async move { shop.migrate(&target).await.unwrap().steps.len() });
    }
    let mut done = tasks.join_all().await;
    done.sort_unstable();
    assert_eq!(done, [0, 0, 0, 2]);
    let client = town.client().await;
    assert_eq!(migrate::status(&client).await.unwrap().version(), 1);
    drop(client);
    town.drop().await;
}

#[tokio::test]
async fn a_log_that_was_numbered_in_its_entries_keeps_its_order() {
    let town = Town::new().await;
    let mut shop = Shop::new(&town).await;
    let new = app(&[ants(&[])]);
    let old = Database { system: 6, ..new.clone() };
    // Four numbered and two not yet; the fourth was committed after the fifth.
    shop.begin(
        &old,
        "INSERT INTO _events (id, seq, time, resource, action, record, revision, request) \
         SELECT id, seq, 1, 'ants', 1, id::text, id, 'x' \
         FROM unnest(ARRAY[11, 12, 14, 13, 17, 16], ARRAY[7, 8, 9, 10, NULL, NULL]) AS entry(id, seq); \
         UPDATE _sequence SET last = 10",
    )
    .await;
    shop.migrate(&new).await.unwrap();
    let order = shop.query("SELECT seq, id FROM _order ORDER BY seq").await;
    assert_eq!(order, ["7 11", "8 12", "9 14", "10 13", "11 16", "12 17"]);
    assert_eq!(shop.query("SELECT last FROM _sequence").await, ["12"]);
    let upgraded = describe(&shop.client).await;
    shop.begin(&new, "").await;
    assert_eq!(upgraded, describe(&shop.client).await);
    assert_eq!(shop.query("SELECT last FROM _sequence").await, ["0"]);
    town.drop().await;
}
