//! What a write came to, encoded for its writer.

use std::hash::{DefaultHasher, Hasher as _};

use model::{FieldIndex, Record, Resource, json};
use rules::plan::Written;

/// The strong entity tag of a representation: the revision first, then what else the body depends on.
#[must_use]
pub fn entity_tag(revision: i64, fingerprint: u64, mask: u64) -> String {
    let view = fingerprint ^ mask.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("\"{revision}-{view:x}\"")
}

/// Differs wherever a body does.
pub(crate) fn digest(body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    hasher.finish()
}

/// The revision that an entity tag begins with; none for a tag that is weak or not of this server.
#[must_use]
pub fn revision_of(tag: &str) -> Option<i64> {
    tag.strip_prefix('"')?.split_once('-')?.0.parse().ok()
}

/// Appends what the writer may see of the result: its view, or the id alone where it may not read it.
pub(crate) fn write(written: &Written, out: &mut Vec<u8>) {
    let resource = written.plan.catalog.schema.get(written.plan.resource);
    let Some(visible) = &written.visible else {
        out.extend_from_slice(b"{\"id\":");
        json::write_value(written.record.id(), out);
        out.push(b'}');
        return;
    };
    let shown = written.plan.view.fields.iter().zip(visible).filter(|(_, open)| **open).map(|(seen, _)| seen.field);
    write_fields(resource, &written.record, shown, out);
}

/// Appends these fields of a record as an object, as reads answer them.
pub fn write_fields(
    resource: &Resource,
    record: &Record,
    fields: impl IntoIterator<Item = FieldIndex>,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    for field in fields {
        out.push(if out.len() == start { b'{' } else { b',' });
        json::write_string(&resource.get(field).name, out);
        out.push(b':');
        json::write_value(record.get(field), out);
    }
    if out.len() == start {
        out.push(b'{');
    }
    out.push(b'}');
}

/// Which of the fields with a rule of their own are open: the n-th such field is bit n.
pub(crate) fn mask(written: &Written) -> u64 {
    let Some(visible) = &written.visible else { return u64::MAX };
    let conditional = written.plan.view.fields.iter().zip(visible).filter(|(seen, _)| seen.condition.is_some());
    conditional.enumerate().fold(0, |mask, (number, (_, open))| mask | u64::from(*open) << (number % 64))
}
