//! What the rules of the matrix' app say, without any door.

use testkit::Person;

/// A record.
pub(super) struct Post {
    pub(super) id: String,
    pub(super) slug: String,
    pub(super) owner: String,
    pub(super) published: bool,
}

/// Somebody who tries.
#[derive(Clone)]
pub(super) struct Who {
    pub(super) name: String,
    pub(super) person: Person,
    /// Empty for who is no person.
    pub(super) id: String,
    pub(super) roles: &'static [&'static str],
    pub(super) scopes: Option<&'static [&'static str]>,
    pub(super) live: bool,
}

impl Who {
    fn admin(&self) -> bool {
        self.roles.contains(&"admin")
    }

    fn editor(&self) -> bool {
        self.admin() || self.roles.contains(&"editor")
    }

    fn is(&self, id: &str) -> bool {
        !self.id.is_empty() && self.id == id
    }

    /// Whether it is somebody, whose key reaches as far as that.
    pub(super) fn reaches(&self, resource: &str, right: &str) -> bool {
        let covers = |scope: &&str| {
            let (of, what) = scope.split_once(':').expect("a scope");
            (of == "*" || of == resource) && (what == right || what == "write" && right != "read")
        };
        self.live && self.scopes.is_none_or(|scopes| scopes.iter().any(covers))
    }

    /// The read rule alone.
    fn may_see(&self, post: &Post) -> bool {
        post.published || self.is(&post.owner) || self.editor()
    }

    pub(super) fn reads(&self, post: &Post) -> bool {
        self.reaches("posts", "read") && self.may_see(post)
    }

    pub(super) fn reads_remark(&self, post: &Post) -> bool {
        self.reads(post) && (self.is(&post.owner) || self.admin())
    }

    pub(super) fn reads_person(&self, id: &str) -> bool {
        self.reaches("users", "read") && (self.is(id) || self.editor())
    }

    pub(super) fn updates(&self, post: &Post) -> bool {
        self.reaches("posts", "update") && self.may_see(post) && (self.is(&post.owner) || self.editor())
    }

    pub(super) fn updates_remark(&self, post: &Post) -> bool {
        self.updates(post) && self.editor()
    }

    pub(super) fn deletes(&self, post: &Post) -> bool {
        self.reaches("posts", "delete") && (self.is(&post.owner) || self.admin())
    }

    pub(super) fn creates_for(&self, owner: &str) -> bool {
        self.reaches("posts", "create") && (self.is(owner) || self.admin())
    }

    /// The status of a read of one record.
    pub(super) fn status(&self, readable: bool, resource: &str, good: u16) -> u16 {
        match (self.live, self.reaches(resource, "read"), readable) {
            (false, ..) => 401,
            (_, false, _) => 403,
            (.., false) => 404,
            (.., true) => good,
        }
    }
}
