//! From the database that is there to the one that the resources ask for.
//!
//! [`physical`] says what tables a schema needs, without a word of SQL; `diff` compares two such descriptions and yields
//! a `plan` of steps with words for people, the checks to run first and the change itself. Each store turns the steps
//! into its dialect and runs them in one transaction, together with the `script`s that the author wrote by hand.

pub mod physical;
pub mod names;
pub mod derive;

pub use physical::Database;
