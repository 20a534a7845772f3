//! Reads: at once on the caller's own thread while they are small, on a thread of the pool when they are not.
//!
//! A point read costs some microseconds, less than handing it to another thread. So every read begins where it is asked,
//! with an allowance of work; one that spends it is interrupted and begun again on the pool, where it may take its time
//! and stops when its caller has gone.

use std::{
    path::PathBuf,
    sync::{Arc, mpsc},
};

use model::Problem;
use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use crate::{
    connection::{Allowance, Reader},
    fault::problem,
    health::Health,
};

/// Thousands of instructions that a read may take on its caller's thread: about a millisecond.
const AT_ONCE: i64 = 30;
/// Reads that may wait for the pool.
const QUEUE: usize = 256;

type Work = Box<dyn FnOnce(&Reader) + Send>;

/// All readers of a database.
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Reader>>,
    pool: mpsc::SyncSender<Work>,
    health: Arc<Health>,
}

/// Interrupts the read when the future that waits for it is dropped.
pub(crate) struct CancelOnDrop(pub(crate) Arc<Mutex<Option<Arc<Allowance>>>>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(running) = self.0.lock().take() {
            running.cancel();
        }
    }
}

impl Readers {
    /// Starts the pool's threads; each opens its connection when it is first needed.
    pub(crate) fn start(path: PathBuf, threads: usize, health: Arc<Health>) -> std::io::Result<Self> {
        let (pool, work) = mpsc::sync_channel::<Work>(QUEUE);
        let work = Arc::new(Mutex::new(work));
        for number in 0..threads {
            let (work, path) = (Arc::clone(&work), path.clone());
            std::thread::Builder::new().name(format!("sqlite-reader-{number}")).spawn(move || {
                let mut reader = None;
                loop {
                    let Ok(next) = work.lock().recv() else { return };
                    if reader.is_none() {
                        reader = Reader::open(&path).ok();
                    }
                    // Without a reader the work is dropped, and its caller told.
                    if let Some(reader) = &reader {
                        next(reader);
                    }
                }
            })?;
        }
        Ok(Self { path, idle: Mutex::new(Vec::new()), pool, health })
    }

    /// Runs a read at once; where that is too much work, one that `again` makes of it on the pool.
    pub(crate) async fn read<T, F>(
        &self,
        read: impl Fn(&Connection) -> rusqlite::Result<T>,
        again: impl FnOnce() -> F,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        match self.at_once(read) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
                self.pooled(again()).await
            }
            Err(error) => Err(self.failed(&error)),
            Ok(value) => Ok(value),
        }
    }

    /// Runs a read on this thread, with an allowance.
    fn at_once<T>(&self, read: impl Fn(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let idle = self.idle.lock().pop();
        let reader = match idle {
            Some(reader) => reader,
            None => Reader::open(&self.path)?,
        };
        reader.allowance.grant(Some(AT_ONCE));
        let result = read(&reader.connection);
        self.idle.lock().push(reader);
        result
    }

    fn failed(&self, error: &rusqlite::Error) -> Problem {
        let problem = problem(error);
        self.health.read(&problem);
        problem
    }

    /// Runs a read on a thread of the pool, where it may take its time.
    ///
    /// # Errors
    /// 503 where too many wait already, or the problem that it met.
    pub(crate) async fn pooled<T, F>(&self, read: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let running = Arc::new(Mutex::new(None));
        let guard = CancelOnDrop(Arc::clone(&running));
        let work: Work = Box::new(move |reader| {
            if reply.is_closed() {
                return;
            }
            reader.allowance.grant(None);
            *running.lock() = Some(Arc::clone(&reader.allowance));
            let result = read(&reader.connection);
            // From here on the allowance is the next read's.
            *running.lock() = None;
            drop(reply.send(result));
        });
        if self.pool.try_send(work).is_err() {
            return Err(Problem::unavailable("too many long reads wait already", "the readers' queue is full", 1));
        }
        let result = answer.await.map_err(|_| {
            Problem::unavailable("the database can't be read", "a reader could not open the database", 5)
        })?;
        drop(guard);
        result.map_err(|error| self.failed(&error))
    }
}
