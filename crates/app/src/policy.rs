//! Rules, compiled; what `rules` says about their text is shown where the text stands in the file.

use model::Schema;
use rules::{Catalog, Placed};

use crate::{
    diagnostic::{Report, Severity},
    doubts,
    resource::Places,
    settings::Settings,
};

/// Compiles every rule of a schema. None where one has a mistake.
pub(crate) fn compile(
    schema: Schema,
    places: &[Places],
    settings: Option<&Settings>,
    report: &mut Report,
) -> Option<Catalog> {
    match Catalog::compile(schema) {
        Ok((catalog, warnings)) => {
            for warning in warnings {
                tell(Severity::Warning, warning, places, report);
            }
            doubts::tell(&catalog, places, settings, report);
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
