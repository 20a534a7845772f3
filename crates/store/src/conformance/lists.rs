//! Lists: order, pages, counts, filters.

use model::{Decimal, Value};
use rules::{plan::Page, query::Query};
use serde_json::{Value as Json, json};

use super::world::{World, filtered, items, sorted};

async fn rooms(world: &World, names: &[Option<&str>]) {
    for (number, name) in names.iter().enumerate() {
        let name = name.map_or(Value::Null, Value::text);
        world.create("rooms", &[("id", Value::text(format!("r{number:03}"))), ("name", name)]).await;
    }
}

pub async fn a_list_has_a_total_order_with_nulls_first(world: &World) {
    rooms(world, &[Some("b"), None, Some("a"), Some("B"), Some("ä"), None, Some("a")]).await;
    let ids = world.column("rooms", "id", sorted(&["name"], 20)).await;
    assert_eq!(ids, ["r001", "r005", "r003", "r002", "r006", "r000", "r004"]);
    let ids = world.column("rooms", "id", sorted(&["-name"], 20)).await;
    assert_eq!(ids, ["r004", "r000", "r006", "r002", "r003", "r005", "r001"]);
    let ids = world.column("rooms", "id", sorted(&["name", "-id"], 20)).await;
    assert_eq!(ids, ["r005", "r001", "r003", "r006", "r002", "r000", "r004"]);
}

/// A cursor's key as the engine writes it.
fn key(value: &Value) -> Option<String> {
    let mut text = Vec::new();
    model::json::write_value(value, &mut text);
    match serde_json::from_slice(&text).expect("JSON") {
        Json::Null => None,
        Json::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

async fn walk(world: &World, resource: &str, fields: &[&str], limit: u32) -> Vec<Json> {
    let mut all = Vec::new();
    let mut query = sorted(fields, limit);
    loop {
        let listed = world.list(resource, query).await;
        assert!(listed.length <= limit as usize);
        assert_eq!(items(&listed).len(), listed.length);
        all.extend(items(&listed).into_iter().map(|item| item["id"].clone()));
        let Some(next) = listed.next else { return all };
        let keys: Vec<Option<String>> = next.iter().map(key).collect();
        query = sorted(fields, limit);
        let nulls = keys.iter().enumerate().filter(|(_, key)| key.is_none());
        query.form.after = Some(nulls.fold(0, |mask, (position, _)| mask | 1 << position));
        query.after = Some(keys);
    }
}

pub async fn pages_neither_skip_nor_repeat(world: &World) {
    let author = world.person("Ann").await;
    for number in 0..23_i64 {
        let mut values = vec![
            ("title", Value::text(format!("post {number}"))),
            ("author", author.clone()),
            ("nick", Value::text(["x", "X", "y"][number as usize % 3])),
        ];
        if number % 4 != 0 {
            values.push(("views", Value::Integer(number % 5)));
            values.push(("price", Value::Decimal(Decimal::new((number % 3).into(), 2))));
            values.push(("ratio", Value::Float(number as f64 / 3.0)));
            values.push(("at", Value::DateTime(number * 1_000_001)));
            values.push(("day", Value::Date(number as i32 % 7)));
            values.push(("flag", Value::Boolean(number % 2 == 0)));
        }
        world.create("posts", &values).await;
    }
    let sorts: &[&[&str]] = &[
        &[],
        &["-id"],
        &["views"],
        &["-views"],
        &["price", "-views"],
        &["-ratio", "at"],
        &["-at"],
        &["day", "flag"],
        &["nick", "-day"],
        &["-flag", "title"],
        &["author.name", "-views"],
    ];
    for sort in sorts {
        let whole = world.column("posts", "id", sorted(sort, 200)).await;
        assert_eq!(whole.len(), 23);
        // Lengths that clients mostly ask for, and others.
        for limit in [1, 4, 5, 10, 20, 22, 23] {
            assert_eq!(walk(world, "posts", sort, limit).await, whole, "{sort:?} by {limit}");
        }
    }
}

pub async fn an_offset_passes_over(world: &World) {
    rooms(world, &[Some("a"); 9]).await;
    let page = Page { limit: 3, offset: 4, count: true };
    let listed = world.list("rooms", Query { page, ..sorted(&[], 3) }).await;
    let ids: Vec<Json> = items(&listed).into_iter().map(|item| item["id"].clone()).collect();
    assert_eq!(ids, ["r004", "r005", "r006"]);
    assert_eq!(listed.count, Some(9));
    let page = Page { limit: 5, offset: 2, count: false };
    let listed = world.list("rooms", Query { page, ..sorted(&[], 5) }).await;
    assert_eq!((listed.length, listed.next.is_some()), (5, true));
    assert_eq!(items(&listed)[0]["id"], "r002");
    let page = Page { limit: 3, offset: 10_000, count: false };
    assert_eq!(world.list("rooms", Query { page, ..sorted(&[], 3) }).await.length, 0);
}

pub async fn a_count_counts_all_that_match(world: &World) {
    rooms(world, &[Some("a"), Some("b"), Some("a"), None, Some("a")]).await;
    let page = Page { limit: 1, offset: 0, count: true };
    let listed = world.list("rooms", Query { page, ..filtered("name == \"a\"") }).await;
    assert_eq!((listed.length, listed.count, listed.next.is_some()), (1, Some(3), true));
    let listed = world.list("rooms", Query { page, ..filtered("name == \"z\"") }).await;
    assert_eq!((listed.length, listed.count, listed.next.is_some()), (0, Some(0), false));
}

pub async fn folded_text_sorts_without_case(world: &World) {
    for (id, word) in [("1", "b"), ("2", "A"), ("3", "a"), ("4", "B"), ("5", "Ä"), ("6", "ä")] {
        world.create("tags", &[("id", Value::text(id)), ("word", Value::text(word))]).await;
    }
    assert_eq!(world.column("tags", "id", sorted(&["word"], 20)).await, ["2", "3", "1", "4", "5", "6"]);
    assert_eq!(world.column("tags", "id", sorted(&["-word"], 20)).await, ["6", "5", "4", "1", "3", "2"]);
    assert_eq!(world.column("tags", "id", filtered("word == \"B\"")).await, ["1", "4"]);
}

pub async fn filters_choose(world: &World) {
    let (ann, bob) = (world.person("Ann").await, world.person("Bob").await);
    world.create("tags", &[("id", Value::text("red"))]).await;
    let tags = Value::List(vec![Value::text("red")]);
    let create = async |author: &Value, title: &str, rest: &[(&str, Value)]| {
        let mut values = vec![("title", Value::text(title)), ("author", author.clone())];
        values.extend_from_slice(rest);
        world.create("posts", &values).await;
    };
    create(&ann, "one", &[("views", Value::Integer(5)), ("tags", tags)]).await;
    create(&ann, "two's", &[("views", Value::Null), ("price", Value::Decimal(Decimal::new(1050, 2)))]).await;
    create(&bob, "three", &[("labels", Value::List(vec![Value::text("x"), Value::text("y")]))]).await;
    for (filter, expected) in [
        ("views > 4", json!([1])),
        ("views == null", json!([2, 3])),
        ("!(views > 4)", json!([])),
        ("author.name == \"Ann\"", json!([1, 2])),
        ("\"red\" in tags", json!([1])),
        ("\"y\" in labels", json!([3])),
        ("title == \"two's\"", json!([2])),
        ("title.startsWith(\"t\")", json!([2, 3])),
        ("price > 10.49", json!([2])),
        ("title == \"'; DELETE FROM posts; --\"", json!([])),
    ] {
        assert_eq!(Json::from(world.column("posts", "id", filtered(filter)).await), expected, "{filter}");
    }
    let names = world.column("people", "name", filtered("posts_by_author.exists(p, p.views > 4)")).await;
    assert_eq!(names, ["Ann"]);
}
