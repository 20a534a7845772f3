//! Second factors and passkeys through the public door.

mod apps;
mod passkeys;

use serde_json::{Value as Json, json};
use store::{Cell, Statement};
use testkit::{Person, Reply, TestApp};
use totp_rs::{Builder, Secret};

use crate::accounts::{NOTES, PASSWORD, sign_in, sign_up};

const USERS: &str = r#"
[auth]
methods = ["password", "email_code", "passkey"]

[fields]
name = { type = "string", max = 50 }

[access]
read = "record.id == auth.id"
update = "record.id == auth.id"
delete = "record.id == auth.id"
"#;

const FILES: &[(&str, &str)] = &[
    ("mainstay.toml", "[server]\npublic_url = \"http://localhost:8080\"\n\n[roles]\neditor = {}\n"),
    ("resources/users.toml", USERS),
    ("resources/notes.toml", NOTES),
];

const ANN: &str = "ann@example.org";

/// Somebody with an authenticator app.
struct Enrolled {
    person: Person,
    id: String,
    secret: String,
    codes: Vec<String>,
}

async fn enrolled(app: &TestApp, email: &str) -> Enrolled {
    let (person, answer) = sign_up(app, email).await;
    let begun = person.post("/auth/totp/enroll", json!({})).await.expect(200).json();
    let secret = begun["secret"].as_str().expect("a secret").to_owned();
    let confirmed =
        person.post("/auth/totp/confirm", json!({ "code": code(app, &secret, 0) })).await.expect(200).json();
    let codes = confirmed["recovery_codes"].as_array().expect("codes").iter();
    let codes = codes.map(|code| code.as_str().expect("a code").to_owned()).collect();
    // What is mailed next comes after this.
    drop(app.mails(email, 1).await);
    rewind(app).await;
    Enrolled { person, id: answer["user"]["id"].as_str().expect("an id").to_owned(), secret, codes }
}

/// What an authenticator app shows, so many steps from now.
fn code(app: &TestApp, secret: &str, steps: i64) -> String {
    let secret = Secret::try_from_base32(secret).expect("base32");
    let totp = Builder::new().with_secret(secret).build().expect("a secret");
    let now = app.engine().clock().now() / 1_000_000 + 30 * steps;
    totp.generate(u64::try_from(now).expect("a time")).to_string()
}

/// Lets time pass for authenticator apps: what was used counts again.
async fn rewind(app: &TestApp) {
    run(app, "UPDATE _auth_totp SET step = 0").await;
}

async fn run(app: &TestApp, sql: &'static str) {
    app.store().own(vec![Statement::new(sql, Vec::<Cell>::new())]).await.expect("an answer");
    app.identity().everybody_changed();
}

/// The right password, which is not enough.
async fn half_in(app: &TestApp) -> Json {
    let asked = sign_in(app, ANN, PASSWORD).await.expect(200).json();
    assert!(asked.get("access_token").is_none() && asked.get("user").is_none(), "{asked}");
    asked["mfa_token"].clone()
}

async fn verify(app: &TestApp, token: &Json, code: &str) -> Reply {
    app.stranger().post("/auth/mfa/verify", json!({ "mfa_token": token, "code": code })).await
}

/// What stands in the audit log about somebody, oldest first.
async fn audited(app: &TestApp, id: &str) -> Vec<String> {
    let query =
        Statement::new("SELECT what FROM _audit WHERE subject = $1 ORDER BY at, id", [format!("user:{id}").into()]);
    let rows = app.store().own_read(query).await.expect("an answer");
    rows.iter().filter_map(|row| row.text(0)).map(str::to_owned).collect()
}

/// The ways by which a session came about, as its list says.
async fn amr(person: &Person) -> Json {
    let sessions = person.get("/auth/sessions").await.expect(200).items();
    sessions.iter().find(|session| session["current"] == true).expect("this session")["amr"].clone()
}
