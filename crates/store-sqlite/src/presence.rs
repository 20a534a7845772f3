//! Who is at a database: every process that serves or changes it shares a lock on a file beside it, and whoever replaces
//! the database has to have that lock alone.
//!
//! The lock is the kernel's (`flock`), so it ends with its process, however that ends; nothing has to be cleaned up. It is
//! on a file of its own because closing any other handle of the database would end SQLite's own locks.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// A lock that is held as long as this lives.
#[derive(Debug)]
pub(crate) struct Presence(#[expect(dead_code, reason = "its lock ends with it")] File);

impl Presence {
    /// Shares the database with others; none where no lock can be had there: a disk that can only be read, say, of which
    /// the database itself will complain.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] while somebody replaces the database.
    pub(crate) fn shared(database: &Path) -> io::Result<Option<Self>> {
        let Ok(file) = open(database) else { return Ok(None) };
        match file.try_lock_shared() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => {
                Err(io::Error::new(io::ErrorKind::WouldBlock, "the database is being restored"))
            }
            Err(TryLockError::Error(_)) => Ok(None),
        }
    }

    /// Has the database alone; none where others are at it.
    ///
    /// # Errors
    /// The lock's file can't be made, or this file system has no locks.
    pub(crate) fn alone(database: &Path) -> io::Result<Option<Self>> {
        let file = open(database)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// The file is empty, and may be there already as somebody else's: reading is enough for a lock.
fn open(database: &Path) -> io::Result<File> {
    let path = file_of(database);
    let made = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).open(&path);
    made.or_else(|error| File::open(&path).map_err(|_| error))
}

/// `app.db.lock`
fn file_of(database: &Path) -> PathBuf {
    crate::copy::with_suffix(database, ".lock")
}
