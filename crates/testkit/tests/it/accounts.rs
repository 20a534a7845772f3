//! Accounts through the public door.

mod cookies;
mod ending;
mod entering;
mod enumeration;
mod github;
mod invites;
mod keys;
mod limits;
mod mailed;
mod not_ones_own;
mod providers;
mod tokens;
mod too_late;

use http::Method;
use serde_json::{Value as Json, json};
use testkit::{Person, Reply, TestApp};

pub(crate) const USERS: &str = r#"
[auth]

[fields]
name = { type = "string", max = 50 }

[access]
read = "record.id == auth.id"
update = "record.id == auth.id"
delete = "record.id == auth.id"
"#;

pub(crate) const NOTES: &str = r#"
[fields]
text = { type = "string" }
owner = { type = "reference", to = "users", default = "auth.id", on_delete = "cascade" }

[access]
read = "record.owner == auth.id || 'editor' in auth.roles"
create = "new.owner == auth.id"
"#;

pub(crate) const PLAIN: &[(&str, &str)] =
    &[("mainstay.toml", "[roles]\neditor = {}\n"), ("resources/users.toml", USERS), ("resources/notes.toml", NOTES)];

pub(crate) const PASSWORD: &str = "correct horse battery";

/// Signs somebody up: the person with its access token, and the whole answer.
pub(crate) async fn sign_up(app: &TestApp, email: &str) -> (Person, Json) {
    let body = json!({ "email": email, "password": PASSWORD });
    let reply = app.stranger().post("/auth/sign-up", body).await.expect(201);
    (with(app, &reply), reply.json())
}

/// Signs somebody in.
pub(crate) async fn sign_in(app: &TestApp, email: &str, password: &str) -> Reply {
    app.stranger().post("/auth/sign-in", json!({ "email": email, "password": password })).await
}

/// Somebody with the access token of an answer.
pub(crate) fn with(app: &TestApp, reply: &Reply) -> Person {
    app.stranger().with_key(reply.json()["access_token"].as_str().expect("an access token"))
}

/// A request of a page, with a cookie.
pub(crate) async fn page(app: &TestApp, method: Method, path: &str, headers: &[(&str, &str)], body: &Json) -> Reply {
    let mut all = vec![("content-type", "application/json")];
    all.extend(headers);
    let body = if body.is_null() { String::new() } else { body.to_string() };
    app.stranger().send(method, path, &all, body).await
}

/// Asks for a mailed code: the ticket that it counts with.
pub(crate) async fn ticket(person: &Person, path: &str, body: Json) -> Json {
    person.post(path, body).await.expect(202).json()["ticket"].clone()
}

/// The code of a mail.
pub(crate) fn code_in(mail: &str) -> String {
    let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
    mail.lines().find(is_code).unwrap_or_else(|| panic!("no code in {mail}")).to_owned()
}

/// The secret in the fragment of a mail's link.
pub(crate) fn secret_in(mail: &str) -> String {
    let link = mail.lines().find(|line| line.starts_with("http")).unwrap_or_else(|| panic!("no link in {mail}"));
    link.split_once('#').expect("a fragment").1.to_owned()
}
