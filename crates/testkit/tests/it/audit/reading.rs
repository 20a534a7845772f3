//! `GET /_/api/audit`: who reads, in pages and as a stream.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value as Json, json};

use super::{APP, administrator};
use crate::{
    accounts::{sign_in, sign_up},
    both,
};

const LINES: (&str, &str) = ("accept", "application/x-ndjson");

/// The lines of a stream until one says this, or its end.
async fn until(body: &mut Incoming, word: &str) -> String {
    let mut text = String::new();
    while !text.contains(word) {
        let frame = tokio::time::timeout(Duration::from_secs(20), body.frame()).await.expect("a line in time");
        let Some(Ok(frame)) = frame else { break };
        text.push_str(&String::from_utf8_lossy(frame.data_ref().map_or(&[], |data| data)));
    }
    text
}

both! {
    async fn only_administrators_read_the_log(app) using APP {
        app.stranger().get("/_/api/audit").await.expect(401);
        let (ann, _) = sign_up(app, "ann@example.org").await;
        ann.get("/_/api/audit").await.expect(403);
        let (admin, _) = administrator(app).await;
        admin.get("/_/api/audit").await.expect(200);
        let key = admin.post("/auth/keys", json!({"name": "narrow", "scopes": ["*:read", "*:write"]})).await.expect(201);
        let narrow = app.stranger().with_key(key.json()["key"].as_str().expect("a key"));
        narrow.get("/_/api/audit").await.expect(403);
        app.admin().get("/_/api/audit").await.expect(200);
        app.admin().get("/_/api/nothing").await.expect(404);
        app.stranger().get("/_/api/nothing").await.expect(401);
        app.admin().post("/_/api/audit", json!({})).await.expect(405);
        app.admin().delete("/_/api/audit").await.expect(405);
    }

    async fn pages_have_every_line_once_and_filters_narrow_them(app) using APP {
        for number in 0..25 {
            app.admin().post("/api/teams", json!({})).await.expect(201);
            if number % 5 == 0 {
                sign_in(app, &format!("{number}@example.org"), "wrong").await.expect(401);
            }
        }
        let mut seen = Vec::new();
        let mut query = "/_/api/audit?what=admin_created&limit=10".to_owned();
        loop {
            let page = app.admin().get(&query).await.expect(200).json();
            seen.extend(page["items"].as_array().expect("items").iter().map(|line| line["id"].to_string()));
            let Some(next) = page["next"].as_str() else { break };
            query = format!("/_/api/audit?what=admin_created&limit=10&cursor={next}");
        }
        let mut once = seen.clone();
        once.sort();
        once.dedup();
        assert_eq!((seen.len(), once.len()), (25, 25));
        assert_eq!(app.admin().get("/_/api/audit?actor=key:nobody").await.expect(200).items().len(), 0);
        assert_eq!(app.admin().get("/_/api/audit?what=admin_*&since=2100-01-01").await.expect(200).items().len(), 0);
        for (query, words) in [
            ("what=sign_in_faild", "did you mean `sign_in_failed`"),
            ("since=yesterday", "expected a moment"),
            ("limit=0", "from 1 to 500"),
            ("cursor=nonsense", "the cursor is none of this log"),
            ("follow=true", "application/x-ndjson"),
            ("wat=1", "did you mean `what`"),
        ] {
            let refused = app.admin().get(&format!("/_/api/audit?{query}")).await.expect(400);
            assert!(refused.text.contains(words), "{query}: {refused}");
        }
        let all = app.admin().send(http::Method::GET, "/_/api/audit?what=admin_created", &[LINES], "").await.expect(200);
        assert_eq!((all.header("content-type"), all.text.lines().count()), ("application/x-ndjson", 25));
        assert!(all.text.lines().all(|line| serde_json::from_str::<Json>(line).is_ok()));
    }

    async fn a_stream_goes_on_with_what_comes_and_ends_with_the_right_to_it(app) using APP {
        let (admin, id) = administrator(app).await;
        let reply = admin.open("/_/api/audit?follow&since=1h&what=admin_*,sign_in_failed", &[LINES]).await;
        assert_eq!(reply.status(), 200);
        let mut body = reply.into_body();
        let history = until(&mut body, "users/").await;
        assert!(history.contains("admin_changed"), "{history}");
        let team = app.admin().post("/api/teams", json!({})).await.expect(201).json()["id"].as_str().expect("an id").to_owned();
        let came = until(&mut body, &team).await;
        assert_eq!(came.matches(&team).count(), 1, "{came}");
        sign_in(app, "nobody@example.org", "wrong").await.expect(401);
        let failed = until(&mut body, "sign_in_failed").await;
        assert!(failed.contains("\"subject\":\"unknown:") && !failed.contains("nobody@"), "{failed}");
        let second = sign_up(app, "second@example.org").await.1["user"]["id"].as_str().expect("an id").to_owned();
        app.admin().patch(&format!("/api/users/{second}"), json!({"roles": ["admin"]})).await.expect(200);
        app.admin().patch(&format!("/api/users/{id}"), json!({"roles": []})).await.expect(200);
        until(&mut body, "never said").await;
    }
}
