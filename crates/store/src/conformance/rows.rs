//! Records come back as they were.

use model::{Decimal, Value};
use serde_json::json;

use super::world::World;

pub async fn values_of_every_shape_come_back_as_they_were(world: &World) {
    let author = world.person("Ann").await;
    world.create("tags", &[("id", Value::text("b"))]).await;
    world.create("tags", &[("id", Value::text("a"))]).await;
    let uuid = uuid::Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_00ff);
    let post = world
        .create(
            "posts",
            &[
                ("title", Value::text("Grüße \"🦀\"\n\u{1}")),
                ("author", author.clone()),
                ("tags", Value::List(vec![Value::text("b"), Value::text("a")])),
                ("views", Value::Integer(i64::MIN)),
                ("price", Value::Decimal(Decimal::new(-123_456, 2))),
                ("ratio", Value::Float(0.1)),
                ("flag", Value::Boolean(false)),
                ("at", Value::DateTime(model::time::MIN)),
                ("day", Value::Date(model::time::MAX_DAY)),
                ("token", Value::Uuid(uuid)),
                ("meta", Value::Json(r#"{"a":[1,null,"x"]}"#.into())),
                ("labels", Value::List(vec![Value::text("x"), Value::text("NULL"), Value::text("a,\"b\"")])),
                ("numbers", Value::List(vec![Value::Integer(i64::MAX), Value::Integer(-1)])),
                ("floats", Value::List(vec![Value::Float(1e300), Value::Float(-0.5)])),
                ("amounts", Value::List(vec![Value::Decimal(Decimal::new(0, 2)), Value::Decimal(Decimal::new(5, 2))])),
                ("flags", Value::List(vec![Value::Boolean(true), Value::Boolean(false)])),
                ("moments", Value::List(vec![Value::DateTime(1), Value::DateTime(model::time::MAX)])),
                ("days", Value::List(vec![Value::Date(0), Value::Date(model::time::MIN_DAY)])),
                ("uuids", Value::List(vec![Value::Uuid(uuid)])),
            ],
        )
        .await;
    let found = world.get("posts", post.id()).await.expect("the post");
    assert_eq!(
        found,
        json!({
            "id": 1, "title": "Grüße \"🦀\"\n\u{1}", "nick": null, "author": super::super::id_text(&author),
            "editor": null, "room": null, "tags": ["b", "a"], "views": i64::MIN, "price": "-1234.56", "ratio": 0.1,
            "flag": false, "at": "0001-01-01T00:00:00Z", "day": "9999-12-31", "token": uuid.to_string(),
            "meta": { "a": [1, null, "x"] }, "labels": ["x", "NULL", "a,\"b\""], "numbers": [i64::MAX, -1],
            "floats": [1e300, -0.5], "amounts": ["0.00", "0.05"], "flags": [true, false],
            "moments": ["1970-01-01T00:00:00.000001Z", "9999-12-31T23:59:59.999999Z"],
            "days": ["1970-01-01", "0001-01-01"], "uuids": [uuid.to_string()],
            "created_at": "2030-01-01T00:00:00Z", "updated_at": "2030-01-01T00:00:00Z",
        })
    );
    // The write path reads the same values.
    let after = world.log(4).await.pop().and_then(|entry| entry.after).expect("a record after");
    assert_eq!(after.values, post.values);
    let patched = world.patch("posts", post.id(), vec![("views", rules::plan::Edit::Set(Value::Integer(1)))]).await;
    let mut expected = post.clone();
    expected.set(world.catalog().schema.get(world.resource("posts")).field("views").expect("views"), Value::Integer(1));
    assert_eq!(patched.expect("a patch").values, expected.values);
}

pub async fn nulls_and_empty_lists_differ(world: &World) {
    let author = world.person("Ann").await;
    let values = [("title", Value::text("a")), ("author", author), ("labels", Value::List(Vec::new()))];
    let post = world.create("posts", &values).await;
    let found = world.get("posts", post.id()).await.expect("the post");
    assert_eq!(found["labels"], json!([]));
    assert_eq!(found["numbers"], json!(null));
    assert_eq!(found["tags"], json!([]));
}

pub async fn a_record_that_is_absent_is_none(world: &World) {
    assert_eq!(world.get("posts", &Value::Integer(1)).await, None);
    assert_eq!(world.get("rooms", &Value::text("'; DROP TABLE rooms; --")).await, None);
    assert_eq!(world.get("people", &Value::Uuid(uuid::Uuid::nil())).await, None);
}

pub async fn texts_of_any_kind_are_kept(world: &World) {
    for (number, name) in
        ["", " ", "\\", "'", "\u{7f}\u{80}\u{ffff}", "%_", "e\u{301}", "\u{10ffff}"].iter().enumerate()
    {
        let id = Value::text(format!("room-{number}"));
        world.create("rooms", &[("id", id.clone()), ("name", Value::text(name))]).await;
        assert_eq!(world.get("rooms", &id).await.expect("the room")["name"], json!(name));
    }
}
