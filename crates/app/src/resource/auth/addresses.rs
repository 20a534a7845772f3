//! The addresses that `[auth]` names: what each may look like. An error says what was expected.

use url::{Host, Url};

/// Where an OAuth sign-in may land: a page, an app's own scheme or a loopback address (RFC 8252, 7).
pub(super) fn return_url(text: &str) -> Result<(), String> {
    let expected = || {
        "expected a URL without a fragment: \"https://app.example/in\", \"com.example.app:/in\" or \
         \"http://127.0.0.1/in\" (any port)"
            .to_owned()
    };
    let url = Url::parse(text).map_err(|_| expected())?;
    let plain = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    let good = match url.scheme() {
        "https" => url.has_host(),
        "http" => is_loopback(&url),
        // A scheme of an app is a domain turned round (RFC 8252, 7.1): `javascript:` and `data:` are none.
        scheme => scheme.contains('.'),
    };
    if plain && good { Ok(()) } else { Err(expected()) }
}

/// A page that a mailed link opens, or its path below `public_url`; its fragment will hold the secret.
pub(super) fn page(text: &str) -> Result<(), String> {
    if let Some(path) = text.strip_prefix('/') {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%/".contains(&byte);
        if !path.starts_with('/') && path.bytes().all(good) {
            return Ok(());
        }
    }
    let good = Url::parse(text).is_ok_and(|url| {
        let scheme = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
        scheme && url.has_host() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none()
    });
    if good {
        Ok(())
    } else {
        let expected = "expected an https URL without a fragment, as in \"https://app.example/reset\", or a path of \
                        `public_url`, as in \"/reset\"";
        Err(expected.into())
    }
}

/// Who issues identities, by its URL.
pub(super) fn issuer(text: &str) -> Result<(), String> {
    let good = Url::parse(text).is_ok_and(|url| {
        let scheme = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
        let bare = url.fragment().is_none() && url.query().is_none() && url.username().is_empty();
        scheme && url.has_host() && bare && url.password().is_none()
    });
    if good { Ok(()) } else { Err("expected an https URL without a query, as in \"https://id.example\"".into()) }
}

/// A relying party's domain.
pub(super) fn domain(text: &str) -> Result<(), String> {
    let same = Host::parse(text).is_ok_and(|host| matches!(&host, Host::Domain(domain) if domain == text));
    if same { Ok(()) } else { Err("expected a domain without scheme and port, as in \"example.com\"".into()) }
}

/// A page's or an app's origin that may use passkeys.
pub(super) fn passkey_origin(text: &str) -> Result<(), String> {
    if let Some(hash) = text.strip_prefix("android:apk-key-hash:") {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'/' | b'=');
        return match !hash.is_empty() && hash.bytes().all(good) {
            true => Ok(()),
            false => Err("expected the base64url of a certificate's SHA-256 after android:apk-key-hash:".into()),
        };
    }
    let good = Url::parse(text).is_ok_and(|url| {
        let scheme = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
        scheme && url.origin().ascii_serialization() == text
    });
    if good {
        Ok(())
    } else {
        Err("expected an origin, as in \"https://app.example\" or \"android:apk-key-hash:…\"".into())
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost" || domain.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
