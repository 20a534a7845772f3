//! What guessing costs.

use auth::attempts::Try;
use serde_json::json;
use testkit::TestApp;

use super::{PASSWORD, PLAIN, code_in, sign_in, sign_up};
use crate::both;

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

/// Charges a try from an address; the wait where it is refused.
async fn charge(app: &TestApp, typed: &str, from: [u8; 4], device: Option<&str>, now: i64) -> Option<u32> {
    let tried = Try { typed, account: None, address: from.into(), device };
    app.identity().charge(tried, now).await.err().and_then(|problem| problem.extra.retry_after)
}

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

    async fn the_wait_after_too_many_tries_grows(app) using PLAIN {
        let (here, there, now) = ([192, 0, 2, 1], [192, 0, 2, 2], app.engine().clock().now());
        for _ in 0..10 {
            assert_eq!(charge(app, "ann@example.org", here, None, now).await, None);
        }
        let wait = async |seconds: i64| charge(app, "ANN@example.org", here, None, now + seconds * SECOND).await;
        assert_eq!(wait(0).await, Some(30));
        assert_eq!(wait(10).await, Some(20));
        assert_eq!((wait(31).await, wait(31).await), (None, None), "two more tries");
        assert_eq!(wait(31).await, Some(60), "twice as long");
        assert_eq!((wait(92).await, wait(92).await, wait(92).await), (None, None, Some(120)));
        // Whoever stays away for long begins anew.
        assert_eq!((wait(8_000).await, wait(8_000).await, wait(8_000).await), (None, None, None));
        // Others are not held up.
        assert_eq!(charge(app, "ann@example.org", there, None, now).await, None);
        assert_eq!(charge(app, "bob@example.org", here, None, now).await, None);
        assert_eq!(charge(app, "ann@example.org", here, Some("known"), now).await, None);
    }

    async fn an_address_that_tries_many_accounts_is_stopped(app) using PLAIN {
        let (here, there, now) = ([192, 0, 2, 1], [192, 0, 2, 2], app.engine().clock().now());
        for number in 0..100 {
            assert_eq!(charge(app, &format!("{number}@example.org"), here, None, now).await, None);
        }
        assert_eq!(charge(app, "ann@example.org", here, None, now).await, Some(30));
        assert_eq!(charge(app, "ann@example.org", there, None, now).await, None);
    }

    async fn good_tries_cost_nothing(app) using PLAIN {
        sign_up(app, "ann@example.org").await;
        for _ in 0..12 {
            sign_in(app, "ann@example.org", PASSWORD).await.expect(200);
        }
        let left = store::Statement::new("SELECT key FROM _auth_attempts WHERE failures > 0", []);
        assert!(app.store().own_read(left).await.expect("rows").is_empty());
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
        let id = sign_in(app, "ann@example.org", PASSWORD).await.expect(200).json()["user"]["id"].as_str().expect("an id").to_owned();
        for number in 0..51 {
            let address = std::net::IpAddr::from([192, 0, 2, number]);
            let tried = Try { typed: "ann@example.org", account: Some(&id), address, device: None };
            app.identity().charge(tried, app.engine().clock().now()).await.expect("a try");
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
