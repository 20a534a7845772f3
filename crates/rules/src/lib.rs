//! The rule language: CEL text to a checked condition, judged in memory; the gate that authorises plans.
//!
//! Reading order: text to tree ([`parse`], [`syntax`]), tree to checked rule ([`check`], [`expression`]), a rule's
//! meaning ([`judge`]), the rules of a schema ([`policy`]) and what clients may ask ([`filter`], [`query`]), and the gate
//! that every request passes ([`gate`], [`plan`]).

pub mod aggregate;
pub mod check;
pub mod compute;
pub mod convert;
pub mod explain;
pub mod export;
pub mod expression;
pub mod filter;
pub mod gate;
pub mod judge;
pub mod parse;
pub mod pattern;
pub mod plan;
pub mod policy;
pub mod query;
mod rebase;
mod rewrite;
mod simplify;
mod suggest;
pub mod syntax;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod token;
pub mod unique;
pub mod visibility;

pub use check::{Checked, Scope};
pub use compute::json_path;
pub use convert::{convert, parse_input};
pub use expression::{Condition, Expression, Mistake, Rule, Type};
pub use filter::{ShortOperator, compile_filter, resolve_path, short_condition};
pub use gate::{Allowed, FieldOutlook, Gate, Newcomer, Outlook, Prospect};
pub use judge::{Relations, Situation};
pub use policy::{Catalog, FieldPolicy, Place, Placed, Policy};
pub use rewrite::Part;
pub use simplify::MAX_TESTS;
pub use suggest::nearest;
pub use unique::unique_key;
pub use visibility::{Sight, Visibility};
