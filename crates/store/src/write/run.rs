//! Creations that follow one another, handed to the database together: on PostgreSQL a file's rows cost no round trip each.

use std::{iter::Peekable, sync::Arc};

use model::{Caller, FieldIndex, Problem, Record};
use rules::{
    Condition,
    plan::{Operation, OperationKind, Position, Precondition, WritePlan, Written},
};

use super::{Path, marks::Marks};
use crate::transaction::Tx;

/// The most creations that are handed over at once.
const MOST: usize = 500;

/// Creations of one resource in the order of the input.
#[derive(Debug)]
pub(super) struct Run {
    plan: Arc<WritePlan>,
    records: Vec<(Record, Vec<FieldIndex>)>,
    positions: Vec<Position>,
}

impl Run {
    /// Whether an operation and the next one can be made at once.
    pub(super) fn begins(first: &Operation, next: Option<&Operation>) -> bool {
        next.is_some_and(|next| is_plain(next) && Arc::ptr_eq(&next.plan, &first.plan))
            && is_plain(first)
            && stands_alone(&first.plan)
    }

    /// Takes the creations that follow the first one and can be made along with it.
    pub(super) fn of(first: Operation, rest: &mut Peekable<impl Iterator<Item = Operation>>) -> Self {
        let plan = Arc::clone(&first.plan);
        let mut run = Self { plan: Arc::clone(&plan), records: Vec::new(), positions: Vec::new() };
        run.take(first);
        while run.records.len() < MOST
            && let Some(next) = rest.next_if(|next| is_plain(next) && Arc::ptr_eq(&next.plan, &plan))
        {
            run.take(next);
        }
        run
    }

    fn take(&mut self, operation: Operation) {
        if let OperationKind::Create { record, given } = operation.kind {
            self.records.push((record, given));
            self.positions.push(operation.position);
        }
    }

    /// Makes them as if one after another: what is told is what is wrong with the first that fails.
    pub(super) async fn make<T: Tx>(
        self,
        tx: &mut T,
        caller: &Caller,
        marks: &mut Marks,
        written: &mut Vec<Written>,
    ) -> Result<(), Problem> {
        let Self { plan, records, positions } = self;
        let mut path = Path { tx, caller, plan: &plan, marks };
        let mut good = Vec::with_capacity(records.len());
        let mut refused = None;
        for (record, given) in records {
            match path.admit(record, given, &Precondition::None).await {
                Ok(creation) => good.push(creation),
                Err(problem) => {
                    refused = Some(problem);
                    break;
                }
            }
        }
        let mut let_in: Vec<&mut Record> = good.iter_mut().map(|creation| &mut creation.record).collect();
        let outcome = path.tx.create_all(&plan.catalog, plan.resource, &mut let_in, caller).await;
        outcome.map_err(|(place, problem)| at(&positions, place, path.discreet(problem)))?;
        if let Some(problem) = refused {
            return Err(at(&positions, good.len(), problem));
        }
        for creation in good {
            written.push(path.created(creation).await?);
        }
        Ok(())
    }
}

fn at(positions: &[Position], place: usize, problem: Problem) -> Problem {
    match positions.get(place) {
        Some(position) => position.place(problem),
        None => problem,
    }
}

/// A creation that waits for nothing that an operation before it makes.
fn is_plain(operation: &Operation) -> bool {
    operation.late.is_empty() && operation.method.is_none() && matches!(operation.kind, OperationKind::Create { .. })
}

/// Whether no rule that a creation meets asks for other records, which one before it may just have made.
fn stands_alone(plan: &WritePlan) -> bool {
    let writes = plan.field_writes.iter().map(|(_, rule)| rule);
    let validations = plan.validations.iter().map(|(_, rule)| rule);
    let view = plan.view.fields.iter().filter_map(|seen| seen.condition.as_ref());
    let otherwise = plan.otherwise.as_deref();
    let otherwise = otherwise
        .into_iter()
        .flat_map(|rules| [&rules.create].into_iter().chain(rules.field_writes.iter().map(|(_, rule)| rule)));
    let rules = [&plan.create, &plan.read].into_iter().chain(writes).chain(validations).chain(view).chain(otherwise);
    !rules.into_iter().any(Condition::uses_relations)
}
