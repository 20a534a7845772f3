//! The promise of the rule language: memory, SQLite and PostgreSQL give the same verdict about every record.
//!
//! [`edges`] asks about what is easy to get wrong, by hand; [`generated`] draws rules from the grammar,
//! [`inputs`] tries short-form filters, [`plans`] looks at the text.
//! `MAINSTAY_TEST_POSTGRES` is the database to use, `MAINSTAY_AGREEMENT_RULES` how many rules are drawn,
//! `MAINSTAY_AGREEMENT_SEED` which ones.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "what helps a test may fail like a test, and say what was compared"
)]

mod compare;
mod edges;
mod generated;
mod inputs;
mod people;
mod plans;
mod postgres;
mod query;
mod rows;
mod sqlite;
mod world;

/// The PostgreSQL server that tests may use; each makes a schema of its own there.
fn postgres_url() -> String {
    setting("MAINSTAY_TEST_POSTGRES").unwrap_or_else(|| "postgres://root@127.0.0.1:5432/postgres".into())
}

#[expect(clippy::disallowed_methods, reason = "settings of tests have no file")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
