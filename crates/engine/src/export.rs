//! Whole lists, as streams.

use model::{Caller, Problem};
use rules::{export::Form, query::Query};
use store::rows::Rows;

use crate::Engine;

impl Engine {
    /// All records that a query names and the caller may read, however many, in one state of the database. Of the page,
    /// `limit` and `offset` count.
    ///
    /// # Errors
    /// 404 for an unknown resource, 400 for a query that can't be, 503 where too many streams run.
    pub async fn export(&self, caller: Caller, resource: &str, query: Query, form: Form) -> Result<Rows, Problem> {
        let gate = self.gate();
        let index = Self::resource(&gate, resource)?;
        let read = gate.read(caller, index, query)?;
        self.store().stream(read, form).await?.begun().await
    }
}
