//! An entry of the log as subscriptions share it: its records, and what has been encoded of it already.

use std::sync::Arc;

use bytes::Bytes;
use engine::write_fields;
use model::{Action, Entry, FieldIndex, Record, Resource, ResourceIndex, Value};
use parking_lot::Mutex;

/// The most encodings of one record that are kept, one for each set of fields that is seen.
const ENCODINGS: usize = 4;

/// What an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// A record is new; its data follow.
    Created,
    /// A record has changed; its data follow.
    Updated,
    /// A record is gone; its id follows.
    Deleted,
    /// A record is there but no longer among those that the subscriber sees; its id follows.
    Left,
}

impl ChangeKind {
    /// The word of the contract.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Left => "left",
        }
    }
}

/// An entry in memory.
pub(crate) struct Kept {
    pub(crate) sequence: i64,
    pub(crate) resource: ResourceIndex,
    pub(crate) action: Action,
    pub(crate) id: Value,
    pub(crate) before: Option<Arc<Record>>,
    pub(crate) after: Option<Arc<Record>>,
    /// About how many bytes it takes, its encodings among them.
    pub(crate) size: usize,
    /// By the exact set of fields: a hash would do for speed, but must not decide what anyone sees.
    encoded: Mutex<Vec<(Box<[FieldIndex]>, Bytes)>>,
}

impl From<Entry> for Kept {
    fn from(entry: Entry) -> Self {
        let before = entry.before.as_ref().map_or(0, weight);
        let after = entry.after.as_ref().map_or(0, weight);
        Self {
            sequence: entry.sequence,
            resource: entry.resource,
            action: entry.action,
            id: entry.id,
            before: entry.before.map(Arc::new),
            after: entry.after.map(Arc::new),
            size: 256 + before + after * (1 + ENCODINGS),
            encoded: Mutex::default(),
        }
    }
}

impl Kept {
    /// These fields of the record after the change as a JSON object, encoded once for all who see the same.
    pub(crate) fn data(&self, resource: &Resource, record: &Record, fields: &[FieldIndex]) -> Bytes {
        let mut encoded = self.encoded.lock();
        if let Some((_, data)) = encoded.iter().find(|(known, _)| **known == *fields) {
            return data.clone();
        }
        let mut data = Vec::with_capacity(256);
        write_fields(resource, record, fields.iter().copied(), &mut data);
        let data = Bytes::from(data);
        if encoded.len() < ENCODINGS {
            encoded.push((fields.into(), data.clone()));
        }
        data
    }

    /// `{"id":…}`
    pub(crate) fn id_data(&self) -> Bytes {
        let mut data = b"{\"id\":".to_vec();
        model::json::write_value(&self.id, &mut data);
        data.push(b'}');
        data.into()
    }
}

fn weight(record: &Record) -> usize {
    record.values.iter().map(weight_of).sum()
}

fn weight_of(value: &Value) -> usize {
    let more = match value {
        Value::Text(text) | Value::Json(text) => text.len(),
        Value::List(items) => items.iter().map(weight_of).sum(),
        _ => 0,
    };
    size_of::<Value>() + more
}
