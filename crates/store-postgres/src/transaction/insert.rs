//! How new records get into the database: on a connection of their own, or with those of others.

use std::mem::take;

use model::Problem;
use tokio_postgres::{Error, Row};

use super::PgTx;
use crate::{
    connection::Step,
    group_commit::{Creation, Turn, keeping},
};

/// The rows of each statement, or the place of the one that failed, where it was one of these.
type Inserted = Result<Vec<Vec<Row>>, (Option<usize>, Error)>;

impl PgTx {
    /// Runs the statements that create records, and what comes after them.
    ///
    /// # Errors
    /// There is no connection, or what happened to a transaction with others is not known.
    pub(super) async fn insert(
        &mut self,
        mut creations: Vec<Creation>,
        after: Option<Step<'_>>,
    ) -> Result<Inserted, Problem> {
        let mut lane = None;
        // Where this transaction has a connection, something else belongs to it.
        if let (Some(group), [_], None) = (self.group.clone(), creations.as_slice(), &after)
            && let Some(only) = creations.pop()
        {
            match group.turn(only).await {
                Turn::Made(rows) => return Ok(Ok(vec![rows])),
                Turn::Alone(only, kept) => {
                    creations.push(only);
                    lane = kept;
                }
                Turn::Refused(problem) => return Err(problem),
            }
        }
        keeping(lane, async {
            self.connect().await?;
            let steps = creations.iter_mut().map(|Creation { text, values }| Step { text, values: take(values) });
            Ok(self.write(&steps.chain(after).collect::<Vec<_>>()).await)
        })
        .await
    }
}
