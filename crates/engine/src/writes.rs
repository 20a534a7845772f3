//! Writes: what a protocol hands over, drafted, passed through the gate, made, and told.

use std::sync::Arc;

use model::{Action, Caller, Code, FieldIndex, Flaw, Problem, ResourceIndex};
use rules::{
    Gate, Visibility,
    plan::{Act, Draft, OperationKind, Position, Precondition, Written},
    query::Query,
};
use serde_json::Value as Json;
use store::Beside;

use crate::{
    Engine, Step,
    input::Input,
    operations::{Answer, Target, answer_of, parse_id},
    output,
};

/// The most records in one request.
pub(crate) const AT_ONCE: usize = 1000;

/// A write as a protocol hands it over.
#[derive(Debug)]
pub enum Task<'a> {
    /// A new record, or with an array all of several or none.
    Create {
        /// The resource's name.
        resource: &'a str,
        /// An object, or an array of them.
        body: &'a Json,
        /// The names of fields that are unique together: the record that agrees in them is changed instead.
        upsert: Option<&'a [String]>,
    },
    /// All of a record anew.
    Replace {
        /// Whose.
        target: Target<'a>,
        /// An object.
        body: &'a Json,
        /// What must be true of the stored record.
        precondition: Precondition,
    },
    /// Some fields of a record (RFC 7396, and the atomic operators).
    Patch {
        /// Whose.
        target: Target<'a>,
        /// An object.
        body: &'a Json,
        /// What must be true of the stored record.
        precondition: Precondition,
    },
    /// Some fields of every record that a query means.
    PatchMatching {
        /// The resource's name.
        resource: &'a str,
        /// Which.
        query: Query,
        /// An object.
        body: &'a Json,
    },
    /// A record goes.
    Delete {
        /// Whose.
        target: Target<'a>,
        /// What must be true of the stored record.
        precondition: Precondition,
    },
    /// Every record that a query means goes.
    DeleteMatching {
        /// The resource's name.
        resource: &'a str,
        /// Which.
        query: Query,
    },
    /// Several operations, all of them or none.
    Batch(Vec<Step>),
}

/// What a write came to.
#[derive(Debug)]
pub enum Done {
    /// One record.
    One(Answer),
    /// An array of records.
    Several {
        /// A JSON array.
        body: Vec<u8>,
        /// Whether any of them is new.
        created: bool,
    },
    /// So many records were changed.
    Count(usize),
    /// The record is gone.
    Gone,
    /// One outcome for each operation: none where the record is gone.
    Batch(Vec<Option<Answer>>),
}

/// In which form a write is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    One,
    Several,
    Count,
    Gone,
    Batch,
}

impl Engine {
    /// Makes a write.
    ///
    /// # Errors
    /// 404 for an unknown resource or a record that the caller may not read, 422 for a body that is none, 401 and 403 where
    /// a rule stops the caller, 409 for conflicts, 412 for a precondition that fails.
    pub async fn write(&self, caller: Caller, task: Task<'_>) -> Result<Done, Problem> {
        let gate = self.gate();
        let (drafts, shape) = self.draft(&gate, &caller, task)?;
        let written = self.commit(gate.write(caller, drafts), Beside::default()).await?;
        tell(shape, &written)
    }

    /// The operations of a task, and how they will be told.
    pub(crate) fn draft(
        &self,
        gate: &Arc<Gate>,
        caller: &Caller,
        task: Task<'_>,
    ) -> Result<(Vec<Draft>, Shape), Problem> {
        let one = |resource, kind, shape| Ok((vec![Draft::from((resource, kind, String::new()))], shape));
        let input = |resource| self.input(gate, resource, caller, false);
        match task {
            Task::Create { resource, body, upsert } => {
                let resource = Self::resource(gate, resource)?;
                let by = upsert.map(|names| unique_key(gate, caller, resource, names)).transpose()?;
                let input = input(resource);
                let kind = |body: &Json| new_record(gate, &input, body, by.as_deref());
                match body {
                    Json::Array(items) => Ok((draft_all(resource, items, kind)?, Shape::Several)),
                    body => one(resource, kind(body)?, Shape::One),
                }
            }
            Task::Replace { target, body, precondition } => {
                let (resource, id) = find(gate, target)?;
                one(resource, input(resource).replace(id, body, precondition)?, Shape::One)
            }
            Task::Patch { target, body, precondition } => {
                let (resource, id) = find(gate, target)?;
                one(resource, input(resource).patch(id, body, precondition)?, Shape::One)
            }
            Task::PatchMatching { resource, query, body } => {
                let resource = Self::resource(gate, resource)?;
                let act = Act::Patch(input(resource).edits(body)?);
                one(resource, each(gate, caller, resource, query, act)?, Shape::Count)
            }
            Task::Delete { target, precondition } => {
                let (resource, id) = find(gate, target)?;
                one(resource, OperationKind::Delete { id, precondition }, Shape::Gone)
            }
            Task::DeleteMatching { resource, query } => {
                let resource = Self::resource(gate, resource)?;
                one(resource, each(gate, caller, resource, query, Act::Delete)?, Shape::Count)
            }
            Task::Batch(steps) => Ok((self.draft_batch(gate, caller, &steps)?, Shape::Batch)),
        }
    }
}

/// A new record, or with `by` what becomes of the one found by these fields. What is wrong with the body is told to those
/// alone who might have had their way with another one.
pub(crate) fn new_record(
    gate: &Gate,
    input: &Input<'_>,
    body: &Json,
    by: Option<&[FieldIndex]>,
) -> Result<OperationKind, Problem> {
    let kind = match by {
        Some(by) => input.upsert(body, by),
        None => input.create(body),
    };
    kind.map_err(|problem| gate.refuses_all(input.caller, input.resource, by.is_some()).unwrap_or(problem))
}

fn find(gate: &Gate, target: Target<'_>) -> Result<(ResourceIndex, model::Value), Problem> {
    let resource = Engine::resource(gate, target.resource)?;
    Ok((resource, parse_id(gate, resource, target.id)?))
}

/// The fields of an upsert.
pub(crate) fn unique_key(
    gate: &Gate,
    caller: &Caller,
    resource: ResourceIndex,
    names: &[String],
) -> Result<Vec<FieldIndex>, Problem> {
    rules::unique_key(&Visibility::of(gate.catalog(), caller), resource, names, "upsert")
}

fn each(
    gate: &Gate,
    caller: &Caller,
    resource: ResourceIndex,
    query: Query,
    act: Act,
) -> Result<OperationKind, Problem> {
    let select = Box::new(gate.read(caller.clone(), resource, query)?);
    Ok(OperationKind::Each { select, most: AT_ONCE as u32, act })
}

/// One operation for each item of an array; what is wrong with any of them is told at once.
fn draft_all(
    resource: ResourceIndex,
    items: &[Json],
    kind: impl Fn(&Json) -> Result<OperationKind, Problem>,
) -> Result<Vec<Draft>, Problem> {
    if items.len() > AT_ONCE {
        let detail = format!("{AT_ONCE} records at most at once; these are {}", items.len());
        return Err(Problem::validation(vec![Flaw::pointer("", "max_items", detail)]));
    }
    let mut drafts = Vec::with_capacity(items.len());
    let mut flaws = Vec::new();
    for (number, item) in items.iter().enumerate() {
        let position = Position { operation: format!("/{number}"), body: "" };
        match kind(item) {
            Ok(kind) => drafts.push(Draft { resource, kind, method: None, position, late: Vec::new() }),
            Err(problem) if problem.code == Code::Validation => flaws.extend(position.place(problem).errors),
            Err(problem) => return Err(position.place(problem)),
        }
    }
    if flaws.is_empty() { Ok(drafts) } else { Err(Problem::validation(flaws)) }
}

/// What a write came to, for its caller.
pub(crate) fn tell(shape: Shape, written: &[Written]) -> Result<Done, Problem> {
    let lost = || Problem::internal("one operation had another number of outcomes");
    Ok(match shape {
        Shape::One => Done::One(answer_of(written.first().ok_or_else(lost)?)),
        Shape::Several => {
            let mut body = Vec::with_capacity(256 * written.len() + 2);
            body.push(b'[');
            for (position, one) in written.iter().enumerate() {
                if position > 0 {
                    body.push(b',');
                }
                output::write(one, &mut body);
            }
            body.push(b']');
            Done::Several { body, created: written.iter().any(|one| one.action == Action::Created) }
        }
        Shape::Count => Done::Count(written.len()),
        Shape::Gone => Done::Gone,
        Shape::Batch => {
            let outcome = |one: &Written| (one.action != Action::Deleted).then(|| answer_of(one));
            Done::Batch(written.iter().map(outcome).collect())
        }
    })
}
