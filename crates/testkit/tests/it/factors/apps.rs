//! Authenticator apps and recovery codes.

use serde_json::{Value as Json, json};

use super::{ANN, FILES, PASSWORD, amr, audited, code, enrolled, half_in, rewind, run, sign_in, sign_up, verify};
use crate::{
    accounts::{code_in, with},
    both,
};

const PROVED: &[(&str, &str)] =
    &[("mainstay.toml", ""), ("resources/users.toml", "[auth]\nverify_email = true\n[access]\nread = \"true\"\n")];
/// `bcrypt("old password", cost 4)`
const OLD_HASH: &str = "$2b$04$kjA7V1dZSOVuGIa6ID0e1efPG/l.a27exJ08p2jDMpQCBhey2jS0S";
const OLD_PASSWORD: &str = "old password";

both! {
    async fn an_app_is_enrolled_and_asked_for(app) using FILES {
        let (ann, answer) = sign_up(app, ANN).await;
        let begun = ann.post("/auth/totp/enroll", json!({})).await.expect(200).json();
        let secret = begun["secret"].as_str().expect("a secret").to_owned();
        assert_eq!(begun["uri"], format!("otpauth://totp/localhost:ann%40example.org?secret={secret}&issuer=localhost"));
        // It counts for nothing before it is confirmed.
        assert_eq!(ann.get("/auth/factors").await.expect(200).items(), Vec::<Json>::new());
        sign_in(app, ANN, PASSWORD).await.expect(200).json()["access_token"].as_str().expect("in");
        ann.post("/auth/recovery-codes", json!({})).await.expect(409);
        ann.post("/auth/totp/confirm", json!({"code": "000000"})).await.expect(401);
        ann.post("/auth/totp/confirm", json!({"code": code(app, &secret, -3)})).await.expect(401);
        let used = code(app, &secret, 0);
        let confirmed = ann.post("/auth/totp/confirm", json!({"code": used})).await.expect(200).json();
        assert_eq!(confirmed["recovery_codes"].as_array().map(Vec::len), Some(10));
        ann.post("/auth/totp/confirm", json!({"code": used})).await.expect(409);
        ann.post("/auth/totp/enroll", json!({})).await.expect(409);
        assert!(app.mails(ANN, 1).await[0].contains("an authenticator app"));

        let asked = sign_in(app, ANN, PASSWORD).await.expect(200).json();
        assert_eq!(asked["factors"], json!(["totp", "recovery_code"]));
        // The code that confirmed it was a use.
        verify(app, &asked["mfa_token"], &used).await.expect(401);
        let next = code(app, &secret, 1);
        let done = verify(app, &asked["mfa_token"], &next).await.expect(200);
        assert_eq!(amr(&with(app, &done)).await, json!(["pwd", "otp", "mfa"]));
        // Neither the token nor the code is good again, and no earlier code.
        verify(app, &asked["mfa_token"], &next).await.expect(401);
        let token = half_in(app).await;
        verify(app, &token, &next).await.expect(401);
        verify(app, &token, &code(app, &secret, 0)).await.expect(401);
        rewind(app).await;
        verify(app, &token, &code(app, &secret, 0)).await.expect(200);

        let items = ann.get("/auth/factors").await.expect(200).items();
        assert_eq!((&items[0]["kind"], &items[1]["kind"], &items[1]["left"]), (&json!("totp"), &json!("recovery_codes"), &json!(10)));
        assert!(items[0]["used_at"].is_string() && items[1]["used_at"].is_null() && items.len() == 2, "{items:?}");
        let id = answer["user"]["id"].as_str().expect("an id");
        let lines = audited(app, id).await;
        assert!(["factor_added", "factor_used"].iter().all(|what| lines.iter().any(|line| line == what)), "{lines:?}");
    }

    async fn every_way_in_asks_for_it(app) using FILES {
        let ann = enrolled(app, ANN).await;
        let asks = |reply: Json| assert_eq!((&reply["factors"][0], reply.get("access_token")), (&json!("totp"), None));
        asks(sign_in(app, ANN, PASSWORD).await.expect(200).json());
        // By mail, once the address is proved: before, whoever set the app up might not be the owner.
        let ticket = ann.person.post("/auth/email/verify", json!({})).await.expect(202).json()["ticket"].clone();
        let mailed = code_in(&app.mails(ANN, 2).await[1]);
        ann.person.post("/auth/email/verify", json!({"ticket": ticket, "code": mailed})).await.expect(200);
        let ticket = app.stranger().post("/auth/code/request", json!({"email": ANN})).await.expect(202).json()["ticket"].clone();
        let mailed = code_in(&app.mails(ANN, 3).await[2]);
        let asked = app.stranger().post("/auth/code/verify", json!({"ticket": ticket, "code": mailed})).await.expect(200).json();
        asks(asked.clone());
        let done = verify(app, &asked["mfa_token"], &code(app, &ann.secret, 0)).await.expect(200);
        assert_eq!(amr(&with(app, &done)).await, json!(["otp", "mfa"]));
        // A new password takes nothing away.
        app.stranger().post("/auth/password/forgot", json!({"email": ANN})).await.expect(202);
        let mail = app.mails(ANN, 4).await[3].clone();
        let secret = mail.split('#').nth(1).expect("a link").split_whitespace().next().expect("a secret").to_owned();
        app.stranger().post("/auth/password/reset", json!({"secret": secret, "password": "another good password"})).await.expect(204);
        asks(sign_in(app, ANN, "another good password").await.expect(200).json());
    }

    async fn a_token_has_five_tries_and_five_minutes(app) using FILES {
        let ann = enrolled(app, ANN).await;
        let token = half_in(app).await;
        for _ in 0..5 {
            verify(app, &token, "000000").await.expect(401);
        }
        verify(app, &token, &code(app, &ann.secret, 0)).await.expect(401);
        let old = half_in(app).await;
        run(app, "UPDATE _auth_codes SET expires_at = expires_at - 300000001").await;
        verify(app, &old, &code(app, &ann.secret, 0)).await.expect(401);
        // It opens nothing else, and another's token none of hers.
        let token = half_in(app).await;
        app.stranger().with_key(token.as_str().expect("a token")).get("/auth/me").await.expect(401);
        app.stranger().post("/auth/code/verify", json!({"ticket": token, "code": code(app, &ann.secret, 0)})).await.expect(401);
        let bob = enrolled(app, "bob@example.org").await;
        let his = sign_in(app, "bob@example.org", PASSWORD).await.expect(200).json()["mfa_token"].clone();
        verify(app, &his, &code(app, &ann.secret, 0)).await.expect(401);
        verify(app, &his, &ann.codes[0]).await.expect(401);
        let body = json!({"mfa_token": token, "code": "123456", "factor": "email_code"});
        app.stranger().post("/auth/mfa/verify", body).await.expect(401);
        let body = json!({"mfa_token": token, "code": "123456", "factor": "pigeon"});
        app.stranger().post("/auth/mfa/verify", body).await.expect(422);
        verify(app, &token, &code(app, &ann.secret, 0)).await.expect(200);
        verify(app, &his, &code(app, &bob.secret, 0)).await.expect(200);
        // Nor is it good twice, whatever code comes with it.
        rewind(app).await;
        verify(app, &token, &code(app, &ann.secret, 0)).await.expect(401);
    }

    async fn a_factor_that_was_not_asked_for_does_not_count(app) using PROVED {
        let created = app.admin().post("/api/users", json!({"email": ANN})).await.expect(201).json();
        let set = auth::credential::set(created["id"].as_str().expect("an id"), OLD_HASH, 0);
        app.store().own(vec![set]).await.expect("an answer");
        // Nobody has proved the address yet, so a password is not enough.
        let asked = async || {
            let asked = sign_in(app, ANN, OLD_PASSWORD).await.expect(200).json();
            assert_eq!((&asked["factors"], asked.get("access_token")), (&json!(["email_code"]), None));
            asked["mfa_token"].clone()
        };
        let token = asked().await;
        let mailed = code_in(&app.mails(ANN, 1).await[0]);
        let ann = with(app, &verify(app, &token, &mailed).await.expect(200));
        let begun = ann.post("/auth/totp/enroll", json!({})).await.expect(200).json();
        let secret = begun["secret"].as_str().expect("a secret").to_owned();
        let confirmed = ann.post("/auth/totp/confirm", json!({"code": code(app, &secret, 0)})).await.expect(200).json();
        rewind(app).await;
        run(app, "UPDATE users SET email_verified = FALSE").await;
        let token = asked().await;
        for (factor, code) in [("totp", code(app, &secret, 0)), ("recovery_code", confirmed["recovery_codes"][0].as_str().expect("a code").to_owned())] {
            let body = json!({"mfa_token": token, "code": code, "factor": factor});
            app.stranger().post("/auth/mfa/verify", body).await.expect(401);
        }
        // The mail alone is not enough either: the app is asked for after it.
        let mailed = code_in(app.mails(ANN, 3).await.last().expect("a mail"));
        let further = verify(app, &token, &mailed).await.expect(200).json();
        assert_eq!((&further["factors"][0], further.get("access_token")), (&json!("totp"), None));
        verify(app, &further["mfa_token"], &code(app, &secret, 0)).await.expect(200);
    }

    async fn a_changed_factor_or_password_ends_the_sign_ins_that_wait(app) using FILES {
        let ann = enrolled(app, ANN).await;
        run(app, "UPDATE users SET email_verified = TRUE").await;
        let waits = half_in(app).await;
        let change = json!({"current_password": PASSWORD, "password": "another good one"});
        ann.person.post("/auth/password/change", change).await.expect(204);
        verify(app, &waits, &code(app, &ann.secret, 0)).await.expect(401);
        let waits = sign_in(app, ANN, "another good one").await.expect(200).json()["mfa_token"].clone();
        app.stranger().post("/auth/password/forgot", json!({"email": ANN})).await.expect(202);
        let secret = crate::accounts::secret_in(app.mails(ANN, 3).await.last().expect("a mail"));
        app.stranger().post("/auth/password/reset", json!({"secret": secret, "password": PASSWORD})).await.expect(204);
        verify(app, &waits, &code(app, &ann.secret, 0)).await.expect(401);
        // The app is taken away: what asked for it is over, and so is what its recovery codes could answer.
        let waits = half_in(app).await;
        let person = with(app, &verify(app, &half_in(app).await, &code(app, &ann.secret, 0)).await.expect(200));
        let id = person.get("/auth/factors").await.expect(200).items()[0]["id"].as_str().expect("an id").to_owned();
        person.delete(&format!("/auth/factors/{id}")).await.expect(204);
        let tickets = store::Statement::new("SELECT ticket FROM _auth_codes WHERE purpose = 'further'", []);
        assert!(app.store().own_read(tickets).await.expect("rows").is_empty());
        verify(app, &waits, &code(app, &ann.secret, 0)).await.expect(401);
    }

    async fn a_new_app_is_asked_of_the_sign_ins_that_wait(app) using FILES {
        let (ann, answer) = sign_up(app, ANN).await;
        let id = answer["user"]["id"].as_str().expect("an id");
        for number in 0..51 {
            let tried = auth::attempts::Try { typed: ANN, account: Some(id), address: [192, 0, 2, number].into(), device: None };
            app.identity().charge(tried, app.engine().clock().now()).await.expect("a try");
        }
        let waits = half_in(app).await;
        let mailed = code_in(&app.mails(ANN, 1).await[0]);
        let begun = ann.post("/auth/totp/enroll", json!({})).await.expect(200).json();
        let secret = begun["secret"].as_str().expect("a secret").to_owned();
        ann.post("/auth/totp/confirm", json!({"code": code(app, &secret, 0)})).await.expect(200);
        // Begun with a password and a mail, it would be over without the app.
        verify(app, &waits, &mailed).await.expect(401);
    }

    async fn guessing_over_many_tokens_is_stopped(app) using FILES {
        let ann = enrolled(app, ANN).await;
        for _ in 0..2 {
            let token = half_in(app).await;
            for _ in 0..5 {
                verify(app, &token, "000000").await.expect(401);
            }
        }
        let token = half_in(app).await;
        let stopped = verify(app, &token, &code(app, &ann.secret, 0)).await.expect(429);
        assert!(!stopped.header("retry-after").is_empty());
        // The owner is not locked out.
        verify(app, &token, &ann.codes[0]).await.expect(200);
        let token = half_in(app).await;
        verify(app, &token, &code(app, &ann.secret, 0)).await.expect(200);
    }

    async fn a_recovery_code_works_once(app) using FILES {
        let ann = enrolled(app, ANN).await;
        let token = half_in(app).await;
        verify(app, &token, &ann.codes[0].replace('-', "").to_uppercase()).await.expect(200);
        assert!(app.mails(ANN, 2).await[1].contains("recovery code"));
        let token = half_in(app).await;
        verify(app, &token, &ann.codes[0]).await.expect(401);
        let left = ann.person.get("/auth/factors").await.expect(200).items()[1].clone();
        assert_eq!(left["left"], 9);
        assert!(left["used_at"].is_string());
        assert!(audited(app, &ann.id).await.contains(&"recovery_code_used".to_owned()));
        // New ones take the place of the old.
        let fresh = ann.person.post("/auth/recovery-codes", json!({})).await.expect(200).json();
        verify(app, &token, &ann.codes[1]).await.expect(401);
        verify(app, &token, fresh["recovery_codes"][0].as_str().expect("a code")).await.expect(200);
    }

    async fn one_of_two_who_come_at_once_gets_in(app) using FILES {
        let ann = enrolled(app, ANN).await;
        for code in [ann.codes[0].clone(), code(app, &ann.secret, 1)] {
            let tokens = [half_in(app).await, half_in(app).await, half_in(app).await];
            let (first, second, third) =
                tokio::join!(verify(app, &tokens[0], &code), verify(app, &tokens[1], &code), verify(app, &tokens[2], &code));
            let mut statuses = [first.status.as_u16(), second.status.as_u16(), third.status.as_u16()];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 401, 401], "{code}");
        }
        // One token, the right code many times at once.
        rewind(app).await;
        let (token, code) = (half_in(app).await, code(app, &ann.secret, 0));
        let (first, second) = tokio::join!(verify(app, &token, &code), verify(app, &token, &code));
        assert_eq!(first.status.as_u16() + second.status.as_u16(), 601);
    }

    async fn factors_ask_for_a_fresh_sign_in(app) using FILES {
        let ann = enrolled(app, ANN).await;
        let other = verify(app, &half_in(app).await, &code(app, &ann.secret, 1)).await.expect(200);
        run(app, "UPDATE _auth_sessions SET authenticated_at = 1").await;
        let id = ann.person.get("/auth/factors").await.expect(200).items()[0]["id"].as_str().expect("an id").to_owned();
        for path in ["/auth/totp/enroll", "/auth/totp/confirm", "/auth/recovery-codes", "/auth/passkeys/register/begin"] {
            let refused = ann.person.post(path, json!({})).await.expect(403);
            assert!(refused.json()["type"].as_str().is_some_and(|kind| kind.ends_with("/reauthenticate")), "{refused}");
        }
        ann.person.delete(&format!("/auth/factors/{id}")).await.expect(403);
        // A code of the app is a fresh proof.
        rewind(app).await;
        ann.person.post("/auth/reauth", json!({"code": "000000"})).await.expect(401);
        ann.person.post("/auth/reauth", json!({"code": code(app, &ann.secret, 0)})).await.expect(200);
        ann.person.delete("/auth/factors/unknown").await.expect(404);
        ann.person.delete(&format!("/auth/factors/{id}")).await.expect(204);
        assert_eq!(ann.person.get("/auth/factors").await.expect(200).items(), Vec::<Json>::new());
        with(app, &other).get("/auth/me").await.expect(401);
        sign_in(app, ANN, PASSWORD).await.expect(200).json()["access_token"].as_str().expect("in");
        assert!(app.mails(ANN, 2).await[1].contains("no longer"));
        assert!(audited(app, &ann.id).await.contains(&"factor_removed".to_owned()));
        app.stranger().get("/auth/factors").await.expect(401);
        app.admin().get("/auth/factors").await.expect(403);
    }

    async fn who_takes_an_address_over_takes_no_factors_over(app) using FILES {
        let stranger = enrolled(app, ANN).await;
        let ticket = app.stranger().post("/auth/code/request", json!({"email": ANN})).await.expect(202).json()["ticket"].clone();
        let mailed = code_in(&app.mails(ANN, 2).await[1]);
        let owner = app.stranger().post("/auth/code/verify", json!({"ticket": ticket, "code": mailed})).await.expect(200);
        assert_eq!(with(app, &owner).get("/auth/factors").await.expect(200).items(), Vec::<Json>::new());
        stranger.person.get("/auth/me").await.expect(401);
    }
}
