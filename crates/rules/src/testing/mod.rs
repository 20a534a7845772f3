//! Strategies for property tests: one rich schema, small worlds of records over it, callers, and well-typed rule texts.
//!
//! Texts are made from a row of numbers, of which fewer and smaller ones mean simpler texts, so that failures shrink well.

mod schema;
mod texts;
mod world;

pub use schema::{PEOPLE, POSTS, ROOMS, TAGS, schema};
pub use texts::{Style, rule_text};
pub use world::{World, caller, world, world_of};
