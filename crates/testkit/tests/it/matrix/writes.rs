//! The doors by which something can be changed: what an administrator finds afterwards is what counts.

use http::Method;
use serde_json::{Value as Json, json};
use testkit::{Reply, TestApp};

use super::{
    Cast, Matrix,
    oracle::{Post, Who},
    posts,
};

async fn batch(who: &Who, method: &str, path: &str, body: Option<Json>) -> Reply {
    let mut operation = json!({ "method": method, "path": path });
    if let Some(body) = body {
        operation["body"] = body;
    }
    who.person.post("/api/batch", json!({ "operations": [operation] })).await
}

/// Changes a post by a door.
async fn change(who: &Who, door: &str, post: &Post, field: &str, value: &Json) {
    let (one, all) = (format!("/api/posts/{}", post.id), format!("/api/posts?slug={}", post.slug));
    let body = json!({ field: value });
    let whole = json!({ "slug": post.slug, "published": post.published, "title": "all", "topic": "t", field: value });
    match door {
        "PATCH" => who.person.patch(&one, body).await,
        "PUT" => who.person.put(&one, whole).await,
        "batch" => batch(who, "PATCH", &one, Some(body)).await,
        "batch PUT" => batch(who, "PUT", &one, Some(whole)).await,
        "filter" => who.person.patch(&all, body).await,
        "upsert" => who.person.post("/api/posts?upsert=slug", json!({ "slug": post.slug, field: value })).await,
        _ => batch(who, "POST", "/api/posts?upsert=slug", Some(json!({ "slug": post.slug, field: value }))).await,
    };
}

const CHANGES: &[&str] = &["PATCH", "PUT", "batch", "batch PUT", "filter", "upsert", "batch upsert"];

pub(super) async fn updates(matrix: &mut Matrix, app: &TestApp, who: &Who, posts: &[Post]) {
    let admin = app.admin();
    for door in CHANGES {
        for post in posts {
            let path = format!("/api/posts/{}", post.id);
            // A filter and an upsert name fields, which only who reads the resource can.
            let sees = !(*door == "filter" || door.ends_with("upsert")) || who.reads(post);
            for (field, allowed) in [("score", who.updates(post)), ("remark", who.updates_remark(post))] {
                let number = matrix.cells;
                let value = if field == "score" { json!(number) } else { json!(format!("written-{number}")) };
                change(who, door, post, field, &value).await;
                let found = admin.get(&path).await.expect(200).json()[field] == value;
                matrix.cell(who, door, &format!("{field} of {}", post.slug), allowed && sees, found);
            }
        }
    }
}

pub(super) async fn creations(matrix: &mut Matrix, app: &TestApp, who: &Who, cast: &Cast) {
    let other = if who.id == cast.ben { &cast.ada } else { &cast.ben };
    for door in ["POST", "array", "batch", "upsert"] {
        for (whose, owner) in [("own", who.id.as_str()), ("another's", other.as_str())] {
            let slug = format!("new-{}", matrix.cells);
            let mut body = json!({ "slug": slug });
            if !owner.is_empty() {
                body["owner"] = owner.into();
            }
            match door {
                "POST" => who.person.post("/api/posts", body).await,
                "array" => who.person.post("/api/posts", json!([body])).await,
                "batch" => batch(who, "POST", "/api/posts", Some(body)).await,
                _ => who.person.post("/api/posts?upsert=slug", body).await,
            };
            let made = app.admin().get(&format!("/api/posts?slug={slug}")).await.expect(200).items();
            matrix.cell(who, door, &format!("{whose} new post"), who.creates_for(owner), made.len() == 1);
        }
    }
}

pub(super) async fn deletions(matrix: &mut Matrix, app: &TestApp, who: &Who, cast: &Cast) {
    for door in ["DELETE", "batch", "filter"] {
        let prefix = format!("old-{}", matrix.cells);
        for post in posts(app, cast, &prefix).await {
            let path = format!("/api/posts/{}", post.id);
            match door {
                "DELETE" => who.person.delete(&path).await,
                "batch" => batch(who, "DELETE", &path, None).await,
                _ => who.person.send(Method::DELETE, &format!("/api/posts?slug={}", post.slug), &[], "").await,
            };
            let gone = app.admin().get(&path).await.status == 404;
            matrix.cell(who, door, &post.slug[prefix.len() + 1..], who.deletes(&post), gone);
        }
    }
}
