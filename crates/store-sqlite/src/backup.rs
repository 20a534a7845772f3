//! Backups of a database while it is served, and putting one back.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use store::migration::MigrationError;

use crate::{
    copy::{self, Content, CopyError, Partial, Watch, in_file, with_suffix},
    migrate,
    presence::Presence,
};

/// What a database may have beside it while it is open.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Writes a copy of a database, as it is committed now, to a file. Servers go on reading and writing. The file is whole,
/// checked and on the disk when this returns, or not there under that name; only its owner may read it.
///
/// # Errors
/// See [`CopyError`]; a file that is there is replaced only with `overwrite`.
pub fn back_up(database: &Path, target: &Path, overwrite: bool, watch: &mut Watch<'_>) -> Result<Content, CopyError> {
    if !database.exists() {
        return Err(CopyError::NoDatabase(database.to_owned()));
    }
    let own = ["", "-wal", "-shm", ".lock"];
    if own.iter().any(|suffix| copy::is_same(target, &with_suffix(database, suffix))) {
        return Err(CopyError::Itself(target.to_owned()));
    }
    if target.exists() && !overwrite {
        return Err(CopyError::Exists(target.to_owned()));
    }
    // Beside a new file, an old log would be taken for its own.
    if BESIDE.iter().any(|suffix| with_suffix(target, suffix).exists()) {
        return Err(CopyError::OpenDatabase(target.to_owned()));
    }
    // Nobody replaces the database meanwhile.
    let _present = Presence::shared(database).map_err(|_| CopyError::InUse(database.to_owned()))?;
    let partial = Partial::make(with_suffix(target, ".part"))?;
    // Readers of a log need to write to its index.
    let source = copy::open(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    partial.copy_from(database, &source, watch)?;
    drop(source);
    let content = partial.check(database)?;
    partial.settle(target, overwrite)?;
    Ok(content)
}

/// What came of a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What was restored.
    pub content: Content,
    /// Where the database of before is kept; none where there was none.
    pub kept: Option<PathBuf>,
}

/// Puts a backup in the place of a database, which is kept beside it. Refused while anybody uses the database. The backup
/// is copied and checked first; whoever is killed in the middle leaves one or the other under the name, whole.
///
/// # Errors
/// See [`CopyError`].
pub fn restore(backup: &Path, database: &Path, now: i64, watch: &mut Watch<'_>) -> Result<Restored, CopyError> {
    if !backup.is_file() {
        return Err(CopyError::NoBackup(backup.to_owned()));
    }
    if copy::is_same(backup, database) {
        return Err(CopyError::Itself(backup.to_owned()));
    }
    fs::create_dir_all(copy::directory_of(database)).map_err(in_file("make the directory of", database))?;
    let alone = Presence::alone(database).map_err(in_file("lock", database))?;
    let _alone = alone.ok_or_else(|| CopyError::InUse(database.to_owned()))?;
    let partial = Partial::make(with_suffix(database, ".restore.part"))?;
    let source = copy::open(backup, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    partial.copy_from(backup, &source, watch)?;
    drop(source);
    let content = partial.check(backup)?;
    refuse_newer(partial.path(), backup)?;
    inherit_owner(partial.path(), database);
    let kept = if database.exists() { Some(put_aside(database, now)?) } else { None };
    partial.settle(database, true)?;
    Ok(Restored { content, kept })
}

/// Refuses what this program could not read.
fn refuse_newer(copy: &Path, backup: &Path) -> Result<(), CopyError> {
    match migrate::status(copy).and_then(|_| migrate::is_readable(copy)) {
        Ok(()) => Ok(()),
        Err(MigrationError::Newer) => Err(CopyError::Newer(backup.to_owned())),
        Err(_) => Err(CopyError::Foreign(backup.to_owned())),
    }
}

/// The server may run as somebody else than the one who restores: the file stays its owner's. Only an administrator can
/// give files away, and for anybody else there is nothing to give.
fn inherit_owner(copy: &Path, database: &Path) {
    let known = fs::metadata(database).or_else(|_| fs::metadata(copy::directory_of(database)));
    if let Ok(known) = known {
        let _ = std::os::unix::fs::chown(copy, Some(known.uid()), Some(known.gid()));
    }
}

/// Gives the database a second name, under which it stays. Its log is in it by then; where the database is damaged and
/// can't take it in, the log moves along.
fn put_aside(database: &Path, now: i64) -> Result<PathBuf, CopyError> {
    let kept = copy::free_name(&with_suffix(database, &format!(".before-restore-{}", copy::stamp(now))));
    match close_log(database) {
        Err(error) if is_busy(&error) => return Err(CopyError::InUse(database.to_owned())),
        // Damaged, most likely: that may be why a backup is restored.
        Err(error) => tracing::warn!(error = %error, "the database of before could not be closed in good order"),
        Ok(()) => {}
    }
    let failed = || in_file("keep", database);
    fs::hard_link(database, &kept).map_err(failed())?;
    for suffix in ["-wal", "-journal"] {
        match fs::rename(with_suffix(database, suffix), with_suffix(&kept, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed()(error)),
            _ => {}
        }
    }
    // The index of a log that has gone; it is made anew where there is a log.
    let _ = fs::remove_file(with_suffix(database, "-shm"));
    Ok(kept)
}

/// Takes the log into the database and ends it, which SQLite allows to the only one that has it open: so this finds other
/// programs, too.
fn close_log(database: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(std::time::Duration::from_millis(500))?;
    let mode: String = connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    match mode.as_str() {
        "wal" => Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None)),
        _ => Ok(()),
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
