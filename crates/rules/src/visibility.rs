//! What one caller sees of an app, for everything that a client may name.

use model::{Caller, FieldIndex, Resource, ResourceIndex, Right};

use crate::{
    expression::{Condition, Rule},
    policy::Catalog,
};

/// What a caller sees of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Sight {
    /// Its value, in every record that the caller may read.
    Visible,
    /// Nothing: the field behaves as a name that does not exist.
    Unknown,
    /// Its value where this holds of the record (as [`crate::expression::Root::Record`]), null elsewhere.
    Conditional(Condition),
}

/// What one caller sees of an app.
#[derive(Debug, Clone, Copy)]
pub struct Visibility<'a> {
    catalog: &'a Catalog,
    caller: &'a Caller,
}

impl<'a> Visibility<'a> {
    /// What a caller sees; administrators see everything but hidden fields.
    #[must_use]
    pub fn of(catalog: &'a Catalog, caller: &'a Caller) -> Self {
        Self { catalog, caller }
    }

    /// The app.
    #[must_use]
    pub fn catalog(&self) -> &'a Catalog {
        self.catalog
    }

    /// Which records of a resource the caller may read, over [`crate::expression::Root::Record`].
    #[must_use]
    pub fn records(&self, resource: ResourceIndex) -> Condition {
        let rule = access(self.catalog.policy(resource).read.as_ref(), self.caller);
        within_scope(self.catalog, self.caller, resource, Right::Read, rule)
    }

    /// What the caller sees of a field, in records that it may read.
    #[must_use]
    pub fn field(&self, resource: ResourceIndex, field: FieldIndex) -> Sight {
        if self.catalog.schema.get(resource).get(field).hidden {
            return Sight::Unknown;
        }
        if field != Resource::ID && !is_within_scope(self.catalog, self.caller, resource, Right::Read) {
            return Sight::Unknown;
        }
        match &self.catalog.policy(resource).fields[field.0 as usize].read {
            None => Sight::Visible,
            Some(rule) => match access(Some(rule), self.caller) {
                Condition::Constant(true) => Sight::Visible,
                Condition::Constant(false) => Sight::Unknown,
                condition => Sight::Conditional(condition),
            },
        }
    }
}

/// The one place where the scopes of a key narrow what a rule allows, an administrator's key among them.
pub(crate) fn within_scope(
    catalog: &Catalog,
    caller: &Caller,
    resource: ResourceIndex,
    right: Right,
    rule: Condition,
) -> Condition {
    if is_within_scope(catalog, caller, resource, right) { rule } else { Condition::Constant(false) }
}

pub(crate) fn is_within_scope(catalog: &Catalog, caller: &Caller, resource: ResourceIndex, right: Right) -> bool {
    caller.identity.is_within_scope(&catalog.schema.get(resource).name, right)
}

/// A rule for one caller: administrators pass every one, and where there is none nobody else does.
pub(crate) fn access(rule: Option<&Rule>, caller: &Caller) -> Condition {
    if caller.identity.is_admin() { Condition::Constant(true) } else { as_anybody(rule, caller) }
}

/// A rule for one caller, whatever its role passes.
pub(crate) fn as_anybody(rule: Option<&Rule>, caller: &Caller) -> Condition {
    match rule {
        Some(rule) => rule.condition.specialize(rule.test_bits(caller)),
        None => Condition::Constant(false),
    }
}
