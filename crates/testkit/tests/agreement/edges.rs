//! Rules about what is easy to get wrong: overflow, nulls, empty lists, letters beyond ASCII, guards against patterns.

pub(crate) mod records;
pub(crate) mod schema;

use std::{net::Ipv4Addr, sync::Arc};

use model::{Caller, Value, caller::Identity};
use rules::Scope;

use crate::{compare::Comparison, postgres_url, world::World};

/// Rules, one a line; the first word is the resource.
const RULES: &str = include_str!("edges/rules.txt");

#[tokio::test]
async fn what_is_easy_to_get_wrong_is_right_everywhere() {
    let world = World { schema: schema::schema(), records: Vec::new() };
    let world = records::fill(world);
    let callers = callers(&world);
    let mut comparison = Comparison::new(&world, &callers, Some(&postgres_url())).await;
    let mut complaints = Vec::new();
    for line in RULES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (resource, text) = line.split_once(' ').expect("a resource and a rule");
        let resource = world.schema.find(resource).expect("a resource of the schema");
        match rules::check::check_rule(&world.schema, resource, Scope::Read, text) {
            Ok(checked) => {
                complaints.extend(comparison.disagreement(resource, |_| Some(checked.checked.clone())).await)
            }
            Err(mistakes) => complaints.push(format!("{text}: {mistakes:?}")),
        }
    }
    let counts = comparison.finish().await;
    println!("{counts:?}");
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

/// A stranger, a person of the world, and somebody with odd claims.
pub(crate) fn callers(world: &World) -> [Caller; 3] {
    let users = world.schema.find("users").expect("the world has users");
    let caller = |identity| Caller {
        identity: Arc::new(identity),
        address: Ipv4Addr::LOCALHOST.into(),
        method: "GET",
        now: 1_700_000_000_000_000,
        request_id: "request".into(),
    };
    let person = Identity {
        id: world.of(users)[1].id().clone(),
        email: Some("Ann@Example.org".into()),
        roles: vec!["editor".into(), "staff".into()],
        claims: Some(r#"{"level":3,"team":"red","ratio":0.5,"vip":true,"since":"2020-01-01T00:00:00Z"}"#.into()),
        actor: Some("ann".into()),
        ..Identity::anonymous()
    };
    let other = Identity {
        id: Value::text("blue"),
        email: None,
        roles: Vec::new(),
        claims: Some(r#"{"level":"x","team":7,"ratio":9007199254740993,"vip":"true"}"#.into()),
        actor: Some("key".into()),
        ..Identity::anonymous()
    };
    [caller(Identity::anonymous()), caller(person), caller(other)]
}
