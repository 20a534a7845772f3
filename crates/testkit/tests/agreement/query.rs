//! Conditions as statements of either database.

use std::fmt::Debug;

use model::{ResourceIndex, Schema};
use rules::{Condition, expression::Root};
use sql::{Bind, Dialect, Lowering, RowSource};

/// A statement and what its parameters stand for.
pub(crate) struct Query {
    pub(crate) text: String,
    pub(crate) binds: Vec<Bind>,
}

impl Query {
    /// Selects the ids of the records for which a condition holds; `new` is a record in memory.
    pub(crate) fn rows(
        dialect: &dyn Dialect,
        schema: &Schema,
        resource: ResourceIndex,
        condition: &Condition,
        tests: u64,
    ) -> Self {
        let mut lowering = Lowering::new(schema, dialect)
            .row(Root::Record, RowSource::Alias("r".into()))
            .row(Root::New, RowSource::Bound);
        lowering.set_tests(tests);
        let condition = lowering.condition(condition);
        let text = format!("SELECT \"r\".\"id\" FROM \"{}\" AS \"r\" WHERE {condition}", schema.get(resource).name);
        Self { text, binds: lowering.into_binds() }
    }

    /// Asks for the verdict about records in memory.
    pub(crate) fn verdict(dialect: &dyn Dialect, schema: &Schema, condition: &Condition, tests: u64) -> Self {
        let mut lowering =
            Lowering::new(schema, dialect).row(Root::Record, RowSource::Bound).row(Root::New, RowSource::Bound);
        lowering.set_tests(tests);
        let condition = lowering.condition(condition);
        Self { text: format!("SELECT ({condition})"), binds: lowering.into_binds() }
    }

    /// What is needed to understand an error.
    pub(crate) fn blame(&self, error: &dyn Debug) -> String {
        format!("{error:?}\n{}\n{:?}", self.text, self.binds)
    }
}
