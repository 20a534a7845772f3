//! Sign-in with a provider, which here is one in this process that says what it is told to.

use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Method;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value as Json, json};
use testkit::{Database, Person, Reply, TestApp};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{PASSWORD, sign_in, sign_up, with};

/// RFC 7636, appendix B.
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(super) const SITE: &str = "[server]\npublic_url = \"http://localhost:8080\"\n";
pub(super) const RETURN: &str = "http://127.0.0.1/in";

/// A provider, and what it says of whoever comes next.
struct Provider {
    issuer: String,
    key: Ed25519KeyPair,
    token: Arc<Mutex<Json>>,
}

impl Provider {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let key = Ed25519KeyPair::generate().expect("a key");
        let x = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
        let document = json!({
            "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
        });
        let keys = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": x }] });
        let token = Arc::new(Mutex::new(Json::Null));
        let told = Arc::clone(&token);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 16384];
                let length = stream.read(&mut request).await.unwrap_or(0);
                let head = String::from_utf8_lossy(&request[..length]).into_owned();
                let answer = match head.split(' ').nth(1) {
                    Some("/.well-known/openid-configuration") => document.clone(),
                    Some("/jwks") => keys.clone(),
                    _ => told.lock().expect("a lock").clone(),
                };
                let (status, body) = if answer.is_null() { (400, "{}".to_owned()) } else { (200, answer.to_string()) };
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close", body.len());
                let _ = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await;
            }
        });
        Self { issuer, key, token }
    }

    /// An app whose people may come by this provider.
    async fn app(&self, database: Database, auth: &str) -> TestApp {
        let users = format!(
            "[auth]\nmethods = [\"password\", \"oauth\"]\nreturn_urls = [\"{RETURN}\"]\n{auth}\n[auth.oauth.acme]\n\
             issuer = \"{}\"\nclient_id = \"ours\"\nclient_secret = \"kept\"\nlink_by_email = true\n\
             [auth.oauth.wary]\nissuer = \"{}\"\nclient_id = \"ours\"\nclient_secret = \"kept\"\n\
             [fields]\nname = {{ type = \"string\" }}\n[access]\nread = \"record.id == auth.id\"\n",
            self.issuer, self.issuer
        );
        TestApp::start(database, &[("mainstay.toml", SITE), ("resources/users.toml", &users)]).await
    }

    /// What the token endpoint will say: these claims, and those that have to be there.
    fn say(&self, nonce: &str, claims: &Json) {
        let now = std::time::UNIX_EPOCH.elapsed().expect("a time").as_secs();
        let mut all = json!({ "iss": self.issuer, "aud": "ours", "exp": now + 300, "iat": now, "nonce": nonce });
        for (name, value) in claims.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some("k1".to_owned());
        let key = EncodingKey::from_ed_der(self.key.to_pkcs8().expect("a key").as_ref());
        let token = encode(&header, &all, &key).expect("a token");
        *self.token.lock().expect("a lock") = json!({ "access_token": "a", "id_token": token });
    }

    /// The whole way of a browser: the parameters that it comes back to the client with.
    async fn walk(&self, app: &TestApp, name: &str, claims: &Json) -> (String, String) {
        let (state, nonce, cookie) = begin(app, name).await;
        self.say(&nonce, claims);
        back(app, name, &format!("code=c&state={state}"), &cookie).await
    }

    /// The same, and the code exchanged.
    async fn enter(&self, app: &TestApp, name: &str, claims: &Json) -> Reply {
        let (parameter, code) = self.walk(app, name, claims).await;
        assert_eq!(parameter, "code", "{code}");
        exchange(app, &code, VERIFIER).await
    }
}

async fn begin(app: &TestApp, name: &str) -> (String, String, String) {
    let path = format!("/auth/oauth/{name}?return_to={RETURN}&code_challenge={CHALLENGE}");
    let reply = app.stranger().get(&path).await.expect(303);
    let url = url::Url::parse(reply.header("location")).expect("a URL");
    let find = |wanted: &str| url.query_pairs().find(|(name, _)| name == wanted).expect("a parameter").1.into_owned();
    let redirect = format!("http://localhost:8080/auth/oauth/{name}/callback");
    assert_eq!((find("redirect_uri"), find("client_id").as_str()), (redirect, "ours"));
    assert_eq!(reply.header("cache-control"), "no-store");
    let cookie = reply.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    assert!(cookie.starts_with("mainstay_8080_oauth=mob_"), "{cookie}");
    (find("state"), find("nonce"), cookie)
}

/// Comes back from the provider: the parameter that the client gets.
pub(super) async fn back(app: &TestApp, name: &str, query: &str, cookie: &str) -> (String, String) {
    let path = format!("/auth/oauth/{name}/callback?{query}");
    let reply = app.stranger().send(Method::GET, &path, &[("cookie", cookie)], "").await.expect(303);
    let location = reply.header("location").to_owned();
    let (page, query) = location.split_once('?').expect("a parameter");
    assert_eq!(page, RETURN);
    let (name, value) = query.split_once('=').expect("a parameter");
    (name.to_owned(), value.to_owned())
}

pub(super) async fn exchange(app: &TestApp, code: &str, verifier: &str) -> Reply {
    app.stranger().post("/auth/oauth/token", json!({ "code": code, "code_verifier": verifier })).await
}

fn ann() -> Json {
    json!({ "sub": "ann", "email": "ann@example.org", "email_verified": true, "name": "Ann" })
}

async fn on_both(auth: &str, story: impl AsyncFn(&Provider, &TestApp)) {
    for database in [Database::Sqlite, Database::Postgres] {
        let provider = Provider::start().await;
        let app = provider.app(database, auth).await;
        story(&provider, &app).await;
        app.stop().await;
    }
}

#[tokio::test]
async fn somebody_comes_in_by_a_provider_and_comes_again() {
    on_both("", async |provider, app| {
        let (parameter, code) = provider.walk(app, "acme", &ann()).await;
        assert_eq!(parameter, "code");
        exchange(app, &code, &VERIFIER.replace('d', "e")).await.expect(401);
        let first = exchange(app, &code, VERIFIER).await.expect(201);
        assert_eq!(
            (&first.json()["user"]["email"], &first.json()["user"]["name"]),
            (&json!("ann@example.org"), &json!("Ann"))
        );
        assert_eq!(first.json()["user"]["email_verified"], true);
        exchange(app, &code, VERIFIER).await.expect(401);
        // Whatever the address is by now.
        let moved = json!({ "sub": "ann", "email": "other@example.org", "email_verified": true });
        let again = provider.enter(app, "acme", &moved).await.expect(200);
        assert_eq!(again.json()["user"]["id"], first.json()["user"]["id"]);
        with(app, &again).get("/auth/me").await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn whoever_registered_the_address_before_its_owner_is_out() {
    on_both("", async |provider, app| {
        let (eve, account) = sign_up(app, "ann@example.org").await;
        let entered = provider.enter(app, "acme", &ann()).await.expect(200);
        assert_eq!(entered.json()["user"]["id"], account["user"]["id"]);
        assert_eq!(entered.json()["user"]["email_verified"], true);
        eve.get("/auth/me").await.expect(401);
        sign_in(app, "ann@example.org", PASSWORD).await.expect(401);
        let refresh = json!({ "refresh_token": account["refresh_token"] });
        app.stranger().post("/auth/refresh", refresh).await.expect(401);
        with(app, &entered).get("/auth/me").await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn an_address_finds_an_account_only_where_the_provider_is_trusted_and_sure() {
    on_both("", async |provider, app| {
        let (ann_herself, account) = sign_up(app, "ann@example.org").await;
        let mut unsure = ann();
        unsure["email_verified"] = json!(false);
        let refused = provider.enter(app, "acme", &unsure).await.expect(409);
        assert_eq!(refused.json()["type"], "/problems/link-required");
        let (_, code) = provider.walk(app, "wary", &ann()).await;
        exchange(app, &code, VERIFIER).await.expect(409);
        // By hand it goes: the code is still good.
        let body = json!({ "code": code, "code_verifier": VERIFIER });
        ann_herself.post("/auth/oauth/acme/link", body.clone()).await.expect(401);
        app.stranger().post("/auth/oauth/wary/link", body.clone()).await.expect(401);
        ann_herself.post("/auth/oauth/wary/link", body.clone()).await.expect(204);
        ann_herself.post("/auth/oauth/wary/link", body).await.expect(401);
        let entered = provider.enter(app, "wary", &ann()).await.expect(200);
        assert_eq!(entered.json()["user"]["id"], account["user"]["id"]);
        // Nobody else's any more.
        let (bob, _) = sign_up(app, "bob@example.org").await;
        let (_, code) = provider.walk(app, "wary", &ann()).await;
        bob.post("/auth/oauth/wary/link", json!({ "code": code, "code_verifier": VERIFIER })).await.expect(409);
        // Each sees the own links, and the other's are not there for anybody.
        let links = ann_herself.get("/auth/oauth").await.expect(200);
        assert_eq!(links.items().len(), 1, "{links}");
        let link = &links.items()[0];
        assert_eq!(
            (&link["id"], &link["issuer"], &link["subject"]),
            (&json!("wary"), &json!(provider.issuer), &json!("ann"))
        );
        assert!(bob.get("/auth/oauth").await.expect(200).items().is_empty());
        app.stranger().get("/auth/oauth").await.expect(401);
        delete(&bob, "wary").await.expect(404);
        app.stranger().send(Method::DELETE, "/auth/oauth/wary/link", &[], "").await.expect(401);
        delete(&ann_herself, "wary").await.expect(204);
        delete(&ann_herself, "wary").await.expect(404);
        assert!(ann_herself.get("/auth/oauth").await.expect(200).items().is_empty());
    })
    .await;
}

#[tokio::test]
async fn links_are_made_and_taken_away_by_who_has_just_signed_in() {
    on_both("", async |provider, app| {
        let (person, _) = sign_up(app, "ann@example.org").await;
        let (_, code) = provider.walk(app, "acme", &ann()).await;
        let body = json!({ "code": code, "code_verifier": VERIFIER });
        let grow_old = async || {
            let old = "UPDATE _auth_sessions SET authenticated_at = authenticated_at - 600000001";
            app.store().own(vec![store::Statement::new(old, [])]).await.expect("an answer");
            app.identity().everybody_changed();
        };
        grow_old().await;
        let refused = person.post("/auth/oauth/acme/link", body.clone()).await.expect(403);
        assert_eq!(refused.json()["type"], "/problems/reauthenticate");
        person.post("/auth/reauth", json!({ "password": PASSWORD })).await.expect(200);
        person.post("/auth/oauth/acme/link", body).await.expect(204);
        grow_old().await;
        let refused = delete(&person, "acme").await.expect(403);
        assert_eq!(refused.json()["type"], "/problems/reauthenticate");
        assert_eq!(person.get("/auth/oauth").await.expect(200).items().len(), 1);
        person.post("/auth/reauth", json!({ "password": PASSWORD })).await.expect(200);
        delete(&person, "acme").await.expect(204);
    })
    .await;
}

#[tokio::test]
async fn what_comes_back_too_late_is_refused() {
    on_both("", async |provider, app| {
        let age = async |table: &str, by: i64| {
            let sql = format!("UPDATE {table} SET expires_at = expires_at - $1");
            let older = store::Statement::new(sql, [store::Cell::Integer(by)]);
            app.store().own(vec![older]).await.expect("an answer");
        };
        let (state, nonce, cookie) = begin(app, "acme").await;
        provider.say(&nonce, &ann());
        let path = format!("/auth/oauth/acme/callback?code=c&state={state}");
        // Ten minutes at the provider, and one from there to the client.
        age("_auth_oauth_attempts", 600_000_000).await;
        app.stranger().send(Method::GET, &path, &[("cookie", &cookie)], "").await.expect(400);
        age("_auth_oauth_attempts", -60_000_000).await;
        let (parameter, code) = back(app, "acme", &format!("code=c&state={state}"), &cookie).await;
        assert_eq!(parameter, "code");
        age("_auth_oauth_codes", 60_000_000).await;
        exchange(app, &code, VERIFIER).await.expect(401);
        age("_auth_oauth_codes", -60_000_000).await;
        exchange(app, &code, VERIFIER).await.expect(201);
    })
    .await;
}

async fn delete(person: &Person, name: &str) -> Reply {
    person.send(Method::DELETE, &format!("/auth/oauth/{name}/link"), &[], "").await
}

#[tokio::test]
async fn the_last_way_in_stays() {
    on_both("", async |provider, app| {
        let entered = provider.enter(app, "acme", &ann()).await.expect(201);
        delete(&with(app, &entered), "acme").await.expect(409);
        provider.enter(app, "acme", &ann()).await.expect(200);
        // A link with a provider that the app has no more is no way in.
        let person = with(app, &entered);
        let gone = store::Statement::new(
            "INSERT INTO _auth_identities (issuer, subject, provider, person, created_at) \
             SELECT 'https://gone.example', 'ann', 'gone', person, created_at FROM _auth_identities",
            [],
        );
        app.store().own(vec![gone]).await.expect("an answer");
        delete(&person, "acme").await.expect(409);
        delete(&person, "gone").await.expect(204);
    })
    .await;
}

#[tokio::test]
async fn a_provider_proves_again_who_somebody_is() {
    on_both("", async |provider, app| {
        let entered = provider.enter(app, "acme", &ann()).await.expect(201);
        let person = with(app, &entered);
        let bob = json!({ "sub": "bob", "email": "bob@example.org", "email_verified": true });
        let reauth = async |claims: &Json| {
            let (_, code) = provider.walk(app, "acme", claims).await;
            let body = json!({ "code": code, "code_verifier": VERIFIER });
            (person.post("/auth/reauth", body.clone()).await, body)
        };
        reauth(&bob).await.0.expect(401);
        provider.enter(app, "acme", &bob).await.expect(201);
        reauth(&bob).await.0.expect(401);
        let (proved, body) = reauth(&ann()).await;
        with(app, &proved.expect(200)).get("/auth/me").await.expect(200);
        person.post("/auth/reauth", body).await.expect(401);
        person.post("/auth/reauth", json!({ "code_verifier": VERIFIER })).await.expect(422);
    })
    .await;
}

#[tokio::test]
async fn what_comes_back_wrong_is_refused() {
    on_both("", async |provider, app| {
        let (state, nonce, cookie) = begin(app, "acme").await;
        provider.say(&nonce, &ann());
        let callback = async |name: &str, state: &str, cookie: &str| {
            let path = format!("/auth/oauth/{name}/callback?code=c&state={state}");
            app.stranger().send(Method::GET, &path, &[("cookie", cookie)], "").await
        };
        // Another browser, another provider, another state: as if there were no such attempt.
        callback("acme", &state, "").await.expect(400);
        let (_, _, others) = begin(app, "acme").await;
        callback("acme", &state, &others).await.expect(400);
        callback("wary", &state, &cookie).await.expect(400);
        callback("acme", "made-up", &cookie).await.expect(400);
        callback("acme", &state, &cookie).await.expect(303);
        callback("acme", &state, &cookie).await.expect(400);

        let mut table = Vec::new();
        for (what, query, claims) in [
            ("access_denied", "error=access_denied", ann()),
            ("callback_issuer", "code=c&iss=https://evil.example", ann()),
            ("form", "x=y", ann()),
            ("nonce", "code=c", json!({ "sub": "ann", "nonce": "other" })),
            ("issuer", "code=c", json!({ "sub": "ann", "iss": "https://evil.example" })),
            ("audience", "code=c", json!({ "sub": "ann", "aud": "theirs" })),
            ("expired", "code=c", json!({ "sub": "ann", "exp": 1_000_000_000 })),
            ("not_yet", "code=c", json!({ "sub": "ann", "iat": 9_000_000_000_u64 })),
            ("subject", "code=c", json!({ "sub": "" })),
        ] {
            let (state, nonce, cookie) = begin(app, "acme").await;
            provider.say(&nonce, &claims);
            let (parameter, value) = back(app, "acme", &format!("{query}&state={state}"), &cookie).await;
            table.push((what, parameter, value));
        }
        let (state, _, cookie) = begin(app, "acme").await;
        *provider.token.lock().expect("a lock") = Json::Null;
        let (parameter, value) = back(app, "acme", &format!("code=replayed&state={state}"), &cookie).await;
        table.push(("code", parameter, value));
        assert!(table.iter().all(|(what, parameter, value)| parameter == "error" && what == value), "{table:?}");
    })
    .await;
}

#[tokio::test]
async fn a_sign_in_begins_only_as_it_should() {
    on_both("", async |_, app| {
        let stranger = app.stranger();
        let good = format!("return_to={RETURN}&code_challenge={CHALLENGE}");
        for (path, status) in [
            (format!("acme?{good}"), 303),
            (format!("acme?return_to=http://127.0.0.1:5123/in&code_challenge={CHALLENGE}"), 303),
            (format!("acme?return_to=https://evil.example/in&code_challenge={CHALLENGE}"), 400),
            (format!("acme?return_to=//evil.example&code_challenge={CHALLENGE}"), 400),
            (format!("acme?return_to={RETURN}"), 400),
            (format!("acme?return_to={RETURN}&code_challenge=plain"), 400),
            (format!("acme?{good}&code_challenge_method=plain"), 400),
            (format!("acme?{good}&prompt=none"), 400),
            (format!("acmee?{good}"), 404),
        ] {
            let reply = stranger.get(&format!("/auth/oauth/{path}")).await;
            assert_eq!(reply.status.as_u16(), status, "{path}: {reply}");
        }
        assert!(stranger.get(&format!("/auth/oauth/acmee?{good}")).await.text.contains("did you mean `acme`"));
        stranger.get("/auth/oauth/token").await.expect(405);
        stranger.post("/auth/oauth/acme", json!({})).await.expect(405);
        stranger.get("/auth/oauth/acme/link").await.expect(405);
    })
    .await;
}

#[tokio::test]
async fn the_terms_of_sign_up_hold_for_providers_too() {
    for database in [Database::Sqlite, Database::Postgres] {
        let provider = Provider::start().await;
        let app = provider.app(database, "sign_up = \"closed\"").await;
        provider.enter(&app, "acme", &ann()).await.expect(403);
        app.stop().await;
        let mut unsure = ann();
        unsure["email_verified"] = json!(false);
        let app = provider.app(database, "").await;
        let entered = provider.enter(&app, "acme", &unsure).await.expect(201);
        assert_eq!(entered.json()["user"]["email_verified"], false, "nobody has said that it is");
        app.stop().await;
        let app = provider.app(database, "verify_email = true").await;
        provider.enter(&app, "acme", &unsure).await.expect(403);
        provider.enter(&app, "acme", &json!({ "sub": "ann" })).await.expect(403);
        provider.enter(&app, "acme", &ann()).await.expect(201);
        app.stop().await;
    }
}
