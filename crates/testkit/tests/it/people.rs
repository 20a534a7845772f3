//! The resource that holds the people: its five fields, who sees and writes them, and the doors of the sign-in machinery.

use std::sync::Arc;

use engine::{AccountChange, AccountKey, Done, Engine, Target, Task, Terms};
use model::{Caller, Code, Problem, Value, caller::Identity};
use rules::{plan::Precondition, query::Query};
use serde_json::{Value as Json, json};
use store::Beside;
use testkit::TestApp;

use crate::both;

const USERS: &str = r#"
[auth]
expose = ["email_verified"]

[fields]
name   = { type = "string", required = true }
points = { type = "integer", default = 0, write = "false" }
secret = { type = "string", hidden = true }

[access]
read   = "auth.id != null"
create = "true"
update = "record.id == auth.id"
delete = "record.id == auth.id"

[validate]
"nobody is called Nobody" = "new.name != 'Nobody'"
"#;

const NOTES: &str = r#"
[fields]
text  = { type = "string" }
owner = { type = "reference", to = "users", default = "auth.id", on_delete = "cascade" }

[access]
read   = "true"
create = "new.owner == auth.id"
update = "record.owner == auth.id"
delete = "record.owner == auth.id"
"#;

const FILES: &[(&str, &str)] = &[
    ("mainstay.toml", "[roles]\neditor = {}\nadmin = { includes = [\"editor\"] }\nroot = { includes = [\"admin\"] }\n"),
    ("resources/users.toml", USERS),
    ("resources/notes.toml", NOTES),
];

/// A request of somebody, past the credentials.
fn by(app: &TestApp, identity: Identity) -> Caller {
    Caller {
        identity: Arc::new(identity),
        address: [127, 0, 0, 1].into(),
        method: "POST",
        now: app.engine().clock().now(),
        request_id: "test".into(),
    }
}

fn stranger(app: &TestApp) -> Caller {
    by(app, Identity::anonymous())
}

/// Signs somebody up and takes what the machinery would know of a session.
async fn person(app: &TestApp, name: &str) -> Caller {
    let body = json!({ "email": format!("{name}@example.org"), "name": name });
    let id = app.engine().sign_up(stranger(app), &body, Terms::default(), Beside::default()).await.expect("an account");
    again(app, &id).await
}

async fn again(app: &TestApp, id: &Value) -> Caller {
    let account = app.engine().account(&stranger(app), AccountKey::Id(id)).await.expect("an answer").expect("a person");
    by(app, account.identity.expect("not disabled"))
}

fn id_of(caller: &Caller) -> String {
    store::id_text(&caller.identity.id)
}

async fn own(app: &TestApp, caller: &Caller) -> Json {
    let answer = app.engine().own_record(caller.clone(), Query::default()).await.expect("one's own record");
    serde_json::from_slice(&answer.body).expect("JSON")
}

fn one(done: Done) -> engine::Answer {
    match done {
        Done::One(answer) => answer,
        other => panic!("one record, not {other:?}"),
    }
}

async fn patch(app: &TestApp, caller: &Caller, id: &str, body: Json) -> Result<Json, Problem> {
    let target = Target { resource: "users", id };
    let task = Task::Patch { target, body: &body, precondition: Precondition::None };
    let answer = one(app.engine().write(caller.clone(), task).await?);
    Ok(serde_json::from_slice(&answer.body).expect("JSON"))
}

both! {
    async fn a_person_has_five_fields_that_only_it_and_administrators_see(app) using FILES {
        let (ada, ben) = (person(app, "ada").await, person(app, "ben").await);
        let mine = own(app, &ada).await;
        assert_eq!(mine["email"], "ada@example.org");
        assert_eq!(
            [&mine["email_verified"], &mine["roles"], &mine["disabled"], &mine["claims"]],
            [&json!(false), &json!([]), &json!(false), &json!({})]
        );
        let target = Target { resource: "users", id: &id_of(&ada) };
        let answer = app.engine().get(ben.clone(), target, Query::default()).await.expect("a record");
        let seen: Json = serde_json::from_slice(&answer.body).expect("JSON");
        let names: Vec<&String> = seen.as_object().expect("an object").keys().collect();
        assert_eq!(names, ["id", "email_verified", "name", "points", "created_at", "updated_at"], "but for what is exposed");
        let mut query = Query::default();
        query.form.filter = Some("email == 'ada@example.org' || 'x' in roles".to_owned());
        let request = |query: &Query| engine::ListRequest { query: query.clone(), cursor: None };
        let found = app.engine().list(ben.clone(), "users", request(&query)).await.expect("a list");
        assert!(String::from_utf8_lossy(&found.body).starts_with("{\"items\":[]"), "nor by a filter");
        let found = app.engine().list(ada.clone(), "users", request(&query)).await.expect("a list");
        assert!(String::from_utf8_lossy(&found.body).contains(&id_of(&ada)), "one's own is one's own");
        let reply = app.admin().get("/api/users?sort=name&fields=email,roles").await.expect(200);
        assert_eq!(reply.column("email"), [json!("ada@example.org"), json!("ben@example.org")]);
    }
}

both! {
    async fn the_five_fields_are_written_by_administrators_whatever_the_rules_say(app) using FILES {
        let ada = person(app, "ada").await;
        let id = id_of(&ada);
        for body in [
            json!({ "roles": ["admin"] }),
            json!({ "email_verified": true }),
            json!({ "disabled": true }),
            json!({ "claims": { "plan": "gold" } }),
            json!({ "email": "eve@example.org" }),
        ] {
            let problem = patch(app, &ada, &id, body.clone()).await.expect_err("refused");
            assert_eq!((problem.code, problem.errors[0].code), (Code::Validation, "not_writable"), "{body}");
        }
        let created = json!({ "email": "eve@example.org", "name": "eve", "roles": ["admin"] });
        app.stranger().post("/api/users", created).await.expect(422);
        app.stranger().post("/api/users", json!({ "name": "eve" })).await.expect(422);
        let named = json!({ "email": "e@example.org", "name": "e", "id": "0192c4f0-0000-7000-8000-000000000000" });
        app.admin().post("/api/users", named).await.expect(422);
        let admin = app.admin();
        let path = format!("/api/users/{id}");
        admin.patch(&path, json!({ "claims": ["no object"] })).await.expect(422);
        admin.patch(&path, json!({ "email": null })).await.expect(422);
        admin.patch(&path, json!({ "roles": ["editor"], "claims": { "plan": "gold", "teams": ["a", "b"] } })).await.expect(200);
        admin.patch(&path, json!({ "email_verified": true })).await.expect(200);
        let ada = again(app, &ada.identity.id).await;
        assert_eq!((ada.identity.email.as_deref(), ada.identity.roles.as_slice()), (Some("ada@example.org"), &["editor".to_owned()][..]));
        let same = admin.patch(&path, json!({ "email": "Ada@Example.org" })).await.expect(200);
        assert_eq!(same.json()["email_verified"], true, "the same mailbox");
        let other = admin.patch(&path, json!({ "email": "ada@example.com", "email_verified": true })).await.expect(200);
        assert_eq!(other.json()["email_verified"], false, "another address is not proved yet");
        assert_eq!(again(app, &ada.identity.id).await.identity.email, None, "and no rule knows it");
        admin.patch(&path, json!({ "disabled": true })).await.expect(200);
        let account = app.engine().account(&stranger(app), AccountKey::Email("ADA@example.com")).await.expect("an answer");
        assert!(account.expect("a person").identity.is_none(), "who is disabled is nobody");
    }
}

both! {
    async fn the_doors_of_the_machinery_replace_one_rule_each(app) using FILES {
        let engine: &Engine = app.engine();
        let sign_up = |body: Json| async move {
            engine.sign_up(stranger(app), &body, Terms::default(), Beside::default()).await
        };
        let refused = |problem: Problem| problem.errors.iter().map(|flaw| flaw.code).collect::<Vec<_>>();
        let body = json!({ "email": "a@example.org", "name": "a" });
        let ada = sign_up(body.clone()).await.expect("an account");
        assert_eq!(sign_up(json!({ "email": "A@example.org", "name": "b" })).await.expect_err("taken").code, Code::Conflict);
        assert_eq!(refused(sign_up(json!({ "email": "b@example.org", "name": "Nobody" })).await.expect_err("no")), ["rule"]);
        for field in ["points", "email_verified", "disabled"] {
            let mut body = json!({ "email": "b@example.org", "name": "b" });
            body[field] = if field == "points" { json!(7) } else { json!(true) };
            assert_eq!(refused(sign_up(body).await.expect_err("no")), ["not_writable"], "{field}");
        }
        let terms = || Terms { verified: true, roles: vec!["editor".into()], ..Terms::default() };
        // Whoever asks for it: what an administrator may set elsewhere is no part of a sign-up.
        let admin = by(app, Identity { roles: vec!["admin".into()], ..Identity::anonymous() });
        let body_of_admin = json!({ "email": "b@example.org", "name": "b", "points": 7 });
        let problem = engine.sign_up(admin, &body_of_admin, Terms::default(), Beside::default()).await.expect_err("no");
        assert_eq!(refused(problem), ["not_writable"]);
        engine.try_sign_up(stranger(app), &body, terms()).await.expect("that it is taken does not show");
        let fresh = json!({ "email": "c@example.org", "name": "c" });
        engine.try_sign_up(stranger(app), &fresh, terms()).await.expect("good");
        engine.try_sign_up(stranger(app), &json!({ "email": "d", "name": "d" }), terms()).await.expect_err("no address");
        let carl = engine.sign_up(stranger(app), &fresh, terms(), Beside::default()).await.expect("nothing was made before");
        let carl = again(app, &carl).await;
        assert_eq!((carl.identity.email.as_deref(), &*carl.identity.roles), (Some("c@example.org"), &["editor".to_owned()][..]));
        let body = json!({ "name": "Carl" });
        engine.patch_own(carl.clone(), &body, Precondition::None, Beside::default()).await.expect("one's own");
        engine.patch_own(stranger(app), &body, Precondition::None, Beside::default()).await.expect_err("a stranger");
        let body = json!({ "points": 9 });
        engine.patch_own(carl.clone(), &body, Precondition::None, Beside::default()).await.expect_err("not writable");
        let machine = AccountChange::New { body: json!({ "name": "bot" }), verified: false, roles: vec![] };
        let machine = engine.keep_account(stranger(app), machine, Beside::default()).await.expect("a machine");
        app.admin().patch(&format!("/api/users/{}", store::id_text(machine.id())), json!({ "name": "Bot" })).await.expect(200);
        let change = AccountChange::Email { id: ada.clone(), email: Some("ada@example.org".into()), verified: true };
        engine.keep_account(stranger(app), change, Beside::default()).await.expect("another address");
        assert_eq!(again(app, &ada).await.identity.email.as_deref(), Some("ada@example.org"), "proved");
        engine.delete_own(carl.clone(), Precondition::None, Beside::default()).await.expect("one's own");
        assert!(engine.account(&carl, AccountKey::Id(&carl.identity.id)).await.expect("an answer").is_none());
    }
}

both! {
    async fn the_last_administrator_stays(app) using FILES {
        let admin = app.admin();
        let (ada, ben) = (id_of(&person(app, "ada").await), id_of(&person(app, "ben").await));
        let path = |id: &str| format!("/api/users/{id}");
        admin.patch(&path(&ada), json!({ "roles": ["root"] })).await.expect(200);
        for body in [json!({ "roles": ["editor"] }), json!({ "disabled": true })] {
            let reply = admin.patch(&path(&ada), body).await.expect(409);
            assert_eq!(reply.json()["type"], "/problems/last-administrator");
        }
        admin.delete(&path(&ada)).await.expect(409);
        admin.patch(&path(&ben), json!({ "roles": ["admin"] })).await.expect(200);
        // Two who give up at once: one of them has to stay.
        let (first, second) = (path(&ada), path(&ben));
        let (left, right) = tokio::join!(
            admin.patch(&first, json!({ "roles": [] })),
            admin.patch(&second, json!({ "disabled": true })),
        );
        let mut statuses = [left.status.as_u16(), right.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
    }
}

both! {
    async fn scopes_narrow_what_a_key_may_do(app) using FILES {
        let ada = person(app, "ada").await;
        let scoped = |texts: &[&str], roles: &[&str]| {
            let mut caller = ada.clone();
            let identity = Arc::make_mut(&mut caller.identity);
            identity.scopes = Some(model::Scopes::parse(texts).expect("scopes"));
            identity.roles = roles.iter().map(|role| (*role).to_owned()).collect();
            caller
        };
        let list = |caller: Caller, resource: &'static str| {
            let engine = Arc::clone(app.engine());
            async move { engine.list(caller, resource, engine::ListRequest::default()).await.map(|_| ()) }
        };
        let create = |caller: Caller| {
            let engine = Arc::clone(app.engine());
            async move {
                let task = Task::Create { resource: "notes", body: &json!({ "text": "x" }), upsert: None };
                engine.write(caller, task).await.map(one)
            }
        };
        for roles in [&[][..], &["admin"][..]] {
            let reader = scoped(&["notes:read"], roles);
            list(reader.clone(), "notes").await.expect("in scope");
            assert_eq!(list(reader.clone(), "users").await.expect_err("out of scope").code, Code::Forbidden);
            assert_eq!(create(reader.clone()).await.expect_err("out of scope").code, Code::Forbidden);
            let mut query = Query::default();
            query.form.filter = Some("owner.name == 'ada'".to_owned());
            let request = engine::ListRequest { query, cursor: None };
            let problem = app.engine().list(reader, "notes", request).await.expect_err("out of scope");
            assert_eq!(problem.code, Code::BadFilter, "a name that can't be read is unknown");
        }
        let made = create(scoped(&["*:write"], &[])).await.expect("in scope");
        assert_eq!(String::from_utf8_lossy(&made.body), format!("{{\"id\":\"{}\"}}", made.id), "and no more is said");
        let target = Target { resource: "notes", id: &made.id };
        let body = json!({ "text": "y" });
        let writer = scoped(&["notes:update"], &[]);
        let change = Task::Patch { target, body: &body, precondition: Precondition::None };
        app.engine().write(writer.clone(), change).await.expect("in scope");
        let deletion = Task::Delete { target, precondition: Precondition::None };
        app.engine().write(writer, deletion).await.expect_err("out of scope");
    }
}

const CLOSED: &[(&str, &str)] =
    &[("mainstay.toml", ""), ("resources/users.toml", "[auth]\nsign_up = \"closed\"\n[access]\ncreate = \"true\"\n")];
const INVITED: &[(&str, &str)] =
    &[("mainstay.toml", ""), ("resources/users.toml", "[auth]\nsign_up = \"invite\"\n[access]\ncreate = \"true\"\n")];

/// Signs up past the protocol, as whoever adds another way in would.
async fn sign_up_without_a_protocol(app: &TestApp, invited: bool) -> Result<Value, Problem> {
    let terms = Terms { invited, ..Terms::default() };
    app.engine().sign_up(stranger(app), &json!({ "email": "a@example.org" }), terms, Beside::default()).await
}

both! {
    async fn below_every_way_in_sign_up_is_closed(app) using CLOSED {
        assert_eq!(sign_up_without_a_protocol(app, false).await.expect_err("closed").code, Code::Forbidden);
    }

    async fn below_every_way_in_sign_up_is_for_the_invited(app) using INVITED {
        assert_eq!(sign_up_without_a_protocol(app, false).await.expect_err("not invited").code, Code::Forbidden);
        sign_up_without_a_protocol(app, true).await.expect("an account");
    }
}
