//! Signatures of webhooks, by the rules of Standard Webhooks (standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// What stands before a secret, so that one that leaked is recognised.
const PREFIX: &str = "whsec_";
/// The fewest and most bytes of a secret.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The key that a secret stands for: `whsec_` and 24 to 64 bytes in base64. None for anything else.
#[must_use]
pub fn key_of(secret: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    BYTES.contains(&key.len()).then_some(key)
}

/// The value of `webhook-signature`; none where the secret is none.
#[must_use]
pub fn sign(secret: &str, id: &str, timestamp: i64, body: &str) -> Option<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key_of(secret)?);
    let tag = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    Some(format!("v1,{}", STANDARD.encode(tag.as_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_comes_out() {
        let body = r#"{"test": 2432232314}"#;
        let signed =
            sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn a_secret_has_its_prefix_and_enough_bytes() {
        assert!(key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_some());
        for wrong in ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_c2hvcnQ=", "whsec_no base64"] {
            assert!(key_of(wrong).is_none(), "{wrong}");
        }
    }
}
