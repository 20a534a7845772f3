//! What a write asks of a record without the database: required fields, preconditions; and the words for what is wrong.

use model::{Caller, Code, FieldIndex, Flaw, IdKind, Origin, Problem, Record, Value};
use rules::plan::Precondition;

/// Notes every required field that has no value.
pub(super) fn require_fields(resource: &model::Resource, record: &Record, flaws: &mut Vec<Flaw>) {
    if resource.id_kind == IdKind::String && record.id().is_null() {
        flaws.push(Flaw::pointer("/id", "required", "id is required: you name these records"));
    }
    for (field, declared) in resource.indices().zip(&resource.fields) {
        if declared.required && declared.is_declared() {
            model::check_required(declared, record.get(field), flaws);
        }
    }
}

/// Keeps `updated_at`; it never runs backwards, whatever the clock does.
pub(super) fn stamp(resource: &model::Resource, caller: &Caller, old: &Record, new: &mut Record) {
    if let Some(field) = resource.kept(Origin::UpdatedAt) {
        let before = match old.get(field) {
            Value::DateTime(moment) => *moment,
            _ => i64::MIN,
        };
        new.set(field, Value::DateTime(caller.now.max(before)));
    }
}

/// Holds a precondition against the stored revision, none where there is no record.
pub(super) fn require(precondition: &Precondition, stored: Option<i64>) -> Result<(), Problem> {
    let holds = match (precondition, stored) {
        (Precondition::None, _) | (Precondition::Absent, None) | (Precondition::Exists, Some(_)) => true,
        (Precondition::Revision(wanted), Some(revision)) => wanted.contains(&revision),
        (Precondition::Absent, Some(_)) | (Precondition::Exists | Precondition::Revision(_), None) => false,
    };
    if holds {
        return Ok(());
    }
    let detail = match precondition {
        Precondition::Absent => "a record with this id is there already",
        _ => "the record has changed since you read it; read it again and repeat the change",
    };
    Err(Problem::new(Code::PreconditionFailed, detail))
}

pub(super) fn not_writable(resource: &model::Resource, field: FieldIndex) -> Flaw {
    let name = &resource.get(field).name;
    Flaw::pointer(format!("/{name}"), "not_writable", format!("you may not set {name}"))
}

/// Whether a change relative to what is stored succeeds would tell what that is.
pub(super) fn unreadable(resource: &model::Resource, field: FieldIndex) -> Flaw {
    let name = &resource.get(field).name;
    let detail =
        format!("you may not read {name}, so it can't be changed relative to what it holds; set it as a whole");
    Flaw::pointer(format!("/{name}"), "not_writable", detail)
}

pub(super) fn immutable(resource: &model::Resource, field: FieldIndex) -> Flaw {
    let name = &resource.get(field).name;
    Flaw::pointer(format!("/{name}"), "immutable", format!("{name} is set at creation only"))
}
