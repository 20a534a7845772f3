//! Rules about the people who sign in: their five fields, and what a caller is by them.

use std::{net::Ipv4Addr, sync::Arc};

use model::{Caller, Record, Schema, Value, caller::Identity};
use rules::Scope;

use crate::{compare::Comparison, edges::records, postgres_url, world::World};

const FILES: &[(&str, &str)] = &[
    ("mainstay.toml", "[roles]\nstaff = { includes = [\"editor\"] }\neditor = {}\n"),
    (
        "resources/people.toml",
        r#"
id = "integer"
[auth]
expose = ["roles"]
[fields]
claims = { schema = { properties = { level = { type = "integer" }, team = { type = "string" } } } }
boss   = { type = "reference", to = "people" }
"#,
    ),
    (
        "resources/posts.toml",
        r#"
[fields]
title  = { type = "string" }
author = { type = "reference", to = "people", default = "auth.id" }
fans   = { type = "reference", to = "people", many = true }
"#,
    ),
];

const RULES: &[(&str, &str)] = &[
    ("people", "record.id == auth.id"),
    ("people", "auth.id != null && record.id == auth.id"),
    ("people", "record.email == auth.email"),
    ("people", "record.email != auth.email || record.email == null"),
    ("people", "record.email.endsWith('.org') && !record.email_verified"),
    ("people", "'editor' in record.roles"),
    ("people", "!('editor' in record.roles) && size(record.roles) > 0"),
    ("people", "record.roles.exists(r, r in auth.roles)"),
    ("people", "record.roles.all(r, r != 'staff')"),
    ("people", "record.disabled || record.boss.disabled"),
    ("people", "record.claims.level == auth.claims.level"),
    ("people", "record.claims.level > 1 || record.claims.team == 'red'"),
    ("people", "record.claims.team in auth.claims.teams"),
    ("people", "!(record.claims.team in auth.claims.teams)"),
    ("people", "record.claims.level in auth.claims.numbers"),
    ("people", "'red' in auth.claims.teams || record.boss.id == auth.id"),
    ("posts", "record.author == auth.id"),
    ("posts", "record.author != auth.id"),
    ("posts", "record.author.boss == auth.id || auth.id in record.fans"),
    ("posts", "record.fans.exists(f, f.id == auth.id && !f.disabled)"),
    ("posts", "record.author.email == auth.email && record.author.email_verified"),
    ("posts", "'staff' in record.author.roles && 'editor' in auth.roles"),
    ("posts", "record.fans.all(f, f.claims.level == auth.claims.level)"),
];

fn schema() -> Schema {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("resources")).unwrap();
    for (name, text) in FILES {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let loaded = app::load(directory.path(), &app::Environment::empty());
    let Some(catalog) = loaded.catalog else { panic!("{}", app::render(&loaded.diagnostics, &loaded.sources, false)) };
    (*catalog.schema).clone()
}

/// Gives the people what people have.
fn settle(world: &mut World) {
    let (people, _, settings) = world.schema.people().expect("there are people");
    let fields = settings.fields;
    let list = |roles: &[&str]| Value::List(roles.iter().map(Value::text).collect());
    for (number, person) in world.records[usize::from(people.0)].iter_mut().enumerate() {
        let email = if number % 5 == 4 { Value::Null } else { Value::text(format!("P{number}@x.org")) };
        person.set(fields.email, email);
        person.set(fields.email_verified, Value::Boolean(number % 2 == 0));
        person.set(fields.roles, [list(&[]), list(&["editor"]), list(&["staff", "x"])][number % 3].clone());
        person.set(fields.disabled, Value::Boolean(number % 7 == 3));
        let claims =
            ["{}", r#"{"level":2,"team":"red"}"#, r#"{"level":1,"numbers":[1,2],"teams":["red","blue"]}"#][number % 3];
        person.set(fields.claims, Value::Json(claims.into()));
    }
}

fn callers(world: &World) -> Vec<Caller> {
    let (people, _, _) = world.schema.people().expect("there are people");
    let caller = |identity| Caller {
        identity: Arc::new(identity),
        address: Ipv4Addr::LOCALHOST.into(),
        method: "GET",
        now: 1_700_000_000_000_000,
        request_id: "request".into(),
    };
    let known = world.of(people).iter().take(9).filter_map(|person: &Record| world.schema.identify(person));
    std::iter::once(Identity::anonymous()).chain(known).map(caller).collect()
}

#[tokio::test]
async fn rules_about_people_mean_the_same_everywhere() {
    let mut world = records::fill(World { schema: schema(), records: Vec::new() });
    settle(&mut world);
    let callers = callers(&world);
    assert_eq!(callers.len(), 9, "a stranger, and nine people of whom one is disabled");
    let mut comparison = Comparison::new(&world, &callers, Some(&postgres_url())).await;
    let mut complaints = Vec::new();
    for (resource, text) in RULES {
        let resource = world.schema.find(resource).expect("a resource of the schema");
        match rules::check::check_rule(&world.schema, resource, Scope::Read, text) {
            Ok(checked) => {
                complaints.extend(comparison.disagreement(resource, |_| Some(checked.checked.clone())).await);
            }
            Err(mistakes) => complaints.push(format!("{text}: {mistakes:?}")),
        }
    }
    let counts = comparison.finish().await;
    println!("{counts:?}");
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
    assert!(counts.telling > RULES.len() / 2, "the rules tell records apart: {counts:?}");
}
