//! Loading files of records: seeds and imports. Each record meets what any write meets.

use std::{
    collections::{BTreeSet, HashSet},
    fmt,
    sync::Arc,
};

use model::{Caller, Code, Field, FieldIndex, Problem, ResourceIndex, Value, resource::Resource};
use rules::{
    Allowed, Gate, ShortOperator,
    plan::{Edit, OperationKind, Precondition, Read, Write},
    query::{Query, ShortFilter},
};
use serde_json::Value as Json;
use store::Loading;

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
    /// Whether a row may be about a record that a row before it makes.
    repeats: bool,
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

/// A record's id, to look others up by: it takes little room, since there may be one for each row of a long file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LoadId {
    /// A serial number.
    Number(i64),
    /// A UUID.
    Uuid(uuid::Uuid),
    /// One that a client named.
    Text(Box<str>),
}

impl LoadId {
    fn of(id: &Value) -> Option<Self> {
        match id {
            Value::Integer(number) => Some(Self::Number(*number)),
            Value::Uuid(uuid) => Some(Self::Uuid(*uuid)),
            Value::Text(text) => Some(Self::Text(text.clone())),
            _ => None,
        }
    }
}

impl fmt::Display for LoadId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(formatter),
            Self::Uuid(uuid) => uuid.fmt(formatter),
            Self::Text(text) => text.fmt(formatter),
        }
    }
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
        let (clock, repeats) = (Arc::clone(self.clock()), on_conflict != OnConflict::Fail);
        Ok(Loader { gate, clock, resource, caller, on_conflict, repeats })
    }

    /// Loads records in one transaction, their ids with them; those whose id is there already are left as they are. Returns
    /// how many are new.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn load(&self, caller: Caller, resource: &str, records: &[Json]) -> Result<usize, Problem> {
        let loader = self.loader(caller, resource, OnConflict::Skip)?.without_repeats();
        let mut rows = Vec::with_capacity(records.len());
        for (position, record) in records.iter().enumerate() {
            rows.push(loader.read(record).map_err(|problem| problem.under(&format!("/{position}")))?);
        }
        let mut loading = self.store().begin_loading().await?;
        let counts = self.load_rows(&loader, &mut *loading, &rows).await?;
        loading.commit().await?;
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
        let mut there = HashSet::new();
        if loader.on_conflict != OnConflict::Fail {
            let found = Self::there(loader, loading, &ids_of(rows)).await?;
            there.extend(found.iter().map(store::id_text));
        }
        loop {
            let (operations, counts) = loader.operations(rows, &there)?;
            if operations.is_empty() {
                return Ok(counts);
            }
            match loading.write(loader.allowed(operations)).await {
                Ok(()) => return Ok(counts),
                // Somebody else has made it since.
                Err(problem) => match loader.taken(&problem, rows).filter(|id| there.insert(id.clone())) {
                    Some(_) => {}
                    None => return Err(problem),
                },
            }
        }
    }

    /// The ids that rows refer to in the loader's own resource and that no record has, as an open transaction sees it. What a
    /// row says of itself is not among them.
    ///
    /// # Errors
    /// The database can't be asked.
    pub async fn missing(
        &self,
        loader: &Loader,
        loading: &mut dyn Loading,
        rows: &[LoadRow],
    ) -> Result<BTreeSet<LoadId>, Problem> {
        let mut missing: BTreeSet<LoadId> = rows.iter().flat_map(|row| loader.needs(row)).collect();
        let ids: Vec<String> = missing.iter().map(LoadId::to_string).collect();
        for found in Self::there(loader, loading, &ids).await?.iter().filter_map(LoadId::of) {
            missing.remove(&found);
        }
        Ok(missing)
    }

    /// Which ids an open transaction finds records for, its own among them; some hundred with one question.
    async fn there(loader: &Loader, loading: &mut dyn Loading, ids: &[String]) -> Result<Vec<Value>, Problem> {
        let mut there = Vec::new();
        for some in ids.chunks(IDS) {
            there.extend(loading.matching(loader.question(some)?).await?);
        }
        Ok(there)
    }
}

/// The ids that rows bring.
fn ids_of(rows: &[LoadRow]) -> Vec<String> {
    rows.iter().filter(|row| !row.id.is_null()).map(|row| store::id_text(&row.id)).collect()
}

impl LoadRow {
    /// The id that it brings, or is given when it is read.
    #[must_use]
    pub fn id(&self) -> Option<LoadId> {
        LoadId::of(&self.id)
    }
}

impl Loader {
    /// The same, but an id that some rows written together have twice is an error.
    #[must_use]
    pub fn without_repeats(self) -> Self {
        Self { repeats: false, ..self }
    }

    /// The fields in which records of the resource refer to others of it.
    pub fn own_references(&self) -> impl Iterator<Item = &Field> {
        self.resource().fields.iter().filter(|field| field.target() == Some(self.resource))
    }

    /// The ids of other records of the resource that a row refers to, whether they are there or not.
    #[must_use]
    pub fn needs(&self, row: &LoadRow) -> BTreeSet<LoadId> {
        let resource = self.resource();
        let mut needs = BTreeSet::new();
        for (field, declared) in resource.indices().zip(&resource.fields) {
            if declared.target() != Some(self.resource) {
                continue;
            }
            let edit = row.edits.iter().find(|(edited, _)| *edited == field).map(|(_, edit)| edit);
            let value = match (&row.create, edit) {
                (Ok(OperationKind::Create { record, .. }), _) => record.get(field),
                (_, Some(Edit::Set(value))) => value,
                _ => continue,
            };
            needs.extend(LoadId::of(value));
            needs.extend(value.items().iter().filter_map(LoadId::of));
        }
        if let Some(own) = row.id() {
            needs.remove(&own);
        }
        needs
    }

    /// Which of some ids there are records for, [`IDS`] at most.
    fn question(&self, ids: &[String]) -> Result<Allowed<Read>, Problem> {
        let mut query = Query::default();
        // One form for all questions, the last one's too, so that its plan and statement are made once.
        let filler = ids.last().cloned().unwrap_or_default();
        query.values = ids.iter().cloned().chain(std::iter::repeat(filler)).take(IDS).collect();
        query.form.short = vec![ShortFilter { field: "id".to_owned(), operator: ShortOperator::In, values: IDS }];
        query.form.fields = Some(vec!["id".to_owned()]);
        query.page.limit = IDS as u32;
        self.gate.read(self.caller.clone(), self.resource, query)
    }

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

    /// What to do for rows, when these ids are there.
    fn operations(&self, rows: &[LoadRow], there: &HashSet<String>) -> Result<(Operations, LoadCounts), Problem> {
        let mut made = HashSet::new();
        let mut operations = Vec::with_capacity(rows.len());
        let mut counts = LoadCounts::default();
        for (position, row) in rows.iter().enumerate() {
            let id = (self.on_conflict != OnConflict::Fail && !row.id.is_null()).then(|| store::id_text(&row.id));
            let is_there = id.is_some_and(|id| there.contains(&id) || (self.repeats && !made.insert(id)));
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
        if problem.code != Code::Conflict || !self.repeats {
            return None;
        }
        let [flaw] = problem.errors.as_slice() else { return None };
        let model::problem::Place::Pointer(at) = &flaw.at else { return None };
        let position: usize = at.strip_prefix('/')?.strip_suffix("/id")?.parse().ok()?;
        Some(store::id_text(&rows.get(position)?.id))
    }
}
