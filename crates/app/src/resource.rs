//! `resources/NAME.toml`, typed.
//!
//! In the order of the work: [`names`] what may be called how, [`options`] the list of types and options, [`file`] one file,
//! [`fields`] its fields, [`kinds`] their types, [`defaults`] what absent values become, [`indexes`] its indexes,
//! [`relations`] what holds between resources.

mod defaults;
mod fields;
pub(crate) mod file;
mod indexes;
mod kinds;
pub(crate) mod names;
pub(crate) mod options;
pub(crate) mod relations;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use model::{FieldIndex, IdKind, ResourceIndex};

use crate::source::Place;

/// What the fields of one resource may know of the others: their names and the kind of their ids, in the order of names.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    names: Vec<(String, IdKind)>,
}

impl Neighbours {
    /// From names in ascending order.
    pub(crate) fn new(names: Vec<(String, IdKind)>) -> Self {
        Self { names }
    }

    fn find(&self, name: &str) -> Option<(ResourceIndex, IdKind)> {
        let position = self.names.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
        Some((ResourceIndex(position as u16), self.names[position].1))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| name.as_str())
    }
}

/// Which text of a resource is a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RuleAt {
    Read,
    Create,
    Update,
    Delete,
    Validation(usize),
    FieldRead(FieldIndex),
    FieldWrite(FieldIndex),
    Default(FieldIndex),
}

/// Where things of a resource stand in its file.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// The values of rules.
    pub(crate) rules: HashMap<RuleAt, Place>,
    /// The keys of fields.
    pub(crate) fields: HashMap<FieldIndex, Place>,
    /// The values of `inverse`.
    pub(crate) inverses: HashMap<FieldIndex, Place>,
}
