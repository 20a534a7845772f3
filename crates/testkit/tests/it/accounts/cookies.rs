//! Sessions that browsers hold as cookies, and whose pages may use them.

use http::Method;
use serde_json::{Value as Json, json};
use testkit::TestApp;

use super::{NOTES, PASSWORD, USERS, page, sign_up};
use crate::both;

const SITE: &str = "http://localhost:8080";
const APP: &[(&str, &str)] = &[
    ("mainstay.toml", "[server]\npublic_url = \"http://localhost:8080\"\ncors_origins = [\"https://app.example\"]\n"),
    ("resources/users.toml", USERS),
    ("resources/notes.toml", NOTES),
];
const PLAIN_HTTP: &[(&str, &str)] =
    &[("mainstay.toml", "[server]\npublic_url = \"http://shop.example\"\n"), ("resources/users.toml", USERS)];
const HTTPS: &[(&str, &str)] =
    &[("mainstay.toml", "[server]\npublic_url = \"https://shop.example\"\n"), ("resources/users.toml", USERS)];

/// The session cookie of an answer.
pub(super) fn cookie(reply: &testkit::Reply) -> String {
    let set = reply.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    let session = set.map(|text| text.split(';').next().unwrap_or("")).find(|pair| !pair.contains("device"));
    session.unwrap_or_else(|| panic!("no cookie in {reply}")).to_owned()
}

async fn sign_in(app: &TestApp) -> testkit::Reply {
    let body = json!({"email": "ann@example.org", "password": PASSWORD});
    page(app, Method::POST, "/auth/sign-in", &[("mainstay-session", "cookie"), ("origin", SITE)], &body).await
}

both! {
    async fn a_browser_holds_its_session_as_a_cookie(app) using APP {
        sign_up(app, "ann@example.org").await;
        let reply = sign_in(app).await.expect(200);
        let answer = reply.json();
        assert_eq!(answer.as_object().map(|members| members.keys().cloned().collect::<Vec<_>>()), Some(vec!["user".to_owned(), "expires_at".to_owned()]));
        let set = reply.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap_or("").to_owned()).collect::<Vec<_>>();
        assert!(set[0].starts_with("mainstay_8080=mst_") && set[0].contains("; HttpOnly; SameSite=Lax"), "{set:?}");
        let cookie = cookie(&reply);
        let me = page(app, Method::GET, "/auth/me", &[("cookie", &cookie)], &Json::Null).await.expect(200);
        assert_eq!(me.json()["email"], "ann@example.org");
        let out = page(app, Method::POST, "/auth/sign-out", &[("cookie", &cookie), ("origin", SITE)], &json!({})).await.expect(204);
        assert!(out.header("set-cookie").starts_with("mainstay_8080=; "), "{:?}", out.headers);
        let dead = page(app, Method::GET, "/auth/me", &[("cookie", &cookie)], &Json::Null).await.expect(401);
        assert!(dead.header("set-cookie").starts_with("mainstay_8080=; ") && dead.header("set-cookie").contains("Max-Age=0"));
    }

    async fn only_pages_of_the_app_may_use_the_cookie(app) using APP {
        sign_up(app, "ann@example.org").await;
        let cookie = cookie(&sign_in(app).await.expect(200));
        let note = json!({"text": "x"});
        for (headers, status) in [
            (vec![("origin", SITE)], 201),
            (vec![("origin", "https://app.example")], 201),
            (vec![("sec-fetch-site", "same-origin")], 201),
            (vec![("origin", SITE), ("sec-fetch-site", "cross-site")], 201),
            (vec![], 403),
            (vec![("origin", "null")], 403),
            (vec![("origin", "https://evil.example")], 403),
            (vec![("origin", "http://localhost:8081")], 403),
            (vec![("origin", "https://app.example.evil.example")], 403),
            (vec![("origin", "null"), ("sec-fetch-site", "same-origin")], 403),
            (vec![("sec-fetch-site", "same-site")], 403),
            (vec![("sec-fetch-site", "none")], 403),
            (vec![("host", "evil.example"), ("origin", "http://evil.example")], 403),
        ] {
            let mut all = headers.clone();
            all.push(("cookie", cookie.as_str()));
            let reply = page(app, Method::POST, "/api/notes", &all, &note).await;
            assert_eq!(reply.status.as_u16(), status, "{headers:?}: {reply}");
            if status == 403 {
                assert_eq!(reply.json()["type"], "/problems/csrf");
            }
        }
        for method in [Method::PATCH, Method::DELETE] {
            page(app, method, "/auth/me", &[("cookie", &cookie)], &json!({"name": "x"})).await.expect(403);
        }
        page(app, Method::GET, "/api/notes", &[("cookie", &cookie), ("origin", "https://evil.example")], &Json::Null).await.expect(200);
        page(app, Method::GET, "/api/notes", &[("cookie", &cookie), ("upgrade", "websocket")], &Json::Null).await.expect(403);
    }

    async fn who_asks_for_the_cookie_is_held_to_the_same(app) using APP {
        let (_, answer) = sign_up(app, "ann@example.org").await;
        let body = json!({"email": "ann@example.org", "password": PASSWORD});
        page(app, Method::POST, "/auth/sign-in", &[("mainstay-session", "cookie")], &body).await.expect(403);
        page(app, Method::POST, "/auth/sign-in", &[("mainstay-session", "cookie"), ("origin", "https://evil.example")], &body).await.expect(403);
        page(app, Method::POST, "/auth/sign-in", &[("mainstay-session", "token"), ("origin", SITE)], &body).await.expect(400);
        // With `Authorization` the cookie does not count, not even a dead one.
        let bearer = format!("Bearer {}", answer["access_token"].as_str().expect("a token"));
        let headers = [("authorization", bearer.as_str()), ("cookie", "mainstay_8080=mst_dead")];
        page(app, Method::PATCH, "/auth/me", &headers, &json!({"name": "x"})).await.expect(200);
    }

    async fn pages_of_named_origins_may_send_credentials(app) using APP {
        let reply = page(app, Method::GET, "/api/notes", &[("origin", "https://app.example")], &Json::Null).await.expect(200);
        assert_eq!((reply.header("access-control-allow-origin"), reply.header("access-control-allow-credentials")), ("https://app.example", "true"));
        let other = page(app, Method::GET, "/api/notes", &[("origin", "https://evil.example")], &Json::Null).await.expect(200);
        assert_eq!((other.header("access-control-allow-origin"), other.header("access-control-allow-credentials")), ("", ""));
    }

    async fn over_plain_http_there_is_no_cookie(app) using PLAIN_HTTP {
        sign_up(app, "ann@example.org").await;
        let body = json!({"email": "ann@example.org", "password": PASSWORD});
        let headers = [("mainstay-session", "cookie"), ("origin", "http://shop.example")];
        page(app, Method::POST, "/auth/sign-in", &headers, &body).await.expect(400);
    }

    async fn over_https_the_cookie_is_bound_to_the_host(app) using HTTPS {
        let body = json!({"email": "ann@example.org", "password": PASSWORD});
        let headers = [("mainstay-session", "cookie"), ("origin", "https://shop.example")];
        let reply = page(app, Method::POST, "/auth/sign-up", &headers, &body).await.expect(201);
        assert!(cookie(&reply).starts_with("__Host-mainstay=mst_"));
        assert!(reply.header("set-cookie").ends_with("; Secure"));
    }
}
