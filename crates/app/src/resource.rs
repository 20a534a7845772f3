//! `resources/NAME.toml`, typed.
//!
//! In the order of the work: [`names`] what may be called how, [`options`] the list of types and options, [`file`] one file,
//! [`fields`] its fields, [`kinds`] their types, [`defaults`] what absent values become, [`auth`] and [`people`] what makes
//! its records people who sign in, [`indexes`] its indexes,
//! [`relations`] what holds between resources.

pub(crate) mod auth;
mod defaults;
mod familiar;
mod fields;
pub(crate) mod file;
mod indexes;
mod kinds;
pub(crate) mod names;
pub(crate) mod options;
pub(crate) mod people;
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

/// A rule's text and where it stands.
#[derive(Debug)]
pub(crate) struct RuleText {
    pub(crate) at: rules::Place,
    pub(crate) text: String,
    pub(crate) place: Place,
}

/// Where things of a resource stand in its file.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// The values of rules.
    pub(crate) rules: Vec<RuleText>,
    /// The file.
    pub(crate) source: usize,
    /// The key `access`, if it is there.
    pub(crate) access: Option<Place>,
    /// The key `auth`, if it is there.
    pub(crate) auth: Option<Place>,
    /// The keys of fields.
    pub(crate) fields: HashMap<FieldIndex, Place>,
    /// The values of `inverse`.
    pub(crate) inverses: HashMap<FieldIndex, Place>,
}
