//! Patches, puts and preconditions.

use model::{Action, Code, Value};
use rules::plan::{Edit, Precondition};
use serde_json::json;

use super::world::{World, refused};

pub async fn a_patch_changes_what_it_names(world: &World) {
    let author = world.person("Ann").await;
    let values = [("title", Value::text("a")), ("author", author), ("views", Value::Integer(3))];
    let post = world.create("posts", &values).await;
    let edits = vec![("title", Edit::Set(Value::text("b"))), ("flag", Edit::Set(Value::Boolean(true)))];
    let patched = world.patch("posts", post.id(), edits).await.expect("a patch");
    assert!(patched.revision > post.revision);
    let seen = world.get("posts", post.id()).await.expect("the post");
    assert_eq!((&seen["title"], &seen["flag"], &seen["views"]), (&json!("b"), &json!(true), &json!(3)));
    world.patch("posts", post.id(), vec![("views", Edit::Set(Value::Null))]).await.expect("a patch");
    assert_eq!(world.get("posts", post.id()).await.expect("the post")["views"], json!(null));
    let none = world.patch("posts", &Value::Integer(99), vec![("views", Edit::Set(Value::Null))]).await;
    assert_eq!(refused(none).0, Code::NotFound);
}

pub async fn increments_add_up(world: &World) {
    let author = world.person("Ann").await;
    let values = [
        ("title", Value::text("a")),
        ("author", author),
        ("views", Value::Integer(1)),
        ("price", Value::Decimal(model::Decimal::new(100, 2))),
    ];
    let post = world.create("posts", &values).await;
    let edits = vec![
        ("views", Edit::Increment(Value::Integer(-3))),
        ("price", Edit::Increment(Value::Decimal(model::Decimal::new(5, 2)))),
    ];
    world.patch("posts", post.id(), edits).await.expect("a patch");
    let seen = world.get("posts", post.id()).await.expect("the post");
    assert_eq!((&seen["views"], &seen["price"]), (&json!(-2), &json!("1.05")));
    let flood = world.patch("posts", post.id(), vec![("views", Edit::Increment(Value::Integer(i64::MIN)))]).await;
    assert_eq!(refused(flood).0, Code::Validation);
}

pub async fn lists_are_appended_to_and_removed_from(world: &World) {
    let author = world.person("Ann").await;
    for tag in ["a", "b", "c"] {
        world.create("tags", &[("id", Value::text(tag))]).await;
    }
    let post = world.post(&author, "a").await;
    let append = |items: &[&str]| Edit::Append(items.iter().map(Value::text).collect());
    let edits = vec![("tags", append(&["b", "a"])), ("labels", append(&["x", "x"]))];
    world.patch("posts", &post, edits).await.expect("a patch");
    world
        .patch("posts", &post, vec![("tags", append(&["a", "c"])), ("labels", append(&["y"]))])
        .await
        .expect("a patch");
    let seen = world.get("posts", &post).await.expect("the post");
    assert_eq!((&seen["tags"], &seen["labels"]), (&json!(["b", "a", "c"]), &json!(["x", "x", "y"])));
    let edits = vec![("tags", Edit::Remove(vec![Value::text("a")])), ("labels", Edit::Remove(vec![Value::text("x")]))];
    world.patch("posts", &post, edits).await.expect("a patch");
    let seen = world.get("posts", &post).await.expect("the post");
    assert_eq!((&seen["tags"], &seen["labels"]), (&json!(["b", "c"]), &json!(["y"])));
}

pub async fn a_merge_patch_merges(world: &World) {
    let author = world.person("Ann").await;
    let meta = Value::Json(r#"{"a":{"b":1},"c":2}"#.into());
    let post = world.create("posts", &[("title", Value::text("a")), ("author", author), ("meta", meta)]).await;
    let edits = vec![("meta", Edit::Merge(r#"{"a":{"d":3},"c":null}"#.into()))];
    world.patch("posts", post.id(), edits).await.expect("a patch");
    let seen = world.get("posts", post.id()).await.expect("the post");
    assert_eq!(seen["meta"], json!({ "a": { "b": 1, "d": 3 } }));
}

pub async fn a_revision_guards_a_change(world: &World) {
    let room = world.create("rooms", &[("id", Value::text("r"))]).await;
    let rename = |name: &str| vec![("name", Edit::Set(Value::text(name)))];
    let now = Precondition::Revision(vec![room.revision]);
    let renamed = world.patch_if("rooms", room.id(), rename("a"), now.clone()).await.expect("a patch");
    assert_eq!(refused(world.patch_if("rooms", room.id(), rename("b"), now).await).0, Code::PreconditionFailed);
    let now = Precondition::Revision(vec![7_000_000, renamed.revision]);
    world.patch_if("rooms", room.id(), rename("c"), now).await.expect("a patch");
    assert_eq!(world.get("rooms", room.id()).await.expect("the room")["name"], "c");
}

pub async fn a_put_creates_where_clients_name_ids(world: &World) {
    let id = Value::text("r");
    let put = world.put("rooms", &id, &[("name", Value::text("a"))]).await.expect("a put");
    assert_eq!(put.action, Action::Created);
    let put = world.put("rooms", &id, &[]).await.expect("a put");
    assert_eq!(put.action, Action::Updated);
    assert_eq!(world.get("rooms", &id).await.expect("the room")["name"], json!(null));
}

pub async fn nothing_changed_is_nothing_written(world: &World) {
    let room = world.create("rooms", &[("id", Value::text("r")), ("name", Value::text("a"))]).await;
    let same = world.patch("rooms", room.id(), vec![("name", Edit::Set(Value::text("a")))]).await.expect("a patch");
    assert_eq!(same.revision, room.revision);
    world.room("s", "b").await;
    assert_eq!(world.happened(2).await, ["rooms.created", "rooms.created"]);
}
