//! What may be a secret, hidden before a line of it is shown.

/// The same text, byte for byte as long, with what may be a secret made of stars: passwords in URLs, and the values of keys
/// that sound like secrets. A diagnostic about settings shows lines of this, never of the file.
pub(crate) fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        mask_line(line, &mut masked);
    }
    masked
}

/// The same for a file of `resources/`, where only `client_secret` holds one: whatever is quoted after it on its line.
pub(crate) fn mask_client_secrets(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let value = line.find("client_secret").map(|at| at + "client_secret".len());
        let quote = value.and_then(|from| line[from..].find(['"', '\'']).map(|at| from + at));
        match quote {
            // `client_secret = { env = "NAME" }` names where the secret is.
            Some(quote) if !line[value.unwrap_or(0)..quote].contains('{') => {
                masked.push_str(&line[..quote]);
                push_stars(&line[quote..], &mut masked);
            }
            _ => masked.push_str(line),
        }
    }
    masked
}

fn mask_line(line: &str, masked: &mut String) {
    const TELLTALES: [&str; 4] = ["secret", "password", "token", "master_key"];
    if let Some((key, value)) = line.split_once('=')
        && TELLTALES.iter().any(|telltale| key.to_ascii_lowercase().contains(telltale))
        && !value.trim_start().starts_with('{')
    {
        masked.push_str(key);
        masked.push('=');
        push_stars(value, masked);
        return;
    }
    // Whatever stands between quotes and has an `@` may be a URL with a password, well-formed or not.
    let mut rest = line;
    while let Some(end) = rest.find(['"', '\'']) {
        let (text, after) = rest.split_at(end);
        mask_url(text, masked);
        masked.push_str(&after[..1]);
        rest = &after[1..];
    }
    mask_url(rest, masked);
}

/// What stands between the user's `:` (or, without one, the scheme) and the last `@`, and any `password=` in the query.
fn mask_url(url: &str, masked: &mut String) {
    let mut rest = url;
    if let Some(at) = url.rfind('@') {
        let scheme =
            url[..at].find("//").map(|slashes| slashes + 2).or_else(|| url[..at].find(':').map(|colon| colon + 1));
        let scheme = scheme.unwrap_or(0);
        let user = url[scheme..at].find(':').map_or(scheme, |colon| scheme + colon + 1);
        masked.push_str(&url[..user]);
        push_stars(&url[user..at], masked);
        rest = &url[at..];
    }
    while let Some(start) = rest.find("password=").map(|found| found + "password=".len()) {
        masked.push_str(&rest[..start]);
        let end = rest[start..].find('&').map_or(rest.len(), |found| start + found);
        push_stars(&rest[start..end], masked);
        rest = &rest[end..];
    }
    masked.push_str(rest);
}

fn push_stars(hidden: &str, masked: &mut String) {
    for byte in hidden.bytes() {
        masked.push(if byte == b'\n' || byte == b'\r' { byte as char } else { '*' });
    }
}
