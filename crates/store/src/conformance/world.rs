//! A store with the schema, and people who do things with it.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use model::{Caller, Code, Entry, Origin, Problem, Record, ResourceIndex, Value, caller::Identity};
use rules::{
    Catalog, Gate,
    plan::{Edit, OperationKind, Page, Precondition, Written},
    query::{Form, Query},
};
use serde_json::Value as Json;

use super::schema::schema;
use crate::{Listed, Store};

/// 2030-01-01T00:00:00Z.
pub const NOW: i64 = 1_893_456_000_000_000;

/// A store, and somebody who speaks to it: an administrator, unless said otherwise.
#[derive(Clone)]
pub struct World {
    pub store: Arc<dyn Store>,
    pub gate: Arc<Gate>,
    caller: Caller,
    uuids: Arc<AtomicU64>,
}

/// One operation: whose, what.
pub type Operation<'a> = (&'a str, OperationKind);

impl World {
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        let (catalog, _) = Catalog::compile(schema()).expect("the rules of the schema are good");
        let identity =
            Identity { roles: vec!["admin".into()], actor: Some("key:test".into()), ..Identity::anonymous() };
        let caller = Caller {
            identity: Arc::new(identity),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            method: "POST",
            now: NOW,
            request_id: "request-1".into(),
        };
        Self { store, gate: Arc::new(Gate::new(Arc::new(catalog))), caller, uuids: Arc::default() }
    }

    fn next_uuid(&self) -> uuid::Uuid {
        let number = self.uuids.fetch_add(1, Ordering::Relaxed);
        uuid::Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 | u128::from(number))
    }

    /// The same world for somebody unknown.
    #[must_use]
    pub fn stranger(&self) -> Self {
        let caller = Caller { identity: Arc::new(Identity::anonymous()), ..self.caller.clone() };
        Self { caller, ..self.clone() }
    }

    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        self.gate.catalog()
    }

    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    #[must_use]
    pub fn resource(&self, name: &str) -> ResourceIndex {
        self.catalog().schema.find(name).unwrap_or_else(|| panic!("a resource {name}"))
    }

    /// A record with these values.
    #[must_use]
    pub fn record(&self, resource: &str, values: &[(&str, Value)]) -> Record {
        let declared = self.catalog().schema.get(self.resource(resource));
        let mut record = Record::empty(declared.fields.len());
        for field in declared.indices().filter(|field| declared.get(*field).is_many()) {
            record.set(field, Value::List(Vec::new()));
        }
        for kept in [Origin::CreatedAt, Origin::UpdatedAt] {
            if let Some(field) = declared.kept(kept) {
                record.set(field, Value::DateTime(self.caller.now));
            }
        }
        if declared.id_kind == model::IdKind::Uuid {
            record.values[0] = Value::Uuid(self.next_uuid());
        }
        for (name, value) in values {
            record.set(declared.field(name).unwrap_or_else(|| panic!("a field {name}")), value.clone());
        }
        record
    }

    /// The operation that creates a record.
    #[must_use]
    pub fn creation(&self, resource: &str, values: &[(&str, Value)]) -> OperationKind {
        let declared = self.catalog().schema.get(self.resource(resource));
        let given = values.iter().filter_map(|(name, _)| declared.field(name)).collect();
        OperationKind::Create { record: self.record(resource, values), given }
    }

    /// Makes operations together.
    pub async fn batch(&self, operations: Vec<Operation<'_>>) -> Result<Vec<Written>, Problem> {
        let operations = operations.into_iter().enumerate();
        let operations = operations.map(|(at, (resource, kind))| (self.resource(resource), kind, format!("/{at}")));
        self.store.write(self.gate.write(self.caller.clone(), operations)).await
    }

    async fn one(&self, resource: &str, kind: OperationKind) -> Result<Written, Problem> {
        let operation = (self.resource(resource), kind, String::new());
        let mut written = self.store.write(self.gate.write(self.caller.clone(), [operation])).await?;
        Ok(written.pop().expect("one result for one operation"))
    }

    /// Creates a record.
    pub async fn try_create(&self, resource: &str, values: &[(&str, Value)]) -> Result<Record, Problem> {
        Ok(self.one(resource, self.creation(resource, values)).await?.record)
    }

    /// Creates a record, which works.
    pub async fn create(&self, resource: &str, values: &[(&str, Value)]) -> Record {
        self.try_create(resource, values).await.unwrap_or_else(|problem| panic!("{resource} {values:?}: {problem:?}"))
    }

    /// A person.
    pub async fn person(&self, name: &str) -> Value {
        self.create("people", &[("name", Value::text(name)), ("age", Value::Integer(30))]).await.id().clone()
    }

    /// A room.
    pub async fn room(&self, id: &str, name: &str) -> Value {
        self.create("rooms", &[("id", Value::text(id)), ("name", Value::text(name))]).await.id().clone()
    }

    /// A post, and its id.
    pub async fn post(&self, author: &Value, title: &str) -> Value {
        self.create("posts", &[("author", author.clone()), ("title", Value::text(title))]).await.id().clone()
    }

    /// Edits some fields of a record.
    pub async fn patch(&self, resource: &str, id: &Value, edits: Vec<(&str, Edit)>) -> Result<Record, Problem> {
        self.patch_if(resource, id, edits, Precondition::None).await
    }

    /// Edits some fields of a record, if.
    pub async fn patch_if(
        &self,
        resource: &str,
        id: &Value,
        edits: Vec<(&str, Edit)>,
        precondition: Precondition,
    ) -> Result<Record, Problem> {
        let declared = self.catalog().schema.get(self.resource(resource));
        let edits = edits
            .into_iter()
            .map(|(name, edit)| (declared.field(name).unwrap_or_else(|| panic!("a field {name}")), edit))
            .collect();
        Ok(self.one(resource, OperationKind::Patch { id: id.clone(), edits, precondition }).await?.record)
    }

    /// Puts a record.
    pub async fn put(&self, resource: &str, id: &Value, values: &[(&str, Value)]) -> Result<Written, Problem> {
        let declared = self.catalog().schema.get(self.resource(resource));
        let kind = OperationKind::Replace {
            id: id.clone(),
            record: self.record(resource, values),
            given: values.iter().filter_map(|(name, _)| declared.field(name)).collect(),
            precondition: Precondition::None,
            or_create: true,
        };
        self.one(resource, kind).await
    }

    /// Deletes a record.
    pub async fn delete(&self, resource: &str, id: &Value) -> Result<(), Problem> {
        let kind = OperationKind::Delete { id: id.clone(), precondition: Precondition::None };
        self.one(resource, kind).await.map(|_| ())
    }

    /// A record as its reader sees it.
    pub async fn get(&self, resource: &str, id: &Value) -> Option<Json> {
        let query = Query { form: Form { single: true, ..Form::default() }, ..Query::default() };
        let read = self.gate.read(self.caller.clone(), self.resource(resource), query).expect("a good query");
        let found = self.store.get(&read, id).await.unwrap_or_else(|problem| panic!("{problem:?}"))?;
        Some(serde_json::from_slice(&found.body).unwrap_or_else(|error| {
            panic!("{error}: {}", String::from_utf8_lossy(&found.body));
        }))
    }

    /// A page.
    pub async fn list(&self, resource: &str, query: Query) -> Listed {
        let read = self.gate.read(self.caller.clone(), self.resource(resource), query).expect("a good query");
        self.store.list(&read).await.unwrap_or_else(|problem| panic!("{problem:?}"))
    }

    /// One field of every record of a page.
    pub async fn column(&self, resource: &str, field: &str, query: Query) -> Vec<Json> {
        items(&self.list(resource, query).await).into_iter().map(|item| item[field].clone()).collect()
    }

    /// The log, once it has so many entries.
    pub async fn log(&self, least: usize) -> Vec<Entry> {
        for _ in 0..500 {
            let entries = self.store.entries(self.catalog(), 0, 100_000).await.expect("the log can be read");
            if entries.len() >= least {
                return entries;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the log does not get {least} entries");
    }

    /// What has happened, in the words `posts.created`, once so much has.
    pub async fn happened(&self, least: usize) -> Vec<String> {
        let name = |entry: &Entry| &self.catalog().schema.get(entry.resource).name;
        self.log(least).await.iter().map(|entry| format!("{}.{}", name(entry), entry.action.name())).collect()
    }
}

/// The records of a page.
#[must_use]
pub fn items(listed: &Listed) -> Vec<Json> {
    let mut text = vec![b'['];
    text.extend_from_slice(&listed.items);
    text.push(b']');
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&text)))
}

/// A sort by fields, `-` for descending, with a page's length.
#[must_use]
pub fn sorted(fields: &[&str], limit: u32) -> Query {
    let sort = fields.iter().map(|field| match field.strip_prefix('-') {
        Some(field) => (field.to_owned(), true),
        None => ((*field).to_owned(), false),
    });
    let page = Page { limit, ..Page::default() };
    Query { form: Form { sort: sort.collect(), ..Form::default() }, page, ..Query::default() }
}

/// A filter in CEL, in the order of ids.
#[must_use]
pub fn filtered(filter: &str) -> Query {
    Query { form: Form { filter: Some(filter.to_owned()), ..Form::default() }, ..Query::default() }
}

/// The code of a problem and the pointers of its flaws.
pub fn refused<T: std::fmt::Debug>(outcome: Result<T, Problem>) -> (Code, Vec<String>) {
    let problem = outcome.expect_err("a problem");
    let pointers = problem.errors.iter().map(|flaw| match &flaw.at {
        model::problem::Place::Pointer(pointer) => pointer.clone(),
        model::problem::Place::Parameter(name) => name.clone(),
    });
    (problem.code, pointers.collect())
}
