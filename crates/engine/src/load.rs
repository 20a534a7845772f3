//! Loading files of records: seeds and imports. Each record meets what any write meets.

use std::{collections::HashSet, sync::Arc};

use model::{Caller, Code, FieldIndex, Problem, ResourceIndex, Value, resource::Resource};
use rules::{
    Allowed, Gate, ShortOperator,
    plan::{Edit, OperationKind, Precondition, Write},
    query::{Query, ShortFilter},
};
use serde_json::Value as Json;
use store::{Beside, Loading};

use crate::{Clock, Engine, input::Input};

/// Ids that one question names.
const IDS: usize = 200;

/// What becomes of a record whose id is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// It is an error.
    Fail,
    /// It is left as it is.
    Skip,
    /// The fields that are given are changed.
    Update,
}

/// Reads records of one resource, and writes them.
#[derive(Clone)]
pub struct Loader {
    gate: Arc<Gate>,
    clock: Arc<dyn Clock>,
    resource: ResourceIndex,
    caller: Caller,
    on_conflict: OnConflict,
}

/// A record that is ready to be written.
#[derive(Debug, Clone)]
pub struct LoadRow {
    id: Value,
    /// As a new record; where it can't be one, why.
    create: Result<OperationKind, Problem>,
    /// As a change of the record that is there.
    edits: Vec<(FieldIndex, Edit)>,
}

/// What came of some records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadCounts {
    /// New ones.
    pub created: usize,
    /// Changed ones.
    pub updated: usize,
    /// Those that were there and stayed as they are.
    pub present: usize,
}

/// The operations for some rows.
type Operations = Vec<(ResourceIndex, OperationKind, String)>;

impl Engine {
    /// A loader for a resource.
    ///
    /// # Errors
    /// 404 for an unknown resource.
    pub fn loader(&self, caller: Caller, resource: &str, on_conflict: OnConflict) -> Result<Loader, Problem> {
        let gate = self.gate();
        let resource = Self::resource(&gate, resource)?;
        Ok(Loader { gate, clock: Arc::clone(self.clock()), resource, caller, on_conflict })
    }

    /// Loads records of a seed file in one transaction, their ids with them; those whose id is there already are left as
    /// they are. Returns how many are new.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn load(&self, caller: Caller, resource: &str, records: &[Json]) -> Result<usize, Problem> {
        let loader = self.loader(caller, resource, OnConflict::Skip)?;
        let mut rows = Vec::with_capacity(records.len());
        for (position, record) in records.iter().enumerate() {
            rows.push(loader.read(record).map_err(|problem| problem.under(&format!("/{position}")))?);
        }
        let there = self.present(&loader, &rows).await?;
        let (operations, counts) = loader.operations(&rows, &there, false)?;
        if !operations.is_empty() {
            self.commit(loader.allowed(operations), Beside::default()).await?;
        }
        Ok(counts.created)
    }

    /// Writes rows into an open transaction: all of them, or on an error none.
    ///
    /// # Errors
    /// What is wrong with a row, under `/N`.
    pub async fn load_rows(
        &self,
        loader: &Loader,
        loading: &mut dyn Loading,
        rows: &[LoadRow],
    ) -> Result<LoadCounts, Problem> {
        let mut there = self.present(loader, rows).await?;
        loop {
            let (operations, counts) = loader.operations(rows, &there, true)?;
            if operations.is_empty() {
                return Ok(counts);
            }
            match loading.write(loader.allowed(operations)).await {
                Ok(()) => return Ok(counts),
                // Readers don't see what this transaction has written itself: an id that the file has twice.
                Err(problem) => match loader.taken(&problem, rows).filter(|id| there.insert(id.clone())) {
                    Some(_) => {}
                    None => return Err(problem),
                },
            }
        }
    }

    /// Which ids are there already, some hundred with one question.
    async fn present(&self, loader: &Loader, rows: &[LoadRow]) -> Result<HashSet<String>, Problem> {
        let mut there = HashSet::new();
        if loader.on_conflict == OnConflict::Fail {
            return Ok(there);
        }
        let ids: Vec<String> = rows.iter().filter(|row| !row.id.is_null()).map(|row| store::id_text(&row.id)).collect();
        for some in ids.chunks(IDS) {
            let mut query = Query::default();
            // One form for all questions, the last one's too, so that its plan and statement are made once.
            let filler = some.last().cloned().unwrap_or_default();
            query.values = some.iter().cloned().chain(std::iter::repeat(filler)).take(IDS).collect();
            query.form.short = vec![ShortFilter { field: "id".to_owned(), operator: ShortOperator::In, values: IDS }];
            query.form.fields = Some(vec!["id".to_owned()]);
            query.page.limit = IDS as u32;
            let read = loader.gate.read(loader.caller.clone(), loader.resource, query)?;
            let listed = self.store().list(&read).await?;
            let mut array = Vec::with_capacity(listed.items.len() + 2);
            array.push(b'[');
            array.extend_from_slice(&listed.items);
            array.push(b']');
            let found: Vec<Json> = serde_json::from_slice(&array)
                .map_err(|error| Problem::internal(format!("ids could not be read: {error}")))?;
            there.extend(found.iter().map(|record| match &record["id"] {
                Json::String(text) => text.clone(),
                other => other.to_string(),
            }));
        }
        Ok(there)
    }
}

impl Loader {
    /// The resource.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        self.gate.catalog().schema.get(self.resource)
    }

    /// Reads a record; nothing is asked of the database.
    ///
    /// # Errors
    /// 422 for what can't be a record.
    pub fn read(&self, record: &Json) -> Result<LoadRow, Problem> {
        let input = Input {
            catalog: self.gate.catalog(),
            resource: self.resource,
            caller: &self.caller,
            clock: &*self.clock,
            loading: true,
        };
        let create = input.create(record);
        if self.on_conflict != OnConflict::Update {
            let create = create?;
            let id = match &create {
                OperationKind::Create { record, .. } => record.id().clone(),
                _ => Value::Null,
            };
            return Ok(LoadRow { id, create: Ok(create), edits: Vec::new() });
        }
        let (id, edits) = input.overwrite(record)?;
        // What lacks fields may still change a record.
        if id.is_null() {
            create.as_ref().map_err(Clone::clone)?;
        }
        Ok(LoadRow { id, create, edits })
    }

    fn allowed(&self, operations: Operations) -> Allowed<Write> {
        // A file may take long: what is written last is as late as it says.
        let caller = Caller { now: self.clock.now(), ..self.caller.clone() };
        self.gate.write(caller, operations)
    }

    /// What to do for rows, when these ids are there. With `repeats`, a row may be about a record that a row before it makes.
    fn operations(
        &self,
        rows: &[LoadRow],
        there: &HashSet<String>,
        repeats: bool,
    ) -> Result<(Operations, LoadCounts), Problem> {
        let repeats = repeats && self.on_conflict != OnConflict::Fail;
        let mut made = HashSet::new();
        let mut operations = Vec::with_capacity(rows.len());
        let mut counts = LoadCounts::default();
        for (position, row) in rows.iter().enumerate() {
            let id = (self.on_conflict != OnConflict::Fail && !row.id.is_null()).then(|| store::id_text(&row.id));
            let is_there = id.is_some_and(|id| there.contains(&id) || (repeats && !made.insert(id)));
            let pointer = format!("/{position}");
            let kind = match (is_there, self.on_conflict) {
                (true, OnConflict::Skip) => {
                    counts.present += 1;
                    continue;
                }
                (true, OnConflict::Update) => {
                    counts.updated += 1;
                    let precondition = Precondition::None;
                    OperationKind::Patch { id: row.id.clone(), edits: row.edits.clone(), precondition }
                }
                (true, OnConflict::Fail) | (false, _) => {
                    counts.created += 1;
                    row.create.clone().map_err(|problem| problem.under(&pointer))?
                }
            };
            operations.push((self.resource, kind, pointer));
        }
        Ok((operations, counts))
    }

    /// The id that a conflict is about, where that is no error here.
    fn taken(&self, problem: &Problem, rows: &[LoadRow]) -> Option<String> {
        if problem.code != Code::Conflict || self.on_conflict == OnConflict::Fail {
            return None;
        }
        let [flaw] = problem.errors.as_slice() else { return None };
        let model::problem::Place::Pointer(at) = &flaw.at else { return None };
        let position: usize = at.strip_prefix('/')?.strip_suffix("/id")?.parse().ok()?;
        Some(store::id_text(&rows.get(position)?.id))
    }
}
