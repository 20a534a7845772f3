//! Many at once.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use model::{Action, Code, Value};
use rules::plan::{Edit, OperationKind, Precondition};
use serde_json::json;

use super::world::World;

const TASKS: usize = 64;

/// Runs a task for each number and waits for all.
pub(super) async fn all<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    task: impl Fn(usize) -> F,
) -> Vec<T> {
    let tasks: Vec<_> = (0..TASKS).map(|number| tokio::spawn(task(number))).collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.expect("the task does not panic"));
    }
    results
}

pub async fn strangers_do_not_suffer_from_conflicts(world: &World) {
    let results = all(|number| {
        let world = world.clone();
        async move {
            // Every fourth room has the id of another.
            let id = if number % 4 == 0 { "shared".to_owned() } else { format!("r{number}") };
            world.try_create("rooms", &[("id", Value::text(id)), ("name", Value::text("x"))]).await
        }
    })
    .await;
    let conflicts = results.iter().filter_map(|result| result.as_ref().err());
    let codes: Vec<Code> = conflicts.map(|problem| problem.code).collect();
    assert_eq!(codes, vec![Code::Conflict; TASKS / 4 - 1]);
    assert_eq!(world.log(TASKS * 3 / 4 + 1).await.len(), TASKS * 3 / 4 + 1);
}

pub async fn increments_of_many_add_up(world: &World) {
    let author = world.person("Ann").await;
    let values = [("title", Value::text("a")), ("author", author), ("views", Value::Integer(0))];
    let post = world.create("posts", &values).await.id().clone();
    let results = all(|_| {
        let (world, post) = (world.clone(), post.clone());
        async move { world.patch("posts", &post, vec![("views", Edit::Increment(Value::Integer(1)))]).await }
    })
    .await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(world.get("posts", &post).await.expect("the post")["views"], json!(TASKS));
    let log = world.log(TASKS + 2).await;
    // A record's revisions grow along the log, and each entry begins where the one before ended.
    for pair in log[1..].windows(2) {
        assert!(pair[0].revision < pair[1].revision);
        assert_eq!(pair[0].after.as_ref().map(|it| &it.values), pair[1].before.as_ref().map(|it| &it.values));
    }
}

pub async fn batches_that_change_the_same_records_the_other_way_about_all_succeed(world: &World) {
    let author = world.person("Ann").await;
    let mut posts = Vec::new();
    for title in ["a", "b", "c"] {
        let values = [("title", Value::text(title)), ("author", author.clone()), ("views", Value::Integer(0))];
        posts.push(world.create("posts", &values).await.id().clone());
    }
    let views = world.catalog().schema.get(world.resource("posts")).field("views").expect("a field");
    let results = all(|number| {
        let (world, mut posts) = (world.clone(), posts.clone());
        async move {
            posts.rotate_left(number % 3);
            if number % 2 == 0 {
                posts.reverse();
            }
            let patch = |id: Value| {
                let edits = vec![(views, Edit::Increment(Value::Integer(1)))];
                ("posts", OperationKind::Patch { id, edits, precondition: Precondition::None })
            };
            world.batch(posts.into_iter().map(patch).collect()).await
        }
    })
    .await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    for post in &posts {
        assert_eq!(world.get("posts", post).await.expect("the post")["views"], json!(TASKS));
    }
}

pub async fn puts_of_the_same_new_record_make_it_once(world: &World) {
    for round in 0..5 {
        let id = Value::text(format!("r{round}"));
        let results = all(|number| {
            let (world, id) = (world.clone(), id.clone());
            async move { world.put("rooms", &id, &[("name", Value::text(format!("name {number}")))]).await }
        })
        .await;
        let actions: Vec<Action> = results.into_iter().map(|result| result.expect("it is put").action).collect();
        assert_eq!(actions.iter().filter(|action| **action == Action::Created).count(), 1);
    }
}

pub async fn ids_are_never_given_twice(world: &World) {
    let author = world.person("Ann").await;
    let ids = all(|number| {
        let (world, author) = (world.clone(), author.clone());
        async move {
            let id = world.post(&author, &format!("post {number}")).await;
            if number % 2 == 0 {
                world.delete("posts", &id).await.expect("a deletion");
            }
            format!("{id:?}")
        }
    })
    .await;
    let distinct: HashSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), TASKS);
    // The greatest goes, and does not come back; a number that was brought along is passed over.
    let last = world.post(&author, "last").await;
    world.delete("posts", &last).await.expect("a deletion");
    let next = world.post(&author, "next").await;
    let (Value::Integer(last), Value::Integer(next)) = (last, next) else { panic!("numbers") };
    assert!(next > last);
    for ahead in [1, 5, 5000] {
        let brought = Value::Integer(next + ahead);
        world
            .create("posts", &[("id", brought), ("title", Value::text(format!("{ahead}"))), ("author", author.clone())])
            .await;
    }
    assert_eq!(world.post(&author, "after all").await, Value::Integer(next + 5001));
}

pub async fn the_log_is_read_in_order_while_it_is_written(world: &World) {
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (world, done) = (world.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let mut seen: Vec<(i64, String)> = Vec::new();
            loop {
                let last = done.load(Ordering::SeqCst);
                let after = seen.last().map_or(0, |(sequence, _)| *sequence);
                let entries = world.store.entries(world.catalog(), after, 50).await.expect("entries");
                if entries.is_empty() && last && seen.len() >= TASKS * 4 {
                    return seen;
                }
                seen.extend(entries.iter().map(|entry| (entry.sequence, crate::id_text(&entry.id))));
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        })
    };
    all(|task| {
        let world = world.clone();
        async move {
            for number in 0..4 {
                world.room(&format!("{task}-{number}"), "x").await;
            }
        }
    })
    .await;
    done.store(true, Ordering::SeqCst);
    let wait = tokio::time::timeout(std::time::Duration::from_secs(10), reader);
    let seen = wait.await.expect("in time").expect("no panic");
    // Nothing was missed, and nothing came below what was read.
    let sequences: Vec<i64> = seen.iter().map(|(sequence, _)| *sequence).collect();
    assert_eq!(sequences, (1..=sequences.len() as i64).collect::<Vec<_>>());
    // A write that was acknowledged before another began comes before it.
    let places: HashMap<&str, i64> = seen.iter().map(|(sequence, id)| (id.as_str(), *sequence)).collect();
    for task in 0..TASKS {
        let of = |number: usize| places[format!("{task}-{number}").as_str()];
        assert!((0..3).all(|number| of(number) < of(number + 1)));
    }
}

pub async fn references_hold_while_their_targets_go(world: &World) {
    let people = {
        let mut people = Vec::new();
        for number in 0..8 {
            people.push(world.person(&format!("p{number}")).await);
        }
        Arc::new(people)
    };
    let outcomes = all(|number| {
        let (world, people) = (world.clone(), Arc::clone(&people));
        async move {
            let person = &people[number % people.len()];
            if number / people.len() % 4 == 3 {
                return world.delete("people", person).await.map_err(|problem| problem.code);
            }
            let post = [("title", Value::text(format!("post {number}"))), ("author", person.clone())];
            world.try_create("posts", &post).await.map(|_| ()).map_err(|problem| problem.code)
        }
    })
    .await;
    let codes: HashSet<Code> = outcomes.into_iter().filter_map(Result::err).collect();
    assert!(codes.iter().all(|code| [Code::MissingReference, Code::NotFound, Code::InUse].contains(code)), "{codes:?}");
    let orphans = world.list("posts", super::world::filtered("author.name == null")).await;
    assert_eq!(orphans.length, 0);
}
