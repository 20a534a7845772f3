//! What the rules say of one record on its way, and how a refusal is told.

use model::{Caller, Code, FieldIndex, Flaw, Problem, Record, problem::Place};
use rules::{Condition, Situation, plan::WritePlan};

use super::Path;
use crate::transaction::Tx;

impl<T: Tx> Path<'_, T> {
    /// A record that the caller may not read does not exist for it.
    pub(super) async fn readable(&mut self, record: &Record) -> Result<(), Problem> {
        if self.holds(&self.plan.read, Some(record), None).await? { Ok(()) } else { Err(Problem::not_found()) }
    }

    pub(super) async fn writable(&mut self, field: FieldIndex, old: &Record, new: &Record) -> Result<bool, Problem> {
        let plan = self.plan;
        match plan.field_writes.iter().find(|(restricted, _)| *restricted == field) {
            Some((_, rule)) => self.holds(rule, Some(old), Some(new)).await,
            None => Ok(true),
        }
    }

    pub(super) async fn validate(
        &mut self,
        old: Option<&Record>,
        new: &Record,
        flaws: &mut Vec<Flaw>,
    ) -> Result<(), Problem> {
        let plan = self.plan;
        for (message, rule) in &plan.validations {
            if !self.holds(rule, old, Some(new)).await? {
                flaws.push(Flaw::pointer("", "rule", message.clone()));
            }
        }
        Ok(())
    }

    pub(super) async fn holds(
        &mut self,
        rule: &Condition,
        record: Option<&Record>,
        new: Option<&Record>,
    ) -> Result<bool, Problem> {
        holds(self.tx, self.plan, rule, self.caller, record, new).await
    }

    /// Whether a rule holds about each of these records as it is.
    pub(super) async fn holds_all(&mut self, rule: &Condition, records: &[Record]) -> Result<Vec<bool>, Problem> {
        if rule.uses_relations() {
            return self.tx.holds_all(self.plan, rule, self.caller, records).await;
        }
        let mut verdicts = Vec::with_capacity(records.len());
        for record in records {
            verdicts.push(self.holds(rule, Some(record), None).await?);
        }
        Ok(verdicts)
    }

    /// A conflict names a field only where the caller may read it.
    pub(super) fn discreet(&self, mut problem: Problem) -> Problem {
        let names = |flaw: &Flaw| match &flaw.at {
            Place::Pointer(pointer) => {
                let field = pointer.strip_prefix('/').and_then(|name| self.resource().field(name));
                self.plan.view.fields.iter().any(|seen| Some(seen.field) == field)
            }
            Place::Parameter(_) => true,
        };
        if problem.code == Code::Conflict && !problem.errors.iter().all(names) {
            problem.errors.retain(names);
            problem.detail = "a value of this record is taken by another one".to_owned();
        }
        problem
    }

    /// What somebody is told who may not create a record.
    pub(super) fn uncreatable(&self) -> Problem {
        rules::gate::uncreatable(self.caller, self.resource())
    }

    /// The same who may not change one.
    pub(super) fn unchangeable(&self) -> Problem {
        Problem::denied(self.caller, &format!("you may not change this record of {}", self.resource().name))
    }

    /// The same who may not delete one.
    pub(super) fn undeletable(&self) -> Problem {
        Problem::denied(self.caller, &format!("you may not delete this record of {}", self.resource().name))
    }
}

/// Judges a rule in memory where it says nothing of other records, and in the transaction where it does.
async fn holds<T: Tx>(
    tx: &mut T,
    plan: &WritePlan,
    rule: &Condition,
    caller: &Caller,
    record: Option<&Record>,
    new: Option<&Record>,
) -> Result<bool, Problem> {
    match rule {
        Condition::Constant(verdict) => Ok(*verdict),
        rule if rule.uses_relations() => tx.holds(plan, rule, caller, record, new).await,
        rule => {
            let blank = Situation::blank(&plan.catalog.schema);
            Ok(Situation { caller: Some(caller), record, new, ..blank }.judge(rule))
        }
    }
}
