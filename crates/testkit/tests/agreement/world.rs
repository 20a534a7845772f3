//! A schema with records in it, and the rules judged there in memory.

use model::{FieldIndex, Record, Resource, ResourceIndex, Schema, Value};
use rules::Relations;

/// Records of every resource of a schema.
pub(crate) struct World {
    /// The resources.
    pub(crate) schema: Schema,
    /// By resource, in the order of the schema.
    pub(crate) records: Vec<Vec<Record>>,
}

impl World {
    /// The records of a resource.
    pub(crate) fn of(&self, resource: ResourceIndex) -> &[Record] {
        &self.records[usize::from(resource.0)]
    }

    /// Every resource with its records.
    pub(crate) fn all(&self) -> impl Iterator<Item = (ResourceIndex, &Resource, &[Record])> {
        self.schema.indices().map(|index| (index, self.schema.get(index), self.of(index)))
    }
}

impl Relations for World {
    fn follow(&self, resource: ResourceIndex, id: &Value) -> Option<Record> {
        self.of(resource).iter().find(|record| record.id() == id).cloned()
    }

    fn referring(&self, resource: ResourceIndex, field: FieldIndex, id: &Value) -> Vec<Record> {
        let names = |record: &&Record| match record.get(field) {
            Value::List(ids) => ids.contains(id),
            one => one == id,
        };
        self.of(resource).iter().filter(names).cloned().collect()
    }
}
