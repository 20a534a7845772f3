//! Checkpoints: pages of the write-ahead log go back into the database on a thread of their own.
//!
//! A passive checkpoint blocks nobody, but under steady load it never catches the writer's tail, and the log would grow.
//! Past a limit the writer itself restarts the log, which is quick, since nearly all of it has been copied by then.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};

use rusqlite::Connection;

/// Copy once the log has grown by this many bytes.
const PASSIVE: u64 = 4 << 20;
/// Restart the log past this many bytes.
const RESTART: u64 = 64 << 20;
/// Commits between two looks at the log's size.
const LOOK_EVERY: u32 = 16;

/// The writer's side.
pub(crate) struct Checkpointer {
    log: PathBuf,
    wake: SyncSender<()>,
    commits: u32,
    copied: u64,
}

impl Checkpointer {
    /// Starts the thread, which ends when this is dropped.
    pub(crate) fn start(path: PathBuf) -> rusqlite::Result<Self> {
        let mut log = path.clone().into_os_string();
        log.push("-wal");
        let (wake, woken) = sync_channel(1);
        std::thread::Builder::new()
            .name("sqlite-checkpoint".to_owned())
            .spawn(move || run(&path, &woken))
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(Self { log: log.into(), wake, commits: 0, copied: 0 })
    }

    /// Called by the writer after each commit.
    pub(crate) fn committed(&mut self, writer: &Connection) {
        self.commits += 1;
        if !self.commits.is_multiple_of(LOOK_EVERY) {
            return;
        }
        let Ok(size) = std::fs::metadata(&self.log).map(|file| file.len()) else { return };
        if size >= RESTART {
            // The file keeps its size after a restart, so it is cut to be measurable again.
            if let Err(error) = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
                tracing::warn!(error = %error, "a checkpoint failed; the write-ahead log grows meanwhile");
            }
            self.copied = 0;
        } else if size >= self.copied + PASSIVE {
            self.copied = size;
            // A full channel means that the thread is at it already.
            let _ = self.wake.try_send(());
        }
    }
}

fn run(path: &Path, woken: &Receiver<()>) {
    let Ok(connection) = Connection::open(path) else { return };
    while woken.recv().is_ok() {
        if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            tracing::debug!(error = %error, "a passive checkpoint failed");
        }
    }
}
