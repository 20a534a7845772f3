//! Migrations on SQLite: what the planner found, as SQLite does it.

pub mod ddl;
