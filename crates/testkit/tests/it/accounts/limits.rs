//! What guessing costs.

use serde_json::json;

use super::{PASSWORD, PLAIN, code_in, sign_in, sign_up};
use crate::both;

both! {
    async fn ten_wrong_passwords_are_enough(app) using PLAIN {
        sign_up(app, "ann@example.org").await;
        for _ in 0..10 {
            sign_in(app, "ann@example.org", "wrong").await.expect(401);
            sign_in(app, "nobody@example.org", "wrong").await.expect(401);
        }
        let known = sign_in(app, "ann@example.org", PASSWORD).await.expect(429);
        let unknown = sign_in(app, "nobody@example.org", PASSWORD).await.expect(429);
        assert_eq!((known.header("retry-after"), unknown.header("retry-after")), ("30", "30"));
        sign_up(app, "bob@example.org").await;
    }

    async fn no_stranger_locks_an_owner_out(app) using PLAIN {
        sign_up(app, "ann@example.org").await;
        let device = sign_in(app, "ann@example.org", PASSWORD).await.expect(200).json()["device_token"].clone();
        for _ in 0..11 {
            sign_in(app, "ann@example.org", "wrong").await;
        }
        sign_in(app, "ann@example.org", PASSWORD).await.expect(429);
        let body = json!({"email": "ann@example.org", "password": PASSWORD, "device_token": device});
        let known = app.stranger().post("/auth/sign-in", body).await.expect(200);
        assert!(known.json().get("device_token").is_none(), "it is known already");
        let other = json!({"email": "ann@example.org", "password": PASSWORD, "device_token": "mdt_made_up"});
        app.stranger().post("/auth/sign-in", other).await.expect(429);
    }

    async fn an_account_under_attack_wants_a_code_from_unknown_devices(app) using PLAIN {
        sign_up(app, "ann@example.org").await;
        let device = sign_in(app, "ann@example.org", PASSWORD).await.expect(200).json()["device_token"].clone();
        let attempts = app.identity();
        let id = sign_in(app, "ann@example.org", PASSWORD).await.expect(200).json()["user"]["id"].as_str().expect("an id").to_owned();
        for _ in 0..51 {
            attempts.attempts.fail_account(&id, app.engine().clock().now());
        }
        let asked = sign_in(app, "ann@example.org", PASSWORD).await.expect(200).json();
        assert_eq!((&asked["factors"], asked.get("access_token")), (&json!(["email_code"]), None));
        let code = code_in(&app.mails("ann@example.org", 1).await[0]);
        let person = app.stranger();
        person.with_key(asked["mfa_token"].as_str().expect("a token")).get("/auth/me").await.expect(401);
        person.post("/auth/mfa/verify", json!({"mfa_token": asked["mfa_token"], "code": "000000"})).await.expect(401);
        let done = person.post("/auth/mfa/verify", json!({"mfa_token": asked["mfa_token"], "code": code})).await.expect(200);
        assert!(done.json()["access_token"].is_string());
        person.post("/auth/mfa/verify", json!({"mfa_token": asked["mfa_token"], "code": code})).await.expect(401);
        let body = json!({"email": "ann@example.org", "password": PASSWORD, "device_token": device});
        assert!(person.post("/auth/sign-in", body).await.expect(200).json()["access_token"].is_string());
    }

    async fn an_old_bcrypt_hash_is_taken_and_replaced(app) using PLAIN {
        let (_, answer) = sign_up(app, "ann@example.org").await;
        let id = answer["user"]["id"].as_str().expect("an id").to_owned();
        // `bcrypt("old password", cost 4)`
        let old = "$2b$04$kjA7V1dZSOVuGIa6ID0e1efPG/l.a27exJ08p2jDMpQCBhey2jS0S";
        let set = auth::credential::set(&id, old, 0);
        app.store().own(vec![set]).await.expect("an answer");
        sign_in(app, "ann@example.org", "another password").await.expect(401);
        sign_in(app, "ann@example.org", "old password").await.expect(200);
        let kept = auth::credential::find(&**app.store(), &id).await.expect("an answer").expect("a hash");
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        sign_in(app, "ann@example.org", "old password").await.expect(200);
    }
}
