//! All records of a list, as a stream: one statement on a thread and a connection of its own, hence one state of the
//! database, in constant memory.
//!
//! Its snapshot holds up nobody: the writer goes on, and only the log's beginning can't be written over until the stream
//! ends. So a reader that dawdles is left behind ([`store::rows::PATIENCE`]), and few streams run at once.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use model::Problem;
use parking_lot::Mutex;
use rules::{export::Form, plan::Read};
use store::rows::{PATIENCE, Piece, PieceSender, Rows};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};

use crate::{connection::Reader, fault::problem, query, reader::CancelOnDrop};

/// Streams at once.
const PLACES: usize = 4;
/// How long one more waits for a place.
const WAIT: Duration = Duration::from_secs(5);

/// What streams need.
#[derive(Debug)]
pub(crate) struct Streams {
    path: PathBuf,
    places: Arc<Semaphore>,
}

impl Streams {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, places: Arc::new(Semaphore::new(PLACES)) }
    }

    /// Starts a stream.
    pub(crate) async fn start(&self, read: Read, form: Form) -> Result<Rows, Problem> {
        let busy = |_| Problem::unavailable("too many exports run already", "every place for streams is taken", 5);
        let place = timeout(WAIT, Arc::clone(&self.places).acquire_owned()).await.map_err(busy)?;
        let place = place.map_err(|_| Problem::unavailable("the server is stopping", "streams are closed", 1))?;
        let (sender, pieces) = mpsc::channel(1);
        let running = Arc::new(Mutex::new(None));
        let guard = CancelOnDrop(Arc::clone(&running));
        let (path, handle) = (self.path.clone(), Handle::current());
        let work = move || {
            let _place: OwnedSemaphorePermit = place;
            let mut out = Outlet { sender, handle, left: PATIENCE.whole };
            let outcome = Reader::open_for_stream(&path).and_then(|reader| {
                *running.lock() = Some(Arc::clone(&reader.allowance));
                query::stream(&reader.connection, &read, form, &mut |bytes, records| {
                    out.put(Piece { bytes, records, last: false })
                })
            });
            *running.lock() = None;
            match outcome {
                Ok(Some((bytes, records))) => {
                    let _ = out.put(Piece { bytes, records, last: true });
                }
                // Nobody listens any more.
                Ok(None) => {}
                Err(error) => out.fail(problem(&error)),
            }
        };
        std::thread::Builder::new()
            .name("sqlite-stream".to_owned())
            .spawn(work)
            .map_err(|error| Problem::internal(format!("failed to start a thread for a stream: {error}")))?;
        Ok(Rows::new(pieces, guard))
    }
}

/// Where the pieces go, with what is left of our patience.
struct Outlet {
    sender: PieceSender,
    handle: Handle,
    left: Duration,
}

impl Outlet {
    /// Hands a piece on; false where nobody takes it.
    fn put(&mut self, piece: Piece) -> bool {
        match self.sender.try_send(Ok(piece)) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(piece)) => {
                let began = Instant::now();
                let sending = async { timeout(self.left.min(PATIENCE.piece), self.sender.send(piece)).await };
                let sent = matches!(self.handle.block_on(sending), Ok(Ok(())));
                self.left = self.left.saturating_sub(began.elapsed());
                sent
            }
        }
    }

    fn fail(&self, problem: Problem) {
        let telling = async { timeout(PATIENCE.piece, self.sender.send(Err(problem))).await };
        // Whoever has gone needs no reason.
        drop(self.handle.block_on(telling));
    }
}
