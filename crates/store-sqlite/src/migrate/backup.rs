//! The copy that is made beside a database before it changes.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, backup::Backup};
use store::migration::{MigrationError, report::Cause};

use crate::copy::{self as copies, directory_of, with_suffix};

/// What ends the name of a copy that is not whole yet.
const PARTIAL: &str = ".partial";

/// Copies the database as it is committed to `{path}.backup-{UTC time}-{version}`. The copy is whole and on the disk when
/// this returns, or not there under that name.
///
/// # Errors
/// [`MigrationError::Backup`]
pub(super) fn back_up(path: &Path, now: i64, version: i64) -> Result<PathBuf, MigrationError> {
    let target = name(path, now, version);
    let partial = with_suffix(&target, PARTIAL);
    let copied = clear_leftovers(path).and_then(|()| copy(path, &partial)).and_then(|()| settle(&partial, &target));
    copied.map_err(|source| {
        // What is left of a failed copy is of no use; the failure itself is what is reported.
        let _ = fs::remove_file(&partial);
        MigrationError::Backup { path: target.clone(), source }
    })?;
    Ok(target)
}

/// One who was killed may have left half a copy. Nobody else is at it: we hold the lock of writers.
fn clear_leftovers(path: &Path) -> Result<(), Cause> {
    let prefix = format!("{}.backup-", path.file_name().unwrap_or_default().to_string_lossy());
    for entry in fs::read_dir(directory_of(path))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&prefix) && name.ends_with(PARTIAL) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Copies in one go, on connections of its own: the one that migrates holds the lock of writers, not of readers.
fn copy(from: &Path, to: &Path) -> Result<(), Cause> {
    let source =
        Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    source.busy_timeout(super::state::PATIENCE)?;
    // Keys and sessions are in it: it is for its owner's eyes only.
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to)?;
    let mut target = Connection::open(to)?;
    // The file counts only once it has been synced and renamed.
    target.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    let backup = Backup::new(&source, &mut target)?;
    match backup.step(-1)? {
        rusqlite::backup::StepResult::Done => Ok(()),
        other => Err(format!("the copy ended early: {other:?}").into()),
    }
}

/// Syncs the copy, gives it its name, and syncs the directory, so that the name outlives a power cut.
fn settle(partial: &Path, target: &Path) -> Result<(), Cause> {
    File::options().write(true).open(partial)?.sync_all()?;
    fs::rename(partial, target)?;
    File::open(directory_of(target))?.sync_all()?;
    Ok(())
}

/// `app.db.backup-20261121T042800Z-7`
fn name(path: &Path, now: i64, version: i64) -> PathBuf {
    copies::free_name(&with_suffix(path, &format!(".backup-{}-{version}", copies::stamp(now))))
}
