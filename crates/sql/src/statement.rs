//! Statements: text, and what its parameters stand for.

use model::{Record, Value};
use rules::{Catalog, Condition, Type, expression::Root};

use crate::{Bind, Dialect, Facts, Lowering, RowSource};

/// A statement of a plan.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The text.
    pub text: String,
    /// The types of its own parameters, which come first (an id, a limit).
    pub own: Vec<Type>,
    /// What the parameters after those stand for.
    pub binds: Vec<Bind>,
}

impl Statement {
    /// Text made by a lowering that numbered its parameters after these.
    #[must_use]
    pub fn new(text: String, own: Vec<Type>, lowering: Lowering<'_>) -> Self {
        Self { text, own, binds: lowering.into_binds() }
    }

    /// The question whether a condition holds of records in memory, against the data as it is: one row, one truth value
    /// (null is no).
    #[must_use]
    pub fn question(
        catalog: &Catalog,
        dialect: &dyn Dialect,
        condition: &Condition,
        record: Option<&Record>,
        new: Option<&Record>,
    ) -> Self {
        let mut lowering = Lowering::new(&catalog.schema, dialect);
        if record.is_some() {
            lowering = lowering.row(Root::Record, RowSource::Bound);
        }
        if new.is_some() {
            lowering = lowering.row(Root::New, RowSource::Bound);
        }
        let condition = lowering.condition(condition);
        Self::new(format!("SELECT ({condition})"), Vec::new(), lowering)
    }

    /// The values of the parameters after its own, each with the type in which it is bound.
    pub fn values<'a>(&'a self, facts: &'a Facts<'a>) -> impl Iterator<Item = (Value, &'a Type)> {
        self.binds.iter().map(|bind| (bind.resolve(facts), bind.r#type()))
    }
}
