//! The SQLite store.
//!
//! One thread writes ([`writer`]), in groups that share a commit; readers run beside it ([`reader`]) on connections of
//! their own. What a plan becomes is in [`query`] and [`dialect`], what a write does in [`transaction`].

mod aggregate;
mod backup;
mod connection;
mod copy;
pub mod dialect;
mod fault;
pub mod functions;
mod health;
mod loading;
mod log;
pub mod migrate;
mod own;
mod presence;
mod query;
mod reader;
mod sequence;
mod statements;
mod store_impl;
mod stream;
mod totals;
mod transaction;
mod value;
mod writer;

pub use backup::{Restored, back_up, restore};
pub use connection::Synchronous;
pub use copy::{Content, CopyError, Watch, stamp};
pub use store_impl::SqliteStore;
