//! From the database that is there to the one that the resources ask for.
//!
//! [`physical`] says what tables a schema needs, without a word of SQL; [`diff`] compares two such descriptions and yields
//! a [`plan`] of steps with words for people, the checks to run first and the change itself. Each store turns the steps
//! into its dialect and runs them in one transaction, together with the [`script`]s that the author wrote by hand.

pub mod derive;
pub mod diff;
pub mod names;
pub mod physical;
pub mod plan;
pub mod reconcile;
pub mod report;
#[doc(hidden)]
pub mod samples;
pub mod script;

pub use diff::diff;
pub use physical::Database;
pub use plan::{Change, Check, Plan, Step};
pub use report::{MigrationError, Preview, Refusal, Status};
