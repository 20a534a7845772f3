//! Migrations on SQLite: what the planner found, as SQLite does it.
//!
//! All of a migration is one transaction: the scripts, the checks, the steps, and the row in `_migrations` that says what
//! the tables are like now. Whoever is killed in the middle leaves the database as it was. Before the first change of a
//! database that holds anything, it is copied to a file beside it.

mod apply;
mod backup;
mod checks;
mod convert;
pub mod ddl;
mod foreign;
mod render;
mod session;
mod state;

pub use apply::{Options, apply, plan};
pub use state::{is_readable, matches, status};

#[cfg(test)]
mod tests;
