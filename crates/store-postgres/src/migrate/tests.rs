//! Migrations of PostgreSQL databases: what is kept, what is refused, what is left behind.

mod chance;
mod stories;
mod structure;
mod town;
