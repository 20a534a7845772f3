//! A transaction that stays open from batch to batch, for files of any length.

use async_trait::async_trait;
use model::{Problem, Value};
use rules::{
    Allowed,
    plan::{Read, Write},
};

/// An open transaction; dropping it takes back what it has written.
#[async_trait]
pub trait Loading: Send {
    /// Makes all operations of a write, or on an error none of them: what was written before stays.
    async fn write(&mut self, write: Allowed<Write>) -> Result<(), Problem>;

    /// The ids of the records that a read means, as many as its page holds, in the order of ids. What this transaction has
    /// written is among them; nothing is locked.
    async fn matching(&mut self, read: Allowed<Read>) -> Result<Vec<Value>, Problem>;

    /// Makes everything durable.
    async fn commit(self: Box<Self>) -> Result<(), Problem>;
}
