//! The people who sign in: which resource holds them, what its `[auth]` table says, and what roles include.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    caller::Identity,
    field::FieldIndex,
    resource::{Resource, Schema},
    secret::Secret,
    value::{Record, Value},
};

/// The built-in role that passes every access rule.
pub const ADMIN: &str = "admin";

/// `[auth]` of the resource whose records are people.
#[derive(Debug, Clone, PartialEq)]
pub struct IdentitySettings {
    /// The fields that every person has.
    pub fields: PersonFields,
    /// Who may make an account.
    pub sign_up: SignUp,
    /// Whether nobody is in before the code that was mailed.
    pub verify_email: bool,
    /// The ways to sign in, in the order of the file; never empty.
    pub methods: Vec<Method>,
    /// How long an access token is good, 1 s to 24 h.
    pub access_ttl: Duration,
    /// How long a session lives without being used, 1 s to 3,650 d.
    pub session_ttl: Duration,
    /// How long it lives at most, `session_ttl` to 3,650 d.
    pub session_max: Duration,
    /// How long passwords are.
    pub password: PasswordLimits,
    /// `aud` of access tokens; `public_url` where absent.
    pub audience: Option<String>,
    /// Where an OAuth sign-in may land.
    pub return_urls: Vec<String>,
    /// Which of the fields others may see who may read the record.
    pub expose: Vec<FieldIndex>,
    /// The pages that mailed links open.
    pub links: Links,
    /// `[auth.passkey]`
    pub passkey: PasskeySettings,
    /// `[auth.oauth.NAME]`, in the order of their names.
    pub oauth: Vec<OAuthProvider>,
}

/// Where the fields of a person stand in its resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PersonFields {
    /// Unique without regard to case; null for machines.
    pub email: FieldIndex,
    /// Whether the address has been proved.
    pub email_verified: FieldIndex,
    /// The roles that administrators gave.
    pub roles: FieldIndex,
    /// Whether this person is nobody for the time being.
    pub disabled: FieldIndex,
    /// A JSON object that administrators write.
    pub claims: FieldIndex,
}

/// The names of a person's fields, in the order of the answer.
pub const PERSON_FIELDS: [&str; 5] = ["email", "email_verified", "roles", "disabled", "claims"];

/// `sign_up`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignUp {
    /// Anybody.
    Open,
    /// Who brings an invitation.
    Invite,
    /// Nobody.
    Closed,
}

/// A way to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// E-mail and password.
    Password,
    /// A code that is mailed.
    EmailCode,
    /// Another site's sign-in.
    OAuth,
    /// A passkey.
    Passkey,
}

impl Method {
    /// Every method and its name in the file.
    pub const ALL: [(&'static str, Self); 4] = [
        ("password", Self::Password),
        ("email_code", Self::EmailCode),
        ("oauth", Self::OAuth),
        ("passkey", Self::Passkey),
    ];
}

/// `password = { min, max }`, in code points after NFC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordLimits {
    /// The fewest, 1 to `max`.
    pub min: usize,
    /// The most, to 1,024.
    pub max: usize,
}

/// `[auth.links]`: the app's own pages, by URL or by path below `public_url`; the server's where absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// Where a new password is set.
    pub reset: Option<String>,
    /// Where an invitation is taken.
    pub invite: Option<String>,
}

/// `[auth.passkey]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PasskeySettings {
    /// The relying party's domain; `public_url`'s host where absent.
    pub rp_id: Option<String>,
    /// The origins that may use passkeys; empty for `public_url`'s and the `cors_origins` under the domain.
    pub origins: Vec<String>,
}

/// `[auth.oauth.NAME]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthProvider {
    /// Its name in paths.
    pub name: String,
    /// The issuer, by whose discovery document it is known; absent for `github`, which is built in.
    pub issuer: Option<String>,
    /// Our id there.
    pub client_id: String,
    /// Our secret there.
    pub client_secret: Option<Secret>,
    /// Whether its verified e-mail is trusted to find an account.
    pub link_by_email: bool,
}

/// `[roles]`: what each role includes. A role that is not declared includes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    includes: BTreeMap<String, Vec<String>>,
}

impl Roles {
    /// From what each declared role includes directly. Names must be known and cycles absent; a cycle ends where it began.
    #[must_use]
    pub fn new(includes: BTreeMap<String, Vec<String>>) -> Self {
        Self { includes }
    }

    /// The declared roles, in the order of their names; `admin` is built in and need not be among them.
    pub fn declared(&self) -> impl Iterator<Item = &str> {
        self.includes.keys().map(String::as_str)
    }

    /// These roles and all that they include, sorted, each once.
    #[must_use]
    pub fn closure<'a>(&'a self, roles: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut found: Vec<&str> = Vec::new();
        let mut next: Vec<&str> = roles.into_iter().collect();
        while let Some(role) = next.pop() {
            if !found.contains(&role) {
                found.push(role);
                next.extend(self.includes.get(role).into_iter().flatten().map(String::as_str));
            }
        }
        found.sort_unstable();
        found.into_iter().map(str::to_owned).collect()
    }

    /// Every role that makes its holder an administrator: `admin`, and those that include it.
    #[must_use]
    pub fn administrators(&self) -> Vec<String> {
        let including = self.declared().filter(|role| *role != ADMIN);
        let including = including.filter(|role| self.closure([*role]).iter().any(|held| held == ADMIN));
        std::iter::once(ADMIN).chain(including).map(str::to_owned).collect()
    }
}

impl IdentitySettings {
    /// Whether a field is one of the five.
    #[must_use]
    pub fn has(&self, field: FieldIndex) -> bool {
        self.fields.all().contains(&field)
    }

    /// Whether a way to sign in is open.
    #[must_use]
    pub fn allows(&self, method: Method) -> bool {
        self.methods.contains(&method)
    }
}

impl PersonFields {
    /// All five, in the order of [`PERSON_FIELDS`].
    #[must_use]
    pub fn all(&self) -> [FieldIndex; 5] {
        [self.email, self.email_verified, self.roles, self.disabled, self.claims]
    }

    /// Whether a person is disabled: nobody, whatever it shows.
    #[must_use]
    pub fn is_disabled(&self, person: &Record) -> bool {
        *person.get(self.disabled) == Value::Boolean(true)
    }

    /// The roles that a person was given, without those that they include.
    pub fn roles_of<'a>(&self, person: &'a Record) -> impl Iterator<Item = &'a str> {
        person.get(self.roles).items().iter().filter_map(|role| match role {
            Value::Text(role) => Some(&**role),
            _ => None,
        })
    }
}

impl Schema {
    /// The resource that holds the people, where there is one.
    #[must_use]
    pub fn people(&self) -> Option<(crate::ResourceIndex, &Resource, &IdentitySettings)> {
        let (index, settings) = self.indices().find_map(|index| Some((index, self.get(index).identity.as_deref()?)))?;
        Some((index, self.get(index), settings))
    }

    /// Who a person is to the rules: the one place where a record becomes an identity. None where it is disabled, or where
    /// the app has no people. Session, key and scopes are for the caller to add.
    #[must_use]
    pub fn identify(&self, person: &Record) -> Option<Identity> {
        let (_, _, settings) = self.people()?;
        let fields = settings.fields;
        if fields.is_disabled(person) {
            return None;
        }
        let verified = *person.get(fields.email_verified) == Value::Boolean(true);
        let email = match person.get(fields.email) {
            Value::Text(email) if verified => Some(email.to_string()),
            _ => None,
        };
        let claims = match person.get(fields.claims) {
            Value::Json(claims) => Some(claims.to_string()),
            _ => None,
        };
        let id = person.id();
        let actor = match id {
            Value::Uuid(id) => format!("user:{id}"),
            Value::Integer(id) => format!("user:{id}"),
            _ => return None,
        };
        let roles = self.roles().closure(fields.roles_of(person));
        Some(Identity { id: id.clone(), email, roles, claims, actor: Some(actor), ..Identity::anonymous() })
    }
}

#[cfg(test)]
mod tests {
    use super::Roles;

    fn roles(declared: &[(&str, &[&str])]) -> Roles {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Roles::new(declared.iter().map(|(name, includes)| ((*name).to_owned(), owned(includes))).collect())
    }

    #[test]
    fn a_role_has_what_it_includes_however_far() {
        let roles = roles(&[("admin", &["editor"]), ("editor", &["author"]), ("author", &[])]);
        assert_eq!(roles.closure(["admin"]), ["admin", "author", "editor"]);
        assert_eq!(roles.closure(["author", "editor", "author"]), ["author", "editor"]);
        assert_eq!(roles.closure(["nobody declared this"]), ["nobody declared this"]);
    }

    #[test]
    fn who_includes_admin_is_one() {
        let roles = roles(&[("root", &["boss"]), ("boss", &["admin"]), ("editor", &[])]);
        assert_eq!(roles.administrators(), ["admin", "boss", "root"]);
        assert_eq!(Roles::default().administrators(), ["admin"]);
    }
}
