//! A transaction that stays open from batch to batch.

use async_trait::async_trait;
use model::Problem;
use rules::{Allowed, plan::Write};
use store::{Beside, Loading, write};

use crate::{connection::Lease, sequencer::Sequencer, transaction::PgTx};

/// An open transaction; each batch has a savepoint.
pub(crate) struct PgLoading<'a> {
    transaction: PgTx,
    sequencer: &'a Sequencer,
}

impl<'a> PgLoading<'a> {
    /// Begins one.
    pub(crate) async fn begin(lease: Lease, sequencer: &'a Sequencer) -> Result<Self, Problem> {
        let mut transaction = PgTx::begun_by_statements(lease);
        transaction.say("BEGIN").await?;
        Ok(Self { transaction, sequencer })
    }
}

#[async_trait]
impl Loading for PgLoading<'_> {
    async fn write(&mut self, write: Allowed<Write>) -> Result<(), Problem> {
        self.transaction.say("SAVEPOINT one").await?;
        match write::apply(&mut self.transaction, write.into_inner(), &Beside::default()).await {
            Ok(_) => self.transaction.say("RELEASE SAVEPOINT one").await,
            Err(problem) => {
                // Where even that fails, the transaction has ended, and the next batch says so.
                self.transaction.say("ROLLBACK TO SAVEPOINT one").await?;
                Err(problem)
            }
        }
    }

    async fn commit(self: Box<Self>) -> Result<(), Problem> {
        self.transaction.finish(Ok(())).await.map_err(|(problem, _)| problem)?;
        self.sequencer.wake();
        Ok(())
    }
}
