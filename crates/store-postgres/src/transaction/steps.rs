//! The statements that write records with their entries in the log, and what their rows say.

use std::sync::Arc;

use model::{Action, Caller, FieldIndex, Problem, Record, Resource, Value};
use store::{Change, LogLine};
use tokio_postgres::{Error, Row};

use crate::{
    connection::{Step, Text},
    group_commit::Creation,
    parameter::Parameter,
    statements::ResourceStatements,
};

/// Revision and id of the record in the rows of a statement that wrote one.
pub(super) fn made(rows: &[Row]) -> Result<Option<(i64, String)>, Error> {
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some((row.try_get(0)?, row.try_get(1)?)))
}

pub(super) fn gone() -> Problem {
    Problem::internal("a record that was locked is not there")
}

/// The columns that a change of these fields writes.
pub(super) fn columns_of(declared: &Resource, changed: &[FieldIndex]) -> Vec<FieldIndex> {
    let mut fields: Vec<FieldIndex> = changed.iter().copied().filter(|field| !declared.get(*field).is_many()).collect();
    if let Some(stamp) = declared.kept(model::Origin::UpdatedAt).filter(|stamp| !fields.contains(stamp)) {
        fields.push(stamp);
    }
    fields
}

/// The values of the statement that changes these columns of a record and writes the entry in the log.
pub(super) fn alteration(
    declared: &Resource,
    change: &Change<'_>,
    columns: &[FieldIndex],
    caller: &Caller,
) -> Vec<Parameter> {
    let line = LogLine {
        before: Some(change.before),
        after: Some(change.after),
        changed: change.fields,
        ..line(declared, Action::Updated, caller)
    };
    std::iter::once(Parameter(change.after.id().clone()))
        .chain(who(caller))
        .chain([line.changed_names(), line.before_json(), line.after_json()].map(text_or_null))
        .chain(columns.iter().map(|field| Parameter(change.after.get(*field).clone())))
        .collect()
}

/// The statement that inserts a record and its entry in the log.
pub(super) fn creation(texts: &ResourceStatements, declared: &Resource, record: &Record, caller: &Caller) -> Creation {
    let given = !record.id().is_null();
    let after = LogLine { after: Some(record), ..line(declared, Action::Created, caller) }.after_json();
    let after = match given {
        true => after,
        // The database puts the number before it.
        false => after.map(|whole| whole.strip_prefix("{\"id\":null").unwrap_or(&whole).to_owned()),
    };
    let columns = texts.columns.iter().filter(|field| given || **field != Resource::ID);
    let fields = columns.copied().chain(texts.many.iter().map(|many| many.field));
    let values = fields.map(|field| Parameter(record.get(field).clone()));
    let values = values.chain(who(caller)).chain([text_or_null(after)]).collect();
    Creation { text: Arc::clone(if given { &texts.create } else { &texts.create_next }), values }
}

/// The statement that deletes a record and writes the entry in the log.
pub(super) fn removal<'a>(text: &'a Text, declared: &Resource, record: &Record, caller: &Caller) -> Step<'a> {
    let line = LogLine { before: Some(record), ..line(declared, Action::Deleted, caller) };
    let id = std::iter::once(Parameter(record.id().clone()));
    Step { text, values: id.chain(who(caller)).chain([text_or_null(line.before_json())]).collect() }
}

fn line<'a>(resource: &'a Resource, action: Action, caller: &'a Caller) -> LogLine<'a> {
    LogLine { resource, action, caller, before: None, after: None, changed: &[] }
}

fn who(caller: &Caller) -> [Parameter; 3] {
    let actor = caller.identity.actor.as_deref().map_or(Value::Null, Value::text);
    [Parameter(Value::Integer(caller.now)), Parameter(actor), Parameter(Value::text(&caller.request_id))]
}

fn text_or_null(text: Option<String>) -> Parameter {
    Parameter(text.map_or(Value::Null, Value::text))
}
