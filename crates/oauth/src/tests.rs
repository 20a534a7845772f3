//! A provider that tells the truth, and all the ways in which one could not.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use outgoing::Client;
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{Attempt, Callback, Error, Person, Provider, Refusal, Settings};

const NOW: i64 = 1_800_000_000;
const REDIRECT: &str = "https://app.example/auth/oauth/acme/callback";

/// What the provider answers at each path, and what it was asked at its token endpoint.
#[derive(Default)]
struct World {
    answers: HashMap<String, (u16, Json)>,
    asked: Vec<String>,
    calls: HashMap<String, usize>,
}

impl World {
    fn answer(&mut self, head: &str, text: &str) -> (u16, Json) {
        let path = head.split(' ').nth(1).unwrap_or("").to_owned();
        *self.calls.entry(path.clone()).or_default() += 1;
        if path == "/token" {
            self.asked.push(text.to_owned());
        }
        self.answers.get(&path).cloned().unwrap_or((404, Json::Null))
    }
}

struct Site {
    issuer: String,
    world: Arc<Mutex<World>>,
    key: Ed25519KeyPair,
    provider: Provider,
}

impl Site {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let world = Arc::new(Mutex::new(World::default()));
        let serving = Arc::clone(&world);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let world = Arc::clone(&serving);
                tokio::spawn(async move {
                    let mut bytes = vec![0; 16384];
                    let mut length = 0;
                    loop {
                        length += stream.read(&mut bytes[length..]).await.unwrap_or(0);
                        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                        let wanted = head.to_lowercase();
                        let wanted = wanted.lines().find_map(|line| line.strip_prefix("content-length: "));
                        if wanted.is_some_and(|wanted| body.len() < wanted.parse().unwrap()) {
                            continue;
                        }
                        let (status, body) = world.lock().unwrap().answer(head, &text);
                        let body = body.to_string();
                        let head =
                            format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close", body.len());
                        let _ = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await;
                        return;
                    }
                });
            }
        });
        let key = Ed25519KeyPair::generate().unwrap();
        let settings = Settings {
            name: "acme".into(),
            issuer: Some(issuer.clone()),
            client_id: "ours".into(),
            client_secret: "s/e c:ret".into(),
        };
        let provider = Provider::new(settings, Client::default()).unwrap();
        let site = Self { issuer, world, key, provider };
        site.answer("/.well-known/openid-configuration", 200, site.document());
        site.answer("/jwks", 200, json!({ "keys": [site.jwk("k1"), { "kty": "martian" }] }));
        site
    }

    fn answer(&self, path: &str, status: u16, body: Json) {
        self.world.lock().unwrap().answers.insert(path.to_owned(), (status, body));
    }

    fn calls(&self, path: &str) -> usize {
        self.world.lock().unwrap().calls.get(path).copied().unwrap_or(0)
    }

    fn document(&self) -> Json {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({
            "issuer": self.issuer, "authorization_endpoint": at("/authorize?tenant=1"), "token_endpoint": at("/token"),
            "jwks_uri": at("/jwks"), "userinfo_endpoint": at("/userinfo"),
            "id_token_signing_alg_values_supported": ["EdDSA", "ES256", "HS256", "none"],
        })
    }

    fn jwk(&self, kid: &str) -> Json {
        let x = URL_SAFE_NO_PAD.encode(self.key.public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "use": "sig", "alg": "EdDSA", "x": x })
    }

    fn claims(&self, attempt: &Attempt) -> Json {
        json!({
            "iss": self.issuer, "sub": "ann", "aud": "ours", "exp": NOW + 300, "iat": NOW - 1, "nonce": attempt.nonce,
            "email": "ann@example.com", "email_verified": true, "name": "Ann",
        })
    }

    fn sign(&self, kid: Option<&str>, claims: &Json) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = kid.map(str::to_owned);
        let key = EncodingKey::from_ed_der(self.key.to_pkcs8().unwrap().as_ref());
        encode(&header, claims, &key).unwrap()
    }

    /// Plays a whole sign-in, with a token that `token` makes of the attempt.
    async fn play(&self, token: impl FnOnce(&Attempt) -> String) -> Result<Person, Error> {
        let begun = self.provider.begin(REDIRECT).await?;
        let token = token(&begun.attempt);
        self.answer("/token", 200, json!({ "access_token": "at", "token_type": "Bearer", "id_token": token }));
        self.finish(&begun.attempt, Callback { code: Some("c".into()), ..Callback::default() }).await
    }

    /// Plays a sign-in with claims that are changed.
    async fn play_with(&self, change: impl FnOnce(&mut Json)) -> Result<Person, Error> {
        self.play(|attempt| {
            let mut claims = self.claims(attempt);
            change(&mut claims);
            self.sign(Some("k1"), &claims)
        })
        .await
    }

    async fn finish(&self, attempt: &Attempt, callback: Callback) -> Result<Person, Error> {
        self.provider.finish(&callback, attempt, REDIRECT, NOW).await
    }
}

fn refusal(outcome: Result<Person, Error>) -> Refusal {
    match outcome.unwrap_err() {
        Error::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_good_run_says_who_the_person_is() {
    let site = Site::new().await;
    let begun = site.provider.begin(REDIRECT).await.unwrap();
    let asked: HashMap<String, String> = begun.url.query_pairs().into_owned().collect();
    let Attempt { state, nonce, verifier } = &begun.attempt;
    assert_eq!((&asked["state"], &asked["nonce"], &asked["tenant"]), (state, nonce, &"1".to_owned()));
    assert_eq!((asked["response_type"].as_str(), asked["code_challenge_method"].as_str()), ("code", "S256"));
    assert_ne!(&asked["code_challenge"], verifier);
    assert!(![state, nonce].contains(&verifier) && verifier.len() >= 43, "{verifier}");

    let person = site.play_with(|_| {}).await.unwrap();
    assert_eq!((person.subject.as_str(), person.issuer.as_str()), ("ann", site.issuer.as_str()));
    assert_eq!((person.email.as_deref(), person.email_verified), (Some("ann@example.com"), true));
    let asked = site.world.lock().unwrap().asked.pop().unwrap();
    assert!(asked.contains("code_verifier=") && asked.contains("grant_type=authorization_code"), "{asked}");
    // `ours:s%2Fe+c%3Aret`
    assert!(asked.to_lowercase().contains("authorization: basic"), "{asked}");
    assert!(asked.contains("b3VyczpzJTJGZStjJTNBcmV0"), "{asked}");
    assert_eq!((site.calls("/.well-known/openid-configuration"), site.calls("/jwks")), (1, 1));
}

#[tokio::test]
async fn claims_that_are_not_as_they_have_to_be_are_refused() {
    let site = Site::new().await;
    let cases: Vec<(&str, Json, Refusal)> = vec![
        ("iss", json!("https://evil.example"), Refusal::Issuer),
        ("iss", json!(format!("{}/", site.issuer)), Refusal::Issuer),
        ("aud", json!("theirs"), Refusal::Audience),
        ("aud", json!([]), Refusal::Audience),
        ("aud", json!(["ours", "theirs"]), Refusal::Audience),
        ("azp", json!("theirs"), Refusal::Audience),
        ("exp", json!(NOW - 61), Refusal::Expired),
        ("iat", json!(NOW + 61), Refusal::NotYet),
        ("nbf", json!(NOW + 61), Refusal::NotYet),
        ("nonce", json!("another"), Refusal::Nonce),
        ("nonce", Json::Null, Refusal::Nonce),
        ("sub", json!(""), Refusal::Subject),
        ("sub", json!("s".repeat(256)), Refusal::Subject),
    ];
    for (claim, value, wanted) in cases {
        let outcome = site.play_with(|claims| claims[claim] = value.clone()).await;
        assert_eq!(refusal(outcome), wanted, "{claim} = {value}");
    }
    for (claim, value) in [("exp", json!(NOW - 59)), ("aud", json!(["ours"])), ("azp", json!("ours"))] {
        site.play_with(|claims| claims[claim] = value.clone()).await.unwrap();
    }
    let both = |claims: &mut Json| {
        claims["aud"] = json!(["ours", "theirs"]);
        claims["azp"] = json!("ours");
    };
    site.play_with(both).await.unwrap();
}

#[tokio::test]
async fn signatures_of_others_and_other_algorithms_are_refused() {
    let site = Site::new().await;
    let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
    for algorithm in ["none", "None", "HS512"] {
        let token =
            |attempt: &Attempt| format!("{}.{}.", part(&json!({ "alg": algorithm })), part(&site.claims(attempt)));
        assert_eq!(refusal(site.play(token).await), Refusal::Algorithm, "{algorithm}");
    }
    // HS256 with the public key as the secret.
    let public = EncodingKey::from_secret(site.key.public_key().as_ref());
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("k1".into());
    let token = |attempt: &Attempt| encode(&header, &site.claims(attempt), &public).unwrap();
    assert_eq!(refusal(site.play(token).await), Refusal::Algorithm);
    // Another's key under the provider's name for it.
    let other = Site::new().await;
    let token = |attempt: &Attempt| other.sign(Some("k1"), &site.claims(attempt));
    assert_eq!(refusal(site.play(token).await), Refusal::Signature);
    // A key in the header is nobody's.
    let mut header = Header::new(Algorithm::EdDSA);
    header.jku = Some(format!("{}/jwks", other.issuer));
    header.kid = Some("k1".into());
    let key = EncodingKey::from_ed_der(other.key.to_pkcs8().unwrap().as_ref());
    let token = |attempt: &Attempt| encode(&header, &site.claims(attempt), &key).unwrap();
    assert_eq!(refusal(site.play(token).await), Refusal::Signature);
    assert_eq!(other.calls("/jwks"), 0);
    // A good signature of an algorithm that the provider does not use.
    let mut document = site.document();
    document["id_token_signing_alg_values_supported"] = json!(["RS256"]);
    let strict = Site::new().await;
    strict.answer("/.well-known/openid-configuration", 200, {
        let mut own = strict.document();
        own["id_token_signing_alg_values_supported"] = document["id_token_signing_alg_values_supported"].clone();
        own
    });
    assert_eq!(refusal(strict.play_with(|_| {}).await), Refusal::Algorithm);
    let cut = |attempt: &Attempt| site.sign(Some("k1"), &site.claims(attempt)).rsplit_once('.').unwrap().0.to_owned();
    assert_eq!(refusal(site.play(cut).await), Refusal::Algorithm);
}

#[tokio::test]
async fn a_new_key_is_found_but_invented_ones_do_not_turn_into_calls() {
    let site = Site::new().await;
    site.play_with(|_| {}).await.unwrap();
    for _ in 0..5 {
        let token = |attempt: &Attempt| site.sign(Some("k2"), &site.claims(attempt));
        assert_eq!(refusal(site.play(token).await), Refusal::Signature);
    }
    assert_eq!(site.calls("/jwks"), 1);
    // One without a name is tried with every key; the kind of key has to fit.
    let token = |attempt: &Attempt| site.sign(None, &site.claims(attempt));
    site.play(token).await.unwrap();
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let key = EncodingKey::from_ec_der(ec.to_pkcs8v1().unwrap().as_ref());
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("k1".into());
    let token = |attempt: &Attempt| encode(&header, &site.claims(attempt), &key).unwrap();
    assert_eq!(refusal(site.play(token).await), Refusal::Signature);
}

#[tokio::test]
async fn callbacks_of_others_are_refused_before_the_code_is_spent() {
    let site = Site::new().await;
    let begun = site.provider.begin(REDIRECT).await.unwrap();
    let code = || Some("c".to_owned());
    let mixed_up = Callback { code: code(), issuer: Some("https://evil.example".into()), error: None };
    assert_eq!(refusal(site.finish(&begun.attempt, mixed_up).await), Refusal::CallbackIssuer);
    let denied = Callback { error: Some("access_denied".into()), ..Callback::default() };
    assert_eq!(refusal(site.finish(&begun.attempt, denied).await), Refusal::Reported);
    assert_eq!(refusal(site.finish(&begun.attempt, Callback::default()).await), Refusal::Form);

    let promising = Site::new().await;
    let mut document = promising.document();
    document["authorization_response_iss_parameter_supported"] = json!(true);
    promising.answer("/.well-known/openid-configuration", 200, document);
    let bare = Callback { code: code(), ..Callback::default() };
    assert_eq!(refusal(promising.finish(&begun.attempt, bare).await), Refusal::CallbackIssuer);
    assert_eq!((site.calls("/token"), promising.calls("/token")), (0, 0));

    site.answer("/token", 400, json!({ "error": "invalid_grant" }));
    let replayed = Callback { code: code(), issuer: Some(site.issuer.clone()), error: None };
    assert_eq!(refusal(site.finish(&begun.attempt, replayed).await), Refusal::Code);
}

#[tokio::test]
async fn a_document_of_another_issuer_is_refused_and_private_endpoints_elsewhere_are_not_called() {
    let site = Site::new().await;
    let mut document = site.document();
    document["issuer"] = json!("https://evil.example");
    site.answer("/.well-known/openid-configuration", 200, document);
    assert!(matches!(site.provider.begin(REDIRECT).await, Err(Error::Refused(Refusal::DiscoveredIssuer))));

    let inner = Site::new().await;
    let mut document = site.document();
    document["token_endpoint"] = json!(format!("{}/token", inner.issuer));
    site.answer("/.well-known/openid-configuration", 200, document);
    assert!(matches!(site.play_with(|_| {}).await, Err(Error::Call(_))));
    assert_eq!(inner.calls("/token"), 0);
}

#[tokio::test]
async fn the_userinfo_completes_but_must_be_the_same_person() {
    let site = Site::new().await;
    let info = |sub: &str| json!({ "sub": sub, "email": "b@example.com", "email_verified": "true" });
    let without_email = |claims: &mut Json| {
        claims.as_object_mut().unwrap().remove("email");
    };
    site.answer("/userinfo", 200, info("ann"));
    let person = site.play_with(without_email).await.unwrap();
    assert_eq!((person.email.as_deref(), person.email_verified), (Some("b@example.com"), true));
    site.answer("/userinfo", 200, info("eve"));
    assert_eq!(refusal(site.play_with(without_email).await), Refusal::Subject);
    // An unverified address stays one.
    let person = site.play_with(|claims| claims["email_verified"] = json!(false)).await.unwrap();
    assert!(!person.email_verified);
}

#[test]
fn issuers_have_tls_unless_they_are_on_loopback() {
    let client = Client::default();
    let provider = |issuer: &str| {
        let settings = Settings {
            name: "acme".into(),
            issuer: Some(issuer.into()),
            client_id: String::new(),
            client_secret: String::new(),
        };
        Provider::new(settings, client.clone()).map(|_| ())
    };
    for good in [
        "https://id.example",
        "https://id.example/tenant/",
        "http://localhost:4000",
        "http://127.0.0.1",
        "http://[::1]:1",
    ] {
        assert_eq!(provider(good), Ok(()), "{good}");
    }
    for bad in [
        "http://id.example",
        "id.example",
        "https://id.example?a=b",
        "https://u@id.example",
        "https://id.example#a",
        "ftp://a.b",
    ] {
        assert!(provider(bad).is_err(), "{bad}");
    }
}
