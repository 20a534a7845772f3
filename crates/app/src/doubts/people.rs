//! What is doubtful about the people: settings that switch each other off, and what strangers can learn.

use model::{
    IdentitySettings, Resource,
    identity::{ADMIN, Method, SignUp},
};
use rules::{Catalog, Condition, Place as RulePlace, Policy, Rule, expression::Node};

use super::{admits, is_always};
use crate::{
    diagnostic::{Report, Severity},
    nearest,
    resource::Places,
    settings::{Mail, Settings},
    source::Place,
};

/// What NIST SP 800-63B-4 asks of a password that is the only factor.
const SINGLE_FACTOR: usize = 15;
/// What it asks of any password, and what it asks to be allowed.
const SHORTEST: usize = 8;
const LONGEST: usize = 64;

/// Tells all doubts about the people.
pub(super) fn tell(catalog: &Catalog, places: &[Places], settings: Option<&Settings>, report: &mut Report) {
    let Some((index, resource, identity)) = catalog.schema.people() else { return };
    let places = &places[index.0 as usize];
    let Some(auth) = places.auth.clone() else { return };
    let mut doubts = Doubts { resource, policy: catalog.policy(index), identity, settings, auth, places, report };
    doubts.sign_up();
    doubts.passwords();
    doubts.methods();
    doubts.mail();
    doubts.addresses();
}

struct Doubts<'a> {
    resource: &'a Resource,
    policy: &'a Policy,
    identity: &'a IdentitySettings,
    settings: Option<&'a Settings>,
    auth: Place,
    places: &'a Places,
    report: &'a mut Report,
}

impl Doubts<'_> {
    fn say(&mut self, severity: Severity, message: impl Into<String>, help: &str) {
        self.report.tell(severity, &self.auth, message.into(), Some(help.to_owned()));
    }

    fn sign_up(&mut self) {
        let name = &self.resource.name;
        match self.identity.sign_up {
            SignUp::Open if self.identity.verify_email => {
                self.say(Severity::Note, "strangers can sign up", "sign_up = \"invite\" or \"closed\" forbids it");
            }
            SignUp::Open => {
                let message = "strangers can sign up, and are told by a 409 whether an address has an account";
                self.say(Severity::Note, message, "with verify_email = true every address is answered alike");
            }
            SignUp::Invite | SignUp::Closed if is_always(self.policy.create.as_ref(), true) => {
                let message = format!("strangers can't sign up, and can create `{name}` all the same");
                self.say(
                    Severity::Warning,
                    message,
                    "the `create` rule is another door: POST /api makes a person, too",
                );
            }
            SignUp::Invite | SignUp::Closed => {}
        }
    }

    fn passwords(&mut self) {
        if !self.identity.allows(Method::Password) {
            return;
        }
        let limits = self.identity.password;
        if limits.min < SHORTEST {
            let message = format!("passwords of {} characters are soon guessed", limits.min);
            self.say(
                Severity::Warning,
                message,
                "NIST SP 800-63B-4 asks 8 at least, and 15 where it is the only factor",
            );
        } else if limits.min < SINGLE_FACTOR {
            let message =
                format!("NIST SP 800-63B-4 asks {SINGLE_FACTOR} characters where a password is the only factor");
            self.say(Severity::Note, message, "password = { min = 15 }, unless everybody has a second factor");
        }
        if limits.max < LONGEST {
            let message = format!("passwords of {} characters and more are refused", limits.max + 1);
            self.say(Severity::Warning, message, "NIST SP 800-63B-4 asks that 64 are allowed");
        }
    }

    /// Settings of a way in that is not open, and ways in that lack theirs.
    fn methods(&mut self) {
        let identity = self.identity;
        let (oauth, passkey) = (identity.allows(Method::OAuth), identity.allows(Method::Passkey));
        if oauth && identity.oauth.is_empty() {
            self.say(Severity::Warning, "`oauth` is a way in, and there is no provider", "add [auth.oauth.NAME]");
        }
        if oauth && identity.return_urls.is_empty() {
            let message = "an OAuth sign-in has nowhere to land: `return_urls` is empty";
            self.say(Severity::Warning, message, "name the pages or app schemes exactly");
        }
        if !oauth && !identity.oauth.is_empty() {
            let message = "there are OAuth providers, and `oauth` is not among the `methods`";
            self.say(Severity::Warning, message, "add it, or take the providers away");
        }
        if !passkey && identity.passkey != model::identity::PasskeySettings::default() {
            let message = "passkeys are set up, and `passkey` is not among the `methods`";
            self.say(Severity::Warning, message, "add it, or take [auth.passkey] away");
        }
        for provider in identity.oauth.iter().filter(|provider| provider.link_by_email) {
            let message = format!("`{}` can sign in to any account whose address it says is verified", provider.name);
            self.say(Severity::Note, message, "link_by_email = false asks people to link by hand");
        }
    }

    /// Codes and links that nobody gets.
    fn mail(&mut self) {
        let needs = self.identity.verify_email
            || self.identity.allows(Method::EmailCode)
            || self.identity.sign_up == SignUp::Invite;
        if needs && self.settings.is_some_and(|settings| settings.services.mail == Mail::Log) {
            let message = "people need mail to get in, and `services.mail` writes it to the log";
            self.say(Severity::Note, message, "set another `services.mail` before strangers come");
        }
    }

    /// Addresses that strangers read.
    fn addresses(&mut self) {
        let email = self.identity.fields.email;
        let open = match &self.policy.fields[email.0 as usize].read {
            None => !self.resource.get(email).hidden,
            Some(rule) => rule.condition == Condition::Constant(true),
        };
        if open && is_always(self.policy.read.as_ref(), true) {
            let message = "strangers can read everybody's e-mail address";
            let help = "take `email` out of `expose`, or narrow the `read` rule";
            let place = self.places.fields.get(&email).unwrap_or(&self.auth).clone();
            self.report.tell(Severity::Warning, &place, message.to_owned(), Some(help.to_owned()));
        }
        if !admits(self.policy.update.as_ref()) {
            let message =
                format!("people can't change their own record: `{}` has no `update` rule", self.resource.name);
            self.say(Severity::Note, message, "update = \"record.id == auth.id\" lets them");
        }
    }
}

/// Roles that rules name and `[roles]` does not, where it names any.
pub(super) fn unknown_roles(catalog: &Catalog, policy: &Policy, places: &Places, report: &mut Report) {
    let declared: Vec<&str> = catalog.schema.roles().declared().chain([ADMIN]).collect();
    if declared.len() == 1 {
        return;
    }
    let access =
        [("read", &policy.read), ("create", &policy.create), ("update", &policy.update), ("delete", &policy.delete)];
    let mut rules: Vec<(RulePlace, &Rule)> =
        access.into_iter().filter_map(|(key, rule)| rule.as_ref().map(|rule| (RulePlace::Access(key), rule))).collect();
    for (position, field) in policy.fields.iter().enumerate() {
        let index = model::FieldIndex(position as u16);
        rules.extend(field.read.iter().map(|rule| (RulePlace::FieldRead(index), rule)));
        rules.extend(field.write.iter().map(|rule| (RulePlace::FieldWrite(index), rule)));
    }
    for (at, rule) in rules {
        let Some(text) = places.rules.iter().find(|text| text.at == at) else { continue };
        let mut named = Vec::new();
        rule.tests.iter().for_each(|test| roles_of(test, &mut named));
        for role in named.into_iter().filter(|role| !declared.contains(&role.as_str())) {
            let help = nearest::did_you_mean(&role, declared.iter().copied())
                .unwrap_or_else(|| format!("declare it under [roles] in mainstay.toml: {role} = {{}}"));
            let start = text.text.find(&role).unwrap_or(0);
            let place = report.sources.within(&text.place, &(start..start + role.len()), &text.text);
            report.tell(Severity::Warning, &place, format!("there is no role `{role}`"), Some(help));
        }
    }
}

/// The roles that a condition asks for by name.
fn roles_of(condition: &Condition, found: &mut Vec<String>) {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| roles_of(part, found)),
        Condition::In { needle, list, .. } if list.node == Node::Caller(model::CallerValue::Roles) => {
            if let Node::Literal(model::Value::Text(role)) = &needle.node
                && !found.iter().any(|known| **known == **role)
            {
                found.push(role.to_string());
            }
        }
        _ => {}
    }
}
