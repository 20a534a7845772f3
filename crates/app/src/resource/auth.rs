//! The `[auth]` table of the resource whose records are the people who sign in.

mod addresses;

use std::time::Duration;

use model::{
    IdKind, IdentitySettings, Secret,
    identity::{Links, Method, OAuthProvider, PasskeySettings, PasswordLimits, SignUp},
};

use super::people;
use crate::{
    diagnostic::{Report, Severity},
    nearest,
    outside::Outside,
    quantity::{parse_duration, show_duration},
    source::Place,
    tree::{Data, Entry, Node, Table, check_keys, check_keys_or},
};

/// The keys of `[auth]`.
pub(crate) const KEYS: &[(&str, &str)] = &[
    ("sign_up", "Who may make an account: \"open\" (anybody), \"invite\" (who was invited) or \"closed\"."),
    ("verify_email", "Whether nobody is in before the code that was mailed."),
    ("methods", "The ways to sign in: password, email_code, oauth, passkey."),
    ("access_ttl", "How long an access token is good, 1s to 24h."),
    ("session_ttl", "How long a session lives without being used, 1s to 3650d."),
    ("session_max", "How long a session lives at most, session_ttl to 3650d."),
    ("password", "How long passwords are: { min, max }, in characters after NFC."),
    ("audience", "`aud` of access tokens; public_url unless set."),
    ("return_urls", "Where an OAuth sign-in may land: exact URLs, schemes of apps, loopback addresses."),
    ("expose", "Which of email, email_verified, roles and disabled others may see who may read the record."),
    ("links", "The pages that mailed links open; the server's own unless set."),
    ("passkey", "WebAuthn: the domain and the origins."),
    ("oauth", "Other sites' sign-ins, by name: any OpenID Connect issuer, and github."),
];
/// The keys of `[auth.oauth.NAME]`.
pub(crate) const PROVIDER_KEYS: &[&str] = &["issuer", "client_id", "client_secret", "link_by_email"];
/// The fields that `expose` may name.
pub(crate) const EXPOSABLE: &[&str] = &["email", "email_verified", "roles", "disabled"];
/// What `sign_up` may be.
pub(crate) const SIGN_UP: &[(&str, SignUp)] =
    &[("open", SignUp::Open), ("invite", SignUp::Invite), ("closed", SignUp::Closed)];
/// The provider that has no issuer, and is built in.
const GITHUB: &str = "github";
/// The most providers.
const MOST_PROVIDERS: usize = 50;
/// The most characters that a password may be allowed to have.
pub(crate) const LONGEST_PASSWORD: usize = 1_024;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
const YEARS: Duration = Duration::from_secs(3_650 * 86_400);

/// What `expose` names, as far as it can be read before the fields are; mistakes are told by [`read`].
pub(super) fn exposed(table: &Table) -> Vec<&str> {
    let listed = match table.get("auth").map(|entry| &entry.node.data) {
        Some(Data::Table(auth)) => auth.get("expose").map(|entry| &entry.node.data),
        _ => None,
    };
    let Some(Data::List(items)) = listed else { return Vec::new() };
    let name = |item| match item {
        &Node { data: Data::Text(ref name), .. } => EXPOSABLE.iter().find(|known| *known == name).copied(),
        _ => None,
    };
    items.iter().filter_map(name).collect()
}

/// Reads `[auth]`. Where a key is wrong, that is told and its default stands in.
pub(super) fn read(
    entry: &Entry,
    id_kind: IdKind,
    outside: Outside<'_>,
    report: &mut Report,
) -> Option<IdentitySettings> {
    if id_kind == IdKind::String {
        let help =
            "write id = \"uuid\" or id = \"integer\": an id that is named may come again, and be somebody else's";
        report.error_with_help(&entry.place, "the ids of people are given by the server", help);
    }
    let table = entry.node.table(report, "a table of settings")?;
    let known: Vec<&str> = KEYS.iter().map(|(key, _)| *key).collect();
    check_keys_or(table, &known, &[], elsewhere, report);
    let mut reader = Reader { table, outside, report };
    let access_ttl = reader.duration("access_ttl", SECOND, DAY).unwrap_or(Duration::from_secs(600));
    let session_ttl = reader.duration("session_ttl", SECOND, YEARS).unwrap_or(30 * DAY);
    let session_max = reader.duration("session_max", session_ttl, YEARS).unwrap_or((180 * DAY).max(session_ttl));
    let sign_up = table.get("sign_up").and_then(|entry| entry.node.choice(reader.report, SIGN_UP));
    let verify_email = table.get("verify_email").and_then(|entry| entry.node.boolean(reader.report));
    let settings = IdentitySettings {
        fields: people::PLACES,
        sign_up: sign_up.unwrap_or(SignUp::Open),
        verify_email: verify_email.unwrap_or(false),
        methods: reader.methods(),
        access_ttl,
        session_ttl,
        session_max,
        password: reader.password(),
        audience: reader.text("audience").map(|(text, _)| text),
        return_urls: reader.checked_texts(table.get("return_urls"), addresses::return_url),
        expose: reader.expose(),
        links: reader.links(),
        passkey: reader.passkey(),
        oauth: reader.providers(),
    };
    Some(settings)
}

/// Keys that stand elsewhere.
fn elsewhere(key: &str) -> Option<String> {
    match key {
        "master_key" => Some("it belongs to [auth] in mainstay.toml, or MAINSTAY_AUTH__MASTER_KEY".to_owned()),
        "roles" => Some("roles are declared in mainstay.toml: [roles]".to_owned()),
        "reset" | "invite" => Some(format!("`{key}` belongs to [auth.links]")),
        "rp_id" | "origins" => Some(format!("`{key}` belongs to [auth.passkey]")),
        _ if PROVIDER_KEYS.contains(&key) => Some(format!("`{key}` belongs to [auth.oauth.NAME]")),
        _ => None,
    }
}

struct Reader<'a> {
    table: &'a Table,
    outside: Outside<'a>,
    report: &'a mut Report,
}

impl<'a> Reader<'a> {
    fn text(&mut self, key: &str) -> Option<(String, Place)> {
        let entry = self.table.get(key)?;
        self.text_of(&entry.node)
    }

    fn text_of(&mut self, node: &Node) -> Option<(String, Place)> {
        let (text, place) = self.outside.text(node, "a string", self.report)?;
        if text.trim().is_empty() {
            self.report.error(&place, "this can't be empty");
            return None;
        }
        Some((text, place))
    }

    fn duration(&mut self, key: &str, least: Duration, most: Duration) -> Option<Duration> {
        let node = &self.table.get(key)?.node;
        let (text, place) = self.outside.text(node, "a time in a string, as in \"10m\"", self.report)?;
        let good = parse_duration(&text).filter(|span| (least..=most).contains(span));
        if good.is_none() {
            let (least, most) = (show_duration(least), show_duration(most));
            self.report
                .error(&place, format!("expected a time from {least} to {most}, as in \"10m\", \"12h\" or \"30d\""));
        }
        good
    }

    fn sub_table(&mut self, key: &str, known: &[&str]) -> Option<&'a Table> {
        let table = self.table.get(key)?.node.table(self.report, "a table")?;
        check_keys(table, known, &[], self.report);
        Some(table)
    }

    fn methods(&mut self) -> Vec<Method> {
        let default = vec![Method::Password];
        let Some(entry) = self.table.get("methods") else { return default };
        let Some(items) = entry.node.list(self.report, "a list of ways to sign in") else { return default };
        if items.is_empty() {
            self.report.error(&entry.node.place, "nobody could sign in: name one way at least");
        }
        let mut methods = Vec::new();
        for item in items {
            if let Some(method) = item.choice(self.report, &Method::ALL)
                && !methods.contains(&method)
            {
                methods.push(method);
            }
        }
        methods
    }

    fn password(&mut self) -> PasswordLimits {
        let mut limits = PasswordLimits { min: 10, max: 256 };
        let Some(table) = self.sub_table("password", &["min", "max"]) else { return limits };
        if let Some(max) = self.count(table, "max", 1) {
            limits.max = max;
        }
        limits.min = limits.min.min(limits.max);
        if let Some(min) = self.count(table, "min", 1) {
            if min > limits.max {
                let message = format!("no password could be long enough: {} is the most", limits.max);
                if let Some(entry) = table.get("min") {
                    self.report.error(&entry.node.place, message);
                }
            } else {
                limits.min = min;
            }
        }
        limits
    }

    fn count(&mut self, table: &Table, key: &str, least: usize) -> Option<usize> {
        let node = &table.get(key)?.node;
        let Data::Integer(integer) = node.data else { return node.refuse(self.report, "an integer") };
        let good = usize::try_from(integer).ok().filter(|count| (least..=LONGEST_PASSWORD).contains(count));
        if good.is_none() {
            self.report.error(&node.place, format!("expected an integer from {least} to {LONGEST_PASSWORD}"));
        }
        good
    }

    fn expose(&mut self) -> Vec<model::FieldIndex> {
        let Some(entry) = self.table.get("expose") else { return Vec::new() };
        let Some(items) = entry.node.list(self.report, "a list of fields") else { return Vec::new() };
        let choices: Vec<(&str, &str)> = EXPOSABLE.iter().map(|name| (*name, *name)).collect();
        let mut fields: Vec<_> =
            items.iter().filter_map(|item| item.choice(self.report, &choices)).map(people::index).collect();
        fields.sort();
        fields.dedup();
        fields
    }

    /// A list of strings, each of which a function finds good or says what was expected.
    fn checked_texts(&mut self, entry: Option<&Entry>, check: impl Fn(&str) -> Result<(), String>) -> Vec<String> {
        let Some(items) = entry.and_then(|entry| entry.node.list(self.report, "a list of strings")) else {
            return Vec::new();
        };
        let mut good = Vec::new();
        for item in items {
            let Some((text, place)) = self.text_of(item) else { continue };
            match check(&text) {
                Ok(()) => good.push(text),
                Err(message) => self.report.error(&place, message),
            }
        }
        good
    }

    fn checked_text(&mut self, table: &Table, key: &str, check: impl Fn(&str) -> Result<(), String>) -> Option<String> {
        let (text, place) = self.text_of(&table.get(key)?.node)?;
        check(&text).map_err(|message| self.report.error(&place, message)).ok().map(|()| text)
    }

    fn links(&mut self) -> Links {
        let Some(table) = self.sub_table("links", &["reset", "invite"]) else { return Links::default() };
        Links {
            reset: self.checked_text(table, "reset", addresses::page),
            invite: self.checked_text(table, "invite", addresses::page),
        }
    }

    fn passkey(&mut self) -> PasskeySettings {
        let Some(table) = self.sub_table("passkey", &["rp_id", "origins"]) else { return PasskeySettings::default() };
        PasskeySettings {
            rp_id: self.checked_text(table, "rp_id", addresses::domain),
            origins: self.checked_texts(table.get("origins"), addresses::passkey_origin),
        }
    }

    fn providers(&mut self) -> Vec<OAuthProvider> {
        let Some(entry) = self.table.get("oauth") else { return Vec::new() };
        let Some(table) = entry.node.table(self.report, "a table of providers, as in [auth.oauth.acme]") else {
            return Vec::new();
        };
        if let Some(entry) = table.entries.get(MOST_PROVIDERS) {
            self.report.error(&entry.place, format!("an app has at most {MOST_PROVIDERS} providers"));
            return Vec::new();
        }
        let mut providers: Vec<_> = table.entries.iter().filter_map(|entry| self.provider(entry)).collect();
        providers.sort_by(|left, right| left.name.cmp(&right.name));
        providers
    }

    fn provider(&mut self, entry: &Entry) -> Option<OAuthProvider> {
        let name = entry.key.clone();
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
        if name.is_empty() || name.len() > 63 || !name.bytes().all(good) || name == "token" {
            let message = "a provider's name has 1 to 63 lower-case letters, digits, `_` and `-`, and is not \"token\"";
            self.report.error(&entry.place, message);
            return None;
        }
        let table = entry.node.table(self.report, "a provider, as in { issuer = \"https://id.example\", … }")?;
        check_keys(table, PROVIDER_KEYS, &[], self.report);
        let issuer = self.checked_text(table, "issuer", addresses::issuer);
        if table.get("issuer").is_none() && name != GITHUB {
            let help = match nearest::nearest(&name, [GITHUB]) {
                Some(near) => format!("did you mean `{near}`, which needs none?"),
                None => "add `issuer = \"https://…\"`: where its /.well-known/openid-configuration is found".to_owned(),
            };
            self.report.error_with_help(&entry.place, format!("the provider `{name}` has no issuer"), help);
        }
        if table.get("client_id").is_none() {
            let help = "add `client_id`: the provider gives it to apps that register there";
            self.report.error_with_help(&entry.place, format!("the provider `{name}` has no client_id"), help);
        }
        let client_id = table.get("client_id").and_then(|entry| self.text_of(&entry.node)).map(|(text, _)| text)?;
        let client_secret = table.get("client_secret").and_then(|entry| self.secret(entry));
        let link_by_email = table.get("link_by_email").and_then(|entry| entry.node.boolean(self.report));
        Some(OAuthProvider { name, issuer, client_id, client_secret, link_by_email: link_by_email.unwrap_or(false) })
    }

    fn secret(&mut self, entry: &Entry) -> Option<Secret> {
        if let Data::Text(_) = entry.node.data {
            let message = "this secret stands in a file that is shared with everyone who sees the app's sources";
            let help = "write { env = \"NAME\" } or { file = \"path\" }";
            self.report.tell(Severity::Warning, &entry.place, message.to_owned(), Some(help.to_owned()));
        }
        self.text_of(&entry.node).map(|(text, _)| Secret::new(text))
    }
}
