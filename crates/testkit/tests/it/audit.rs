//! The audit log: what comes into it by which door, who reads it, and that nobody takes anything out.

mod alerts;
mod reading;

use std::time::Duration;

use http::Method;
use serde_json::{Value as Json, json};
use store::Statement;
use testkit::{Person, TestApp};

use crate::{
    accounts::{PASSWORD, USERS, sign_in, sign_up, with},
    both,
};

const NOTES: &str = r#"
[fields]
text = { type = "string", max = 20 }
code = { type = "string", unique = true }
secret = { type = "string", write = "false" }
owner = { type = "reference", to = "users", on_delete = "cascade" }
team = { type = "reference", to = "teams", on_delete = "set_null" }

[access]
read = "auth.id != null"
create = "auth.id != null && (new.text == null || new.text != 'forbidden')"
update = "record.owner == auth.id || record.team.lead == auth.id"
delete = "record.owner == auth.id"
"#;

const TEAMS: &str = "[fields]\nlead = { type = \"reference\", to = \"users\", on_delete = \"cascade\" }\n[access]\nread = \"true\"\ncreate = \"auth.id != null\"\n";

pub(crate) const APP: &[(&str, &str)] = &[
    ("mainstay.toml", "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n[roles]\neditor = {}\n"),
    ("resources/users.toml", USERS),
    ("resources/notes.toml", NOTES),
    ("resources/teams.toml", TEAMS),
];

/// Somebody with the role `admin`, in a session, and the id.
pub(crate) async fn administrator(app: &TestApp) -> (Person, String) {
    let (_, answer) = sign_up(app, "root@example.org").await;
    let id = answer["user"]["id"].as_str().expect("an id").to_owned();
    app.admin().patch(&format!("/api/users/{id}"), json!({"roles": ["admin"]})).await.expect(200);
    (with(app, &sign_in(app, "root@example.org", PASSWORD).await.expect(200)), id)
}

/// The lines that fit, once there are so many: `what subject count`, without the ids of records.
pub(crate) async fn lines(app: &TestApp, query: &str, count: usize) -> Vec<Json> {
    let mut items = Vec::new();
    for _ in 0..600 {
        items = app.admin().get(&format!("/_/api/audit?{query}")).await.expect(200).items();
        if items.len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    items
}

/// Sends a request with an id of ours, and tells what the log has of it: `what detail-without-ids count`.
async fn marked(app: &TestApp, person: &Person, name: &str, call: (Method, &str, Json), status: u16) -> Vec<String> {
    let (method, path, body) = call;
    let headers = [("x-request-id", name), ("content-type", "application/json")];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    person.send(method, path, &headers, body).await.expect(status);
    let found = app.admin().get(&format!("/_/api/audit?what=admin_*&request_id={name}")).await.expect(200).items();
    found
        .iter()
        .map(|line| {
            let subject = line["subject"].as_str().expect("a subject").split('/').next().unwrap_or("");
            let ids = line["detail"]["ids"].as_array().map_or(0, Vec::len);
            let action = line["detail"]["action"].as_str().unwrap_or("");
            format!("{} {subject} {} {ids}{action}", line["what"].as_str().unwrap_or(""), line["count"])
        })
        .collect()
}

async fn id_of(person: &Person, body: Json) -> String {
    person.post("/api/notes", body).await.expect(201).json()["id"].as_str().expect("an id").to_owned()
}

both! {
    async fn every_write_of_an_administrator_is_marked_whichever_door_it_takes(app) using APP {
        let admin = app.admin();
        let call = |method, path: &str, body| (method, path.to_owned(), body);
        let mark = async |name: &str, (method, path, body): (Method, String, Json), status| {
            marked(app, &app.admin(), name, (method, &path, body), status).await
        };
        assert_eq!(mark("post", call(Method::POST, "/api/notes", json!({"text": "a", "code": "a"})), 201).await, ["admin_created notes 1 0"]);
        let several = json!([{"text": "b", "code": "b"}, {"text": "c", "code": "c"}]);
        assert_eq!(mark("array", call(Method::POST, "/api/notes", several), 201).await, ["admin_created notes 2 2"]);
        assert_eq!(mark("upsert", call(Method::POST, "/api/notes?upsert=code", json!({"text": "A", "code": "a"})), 200).await, ["admin_changed notes 1 0"]);
        let id = admin.get("/api/notes?code=a").await.items()[0]["id"].as_str().expect("an id").to_owned();
        let path = format!("/api/notes/{id}");
        assert_eq!(mark("patch", call(Method::PATCH, &path, json!({"text": "z"})), 200).await, ["admin_changed notes 1 0"]);
        assert_eq!(mark("same", call(Method::PATCH, &path, json!({"text": "z"})), 200).await, Vec::<String>::new(), "nothing was written");
        assert_eq!(mark("put", call(Method::PUT, &path, json!({"text": "y", "code": "a"})), 200).await, ["admin_changed notes 1 0"]);
        assert_eq!(mark("filter", call(Method::PATCH, "/api/notes?code[in]=a,b,c", json!({"text": "x"})), 200).await, ["admin_changed notes 3 3"]);
        let batch = json!({"operations": [
            {"method": "POST", "path": "/api/notes", "body": {"text": "d", "code": "d"}},
            {"method": "PATCH", "path": path, "body": {"text": "w"}},
            {"method": "DELETE", "path": "/api/notes/$0.id"},
        ]});
        assert_eq!(mark("batch", call(Method::POST, "/api/batch", batch), 200).await.len(), 3);
        let broken = json!({"operations": [
            {"method": "PATCH", "path": path, "body": {"text": "v"}},
            {"method": "POST", "path": "/api/notes", "body": {"code": "b"}},
        ]});
        assert_eq!(mark("undone", call(Method::POST, "/api/batch", broken), 409).await, Vec::<String>::new(), "what was undone was not done");
        assert_eq!(mark("delete", call(Method::DELETE, &path, Json::Null), 204).await, ["admin_deleted notes 1 0"]);
        assert_eq!(mark("filtered", call(Method::DELETE, "/api/notes?code[in]=b,c", Json::Null), 200).await, ["admin_deleted notes 2 2"]);
        let keyed = [("idempotency-key", "one"), ("x-request-id", "once"), ("content-type", "application/json")];
        admin.send(Method::POST, "/api/notes", &keyed, json!({"code": "e"}).to_string()).await.expect(201);
        assert_eq!(lines(app, "request_id=once", 1).await.len(), 1);
    }

    async fn a_write_past_a_rule_is_told_from_one_that_anybody_might_have_made(app) using APP {
        let (admin, own) = administrator(app).await;
        let (ann, answer) = sign_up(app, "ann@example.org").await;
        let ann_id = answer["user"]["id"].clone();
        let team = admin.post("/api/teams", json!({"lead": own})).await.expect(201).json()["id"].clone();
        let hers = id_of(&ann, json!({"code": "1", "owner": ann_id})).await;
        let mine = id_of(&admin, json!({"code": "2", "owner": own})).await;
        let ours = id_of(&ann, json!({"code": "3", "owner": ann_id, "team": team})).await;
        let patch = async |name: &str, id: &str, body: Json| {
            marked(app, &admin, name, (Method::PATCH, &format!("/api/notes/{id}"), body), 200).await
        };
        assert_eq!(patch("hers", &hers, json!({"text": "x"})).await, ["admin_overruled notes 1 0changed"]);
        assert_eq!(patch("mine", &mine, json!({"text": "x"})).await, ["admin_changed notes 1 0"]);
        assert_eq!(patch("ours", &ours, json!({"text": "x"})).await, ["admin_changed notes 1 0"], "the rule follows the team to its lead");
        assert_eq!(patch("field", &mine, json!({"secret": "x"})).await, ["admin_overruled notes 1 0changed"], "nobody may write the field");
        let forbidden = (Method::POST, "/api/notes", json!({"text": "forbidden"}));
        assert_eq!(marked(app, &admin, "made", forbidden, 201).await, ["admin_overruled notes 1 0created"]);
        let both = (Method::DELETE, "/api/notes?code[in]=1,2", Json::Null);
        let told = marked(app, &admin, "both", both, 200).await;
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.contains(&"admin_overruled notes 1 0deleted".to_owned()) && told.contains(&"admin_deleted notes 1 0".to_owned()), "{told:?}");
        let line = &lines(app, "request_id=hers", 1).await[0];
        assert_eq!((&line["actor"], &line["detail"]["fields"]), (&json!(format!("user:{own}")), &json!(["text"])));
        assert!(line["session"].is_string() && line["address"] == "127.0.0.1", "{line}");
        let (_, other) = sign_up(app, "eve@example.org").await;
        ann.patch(&format!("/api/notes/{ours}"), json!({"text": "y"})).await.expect(200);
        assert!(lines(app, &format!("what=admin_*&actor=user:{}", other["user"]["id"].as_str().unwrap_or("")), 0).await.is_empty());
        assert_eq!(lines(app, &format!("what=admin_*&actor=user:{}", ann_id.as_str().unwrap_or("")), 0).await.len(), 0, "who is no administrator is not marked");
    }

    async fn roles_are_in_the_log_with_what_they_were_whoever_changes_them(app) using APP {
        let (_, answer) = sign_up(app, "ann@example.org").await;
        let id = answer["user"]["id"].as_str().expect("an id").to_owned();
        let path = format!("/api/users/{id}");
        app.admin().patch(&path, json!({"roles": ["editor"]})).await.expect(200);
        app.admin().patch(&path, json!({"roles": []})).await.expect(200);
        app.admin().patch(&path, json!({"disabled": true})).await.expect(200);
        let told = lines(app, &format!("subject=user:{id}&what=roles_changed,person_*"), 3).await;
        let brief: Vec<_> = told.iter().map(|line| (line["what"].as_str().unwrap_or(""), line["detail"].clone())).collect();
        assert_eq!(brief, [
            ("roles_changed", json!({"before": [], "after": ["editor"]})),
            ("roles_changed", json!({"before": ["editor"], "after": []})),
            ("person_disabled", Json::Null),
        ]);
        let made = app.admin().post("/api/users", json!({"email": "bob@example.org", "roles": ["editor"]})).await.expect(201);
        let bob = made.json()["id"].as_str().expect("an id").to_owned();
        assert_eq!(lines(app, &format!("subject=user:{bob}&what=roles_changed"), 1).await[0]["detail"]["after"], json!(["editor"]));
    }

    async fn denials_are_folded_by_minute_and_say_what_of(app) using APP {
        let (ann, answer) = sign_up(app, "ann@example.org").await;
        let (eve, _) = sign_up(app, "eve@example.org").await;
        let hers = id_of(&ann, json!({"owner": answer["user"]["id"]})).await;
        // All within one minute.
        let left = 60 - (app.engine().clock().now() / 1_000_000) % 60;
        if left < 10 {
            tokio::time::sleep(Duration::from_secs(left.unsigned_abs() + 1)).await;
        }
        for _ in 0..3 {
            eve.patch(&format!("/api/notes/{hers}"), json!({"text": "x"})).await.expect(403);
            eve.get("/api/notes/01890000-0000-7000-8000-000000000000").await.expect(404);
            app.stranger().post("/api/notes", json!({})).await.expect(401);
            app.stranger().with_key("msk_made_up").get("/api/notes").await.expect(401);
            app.stranger().get("/api/nothing").await.expect(404);
            eve.get("/_/api/audit").await.expect(403);
        }
        let query = "what=access_denied,unknown_record,stranger_denied,credentials_refused";
        let mut told = Vec::new();
        for _ in 0..600 {
            let found = lines(app, query, 5).await;
            told = found.iter().map(|line| format!("{} {} {}", line["what"].as_str().unwrap_or(""), line["subject"].as_str().unwrap_or(""), line["count"])).collect();
            told.sort();
            if told.iter().all(|line| line.ends_with(" 3")) && told.len() == 5 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(told, ["access_denied _ 3", "access_denied notes 3", "credentials_refused notes 3", "stranger_denied notes 3", "unknown_record notes 3"]);
        let metrics = app.stranger().get("/metrics").await.expect(200).text;
        assert!(metrics.contains("mainstay_audit_refusals_total{what=\"access_denied\"} 6"), "{metrics}");
    }

    async fn nothing_is_changed_or_taken_out_before_its_time(app) using APP {
        app.admin().post("/api/teams", json!({})).await.expect(201);
        let run = async |sql: &'static str| app.store().own(vec![Statement::new(sql, [])]).await;
        for sql in [
            "UPDATE _audit SET actor = 'nobody'",
            "UPDATE _audit SET count = 0",
            "UPDATE _audit SET count = count + 1, detail = 'x'",
            "UPDATE _audit SET at = at - 1, count = count + 1",
            "DELETE FROM _audit",
        ] {
            assert!(run(sql).await.is_err(), "{sql}");
        }
        run("UPDATE _audit SET count = count + 1").await.expect("a count goes up");
        assert!(run("TRUNCATE _audit").await.is_err());
        let old = app.engine().clock().now() - 401 * 86_400_000_000;
        let insert = "INSERT INTO _audit (id, at, what, actor, subject, address, request_id, session, count, detail) \
                      VALUES ('old', $1, 'sign_in', NULL, '', '', '', NULL, 1, '')";
        app.store().own(vec![Statement::new(insert, [old.into()])]).await.expect("a line");
        let before = app.admin().get("/_/api/audit").await.expect(200).items().len();
        app.store().own(vec![store::own::audit::trim(app.engine().clock().now())]).await.expect("the old one goes");
        assert_eq!(app.admin().get("/_/api/audit").await.expect(200).items().len(), before - 1);
    }
}
