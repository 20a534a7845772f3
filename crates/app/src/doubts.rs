//! What an app allows and its author may not have meant: open doors, settings that switch each other off, and the two ways
//! in which a writer can learn of a record that they may not read.

mod people;

use model::{Field, FieldIndex, OnDelete, Resource, field::Default};
use rules::{Catalog, Condition, Policy, Rule};

use crate::{
    diagnostic::{Report, Severity},
    resource::Places,
    settings::Settings,
    source::Place,
};

/// Tells all doubts about an app whose rules are good.
pub(crate) fn tell(catalog: &Catalog, places: &[Places], settings: Option<&Settings>, report: &mut Report) {
    people::tell(catalog, places, settings, report);
    for index in catalog.schema.indices() {
        let about = About {
            catalog,
            resource: catalog.schema.get(index),
            policy: catalog.policy(index),
            places: &places[index.0 as usize],
        };
        people::unknown_roles(catalog, about.policy, about.places, report);
        about.open_doors(report);
        about.closed_doors(report);
        // A person's own five fields are told of together.
        let of_people = |field| about.resource.identity.as_ref().is_some_and(|identity| identity.has(field));
        let own = |field: &FieldIndex| about.resource.get(*field).is_declared() && !of_people(*field);
        for field in about.resource.indices().filter(own) {
            about.contradictions(field, report);
            about.vicious_circle(field, report);
            if about.is_writable(field) {
                about.unreadable_target(field, report);
                about.telling_conflict(field, report);
            }
        }
    }
}

struct About<'a> {
    catalog: &'a Catalog,
    resource: &'a Resource,
    policy: &'a Policy,
    places: &'a Places,
}

fn is_always(rule: Option<&Rule>, truth: bool) -> bool {
    rule.is_some_and(|rule| rule.condition == Condition::Constant(truth))
}

/// Whether a rule admits anyone but administrators, as far as it shows.
fn admits(rule: Option<&Rule>) -> bool {
    rule.is_some() && !is_always(rule, false)
}

impl About<'_> {
    /// What is open to the world should be open on purpose.
    fn open_doors(&self, report: &mut Report) {
        let name = &self.resource.name;
        let doors = [
            ("read", &self.policy.read, format!("strangers can read everything of `{name}`")),
            ("create", &self.policy.create, format!("strangers can create `{name}`")),
            ("update", &self.policy.update, format!("strangers can change all of `{name}`")),
            ("delete", &self.policy.delete, format!("strangers can delete all of `{name}`")),
        ];
        for (key, rule, message) in doors {
            let text = self.places.rules.iter().find(|rule| rule.at == rules::Place::Access(key));
            if let Some(text) = text.filter(|_| is_always(rule.as_ref(), true)) {
                report.tell(Severity::Note, &text.place, message, None);
            }
        }
    }

    fn closed_doors(&self, report: &mut Report) {
        let access = &self.resource.access;
        let absent: Vec<&str> = [
            ("read", &access.read),
            ("create", &access.create),
            ("update", &access.update),
            ("delete", &access.delete),
        ]
        .into_iter()
        .filter(|(_, rule)| rule.is_none())
        .map(|(action, _)| action)
        .collect();
        let Some((last, others)) = absent.split_last() else { return };
        let listed = if others.is_empty() { (*last).to_owned() } else { format!("{} and {last}", others.join(", ")) };
        let message = format!("only administrators can {listed} `{}`: there is no rule", self.resource.name);
        let whole = Place { source: self.places.source, span: 0..0 };
        report.tell(Severity::Note, self.places.access.as_ref().unwrap_or(&whole), message, None);
    }

    /// Options that switch each other off.
    fn contradictions(&self, index: FieldIndex, report: &mut Report) {
        let (field, rules) = (self.resource.get(index), &self.policy.fields[index.0 as usize]);
        let name = &field.name;
        if field.required
            && field.default.is_none()
            && is_always(rules.write.as_ref(), false)
            && admits(self.policy.create.as_ref())
        {
            let message =
                format!("nobody but administrators may set `{name}`, and without it nobody can create a record");
            self.warn(index, message, "give it a default", report);
        }
        if field.unique && matches!(field.default, Some(Default::Literal(_))) {
            let message = format!("`{name}` is unique, so only one record can take its default");
            self.warn(index, message, "leave the default out", report);
        }
        if field.hidden && field.read.is_some() {
            let message = format!("`{name}` is hidden from everyone, so its `read` rule changes nothing");
            self.warn(index, message, "take one of the two away", report);
        }
        if field.required && field.is_many() && on_delete(field) == Some(OnDelete::Cascade) {
            let message = format!("`{name}` needs one id at least, and `cascade` may take the last one away");
            self.warn(index, message, "take `required` away, or choose \"restrict\"", report);
        }
    }

    /// Records that need each other: none of them can be the first.
    fn vicious_circle(&self, index: FieldIndex, report: &mut Report) {
        let field = self.resource.get(index);
        let Some(target) = field.target().filter(|_| field.required) else { return };
        let schema = &self.catalog.schema;
        let mut needed = vec![target];
        let mut next = 0;
        while let Some(resource) = needed.get(next).copied() {
            next += 1;
            let fields = schema.get(resource).fields.iter().filter(|field| field.required);
            for target in fields.filter_map(Field::target) {
                if !needed.contains(&target) {
                    needed.push(target);
                }
            }
        }
        if needed.iter().any(|resource| schema.get(*resource).name == self.resource.name) {
            let (name, target) = (&self.resource.name, &schema.get(target).name);
            let message = if name == target {
                format!("each of `{name}` needs another of them, so there can't be a first")
            } else {
                format!("`{name}` need `{target}`, which need `{name}` in turn, so there can't be a first")
            };
            self.warn(index, message, "let one of the references be optional", report);
        }
    }

    /// A reference may name any record that exists, readable or not, unless the rule looks at it.
    fn unreadable_target(&self, index: FieldIndex, report: &mut Report) {
        let field = self.resource.get(index);
        let Some(target) = field.target() else { return };
        let mentioned = |text: &String| mentions(text, &field.name);
        let unguarded =
            |rule: &Option<Rule>, text: &Option<String>| admits(rule.as_ref()) && !text.as_ref().is_some_and(mentioned);
        let access = &self.resource.access;
        let unguarded = unguarded(&self.policy.create, &access.create)
            || (!field.immutable && unguarded(&self.policy.update, &access.update));
        if unguarded && !is_always(self.catalog.policy(target).read.as_ref(), true) {
            let (name, target) = (&field.name, &self.catalog.schema.get(target).name);
            let message = format!(
                "`{name}` may name any record of `{target}` that exists, also one that the writer may not read"
            );
            let help = format!("a create and an update rule over `new.{name}` can restrict it");
            self.note(index, message, help, report);
        }
    }

    /// Who may not read a record can still learn that its unique value is taken.
    fn telling_conflict(&self, index: FieldIndex, report: &mut Report) {
        let field = self.resource.get(index);
        let hidden = !is_always(self.policy.read.as_ref(), true) || field.hidden || field.read.is_some();
        if field.unique && hidden {
            let message =
                format!("a writer learns whether `{}` is taken, also by a record that they may not read", field.name);
            self.note(
                index,
                message,
                "that is the price of `unique`: the answer is 409, without the other record",
                report,
            );
        }
    }

    /// Whether anyone but administrators may set it.
    fn is_writable(&self, index: FieldIndex) -> bool {
        let write = self.policy.fields[index.0 as usize].write.as_ref();
        let immutable = self.resource.get(index).immutable;
        let admitted = admits(self.policy.create.as_ref()) || (admits(self.policy.update.as_ref()) && !immutable);
        admitted && !is_always(write, false)
    }

    fn warn(&self, index: FieldIndex, message: String, help: &str, report: &mut Report) {
        self.about_field(Severity::Warning, index, message, help.to_owned(), report);
    }

    fn note(&self, index: FieldIndex, message: String, help: impl Into<String>, report: &mut Report) {
        self.about_field(Severity::Note, index, message, help.into(), report);
    }

    fn about_field(&self, severity: Severity, index: FieldIndex, message: String, help: String, report: &mut Report) {
        if let Some(place) = self.places.fields.get(&index) {
            report.tell(severity, place, message, Some(help));
        }
    }
}

fn on_delete(field: &Field) -> Option<OnDelete> {
    match field.kind {
        model::Kind::Reference { on_delete, .. } => Some(on_delete),
        _ => None,
    }
}

/// Whether a rule's text looks at `new.field`.
fn mentions(text: &str, field: &str) -> bool {
    let needle = format!("new.{field}");
    text.match_indices(&needle).any(|(at, _)| {
        let next = text[at + needle.len()..].chars().next();
        !next.is_some_and(|next| next.is_ascii_alphanumeric() || next == '_')
    })
}
