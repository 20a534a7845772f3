//! How new records get into the database: on a connection of their own, or with those of others.

use std::sync::Arc;

use tokio_postgres::Row;

use super::{Failure, PgTx, Way};
use crate::{
    connection::Step,
    group_commit::Creation,
    lanes::{Turn, keeping},
};

impl PgTx {
    /// Runs the statements that create records, and what comes after them; the rows of each.
    ///
    /// # Errors
    /// That of the first statement that fails; or there is no connection, or what happened to a transaction with others is not
    /// known.
    pub(super) async fn insert(
        &mut self,
        mut creations: Vec<Creation>,
        after: Option<Step<'_>>,
    ) -> Result<Vec<Vec<Row>>, Failure> {
        let mut lane = None;
        // Where this transaction has a connection, something else belongs to it.
        if let (Way::Later(group), [_], None) = (&self.way, creations.as_slice(), &after)
            && let Some(only) = creations.pop()
        {
            match Arc::clone(group).turn(only).await {
                Turn::Done(rows) => return Ok(vec![rows]),
                Turn::Alone(only, kept) => {
                    creations.push(only);
                    lane = kept;
                }
                Turn::Refused(problem) => return Err(Failure::Unconnected(problem)),
            }
        }
        keeping(lane, async {
            let steps: Vec<Step<'_>> = creations.iter_mut().map(Creation::step).chain(after).collect();
            self.write(&steps).await
        })
        .await
    }
}
