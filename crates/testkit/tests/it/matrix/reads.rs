//! The doors by which something can be seen.

use http::Method;
use serde_json::json;
use testkit::{Reply, TestApp};

use super::{
    Cast, Matrix,
    oracle::{Post, Who},
    posts,
};

async fn get(who: &Who, path: &str, headers: &[(&str, &str)]) -> Reply {
    who.person.send(Method::GET, path, headers, "").await
}

/// The text of what a good answer says; nothing of a refusal.
fn told(reply: &Reply) -> &str {
    if reply.status.is_success() { &reply.text } else { "" }
}

const ALL: &[(&str, &str, &str, &str)] = &[
    ("list", "posts", "/api/posts?limit=200", ""),
    ("sort", "posts", "/api/posts?limit=200&sort=-published,slug", ""),
    ("short filter", "posts", "/api/posts?limit=200&title=all", ""),
    ("filter", "posts", "/api/posts?limit=200&filter=title%20%3D%3D%20%22all%22", ""),
    ("never false", "posts", "/api/posts?limit=200&filter=slug%20!%3D%20%22%22%20%7C%7C%20true", ""),
    ("fields", "posts", "/api/posts?limit=200&fields=slug", ""),
    ("offset", "posts", "/api/posts?limit=200&offset=0&sort=-slug", ""),
    ("NDJSON", "posts", "/api/posts", "application/x-ndjson"),
    ("CSV", "posts", "/api/posts", "text/csv"),
    ("aggregate", "posts", "/api/posts/aggregate?group=slug&count", ""),
    ("expand", "comments", "/api/comments?limit=200&expand=post", ""),
    ("expand back", "topics", "/api/topics/t?expand=posts", ""),
    ("expand back from a list", "topics", "/api/topics?expand=posts&fields=posts.slug,posts.remark", ""),
    ("expand deep", "comments", "/api/comments?limit=200&expand=post.topic.posts", ""),
];

/// Doors that show the guarded field, or would.
const REMARKS: &[(&str, &str, &str, &str)] = &[
    ("list", "posts", "/api/posts?limit=200", ""),
    ("sort by it", "posts", "/api/posts?limit=200&sort=-remark", ""),
    ("field of a list", "posts", "/api/posts?limit=200&fields=remark", ""),
    ("NDJSON", "posts", "/api/posts", "application/x-ndjson"),
    ("CSV", "posts", "/api/posts", "text/csv"),
    ("group", "posts", "/api/posts/aggregate?group=remark&count", ""),
    ("expand", "comments", "/api/comments?limit=200&expand=post", ""),
    ("expand back", "topics", "/api/topics/t?expand=posts", ""),
];

pub(super) async fn of_posts(matrix: &mut Matrix, who: &Who, posts: &[Post]) {
    for (door, through, path, accept) in ALL {
        let accept: &[(&str, &str)] = if accept.is_empty() { &[] } else { &[("accept", accept)] };
        let reply = get(who, path, accept).await;
        for post in posts {
            let expected = who.reads(post) && who.reaches(through, "read");
            matrix.cell(who, door, &post.slug, expected, told(&reply).contains(&post.slug));
        }
    }
    for (door, through, path, accept) in REMARKS {
        let accept: &[(&str, &str)] = if accept.is_empty() { &[] } else { &[("accept", accept)] };
        let reply = get(who, path, accept).await;
        for post in posts {
            let expected = who.reads_remark(post) && who.reaches(through, "read");
            let found = told(&reply).contains(&format!("remark-{}", post.slug));
            matrix.cell(who, door, &format!("the remark of {}", post.slug), expected, found);
        }
    }
    let count = posts.iter().filter(|post| who.reads(post)).count();
    let reply = get(who, "/api/posts?count=true&limit=1", &[]).await;
    matrix.cell(who, "count", "all", count, reply.json()["count"].as_u64().unwrap_or(0));
    let reply = get(who, "/api/posts/aggregate?count&sum=score", &[]).await;
    matrix.cell(who, "sum", "all", count, reply.json()["items"][0]["sum"]["score"].as_u64().unwrap_or(0));
    for post in posts {
        one(matrix, who, post).await;
    }
}

async fn one(matrix: &mut Matrix, who: &Who, post: &Post) {
    let path = format!("/api/posts/{}", post.id);
    let (readable, slug) = (who.reads(post), &post.slug);
    let reply = get(who, &path, &[]).await;
    matrix.cell(who, "GET", slug, who.status(readable, "posts", 200), reply.status.as_u16());
    let found = told(&reply).contains(&format!("remark-{slug}"));
    matrix.cell(who, "GET", &format!("the remark of {slug}"), who.reads_remark(post), found);
    if readable {
        let tag = reply.header("etag").to_owned();
        let again = get(who, &path, &[("if-none-match", &tag)]).await;
        matrix.cell(who, "its ETag", slug, 304, again.status.as_u16());
    }
    let head = who.person.send(Method::HEAD, &path, &[], "").await;
    matrix.cell(who, "HEAD", slug, who.status(readable, "posts", 200), head.status.as_u16());
    let any = get(who, &path, &[("if-none-match", "*")]).await;
    matrix.cell(who, "If-None-Match", slug, who.status(readable, "posts", 304), any.status.as_u16());
    let counted = get(who, &format!("/api/posts?slug={slug}&count=true&limit=1"), &[]).await;
    matrix.cell(who, "count", slug, u64::from(readable), counted.json()["count"].as_u64().unwrap_or(0));
    let by_remark = get(who, &format!("/api/posts?remark=remark-{slug}"), &[]).await;
    matrix.cell(who, "filter by remark", slug, who.reads_remark(post), by_remark.items().len() == 1);
    let not_null = format!("/api/posts?slug={slug}&filter=remark%20!%3D%20null");
    let not_null = get(who, &not_null, &[]).await.items().len() == 1;
    matrix.cell(who, "filter by a remark at all", slug, who.reads_remark(post), not_null);
    let from_comment = format!("/api/comments?filter=post.slug%20%3D%3D%20%22{slug}%22");
    let from_comment = get(who, &from_comment, &[]).await.items().len() == 1;
    matrix.cell(who, "filter from a comment", slug, readable && who.reaches("comments", "read"), from_comment);
    let from_topic = format!("/api/topics?filter=posts.exists(p,%20p.slug%20%3D%3D%20%22{slug}%22)");
    let from_topic = get(who, &from_topic, &[]).await.items().len() == 1;
    matrix.cell(who, "filter from a topic", slug, readable && who.reaches("topics", "read"), from_topic);
}

/// People are records, too, and reached from others.
pub(super) async fn of_people(matrix: &mut Matrix, who: &Who, cast: &Cast) {
    let list = get(who, "/api/users?limit=200", &[]).await;
    let lines = get(who, "/api/users", &[("accept", "application/x-ndjson")]).await;
    let groups = get(who, "/api/users/aggregate?group=name&count", &[]).await;
    let expanded = get(who, "/api/posts?limit=200&expand=owner", &[]).await;
    for (name, id) in [("ada", &cast.ada), ("ben", &cast.ben)] {
        let (readable, marker) = (who.reads_person(id), format!("name-{name}"));
        let reply = get(who, &format!("/api/users/{id}"), &[]).await;
        matrix.cell(who, "GET", name, who.status(readable, "users", 200), reply.status.as_u16());
        for (door, reply) in [("list", &list), ("NDJSON", &lines), ("aggregate", &groups)] {
            matrix.cell(who, door, name, readable, told(reply).contains(&marker));
        }
        let through = readable && who.reaches("posts", "read");
        matrix.cell(who, "expand", name, through, told(&expanded).contains(&marker));
        let filter = format!("/api/posts?filter=owner.name%20%3D%3D%20%22{marker}%22");
        matrix.cell(who, "filter from a post", name, through, !get(who, &filter, &[]).await.items().is_empty());
        let email = format!("/api/users?filter=email%20%3D%3D%20%22{name}%40example.org%22");
        let by_email = readable && (who.id == *id || who.roles.contains(&"admin"));
        matrix.cell(who, "filter by e-mail", name, by_email, !get(who, &email, &[]).await.items().is_empty());
    }
}

/// Everybody listens while posts are made; a last one that all may read ends it.
pub(super) async fn of_events(matrix: &mut Matrix, app: &TestApp, cast: &Cast) {
    let mut open = Vec::new();
    for who in &cast.everybody {
        let listener = who.person.listen("/api/posts/events", &[]).await;
        let status = listener.status.as_u16();
        matrix.cell(who, "events", "all", who.status(true, "posts", 200), status);
        if status == 200 {
            open.push((who, listener.opened().await));
        }
    }
    let told = posts(app, cast, "told").await;
    app.admin().post("/api/posts", json!({ "slug": "the-end", "published": true })).await.expect(201);
    for (who, mut listener) in open {
        let mut heard = String::new();
        while !heard.contains("the-end") {
            let Some(event) = listener.next().await else { break };
            heard.push_str(&event.text);
        }
        for post in &told {
            matrix.cell(who, "events", &post.slug, who.reads(post), heard.contains(&format!("\"{}\"", post.slug)));
            let found = heard.contains(&format!("remark-{}", post.slug));
            matrix.cell(who, "events", &format!("the remark of {}", post.slug), who.reads_remark(post), found);
        }
    }
    for post in told {
        app.admin().delete(&format!("/api/posts/{}", post.id)).await.expect(204);
    }
}
