//! Rules, compiled; what `rules` says about their text is shown where the text stands in the file.

use model::{Resource, Schema};
use rules::{Catalog, Condition, Placed, Policy};

use crate::{
    diagnostic::{Report, Severity},
    resource::Places,
    source::Place,
};

/// Compiles every rule of a schema. None where one has a mistake.
pub(crate) fn compile(schema: Schema, places: &[Places], report: &mut Report) -> Option<Catalog> {
    match Catalog::compile(schema) {
        Ok((catalog, warnings)) => {
            for warning in warnings {
                tell(Severity::Warning, warning, places, report);
            }
            for (policy, (resource, places)) in
                catalog.policies.iter().zip(catalog.schema.resources().iter().zip(places))
            {
                note_strangers(policy, resource, places, report);
                note_administrators(resource, places, report);
            }
            Some(catalog)
        }
        Err(mistakes) => {
            for mistake in mistakes {
                tell(Severity::Error, mistake, places, report);
            }
            None
        }
    }
}

fn tell(severity: Severity, placed: Placed, places: &[Places], report: &mut Report) {
    let known = &places[placed.resource.0 as usize];
    let Some(rule) = known.rules.iter().find(|rule| rule.at == placed.place) else { return };
    let place = report.sources.within(&rule.place, &placed.mistake.span, &rule.text);
    report.tell(severity, &place, placed.mistake.message, placed.mistake.help);
}

/// What is open to the world should be open on purpose.
fn note_strangers(policy: &Policy, resource: &Resource, places: &Places, report: &mut Report) {
    let name = &resource.name;
    let open = [
        ("read", &policy.read, format!("strangers can read everything of `{name}`")),
        ("create", &policy.create, format!("strangers can create `{name}`")),
        ("update", &policy.update, format!("strangers can change all of `{name}`")),
        ("delete", &policy.delete, format!("strangers can delete all of `{name}`")),
    ];
    for (key, rule, message) in open {
        let always = rule.as_ref().is_some_and(|rule| rule.condition == Condition::Constant(true));
        let text = places.rules.iter().find(|rule| rule.at == rules::Place::Access(key));
        if let Some(text) = text.filter(|_| always) {
            report.tell(Severity::Note, &text.place, message, None);
        }
    }
}

fn note_administrators(resource: &Resource, places: &Places, report: &mut Report) {
    let access = &resource.access;
    let absent: Vec<&str> =
        [("read", &access.read), ("create", &access.create), ("update", &access.update), ("delete", &access.delete)]
            .into_iter()
            .filter(|(_, rule)| rule.is_none())
            .map(|(action, _)| action)
            .collect();
    let Some((last, others)) = absent.split_last() else { return };
    let listed = if others.is_empty() { (*last).to_owned() } else { format!("{} and {last}", others.join(", ")) };
    let message = format!("only administrators can {listed} `{}`: there is no rule", resource.name);
    let place = places.access.clone().unwrap_or(Place { source: places.source, span: 0..0 });
    report.tell(Severity::Note, &place, message, None);
}
