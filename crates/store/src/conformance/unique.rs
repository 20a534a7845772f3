//! Values that no two records may share.

use model::{Code, Value};
use rules::plan::Edit;

use super::world::{World, refused};

pub async fn a_taken_field_is_named(world: &World) {
    let author = world.person("Ann").await;
    let token = Value::Uuid(uuid::Uuid::from_u128(7));
    let post = |title: &str| [("title", Value::text(title)), ("author", author.clone()), ("token", token.clone())];
    world.create("posts", &post("a")).await;
    assert_eq!(refused(world.try_create("posts", &post("b")).await), (Code::Conflict, vec!["/token".to_owned()]));
    let other = world.post(&author, "c").await;
    let taken = world.patch("posts", &other, vec![("token", Edit::Set(token.clone()))]).await;
    assert_eq!(refused(taken), (Code::Conflict, vec!["/token".to_owned()]));
    // In a batch the pointer says which.
    let batch = vec![
        ("rooms", world.creation("rooms", &[("id", Value::text("r"))])),
        ("posts", world.creation("posts", &post("d"))),
    ];
    assert_eq!(refused(world.batch(batch).await), (Code::Conflict, vec!["/1/token".to_owned()]));
    assert_eq!(world.get("rooms", &Value::text("r")).await, None);
}

pub async fn text_that_folds_is_taken_in_any_case(world: &World) {
    let person = |email: &str| [("name", Value::text("x")), ("email", Value::text(email))];
    world.create("people", &person("Ann@example.org")).await;
    let taken = world.try_create("people", &person("ann@EXAMPLE.org")).await;
    assert_eq!(refused(taken), (Code::Conflict, vec!["/email".to_owned()]));
    world.create("people", &person("änn@example.org")).await;
    world.create("people", &person("Änn@example.org")).await;
}

pub async fn fields_of_an_index_are_taken_together(world: &World) {
    let (ann, bob) = (world.person("Ann").await, world.person("Bob").await);
    world.post(&ann, "same").await;
    world.post(&bob, "same").await;
    let taken = world.try_create("posts", &[("title", Value::text("same")), ("author", ann)]).await;
    assert_eq!(refused(taken), (Code::Conflict, vec!["/author".to_owned(), "/title".to_owned()]));
}

pub async fn nulls_are_never_taken(world: &World) {
    world.person("Ann").await;
    world.person("Ann").await;
    assert_eq!(world.list("people", rules::query::Query::default()).await.length, 2);
}

pub async fn an_id_is_taken_once(world: &World) {
    world.room("r", "a").await;
    let taken = world.try_create("rooms", &[("id", Value::text("r"))]).await;
    assert_eq!(refused(taken), (Code::Conflict, vec!["/id".to_owned()]));
    assert_eq!(world.get("rooms", &Value::text("r")).await.expect("the room")["name"], "a");
    // Ids are told apart by case.
    world.room("R", "b").await;
}

pub async fn creations_together_are_as_if_one_after_another(world: &World) {
    let rooms = |ids: &[&str]| -> Vec<_> {
        ids.iter().map(|id| ("rooms", world.creation("rooms", &[("id", Value::text(*id))]))).collect()
    };
    let person = || ("people", world.creation("people", &[("name", Value::text("x")), ("age", Value::Integer(1))]));
    let made = world.batch([rooms(&["c", "a", "b"]), vec![person(), person()]].concat()).await.expect("five records");
    let ids: Vec<Value> = made.iter().map(|one| one.record.id().clone()).collect();
    assert_eq!(ids[..3], ["c", "a", "b"].map(Value::text));
    assert!(ids[3] != ids[4] && !ids[3].is_null() && !ids[4].is_null(), "{ids:?}");
    let revisions: Vec<i64> = made.iter().map(|one| one.record.revision).collect();
    assert!(revisions.is_sorted_by(|one, next| one < next), "{revisions:?}");
    let log = world.log(5).await;
    assert_eq!(log.iter().map(|entry| entry.id.clone()).collect::<Vec<_>>(), ids);
    assert_eq!(log.iter().map(|entry| entry.revision).collect::<Vec<_>>(), revisions);
    // The first that fails is told, whatever is wrong with those behind it, and none is made.
    let taken = (Code::Conflict, vec!["/1/id".to_owned()]);
    assert_eq!(refused(world.batch(rooms(&["d", "a", "d", "b"])).await), taken);
    assert_eq!(world.get("rooms", &Value::text("d")).await, None);
    let twice = (Code::Conflict, vec!["/2/id".to_owned()]);
    assert_eq!(refused(world.batch(rooms(&["d", "e", "d"])).await), twice);
    assert_eq!(world.get("rooms", &Value::text("e")).await, None);
    world.batch(rooms(&["d", "e"])).await.expect("nothing is left of what failed");
}
