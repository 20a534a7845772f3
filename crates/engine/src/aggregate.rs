//! Totals over groups.

use model::{Caller, Problem};
use rules::aggregate::AggregateQuery;

use crate::Engine;

impl Engine {
    /// Totals over groups of the records that a query names and the caller may read: a JSON object with `items`.
    ///
    /// # Errors
    /// 404 for an unknown resource, 400 for a query that can't be.
    pub async fn aggregate(&self, caller: Caller, resource: &str, query: AggregateQuery) -> Result<Vec<u8>, Problem> {
        let gate = self.gate();
        let index = Self::resource(&gate, resource)?;
        let asked = gate.aggregate(caller, index, query)?;
        let items = self.store().aggregate(&asked).await?;
        let mut body = Vec::with_capacity(items.len() + 16);
        body.extend_from_slice(b"{\"items\":[");
        body.extend_from_slice(&items);
        body.extend_from_slice(b"]}");
        Ok(body)
    }
}
