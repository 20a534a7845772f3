//! Session cookies: their names, and from which pages a request that carries one is taken.

use url::Url;

/// How long a browser keeps the cookie: seconds (400 days, the most that browsers take). The session itself may end sooner.
const AGE: u32 = 34_560_000;
const DEVICE_AGE: u32 = 15_552_000;
/// How long a browser that has begun a sign-in with a provider is known by: seconds.
const BROWSER_AGE: u32 = 3_600;

/// Cookies by the `public_url` alone.
#[derive(Debug, Clone)]
pub struct Cookies {
    names: Option<Names>,
    own: String,
    others: Vec<String>,
}

#[derive(Debug, Clone)]
struct Names {
    session: String,
    device: String,
    browser: String,
    secure: bool,
}

impl Cookies {
    /// By `public_url`; pages of `others` may send it, too.
    #[must_use]
    pub fn new(public_url: &str, others: &[String]) -> Self {
        let url = Url::parse(public_url).ok();
        let own = url.as_ref().map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        let names = url.as_ref().and_then(|url| {
            let host = url.host_str()?.trim_matches(['[', ']']);
            let loopback = host == "localhost"
                || host.ends_with(".localhost")
                || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
            match url.scheme() {
                "https" => {
                    let session = "__Host-mainstay".to_owned();
                    let (device, browser) = (format!("{session}-device"), format!("{session}-oauth"));
                    Some(Names { device, browser, session, secure: true })
                }
                // Browsers don't tell ports of a host apart, so the names do.
                "http" if loopback => {
                    let port = url.port_or_known_default()?;
                    let session = format!("mainstay_{port}");
                    let (device, browser) = (format!("{session}_device"), format!("{session}_oauth"));
                    Some(Names { device, browser, session, secure: false })
                }
                _ => None,
            }
        });
        let others = others.iter().filter(|origin| !matches!(origin.as_str(), "*" | "null")).cloned().collect();
        Self { names, own, others }
    }

    /// Whether there can be cookies at all: over http they would be anybody's on the way.
    #[must_use]
    pub fn are_possible(&self) -> bool {
        self.names.is_some()
    }

    /// What the session cookie is called; none where there can be none.
    #[must_use]
    pub fn session_name(&self) -> Option<&str> {
        self.names.as_ref().map(|names| names.session.as_str())
    }

    /// The session cookie among all that came (`Cookie`).
    #[must_use]
    pub fn session<'a>(&self, all: &'a str) -> Option<&'a str> {
        find(all, &self.names.as_ref()?.session)
    }

    /// The device cookie among all that came.
    #[must_use]
    pub fn device<'a>(&self, all: &'a str) -> Option<&'a str> {
        find(all, &self.names.as_ref()?.device)
    }

    /// What marks the browser that began a sign-in with a provider, among all that came.
    #[must_use]
    pub fn browser<'a>(&self, all: &'a str) -> Option<&'a str> {
        find(all, &self.names.as_ref()?.browser)
    }

    /// `Set-Cookie` for that mark.
    #[must_use]
    pub fn set_browser(&self, text: &str) -> Option<String> {
        let names = self.names.as_ref()?;
        Some(names.write(&names.browser, text, BROWSER_AGE))
    }

    /// `Set-Cookie` for a session.
    #[must_use]
    pub fn set(&self, text: &str) -> Option<String> {
        let names = self.names.as_ref()?;
        Some(names.write(&names.session, text, AGE))
    }

    /// `Set-Cookie` for a device.
    #[must_use]
    pub fn set_device(&self, text: &str) -> Option<String> {
        let names = self.names.as_ref()?;
        Some(names.write(&names.device, text, DEVICE_AGE))
    }

    /// `Set-Cookie` that takes the session's away.
    #[must_use]
    pub fn clear(&self) -> Option<String> {
        let names = self.names.as_ref()?;
        Some(names.write(&names.session, "", 0))
    }

    /// Whether an unsafe request that carries or asks for a cookie comes from a page of ours (`Origin`, else
    /// `Sec-Fetch-Site`).
    #[must_use]
    pub fn admit(&self, origin: Option<&str>, site: Option<&str>) -> bool {
        match origin {
            Some(origin) => origin == self.own || self.others.iter().any(|other| other == origin),
            None => site == Some("same-origin"),
        }
    }
}

impl Names {
    fn write(&self, name: &str, value: &str, age: u32) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}")
    }
}

fn find<'a>(all: &'a str, name: &str) -> Option<&'a str> {
    all.split(';').find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::Cookies;

    #[test]
    fn the_public_url_alone_decides_on_the_cookie() {
        let cookie = |url: &str| Cookies::new(url, &[]).set("x").unwrap_or_default();
        assert_eq!(
            cookie("https://shop.example"),
            "__Host-mainstay=x; Path=/; HttpOnly; SameSite=Lax; Max-Age=34560000; Secure"
        );
        assert_eq!(
            cookie("http://localhost:8080"),
            "mainstay_8080=x; Path=/; HttpOnly; SameSite=Lax; Max-Age=34560000"
        );
        assert!(cookie("http://127.0.0.1").starts_with("mainstay_80="));
        assert!(cookie("http://[::1]:3000").starts_with("mainstay_3000="));
        assert_eq!(cookie("http://shop.example"), "");
    }

    #[test]
    fn only_pages_of_ours_may_send_it() {
        let others = ["https://app.example", "*", "null"].map(str::to_owned);
        let cookies = Cookies::new("https://shop.example/base", &others);
        for (origin, site, good) in [
            (Some("https://shop.example"), None, true),
            (Some("https://app.example"), Some("cross-site"), true),
            (Some("https://shop.example.evil.example"), Some("same-origin"), false),
            (Some("https://shop.example:8443"), Some("same-origin"), false),
            (Some("null"), Some("same-origin"), false),
            (Some("*"), None, false),
            (Some(""), Some("same-origin"), false),
            (None, Some("same-origin"), true),
            (None, Some("same-site"), false),
            (None, Some("none"), false),
            (None, None, false),
        ] {
            assert_eq!(cookies.admit(origin, site), good, "{origin:?} {site:?}");
        }
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let cookies = Cookies::new("http://localhost:8080", &[]);
        assert_eq!(cookies.session("a=b; mainstay_80801=no; mainstay_8080=yes; mainstay_8080_device=d"), Some("yes"));
        assert_eq!(cookies.device("mainstay_8080_device=d"), Some("d"));
        assert_eq!(cookies.session("xmainstay_8080=no"), None);
    }
}
