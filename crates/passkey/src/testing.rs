//! An authenticator in software, with a browser that does as it is told: for tests.

#![expect(clippy::expect_used, reason = "these are for tests")]

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

/// The user was there.
const PRESENT: u8 = 1;
/// The user was verified.
const VERIFIED: u8 = 1 << 2;
/// The public key follows.
const ATTESTED: u8 = 1 << 6;

/// An authenticator with one passkey.
#[derive(Debug)]
pub struct Authenticator {
    /// What the browser says the page's origin is.
    pub origin: String,
    /// Whether it asks its user to prove that it is them.
    pub verifies_user: bool,
    /// How often it has signed; 0 always where it does not count.
    pub counter: u32,
    key: EcdsaKeyPair,
    id: Vec<u8>,
    handle: String,
    rp_id: String,
}

impl Authenticator {
    /// A new one in a browser that shows a page of this origin.
    #[must_use]
    pub fn new(origin: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        let id = Sha256::digest(key.public_key().as_ref()).to_vec();
        Self {
            origin: origin.to_owned(),
            verifies_user: true,
            counter: 0,
            key,
            id,
            handle: String::new(),
            rp_id: String::new(),
        }
    }

    /// Makes its passkey, as `navigator.credentials.create` does.
    pub fn register(&mut self, options: &Json) -> Json {
        let options = &options["publicKey"];
        self.rp_id = text(&options["rp"]["id"]);
        self.handle = text(&options["user"]["id"]);
        let point = self.key.public_key().as_ref();
        let mut data = self.data(ATTESTED);
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(&u16::try_from(self.id.len()).expect("a short id").to_be_bytes());
        data.extend_from_slice(&self.id);
        // COSE: {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y}
        data.extend_from_slice(&[0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend_from_slice(&point[1..33]);
        data.extend_from_slice(&[0x22, 0x58, 0x20]);
        data.extend_from_slice(&point[33..65]);
        // {"fmt": "none", "attStmt": {}, "authData": data}
        let mut object = vec![0xa3, 0x63];
        object.extend_from_slice(b"fmt\x64none\x67attStmt\xa0\x68authData\x58");
        object.push(u8::try_from(data.len()).expect("short data"));
        object.extend_from_slice(&data);
        let client = self.client("webauthn.create", options);
        self.credential(&json!({ "attestationObject": encode(&object), "clientDataJSON": encode(client.as_bytes()) }))
    }

    /// Signs in with its passkey, as `navigator.credentials.get` does.
    pub fn sign_in(&mut self, options: &Json) -> Json {
        if self.counter > 0 {
            self.counter += 1;
        }
        let data = self.data(0);
        let client = self.client("webauthn.get", &options["publicKey"]);
        let signed = [data.as_slice(), &Sha256::digest(client.as_bytes())].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).expect("a signature");
        self.credential(&json!({
            "authenticatorData": encode(&data), "clientDataJSON": encode(client.as_bytes()),
            "signature": encode(signature.as_ref()), "userHandle": self.handle,
        }))
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let verified = if self.verifies_user { VERIFIED } else { 0 };
        let mut data = Sha256::digest(self.rp_id.as_bytes()).to_vec();
        data.push(flags | PRESENT | verified);
        data.extend_from_slice(&self.counter.to_be_bytes());
        data
    }

    fn client(&self, kind: &str, options: &Json) -> String {
        json!({ "type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": false })
            .to_string()
    }

    fn credential(&self, response: &Json) -> Json {
        let id = encode(&self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "response": response, "extensions": {} })
    }
}

fn text(json: &Json) -> String {
    json.as_str().unwrap_or_default().to_owned()
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
