//! Access and refresh tokens.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value as Json, json};
use store::Statement;

use super::{PASSWORD, PLAIN, sign_in, sign_up, with};
use crate::both;

const SHORT: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    (
        "resources/users.toml",
        "[auth]\naccess_ttl = \"3s\"\n[fields]\nname = { type = \"string\" }\n[access]\nread = \"record.id == auth.id\"\n",
    ),
];

fn part(token: &str, position: usize) -> Json {
    let part = token.split('.').nth(position).expect("a part");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

both! {
    async fn an_access_token_says_what_the_contract_says(app) using PLAIN {
        let (_, answer) = sign_up(app, "ann@example.org").await;
        let token = answer["access_token"].as_str().expect("a token");
        let (header, claims) = (part(token, 0), part(token, 1));
        let keys = app.stranger().get("/.well-known/jwks.json").await.expect(200);
        assert_eq!(keys.header("cache-control"), "public, max-age=300");
        assert_eq!(app.stranger().post("/.well-known/jwks.json", json!({})).await.expect(405).header("allow"), "GET, HEAD, OPTIONS");
        let key = &keys.json()["keys"][0];
        assert_eq!(header, json!({"typ": "at+jwt", "alg": "EdDSA", "kid": key["kid"]}));
        assert_eq!((&key["kty"], &key["crv"], &key["use"]), (&json!("OKP"), &json!("Ed25519"), &json!("sig")));
        assert!(key.get("d").is_none(), "only the public half");
        assert_eq!((&claims["iss"], &claims["aud"], &claims["sub"]), (&json!("http://localhost:0"), &json!("http://localhost:0"), &answer["user"]["id"]));
        assert_eq!((&claims["amr"], &claims["roles"]), (&json!(["pwd"]), &json!([])));
        assert_eq!(claims["exp"].as_i64().expect("exp") - claims["iat"].as_i64().expect("iat"), 600);
    }

    async fn the_public_keys_are_there_to_be_read(app) using PLAIN {
        let keys = app.stranger().get("/.well-known/jwks.json").await.expect(200);
        assert_eq!(keys.header("cache-control"), "public, max-age=300");
        app.stranger().send(http::Method::POST, "/.well-known/jwks.json", &[], "").await.expect(405);
        app.stranger().send(http::Method::DELETE, "/.well-known/jwks.json", &[], "").await.expect(405);
    }

    async fn tokens_of_others_are_refused_at_every_door(app) using PLAIN {
        let (ann, answer) = sign_up(app, "ann@example.org").await;
        ann.get("/auth/me").await.expect(200);
        let token = answer["access_token"].as_str().expect("a token");
        let (head, signature) = token.rsplit_once('.').expect("three parts");
        let claims = head.split_once('.').expect("two parts").1;
        let kid = part(token, 0)["kid"].clone();
        let header = |header: Json| URL_SAFE_NO_PAD.encode(header.to_string());
        let none = header(json!({"alg": "none", "typ": "at+jwt", "kid": kid}));
        let jku = header(json!({"alg": "EdDSA", "typ": "at+jwt", "kid": kid, "jku": "https://evil.example"}));
        let mut admin = part(token, 1);
        admin["sub"] = json!("00000000-0000-7000-8000-000000000000");
        let admin = header(admin);
        for forged in [
            format!("{none}.{claims}."),
            format!("{none}.{claims}.{signature}"),
            format!("{jku}.{claims}.{signature}"),
            format!("{}.{admin}.{signature}", head.split_once('.').expect("two parts").0),
            format!("{head}."),
            format!("{head}.{signature}A"),
            answer["refresh_token"].as_str().expect("a token").to_owned(),
            "mst_AAAA".to_owned(),
            "msk_x_y".to_owned(),
            String::new(),
        ] {
            for path in ["/auth/me", "/api/notes", "/api/notes/events", "/livez"] {
                let refused = app.stranger().with_key(&forged).get(path).await.expect(401);
                assert!(refused.header("www-authenticate").starts_with("Bearer"), "{refused}");
            }
        }
    }

    async fn a_refresh_token_is_good_once(app) using PLAIN {
        let (ann, answer) = sign_up(app, "ann@example.org").await;
        let refresh = |token: Json| async move { app.stranger().post("/auth/refresh", json!({"refresh_token": token})).await };
        let second = refresh(answer["refresh_token"].clone()).await.expect(200);
        with(app, &second).get("/auth/me").await.expect(200);
        let third = refresh(second.json()["refresh_token"].clone()).await.expect(200);
        // Somebody else has the first one: the session ends for all.
        refresh(answer["refresh_token"].clone()).await.expect(401);
        refresh(third.json()["refresh_token"].clone()).await.expect(401);
        ann.get("/auth/me").await.expect(401);
        with(app, &third).get("/auth/me").await.expect(401);
        refresh(json!("mrt_made_up")).await.expect(401);
        app.stranger().post("/auth/refresh", json!({})).await.expect(422);
    }

    async fn who_knows_a_session_only_by_name_can_not_end_it(app) using PLAIN {
        let (ann, answer) = sign_up(app, "ann@example.org").await;
        let refresh = answer["refresh_token"].as_str().expect("a token");
        let mut bytes = URL_SAFE_NO_PAD.decode(&refresh[4..]).expect("base64url");
        // The same session, another secret.
        bytes[20] ^= 1;
        let made_up = format!("mrt_{}", URL_SAFE_NO_PAD.encode(bytes));
        app.stranger().post("/auth/refresh", json!({"refresh_token": made_up})).await.expect(401);
        ann.get("/auth/me").await.expect(200);
        app.stranger().post("/auth/refresh", json!({"refresh_token": refresh})).await.expect(200);
    }

    async fn a_lost_answer_signs_nobody_out(app) using PLAIN {
        let (_, answer) = sign_up(app, "ann@example.org").await;
        let retry = "0123456789abcdef0123456789abcdef";
        let body = json!({"refresh_token": answer["refresh_token"], "retry": retry});
        app.stranger().post("/auth/refresh", body.clone()).await.expect(200);
        let again = app.stranger().post("/auth/refresh", body.clone()).await.expect(200);
        let next = app.stranger().post("/auth/refresh", json!({"refresh_token": again.json()["refresh_token"]})).await.expect(200);
        with(app, &next).get("/auth/me").await.expect(200);
        // Its successor has been used: now it is a stolen one.
        app.stranger().post("/auth/refresh", body).await.expect(401);
        with(app, &next).get("/auth/me").await.expect(401);
        let other = sign_in(app, "ann@example.org", PASSWORD).await.expect(200).json();
        app.stranger().post("/auth/refresh", json!({"refresh_token": other["refresh_token"], "retry": retry})).await.expect(200);
        app.stranger().post("/auth/refresh", json!({"refresh_token": other["refresh_token"], "retry": "another secret of 128 bits"})).await.expect(401);
        app.stranger().post("/auth/refresh", json!({"refresh_token": "x", "retry": "short"})).await.expect(422);
    }

    async fn many_refreshes_at_once_give_one_successor(app) using PLAIN {
        let (_, answer) = sign_up(app, "ann@example.org").await;
        let tries: Vec<_> = (0..8).map(|_| {
            let (person, body) = (app.stranger(), json!({"refresh_token": answer["refresh_token"]}));
            tokio::spawn(async move { person.post("/auth/refresh", body).await.status.as_u16() })
        }).collect();
        let mut good = 0;
        for one in tries {
            good += usize::from(one.await.expect("an answer") == 200);
        }
        assert_eq!(good, 1);
    }

    async fn an_access_token_ends(app) using SHORT {
        let (ann, _) = sign_up(app, "ann@example.org").await;
        let mut stream = ann.listen("/api/users/events", &[]).await.opened().await;
        ann.get("/auth/me").await.expect(200);
        let mut told = stream.next().await.expect("an event");
        if told.event == "created" {
            // PostgreSQL numbers entries after their commit: a stream opened at once may begin with that of the sign-up.
            told = stream.next().await.expect("an event");
        }
        assert_eq!((&*told.event, &told.json()["status"]), ("error", &json!(401)));
        assert!(stream.next().await.is_none(), "and the stream ends");
        ann.get("/auth/me").await.expect(401);
    }

    async fn only_hashes_are_kept(app) using PLAIN {
        let (_, answer) = sign_up(app, "ann@example.org").await;
        let rows = app.store().own_read(Statement::new("SELECT secret, kind FROM _auth_sessions", [])).await.expect("rows");
        let kept = rows[0].bytes(0).expect("a hash");
        assert_eq!(kept.len(), 32);
        let shown = answer["refresh_token"].as_str().expect("a token");
        assert!(!shown.as_bytes().windows(8).any(|window| kept.windows(8).any(|other| other == window)));
        let rows = app.store().own_read(Statement::new("SELECT password FROM _auth_credentials", [])).await.expect("rows");
        assert!(rows[0].text(0).expect("a hash").starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }
}
