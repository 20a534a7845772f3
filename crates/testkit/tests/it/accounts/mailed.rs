//! What is done by mail: a forgotten password, another address, a code to sign in.

use std::time::Duration;

use serde_json::json;

use super::{NOTES, PASSWORD, PLAIN, USERS, code_in, secret_in, sign_in, sign_up, with};
use crate::both;

const CODES: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    (
        "resources/users.toml",
        "[auth]\nmethods = [\"password\", \"email_code\"]\n[fields]\nname = { type = \"string\" }\n[access]\nread = \"record.id == auth.id\"\nupdate = \"record.id == auth.id\"\n",
    ),
];
const INVITED: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    (
        "resources/users.toml",
        "[auth]\nmethods = [\"email_code\"]\nsign_up = \"invite\"\n[fields]\nname = { type = \"string\" }\n",
    ),
];
const OWN: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    ("resources/users.toml", USERS),
    ("resources/notes.toml", NOTES),
    ("templates/reset.txt", "Subject: Neu\n\nHier: \n{{ link }}\n"),
];

both! {
    async fn a_forgotten_password_is_set_anew_by_mail(app) using PLAIN {
        let (ann, answer) = sign_up(app, "ann@example.org").await;
        let person = app.stranger();
        let known = person.post("/auth/password/forgot", json!({"email": "ANN@example.org"})).await.expect(202);
        let unknown = person.post("/auth/password/forgot", json!({"email": "nobody@example.org"})).await.expect(202);
        assert_eq!(known.text, unknown.text);
        let mails = app.mails("ann@example.org", 1).await;
        let secret = secret_in(&mails[0]);
        assert!(mails[0].contains("http://localhost:0/auth/reset#mrs_"), "{}", mails[0]);
        person.post("/auth/password/reset", json!({"secret": secret, "password": "short"})).await.expect(422);
        person.post("/auth/password/reset", json!({"secret": "mrs_made_up", "password": "another good one"})).await.expect(401);
        ann.get("/auth/me").await.expect(200);
        person.post("/auth/password/reset", json!({"secret": secret, "password": "another good one"})).await.expect(204);
        person.post("/auth/password/reset", json!({"secret": secret, "password": "yet another one"})).await.expect(401);
        ann.get("/auth/me").await.expect(401);
        person.post("/auth/refresh", json!({"refresh_token": answer["refresh_token"]})).await.expect(401);
        sign_in(app, "ann@example.org", PASSWORD).await.expect(401);
        let again = sign_in(app, "ann@example.org", "another good one").await.expect(200);
        assert_eq!(again.json()["user"]["email_verified"], true, "the link went to the address");
    }

    async fn a_link_is_good_once_however_many_come(app) using PLAIN {
        sign_up(app, "ann@example.org").await;
        app.stranger().post("/auth/password/forgot", json!({"email": "ann@example.org"})).await.expect(202);
        let secret = secret_in(&app.mails("ann@example.org", 1).await[0]);
        let tries: Vec<_> = (0..6).map(|number| {
            let (person, body) = (app.stranger(), json!({"secret": secret, "password": format!("good password {number}")}));
            tokio::spawn(async move { person.post("/auth/password/reset", body).await.status.as_u16() })
        }).collect();
        let mut good = 0;
        for one in tries {
            good += usize::from(one.await.expect("an answer") == 204);
        }
        assert_eq!(good, 1);
    }

    async fn the_app_writes_its_own_mails(app) using OWN {
        sign_up(app, "ann@example.org").await;
        app.stranger().post("/auth/password/forgot", json!({"email": "ann@example.org"})).await.expect(202);
        let mail = app.mails("ann@example.org", 1).await.remove(0);
        assert!(mail.contains("Subject: Neu\n\nHier: \nhttp://localhost:0/auth/reset#mrs_"), "{mail}");
    }

    async fn an_address_is_proved_and_changed_by_code(app) using PLAIN {
        let (ann, _) = sign_up(app, "ann@example.org").await;
        sign_up(app, "bob@example.org").await;
        let ticket = ann.post("/auth/email/verify", json!({})).await.expect(202).json()["ticket"].clone();
        let code = code_in(&app.mails("ann@example.org", 1).await[0]);
        let (eve, _) = sign_up(app, "eve@example.org").await;
        eve.post("/auth/email/verify", json!({"ticket": ticket, "code": code})).await.expect(401);
        let done = ann.post("/auth/email/verify", json!({"ticket": ticket, "code": code})).await.expect(200);
        assert_eq!(done.json()["user"]["email_verified"], true);
        ann.get("/auth/me").await.expect(200);

        ann.post("/auth/email/change", json!({"email": "not an address"})).await.expect(422);
        let ticket = ann.post("/auth/email/change", json!({"email": "new@example.org"})).await.expect(202).json()["ticket"].clone();
        let code = code_in(&app.mails("new@example.org", 1).await[0]);
        assert_eq!(ann.get("/auth/me").await.json()["email"], "ann@example.org", "not before the code");
        let done = ann.post("/auth/email/change", json!({"ticket": ticket, "code": code})).await.expect(200);
        assert_eq!((&done.json()["user"]["email"], &done.json()["user"]["email_verified"]), (&json!("new@example.org"), &json!(true)));
        assert!(app.mails("ann@example.org", 2).await[1].contains("no longer ann@example.org"), "the old address is told");
        sign_in(app, "new@example.org", PASSWORD).await.expect(200);

        ann.post("/auth/email/change", json!({"email": "bob@example.org"})).await.expect(202);
        assert!(app.mails("bob@example.org", 1).await[0].contains("you have an account"));
        app.stranger().post("/auth/email/verify", json!({})).await.expect(401);
    }

    async fn a_mailed_code_signs_in(app) using CODES {
        let person = app.stranger();
        sign_up(app, "ann@example.org").await;
        let ticket = person.post("/auth/code/request", json!({"email": "ann@example.org"})).await.expect(202).json()["ticket"].clone();
        let code = code_in(&app.mails("ann@example.org", 1).await[0]);
        let other = person.post("/auth/code/request", json!({"email": "nobody@example.org"})).await.expect(202).json();
        assert_eq!(other.as_object().map(serde_json::Map::len), Some(1));
        person.post("/auth/code/verify", json!({"ticket": other["ticket"], "code": code})).await.expect(401);
        person.post("/auth/email/verify", json!({"ticket": ticket, "code": code})).await.expect(401);
        let done = person.post("/auth/code/verify", json!({"ticket": ticket, "code": code})).await.expect(200);
        assert_eq!(done.json()["user"]["email_verified"], true);
        person.post("/auth/code/verify", json!({"ticket": ticket, "code": code})).await.expect(401);
    }

    async fn somebody_who_is_disabled_comes_in_by_no_code(app) using CODES {
        let (_, answer) = sign_up(app, "ann@example.org").await;
        let ticket = app.stranger().post("/auth/code/request", json!({"email": "ann@example.org"})).await.expect(202).json()["ticket"].clone();
        let code = code_in(&app.mails("ann@example.org", 1).await[0]);
        let path = format!("/api/users/{}", answer["user"]["id"].as_str().expect("an id"));
        app.admin().patch(&path, json!({"disabled": true})).await.expect(200);
        let proof = json!({"ticket": ticket, "code": code});
        app.stranger().post("/auth/code/verify", proof).await.expect(401);
        let sessions = store::Statement::new("SELECT id FROM _auth_sessions", []);
        assert!(app.store().own_read(sessions).await.expect("rows").is_empty(), "none was begun");
        assert_eq!(app.admin().get(&path).await.json()["email_verified"], false, "and nothing was proved");
    }

    async fn a_code_counts_for_what_it_was_asked_for_alone(app) using CODES {
        let (person, (ann, _)) = (app.stranger(), sign_up(app, "ann@example.org").await);
        let enter = person.post("/auth/code/request", json!({"email": "ann@example.org"})).await.expect(202).json()["ticket"].clone();
        let code = code_in(&app.mails("ann@example.org", 1).await[0]);
        for path in ["/auth/email/verify", "/auth/email/change"] {
            ann.post(path, json!({"ticket": enter, "code": code})).await.expect(401);
        }
        person.post("/auth/mfa/verify", json!({"mfa_token": enter, "code": code})).await.expect(401);
        assert_eq!(ann.get("/auth/me").await.json()["email_verified"], false);
        let prove = ann.post("/auth/email/verify", json!({})).await.expect(202).json()["ticket"].clone();
        let code = code_in(&app.mails("ann@example.org", 2).await[1]);
        person.post("/auth/code/verify", json!({"ticket": prove, "code": code})).await.expect(401);
        person.post("/auth/mfa/verify", json!({"mfa_token": prove, "code": code})).await.expect(401);
        ann.post("/auth/email/verify", json!({"ticket": prove, "code": code})).await.expect(200);
    }

    async fn a_code_that_is_not_mailed_can_not_be_guessed(app) using CODES {
        let person = app.stranger();
        sign_up(app, "ann@example.org").await;
        let mut tickets = Vec::new();
        for _ in 0..7 {
            tickets.push(person.post("/auth/code/request", json!({"email": "ann@example.org"})).await.expect(202).json()["ticket"].clone());
        }
        let mails = app.mails("ann@example.org", 5).await;
        assert_eq!(mails.len(), 5, "an hour's mails");
        let count = async |sql: &'static str| {
            let rows = app.store().own_read(store::Statement::new(sql, [])).await.expect("a count");
            rows.first().and_then(|row| row.integer(0)).expect("a number")
        };
        while count("SELECT count(*) FROM _mail").await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(count("SELECT count(*) FROM _auth_codes WHERE tries < 5").await, 5, "codes that can be tried at all");
        let codes: Vec<String> = mails.iter().map(|mail| code_in(mail)).collect();
        let mut good = 0;
        for ticket in &tickets {
            for code in &codes {
                let tried = person.post("/auth/code/verify", json!({"ticket": ticket, "code": code})).await;
                good += usize::from(tried.status.as_u16() == 200);
            }
        }
        assert_eq!(good, 5);
    }

    async fn five_tries_are_all_that_a_ticket_has(app) using CODES {
        let person = app.stranger();
        sign_up(app, "ann@example.org").await;
        let ticket = person.post("/auth/code/request", json!({"email": "ann@example.org"})).await.expect(202).json()["ticket"].clone();
        let code = code_in(&app.mails("ann@example.org", 1).await[0]);
        let wrong = if code == "111111" { "222222" } else { "111111" };
        for _ in 0..5 {
            person.post("/auth/code/verify", json!({"ticket": ticket, "code": wrong})).await.expect(401);
        }
        person.post("/auth/code/verify", json!({"ticket": ticket, "code": code})).await.expect(401);
    }

    async fn who_registered_a_victims_address_first_gains_nothing(app) using CODES {
        let (attacker, answer) = sign_up(app, "victim@example.org").await;
        let person = app.stranger();
        let ticket = person.post("/auth/code/request", json!({"email": "victim@example.org"})).await.expect(202).json()["ticket"].clone();
        let code = code_in(&app.mails("victim@example.org", 1).await[0]);
        let victim = with(app, &person.post("/auth/code/verify", json!({"ticket": ticket, "code": code})).await.expect(200));
        victim.get("/auth/me").await.expect(200);
        attacker.get("/auth/me").await.expect(401);
        person.post("/auth/refresh", json!({"refresh_token": answer["refresh_token"]})).await.expect(401);
        sign_in(app, "victim@example.org", PASSWORD).await.expect(401);
    }

    async fn a_reset_takes_away_all_that_who_registered_first_laid_up(app) using PLAIN {
        let (attacker, answer) = sign_up(app, "victim@example.org").await;
        let made = attacker.post("/auth/keys", json!({"name": "k", "scopes": ["notes:read"]})).await.expect(201);
        let key = attacker.with_key(made.json()["key"].as_str().expect("a key"));
        let begun = attacker.post("/auth/totp/enroll", json!({})).await.expect(200).json();
        assert!(begun["secret"].is_string());
        let identity = store::Statement::new(
            "INSERT INTO _auth_identities (issuer, subject, provider, person, created_at) VALUES ('https://a.example', 'eve', 'a', $1, 1)",
            [answer["user"]["id"].as_str().expect("an id").into()],
        );
        app.store().own(vec![identity]).await.expect("an answer");
        key.get("/api/notes").await.expect(200);
        app.stranger().post("/auth/password/forgot", json!({"email": "victim@example.org"})).await.expect(202);
        let secret = secret_in(&app.mails("victim@example.org", 1).await[0]);
        let body = json!({"secret": secret, "password": "another good one"});
        app.stranger().post("/auth/password/reset", body).await.expect(204);
        attacker.get("/auth/me").await.expect(401);
        key.get("/api/notes").await.expect(401);
        for table in ["_auth_identities", "_auth_totp", "_auth_devices", "_keys WHERE person IS NOT NULL"] {
            let left = store::Statement::new(format!("SELECT 1 FROM {table}"), []);
            assert!(app.store().own_read(left).await.expect("rows").is_empty(), "{table}");
        }
        let victim = with(app, &sign_in(app, "victim@example.org", "another good one").await.expect(200));
        assert_eq!(victim.get("/auth/me").await.json()["email_verified"], true);
        // What she lays up herself outlives her next new password.
        let made = victim.post("/auth/keys", json!({"name": "k", "scopes": ["notes:read"]})).await.expect(201);
        app.stranger().post("/auth/password/forgot", json!({"email": "victim@example.org"})).await.expect(202);
        let secret = secret_in(app.mails("victim@example.org", 3).await.last().expect("a mail"));
        let body = json!({"secret": secret, "password": "yet another good one"});
        app.stranger().post("/auth/password/reset", body).await.expect(204);
        victim.with_key(made.json()["key"].as_str().expect("a key")).get("/api/notes").await.expect(200);
    }

    async fn a_code_makes_an_account_where_anybody_may_have_one(app) using CODES {
        let person = app.stranger();
        let ticket = person.post("/auth/code/request", json!({"email": "new@example.org"})).await.expect(202).json()["ticket"].clone();
        let code = code_in(&app.mails("new@example.org", 1).await[0]);
        let made = person.post("/auth/code/verify", json!({"ticket": ticket, "code": code})).await.expect(201);
        assert_eq!(made.json()["user"]["email_verified"], true);
        with(app, &made).get("/auth/me").await.expect(200);
    }

    async fn where_accounts_are_for_the_invited_a_code_makes_none(app) using INVITED {
        let ticket = app.stranger().post("/auth/code/request", json!({"email": "new@example.org"})).await.expect(202).json()["ticket"].clone();
        app.stranger().post("/auth/code/verify", json!({"ticket": ticket, "code": "123456"})).await.expect(401);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(std::fs::read_dir(app.directory().join("mail")).expect("the mails").next().is_none());
        app.stranger().post("/auth/sign-in", json!({"email": "a@example.org", "password": PASSWORD})).await.expect(404);
    }

    async fn an_address_gets_five_mails_an_hour(app) using CODES {
        sign_up(app, "ann@example.org").await;
        for _ in 0..7 {
            app.stranger().post("/auth/code/request", json!({"email": "ann@example.org"})).await.expect(202);
        }
        app.mails("ann@example.org", 5).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(app.mails("ann@example.org", 5).await.len(), 5);
    }
}
