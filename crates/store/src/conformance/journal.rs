//! The event log.

use model::{Code, Value};
use rules::plan::{Edit, OperationKind, Precondition};

use super::world::{NOW, World, refused};
use crate::LogRange;

pub async fn every_write_is_logged_with_before_and_after(world: &World) {
    let created = world.create("rooms", &[("id", Value::text("r")), ("name", Value::text("a"))]).await;
    let updated =
        world.patch("rooms", created.id(), vec![("name", Edit::Set(Value::text("b")))]).await.expect("a patch");
    world.delete("rooms", created.id()).await.expect("a deletion");
    let log = world.log(3).await;
    let [first, second, third] = log.as_slice() else { panic!("three entries") };
    assert_eq!(world.happened(3).await, ["rooms.created", "rooms.updated", "rooms.deleted"]);
    assert!(log.iter().all(|entry| entry.id == Value::text("r") && entry.time == NOW));
    assert_eq!((first.actor.as_deref(), first.request_id.as_str()), (Some("key:test"), "request-1"));
    assert_eq!((first.revision, second.revision), (created.revision, updated.revision));
    assert!(third.revision > second.revision);
    assert_eq!((&first.before, first.after.as_ref()), (&None, Some(&created)));
    assert_eq!(second.changed, ["name"]);
    assert_eq!(second.before.as_ref().map(|record| &record.values), Some(&created.values));
    assert_eq!(second.after.as_ref(), Some(&updated));
    assert_eq!(third.before.as_ref().map(|record| &record.values), Some(&updated.values));
    assert_eq!(third.after, None);
}

pub async fn a_cascade_is_logged_record_by_record(world: &World) {
    let ann = world.person("Ann").await;
    world.post(&ann, "a").await;
    world.post(&ann, "b").await;
    world.delete("people", &ann).await.expect("a deletion");
    let happened = world.happened(6).await;
    assert_eq!(happened[3..], ["posts.deleted", "posts.deleted", "people.deleted"]);
}

pub async fn a_failed_batch_leaves_nothing(world: &World) {
    let ann = world.person("Ann").await;
    let post = world.post(&ann, "a").await;
    let views = world.catalog().schema.get(world.resource("posts")).field("views").expect("a field");
    let batch = vec![
        ("rooms", world.creation("rooms", &[("id", Value::text("r"))])),
        (
            "posts",
            OperationKind::Patch {
                id: post.clone(),
                edits: vec![(views, Edit::Set(Value::Integer(7)))],
                precondition: Precondition::None,
            },
        ),
        ("people", OperationKind::Delete { id: ann.clone(), precondition: Precondition::None }),
        ("rooms", world.creation("rooms", &[("id", Value::text("r"))])),
    ];
    assert_eq!(refused(world.batch(batch).await), (Code::Conflict, vec!["/3/id".to_owned()]));
    assert_eq!(world.get("rooms", &Value::text("r")).await, None);
    assert_eq!(world.get("posts", &post).await.expect("the post")["views"], serde_json::Value::Null);
    world.room("last", "x").await;
    assert_eq!(world.happened(3).await, ["people.created", "posts.created", "rooms.created"]);
}

pub async fn sequences_grow_without_gaps(world: &World) {
    assert_eq!(world.store.log_range().await, Ok(LogRange { first: 1, last: 0 }));
    let mut watch = world.store.watch();
    for number in 0..10 {
        world.room(&format!("r{number}"), "x").await;
    }
    let sequences: Vec<i64> = world.log(10).await.iter().map(|entry| entry.sequence).collect();
    assert_eq!(sequences, (1..=10).collect::<Vec<_>>());
    let seen = watch.wait_for(|last| *last == 10);
    tokio::time::timeout(std::time::Duration::from_secs(5), seen).await.expect("in time").expect("a watch");
    assert_eq!(world.store.log_range().await, Ok(LogRange { first: 1, last: 10 }));
    let some = world.store.entries(world.catalog(), 3, 4).await.expect("entries");
    assert_eq!(some.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [4, 5, 6, 7]);
}

pub async fn the_log_is_trimmed_and_goes_on(world: &World) {
    for number in 0..5 {
        world.room(&format!("r{number}"), "x").await;
    }
    world.log(5).await;
    assert_eq!(world.store.trim_log(NOW, 100).await, Ok(0));
    assert_eq!(world.store.trim_log(NOW + 1, 3).await, Ok(3));
    assert_eq!(world.store.log_range().await, Ok(LogRange { first: 4, last: 5 }));
    assert_eq!(world.store.trim_log(NOW + 1, 100).await, Ok(2));
    assert_eq!(world.store.log_range().await, Ok(LogRange { first: 6, last: 5 }));
    world.room("after", "x").await;
    assert_eq!(world.log(1).await[0].sequence, 6);
}
