//! An app: the directory that a user writes, read into settings, resources and their rules, with every mistake shown where
//! it stands.
//!
//! Reading order: [`load()`] is the whole of it; [`settings`] is `mainstay.toml`, [`resource`] a file of `resources/`, and
//! what they have in common are a tree of TOML that knows its places ([`tree`]) and the report of mistakes ([`diagnostic`]).

mod diagnostic;
mod doubts;
mod json_schema;
mod load;
mod nearest;
mod outside;
mod policy;
mod quantity;
mod resource;
mod rule_tests;
mod secret;
pub mod settings;
mod source;
#[cfg(test)]
mod tests;
mod tree;

pub use diagnostic::{Diagnostic, Severity, render};
pub use json_schema::{json_schema_resource, json_schema_settings};
pub use load::{Loaded, load};
pub use model::Secret;
pub use rule_tests::{Ask, Expect, Fixture, RuleTest, RuleTests, STRANGER, TestFile, Who, load_rule_tests};
pub use settings::{Environment, Settings};
pub use source::{Position, Sources};
