//! References, and what becomes of them when their targets go.

use model::{Code, Value};
use rules::{plan::Edit, query::Query};
use serde_json::json;

use super::world::{World, refused};

pub async fn a_missing_target_is_named(world: &World) {
    let nobody = Value::Uuid(uuid::Uuid::from_u128(1));
    let missing = world.try_create("posts", &[("title", Value::text("a")), ("author", nobody.clone())]).await;
    assert_eq!(refused(missing), (Code::MissingReference, vec!["/author".to_owned()]));
    let author = world.person("Ann").await;
    let many = [
        ("title", Value::text("a")),
        ("author", author.clone()),
        ("editor", nobody.clone()),
        ("room", Value::text("none")),
        ("tags", Value::List(vec![Value::text("none")])),
    ];
    let (code, fields) = refused(world.try_create("posts", &many).await);
    assert_eq!((code, fields), (Code::MissingReference, ["/editor", "/room", "/tags"].map(str::to_owned).to_vec()));
    let post = world.post(&author, "a").await;
    let missing = world.patch("posts", &post, vec![("editor", Edit::Set(nobody))]).await;
    assert_eq!(refused(missing), (Code::MissingReference, vec!["/editor".to_owned()]));
    assert_eq!(world.get("posts", &post).await.expect("the post")["editor"], json!(null));
}

pub async fn a_missing_target_in_a_list_is_named(world: &World) {
    let author = world.person("Ann").await;
    world.create("tags", &[("id", Value::text("a"))]).await;
    let tags = Value::List(vec![Value::text("a"), Value::text("none")]);
    let values = [("title", Value::text("a")), ("author", author.clone()), ("tags", tags)];
    assert_eq!(refused(world.try_create("posts", &values).await), (Code::MissingReference, vec!["/tags".to_owned()]));
    let post = world.post(&author, "a").await;
    let missing = world.patch("posts", &post, vec![("tags", Edit::Append(vec![Value::text("none")]))]).await;
    assert_eq!(refused(missing), (Code::MissingReference, vec!["/tags".to_owned()]));
}

pub async fn what_is_referred_to_stays_where_restricted(world: &World) {
    let author = world.person("Ann").await;
    let room = world.room("r", "a").await;
    let post = world.post(&author, "a").await;
    world.patch("posts", &post, vec![("room", Edit::Set(room.clone()))]).await.expect("a patch");
    assert_eq!(refused(world.delete("rooms", &room).await).0, Code::InUse);
    assert!(world.get("rooms", &room).await.is_some());
    world.patch("posts", &post, vec![("room", Edit::Set(Value::Null))]).await.expect("a patch");
    world.delete("rooms", &room).await.expect("a deletion");
}

pub async fn what_refers_goes_along_where_cascading(world: &World) {
    let (ann, bob) = (world.person("Ann").await, world.person("Bob").await);
    let (gone, left) = (world.post(&ann, "a").await, world.post(&bob, "a").await);
    world.delete("people", &ann).await.expect("a deletion");
    assert_eq!(world.get("posts", &gone).await, None);
    assert!(world.get("posts", &left).await.is_some());
}

pub async fn a_reference_is_emptied_where_so_said(world: &World) {
    let (ann, bob) = (world.person("Ann").await, world.person("Bob").await);
    let post = world.post(&ann, "a").await;
    let before = world.patch("posts", &post, vec![("editor", Edit::Set(bob.clone()))]).await.expect("a patch");
    world.delete("people", &bob).await.expect("a deletion");
    assert_eq!(world.get("posts", &post).await.expect("the post")["editor"], json!(null));
    let entry = world.log(6).await.into_iter().find(|entry| entry.revision > before.revision).expect("an entry");
    assert_eq!((entry.action.name(), entry.changed.as_slice()), ("updated", &["editor".to_owned()][..]));
}

pub async fn a_deleted_record_leaves_lists(world: &World) {
    let author = world.person("Ann").await;
    for tag in ["a", "b", "c"] {
        world.create("tags", &[("id", Value::text(tag))]).await;
    }
    let tags = Value::List(["c", "b", "a"].map(Value::text).to_vec());
    let post = world.create("posts", &[("title", Value::text("a")), ("author", author), ("tags", tags)]).await;
    world.delete("tags", &Value::text("b")).await.expect("a deletion");
    let seen = world.get("posts", post.id()).await.expect("the post");
    assert_eq!(seen["tags"], json!(["c", "a"]));
}

pub async fn a_cycle_goes_as_a_whole(world: &World) {
    for room in ["a", "b", "c"] {
        world.room(room, room).await;
    }
    for (room, next) in [("a", "b"), ("b", "c"), ("c", "a")] {
        world.patch("rooms", &Value::text(room), vec![("next", Edit::Set(Value::text(next)))]).await.expect("a patch");
    }
    let own = world.room("self", "self").await;
    world.patch("rooms", &own, vec![("next", Edit::Set(own.clone()))]).await.expect("a patch");
    world.delete("rooms", &Value::text("b")).await.expect("a deletion");
    assert_eq!(world.column("rooms", "id", Query::default()).await, ["self"]);
    world.delete("rooms", &own).await.expect("a deletion");
    assert_eq!(world.list("rooms", Query::default()).await.length, 0);
    let deleted = world.happened(12).await.into_iter().filter(|what| what == "rooms.deleted").count();
    assert_eq!(deleted, 4);
}

pub async fn a_long_chain_goes_as_a_whole(world: &World) {
    const LENGTH: usize = 300;
    let mut operations = Vec::new();
    for number in 0..LENGTH {
        let mut values = vec![("id", Value::text(format!("r{number}")))];
        if number > 0 {
            values.push(("next", Value::text(format!("r{}", number - 1))));
        }
        operations.push(("rooms", world.creation("rooms", &values)));
    }
    world.batch(operations).await.expect("a batch");
    world.delete("rooms", &Value::text("r0")).await.expect("a deletion");
    assert_eq!(world.list("rooms", Query::default()).await.length, 0);
    assert_eq!(world.log(2 * LENGTH).await.len(), 2 * LENGTH);
}
