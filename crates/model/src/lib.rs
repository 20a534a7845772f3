//! The nouns that every room speaks: resources, fields, values, records, changes, problems.
//!
//! Nothing here knows HTTP, SQL or a runtime. Reading order: what a resource is ([`resource`], [`field`]), what it holds
//! ([`value`], [`decimal`], [`time`]), how values look in JSON ([`json`]) and are
//! read from it ([`accept`]), who asks ([`caller`]) and who the people are ([`identity`]), what happened
//! ([`change`]), what the audit log calls it ([`audit`]) and what may go wrong ([`problem`]).

pub mod accept;
pub mod audit;
pub mod caller;
pub mod change;
pub mod csv;
pub mod decimal;
pub mod field;
pub mod identity;
pub mod json;
pub mod problem;
pub mod resource;
pub mod scope;
pub mod secret;
pub mod time;
pub mod value;

pub use accept::{accept_field, check_required, parse_id};
pub use caller::{Caller, CallerValue};
pub use change::{Action, Entry, Keep};
pub use decimal::Decimal;
pub use field::{Field, FieldIndex, Kind, OnDelete, Origin, Shape};
pub use identity::{IdentitySettings, Roles};
pub use problem::{Code, Flaw, Problem};
pub use resource::{IdKind, Index, Resource, ResourceIndex, Schema};
pub use scope::{Right, Scopes};
pub use secret::Secret;
pub use value::{Record, Value};
