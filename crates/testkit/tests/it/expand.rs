//! Related records in one answer.

use http::Method;
use serde_json::{Value as Json, json};
use testkit::{Reply, TestApp};

use crate::both;

const BLOG: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    (
        "resources/users.toml",
        "id = \"integer\"\ntimestamps = false\n[fields]\nname = { type = \"string\", required = true }\n\
         mail = { type = \"email\", read = \"'staff' in auth.roles\" }\n\
         wage = { type = \"integer\", hidden = true }\n\
         public = { type = \"boolean\", required = true, default = true, read = \"'staff' in auth.roles\" }\n\
         [access]\nread = \"record.public\"\n",
    ),
    (
        "resources/posts.toml",
        "id = \"string\"\ntimestamps = false\n[fields]\ntitle = { type = \"string\", required = true }\n\
         author = { type = \"reference\", to = \"users\" }\n\
         reviewers = { type = \"reference\", to = \"users\", many = true, inverse = \"reviewed\" }\n\
         owner = { type = \"reference\", to = \"users\", read = \"record.open\" }\n\
         payer = { type = \"reference\", to = \"users\", hidden = true }\n\
         open = { type = \"boolean\", required = true, default = false }\n\
         [access]\nread = \"true\"\n",
    ),
    (
        "resources/comments.toml",
        "timestamps = false\n[fields]\nposition = { type = \"integer\", required = true }\n\
         post = { type = \"reference\", to = \"posts\", required = true }\n\
         author = { type = \"reference\", to = \"users\" }\n\
         parent = { type = \"reference\", to = \"comments\", inverse = \"replies\" }\n\
         stars = { type = \"integer\" }\n\
         spam = { type = \"boolean\", required = true, default = false }\n\
         note = { type = \"string\", read = \"record.stars == 5\" }\n\
         [access]\nread = \"!record.spam\"\n",
    ),
];

async fn fill(app: &TestApp) {
    let admin = app.admin();
    let users = json!([
        {"name": "Ann", "mail": "ann@example.org", "wage": 7},
        {"name": "Bob"},
        {"name": "Ghost", "public": false}
    ]);
    admin.post("/api/users", users).await.expect(201);
    let posts = json!([
        {"id": "a", "title": "A", "author": 1, "reviewers": [3, 2, 1], "owner": 2, "payer": 2, "open": true},
        {"id": "b", "title": "B", "author": 3, "reviewers": [2], "owner": 2, "payer": 1},
        {"id": "c", "title": "C"},
        {"id": "d", "title": "D", "author": 2, "owner": 1, "open": true}
    ]);
    admin.post("/api/posts", posts).await.expect(201);
    let ids = ["00000000-0000-7000-8000-00000000000"; 7];
    let id = |number: usize| format!("{}{number}", ids[number]);
    let comments = json!([
        {"id": id(1), "position": 1, "post": "a", "author": 2, "stars": 5, "note": "n1"},
        {"id": id(2), "position": 2, "post": "a", "author": 3, "stars": 1, "note": "n2", "parent": id(1)},
        {"id": id(3), "position": 3, "post": "a", "author": 1, "stars": 3, "spam": true},
        {"id": id(4), "position": 4, "post": "b", "author": 1, "stars": 4},
        {"id": id(5), "position": 5, "post": "a", "stars": null, "parent": id(1)},
        {"id": id(6), "position": 6, "post": "a", "author": 2, "stars": 2}
    ]);
    admin.post("/api/comments", comments).await.expect(201);
}

/// `position` of every record of a list.
fn positions(list: &Json) -> Vec<i64> {
    list.as_array().into_iter().flatten().map(|item| item["position"].as_i64().unwrap_or(-1)).collect()
}

fn column(list: &Json, field: &str) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.map(|item| item[field].as_str().map_or_else(|| item[field].to_string(), str::to_owned)).collect()
}

async fn refused(app: &TestApp, path: &str, query: &[(&str, &str)], wanted: &str) -> Reply {
    let reply = app.stranger().ask(path, query).await.expect(400);
    assert!(reply.text.contains(wanted), "{query:?}: {wanted} is not in {}", reply.text);
    reply
}

both! {
    async fn references_and_relations_stand_under_expand(app) using BLOG {
        fill(app).await;
        let one = app.stranger().get("/api/posts/a?expand=author,comments&fields=title,author.name,comments.position").await.expect(200);
        let position = |number: i64| format!(r#"{{"id":"00000000-0000-7000-8000-00000000000{number}","position":{number}}}"#);
        let comments = [1, 2, 5, 6].map(position).join(",");
        assert_eq!(one.text, format!(r#"{{"id":"a","title":"A","expand":{{"author":{{"id":1,"name":"Ann"}},"comments":[{comments}]}}}}"#));
        let list = app.stranger().get("/api/posts?expand=author&fields=author.name").await.expect(200);
        assert_eq!(list.items(), [
            json!({"id": "a", "expand": {"author": {"id": 1, "name": "Ann"}}}),
            json!({"id": "b", "expand": {"author": null}}),
            json!({"id": "c", "expand": {"author": null}}),
            json!({"id": "d", "expand": {"author": {"id": 2, "name": "Bob"}}}),
        ]);
        let whole = app.stranger().get("/api/posts/d?expand=author").await.expect(200).json();
        assert_eq!(whole["author"], 2, "the reference itself stays");
        assert_eq!(whole["expand"], json!({"author": {"id": 2, "name": "Bob"}}));
    }

    async fn expansions_go_three_levels_deep(app) using BLOG {
        fill(app).await;
        let users = app.stranger().get("/api/users?expand=posts_by_author.comments.author&fields=name,posts_by_author.title,posts_by_author.comments.author.name").await.expect(200);
        let found = &users.items()[0];
        assert_eq!(found["name"], "Ann");
        let posts = &found["expand"]["posts_by_author"];
        assert_eq!(column(posts, "title"), ["A"]);
        let comments = posts[0]["expand"]["comments"].as_array().cloned().unwrap_or_default();
        let authors: Vec<Json> = comments.iter().map(|comment| comment["expand"]["author"]["name"].clone()).collect();
        assert_eq!(authors, [json!("Bob"), Json::Null, Json::Null, json!("Bob")]);
        assert_eq!(comments[1]["expand"], json!({"author": null}), "a record that can't be read is null");
        assert_eq!(users.items()[1]["expand"]["posts_by_author"][0]["expand"]["comments"], json!([]));
        let replies = app.stranger().get("/api/comments?expand=replies.replies.author,parent&sort=position&fields=position,replies.position").await.expect(200);
        assert_eq!(positions(&replies.items()[0]["expand"]["replies"]), [2, 5]);
        assert_eq!(replies.items()[1]["expand"]["parent"]["position"], 1);
    }

    async fn every_name_of_a_relation_serves(app) using BLOG {
        fill(app).await;
        for name in ["comments", "comments_by_post"] {
            let one = app.stranger().get(&format!("/api/posts/b?expand={name}")).await.expect(200).json();
            assert_eq!(positions(&one["expand"][name]), [4], "{name}");
        }
        for name in ["reviewed", "posts_by_reviewers"] {
            let one = app.stranger().get(&format!("/api/users/2?expand={name}")).await.expect(200).json();
            assert_eq!(column(&one["expand"][name], "id"), ["a", "b"], "{name}");
        }
    }

    async fn many_references_come_in_their_order(app) using BLOG {
        fill(app).await;
        let admin = app.admin().get("/api/posts/a?expand=reviewers").await.expect(200).json();
        assert_eq!(column(&admin["expand"]["reviewers"], "name"), ["Ghost", "Bob", "Ann"]);
        let list = app.stranger().get("/api/posts?expand=reviewers&limit=3").await.expect(200);
        let names: Vec<Vec<String>> = list.items().iter().map(|post| column(&post["expand"]["reviewers"], "name")).collect();
        assert_eq!(names, [vec!["Bob", "Ann"], vec!["Bob"], vec![]]);
        let options = [("expand[reviewers][sort]", "name"), ("expand[reviewers][limit]", "1"), ("limit", "1")];
        let sorted = app.stranger().ask("/api/posts", &options).await.expect(200);
        assert_eq!(column(&sorted.items()[0]["expand"]["reviewers"], "name"), ["Ann"]);
        assert_eq!(sorted.items()[0]["expand_more"], json!(["reviewers"]));
        let cut = app.stranger().ask("/api/posts/a", &[("expand", "reviewers"), ("expand[reviewers][limit]", "1")]).await.expect(200).json();
        assert_eq!((column(&cut["expand"]["reviewers"], "name"), &cut["expand_more"]), (vec!["Bob".to_owned()], &json!(["reviewers"])));
    }

    async fn lists_have_their_own_limit_sort_and_filter(app) using BLOG {
        fill(app).await;
        let ask = |query: Vec<(&'static str, &'static str)>| {
            let stranger = app.stranger();
            async move { stranger.ask("/api/posts", &query).await.expect(200).items() }
        };
        let posts = ask(vec![("expand", "comments"), ("expand[comments][limit]", "2"), ("expand[comments][sort]", "-stars")]).await;
        assert_eq!(positions(&posts[0]["expand"]["comments"]), [1, 6]);
        assert_eq!(posts[0]["expand_more"], json!(["comments"]));
        assert_eq!(positions(&posts[1]["expand"]["comments"]), [4]);
        assert_eq!(posts[1].get("expand_more"), None, "only what was cut is named");
        let posts = ask(vec![("expand", "comments"), ("expand[comments][sort]", "stars,-position"), ("expand[comments][limit]", "4")]).await;
        assert_eq!(positions(&posts[0]["expand"]["comments"]), [5, 2, 6, 1], "nulls are smallest");
        assert_eq!(posts[0].get("expand_more"), None, "a list that just fits was not cut");
        let posts = ask(vec![("expand[comments][filter]", "stars > 1 && author.name == 'Bob'")]).await;
        assert_eq!(positions(&posts[0]["expand"]["comments"]), [1, 6]);
        assert_eq!(posts[1]["expand"]["comments"], json!([]));
        let users = app.stranger().ask("/api/comments", &[("sort", "position"), ("limit", "1"), ("expand", "author.posts_by_author.comments"), ("expand[author.posts_by_author.comments][limit]", "1"), ("expand[author.posts_by_author][sort]", "-title")]).await.expect(200);
        let author = &users.items()[0]["expand"]["author"];
        assert_eq!(column(&author["expand"]["posts_by_author"], "title"), ["D"]);
        let sorted = ask(vec![("expand[comments][sort]", "-author.name,position"), ("fields", "comments.position")]).await;
        assert_eq!(positions(&sorted[0]["expand"]["comments"]), [1, 6, 2, 5], "an author that can't be read sorts as none");
    }

    async fn what_may_not_be_read_is_not_expanded(app) using BLOG {
        fill(app).await;
        let stranger = app.stranger();
        let a = stranger.get("/api/posts/a?expand=comments,author,owner").await.expect(200).json();
        assert_eq!(positions(&a["expand"]["comments"]), [1, 2, 5, 6], "spam is left out");
        let notes: Vec<Option<&str>> = a["expand"]["comments"].as_array().into_iter().flatten().map(|comment| comment.get("note").map(|note| note.as_str().unwrap_or("null"))).collect();
        assert_eq!(notes, [Some("n1"), None, None, None], "a field with a rule is there where the rule holds");
        assert_eq!(a["expand"]["author"], json!({"id": 1, "name": "Ann"}), "neither mail, nor wage, nor public");
        assert_eq!(a["expand"]["owner"]["name"], "Bob");
        let b = stranger.get("/api/posts/b?expand=owner").await.expect(200).json();
        assert_eq!((&b["expand"]["owner"], b.get("owner")), (&Json::Null, None), "the owner of a post that isn't open is not told");
        let bob = stranger.get("/api/users/2?expand=posts_by_owner,reviewed&fields=posts_by_owner.title").await.expect(200).json();
        assert_eq!(column(&bob["expand"]["posts_by_owner"], "title"), ["A"], "nor the other way round");
        let admin = app.admin().get("/api/users/2?expand=posts_by_owner").await.expect(200).json();
        assert_eq!(column(&admin["expand"]["posts_by_owner"], "title"), ["A", "B"]);
        let counted = stranger.ask("/api/posts", &[("expand[comments][filter]", "spam"), ("count", "true")]).await.expect(200);
        assert_eq!(counted.json()["count"], 4);
        for post in counted.items() {
            assert_eq!(post["expand"]["comments"], json!([]), "a filter does not bring it back");
        }
        // Of those that are left out nobody learns by the limit either: two of three are cut off, not three of four.
        let exact = stranger.ask("/api/posts/a", &[("expand[comments][limit]", "4")]).await.expect(200).json();
        assert_eq!(exact.get("expand_more"), None);
    }

    async fn a_name_that_may_not_be_read_is_unknown(app) using BLOG {
        fill(app).await;
        for (query, wanted) in [
            (vec![("expand", "payer")], "posts has no reference or relation `payer`"),
            (vec![("expand", "pairer")], "posts has no reference or relation `pairer`"),
            (vec![("expand", "auther")], "did you mean `author`?"),
            (vec![("expand", "comments.auther")], "comments has no reference or relation `auther`, did you mean `author`?"),
            (vec![("expand", "title")], "`title` of posts is no reference"),
            (vec![("expand", "author"), ("fields", "author.wage")], "users has no field `wage`"),
            (vec![("expand", "author"), ("fields", "author.mail")], "users has no field `mail`"),
            (vec![("expand", "author"), ("fields", "author.nam")], "did you mean `name`?"),
            (vec![("fields", "author.name")], "ask for `expand=author` too"),
            (vec![("expand", "comments"), ("fields", "coments.stars")], "did you mean `comments`?"),
            (vec![("expand[reviewers][sort]", "wage")], "expand[reviewers][sort]"),
            (vec![("expand[reviewers][filter]", "mail != null")], "expand[reviewers][filter]"),
            (vec![("expand[reviewers][filter]", "wage > 1")], "unknown name `wage`"),
            (vec![("expand[comments.author][filter]", "name == 'x'")], "expand[comments.author][filter]"),
        ] {
            refused(app, "/api/posts", &query, wanted).await;
        }
        refused(app, "/api/users", &[("expand", "posts_by_payer")], "users has no reference or relation `posts_by_payer`").await;
    }

    async fn what_can_not_be_expanded_is_refused(app) using BLOG {
        fill(app).await;
        let wide = "author,author.posts_by_author,author.reviewed,author.posts_by_owner,reviewers,reviewers.reviewed,reviewers.posts_by_owner,\
                    reviewers.posts_by_author,owner,owner.reviewed,owner.posts_by_owner,owner.posts_by_author,comments,comments.author,comments.parent,\
                    comments.replies,comments_by_post";
        for (query, wanted) in [
            (vec![("expand", "author.posts_by_author.comments.author")], "3 references at most"),
            (vec![("expand", "a.b.c.d")], "too deep"),
            (vec![("expand", "comments.post")], "leads back"),
            (vec![("expand", "author.posts_by_author.author")], "leads back"),
            (vec![("expand", wide)], "16 references and relations at most"),
            (vec![("expand", &*["author"; 17].join(","))], "16 references and relations at most"),
            (vec![("expand[author][limit]", "3")], "`author` is one record"),
            (vec![("expand[comments][limit]", "0")], "a number from 1 to 200"),
            (vec![("expand[comments][limit]", "201")], "a number from 1 to 200"),
            (vec![("expand[comments][limt]", "3")], "did you mean `limit`?"),
            (vec![("expand[comments]", "3")], "expand[comments][limit]"),
            (vec![("expand[comments][limit", "3")], "closing bracket"),
            (vec![("expand[comments][limit]", "3"), ("expand[comments][limit]", "4")], "stands twice"),
            (vec![("expand", "author"), ("expand", "owner")], "stands twice"),
            (vec![("expand[comments][sort]", "nothing")], "expand[comments][sort]"),
            (vec![("expnd", "author")], "did you mean `expand`?"),
        ] {
            refused(app, "/api/posts", &query, wanted).await;
        }
        let deep = format!("a{}", ".a".repeat(10_000));
        app.stranger().get(&format!("/api/posts?expand={deep}")).await.expect(400);
        app.stranger().get("/api/posts/a?expand=author&limit=1").await.expect(400);
        app.admin().send(Method::POST, "/api/posts?expand=author", &[("content-type", "application/json")], "{}").await.expect(400);
    }

    async fn an_answer_that_would_be_too_large_is_refused(app) using BLOG {
        let admin = app.admin();
        let users: Vec<Json> = (0..3).map(|_| json!({"name": "u".repeat(250)})).collect();
        admin.post("/api/users", json!(users)).await.expect(201);
        let post = |number| json!({"id": format!("p{number:03}"), "title": "t", "author": 1, "reviewers": [1, 2, 3]});
        let posts: Vec<Json> = (0..200).map(post).collect();
        admin.post("/api/posts", json!(posts)).await.expect(201);
        // 200 posts, each with its author's 100 posts: one list is read, and written 200 times over.
        let query = [("limit", "200"), ("expand", "author.posts_by_author"), ("fields", "author.posts_by_author.title")];
        let all = app.stranger().ask("/api/posts", &query).await.expect(200).items();
        let author = &all[199]["expand"]["author"];
        assert_eq!(author["expand"]["posts_by_author"].as_array().map(Vec::len), Some(100));
        assert_eq!(author["expand_more"], json!(["posts_by_author"]));
        let lists = ("expand[author.posts_by_author][limit]", "200");
        let query = [("limit", "200"), ("expand", "author.posts_by_author.reviewers"), lists];
        refused(app, "/api/posts", &query, "more records than one answer may hold").await;
        let one = [("expand", "author.posts_by_author.reviewers"), lists];
        app.stranger().ask("/api/posts/p000", &one).await.expect(200);
    }

    async fn the_tag_of_an_expanded_record_covers_what_is_expanded(app) using BLOG {
        fill(app).await;
        let (stranger, admin) = (app.stranger(), app.admin());
        let path = "/api/posts/a?expand=author,comments";
        let first = stranger.get(path).await.expect(200);
        let tag = first.header("etag").to_owned();
        let plain = stranger.get("/api/posts/a").await.header("etag").to_owned();
        assert_eq!(tag.split('-').next(), plain.split('-').next(), "it begins with the record's revision");
        assert_ne!(tag, plain);
        assert_ne!(stranger.get("/api/posts/a?expand=author").await.header("etag"), tag);
        assert_ne!(admin.get(path).await.header("etag"), tag, "an administrator sees more of it");
        assert_eq!(stranger.send(Method::GET, path, &[("if-none-match", &tag)], "").await.status, 304);
        admin.patch("/api/users/1", json!({"name": "Anna"})).await.expect(200);
        let second = stranger.send(Method::GET, path, &[("if-none-match", &tag)], "").await;
        assert_eq!(second.status, 200, "the author has another name");
        let headers = [("if-match", tag.as_str()), ("content-type", "application/json")];
        let patched = admin.send(Method::PATCH, "/api/posts/a", &headers, "{\"title\":\"A2\"}").await;
        assert_eq!(patched.status, 200, "If-Match compares the revision");
    }

    async fn lists_have_entity_tags(app) using BLOG {
        fill(app).await;
        let (stranger, admin) = (app.stranger(), app.admin());
        let path = "/api/posts?limit=2&count=true&expand=author";
        let first = stranger.get(path).await.expect(200);
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "strong: {tag}");
        let again = stranger.send(Method::GET, path, &[("if-none-match", &tag)], "").await;
        assert_eq!((again.status.as_u16(), again.text.as_str(), again.header("etag")), (304, "", tag.as_str()));
        assert_eq!(again.header("link"), first.header("link"));
        for other in ["/api/posts?limit=2&count=true", "/api/posts?limit=1&count=true&expand=author", "/api/posts?limit=2&expand=author", "/api/posts?limit=2&count=true&expand=author&fields=title"] {
            assert_ne!(stranger.get(other).await.expect(200).header("etag"), tag, "{other}");
        }
        assert_ne!(admin.get(path).await.header("etag"), tag);
        admin.post("/api/posts", json!({"id": "z", "title": "Z"})).await.expect(201);
        assert_eq!(stranger.send(Method::GET, path, &[("if-none-match", &tag)], "").await.status, 200, "the count is another");
        let tag = stranger.get(path).await.header("etag").to_owned();
        admin.patch("/api/users/1", json!({"mail": "other@example.org"})).await.expect(200);
        assert_eq!(stranger.send(Method::GET, path, &[("if-none-match", &tag)], "").await.status, 304, "what it does not see changes nothing for it");
        admin.patch("/api/users/1", json!({"public": false})).await.expect(200);
        assert_eq!(stranger.send(Method::GET, path, &[("if-none-match", &tag)], "").await.status, 200);
        let head = stranger.send(Method::HEAD, path, &[], "").await;
        assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
        assert_eq!(head.header("etag"), stranger.get(path).await.header("etag"));
    }

    async fn sorting_over_a_reference_pages_like_any_other(app) using BLOG {
        fill(app).await;
        for (sort, expected) in [
            ("author.name", vec!["b", "c", "a", "d"]),
            ("-author.name", vec!["d", "a", "c", "b"]),
            ("-author.name,id", vec!["d", "a", "b", "c"]),
            ("owner.name,-author.name,id", vec!["b", "c", "d", "a"]),
        ] {
            let mut seen = Vec::new();
            let mut cursor = String::new();
            loop {
                let query = [("sort", sort), ("limit", "1"), ("fields", "id"), ("cursor", cursor.as_str())];
                let page = app.stranger().ask("/api/posts", &query).await.expect(200);
                seen.extend(page.column("id").iter().filter_map(|id| id.as_str().map(str::to_owned)));
                match page.json()["next"].as_str() {
                    Some(next) => cursor = next.to_owned(),
                    None => break,
                }
            }
            assert_eq!(seen, expected, "{sort}: authors and owners that can't be read are as if there were none");
        }
        let admin = app.admin().ask("/api/posts", &[("sort", "author.name")]).await.expect(200);
        assert_eq!(column(&json!(admin.items()), "id"), ["c", "a", "d", "b"]);
    }
}
