//! Conditions and expressions to SQL text.
//!
//! A [`Lowering`] makes the pieces of one statement: it numbers their parameters and names their sub-selects. Conditions
//! are two-valued already, so text that yields NULL means false, and `NOT` never stands above what may be NULL except
//! where NULL shall stay so.

mod condition;
mod expression;
mod quantifier;
mod reach;

use model::Schema;
use rules::{
    Condition, Expression, Type,
    expression::{Root, Variable},
};

use crate::{
    bind::{Bind, Parameters},
    dialect::{Dialect, Operand},
    predicate::Predicate,
};

/// Where the fields of a root come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowSource {
    /// A row of its table, in scope under this (unquoted) name.
    Alias(String),
    /// A record held in memory: each field becomes a parameter ([`Bind::Field`]). Its `many` references and reverse
    /// relations are those of the record and of the database as it is.
    Bound,
}

/// Makes the conditions and expressions of one statement.
pub struct Lowering<'a> {
    schema: &'a Schema,
    dialect: &'a dyn Dialect,
    tests: u64,
    rows: Vec<(Root, RowSource)>,
    items: Vec<(Variable, Operand)>,
    parameters: Parameters,
    aliases: usize,
    /// Roots whose rows and variables whose items the text named so far, to see what a sub-select depends on.
    mentioned: Vec<Root>,
}

impl<'a> Lowering<'a> {
    /// For a statement without other parameters.
    #[must_use]
    pub fn new(schema: &'a Schema, dialect: &'a dyn Dialect) -> Self {
        Self {
            schema,
            dialect,
            tests: 0,
            rows: Vec::new(),
            items: Vec::new(),
            parameters: Parameters::default(),
            aliases: 0,
            mentioned: Vec::new(),
        }
    }

    /// Numbers parameters after the `count` that the statement already has.
    #[must_use]
    pub fn after_parameters(mut self, count: usize) -> Self {
        self.parameters = Parameters::after(count);
        self
    }

    /// Says where a root's fields come from; a root that nothing was said about is absent.
    #[must_use]
    pub fn row(mut self, root: Root, source: RowSource) -> Self {
        self.place(root, source);
        self
    }

    /// The same, for what is lowered from here on.
    pub fn place(&mut self, root: Root, source: RowSource) {
        self.rows.retain(|(known, _)| *known != root);
        self.rows.push((root, source));
    }

    /// Which tests (`Condition::Test(n)`) hold, bit n for test n. A statement may be made from several rules: set this
    /// before each.
    pub fn set_tests(&mut self, verdicts: u64) {
        self.tests = verdicts;
    }

    /// A condition for `WHERE`, or for a bare `SELECT`.
    pub fn condition(&mut self, condition: &Condition) -> Predicate {
        self.lower_condition(condition)
    }

    /// The text of an expression; closed, so that any operator may stand beside it.
    pub fn expression(&mut self, expression: &Expression) -> String {
        self.lower_expression(expression).text
    }

    /// The text of a parameter of the statement's own.
    pub fn parameter(&mut self, bind: Bind) -> String {
        let r#type = bind.r#type().clone();
        let number = self.parameters.number(bind);
        self.dialect.parameter(number, &r#type)
    }

    /// What the parameters stand for, in the order of their numbers.
    #[must_use]
    pub fn into_binds(self) -> Vec<Bind> {
        self.parameters.into_binds()
    }

    fn bind(&mut self, bind: Bind) -> Operand {
        let r#type = bind.r#type().clone();
        Operand::atom(self.parameter(bind), r#type)
    }

    fn fresh_alias(&mut self) -> String {
        self.aliases += 1;
        format!("_{}", self.aliases)
    }

    fn source(&mut self, root: Root) -> Option<RowSource> {
        self.mentioned.push(root);
        self.rows.iter().rev().find(|(known, _)| *known == root).map(|(_, source)| source.clone())
    }

    fn column(&self, alias: &str, name: &str) -> String {
        format!("{}.{}", self.dialect.quote(alias), self.dialect.quote(name))
    }

    /// Text that names a value more than once, made without writing the value's text twice: nested rules would grow
    /// exponentially. `LIMIT` keeps planners from putting the text back.
    fn share(&mut self, value: Operand, text: impl FnOnce(&mut Self, &Operand) -> String) -> String {
        if value.atom {
            return text(self, &value);
        }
        let alias = self.fresh_alias();
        let named = Operand::atom(self.column(&alias, "value"), value.r#type);
        let inner = text(self, &named);
        let (value, alias, name) = (value.text, self.dialect.quote(&alias), self.dialect.quote("value"));
        format!("(SELECT {inner} FROM (SELECT {value} AS {name} LIMIT 1) AS {alias})")
    }
}

/// The type of the keys of a JSON path.
fn keys_type() -> Type {
    Type::List(Box::new(Type::Text { fold_case: false }))
}
