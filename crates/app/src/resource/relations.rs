//! What holds between resources: the names of reverse relations.

use std::collections::HashMap;

use model::{FieldIndex, Kind, ResourceIndex, Schema};

use super::Places;
use crate::diagnostic::Report;

/// Tells reverse names that a field hides, and those that two relations share.
pub(crate) fn check(schema: &Schema, places: &[Places], report: &mut Report) {
    for target in schema.indices() {
        check_hidden(schema, target, places, report);
        let mut owners: HashMap<&str, (ResourceIndex, FieldIndex)> = HashMap::new();
        for relation in schema.reverse(target) {
            for name in &relation.names {
                let here = (relation.resource, relation.field);
                let Some(other) = owners.insert(name, here).filter(|other| *other != here) else { continue };
                let message = format!(
                    "two relations to `{}` would have the name `{name}`: {} and {}",
                    schema.get(target).name,
                    describe(schema, other),
                    describe(schema, here),
                );
                // The one that chose the name is the one to choose another.
                let chooser = [here, other].into_iter().find(|(resource, field)| {
                    places[resource.0 as usize].inverses.contains_key(field)
                        && matches!(&schema.get(*resource).get(*field).kind, Kind::Reference { inverse: Some(chosen), .. } if chosen == name)
                });
                let (resource, field) = chooser.unwrap_or(here);
                let places = &places[resource.0 as usize];
                if let Some(place) = places.inverses.get(&field).or_else(|| places.fields.get(&field)) {
                    report.error_with_help(place, message, "set another `inverse`");
                }
            }
        }
    }
}

/// A field hides a relation of its name; one who sets `inverse` did not mean that.
fn check_hidden(schema: &Schema, target: ResourceIndex, places: &[Places], report: &mut Report) {
    for relation in schema.reverse(target) {
        let field = schema.get(relation.resource).get(relation.field);
        let Kind::Reference { inverse: Some(inverse), .. } = &field.kind else { continue };
        if schema.get(target).field(inverse).is_none() {
            continue;
        }
        if let Some(place) = places[relation.resource.0 as usize].inverses.get(&relation.field) {
            let message =
                format!("`{}` has a field `{inverse}`, which hides a relation of that name", schema.get(target).name);
            report.error(place, message);
        }
    }
}

fn describe(schema: &Schema, (resource, field): (ResourceIndex, FieldIndex)) -> String {
    let resource = schema.get(resource);
    format!("`{}.{}`", resource.name, resource.get(field).name)
}
