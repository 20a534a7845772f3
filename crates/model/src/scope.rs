//! What an API key is confined to: `posts:read`, `orders:write`, `*:read`.

use std::{fmt, sync::Arc};

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Right {
    /// Reading, listing, listening.
    Read,
    /// New records.
    Create,
    /// Changes.
    Update,
    /// Deletions.
    Delete,
}

impl Right {
    /// Its name, as in `[access]`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// Scopes narrow what roles and rules allow; they never widen it. None at all allow nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Scopes {
    /// Sorted, each once.
    scopes: Arc<[Scope]>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Scope {
    /// None for `*`.
    resource: Option<String>,
    /// None for `write`: everything but reading.
    right: Option<Right>,
}

/// The words that may follow the colon.
const RIGHTS: [(&str, Option<Right>); 5] = [
    ("read", Some(Right::Read)),
    ("write", None),
    ("create", Some(Right::Create)),
    ("update", Some(Right::Update)),
    ("delete", Some(Right::Delete)),
];

impl Scopes {
    /// Reads `RESOURCE:RIGHT`, where `*` is any resource, and `write` is create, update and delete together.
    ///
    /// # Errors
    /// The first text that is no scope.
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, NoScope> {
        let mut scopes = Vec::new();
        for text in texts {
            let text = text.as_ref();
            let no_scope = || NoScope(text.to_owned());
            let (resource, right) = text.split_once(':').ok_or_else(no_scope)?;
            let (_, right) = RIGHTS.iter().find(|(word, _)| *word == right).ok_or_else(no_scope)?;
            let named = resource.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            let resource = match resource {
                "*" => None,
                "" => return Err(no_scope()),
                name if named => Some(name.to_owned()),
                _ => return Err(no_scope()),
            };
            scopes.push(Scope { resource, right: *right });
        }
        scopes.sort();
        scopes.dedup();
        Ok(Self { scopes: scopes.into() })
    }

    /// Whether these reach as far as this.
    #[must_use]
    pub fn allow(&self, resource: &str, right: Right) -> bool {
        self.scopes.iter().any(|scope| {
            scope.resource.as_deref().is_none_or(|named| named == resource)
                && scope.right.map_or(right != Right::Read, |one| one == right)
        })
    }

    /// The resources that are named, each once; `*` is no name.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().filter_map(|scope| scope.resource.as_deref())
    }

    /// As they were written, in a fixed order.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        let word = |right: Option<Right>| right.map_or("write", Right::name);
        let text = |scope: &Scope| format!("{}:{}", scope.resource.as_deref().unwrap_or("*"), word(scope.right));
        self.scopes.iter().map(text).collect()
    }
}

/// A text that is no scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoScope(pub String);

impl fmt::Display for NoScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = RIGHTS.iter().map(|(word, _)| *word).collect();
        write!(
            formatter,
            "{:?} is no scope: expected a resource or `*`, a colon, and one of {}, as in \"posts:read\"",
            self.0,
            words.join(", ")
        )
    }
}

impl std::error::Error for NoScope {}

#[cfg(test)]
mod tests {
    use super::{Right, Scopes};

    #[test]
    fn scopes_reach_as_far_as_they_say() {
        let scopes = Scopes::parse(["posts:write", "*:read", "notes:delete", "*:read"]).unwrap();
        assert_eq!(scopes.texts(), ["*:read", "notes:delete", "posts:write"]);
        assert!(scopes.allow("posts", Right::Create) && scopes.allow("posts", Right::Delete));
        assert!(scopes.allow("notes", Right::Read) && scopes.allow("notes", Right::Delete));
        assert!(!scopes.allow("notes", Right::Update) && !scopes.allow("comments", Right::Create));
        assert!(!Scopes::parse(["posts:write"]).unwrap().allow("posts", Right::Read), "writing is not reading");
        assert!(!Scopes::default().allow("posts", Right::Read), "no scope is no right");
    }

    #[test]
    fn what_is_no_scope_is_named() {
        for text in ["posts", "posts:", ":read", "posts:reads", "Posts:read", "posts:read:write", "*", "a b:read"] {
            assert!(Scopes::parse([text]).unwrap_err().to_string().contains(text), "{text}");
        }
    }
}
