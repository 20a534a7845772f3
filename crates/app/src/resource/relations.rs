//! What holds between resources: the names of reverse relations.

use std::collections::HashMap;

use model::{FieldIndex, IdKind, Kind, ResourceIndex, Schema, field::Default};

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

/// There are people in one place, and `auth.id` is an id of theirs.
pub(crate) fn check_people(schema: &Schema, places: &[Places], report: &mut Report) {
    let Some((people, resource, _)) = schema.people() else { return };
    for index in schema.indices().filter(|index| *index > people) {
        let known = &places[index.0 as usize];
        if let Some(place) = known.auth.as_ref() {
            let message = format!("the people are in `{}` already: one resource has an [auth] table", resource.name);
            report.error(place, message);
        }
    }
    for index in schema.indices() {
        let referring = schema.get(index);
        for field in
            referring.indices().filter(|field| matches!(referring.get(*field).default, Some(Default::CallerId)))
        {
            let declared = referring.get(field);
            let (fits, what) = match declared.target() {
                Some(target) => {
                    (target == people, format!("`{}` refers to `{}`", declared.name, schema.get(target).name))
                }
                None => (resource.id_kind == IdKind::Uuid, format!("`{}` is a uuid", declared.name)),
            };
            let place = places[index.0 as usize].fields.get(&field).filter(|_| !fits);
            if let Some(place) = place {
                let message = format!("the default `auth.id` is an id of `{}`, and {what}", resource.name);
                report.error(place, message);
            }
        }
    }
}

fn describe(schema: &Schema, (resource, field): (ResourceIndex, FieldIndex)) -> String {
    let resource = schema.get(resource);
    format!("`{}.{}`", resource.name, resource.get(field).name)
}
