//! What of an app the document's reader may know of, and the names that it goes by there.

use std::sync::Arc;

use model::{Caller, Field, FieldIndex, Kind, Resource, ResourceIndex, Schema};
use rules::{FieldOutlook, Gate, Outlook, Prospect};

use crate::names::{self, Names};

/// An app as one reader sees it. Readers who see the same get the same document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Sights {
    /// Of each resource, in the schema's order.
    pub(crate) own: Vec<Outlook>,
    /// What of it a stranger may do, which says where one has to sign in.
    pub(crate) stranger: Arc<Vec<Outlook>>,
    /// Whether the reader has an id, which `default = "auth.id"` takes.
    pub(crate) has_id: bool,
}

impl Sights {
    pub(crate) fn of(gate: &Gate, caller: &Caller, stranger: &Arc<Vec<Outlook>>) -> Self {
        Self { own: outlooks(gate, caller), stranger: Arc::clone(stranger), has_id: !caller.identity.id.is_null() }
    }
}

/// What a caller may do with each resource.
pub(crate) fn outlooks(gate: &Gate, caller: &Caller) -> Vec<Outlook> {
    gate.catalog().schema.indices().map(|resource| gate.outlook(caller, resource)).collect()
}

/// An app with its sights and names.
pub(crate) struct View<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) sights: &'a Sights,
    names: Vec<Names>,
}

/// One resource of a view.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) view: &'a View<'a>,
    pub(crate) index: ResourceIndex,
    pub(crate) resource: &'a Resource,
    pub(crate) outlook: &'a Outlook,
    pub(crate) names: &'a Names,
}

impl<'a> View<'a> {
    pub(crate) fn new(schema: &'a Schema, sights: &'a Sights, taken: &[&str]) -> Self {
        Self { schema, sights, names: names::of(schema, taken) }
    }

    pub(crate) fn subject(&'a self, index: ResourceIndex) -> Subject<'a> {
        let place = index.0 as usize;
        Subject {
            view: self,
            index,
            resource: self.schema.get(index),
            outlook: &self.sights.own[place],
            names: &self.names[place],
        }
    }

    pub(crate) fn subjects(&'a self) -> impl Iterator<Item = Subject<'a>> {
        self.schema.indices().map(|index| self.subject(index))
    }
}

impl<'a> Subject<'a> {
    pub(crate) fn fields(self) -> impl Iterator<Item = (FieldIndex, &'a Field, FieldOutlook)> {
        let fields = self.resource.indices().zip(&self.resource.fields).zip(&self.outlook.fields);
        fields.map(|((index, field), outlook)| (index, field, *outlook))
    }

    /// The fields that the reader may name.
    pub(crate) fn seen(self) -> impl Iterator<Item = (FieldIndex, &'a Field, FieldOutlook)> {
        self.fields().filter(|(_, _, outlook)| outlook.sight != Prospect::Never)
    }

    /// What a stranger may do here.
    pub(crate) fn stranger(self) -> &'a Outlook {
        &self.view.sights.stranger[self.index.0 as usize]
    }

    /// References that may be followed: the name, whose records, and whether they are many.
    pub(crate) fn references(self) -> impl Iterator<Item = (&'a str, ResourceIndex, bool)> {
        self.seen().filter_map(|(_, field, _)| match field.kind {
            Kind::Reference { to, many, .. } => Some((field.name.as_str(), to, many)),
            _ => None,
        })
    }
}
