//! What happened: entries of the event log.

use crate::{
    resource::ResourceIndex,
    value::{Record, Value},
};

/// What a write did to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// It is new.
    Created,
    /// It has changed.
    Updated,
    /// It is gone.
    Deleted,
}

impl Action {
    /// The word of the contract.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }

    /// The number that stores keep.
    #[must_use]
    pub fn number(self) -> i16 {
        match self {
            Self::Created => 1,
            Self::Updated => 2,
            Self::Deleted => 3,
        }
    }

    /// The action of a stored number.
    #[must_use]
    pub fn from_number(number: i16) -> Option<Self> {
        match number {
            1 => Some(Self::Created),
            2 => Some(Self::Updated),
            3 => Some(Self::Deleted),
            _ => None,
        }
    }
}

/// How much of a record its log entries hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// The record before and after.
    #[default]
    Full,
    /// Its id alone.
    Ids,
}

/// One committed change of one record, as readers of the log see it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its place in the log; readers see them in this order, without a later surprise below.
    pub sequence: i64,
    /// When it was written: microseconds of UTC.
    pub time: i64,
    /// Whose record.
    pub resource: ResourceIndex,
    /// What was done.
    pub action: Action,
    /// The record's id.
    pub id: Value,
    /// The revision of the record after the change (of the change, where it was deleted).
    pub revision: i64,
    /// Who did it: a person's id or a key's name; none for strangers.
    pub actor: Option<String>,
    /// In which request.
    pub request_id: String,
    /// The names of the fields that an update changed.
    pub changed: Vec<String>,
    /// The record before, unless it was created or only ids are kept.
    pub before: Option<Record>,
    /// The record after, unless it was deleted or only ids are kept.
    pub after: Option<Record>,
}
