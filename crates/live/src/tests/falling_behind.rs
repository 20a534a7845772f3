//! Positions: catching up, going on, and what the log no longer has.

use std::{sync::atomic::Ordering, time::Duration};

use model::Action;

use super::world::{World, change, person, post, silent, stranger};
use crate::{Event, Subscription};

async fn sequences(subscription: &mut Subscription, count: usize) -> Vec<i64> {
    let mut heard = Vec::with_capacity(count);
    for _ in 0..count {
        heard.push(change(subscription).await.sequence);
    }
    heard
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_back_gets_what_was_missed_and_then_goes_on() {
    let world = World::new();
    let post = post(1, 7, "published");
    for _ in 0..200 {
        world.created(&post);
    }
    let mut listener = world.listen_since(&stranger(), "posts", "", Some(50)).await;

    assert_eq!(sequences(&mut listener, 150).await, (51..=200).collect::<Vec<_>>());
    world.created(&post);
    assert_eq!(sequences(&mut listener, 1).await, [201]);
    assert_eq!(listener.position(), 201);
    silent(&mut listener).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn catching_up_and_going_on_have_no_gap_and_no_overlap() {
    let world = World::new();
    let post = post(1, 7, "published");
    for _ in 0..500 {
        world.created(&post);
    }
    let mut listeners = Vec::new();
    for since in [Some(0), Some(123), Some(499), None] {
        let mut listener = world.listen_since(&stranger(), "posts", "", since).await;
        let begin = listener.position();
        listeners.push(tokio::spawn(async move {
            let heard = sequences(&mut listener, (5000 - begin) as usize).await;
            assert_eq!(heard, (begin + 1..=5000).collect::<Vec<_>>());
        }));
    }
    for number in 501..=5000 {
        world.created(&post);
        if number % 37 == 0 {
            tokio::task::yield_now().await;
        }
    }
    for listener in listeners {
        listener.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_falls_behind_the_ring_reads_on_from_the_log() {
    let world = World::new();
    let mut listener = world.listen(&stranger(), "posts", "").await;
    let mut quick = world.listen(&stranger(), "posts", "").await;
    let post = post(1, 7, "published");
    for _ in 0..10 {
        for _ in 0..1000 {
            world.created(&post);
        }
        sequences(&mut quick, 1000).await;
    }

    assert!(world.live.shared.ring.read().upto() == 10_000);
    assert_eq!(sequences(&mut listener, 10_000).await, (1..=10_000).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_position_that_the_log_does_not_reach_resets_and_ends() {
    let world = World::new();
    let post = post(1, 7, "published");
    for _ in 0..10 {
        world.created(&post);
    }
    world.fake.trim(6);
    for since in [0, 4, 11] {
        let mut listener = world.listen_since(&stranger(), "posts", "", Some(since)).await;
        assert_eq!(listener.next().await, Some(Event::Reset { position: 10 }), "since {since}");
        assert_eq!(listener.next().await, None);
    }
    let mut listener = world.listen_since(&stranger(), "posts", "", Some(5)).await;
    assert_eq!(sequences(&mut listener, 5).await, [6, 7, 8, 9, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_reader_so_slow_that_the_log_has_moved_on_is_reset() {
    let world = World::new();
    let post = post(1, 7, "published");
    for _ in 0..500 {
        world.created(&post);
    }
    let mut listener = world.listen_since(&stranger(), "posts", "", Some(0)).await;
    let first = sequences(&mut listener, 1).await;
    world.fake.trim(400);

    // What was fetched already is told; then comes the truth.
    let mut last = first[0];
    loop {
        match listener.next().await {
            Some(Event::Change(change)) => {
                assert_eq!(change.sequence, last + 1);
                last = change.sequence;
            }
            other => {
                assert_eq!(other, Some(Event::Reset { position: 500 }));
                break;
            }
        }
    }
    assert!(last < 100, "{last}");
    assert_eq!(listener.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn numbers_of_writes_that_were_rolled_back_are_nobodys_position() {
    let world = World::new();
    let post = post(1, 7, "published");
    world.created(&post);
    world.fake.rolled_back();
    let mut listener = world.listen(&stranger(), "posts", "").await;
    assert_eq!(listener.position(), 1);
    world.fake.rolled_back();
    silent(&mut listener).await;
    assert_eq!(listener.position(), 1);

    world.created(&post);

    assert_eq!(change(&mut listener).await.sequence, 4);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_keeps_up_with_what_is_not_its_own() {
    let world = World::new();
    let mut listener = world.listen(&stranger(), "posts", "").await;
    world.tag(Action::Created, "red");
    world.created(&post(1, 7, "draft"));
    world.tag(Action::Created, "blue");

    // Nothing wakes it for the last one; it looks when it is asked again.
    silent(&mut listener).await;
    silent(&mut listener).await;

    assert_eq!(listener.position(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_wait_may_be_given_up_at_any_time() {
    let world = World::new();
    let mut listener = world.listen(&stranger(), "posts", "").await;
    let post = post(1, 7, "published");
    let mut heard = Vec::new();
    for _ in 0..100 {
        world.created(&post);
        world.created(&post);
        for _ in 0..3 {
            if let Ok(Some(Event::Change(change))) = tokio::time::timeout(Duration::ZERO, listener.next()).await {
                heard.push(change.sequence);
            }
        }
    }
    while heard.len() < 200 {
        heard.push(change(&mut listener).await.sequence);
    }
    assert_eq!(heard, (1..=200).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn nobody_reads_the_log_while_nobody_listens() {
    let world = World::new();
    let post = post(1, 7, "published");
    let listener = world.listen(&person(1, &[]), "posts", "").await;
    world.created(&post);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.live.subscriptions(), 1);
    drop(listener);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = world.fake.readings.load(Ordering::Relaxed);

    for _ in 0..10 {
        world.created(&post);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;

    assert_eq!(world.live.subscriptions(), 0);
    assert_eq!(world.fake.readings.load(Ordering::Relaxed), before);
    let mut again = world.listen(&stranger(), "posts", "").await;
    world.created(&post);
    assert_eq!(change(&mut again).await.sequence, 12);
}
