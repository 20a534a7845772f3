//! Which paths a rate is for.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// `POST /api/*/events`: a method or any, segments that are a word or any, and whether more may follow.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    method: Option<String>,
    segments: Vec<Option<String>>,
    /// Whether it ends with `*`, which stands for one segment or more.
    open: bool,
}

impl Pattern {
    /// Reads a pattern; the last `*` stands for everything below.
    pub(super) fn parse(text: &str) -> Self {
        let (method, path) = match text.split_once(' ') {
            Some((method, path)) => (Some(method.to_ascii_uppercase()), path.trim_start()),
            None => (None, text),
        };
        let path = plain(path);
        let mut segments: Vec<Option<String>> =
            path.split('/').skip(1).map(|segment| (segment != "*").then(|| segment.to_owned())).collect();
        let open = matches!(segments.last(), Some(None));
        if open {
            segments.pop();
        }
        Self { method, segments, open }
    }

    /// Whether a request falls under it. `path` is plain. A HEAD is a GET.
    pub(super) fn holds(&self, method: &str, path: &str) -> bool {
        if let Some(own) = &self.method
            && own != method
            && !(own == "GET" && method == "HEAD")
        {
            return false;
        }
        let mut rest = path.split('/').skip(1);
        for own in &self.segments {
            match (own, rest.next()) {
                (_, None) => return false,
                (Some(own), Some(other)) if own != other => return false,
                _ => {}
            }
        }
        rest.next().is_some() == self.open
    }
}

/// A path as rates see it, so that no other way to write it walks around them: percent-decoded, in lower case, without
/// empty segments, a slash at the end, `.`, or what `..` takes back.
pub(super) fn plain(path: &str) -> Cow<'_, str> {
    let path = path.split('?').next().unwrap_or("");
    let ordinary = path.starts_with('/')
        && !path.ends_with('/')
        && !path.bytes().any(|byte| byte == b'%' || byte.is_ascii_uppercase())
        && !path.contains("//")
        && !path.contains("/.")
        && !path.contains('\\');
    if ordinary {
        return Cow::Borrowed(path);
    }
    let decoded = percent_decode_str(path).decode_utf8_lossy().to_lowercase();
    let mut segments: Vec<&str> = Vec::new();
    for segment in decoded.split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    Cow::Owned(format!("/{}", segments.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_hold_for_what_they_say() {
        let holds = |pattern: &str, method: &str, path: &str| Pattern::parse(pattern).holds(method, &plain(path));
        for (pattern, method, path, is) in [
            ("/auth/*", "POST", "/auth/sign-in", true),
            ("/auth/*", "POST", "/auth/password/reset", true),
            ("/auth/*", "POST", "/auth", false),
            ("/auth/*", "POST", "/authors/1", false),
            ("/*", "GET", "/", true),
            ("/*", "GET", "/api/a/b", true),
            ("*", "GET", "/api/a/b", true),
            ("/api/orders", "POST", "/api/orders", true),
            ("/api/orders", "POST", "/api/orders/1", false),
            ("POST /api/orders", "GET", "/api/orders", false),
            ("post /api/orders", "POST", "/api/orders", true),
            ("GET /api/orders", "HEAD", "/api/orders", true),
            ("/api/*/events", "GET", "/api/orders/events", true),
            ("/api/*/events", "GET", "/api/orders/1", false),
            ("/api/*/events", "GET", "/api/events", false),
        ] {
            assert_eq!(holds(pattern, method, path), is, "{pattern} {method} {path}");
        }
    }

    #[test]
    fn no_way_to_write_a_path_walks_around() {
        for path in [
            "/auth/sign-in",
            "//auth//sign-in",
            "/AUTH/Sign-In",
            "/auth/sign-in/",
            "/%61uth/sign%2Din",
            "/%61uth%2fsign-in",
            "/./auth/./sign-in",
            "/x/../auth/sign-in",
            "/x/%2e%2E/auth/sign-in",
            "auth/sign-in",
            "/auth/sign-in?x=/y",
            "/auth\\sign-in",
        ] {
            assert_eq!(plain(path), "/auth/sign-in", "{path}");
        }
    }
}
