//! A transaction that stays open from batch to batch.

use async_trait::async_trait;
use model::{Caller, Problem, Value};
use rules::{
    Allowed,
    plan::{Read, Write},
};
use store::{
    Beside, Loading, Tx as _,
    write::{self, Marks},
};

use crate::{connection::Lease, sequencer::Sequencer, transaction::PgTx};

/// An open transaction; each batch has a savepoint.
pub(crate) struct PgLoading<'a> {
    transaction: PgTx,
    /// What is to stand in the audit log, and who did it.
    marks: Marks,
    caller: Option<Caller>,
    sequencer: &'a Sequencer,
}

impl<'a> PgLoading<'a> {
    /// Begins one.
    pub(crate) async fn begin(lease: Lease, sequencer: &'a Sequencer) -> Result<Self, Problem> {
        let mut transaction = PgTx::begun_by_statements(lease);
        transaction.say("BEGIN").await?;
        Ok(Self { transaction, marks: Marks::default(), caller: None, sequencer })
    }
}

#[async_trait]
impl Loading for PgLoading<'_> {
    async fn write(&mut self, write: Allowed<Write>) -> Result<(), Problem> {
        self.transaction.say("SAVEPOINT one").await?;
        let write = write.into_inner();
        self.caller = Some(write.caller.clone());
        match write::apply_unmarked(&mut self.transaction, write, &Beside::default(), &mut self.marks).await {
            Ok(_) => self.transaction.say("RELEASE SAVEPOINT one").await,
            Err(problem) => {
                // Where even that fails, the transaction has ended, and the next batch says so.
                self.transaction.say("ROLLBACK TO SAVEPOINT one").await?;
                Err(problem)
            }
        }
    }

    async fn matching(&mut self, read: Allowed<Read>) -> Result<Vec<Value>, Problem> {
        let read = read.get();
        self.transaction.ids_of(read, None, read.page.limit).await
    }

    async fn commit(mut self: Box<Self>) -> Result<(), Problem> {
        if let Some(caller) = &self.caller {
            for line in std::mem::take(&mut self.marks).lines(caller) {
                self.transaction.own(&line).await?;
            }
        }
        self.transaction.finish(Ok(())).await.map_err(|(problem, _)| problem)?;
        self.sequencer.wake();
        Ok(())
    }
}
