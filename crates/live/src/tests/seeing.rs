//! Who is told what.

use std::sync::atomic::Ordering;

use model::{Action, Value};

use super::world::{POSTS_READ, World, admin, catalog, change, line, person, post, set, silent, stranger};
use crate::{ChangeKind, Event};

#[tokio::test(start_paused = true)]
async fn a_post_is_told_once_it_is_published_and_leaves_with_its_id_alone() {
    let world = World::new();
    let mut reader = world.listen(&stranger(), "posts", "").await;
    let mut author = world.listen(&person(7, &[]), "posts", "").await;
    let (draft, published) = (post(1, 7, "draft"), post(1, 7, "published"));

    world.created(&draft);
    world.updated(&draft, &published);
    world.updated(&published, &draft);
    world.deleted(&draft);

    let seen = change(&mut reader).await;
    assert_eq!((seen.sequence, seen.kind), (2, ChangeKind::Updated));
    assert_eq!(line(&mut reader).await, r#"3 left {"id":"00000000-0000-0000-0000-000000000001"}"#);
    silent(&mut reader).await;
    for (sequence, kind) in [(1, ChangeKind::Created), (2, ChangeKind::Updated), (3, ChangeKind::Updated)] {
        let seen = change(&mut author).await;
        assert_eq!((seen.sequence, seen.kind), (sequence, kind));
    }
    assert_eq!(line(&mut author).await, r#"4 deleted {"id":"00000000-0000-0000-0000-000000000001"}"#);
}

#[tokio::test(start_paused = true)]
async fn fields_that_one_may_not_see_are_in_nobody_elses_data_either() {
    let world = World::new();
    let mut listeners = Vec::new();
    for who in [stranger(), person(7, &[]), person(8, &["staff"]), person(7, &["staff"]), admin()] {
        listeners.push(world.listen(&who, "posts", "").await);
    }

    world.created(&post(1, 7, "published"));

    let mut seen = Vec::new();
    for listener in &mut listeners {
        let data: serde_json::Value = serde_json::from_slice(&change(listener).await.data).unwrap();
        assert!(data.get("weight").is_none(), "a hidden field is out: {data}");
        assert_eq!(data["title"], "post 1");
        seen.push((data.get("price").is_some(), data.get("rate").is_some()));
    }
    assert_eq!(seen, [(false, false), (false, true), (true, false), (true, true), (true, true)]);
}

#[tokio::test(start_paused = true)]
async fn a_filter_says_what_is_told_and_what_leaves() {
    let world = World::new();
    let mut reader = world.listen(&stranger(), "posts", "views >= 10").await;
    let (few, mut many) = (post(1, 7, "published"), post(1, 7, "published"));
    set(&mut many, "views", Value::Integer(10));

    world.created(&few);
    world.updated(&few, &many);
    world.updated(&many, &few);
    world.deleted(&few);
    world.created(&many);
    world.deleted(&many);

    let mut heard = Vec::new();
    for _ in 0..4 {
        let change = change(&mut reader).await;
        heard.push((change.sequence, change.kind.name()));
    }
    assert_eq!(heard, [(2, "updated"), (3, "left"), (5, "created"), (6, "deleted")]);
    silent(&mut reader).await;
}

#[tokio::test(start_paused = true)]
async fn a_filter_on_a_field_whose_value_is_not_for_all_holds_only_where_it_is_seen() {
    let world = World::new();
    let mut author = world.listen(&person(7, &[]), "posts", "rate == '1.5'").await;
    let mut reader = world.listen(&person(8, &[]), "posts", "rate == '1.5'").await;

    world.created(&post(1, 7, "published"));

    assert_eq!(change(&mut author).await.sequence, 1);
    silent(&mut reader).await;
}

#[tokio::test(start_paused = true)]
async fn rules_that_lead_through_relations_are_asked_of_the_database_each_time() {
    let world = World::new();
    let boss = person(9, &[]);
    let mut listener = world.listen(&boss, "rooms", "").await;
    let room = model::Record {
        values: vec![Value::Integer(1), Value::text("hall"), Value::Null, Value::Null, Value::Null],
        revision: 1,
    };
    let rooms = rules::testing::ROOMS;
    let happen = |before: Option<model::Record>, after| {
        world.fake.happened(rooms, Action::Updated, Value::Integer(1), before, after);
    };

    happen(Some(room.clone()), Some(room.clone()));
    assert_eq!(change(&mut listener).await.kind, ChangeKind::Updated);
    // Only the record before is still visible.
    let mut answers = vec![true, false];
    *world.fake.judge.lock() = Box::new(move |judgement| {
        assert_eq!(judgement.record.id(), &Value::Integer(1));
        Ok(answers.pop().unwrap_or(false))
    });
    happen(Some(room.clone()), Some(room));

    assert_eq!(line(&mut listener).await, r#"2 left {"id":1}"#);
}

#[tokio::test(start_paused = true)]
async fn where_the_log_keeps_ids_alone_the_record_of_the_moment_is_told() {
    let world = World::new();
    *world.fake.current.lock() =
        Box::new(|_, id| (*id == Value::text("red")).then(|| br#"{"id":"red","word":"rouge"}"#.to_vec()));
    let mut reader = world.listen(&stranger(), "tags", "").await;
    let mut admin = world.listen(&admin(), "tags", "").await;

    world.tag(Action::Created, "red");
    world.tag(Action::Updated, "gone");
    world.tag(Action::Deleted, "gone");

    for listener in [&mut reader, &mut admin] {
        assert_eq!(line(listener).await, r#"1 created {"id":"red","word":"rouge"}"#);
    }
    silent(&mut reader).await;
    assert_eq!(line(&mut admin).await, r#"2 left {"id":"gone"}"#);
    assert_eq!(line(&mut admin).await, r#"3 deleted {"id":"gone"}"#);
}

#[tokio::test(start_paused = true)]
async fn other_rules_hold_from_the_next_event_on() {
    let world = World::new();
    let mut reader = world.listen(&stranger(), "posts", "").await;
    let draft = post(1, 7, "draft");

    world.created(&draft);
    silent(&mut reader).await;
    world.engine.put_in_force(catalog("true"));
    world.updated(&draft, &draft);
    assert_eq!(change(&mut reader).await.kind, ChangeKind::Updated);
    world.engine.put_in_force(catalog("false"));
    world.updated(&draft, &draft);

    silent(&mut reader).await;
    world.engine.put_in_force(catalog(POSTS_READ));
    world.created(&post(2, 7, "published"));
    assert_eq!(change(&mut reader).await.sequence, 4);
}

#[tokio::test(start_paused = true)]
async fn events_read_under_other_rules_are_judged_by_those_in_force_when_told() {
    let world = World::new();
    let mut reader = world.listen(&stranger(), "posts", "").await;
    for number in 1..=10 {
        world.created(&post(number, 7, "published"));
    }
    // The other nine wait for their turn now.
    assert_eq!(change(&mut reader).await.sequence, 1);

    world.engine.put_in_force(catalog("record.title == 'post 9'"));

    assert_eq!(change(&mut reader).await.sequence, 9);
    silent(&mut reader).await;
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_names_the_time_is_judged_at_the_time_of_the_event() {
    let world = World::new();
    world.engine.put_in_force(catalog("record.at <= now"));
    let mut reader = world.listen(&stranger(), "posts", "").await;
    let mut later = post(1, 7, "draft");
    set(&mut later, "at", Value::DateTime(5_000_000));

    world.created(&later);
    silent(&mut reader).await;
    world.clock.0.store(5_000_000, Ordering::Relaxed);
    world.updated(&later, &later);

    assert_eq!(change(&mut reader).await.sequence, 2);
}

#[tokio::test(start_paused = true)]
async fn somebody_else_may_read_on_in_the_same_stream() {
    let world = World::new();
    let mut listener = world.listen(&person(7, &[]), "posts", "").await;
    let draft = post(1, 7, "draft");
    world.created(&draft);
    world.created(&draft);
    assert_eq!(change(&mut listener).await.sequence, 1);

    listener.identify(stranger()).unwrap();

    silent(&mut listener).await;
}

#[tokio::test(start_paused = true)]
async fn a_view_is_encoded_once_however_many_have_it() {
    let world = World::new();
    let mut one = world.listen(&stranger(), "posts", "").await;
    let mut same = world.listen(&person(8, &[]), "posts", "").await;
    let mut other = world.listen(&person(7, &[]), "posts", "").await;

    world.created(&post(1, 7, "published"));

    let (one, same, other) = (change(&mut one).await, change(&mut same).await, change(&mut other).await);
    assert_eq!(one.data.as_ptr(), same.data.as_ptr());
    assert_ne!(one.data, other.data);
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_is_gone_ends_its_streams_when_they_next_look() {
    let world = World::new();
    let mut listener = world.listen(&stranger(), "tags", "").await;
    silent(&mut listener).await;
    let schema = rules::testing::schema();
    let rest = schema.resources().iter().take(3).cloned().map(|mut resource| {
        resource.fields.retain(|field| field.name != "tags");
        resource
    });
    let (rest, _) = rules::Catalog::compile(model::Schema::new(rest.collect())).unwrap();

    world.engine.put_in_force(rest.into());

    let heard = tokio::time::timeout(std::time::Duration::from_secs(60), listener.next()).await;
    let Ok(Some(Event::Failed(problem))) = heard else { panic!("{heard:?}") };
    assert_eq!(problem.code, model::Code::NotFound);
}
