//! Which steps lead from one database to another.

use super::diff;
use crate::migration::{
    physical::{Column, Database, Fill, Id, Limits, Origin, Table, Type},
    samples::{app, filled, optional, reference, table, unique},
};

const TEXT: Type = Type::Text { fold_case: false };

fn ants(columns: &[Column]) -> Database {
    app(&[table("ants", Id::Integer, columns)])
}

fn renamed(name: &str, from: &str, kind: Type) -> Column {
    Column {
        origin: Origin { renamed_from: Some(from.into()), fill: Fill::Nothing, ..Origin::default() },
        ..optional(name, kind)
    }
}

fn words(old: &Database, new: &Database) -> Vec<String> {
    diff(old, new).steps.into_iter().map(|step| step.words).collect()
}

#[test]
fn the_same_database_needs_nothing() {
    let database = ants(&[optional("x", TEXT)]);
    assert!(diff(&database, &database).is_empty());
    assert_eq!(
        words(&Database::default(), &database),
        ["create the system tables: event log, keys, migrations", "create table `ants`"]
    );
}

#[test]
fn renaming_happens_once_and_never_takes_a_field_that_is_still_asked_for() {
    let old = ants(&[optional("a", TEXT)]);
    assert_eq!(words(&old, &ants(&[renamed("b", "a", TEXT)])), ["rename column `a` of `ants` to `b`"]);
    assert_eq!(words(&ants(&[optional("b", TEXT)]), &ants(&[renamed("b", "a", TEXT)])), Vec::<String>::new());
    assert_eq!(words(&old, &ants(&[optional("a", TEXT), renamed("b", "a", TEXT)])), ["add column `b` to `ants`"]);
    assert_eq!(
        words(&old, &ants(&[renamed("b", "a", Type::Json)])),
        ["drop column `a` of `ants`", "add column `b` to `ants`"]
    );
}

#[test]
fn a_step_says_what_changes() {
    let limits = |max| Limits { max_length: Some(max), ..Limits::default() };
    let old = ants(&[Column { limits: limits(200), ..optional("x", TEXT) }, optional("y", Type::Integer)]);
    let new = ants(&[
        Column { limits: limits(100), required: true, ..optional("x", TEXT) },
        optional("y", Type::Boolean),
        filled("z", Type::Integer, model::Value::Integer(0)),
    ]);
    assert_eq!(
        words(&old, &new),
        [
            "change `x` of `ants`: required from now on; greatest length 100 (was 200)",
            "replace column `y` of `ants`: integer becomes boolean, without its values",
            "add column `z` to `ants`, filled with 0",
        ]
    );
}

#[test]
fn only_what_can_neither_lose_nor_be_refused_is_safe() {
    let old = ants(&[optional("x", TEXT), Column { required: true, ..optional("y", TEXT) }]);
    let y = || Column { required: true, ..optional("y", TEXT) };
    let safe = |new: &Database| diff(&old, new).is_safe();
    assert!(safe(&ants(&[optional("x", TEXT), optional("y", TEXT)])), "loosened");
    assert!(safe(&ants(&[optional("x", TEXT), y(), filled("z", TEXT, model::Value::text("z"))])), "added");
    assert!(safe(&ants(&[renamed("z", "x", TEXT), y()])), "renamed");
    assert!(!safe(&ants(&[y()])), "dropped");
    assert!(!safe(&ants(&[Column { required: true, ..optional("x", TEXT) }, y()])), "tightened");
    assert!(!safe(&ants(&[optional("x", TEXT), y(), Column { required: true, ..optional("z", TEXT) }])), "no default");
    let indexed = Table { indexes: vec![unique("ants", &y())], ..old.tables[0].clone() };
    assert!(!safe(&app(&[indexed])), "unique");
}

#[test]
fn a_reference_that_points_elsewhere_keeps_what_is_found_there() {
    let both = |target: &str| {
        app(&[
            table("ants", Id::Integer, &[reference("x", target, Id::Integer)]),
            table("bees", Id::Integer, &[]),
            table("cats", Id::Integer, &[]),
        ])
    };
    let plan = diff(&both("bees"), &both("cats"));
    assert_eq!(plan.steps[0].words, "change `x` of `ants`: reference to `bees` becomes reference to `cats`");
    assert!(plan.steps[0].loss.is_none() && plan.steps[0].checks.len() == 1);
}
