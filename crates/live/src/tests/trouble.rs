//! Faults, limits and the end.

use std::{sync::atomic::Ordering, time::Duration};

use model::{Action, Problem, Record, Value};

use super::world::{World, admin, caller, change, filtered, person, post, stranger};
use crate::{ChangeKind, Event};

fn room(world: &World) {
    let room = Record {
        values: vec![Value::Integer(1), Value::text("hall"), Value::Null, Value::Null, Value::Null],
        revision: 1,
    };
    world.fake.happened(rules::testing::ROOMS, Action::Created, Value::Integer(1), None, Some(room));
}

#[tokio::test(start_paused = true)]
async fn a_fault_in_judging_for_one_ends_that_stream_alone() {
    let world = World::new();
    let (unlucky, lucky) = (person(1, &[]), person(2, &[]));
    let id = unlucky.id.clone();
    *world.fake.judge.lock() = Box::new(move |judgement| match judgement.caller.identity.id == id {
        true => Err(Problem::internal("this one's rule can't be judged")),
        false => Ok(true),
    });
    let mut first = world.listen(&unlucky, "rooms", "").await;
    let mut second = world.listen(&lucky, "rooms", "").await;
    let mut third = world.listen(&admin(), "rooms", "").await;

    room(&world);

    let Some(Event::Failed(problem)) = first.next().await else { panic!("it goes on") };
    assert_eq!(problem.code, model::Code::Internal);
    assert!(!problem.detail.contains("rule"), "the cause is for the log: {}", problem.detail);
    assert_eq!(first.next().await, None);
    assert_eq!(first.position(), 0, "nothing was passed over");
    assert_eq!(change(&mut second).await.kind, ChangeKind::Created);
    assert_eq!(change(&mut third).await.kind, ChangeKind::Created);
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_passes_is_not_noticed() {
    let world = World::new();
    let mut faults = 2;
    *world.fake.judge.lock() = Box::new(move |_| {
        faults -= 1;
        if faults >= 0 { Err(Problem::internal("not now")) } else { Ok(true) }
    });
    let mut listener = world.listen(&person(1, &[]), "rooms", "").await;

    room(&world);

    assert_eq!(change(&mut listener).await.sequence, 1);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_was_away_costs_no_event() {
    let world = World::new();
    let mut listener = world.listen(&stranger(), "posts", "").await;
    world.fake.outages.store(5, Ordering::Relaxed);
    world.created(&post(1, 7, "published"));
    world.created(&post(2, 7, "published"));

    assert_eq!(change(&mut listener).await.sequence, 1);
    assert_eq!(change(&mut listener).await.sequence, 2);
}

#[tokio::test(start_paused = true)]
async fn there_are_only_so_many_places() {
    let world = World::with_limit(2);
    let one = world.listen(&stranger(), "posts", "").await;
    let _two = world.listen(&stranger(), "tags", "").await;

    let refused = world.live.subscribe(caller(&stranger()), "posts", filtered(""), None).await;
    let problem = refused.err().expect("a third");
    assert_eq!((problem.code.status(), problem.extra.retry_after), (503, Some(5)));
    drop(one);

    world.listen(&stranger(), "posts", "").await;
}

#[tokio::test(start_paused = true)]
async fn stopping_ends_every_stream_at_once() {
    let world = World::new();
    let mut waiting = world.listen(&stranger(), "posts", "").await;
    let mut busy = world.listen(&stranger(), "posts", "").await;
    for number in 0..1000 {
        world.created(&post(number, 7, "published"));
    }
    change(&mut busy).await;
    let waits = tokio::spawn(async move { while waiting.next().await.is_some() {} });
    tokio::time::sleep(Duration::from_millis(10)).await;

    world.live.stop();

    tokio::time::timeout(Duration::from_millis(100), waits).await.expect("it ends").unwrap();
    assert_eq!(busy.next().await, None);
    let refused = world.live.subscribe(caller(&stranger()), "posts", filtered(""), None).await;
    assert_eq!(refused.err().map(|problem| problem.code.status()), Some(503));
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_other_rules_forbid_ends_its_stream() {
    let world = World::new();
    let mut staff = world.listen(&person(8, &["staff"]), "posts", "price > 1").await;
    world.created(&post(1, 7, "published"));
    assert_eq!(change(&mut staff).await.sequence, 1);
    staff.identify(person(8, &[])).expect_err("price is unknown to those who are no staff");
    world.created(&post(2, 7, "published"));
    assert_eq!(change(&mut staff).await.sequence, 2);
}
