//! Migrations of SQLite databases: what is kept, what is refused, what is left behind.

mod chance;
mod kill;
mod safety;
mod shop;
mod stories;
mod structure;
