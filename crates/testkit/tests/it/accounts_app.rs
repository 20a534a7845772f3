//! The template `accounts`: its pages are served, keep to their policy, and what they call works as they call it.

use std::{collections::BTreeSet, fs, path::Path};

use http::Method;
use serde_json::{Value as Json, json};
use testkit::{Database, Reply, TestApp};

use crate::accounts::{code_in, page, secret_in};

const PASSWORD: &str = "a lighthouse by the sea";

/// A call as the pages make it.
async fn call(app: &TestApp, cookie: &str, method: Method, path: &str, body: Json) -> Reply {
    let headers = [("origin", app.identity().public_url()), ("mainstay-session", "cookie"), ("cookie", cookie)];
    page(app, method, path, &headers, &body).await
}

fn cookie(reply: &Reply) -> String {
    let set = reply.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    let session = set.map(|text| text.split(';').next().unwrap_or("")).find(|pair| !pair.contains("device"));
    session.unwrap_or_else(|| panic!("no cookie in {reply}")).to_owned()
}

/// The paths of this site that a page or script names.
fn named(text: &str) -> BTreeSet<String> {
    let marks = ["href=\"/", "src=\"/", "href: \"/", "go(\"/", "from \"./"];
    let rests = marks.iter().flat_map(|mark| text.split(mark).skip(1).map(move |rest| (*mark, rest)));
    let path = |(mark, rest): (&str, &str)| {
        let end = rest.find(['"', '?', '#']).unwrap_or(rest.len());
        format!("/{}{}", if mark.starts_with("from") { "js/" } else { "" }, &rest[..end])
    };
    rests.map(path).collect()
}

#[tokio::test]
async fn every_page_is_served_and_so_is_what_it_names() {
    let app = TestApp::template(Database::Sqlite, "accounts").await;
    let stranger = app.stranger();
    let mut seen = BTreeSet::new();
    let mut waiting: Vec<String> = vec!["/".to_owned(), "/reset".to_owned()];
    while let Some(path) = waiting.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let reply = stranger.get(&path).await.expect(200);
        waiting.extend(named(&reply.text));
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/accounts/public");
    for directory in [own.clone(), own.join("js")] {
        for entry in fs::read_dir(directory).expect("the template's pages").map(|entry| entry.expect("a file").path()) {
            let name = entry.strip_prefix(&own).expect("a name").to_string_lossy().into_owned();
            let path = format!("/{}", name.trim_end_matches(".html")).replace("/index", "/");
            assert!(entry.is_dir() || seen.contains(&path), "{name} is reached from nowhere: {seen:?}");
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn no_page_holds_a_script_or_a_style_or_names_another_site() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/accounts/public");
    let pages = fs::read_dir(own).expect("the template's pages").map(|entry| entry.expect("a file").path());
    let pages: Vec<_> = pages.filter(|path| path.extension().is_some_and(|ending| ending == "html")).collect();
    assert!(pages.len() >= 7, "{pages:?}");
    for path in pages {
        let text = fs::read_to_string(&path).expect("a page");
        assert!(text.contains("content=\"default-src 'self'; base-uri 'none'; form-action 'self'\""), "{path:?}");
        for never in ["<style", " style=", "javascript:", " onclick=", " onsubmit=", "http://", "https://", "src=\"//"]
        {
            assert!(!text.contains(never), "{path:?} has {never}");
        }
        let scripts: Vec<_> = text.split("<script ").skip(1).collect();
        assert!(scripts.iter().all(|script| script.contains("src=\"/js/") && script.contains("\"></script>")));
        assert_eq!(scripts.len(), 1, "{path:?}");
        // Whatever can be typed into has a label.
        for field in text.split("id=\"").skip(1).filter(|rest| rest.contains('"')) {
            let id = &field[..field.find('"').expect("an end")];
            let tag = &field[..field.find('>').unwrap_or(field.len())];
            if tag.contains("name=\"") {
                assert!(text.contains(&format!("<label for=\"{id}\"")), "{path:?}: {id} has no label");
            }
        }
    }
}

async fn people_come_write_and_go(app: &TestApp) {
    let new = json!({ "name": "Ada", "email": "ada@example.com", "password": PASSWORD });
    let asked = call(app, "", Method::POST, "/auth/sign-up", new.clone()).await.expect(202).json();
    assert_eq!(app.admin().get("/api/users?count=true").await.expect(200).json()["count"], 0, "nobody before the code");
    let code = code_in(&app.mails("ada@example.com", 1).await[0]);
    let proof = json!({ "ticket": asked["ticket"], "code": code });
    let entered = call(app, "", Method::POST, "/auth/email/verify", proof).await.expect(201);
    assert_eq!(entered.json()["user"]["email_verified"], true);
    assert!(entered.json().get("access_token").is_none(), "a browser gets no token: {entered}");
    let ada = cookie(&entered);

    let note = call(app, &ada, Method::POST, "/api/notes", json!({ "title": "Milk" })).await.expect(201).json();
    assert_eq!(note["owner"], entered.json()["user"]["id"]);
    let list = call(app, &ada, Method::GET, "/api/notes?sort=-created_at&limit=20", Json::Null).await.expect(200);
    assert_eq!(list.json()["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(app.stranger().get("/api/notes").await.expect(200).json()["items"], json!([]));
    let path = format!("/api/notes/{}", note["id"].as_str().expect("an id"));
    app.stranger().get(&path).await.expect(404);

    // The mailed link opens a page of the app, wherever that is.
    call(app, "", Method::POST, "/auth/password/forgot", json!({ "email": "ada@example.com" })).await.expect(202);
    let mail = app.mails("ada@example.com", 2).await.pop().expect("a mail");
    assert!(mail.contains(&format!("\n{}/reset#", app.identity().public_url())), "{mail}");
    let reset = json!({ "secret": secret_in(&mail), "password": "seven geese over a barn" });
    call(app, "", Method::POST, "/auth/password/reset", reset).await.expect(204);

    // The session is dead now: the API says so, pages are shown all the same.
    call(app, &ada, Method::GET, "/auth/me", Json::Null).await.expect(401);
    for path in ["/", "/sign-in", "/js/api.js", "/auth/reset", "/problems/csrf"] {
        let shown = page(app, Method::GET, path, &[("cookie", &ada)], &Json::Null).await.expect(200);
        assert!(!shown.headers.contains_key("set-cookie"), "what all may keep clears nobody's cookie: {path}");
    }
    page(app, Method::GET, "/api/notes", &[("cookie", &ada)], &Json::Null).await.expect(401);
    page(app, Method::GET, "/", &[("authorization", "Bearer nonsense")], &Json::Null).await.expect(200);
    page(app, Method::GET, "/api/notes", &[("authorization", "Bearer nonsense")], &Json::Null).await.expect(401);

    let again = json!({ "email": "ada@example.com", "password": "seven geese over a barn" });
    let ada = cookie(&call(app, "", Method::POST, "/auth/sign-in", again).await.expect(200));
    call(app, &ada, Method::DELETE, "/auth/me", Json::Null).await.expect(204);
    assert_eq!(app.admin().get("/api/notes?count=true").await.expect(200).json()["count"], 0, "the notes go along");
}

#[tokio::test]
async fn people_come_write_and_go_on_sqlite() {
    let app = TestApp::template(Database::Sqlite, "accounts").await;
    people_come_write_and_go(&app).await;
    app.stop().await;
}

#[tokio::test]
async fn people_come_write_and_go_on_postgres() {
    let app = TestApp::template(Database::Postgres, "accounts").await;
    people_come_write_and_go(&app).await;
    app.stop().await;
}
