//! Who may do what, by every door: identities × records × doors, each cell held against an oracle that knows no door.
//!
//! The oracle is `oracle.rs`: the app's rules once more, in Rust. The doors only try, and look at what came out or what has
//! changed. A door with a check of its own, or without one, differs.

mod oracle;
mod reads;
mod writes;

use serde_json::json;
use testkit::{Person, TestApp};

use crate::{
    accounts::{sign_in, sign_up, with},
    both,
};
use oracle::{Post, Who};

const USERS: &str = r#"
[auth]

[fields]
name = { type = "string" }

[access]
read = "record.id == auth.id || 'editor' in auth.roles"
"#;

const TOPICS: &str = r#"
id = "string"
[fields]
name = { type = "string" }
[access]
read = "true"
"#;

const POSTS: &str = r#"
[fields]
slug      = { type = "string", required = true, unique = true }
title     = { type = "string", default = "all" }
published = { type = "boolean", required = true, default = false }
score     = { type = "integer" }
topic     = { type = "reference", to = "topics" }
owner     = { type = "reference", to = "users", default = "auth.id", immutable = true }
remark    = { type = "string", read = "record.owner == auth.id", write = "'editor' in auth.roles" }

[access]
read   = "record.published || record.owner == auth.id || 'editor' in auth.roles"
create = "new.owner == auth.id"
update = "record.owner == auth.id || 'editor' in auth.roles"
delete = "record.owner == auth.id"
"#;

const COMMENTS: &str = r#"
[fields]
post = { type = "reference", to = "posts", on_delete = "cascade" }
[access]
read = "true"
"#;

const FILES: &[(&str, &str)] = &[
    ("mainstay.toml", "[roles]\neditor = {}\nadmin = { includes = [\"editor\"] }\n"),
    ("resources/users.toml", USERS),
    ("resources/topics.toml", TOPICS),
    ("resources/posts.toml", POSTS),
    ("resources/comments.toml", COMMENTS),
];

/// What was compared, and what differed.
#[derive(Default)]
struct Matrix {
    cells: usize,
    differences: Vec<String>,
}

impl Matrix {
    #[expect(clippy::needless_pass_by_value, reason = "verdicts and counts are copied")]
    fn cell(&mut self, who: &Who, door: &str, what: &str, expected: impl ToString, found: impl ToString) {
        self.cells += 1;
        let (expected, found) = (expected.to_string(), found.to_string());
        if expected != found {
            self.differences.push(format!("{} by {door} on {what}: expected {expected}, found {found}", who.name));
        }
    }
}

impl Matrix {
    #[expect(clippy::print_stdout, reason = "the numbers are for who reads the run")]
    fn judge(&self) {
        println!("{} cells, {} differences", self.cells, self.differences.len());
        assert!(self.cells > 400, "{} cells", self.cells);
        assert!(self.differences.is_empty(), "{}", self.differences.join("\n"));
    }
}

/// The people and keys of the story.
struct Cast {
    everybody: Vec<Who>,
    ada: String,
    ben: String,
}

async fn member(app: &TestApp, name: &str, roles: &'static [&'static str]) -> (Who, String) {
    let email = format!("{name}@example.org");
    let (_, answer) = sign_up(app, &email).await;
    let id = answer["user"]["id"].as_str().expect("an id").to_owned();
    app.admin()
        .patch(&format!("/api/users/{id}"), json!({ "name": format!("name-{name}"), "roles": roles }))
        .await
        .expect(200);
    let person = with(app, &sign_in(app, &email, crate::accounts::PASSWORD).await.expect(200));
    (Who { name: name.to_owned(), person, id: id.clone(), roles, scopes: None, live: true }, id)
}

async fn key(owner: &Who, name: &str, scopes: &'static [&'static str]) -> Who {
    let made = owner.person.post("/auth/keys", json!({ "name": name, "scopes": scopes })).await.expect(201);
    let person = owner.person.with_key(made.json()["key"].as_str().expect("a key"));
    Who { name: format!("{}'s key {scopes:?}", owner.name), person, scopes: Some(scopes), ..owner.clone() }
}

async fn cast(app: &TestApp) -> Cast {
    const WIDE: &[&str] = &["*:read", "*:write"];
    let nobody = |name: &str, person: Person, roles: &'static [&'static str]| Who {
        name: name.to_owned(),
        person,
        id: String::new(),
        roles,
        scopes: None,
        live: true,
    };
    let (ada, ada_id) = member(app, "ada", &[]).await;
    let (ben, ben_id) = member(app, "ben", &[]).await;
    let (editor, _) = member(app, "ed", &["editor"]).await;
    let (admin, _) = member(app, "root", &["admin"]).await;
    let (mut gone, gone_id) = member(app, "gone", &["editor"]).await;
    let mut everybody = vec![
        nobody("a stranger", app.stranger(), &[]),
        nobody("an operator's key", app.admin(), &["admin"]),
        key(&ada, "wide", WIDE).await,
        key(&ada, "read", &["posts:read"]).await,
        key(&ada, "update", &["posts:update"]).await,
        key(&editor, "wide", WIDE).await,
        key(&editor, "elsewhere", &["topics:read", "comments:read"]).await,
        key(&admin, "wide", WIDE).await,
        key(&admin, "read", &["posts:read"]).await,
    ];
    let mut gone_key = key(&gone, "wide", WIDE).await;
    app.admin().patch(&format!("/api/users/{gone_id}"), json!({ "disabled": true })).await.expect(200);
    (gone.live, gone_key.live) = (false, false);
    everybody.extend([ada, ben, editor, admin, gone, gone_key]);
    Cast { everybody, ada: ada_id, ben: ben_id }
}

/// A draft and a published post of each of two people, under names that nobody else has, with a comment each.
async fn posts(app: &TestApp, cast: &Cast, prefix: &str) -> Vec<Post> {
    let mut posts = Vec::new();
    for (name, owner) in [("ada", &cast.ada), ("ben", &cast.ben)] {
        for (kind, published) in [("draft", false), ("public", true)] {
            let slug = format!("{prefix}-{name}-{kind}");
            posts.push(Post { id: String::new(), slug, owner: owner.clone(), published });
        }
    }
    let body: Vec<_> = posts
        .iter()
        .map(|post| {
            json!({
                "slug": post.slug, "owner": post.owner, "published": post.published, "topic": "t", "score": 1,
                "remark": format!("remark-{}", post.slug),
            })
        })
        .collect();
    let made = app.admin().post("/api/posts", body.into()).await.expect(201).json();
    for (post, made) in posts.iter_mut().zip(made.as_array().expect("an array")) {
        made["id"].as_str().expect("an id").clone_into(&mut post.id);
    }
    posts
}

both! {
    async fn every_door_gives_the_verdict_of_the_rules(app) using FILES {
        let cast = cast(app).await;
        app.admin().post("/api/topics", json!({ "id": "t", "name": "topic" })).await.expect(201);
        let fixed = posts(app, &cast, "fixed").await;
        let comments: Vec<_> = fixed.iter().map(|post| json!({ "post": post.id })).collect();
        app.admin().post("/api/comments", comments.into()).await.expect(201);
        let mut matrix = Matrix::default();
        for who in &cast.everybody {
            reads::of_posts(&mut matrix, who, &fixed).await;
            reads::of_people(&mut matrix, who, &cast).await;
        }
        reads::of_events(&mut matrix, app, &cast).await;
        for who in &cast.everybody {
            writes::updates(&mut matrix, app, who, &fixed).await;
            writes::creations(&mut matrix, app, who, &cast).await;
            writes::deletions(&mut matrix, app, who, &cast).await;
        }
        matrix.judge();
    }
}
