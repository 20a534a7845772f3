//! What was made for one person, or for one address, does nothing for another.

use serde_json::{Value as Json, json};
use store::Statement;
use testkit::{Person, TestApp};

use super::{PASSWORD, PLAIN, code_in, secret_in, sign_in, sign_up, ticket, with};
use crate::both;

const CODES: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    (
        "resources/users.toml",
        "[auth]\nmethods = [\"password\", \"email_code\"]\n[access]\nread = \"record.id == auth.id\"\n",
    ),
];

/// The address of somebody, and whether it is proved.
async fn address(person: &Person) -> (Json, Json) {
    let me = person.get("/auth/me").await.expect(200).json();
    (me["email"].clone(), me["email_verified"].clone())
}

/// What an operator does by hand, in the database.
async fn by_hand(app: &TestApp, sql: &'static str) {
    app.store().own(vec![Statement::new(sql, [])]).await.expect("an answer");
    app.identity().everybody_changed();
}

/// An administrator gives somebody another address.
async fn move_to(app: &TestApp, answer: &Json, email: &str) {
    let path = format!("/api/users/{}", answer["user"]["id"].as_str().expect("an id"));
    app.admin().patch(&path, json!({"email": email})).await.expect(200);
}

both! {
    async fn a_ticket_changes_no_account_but_that_of_who_asked_for_it(app) using PLAIN {
        let (ann, _) = sign_up(app, "ann@example.org").await;
        let (eve, _) = sign_up(app, "eve@example.org").await;
        let asked = ticket(&ann, "/auth/email/change", json!({"email": "new@example.org"})).await;
        let body = json!({"ticket": asked, "code": code_in(&app.mails("new@example.org", 1).await[0])});
        for path in ["/auth/email/change", "/auth/email/verify"] {
            eve.post(path, body.clone()).await.expect(401);
            app.stranger().post(path, body.clone()).await.expect(401);
        }
        assert_eq!(address(&eve).await, (json!("eve@example.org"), json!(false)));
        let asked = ticket(&ann, "/auth/email/verify", json!({})).await;
        let proof = json!({"ticket": asked, "code": code_in(&app.mails("ann@example.org", 1).await[0])});
        // The same address could have become hers meanwhile.
        by_hand(app, "UPDATE users SET email = 'old@example.org' WHERE email = 'ann@example.org'").await;
        by_hand(app, "UPDATE users SET email = 'ann@example.org' WHERE email = 'eve@example.org'").await;
        eve.post("/auth/email/verify", proof).await.expect(401);
        assert_eq!(address(&eve).await, (json!("ann@example.org"), json!(false)));
        ann.post("/auth/email/change", body).await.expect(200);
        assert_eq!(address(&ann).await, (json!("new@example.org"), json!(true)));
    }

    async fn a_proof_of_an_address_that_is_no_longer_ones_own_is_none(app) using PLAIN {
        let (ann, _) = sign_up(app, "ann@example.org").await;
        let asked = ticket(&ann, "/auth/email/verify", json!({})).await;
        let proof = json!({"ticket": asked, "code": code_in(&app.mails("ann@example.org", 1).await[0])});
        by_hand(app, "UPDATE users SET email = 'new@example.org'").await;
        ann.post("/auth/email/verify", proof).await.expect(401);
        assert_eq!(address(&ann).await, (json!("new@example.org"), json!(false)));
    }

    async fn what_was_mailed_to_an_address_ends_with_it_whoever_changes_it(app) using PLAIN {
        let (ann, answer) = sign_up(app, "ann@example.org").await;
        let stranger = app.stranger();
        stranger.post("/auth/password/forgot", json!({"email": "ann@example.org"})).await.expect(202);
        let link = secret_in(&app.mails("ann@example.org", 1).await[0]);
        let asked = ticket(&ann, "/auth/email/verify", json!({})).await;
        let proof = json!({"ticket": asked, "code": code_in(&app.mails("ann@example.org", 2).await[1])});
        move_to(app, &answer, "second@example.org").await;
        let reset = json!({"secret": link, "password": "another good one"});
        stranger.post("/auth/password/reset", reset).await.expect(401);
        ann.post("/auth/email/verify", proof.clone()).await.expect(401);
        // Nor is it good again when the address comes back.
        move_to(app, &answer, "ann@example.org").await;
        ann.post("/auth/email/verify", proof).await.expect(401);

        stranger.post("/auth/password/forgot", json!({"email": "ann@example.org"})).await.expect(202);
        let link = secret_in(&app.mails("ann@example.org", 3).await[2]);
        let asked = ticket(&ann, "/auth/email/change", json!({"email": "third@example.org"})).await;
        let code = code_in(&app.mails("third@example.org", 1).await[0]);
        ann.post("/auth/email/change", json!({"ticket": asked, "code": code})).await.expect(200);
        let reset = json!({"secret": link, "password": "another good one"});
        stranger.post("/auth/password/reset", reset).await.expect(401);
        sign_in(app, "third@example.org", PASSWORD).await.expect(200);
    }

    async fn a_fresh_proof_is_of_ones_own_address_alone(app) using CODES {
        let (ann, _) = sign_up(app, "ann@example.org").await;
        sign_up(app, "bob@example.org").await;
        let stranger = app.stranger();
        for (email, status) in [("bob@example.org", 401), ("ann@example.org", 401)] {
            let asked = ticket(&stranger, "/auth/code/request", json!({"email": email})).await;
            let code = code_in(&app.mails(email, 1).await[0]);
            ann.post("/auth/reauth", json!({"ticket": asked, "code": code})).await.expect(status);
        }
        // Her own, once it is proved that it is hers.
        let asked = ticket(&ann, "/auth/email/verify", json!({})).await;
        let code = code_in(&app.mails("ann@example.org", 2).await[1]);
        ann.post("/auth/email/verify", json!({"ticket": asked, "code": code})).await.expect(200);
        let asked = ticket(&stranger, "/auth/code/request", json!({"email": "ann@example.org"})).await;
        let code = code_in(&app.mails("ann@example.org", 3).await[2]);
        ann.post("/auth/reauth", json!({"ticket": asked, "code": code})).await.expect(200);
    }

    async fn a_device_is_known_for_its_owner_alone(app) using PLAIN {
        sign_up(app, "ann@example.org").await;
        sign_up(app, "eve@example.org").await;
        let device = sign_in(app, "eve@example.org", PASSWORD).await.expect(200).json()["device_token"].clone();
        for _ in 0..10 {
            sign_in(app, "ann@example.org", "wrong").await.expect(401);
        }
        // Another's device is no way around the wait.
        let body = json!({"email": "ann@example.org", "password": PASSWORD, "device_token": device});
        app.stranger().post("/auth/sign-in", body).await.expect(429);
    }

    async fn a_new_password_ends_what_the_old_one_began(app) using PLAIN {
        for reset in [false, true] {
            let email = if reset { "ann@example.org" } else { "bob@example.org" };
            let (person, _) = sign_up(app, email).await;
            // It is hers: nothing goes for the reason alone that the link proves it.
            by_hand(app, "UPDATE users SET email_verified = TRUE").await;
            let elsewhere = with(app, &sign_in(app, email, PASSWORD).await.expect(200));
            let device = sign_in(app, email, PASSWORD).await.expect(200).json()["device_token"].clone();
            let (stranger, new) = (app.stranger(), "another good one");
            let asked = ticket(&person, "/auth/email/change", json!({"email": format!("new-{email}")})).await;
            let code = code_in(&app.mails(&format!("new-{email}"), 1).await[0]);
            stranger.post("/auth/password/forgot", json!({"email": email})).await.expect(202);
            let link = json!({"secret": secret_in(&app.mails(email, 1).await[0]), "password": new});
            let person = if reset {
                stranger.post("/auth/password/reset", link.clone()).await.expect(204);
                person.get("/auth/me").await.expect(401);
                with(app, &sign_in(app, email, new).await.expect(200))
            } else {
                let body = json!({"current_password": PASSWORD, "password": new});
                person.post("/auth/password/change", body).await.expect(204);
                person
            };
            elsewhere.get("/auth/me").await.expect(401);
            stranger.post("/auth/password/reset", link).await.expect(401);
            person.post("/auth/email/change", json!({"ticket": asked, "code": code})).await.expect(401);
            let known = stranger.post("/auth/sign-in", json!({"email": email, "password": new, "device_token": device})).await.expect(200);
            assert!(known.json()["device_token"].is_string(), "the device is as good as unknown");
        }
    }
}
