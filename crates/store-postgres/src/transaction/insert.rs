//! How new records get into the database: on a connection of their own, or with those of others.

use model::Problem;
use tokio_postgres::{Error, Row};

use super::PgTx;
use crate::{
    connection::{Place, Step},
    group_commit::Creation,
    lanes::{Turn, keeping},
};

/// The rows of each statement, or what failed.
type Inserted = Result<Vec<Vec<Row>>, (Place, Error)>;

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
                Turn::Done(rows) => return Ok(Ok(vec![rows])),
                Turn::Alone(only, kept) => {
                    creations.push(only);
                    lane = kept;
                }
                Turn::Refused(problem) => return Err(problem),
            }
        }
        keeping(lane, async {
            self.connect().await?;
            let steps: Vec<Step<'_>> = creations.iter_mut().map(Creation::step).chain(after).collect();
            Ok(self.write(&steps).await)
        })
        .await
    }
}
