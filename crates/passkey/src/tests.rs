//! Ceremonies with an authenticator in software, good ones and bad ones.

use serde_json::Value as Json;
use uuid::Uuid;

use crate::{Error, Owner, Passkeys, Registered, testing::Authenticator};

const ORIGIN: &str = "https://app.example.com";
const HANDLE: Uuid = Uuid::from_u128(7);

fn site() -> Passkeys {
    Passkeys::new("example.com", "Shop", &[ORIGIN.to_owned(), "android:apk-key-hash:abc".to_owned()]).unwrap()
}

fn owner(existing: Vec<Vec<u8>>) -> Owner<'static> {
    Owner { handle: HANDLE, name: "ann@example.com", display_name: "Ann", existing }
}

fn register(site: &Passkeys, device: &mut Authenticator) -> Result<Registered, Error> {
    let begun = site.begin_registration(owner(Vec::new())).unwrap();
    site.finish_registration(&device.register(&begun.options), &begun.state)
}

fn sign_in(site: &Passkeys, device: &mut Authenticator, passkey: &str) -> Result<Option<String>, Error> {
    let begun = site.begin_sign_in().unwrap();
    site.finish_sign_in(&device.sign_in(&begun.options), &begun.state, passkey)
}

#[test]
fn a_passkey_signs_in_without_a_name() {
    let (site, mut device) = (site(), Authenticator::new(ORIGIN));
    let begun = site.begin_registration(owner(vec![vec![1, 2, 3]])).unwrap();
    let options = &begun.options["publicKey"];
    assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(options["excludeCredentials"][0]["id"], "AQID");
    assert_eq!(options["rp"]["id"], "example.com");
    let passkey = site.finish_registration(&device.register(&begun.options), &begun.state).unwrap();

    let begun = site.begin_sign_in().unwrap();
    assert_eq!(begun.options.get("mediation").filter(|mediation| !mediation.is_null()), None);
    assert_eq!(begun.options["publicKey"]["allowCredentials"], Json::Array(Vec::new()));
    let answer = device.sign_in(&begun.options);
    let claimed = site.claimed(&answer).unwrap();
    assert_eq!((claimed.handle, &claimed.credential_id), (HANDLE, &passkey.credential_id));
    assert_eq!(site.finish_sign_in(&answer, &begun.state, &passkey.credential).unwrap(), None);
    // Native apps name their package.
    device.origin = "android:apk-key-hash:abc".to_owned();
    assert!(sign_in(&site, &mut device, &passkey.credential).is_ok());
}

#[test]
fn answers_that_are_not_as_they_have_to_be_are_refused() {
    let site = site();
    let mut device = Authenticator::new(ORIGIN);
    let passkey = register(&site, &mut device).unwrap().credential;
    let refused = |outcome: Result<Option<String>, Error>| {
        assert!(matches!(outcome, Err(Error::Refused(_))), "{outcome:?}");
    };
    for origin in
        ["https://example.com.evil.example", "https://evil.example", "http://app.example.com", "https://b.example.com"]
    {
        device.origin = origin.to_owned();
        refused(sign_in(&site, &mut device, &passkey));
        let mut other = Authenticator::new(origin);
        assert!(matches!(register(&site, &mut other), Err(Error::Refused(_))), "{origin}");
    }
    device.origin = ORIGIN.to_owned();
    device.verifies_user = false;
    refused(sign_in(&site, &mut device, &passkey));
    let mut careless = Authenticator::new(ORIGIN);
    careless.verifies_user = false;
    assert!(matches!(register(&site, &mut careless), Err(Error::Refused(_))));
    device.verifies_user = true;
    // The answer to another challenge.
    let (first, second) = (site.begin_sign_in().unwrap(), site.begin_sign_in().unwrap());
    refused(site.finish_sign_in(&device.sign_in(&first.options), &second.state, &passkey));
    // Another's passkey.
    let mut other = Authenticator::new(ORIGIN);
    register(&site, &mut other).unwrap();
    refused(sign_in(&site, &mut other, &passkey));
    // Something else altogether.
    assert!(matches!(site.finish_sign_in(&Json::Null, &first.state, &passkey), Err(Error::Form)));
    assert!(matches!(site.finish_sign_in(&device.sign_in(&first.options), "{}", &passkey), Err(Error::State)));
}

#[test]
fn a_counter_that_runs_backwards_is_a_copy() {
    let (site, mut device) = (site(), Authenticator::new(ORIGIN));
    device.counter = 5;
    let passkey = register(&site, &mut device).unwrap().credential;
    let passkey = sign_in(&site, &mut device, &passkey).unwrap().unwrap();
    device.counter = 3;
    assert!(matches!(sign_in(&site, &mut device, &passkey), Err(Error::Refused(_))));
    device.counter = 20;
    assert!(sign_in(&site, &mut device, &passkey).unwrap().is_some());
}

#[test]
fn origins_lie_within_the_relying_party() {
    let site = |rp_id: &str, origins: &[&str]| {
        let origins: Vec<String> = origins.iter().map(|origin| (*origin).to_owned()).collect();
        Passkeys::new(rp_id, "Shop", &origins).map(|_| ())
    };
    assert!(site("localhost", &["http://localhost:8080"]).is_ok());
    assert!(site("example.com", &["https://example.com", "https://a.b.example.com:8443"]).is_ok());
    for (rp_id, origins) in [
        ("example.com", &["https://evil.example"] as &[&str]),
        ("example.com", &["https://badexample.com"]),
        ("example.com", &["https://example.com", "https://badexample.com"]),
        ("127.0.0.1", &["http://127.0.0.1:8080"]),
        ("example.com", &["android:apk-key-hash:abc"]),
        ("example.com", &["ftp://example.com"]),
        ("example.com", &[]),
    ] {
        assert!(matches!(site(rp_id, origins), Err(Error::Settings(_))), "{rp_id} {origins:?}");
    }
}
