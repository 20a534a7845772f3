//! Rules that lead through relations.

use model::{Code, Value};
use rules::{Condition, plan::Edit, query::Query};

use super::world::{World, refused};

async fn notes(world: &World) {
    let ann = world.person("Ann").await;
    let room = |id: &'static str, name: &str| [("id", Value::text(id)), ("name", Value::text(name))];
    let mut open = room("hall", "open").to_vec();
    open.push(("owner", ann));
    world.create("rooms", &open).await;
    world.create("rooms", &room("yard", "open")).await;
    world.create("rooms", &room("vault", "closed")).await;
    for (id, place) in [("1", Some("hall")), ("2", Some("yard")), ("3", Some("vault")), ("4", None)] {
        let place = place.map_or(Value::Null, Value::text);
        let values =
            [("id", Value::text(id)), ("room", place), ("body", Value::text("b")), ("secret", Value::text("s"))];
        world.create("notes", &values).await;
    }
}

pub async fn a_rule_through_a_relation_decides_who_reads(world: &World) {
    notes(world).await;
    let stranger = world.stranger();
    assert_eq!(stranger.column("notes", "id", Query::default()).await, ["1", "2"]);
    assert!(stranger.get("notes", &Value::text("1")).await.is_some());
    assert_eq!(stranger.get("notes", &Value::text("3")).await, None);
    assert_eq!(stranger.get("notes", &Value::text("4")).await, None);
    assert_eq!(world.column("notes", "id", Query::default()).await, ["1", "2", "3", "4"]);
}

pub async fn a_rule_through_a_relation_decides_who_writes(world: &World) {
    notes(world).await;
    let stranger = world.stranger();
    let note = |id: &str, room: &str| [("id", Value::text(id)), ("room", Value::text(room))];
    stranger.create("notes", &note("5", "hall")).await;
    assert_eq!(refused(stranger.try_create("notes", &note("6", "vault")).await).0, Code::Unauthenticated);
    assert_eq!(refused(stranger.try_create("notes", &note("6", "nowhere")).await).0, Code::Unauthenticated);
    let set = |room: &str| vec![("room", Edit::Set(Value::text(room)))];
    assert!(stranger.patch("notes", &Value::text("5"), set("yard")).await.is_ok());
    assert_eq!(refused(stranger.patch("notes", &Value::text("5"), set("vault")).await).0, Code::Unauthenticated);
    // What can't be read is not there.
    assert_eq!(refused(stranger.patch("notes", &Value::text("3"), set("hall")).await).0, Code::NotFound);
    assert_eq!(refused(stranger.delete("notes", &Value::text("3")).await).0, Code::NotFound);
    assert_eq!(refused(stranger.delete("notes", &Value::text("2")).await).0, Code::Unauthenticated);
    assert!(stranger.delete("notes", &Value::text("1")).await.is_ok());
}

pub async fn a_field_that_is_closed_is_left_out(world: &World) {
    notes(world).await;
    let stranger = world.stranger();
    let seen = stranger.get("notes", &Value::text("1")).await.expect("the note");
    assert_eq!(seen["secret"], "s");
    let seen = stranger.get("notes", &Value::text("2")).await.expect("the note");
    assert!(seen.get("secret").is_none());
    assert!(stranger.column("notes", "secret", super::world::filtered("secret == \"s\"")).await.len() == 1);
}

pub async fn what_was_judged_in_memory_is_judged_alike_by_the_database(world: &World) {
    notes(world).await;
    let stranger = world.stranger();
    let resource = world.resource("notes");
    let query = Query::default();
    let plan = stranger.gate.read(stranger.caller().clone(), resource, query).expect("a plan").into_inner().plan;
    assert!(matches!(&plan.condition, condition if Condition::uses_relations(condition)));
    for (id, room, visible, secret) in [
        ("1", "hall", true, true),
        ("2", "yard", true, false),
        ("3", "vault", false, false),
        ("9", "none", false, false),
    ] {
        let values = [("id", Value::text(id)), ("room", Value::text(room)), ("secret", Value::text("s"))];
        let listed = stranger.list("notes", super::world::filtered(&format!("id == {id:?}"))).await;
        assert_eq!(listed.length == 1, visible, "{id}");
        let seen = stranger.get("notes", &Value::text(id)).await;
        assert_eq!(seen.is_some_and(|seen| seen.get("secret").is_some()), secret, "{id} {values:?}");
    }
}
