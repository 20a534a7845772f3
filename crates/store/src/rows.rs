//! All records of a list, as a stream in constant memory.

use std::{
    any::Any,
    task::{Context, Poll, ready},
};

use model::Problem;
use tokio::sync::mpsc;

/// How long whoever takes a stream may leave one piece waiting, and how long it may make us wait in all. Meanwhile the
/// stream holds a snapshot of the database, which keeps SQLite's log and PostgreSQL's dead rows from being cleaned up.
pub const PATIENCE: Patience =
    Patience { piece: std::time::Duration::from_secs(30), whole: std::time::Duration::from_secs(600) };

/// Bounds on waiting.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For one piece.
    pub piece: std::time::Duration,
    /// For all pieces together.
    pub whole: std::time::Duration,
}

/// A piece of a stream.
#[derive(Debug, Default)]
pub struct Piece {
    /// Whole lines.
    pub bytes: Vec<u8>,
    /// How many records they are.
    pub records: u64,
    /// Nothing follows.
    pub last: bool,
}

/// Where a store puts the pieces.
pub type PieceSender = mpsc::Sender<Result<Piece, Problem>>;

/// A stream of records; dropping it ends the work behind it.
pub struct Rows {
    pieces: mpsc::Receiver<Result<Piece, Problem>>,
    first: Option<Piece>,
    ended: bool,
    _work: Box<dyn Any + Send + Sync>,
}

impl Rows {
    /// A stream of what comes out of a channel; `work` is dropped with it.
    #[must_use]
    pub fn new(pieces: mpsc::Receiver<Result<Piece, Problem>>, work: impl Any + Send + Sync) -> Self {
        Self { pieces, first: None, ended: false, _work: Box::new(work) }
    }

    /// Waits until the stream has begun, so that what is wrong with it can still be told.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn begun(mut self) -> Result<Self, Problem> {
        self.first = self.next().await.transpose()?;
        Ok(self)
    }

    /// The next piece; none at the end. After a problem the stream is not whole.
    pub async fn next(&mut self) -> Option<Result<Piece, Problem>> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    /// As [`Self::next`].
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Piece, Problem>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.pieces.poll_recv(context));
        self.ended = !matches!(&next, Some(Ok(Piece { last: false, .. })));
        // Whoever makes the stream says when it is over; silence is no end.
        let broken = || Err(Problem::unavailable("the export broke off", "its reader was too slow, or it failed", 1));
        Poll::Ready(Some(next.unwrap_or_else(broken)))
    }
}
