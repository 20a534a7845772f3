//! What one subscriber sees of a change: judged when it is told, by the rules and the data of that moment.

use std::sync::Arc;

use engine::Engine;
use model::{Action, Caller, FieldIndex, Problem, Record, ResourceIndex};
use rules::{
    Allowed, Catalog, Condition, Gate, Situation,
    plan::{Read, ReadPlan},
    query::Query,
};
use store::Store;

use crate::kept::{ChangeKind, Kept};

/// How long an authorisation serves: microseconds. Afterwards the gate is asked again, since rules may name the time.
const STALE: i64 = 20_000;

/// A read that the gate has authorised, and how to judge records by it.
pub(crate) struct Sight {
    gate: Arc<Gate>,
    read: Allowed<Read>,
    /// Whether records are judged by other records, too: the condition, the view.
    condition_reaches: bool,
    view_reaches: bool,
}

/// What a subscriber is told of a change.
pub(crate) struct Told {
    pub(crate) kind: ChangeKind,
    pub(crate) data: bytes::Bytes,
}

impl Sight {
    /// Asks the gate.
    ///
    /// # Errors
    /// 404 for an unknown resource, 400 for a query that can't be.
    pub(crate) fn open(engine: &Engine, mut caller: Caller, resource: &str, mut query: Query) -> Result<Self, Problem> {
        let gate = engine.gate();
        let resource = Engine::resource(&gate, resource)?;
        caller.now = engine.clock().now();
        // Records are met one by one: no order, no page.
        query.form.sort = Vec::new();
        query.form.after = None;
        query.form.single = true;
        query.after = None;
        query.page.limit = 1;
        query.page.offset = 0;
        query.page.count = false;
        let read = gate.read(caller, resource, query)?;
        let plan = &read.get().plan;
        let condition_reaches = plan.condition.uses_relations();
        let mut conditions = plan.view.fields.iter().filter_map(|seen| seen.condition.as_ref());
        let view_reaches = conditions.any(Condition::uses_relations);
        Ok(Self { gate, read, condition_reaches, view_reaches })
    }

    /// Whether it still stands: neither are other rules in force, nor has time gone by.
    pub(crate) fn stands(&self, engine: &Engine) -> bool {
        let now = engine.clock().now();
        Arc::ptr_eq(&self.gate, &engine.gate()) && now.abs_diff(self.read.get().caller.now) < STALE as u64
    }

    pub(crate) fn catalog(&self) -> &Arc<Catalog> {
        self.gate.catalog()
    }

    pub(crate) fn resource(&self) -> ResourceIndex {
        self.plan().resource
    }

    fn plan(&self) -> &ReadPlan {
        &self.read.get().plan
    }

    /// What the subscriber is told of an entry, if anything.
    ///
    /// # Errors
    /// The database can't be asked.
    pub(crate) async fn tell(&self, store: &dyn Store, entry: &Kept) -> Result<Option<Told>, Problem> {
        let kind = match entry.action {
            Action::Created => ChangeKind::Created,
            Action::Updated => ChangeKind::Updated,
            Action::Deleted => {
                let saw = self.saw(store, entry).await?;
                return Ok(saw.then(|| Told { kind: ChangeKind::Deleted, data: entry.id_data() }));
            }
        };
        let data = match &entry.after {
            Some(record) => self.see(store, record).await?.map(|fields| {
                let resource = self.catalog().schema.get(self.resource());
                entry.data(resource, record, &fields)
            }),
            // Where the log keeps ids alone, the record as it is now is told.
            None => store.get(&self.read, &entry.id).await?.map(|found| found.body.into()),
        };
        match data {
            Some(data) => Ok(Some(Told { kind, data })),
            None if kind == ChangeKind::Updated && self.saw(store, entry).await? => {
                Ok(Some(Told { kind: ChangeKind::Left, data: entry.id_data() }))
            }
            None => Ok(None),
        }
    }

    /// Whether the record before the change was visible; where the log does not keep it, administrators are told.
    async fn saw(&self, store: &dyn Store, entry: &Kept) -> Result<bool, Problem> {
        let Some(record) = &entry.before else { return Ok(self.read.get().caller.identity.is_admin()) };
        if !self.condition_reaches {
            return Ok(self.holds(&self.plan().condition, record));
        }
        Ok(store.judge(&Gate::judge(&self.read, Arc::clone(record))).await?.visible)
    }

    /// The fields that are seen of a record; none where it is not visible.
    async fn see(&self, store: &dyn Store, record: &Arc<Record>) -> Result<Option<Vec<FieldIndex>>, Problem> {
        let plan = self.plan();
        if !self.condition_reaches && !self.holds(&plan.condition, record) {
            return Ok(None);
        }
        if !self.condition_reaches && !self.view_reaches {
            let seen = plan.view.fields.iter().filter(|seen| {
                let condition = seen.condition.as_ref();
                condition.is_none_or(|condition| self.holds(condition, record))
            });
            return Ok(Some(seen.map(|seen| seen.field).collect()));
        }
        let judged = store.judge(&Gate::judge(&self.read, Arc::clone(record))).await?;
        if !judged.visible {
            return Ok(None);
        }
        let seen = plan.view.fields.iter().zip(judged.fields).filter(|(_, open)| *open);
        Ok(Some(seen.map(|(seen, _)| seen.field).collect()))
    }

    /// Judges a condition that needs no other records.
    fn holds(&self, condition: &Condition, record: &Record) -> bool {
        let Read { plan, caller, inputs, .. } = self.read.get();
        let blank = Situation::blank(&plan.catalog.schema);
        Situation { caller: Some(caller), record: Some(record), inputs, ..blank }.judge(condition)
    }
}
