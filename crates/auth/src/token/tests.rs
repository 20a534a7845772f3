//! Tokens that were made by others, or for others, or in another way.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value as Json, json};

use super::{Claims, Parties, Signer, Verifier, verify};

const NOW: i64 = 1_900_000_000;

struct World {
    pkcs8: Vec<u8>,
    public: Vec<u8>,
    signer: Signer,
    keys: Vec<Verifier>,
    parties: Parties,
}

fn world() -> World {
    let pkcs8 = Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap().as_ref().to_vec();
    let public = Ed25519KeyPair::from_pkcs8(&pkcs8).unwrap().public_key().as_ref().to_vec();
    let signer = Signer::new("k1".to_owned(), &pkcs8);
    let keys = vec![Verifier::new("k1".to_owned(), &public)];
    let parties = Parties { issuer: "https://a.example".to_owned(), audience: "https://api.example".to_owned() };
    World { pkcs8, public, signer, keys, parties }
}

fn claims() -> Claims {
    Claims {
        iss: "https://a.example".to_owned(),
        aud: "https://api.example".to_owned(),
        sub: "7".to_owned(),
        sid: "s".to_owned(),
        iat: NOW - 10,
        exp: NOW + 600,
        auth_time: NOW - 10,
        amr: vec!["pwd".to_owned()],
        roles: Vec::new(),
    }
}

impl World {
    fn takes(&self, token: &str) -> bool {
        verify(token, &self.keys, &self.parties, NOW).is_ok()
    }

    /// Signs whatever header and claims with our own key.
    fn forge(&self, header: &Json, claims: &Json) -> String {
        let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let pair = Ed25519KeyPair::from_pkcs8(&self.pkcs8).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes()).as_ref()))
    }

    fn with_header(&self, key: &str, value: Json) -> String {
        let mut header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k1"});
        header[key] = value;
        self.forge(&header, &serde_json::to_value(claims()).unwrap())
    }

    fn with_claim(&self, key: &str, value: Json) -> String {
        let mut claims = serde_json::to_value(claims()).unwrap();
        claims[key] = value;
        self.forge(&json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k1"}), &claims)
    }
}

#[test]
fn what_we_signed_is_taken() {
    let world = world();
    let token = world.signer.sign(&claims()).unwrap();
    assert_eq!(verify(&token, &world.keys, &world.parties, NOW).unwrap(), claims());
    assert!(world.takes(&world.with_header("typ", json!("application/AT+JWT"))));
}

#[test]
fn a_token_does_not_choose_how_it_is_verified() {
    let world = world();
    let body = URL_SAFE_NO_PAD.encode(serde_json::to_string(&claims()).unwrap());
    for alg in ["none", "None", "NONE"] {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": alg, "typ": "at+jwt", "kid": "k1"}).to_string());
        assert!(!world.takes(&format!("{header}.{body}.")), "{alg}");
        assert!(!world.takes(&format!("{header}.{body}.AAAA")), "{alg}");
    }
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some("k1".to_owned());
    let confused = encode(&header, &claims(), &EncodingKey::from_secret(&world.public)).unwrap();
    assert!(!world.takes(&confused), "HS256 with the public key as its secret");
    assert!(!world.takes(&world.with_header("alg", json!("ES256"))));
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": URL_SAFE_NO_PAD.encode(&world.public)});
    for (name, value) in [
        ("jku", json!("https://evil.example/jwks.json")),
        ("jwk", jwk),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["AAAA"])),
        ("crit", json!(["exp"])),
        ("zip", json!("DEF")),
    ] {
        assert!(!world.takes(&world.with_header(name, value)), "{name}");
    }
}

#[test]
fn a_token_of_another_kind_or_for_others_is_refused() {
    let world = world();
    for kind in [json!("JWT"), json!("id+jwt"), json!(null)] {
        assert!(!world.takes(&world.with_header("typ", kind)));
    }
    for (name, value) in [
        ("iss", json!("https://b.example")),
        ("aud", json!("https://other.example")),
        ("aud", json!(null)),
        ("exp", json!(NOW)),
        ("exp", json!(null)),
        ("iat", json!(NOW + 60)),
        ("sub", json!(null)),
        ("sid", json!(null)),
    ] {
        assert!(!world.takes(&world.with_claim(name, value.clone())), "{name} {value}");
    }
    assert!(world.takes(&world.with_claim("extra", json!(1))));
}

#[test]
fn another_key_or_another_text_is_refused() {
    let (world, other) = (world(), self::world());
    let token = world.signer.sign(&claims()).unwrap();
    assert!(!other.takes(&token));
    assert!(!world.takes(&world.with_header("kid", json!("k2"))));
    assert!(!world.takes(&world.with_header("kid", json!(null))));
    let (head, tail) = token.rsplit_once('.').unwrap();
    assert!(!world.takes(&format!("{head}.")));
    assert!(!world.takes(&format!("{}A.{tail}", &head[..head.len() - 1])));
    assert!(!world.takes("eyJ.eyJ.x"));
}
