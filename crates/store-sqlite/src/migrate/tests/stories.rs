//! What becomes of the records, step by step.

use model::{Decimal, Value};
use store::migration::{
    MigrationError, Refusal,
    physical::{Column, Fill, Id, Join, Limits, Origin, Table, Type},
    samples::{app, filled, optional, reference, table, unique},
};

use super::shop::{NOW, Shop};

const TEXT: Type = Type::Text { fold_case: false };
const FOLDED: Type = Type::Text { fold_case: true };

fn ants(columns: &[Column]) -> Table {
    table("ants", Id::Integer, columns)
}

/// Three records with one column.
fn three(column: &Column, values: [&str; 3]) -> Shop {
    let [one, two, three] = values;
    let sql = format!(
        "INSERT INTO ants (id, _rev, \"{}\") VALUES (1, 11, {one}), (2, 12, {two}), (3, 13, {three})",
        column.name
    );
    Shop::with(&app(&[ants(std::slice::from_ref(column))]), &sql)
}

fn refusals(result: Result<impl Sized, MigrationError>) -> Vec<Refusal> {
    match result {
        Err(MigrationError::Refused(refusals)) => refusals,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was not refused"),
    }
}

#[test]
fn a_new_field_is_filled_with_its_default_and_the_rest_stays() {
    let name = optional("name", TEXT);
    let shop = three(&name, ["'a'", "'b'", "NULL"]);
    let price = filled("price", Type::Decimal { precision: 8, scale: 2 }, Value::Decimal(Decimal::new(95, 1)));
    let since = Column {
        required: true,
        origin: Origin { renamed_from: None, fill: Fill::Now, ..Origin::default() },
        ..optional("since", Type::DateTime)
    };
    let note = Column {
        origin: Origin { renamed_from: None, fill: Fill::Value(Value::text("it's")), ..Origin::default() },
        ..optional("note", TEXT)
    };
    let after = app(&[ants(&[name, price, since, note])]);

    let outcome = shop.migrate(&after).unwrap();

    assert_eq!(outcome.steps[0], "add column `price` to `ants`, filled with \"9.5\"");
    assert_eq!(outcome.version, 2);
    assert_eq!(
        shop.query("SELECT id, _rev, name, price, since, note FROM ants"),
        [format!("1 11 a 950 {NOW} it's"), format!("2 12 b 950 {NOW} it's"), format!("3 13 NULL 950 {NOW} it's")]
    );
    assert!(shop.plan(&after).is_empty());
    assert_eq!(shop.migrate(&after).unwrap().steps, Vec::<String>::new(), "a second time there is nothing to do");
}

#[test]
fn a_new_required_field_needs_a_default_where_there_are_records() {
    let name = optional("name", TEXT);
    let shop = three(&name, ["'a'", "'b'", "'c'"]);
    let must = Column { required: true, ..optional("must", TEXT) };
    let after = app(&[ants(&[name.clone(), must])]);

    let refused = refusals(shop.migrate(&after));

    assert_eq!(
        (refused[0].field.as_str(), refused[0].records.as_slice()),
        ("must", ["1", "2", "3"].map(String::from).as_slice())
    );
    assert!(refused[0].reason.contains("needs a default"), "{}", refused[0].reason);
    shop.run("DELETE FROM ants");
    shop.migrate(&after).unwrap();
}

#[test]
fn a_renamed_field_keeps_its_values_and_indexes() {
    let old = optional("name", FOLDED);
    let with_index =
        |column: &Column| Table { indexes: vec![unique("ants", column)], ..ants(std::slice::from_ref(column)) };
    let shop = Shop::with(&app(&[with_index(&old)]), "INSERT INTO ants VALUES (1, 1, 'a'), (2, 2, NULL)");
    let new = Column {
        origin: Origin { renamed_from: Some("name".into()), fill: Fill::Nothing, ..Origin::default() },
        ..optional("title", FOLDED)
    };

    let outcome = shop.migrate(&app(&[with_index(&new)])).unwrap();

    assert_eq!(outcome.steps[0], "rename column `name` of `ants` to `title`");
    assert_eq!(shop.query("SELECT * FROM ants"), ["1 1 a", "2 2 NULL"]);
    assert_eq!(
        shop.query("SELECT name FROM sqlite_master WHERE tbl_name = 'ants' AND type = 'index' AND sql IS NOT NULL"),
        ["ants__title__unique"]
    );
    assert!(shop.plan(&app(&[with_index(&new)])).is_empty(), "`renamed_from` may stay in the file");
}

#[test]
fn dropping_is_refused_unless_allowed_or_empty() {
    let (name, gone) = (optional("name", TEXT), optional("gone", TEXT));
    let before = app(&[ants(&[name.clone(), gone]), table("bees", Id::Uuid, &[])]);
    let mut shop = Shop::with(&before, "INSERT INTO ants VALUES (1, 1, 'a', 'b')");
    let after = app(&[ants(&[name])]);

    let plan = shop.plan(&after);
    assert_eq!(plan.steps.iter().map(|step| step.loses_data).collect::<Vec<_>>(), [true, false], "bees has no records");
    assert!(
        matches!(shop.migrate(&after), Err(MigrationError::DataLoss(words)) if words == ["drop column `gone` of `ants`"])
    );
    assert_eq!(shop.query("SELECT * FROM ants"), ["1 1 a b"]);
    assert_eq!(shop.backups(), Vec::<String>::new(), "a migration that is refused needs none");

    shop.allow_data_loss = true;
    shop.migrate(&after).unwrap();
    assert_eq!(shop.query("SELECT * FROM ants"), ["1 1 a"]);
    assert_eq!(shop.query("SELECT name FROM sqlite_master WHERE name = 'bees'"), Vec::<String>::new());
}

#[test]
fn values_change_their_type_where_nothing_is_lost() {
    let decimal = |precision, scale| Type::Decimal { precision, scale };
    let id = "00112233-4455-6677-8899-aabbccddeeff";
    let uuid = "X'00112233445566778899aabbccddeeff'";
    for (from, values, to, expected) in [
        (Type::Integer, ["1", "-7", "NULL"], decimal(5, 2), ["100", "-700", "NULL"]),
        (Type::Integer, ["1", "-9007199254740992", "NULL"], Type::Float, ["1.0", "-9007199254740992.0", "NULL"]),
        (Type::Integer, ["1", "-7", "NULL"], TEXT, ["1", "-7", "NULL"]),
        (decimal(5, 2), ["-5", "12345", "NULL"], TEXT, ["-0.05", "123.45", "NULL"]),
        (decimal(5, 2), ["-5", "12345", "NULL"], decimal(9, 4), ["-500", "1234500", "NULL"]),
        (decimal(9, 4), ["-500", "1234500", "NULL"], decimal(5, 2), ["-5", "12345", "NULL"]),
        (Type::Date, ["0", "-1", "NULL"], Type::DateTime, ["0", "-86400000000", "NULL"]),
        (Type::Uuid, [uuid, uuid, "NULL"], TEXT, [id, id, "NULL"]),
        (TEXT, ["'A'", "'a'", "NULL"], FOLDED, ["A", "a", "NULL"]),
    ] {
        let shop = three(&optional("x", from), values);
        let after = app(&[ants(&[optional("x", to)])]);
        shop.migrate(&after).unwrap();
        assert_eq!(shop.query("SELECT x FROM ants ORDER BY id"), expected, "{from:?} to {to:?}");
    }
}

#[test]
fn values_that_do_not_fit_are_named() {
    let limited = |limits: Limits, kind| Column { limits, ..optional("x", kind) };
    let decimal = |precision, scale| Type::Decimal { precision, scale };
    let max = |max: &str| Limits { max: Some(max.into()), ..Limits::default() };
    let min = |min: &str| Limits { min: Some(min.into()), ..Limits::default() };
    let length = |max| Limits { max_length: Some(max), ..Limits::default() };
    let values = |values: &[&str]| Limits {
        values: Some(values.iter().map(|value| (*value).into()).collect()),
        ..Limits::default()
    };
    for (from, stored, to, reason) in [
        (TEXT, ["'ab'", "'äöü'", "NULL"], limited(length(2), TEXT), "is longer than 2"),
        (
            TEXT,
            ["'ab'", "''", "NULL"],
            limited(Limits { min_length: 1, ..Limits::default() }, TEXT),
            "is shorter than 1",
        ),
        (FOLDED, ["'a'", "'A'", "NULL"], limited(values(&["a", "b"]), FOLDED), "is none of a, b"),
        (Type::Integer, ["5", "6", "NULL"], limited(max("5"), Type::Integer), "is greater than 5"),
        (Type::Float, ["0.5", "0.25", "NULL"], limited(min("0.5"), Type::Float), "is less than 0.5"),
        (decimal(6, 2), ["150", "149", "NULL"], limited(min("1.5"), decimal(6, 2)), "is less than 1.5"),
        (decimal(6, 2), ["150", "151", "NULL"], limited(max("1.505"), decimal(6, 2)), "is greater than 1.505"),
        (
            decimal(6, 2),
            ["9999", "-10000", "NULL"],
            optional("x", decimal(4, 2)),
            "has more than 2 digits before the point",
        ),
        (decimal(6, 2), ["150", "151", "NULL"], optional("x", decimal(6, 1)), "has more than 1 digits after the point"),
        (
            Type::Integer,
            ["99", "9223372036854775807", "NULL"],
            optional("x", decimal(4, 2)),
            "has more than 2 digits before the point",
        ),
        (
            Type::Integer,
            ["9007199254740992", "9007199254740993", "NULL"],
            optional("x", Type::Float),
            "is too large for a float to hold exactly",
        ),
        (
            TEXT,
            ["'a'", "NULL", "'b'"],
            Column { required: true, ..optional("x", TEXT) },
            "has no value, and is required from now on",
        ),
    ] {
        let shop = three(&optional("x", from), stored);
        let refused = refusals(shop.migrate(&app(&[ants(std::slice::from_ref(&to))])));
        let found: Vec<_> =
            refused.iter().map(|refusal| (refusal.reason.as_str(), refusal.records.join(","))).collect();
        assert_eq!(found, [(reason, "2".to_owned())], "{from:?} to {to:?}");
        shop.run("DELETE FROM ants WHERE id = 2");
        shop.migrate(&app(&[ants(&[to])])).unwrap();
    }
}

#[test]
fn limits_hold_for_each_item_of_a_list() {
    let list = |max_length, max_items| Column {
        list: true,
        limits: Limits { max_length, max_items, ..Limits::default() },
        ..optional("key", TEXT)
    };
    let shop = three(&list(None, None), ["'[\"a\",\"bb\"]'", "'[\"a\",\"ccc\"]'", "'[\"a\",\"b\",\"c\"]'"]);
    let refused = refusals(shop.migrate(&app(&[ants(&[list(Some(2), Some(2))])])));
    assert_eq!(refused.iter().map(|refusal| refusal.records.join(",")).collect::<Vec<_>>(), ["2", "3"]);
}

#[test]
fn no_two_records_may_agree_in_a_field_that_becomes_unique() {
    let with_index =
        |column: &Column| Table { indexes: vec![unique("ants", column)], ..ants(std::slice::from_ref(column)) };
    let shop = three(&optional("x", FOLDED), ["'a'", "'A'", "NULL"]);
    let refused = refusals(shop.migrate(&app(&[with_index(&optional("x", FOLDED))])));
    assert_eq!(refused[0].records, ["1", "2"]);

    let shop = three(&optional("x", TEXT), ["'a'", "'A'", "NULL"]);
    shop.migrate(&app(&[with_index(&optional("x", TEXT))])).unwrap();
    let refused = refusals(shop.migrate(&app(&[with_index(&optional("x", FOLDED))])));
    assert_eq!(refused[0].records, ["1", "2"], "folding makes them agree");

    let shop = three(&optional("x", TEXT), ["'a'", "'A'", "NULL"]);
    let same = filled("y", TEXT, Value::text("same"));
    let after = Table { indexes: vec![unique("ants", &same)], ..ants(&[optional("x", TEXT), same]) };
    assert_eq!(refusals(shop.migrate(&app(&[after])))[0].records, ["1", "2", "3"], "all get the same default");
}

#[test]
fn references_survive_a_rebuild_of_either_side() {
    let bees = |columns: &[Column]| table("bees", Id::Integer, columns);
    let home = || reference("home", "bees", Id::Integer);
    let join = Join {
        field: "friends".into(),
        target: "bees".into(),
        target_id: Id::Integer,
        max_items: None,
        renamed_from: None,
    };
    let ants = |columns: &[Column]| Table { joins: vec![join.clone()], ..ants(columns) };
    let before = app(&[ants(&[home()]), bees(&[reference("queen", "bees", Id::Integer)])]);
    let shop = Shop::with(
        &before,
        "INSERT INTO bees VALUES (1, 1, NULL), (2, 2, 1); INSERT INTO ants VALUES (1, 1, 2);
         INSERT INTO ants__friends VALUES (1, 0, 2), (1, 1, 1)",
    );
    let must = || filled("must", Type::Boolean, Value::Boolean(true));
    let after = app(&[ants(&[home(), must()]), bees(&[reference("queen", "bees", Id::Integer), must()])]);

    shop.migrate(&after).unwrap();

    assert_eq!(shop.query("SELECT * FROM bees"), ["1 1 NULL 1", "2 2 1 1"]);
    assert_eq!(
        shop.query("SELECT * FROM ants JOIN ants__friends ON owner = id ORDER BY position"),
        ["1 1 2 1 1 0 2", "1 1 2 1 1 1 1"]
    );
    let delete = "PRAGMA foreign_keys = ON; DELETE FROM bees WHERE id = 2";
    let refused = rusqlite::Connection::open(shop.path()).unwrap().execute_batch(delete);
    assert!(refused.unwrap_err().to_string().contains("FOREIGN KEY"));
}

#[test]
fn a_value_that_becomes_a_reference_has_to_lead_somewhere() {
    let bees = || table("bees", Id::Integer, &[]);
    let before = app(&[ants(&[optional("x", Type::Integer)]), bees()]);
    let shop = Shop::with(
        &before,
        "INSERT INTO bees VALUES (7, 1); INSERT INTO ants VALUES (1, 1, 7), (2, 1, 8), (3, 1, NULL)",
    );
    let after = app(&[ants(&[reference("x", "bees", Id::Integer)]), bees()]);

    let refused = refusals(shop.migrate(&after));
    assert_eq!(
        (refused[0].reason.as_str(), refused[0].records.join(",")),
        ("names no record of `bees`", "2".to_owned())
    );

    shop.run("UPDATE ants SET x = 7 WHERE id = 2");
    shop.migrate(&after).unwrap();
    assert_eq!(shop.query("SELECT id, x FROM ants"), ["1 7", "2 7", "3 NULL"]);
}

#[test]
fn other_kinds_of_ids_make_a_new_table() {
    let mut shop = three(&optional("x", TEXT), ["'a'", "'b'", "'c'"]);
    let after = app(&[table("ants", Id::Uuid, &[optional("x", TEXT)])]);
    assert!(matches!(shop.migrate(&after), Err(MigrationError::DataLoss(_))));
    shop.allow_data_loss = true;
    shop.migrate(&after).unwrap();
    assert_eq!(shop.query("SELECT count(*) FROM ants"), ["0"]);
}
