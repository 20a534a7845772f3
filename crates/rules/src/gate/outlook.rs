//! What a caller may do and see at all, whatever the records: for documents that describe the app to it.
//!
//! Only what the rules decide from the caller alone counts here; "perhaps" stands for everything that depends on a record.

use model::{Caller, FieldIndex, ResourceIndex};

use super::Gate;
use crate::expression::Condition;

/// What a caller may do with the records of a resource, at best.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Outlook {
    /// Whether there may be records that it sees.
    pub read: bool,
    /// Whether there may be records that it creates.
    pub create: bool,
    /// Whether there may be records that it changes.
    pub update: bool,
    /// Whether there may be records that it deletes.
    pub delete: bool,
    /// The same for each field, in the resource's order.
    pub fields: Vec<FieldOutlook>,
}

/// What a caller may do with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FieldOutlook {
    /// Whether it is seen.
    pub sight: Prospect,
    /// Whether there may be records in which the caller sets it.
    pub writable: bool,
}

/// Whether something is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Prospect {
    /// In every record that the caller may read.
    Always,
    /// It depends on the record.
    Perhaps,
    /// In none: it is a name that does not exist.
    Never,
}

impl Gate {
    /// What a caller may do with a resource and see of it. What is not seen can't be set either.
    #[must_use]
    pub fn outlook(&self, caller: &Caller, resource: ResourceIndex) -> Outlook {
        let plan = self.write_plan(caller, &self.profile(caller), resource);
        let possible = |condition: &Condition| *condition != Condition::Constant(false);
        let sight = |field: FieldIndex| match plan.view.fields.iter().find(|seen| seen.field == field) {
            None => Prospect::Never,
            Some(seen) if seen.condition.is_some() => Prospect::Perhaps,
            Some(_) => Prospect::Always,
        };
        let barred = |field: FieldIndex| {
            plan.field_writes.iter().any(|(barred, condition)| *barred == field && !possible(condition))
        };
        let fields = self.catalog.schema.get(resource).indices().map(|field| {
            let sight = sight(field);
            FieldOutlook { sight, writable: sight != Prospect::Never && !barred(field) }
        });
        Outlook {
            read: possible(&plan.read),
            create: possible(&plan.create),
            update: possible(&plan.update),
            delete: possible(&plan.delete),
            fields: fields.collect(),
        }
    }
}
