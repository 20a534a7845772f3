//! The manners of every answer.

use http::Method;
use serde_json::json;

use crate::both;

const APP: &[(&str, &str)] = &[
    ("mainstay.toml", "[server]\ncors_origins = [\"https://app.example\"]\n"),
    ("resources/notes.toml", "[fields]\ntext = { type = \"string\" }\n[access]\nread = \"true\"\n"),
];

const ANY: &[(&str, &str)] = &[
    ("mainstay.toml", "[server]\ncors_origins = [\"*\"]\n"),
    ("resources/notes.toml", "[fields]\ntext = { type = \"string\" }\n[access]\nread = \"true\"\n"),
];

both! {
    async fn every_answer_has_an_id_and_guards(app) using APP {
        let person = app.stranger();
        for path in ["/api/notes", "/livez", "/readyz", "/nope"] {
            let reply = person.get(path).await;
            assert!(!reply.header("x-request-id").is_empty(), "{path}");
            assert_eq!(reply.header("x-content-type-options"), "nosniff");
            assert_eq!(reply.header("referrer-policy"), "no-referrer");
        }
        let named = person.send(Method::GET, "/nope", &[("x-request-id", "trace-7.a")], "").await.expect(404);
        assert_eq!((named.header("x-request-id"), &named.json()["request_id"], &named.json()["instance"]), ("trace-7.a", &json!("trace-7.a"), &json!("/nope")));
        let evil = person.send(Method::GET, "/nope", &[("x-request-id", "a\"b")], "").await;
        assert_ne!(evil.header("x-request-id"), "a\"b");
    }

    async fn pages_of_allowed_origins_may_call(app) using APP {
        let person = app.stranger();
        let preflight = |origin: &'static str| {
            let person = person.clone();
            async move { person.send(Method::OPTIONS, "/api/notes", &[("origin", origin), ("access-control-request-method", "PATCH")], "").await }
        };
        let allowed = preflight("https://app.example").await;
        assert_eq!(allowed.status, 204);
        assert_eq!(allowed.header("access-control-allow-origin"), "https://app.example");
        assert!(allowed.header("access-control-allow-methods").contains("PATCH"));
        assert!(allowed.header("vary").contains("Origin"));
        assert_eq!(preflight("https://evil.example").await.header("access-control-allow-origin"), "");
        let get = person.send(Method::GET, "/api/notes", &[("origin", "https://app.example")], "").await;
        assert_eq!((get.header("access-control-allow-origin"), get.header("access-control-allow-credentials")), ("https://app.example", "true"));
        assert!(get.header("vary").contains("Origin"));
        for exposed in ["ETag", "Link", "Location", "RateLimit", "Idempotency-Replayed", "Retry-After"] {
            assert!(get.header("access-control-expose-headers").contains(exposed), "{exposed}");
        }
        for asked in ["Idempotency-Key", "Prefer", "If-Match", "If-None-Match", "Authorization", "traceparent"] {
            assert!(allowed.header("access-control-allow-headers").contains(asked), "{asked}");
        }
        assert_eq!(person.send(Method::GET, "/api/notes", &[("origin", "null")], "").await.header("access-control-allow-origin"), "");
        let plain = person.send(Method::OPTIONS, "/api/notes", &[], "").await;
        assert_eq!((plain.status.as_u16(), plain.header("allow")), (204, "GET, HEAD, POST, PATCH, DELETE, OPTIONS"));
    }

    async fn where_every_origin_may_read_none_sends_credentials(app) using ANY {
        for origin in ["https://app.example", "null"] {
            let reply = app.stranger().send(Method::GET, "/api/notes", &[("origin", origin)], "").await.expect(200);
            assert_eq!((reply.header("access-control-allow-origin"), reply.header("access-control-allow-credentials")), ("*", ""));
        }
    }

    async fn no_cache_gives_the_answer_of_one_caller_to_another(app) using APP {
        let person = app.stranger();
        let made = app.admin().post("/api/notes", json!({"text": "x"})).await.expect(201).json();
        let record = format!("/api/notes/{}", made["id"].as_str().expect("an id"));
        for path in ["/api/notes", &record, "/api/notes/aggregate?count"] {
            let reply = person.get(path).await.expect(200);
            assert_eq!(reply.header("cache-control"), "private, no-cache", "{path}");
            let tag = reply.header("etag").to_owned();
            if !tag.is_empty() {
                let known = person.send(Method::GET, path, &[("if-none-match", &tag)], "").await;
                assert_eq!((known.status.as_u16(), known.header("cache-control")), (304, "private, no-cache"), "{path}");
                assert_eq!(known.header("vary"), reply.header("vary"), "{path}: a cache takes it for what it keeps");
            }
        }
        for refused in [person.get("/api/notes/x").await, person.post("/api/notes", json!({})).await, person.with_key("x").get("/api/notes").await] {
            assert_eq!(refused.header("cache-control"), "no-store", "{refused}");
        }
        let stream = person.listen("/api/notes/events", &[]).await;
        assert_eq!(stream.headers["cache-control"], "no-store");
    }

    async fn health_and_metrics_answer(app) using APP {
        let person = app.stranger();
        person.get("/livez").await.expect(200);
        person.get("/readyz").await.expect(200);
        person.get("/api/notes").await.expect(200);
        let metrics = person.get("/metrics").await.expect(200);
        assert!(metrics.text.contains("mainstay_http_requests_total{method=\"GET\",status=\"200\"}"), "{metrics}");
        assert!(metrics.text.ends_with("# EOF\n"));
    }

    async fn every_kind_of_problem_has_a_page(app) using APP {
        for code in model::Code::ALL {
            let page = app.stranger().get(&format!("/problems/{}", code.slug())).await.expect(200);
            assert!(page.text.contains(code.title()) && page.header("content-security-policy").contains("default-src 'none'"));
        }
    }
}
