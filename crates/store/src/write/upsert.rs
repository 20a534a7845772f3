//! A creation that changes the record which is there already instead.

use model::{Code, FieldIndex, Flaw, Problem, Record, problem::Place};
use rules::{
    Condition,
    plan::{Edit, Precondition, Written},
};

use super::{Path, checks::require_fields};
use crate::{
    refusal,
    transaction::{Purpose, Tx},
};

impl<T: Tx> Path<'_, T> {
    /// Changes the record that agrees with this one in the fields `by`, under the update rule, or creates it.
    pub(super) async fn upsert(
        &mut self,
        record: Record,
        given: &[FieldIndex],
        by: &[FieldIndex],
    ) -> Result<Written, Problem> {
        let plan = self.plan;
        let found = self.tx.find(&plan.catalog, plan.resource, by, &record).await?;
        let old = match found {
            Some(id) => self.fetch(&id, Purpose::Change).await?,
            None => None,
        };
        let Some(old) = old else {
            self.complete(&record)?;
            let outcome = self.create(record, given.to_vec(), &Precondition::None).await;
            if outcome.as_ref().is_err_and(|problem| is_about(problem, self.resource(), by)) {
                self.tx.lost_race();
            }
            return outcome;
        };
        let seen = match self.readable(&old).await {
            Ok(()) => self.visible(&old).await?,
            Err(problem) if problem.code == Code::NotFound => Vec::new(),
            Err(problem) => return Err(problem),
        };
        if !by.iter().all(|field| seen.contains(field)) {
            // To this caller there is no such record, so it goes as any creation does, as far as the taken value.
            self.complete(&record)?;
            self.may_create(&record, given).await?;
            return Err(refusal::taken(self.resource(), by));
        }
        let changed = given.iter().filter(|field| !by.contains(field));
        let edits = changed.map(|field| (*field, Edit::Set(record.get(*field).clone()))).collect();
        let alteration = self.edit(old, edits, &Precondition::None).await?;
        let new = self.alter(alteration).await?;
        self.written(model::Action::Updated, new).await
    }

    /// Whether a record has all that one needs which is new: an upsert may leave out what is there already. Who may make
    /// none is not told what it lacks.
    fn complete(&self, record: &Record) -> Result<(), Problem> {
        if self.plan.create == Condition::Constant(false) {
            return Err(self.uncreatable());
        }
        let mut flaws = Vec::new();
        require_fields(self.resource(), record, &mut flaws);
        if flaws.is_empty() { Ok(()) } else { Err(Problem::validation(flaws)) }
    }
}

/// Whether a conflict is one in just these fields.
pub(super) fn is_about(problem: &Problem, resource: &model::Resource, fields: &[FieldIndex]) -> bool {
    let names = |flaw: &Flaw| match &flaw.at {
        Place::Pointer(pointer) => {
            fields.iter().any(|field| pointer.strip_prefix('/') == Some(&resource.get(*field).name))
        }
        Place::Parameter(_) => false,
    };
    problem.code == Code::Conflict && problem.errors.len() == fields.len() && problem.errors.iter().all(names)
}
