//! Connections: how they are opened, and how long a statement on one may run.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use crate::functions;

/// Virtual-machine instructions between two looks at the allowance: some tens of microseconds.
const INSTRUCTIONS: i32 = 1000;

/// How much a reading connection may still do before it is interrupted.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    /// Looks left; below zero is without end.
    looks: AtomicI64,
    /// The caller has gone.
    cancelled: AtomicBool,
}

impl Allowance {
    /// Allows so many thousands of instructions; none is without end.
    pub(crate) fn grant(&self, looks: Option<i64>) {
        self.cancelled.store(false, Ordering::Relaxed);
        self.looks.store(looks.unwrap_or(-1), Ordering::Relaxed);
    }

    /// Interrupts what runs.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// True where the statement has to stop.
    fn spent(&self) -> bool {
        if self.cancelled.load(Ordering::Relaxed) {
            return true;
        }
        match self.looks.load(Ordering::Relaxed) {
            0 => true,
            endless if endless < 0 => false,
            left => {
                self.looks.store(left - 1, Ordering::Relaxed);
                false
            }
        }
    }
}

/// A connection that only reads, with its allowance.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) connection: Connection,
    pub(crate) allowance: Arc<Allowance>,
}

impl Reader {
    /// One for a long walk through a table: what it has read it hardly needs again, so it keeps little in memory.
    pub(crate) fn open_for_stream(path: &Path) -> rusqlite::Result<Self> {
        let reader = Self::open(path)?;
        reader.allowance.grant(None);
        reader.connection.execute_batch("PRAGMA mmap_size = 0; PRAGMA cache_size = -2000;")?;
        Ok(reader)
    }

    pub(crate) fn open(path: &Path) -> rusqlite::Result<Self> {
        let mut connection =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.execute_batch(
            "PRAGMA query_only = ON; PRAGMA busy_timeout = 5000; PRAGMA mmap_size = 268435456; \
             PRAGMA cache_size = -8000; PRAGMA trusted_schema = OFF;",
        )?;
        connection.set_prepared_statement_cache_capacity(256);
        // Without it, SQLite prepares a statement anew whenever another value is bound to its `LIMIT`.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        functions::register(&connection)?;
        let allowance = Arc::new(Allowance::default());
        allowance.grant(None);
        let watched = Arc::clone(&allowance);
        connection.progress_handler(INSTRUCTIONS, Some(move || watched.spent()))?;
        Ok(Self { connection, allowance })
    }
}

/// How much of an acknowledged write a power cut may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// Nothing: every commit waits for the disk.
    #[default]
    Full,
    /// The latest commits, but never the order or the integrity.
    Normal,
}

/// What the writer keeps of the database in memory: 16 MB.
pub(crate) const CACHE: &str = "PRAGMA cache_size = -16000";

/// Opens the one connection that writes.
pub(crate) fn open_writer(path: &Path, synchronous: Synchronous) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    // SQLite opens what it may not write for reading: better told now than at the first write.
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY);
        let words = format!("`{}` or its disk can only be read", path.display());
        return Err(rusqlite::Error::SqliteFailure(code, Some(words)));
    }
    let synchronous = match synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Normal => "NORMAL",
    };
    // Checkpoints are on this connection, and as frequent as keeps the log within one block of its index (4062 pages): it is
    // written over in place, so that a commit's sync allocates nothing, and a page that many commits write is copied once.
    // A thread of its own for them was measured to be worse: its syncs of the database held up those of the log for 100 ms
    // at a time.
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON; \
         PRAGMA busy_timeout = 5000; PRAGMA wal_autocheckpoint = 4000; {CACHE}; \
         PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864;"
    ))?;
    connection.set_prepared_statement_cache_capacity(256);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    functions::register(&connection)?;
    Ok(connection)
}
