//! Problems of a write that the database's constraints find; the same words from every store.

use model::{Code, FieldIndex, Flaw, Problem, Resource};

use crate::field_names;

/// A 409 that names the fields whose values together are taken.
#[must_use]
pub fn taken(resource: &Resource, fields: &[FieldIndex]) -> Problem {
    let names = field_names(resource, fields);
    let detail = format!("another record has this {names} already");
    let errors = fields
        .iter()
        .map(|field| {
            Flaw::pointer(format!("/{}", resource.get(*field).name), "unique", "another record has this value")
        })
        .collect();
    Problem { errors, ..Problem::new(Code::Conflict, detail) }
}

/// A 409 that names the references whose targets are missing.
#[must_use]
pub fn missing(resource: &Resource, fields: &[FieldIndex]) -> Problem {
    let errors = fields
        .iter()
        .map(|field| {
            let name = &resource.get(*field).name;
            Flaw::pointer(format!("/{name}"), "missing", format!("{name} names no record"))
        })
        .collect();
    let detail = format!("{} names no record", field_names(resource, fields));
    Problem { errors, ..Problem::new(Code::MissingReference, detail) }
}

/// A 409 for a record that others refer to.
#[must_use]
pub fn in_use() -> Problem {
    let detail = "other records refer to this one; delete them or change their reference first";
    Problem::new(Code::InUse, detail)
}
