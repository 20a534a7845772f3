//! One change made to every record that a filter means.

use std::sync::Arc;

use model::{Action, Code, FieldIndex, Flaw, Problem, Record, Value, problem::Place};
use rules::plan::{Act, Edit, Precondition, Read, Written};

use super::{Path, cascade, marks::Deed};
use crate::transaction::{Purpose, Tx};

/// How often records are gone through that others still refer to.
const ROUNDS: usize = 8;

impl<T: Tx> Path<'_, T> {
    /// Changes all that a read means, or none of them; each under its own rules.
    pub(super) async fn each(&mut self, select: &Read, most: u32, act: Act) -> Result<Vec<Written>, Problem> {
        let purpose = match act {
            Act::Patch(_) => Purpose::Change,
            Act::Delete => Purpose::Remove,
        };
        let ids = self.tx.matching(select, purpose, most.saturating_add(1)).await?;
        if ids.len() > most as usize {
            let detail = format!("more than {most} records match; narrow the filter: nothing was changed");
            let at = Place::Parameter("filter".to_owned());
            return Err(Problem::validation(vec![Flaw { at, code: "max_items", detail }]));
        }
        match act {
            Act::Patch(edits) => self.patch_each(&ids, &edits).await,
            Act::Delete => self.delete_each(&ids).await,
        }
    }

    async fn patch_each(&mut self, ids: &[Value], edits: &[(FieldIndex, Edit)]) -> Result<Vec<Written>, Problem> {
        let mut written = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(old) = self.fetch(id, Purpose::Change).await? else { continue };
            let new =
                self.edit(old, edits.to_vec(), &Precondition::None).await.map_err(|problem| of_record(problem, id))?;
            written.push(self.done(Action::Updated, new));
        }
        Ok(written)
    }

    async fn delete_each(&mut self, ids: &[Value]) -> Result<Vec<Written>, Problem> {
        // Every rule is asked about the state before the write: what goes first decides nothing about the rest.
        let mut records = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(old) = self.fetch(id, Purpose::Remove).await? else { continue };
            self.may_delete(&old).await.map_err(|problem| of_record(problem, id))?;
            let deed = Deed { action: Action::Deleted, old: Some(&old), new: None, fields: &[] };
            let overruled = self.overrules(&deed).await?;
            self.mark(Action::Deleted, &old, &[], overruled);
            records.push(old);
        }
        let written = records.iter().map(|record| self.done(Action::Deleted, record.clone())).collect();
        // What refers to another of them is mostly younger, so it goes first.
        records.reverse();
        for _ in 0..ROUNDS {
            let before = records.len();
            let in_use = self.remove_all(&mut records).await?;
            match in_use {
                None => return Ok(written),
                Some(problem) if records.len() == before => return Err(problem),
                Some(_) => {}
            }
        }
        Err(crate::refusal::in_use())
    }

    /// Deletes those that nobody outside refers to and keeps the others; says so of the last one kept.
    async fn remove_all(&mut self, records: &mut Vec<Record>) -> Result<Option<Problem>, Problem> {
        let plan = self.plan;
        let mut kept = Vec::new();
        let mut in_use = None;
        for record in records.drain(..) {
            // A cascade of another one may have taken it along.
            if self.fetch(record.id(), Purpose::Remove).await?.is_none() {
                continue;
            }
            match cascade::remove(self.tx, &plan.catalog, self.caller, plan.resource, record.clone()).await {
                Ok(()) => {}
                Err(problem) if problem.code == Code::InUse => {
                    in_use = Some(of_record(problem, record.id()));
                    kept.push(record);
                }
                Err(problem) => return Err(problem),
            }
        }
        *records = kept;
        Ok(in_use)
    }

    /// What a change came to where nobody is answered the record.
    fn done(&self, action: Action, record: Record) -> Written {
        Written { action, plan: Arc::clone(self.plan), record, visible: None }
    }
}

/// The caller may read the record, so it may be told which one it was.
fn of_record(problem: Problem, id: &Value) -> Problem {
    Problem { detail: format!("{} (of the record {})", problem.detail, crate::id_text(id)), ..problem }
}
