//! The template `blog`: drafts are their author's alone.

use std::sync::Arc;

use engine::{Done, Target, Task};
use model::{Caller, Problem, Value, caller::Identity};
use rules::query::Query;
use serde_json::{Value as Json, json};
use testkit::{Database, TestApp};

use crate::shop::seed;

/// Somebody signed in as an author.
fn author(app: &TestApp, id: i64) -> Caller {
    let identity = Identity { id: Value::Integer(id), actor: Some(format!("authors/{id}")), ..Identity::anonymous() };
    Caller {
        identity: Arc::new(identity),
        address: [127, 0, 0, 1].into(),
        method: "POST",
        now: app.engine().clock().now(),
        request_id: "blog".into(),
    }
}

async fn status_of(app: &TestApp, caller: Caller, post: &str) -> Result<Json, u16> {
    let target = Target { resource: "posts", id: post };
    let answer = app.engine().get(caller, target, Query::default()).await.map_err(|problem| problem.code.status())?;
    Ok(serde_json::from_slice(&answer.body).expect("JSON"))
}

async fn post(app: &TestApp, caller: Caller, resource: &str, record: Json) -> Result<Json, Problem> {
    let task = Task::Create { resource, body: &record, upsert: None };
    match app.engine().write(caller, task).await? {
        Done::One(answer) => Ok(serde_json::from_slice(&answer.body).expect("JSON")),
        other => panic!("{other:?}"),
    }
}

async fn drafts_are_their_authors_alone(database: Database) {
    let app = TestApp::template(database, "blog").await;
    seed(&app, &["tags", "authors", "posts", "comments"]).await;
    let stranger = app.stranger();
    assert_eq!(stranger.get("/api/posts?count=true").await.expect(200).json()["count"], 27);
    assert_eq!(stranger.get("/api/posts?status=draft&count=true").await.expect(200).json()["count"], 0);
    assert_eq!(app.admin().get("/api/posts?count=true").await.expect(200).json()["count"], 31);
    stranger.get("/api/posts/28").await.expect(404);
    assert_eq!(status_of(&app, author(&app, 2), "28").await, Err(404), "another author's draft does not exist either");
    assert_eq!(status_of(&app, author(&app, 1), "28").await.expect("her own")["status"], "draft");
    // An address is its person's.
    let shown = stranger.get("/api/authors/1").await.expect(200).json();
    assert!(shown.get("email").is_none(), "{shown}");

    let mine = post(&app, author(&app, 3), "posts", json!({ "title": "Mine", "slug": "mine" })).await.expect("a draft");
    assert_eq!((&mine["author"], &mine["status"]), (&json!(3), &json!("draft")));
    let borrowed = json!({ "title": "Hers", "slug": "hers", "author": 1 });
    let refused = post(&app, author(&app, 3), "posts", borrowed).await.expect_err("in another's name");
    assert_eq!(refused.code.status(), 403);
    let under_a_draft = json!({ "post": mine["id"], "text": "First!" });
    let refused = post(&app, author(&app, 1), "comments", under_a_draft.clone()).await.expect_err("a draft");
    assert_eq!(refused.code.status(), 403);
    post(&app, author(&app, 1), "comments", json!({ "post": 1, "text": "Second." })).await.expect("published");
    let in_her_name = json!({ "post": 1, "text": "Spam", "author": 1 });
    stranger.post("/api/comments", in_her_name).await.expect(401);
    app.stop().await;
}

#[tokio::test]
async fn on_sqlite() {
    drafts_are_their_authors_alone(Database::Sqlite).await;
}

#[tokio::test]
async fn on_postgres() {
    drafts_are_their_authors_alone(Database::Postgres).await;
}
