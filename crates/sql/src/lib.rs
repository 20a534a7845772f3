//! Conditions and expressions of rules, and the plans made of them, as SQL text, for any dialect.
//!
//! Reading order: what a statement asks for at run time ([`bind`]), the little that differs between databases
//! ([`dialect`]), the lowering itself ([`lower`]), plans as statements ([`select`], [`aggregate`]), and rows as bytes
//! ([`layout`], and [`tree`] where records are expanded in others). Text of users never becomes SQL text: every literal is a
//! parameter, and every name is one of the schema.

pub mod aggregate;
pub mod bind;
pub mod dialect;
mod expand;
pub mod layout;
pub mod lines;
pub mod lower;
pub mod predicate;
pub mod select;
pub mod statement;
pub mod tree;

pub use bind::{Bind, Facts, Parameters};
pub use dialect::Dialect;
pub use layout::{Columns, Layout, Page};
pub use lines::Lines;
pub use lower::{Lowering, RowSource};
pub use predicate::Predicate;
pub use select::{Select, matching};
pub use statement::Statement;
