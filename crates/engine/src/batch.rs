//! Several operations in one write, of which later ones may name the ids of earlier ones: `"$0.id"`.
//!
//! Such an id may be known to the database alone (serial numbers, an upsert that finds a record), so another value of its
//! type stands in for it until the store has made the earlier operation.

use std::{borrow::Cow, sync::Arc};

use model::{Caller, Code, Field, Flaw, IdKind, Problem, Resource, ResourceIndex, Value, problem::Place};
use rules::{
    Gate,
    plan::{Draft, Late, LatePlace, OperationKind, Position, Precondition},
};
use serde_json::Value as Json;

use crate::{
    Engine,
    operations::parse_id,
    writes::{new_record, unique_key},
};

/// One operation of a batch.
#[derive(Debug)]
pub enum Step {
    /// POST
    Create {
        /// The resource's name.
        resource: String,
        /// An object.
        body: Json,
        /// As for a single one.
        upsert: Option<Vec<String>>,
    },
    /// PUT
    Replace {
        /// The resource's name.
        resource: String,
        /// The record's id, or `$0.id`.
        id: String,
        /// An object.
        body: Json,
        /// What must be true of the stored record.
        precondition: Precondition,
    },
    /// PATCH
    Patch {
        /// The resource's name.
        resource: String,
        /// The record's id, or `$0.id`.
        id: String,
        /// An object.
        body: Json,
        /// What must be true of the stored record.
        precondition: Precondition,
    },
    /// DELETE
    Delete {
        /// The resource's name.
        resource: String,
        /// The record's id, or `$0.id`.
        id: String,
        /// What must be true of the stored record.
        precondition: Precondition,
    },
}

impl Step {
    fn resource(&self) -> &str {
        match self {
            Self::Create { resource, .. }
            | Self::Replace { resource, .. }
            | Self::Patch { resource, .. }
            | Self::Delete { resource, .. } => resource,
        }
    }

    /// The method that it stands for.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::Create { .. } => "POST",
            Self::Replace { .. } => "PUT",
            Self::Patch { .. } => "PATCH",
            Self::Delete { .. } => "DELETE",
        }
    }

    /// The path that it stands for.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Create { resource, .. } => format!("/api/{resource}"),
            Self::Replace { resource, id, .. }
            | Self::Patch { resource, id, .. }
            | Self::Delete { resource, id, .. } => format!("/api/{resource}/{id}"),
        }
    }
}

impl Engine {
    /// The drafts of a batch. What is wrong with the bodies is told of all operations at once.
    pub(crate) fn draft_batch(&self, gate: &Arc<Gate>, caller: &Caller, steps: &[Step]) -> Result<Vec<Draft>, Problem> {
        let mut drafts: Vec<Draft> = Vec::with_capacity(steps.len());
        let mut flaws = Vec::new();
        // What later operations may name, whether or not the earlier one is well.
        let mut kinds = Vec::with_capacity(steps.len());
        for (number, step) in steps.iter().enumerate() {
            let position = Position { operation: format!("/operations/{number}"), body: "/body" };
            let resource = Self::resource(gate, step.resource()).map_err(|problem| at_path(problem, &position))?;
            let caller = Caller { method: step.method(), ..caller.clone() };
            let drafting =
                Drafting { engine: self, gate, caller: &caller, resource, kinds: &kinds, position: &position };
            match drafting.draft(step) {
                Ok((kind, late)) => {
                    drafts.push(Draft { resource, kind, method: Some(step.method()), position, late });
                }
                Err(problem) if problem.code == Code::Validation => flaws.extend(problem.errors),
                Err(problem) => return Err(problem),
            }
            kinds.push(gate.catalog().schema.get(resource).id_kind);
        }
        if flaws.is_empty() { Ok(drafts) } else { Err(Problem::validation(flaws)) }
    }
}

/// One operation on its way to a draft.
struct Drafting<'a> {
    engine: &'a Engine,
    gate: &'a Arc<Gate>,
    caller: &'a Caller,
    resource: ResourceIndex,
    /// Of the earlier operations.
    kinds: &'a [IdKind],
    position: &'a Position,
}

impl Drafting<'_> {
    fn draft(&self, step: &Step) -> Result<(OperationKind, Vec<Late>), Problem> {
        let mut late = Vec::new();
        let input = self.engine.input(self.gate, self.resource, self.caller, false);
        let kind = match step {
            Step::Create { body, upsert, .. } => {
                let by = upsert.as_deref().map(|names| unique_key(self.gate, self.caller, self.resource, names));
                let by = by.transpose().map_err(|problem| at_path(problem, self.position))?;
                let body = self.body(body, &mut late)?;
                new_record(self.gate, &input, &body, by.as_deref())
            }
            Step::Replace { id, body, precondition, .. } => {
                let id = self.id(id, &mut late)?;
                let body = self.body(body, &mut late)?;
                input.replace(id, &body, precondition.clone())
            }
            Step::Patch { id, body, precondition, .. } => {
                let id = self.id(id, &mut late)?;
                let body = self.body(body, &mut late)?;
                input.patch(id, &body, precondition.clone())
            }
            Step::Delete { id, precondition, .. } => {
                let id = self.id(id, &mut late)?;
                Ok(OperationKind::Delete { id, precondition: precondition.clone() })
            }
        };
        Ok((kind.map_err(|problem| self.position.place(problem))?, late))
    }

    /// The id of a path.
    fn id(&self, text: &str, late: &mut Vec<Late>) -> Result<Value, Problem> {
        let Some(operation) = earlier(text) else {
            return parse_id(self.gate, self.resource, text).map_err(|problem| self.position.place(problem));
        };
        let kind = self.declared().id_kind;
        let told = self.known(operation, kind).map_err(|detail| {
            let pointer = format!("{}/path", self.position.operation);
            Problem::validation(vec![Flaw::pointer(pointer, "reference", detail)])
        });
        told?;
        late.push(Late { operation, place: LatePlace::Id });
        Ok(model::parse_id(kind, &stand_in(kind, 0).to_text()).unwrap_or_default())
    }

    /// A body in which something stands in for every id that is not known yet.
    fn body<'b>(&self, body: &'b Json, late: &mut Vec<Late>) -> Result<Cow<'b, Json>, Problem> {
        let Some(members) = body.as_object() else { return Ok(Cow::Borrowed(body)) };
        let mut flaws = Vec::new();
        let mut changed = None;
        // Most values can't name an operation, so their fields need not be looked up.
        for (name, value) in members.iter().filter(|(_, value)| may_name(value)) {
            let Some(field) = self.declared().field(name) else { continue };
            let declared = self.declared().get(field);
            let Some(target) = declared.target() else { continue };
            let kind = self.gate.catalog().schema.get(target).id_kind;
            let mut members = Members { drafting: self, declared, kind, late: Vec::new(), flaws: &mut flaws };
            let Some(value) = members.value(value) else { continue };
            late.extend(members.late.into_iter().map(|(operation, item)| {
                let place = item.map_or(LatePlace::Field(field), |item| LatePlace::Item(field, item));
                Late { operation, place }
            }));
            let body = changed.get_or_insert_with(|| body.clone());
            if let Some(member) = body.get_mut(name) {
                *member = value;
            }
        }
        if !flaws.is_empty() {
            return Err(self.position.place(Problem::validation(flaws)));
        }
        Ok(changed.map_or(Cow::Borrowed(body), Cow::Owned))
    }

    /// Whether an operation comes before this one and has ids of this kind.
    fn known(&self, operation: usize, kind: IdKind) -> Result<(), String> {
        match self.kinds.get(operation) {
            None => Err(format!("`${operation}.id` names no earlier operation")),
            Some(known) if *known != kind => Err(format!("`${operation}.id` is an id of another kind")),
            Some(_) => Ok(()),
        }
    }

    fn declared(&self) -> &Resource {
        self.gate.catalog().schema.get(self.resource)
    }
}

/// The value of a reference, searched for ids that are not known yet.
struct Members<'a> {
    drafting: &'a Drafting<'a>,
    declared: &'a Field,
    kind: IdKind,
    /// Operations named, each with the place in the list.
    late: Vec<(usize, Option<usize>)>,
    flaws: &'a mut Vec<Flaw>,
}

impl Members<'_> {
    /// The value with something standing in for such ids; none where it has none.
    fn value(&mut self, value: &Json) -> Option<Json> {
        match value {
            Json::String(text) if !self.declared.is_many() => self.one(text, None, ""),
            Json::Array(items) if self.declared.is_many() => self.items(items, ""),
            Json::Object(members) if self.declared.is_many() && members.len() == 1 => {
                let (operator, items) = members.iter().next()?;
                if operator != "$append" && operator != "$remove" {
                    return None;
                }
                let items = self.items(items.as_array()?, &format!("/{operator}"))?;
                Some(Json::Object([(operator.clone(), items)].into_iter().collect()))
            }
            _ => None,
        }
    }

    fn items(&mut self, items: &[Json], below: &str) -> Option<Json> {
        let mut changed = None;
        for (number, item) in items.iter().enumerate() {
            let Json::String(text) = item else { continue };
            let Some(value) = self.one(text, Some(number), &format!("{below}/{number}")) else { continue };
            changed.get_or_insert_with(|| items.to_vec())[number] = value;
        }
        changed.map(Json::Array)
    }

    fn one(&mut self, text: &str, item: Option<usize>, below: &str) -> Option<Json> {
        let operation = earlier(text)?;
        match self.drafting.known(operation, self.kind) {
            Ok(()) => {
                self.late.push((operation, item));
                Some(stand_in(self.kind, item.unwrap_or(0)).json())
            }
            Err(detail) => {
                let pointer = format!("/{}{below}", self.declared.name);
                self.flaws.push(Flaw::pointer(pointer, "reference", detail));
                None
            }
        }
    }
}

/// Whether a value is of a form in which ids of earlier operations are named.
fn may_name(value: &Json) -> bool {
    match value {
        Json::String(text) => text.starts_with('$'),
        Json::Array(_) | Json::Object(_) => true,
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

/// The operation that `$3.id` names.
fn earlier(text: &str) -> Option<usize> {
    let number = text.strip_prefix('$')?.strip_suffix(".id")?;
    let canonical = number == "0" || !number.starts_with('0');
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|_| canonical && digits)
}

/// A well-formed id that stands in for another one.
struct StandIn(IdKind, usize);

/// Those of a list differ, so that none seems to stand there twice.
fn stand_in(kind: IdKind, number: usize) -> StandIn {
    StandIn(kind, number)
}

impl StandIn {
    fn to_text(&self) -> String {
        match self.0 {
            IdKind::Uuid => uuid::Uuid::from_u128(u128::MAX - self.1 as u128).to_string(),
            IdKind::Integer => (i64::MAX - self.1 as i64).to_string(),
            IdKind::String => format!("{:~<120}", self.1),
        }
    }

    fn json(&self) -> Json {
        match self.0 {
            IdKind::Integer => (i64::MAX - self.1 as i64).into(),
            IdKind::Uuid | IdKind::String => self.to_text().into(),
        }
    }
}

/// A problem with the path of an operation.
fn at_path(mut problem: Problem, position: &Position) -> Problem {
    let pointer = || Place::Pointer(format!("{}/path", position.operation));
    if problem.errors.is_empty() {
        let flaw = Flaw { at: pointer(), code: problem.code.slug(), detail: problem.detail.clone() };
        problem.errors.push(flaw);
    }
    for flaw in &mut problem.errors {
        flaw.at = pointer();
    }
    problem
}
