//! One change made to every record that a filter means: read, judged and written in pages, not one by one.

use std::sync::Arc;

use model::{Action, Code, FieldIndex, Flaw, Problem, Record, Value, problem::Place};
use rules::{
    Condition,
    plan::{Act, Edit, Precondition, Read, Written},
};

use super::{Alteration, Path, cascade, marks::Deed};
use crate::transaction::{Change, Purpose, Tx};

/// How many records are read and written at a time.
const PAGE: usize = 500;

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
        let plan = self.plan;
        let at_once = if self.may_change_at_once() { PAGE } else { 1 };
        let mut written = Vec::with_capacity(ids.len());
        for page in ids.chunks(PAGE) {
            let mut found = self.tx.fetch_all(&plan.catalog, plan.resource, page, Purpose::Change).await?.into_iter();
            while found.len() > 0 {
                self.patch_some(found.by_ref().take(at_once), edits, &mut written).await?;
            }
        }
        Ok(written)
    }

    /// Changes some records together, as if one after another: what is told is what is wrong with the first that fails.
    async fn patch_some(
        &mut self,
        records: impl Iterator<Item = Record>,
        edits: &[(FieldIndex, Edit)],
        written: &mut Vec<Written>,
    ) -> Result<(), Problem> {
        let plan = self.plan;
        let mut good = Vec::new();
        let mut refused = None;
        for old in records {
            let id = old.id().clone();
            match self.edit(old, edits.to_vec(), &Precondition::None).await {
                Ok(alteration) => good.push(alteration),
                Err(problem) => {
                    refused = Some(of_record(problem, &id));
                    break;
                }
            }
        }
        let mut changes: Vec<Change<'_>> = good.iter_mut().filter_map(Alteration::change).collect();
        let outcome = self.tx.change_all(&plan.catalog, plan.resource, &mut changes, self.caller).await;
        outcome.map_err(|(place, problem)| of_record(self.discreet(problem), changes[place].before.id()))?;
        if let Some(problem) = refused {
            return Err(problem);
        }
        for alteration in good {
            let new = self.altered(alteration).await?;
            written.push(self.done(Action::Updated, new));
        }
        Ok(())
    }

    /// Whether a change of one record can't matter to what the rules say of the next: none of them asks for other records,
    /// and what is changed are no people, of whom one has to go on administrating.
    fn may_change_at_once(&self) -> bool {
        let plan = self.plan;
        let writes = plan.field_writes.iter().map(|(_, rule)| rule);
        let validations = plan.validations.iter().map(|(_, rule)| rule);
        let view = plan.view.fields.iter().filter_map(|seen| seen.condition.as_ref());
        let otherwise = plan.otherwise.as_deref().into_iter().flat_map(|rules| {
            [&rules.read, &rules.update].into_iter().chain(rules.field_writes.iter().map(|(_, rule)| rule))
        });
        let mut rules = [&plan.update].into_iter().chain(writes).chain(validations).chain(view).chain(otherwise);
        !rules.any(Condition::uses_relations) && self.resource().identity.is_none()
    }

    async fn delete_each(&mut self, ids: &[Value]) -> Result<Vec<Written>, Problem> {
        let plan = self.plan;
        // Every rule is asked about the state before the write: what goes first decides nothing about the rest.
        let mut records = Vec::with_capacity(ids.len());
        for page in ids.chunks(PAGE) {
            let found = self.tx.fetch_all(&plan.catalog, plan.resource, page, Purpose::Remove).await?;
            let verdicts = self.holds_all(&plan.delete, &found).await?;
            for (old, may_go) in found.into_iter().zip(verdicts) {
                if !may_go {
                    return Err(of_record(self.undeletable(), old.id()));
                }
                let deed = Deed { action: Action::Deleted, old: Some(&old), new: None, fields: &[] };
                let overruled = self.overrules(&deed).await?;
                self.mark(Action::Deleted, &old, &[], overruled);
                records.push(old);
            }
        }
        let written = records.iter().map(|record| self.done(Action::Deleted, record.clone())).collect();
        // What refers to another of them is mostly younger, so it goes first.
        records.reverse();
        for _ in 0..ROUNDS {
            let before = records.len();
            let in_use = self.remove_each(&mut records).await?;
            match in_use {
                None => return Ok(written),
                Some(problem) if records.len() == before => return Err(problem),
                Some(_) => {}
            }
        }
        Err(crate::refusal::in_use())
    }

    /// Deletes those that nobody outside refers to and keeps the others; says so of the last one kept.
    async fn remove_each(&mut self, records: &mut Vec<Record>) -> Result<Option<Problem>, Problem> {
        let plan = self.plan;
        let mut kept = Vec::new();
        let mut in_use = None;
        let mut left = std::mem::take(records).into_iter();
        while left.len() > 0 {
            let page: Vec<Record> = left.by_ref().take(PAGE).collect();
            self.release_all(&page).await?;
            let referred = self.referred(&page).await?;
            let mut free = Vec::new();
            for record in page {
                if !referred.contains(record.id()) {
                    free.push(record);
                    continue;
                }
                self.remove_free(&mut free).await?;
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
            self.remove_free(&mut free).await?;
        }
        *records = kept;
        Ok(in_use)
    }

    /// Takes the references to these out of the records that go on living without them: one change of each, however many
    /// of these it refers to.
    async fn release_all(&mut self, records: &[Record]) -> Result<(), Problem> {
        let catalog = &self.plan.catalog;
        let ids: Vec<Value> = records.iter().map(|record| record.id().clone()).collect();
        for relation in catalog.schema.reverse(self.plan.resource) {
            let (from, field) = (relation.resource, relation.field);
            if !cascade::lives_on(catalog, from, field) {
                continue;
            }
            loop {
                let owners = self.tx.referrers(catalog, from, field, &ids, cascade::PAGE).await?;
                if owners.is_empty() {
                    break;
                }
                cascade::release(self.tx, catalog, self.caller, (from, field), &owners, &ids).await?;
            }
        }
        Ok(())
    }

    /// Which of these others refer to, so that more goes with them, or stops them. People are always among them: more
    /// belongs to them than what refers to them.
    async fn referred(&mut self, records: &[Record]) -> Result<Vec<Value>, Problem> {
        let catalog = &self.plan.catalog;
        let ids: Vec<Value> = records.iter().map(|record| record.id().clone()).collect();
        if self.resource().identity.is_some() {
            return Ok(ids);
        }
        let mut referred = Vec::new();
        for relation in catalog.schema.reverse(self.plan.resource) {
            referred.extend(self.tx.referred(catalog, relation.resource, relation.field, &ids).await?);
        }
        Ok(referred)
    }

    /// Deletes records that nobody refers to, but for those that a cascade of another one has taken along.
    async fn remove_free(&mut self, records: &mut Vec<Record>) -> Result<(), Problem> {
        if records.is_empty() {
            return Ok(());
        }
        let plan = self.plan;
        let ids: Vec<Value> = records.iter().map(|record| record.id().clone()).collect();
        let there = self.tx.fetch_all(&plan.catalog, plan.resource, &ids, Purpose::Remove).await?;
        let mut there = there.iter().map(Record::id).peekable();
        // Both are in the same order.
        let going: Vec<&Record> = records.iter().filter(|record| there.next_if_eq(&record.id()).is_some()).collect();
        self.tx.remove_all(&plan.catalog, plan.resource, &going, self.caller).await?;
        records.clear();
        Ok(())
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
