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
