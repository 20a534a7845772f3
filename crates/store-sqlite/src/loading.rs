//! A transaction that stays open from batch to batch: the writer's thread works for it alone until it ends.

use async_trait::async_trait;
use model::{Problem, Value};
use rules::{
    Allowed,
    plan::{Read, Write, Written},
};
use store::Loading;
use tokio::sync::{mpsc, oneshot};

/// What the writer is asked within the transaction; when no more can come, it is rolled back.
pub(crate) enum Step {
    /// A write: all of it or nothing.
    Write { write: Write, reply: oneshot::Sender<Result<Vec<Written>, Problem>> },
    /// A question: the ids of the records that a read means.
    Matching { read: Allowed<Read>, reply: oneshot::Sender<Result<Vec<Value>, Problem>> },
    /// The end.
    Commit { reply: oneshot::Sender<Result<(), Problem>> },
}

/// The caller's end of it.
pub(crate) struct SqliteLoading {
    pub(crate) steps: mpsc::Sender<Step>,
}

impl SqliteLoading {
    async fn ask<T>(&self, step: impl FnOnce(oneshot::Sender<Result<T, Problem>>) -> Step) -> Result<T, Problem> {
        let gone = || Problem::unavailable("the transaction has ended", "the writer has given it up", 1);
        let (reply, answer) = oneshot::channel();
        self.steps.send(step(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

#[async_trait]
impl Loading for SqliteLoading {
    async fn write(&mut self, write: Allowed<Write>) -> Result<(), Problem> {
        self.ask(|reply| Step::Write { write: write.into_inner(), reply }).await.map(|_| ())
    }

    async fn matching(&mut self, read: Allowed<Read>) -> Result<Vec<Value>, Problem> {
        self.ask(|reply| Step::Matching { read, reply }).await
    }

    async fn commit(self: Box<Self>) -> Result<(), Problem> {
        self.ask(|reply| Step::Commit { reply }).await
    }
}
