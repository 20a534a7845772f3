//! Migrations on PostgreSQL: what the planner found, as PostgreSQL does it.
//!
//! All of a migration is one transaction: the scripts, the checks, the steps, and the row in `_migrations` that says what
//! the tables are like now. Whoever is killed in the middle leaves the database as it was. An advisory lock keeps two
//! processes from migrating at once.

mod apply;
mod convert;
pub mod ddl;
mod render;
mod state;

pub use apply::{Options, apply, plan};
pub use state::{matches, status};

#[cfg(test)]
mod tests;
