//! The PostgreSQL store.
//!
//! Requests share a pool of connections ([`connection`]). What a plan becomes is in [`query`] and [`dialect`], what a
//! write does in [`transaction`] and [`statements`]. Who comes while others are on their way goes with others ([`lanes`]):
//! [`group_commit`] lets creations share a transaction, [`shared_reads`] lets reads share a round trip. [`sequencer`] puts the
//! event log in order; [`pulse`] knows whether the database is heard at all.

mod aggregate;
mod connection;
pub mod dialect;
mod fault;
mod group_commit;
mod lanes;
mod loading;
mod log;
pub mod migrate;
pub mod numeric;
mod own;
pub mod parameter;
mod pulse;
mod query;
mod sequencer;
mod server;
mod session;
mod shared_reads;
mod statements;
mod store_impl;
mod stream;
mod tls;
mod transaction;
mod value;

pub use session::{Scratch, Session};
pub use store_impl::PostgresStore;
