//! Operations tried and undone: what would come of them, said by the one write path itself.

use std::sync::{Arc, Mutex, PoisonError};

use model::{Caller, Problem, Record};
use rules::plan::{OperationKind, Precondition, Written};
use serde_json::Value as Json;
use store::Beside;

use crate::{Engine, Target, input::Input};

/// An operation to be tried.
#[derive(Debug, Clone, Copy)]
pub enum Rehearsal<'a> {
    /// A new record of a resource.
    Create {
        /// The resource's name.
        resource: &'a str,
        /// The body.
        body: &'a Json,
    },
    /// A change of a record.
    Patch {
        /// Whose.
        target: Target<'a>,
        /// The body.
        body: &'a Json,
    },
    /// A deletion.
    Delete {
        /// Whose.
        target: Target<'a>,
    },
}

impl Rehearsal<'_> {
    fn resource(&self) -> &str {
        match self {
            Self::Create { resource, .. } => resource,
            Self::Patch { target, .. } | Self::Delete { target } => target.resource,
        }
    }
}

impl Engine {
    /// What would come of an operation: the record as it would be (as it is, where it would go). Nothing is kept of it.
    ///
    /// # Errors
    /// The problem that the operation would meet.
    pub async fn rehearse(&self, caller: Caller, rehearsal: Rehearsal<'_>) -> Result<Record, Problem> {
        let gate = self.gate();
        let resource = Self::resource(&gate, rehearsal.resource())?;
        let id_kind = gate.catalog().schema.get(resource).id_kind;
        let id = |text: &str| model::parse_id(id_kind, text).ok_or_else(Problem::not_found);
        let clock = &**self.clock();
        let input = Input { catalog: gate.catalog(), resource, caller: &caller, clock, loading: false };
        let kind = match rehearsal {
            Rehearsal::Create { body, .. } => input.create(body)?,
            Rehearsal::Patch { target, body } => input.patch(id(target.id)?, body, Precondition::None)?,
            Rehearsal::Delete { target } => {
                OperationKind::Delete { id: id(target.id)?, precondition: Precondition::None }
            }
        };
        let result: Arc<Mutex<Option<Record>>> = Arc::default();
        let kept = Arc::clone(&result);
        // Whatever comes after the write undoes it.
        let after = move |written: &[Written]| {
            let record = written.first().map(|written| written.record.clone());
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = record;
            Err(undone())
        };
        let beside = Beside { after: Some(Arc::new(after)), ..Beside::default() };
        let outcome = self.store().write_beside(gate.write(caller, [(resource, kind, String::new())]), beside).await;
        match outcome {
            Err(problem) if problem == undone() => {}
            Err(problem) => return Err(problem),
            Ok(_) => return Err(Problem::internal("what was only tried was made")),
        }
        let record = result.lock().unwrap_or_else(PoisonError::into_inner).take();
        record.ok_or_else(|| Problem::internal("what was tried left nothing"))
    }
}

fn undone() -> Problem {
    Problem::internal("this was tried, and undone")
}
