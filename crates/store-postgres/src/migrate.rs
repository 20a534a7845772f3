//! Migrations on PostgreSQL: what the planner found, as PostgreSQL does it.

pub mod ddl;
