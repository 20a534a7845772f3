//! The PostgreSQL store.

pub mod dialect;
pub mod migrate;
pub mod numeric;
pub mod parameter;
