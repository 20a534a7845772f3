//! A transaction that stays open from batch to batch, for files of any length.

use async_trait::async_trait;
use model::Problem;
use rules::{Allowed, plan::Write};

/// An open transaction; dropping it takes back what it has written.
#[async_trait]
pub trait Loading: Send {
    /// Makes all operations of a write, or on an error none of them: what was written before stays.
    async fn write(&mut self, write: Allowed<Write>) -> Result<(), Problem>;

    /// Makes everything durable.
    async fn commit(self: Box<Self>) -> Result<(), Problem>;
}
