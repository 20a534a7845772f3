//! Conditions and expressions of rules as SQL text, for any dialect.
//!
//! Reading order: what a statement asks for at run time ([`bind`]), the little that differs between databases
//! ([`dialect`]), and the lowering itself ([`lower`]). Text of users never becomes SQL text: every literal is a
//! parameter, and every name is one of the schema.

pub mod bind;
pub mod dialect;
pub mod lower;
pub mod predicate;

pub use bind::{Bind, Facts, Parameters};
pub use dialect::Dialect;
pub use lower::{Lowering, RowSource};
pub use predicate::Predicate;
