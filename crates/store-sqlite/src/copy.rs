//! Copies of a database while it is in use, and what backup, restore and migration share of making them.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    ops::ControlFlow,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rusqlite::{
    Connection, ErrorCode, OpenFlags,
    backup::{Backup, StepResult},
};
use thiserror::Error;

use crate::functions;

/// Pages between two pauses: a megabyte, usually.
const PAGES: i32 = 256;
/// Steps between two syncs. One sync of everything at the end would hold up the commits of a server for as long.
const STEPS_A_SYNC: u32 = 16;
/// How long to wait for a writer that holds the whole database.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most faults of a damaged file that are told.
const COMPLAINTS: usize = 10;

/// Why a backup or a restore was not made. Nothing has changed then.
#[derive(Debug, Error)]
pub enum CopyError {
    /// There is no database to back up.
    #[error("there is no database at `{}`", .0.display())]
    NoDatabase(PathBuf),
    /// There is no such backup.
    #[error("there is no file `{}`", .0.display())]
    NoBackup(PathBuf),
    /// The target is there.
    #[error("`{}` is there already", .0.display())]
    Exists(PathBuf),
    /// The target is the database, or the backup is.
    #[error("`{}` is the app's database itself", .0.display())]
    Itself(PathBuf),
    /// The target is a database that somebody has open, or that was not closed in good order.
    #[error("`{}` is a database in use: it has a log beside it", .0.display())]
    OpenDatabase(PathBuf),
    /// Another command writes the same file.
    #[error("another command is writing `{}`", .0.display())]
    Busy(PathBuf),
    /// A server runs on the database that should be replaced.
    #[error("a server or another command is using `{}`", .0.display())]
    InUse(PathBuf),
    /// The file is a database, but none of ours.
    #[error("`{}` is no backup of a Mainstay app: it has no table `_migrations`", .0.display())]
    Foreign(PathBuf),
    /// The backup is from a later version of this program.
    #[error("`{}` was written by a newer version of mainstay", .0.display())]
    Newer(PathBuf),
    /// The copy, and so the file that was copied, is not sound.
    #[error("`{}` is damaged: {}", path.display(), complaints.join("; "))]
    Damaged {
        /// What was copied.
        path: PathBuf,
        /// What SQLite's `integrity_check` says.
        complaints: Vec<String>,
    },
    /// It was asked to end.
    #[error("ended before it was done")]
    Ended,
    /// SQLite failed.
    #[error("failed to {doing}")]
    Database {
        /// What was being done.
        doing: String,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The file system failed.
    #[error("failed to {doing}")]
    File {
        /// What was being done.
        doing: String,
        /// What the system says.
        source: io::Error,
    },
}

pub(crate) fn in_database(doing: &str, path: &Path) -> impl FnOnce(rusqlite::Error) -> CopyError {
    let (doing, path) = (format!("{doing} `{}`", path.display()), path.to_owned());
    move |source| match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            CopyError::Damaged { path, complaints: vec![source.to_string()] }
        }
        _ => CopyError::Database { doing, source },
    }
}

pub(crate) fn in_file(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> CopyError {
    let doing = format!("{doing} `{}`", path.display());
    move |source| CopyError::File { doing, source }
}

/// How far a copy is, in bytes; told after every step, and answered with whether to go on.
pub type Watch<'a> = dyn FnMut(u64, u64) -> ControlFlow<()> + 'a;

/// What a sound copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// The file's size in bytes.
    pub bytes: u64,
    /// The greatest sequence of the event log in it; 0 where it holds no write.
    pub sequence: i64,
}

/// A file that becomes a database under another name once it is whole; removed where it does not.
pub(crate) struct Partial {
    file: File,
    path: PathBuf,
    done: bool,
}

impl Partial {
    /// Makes it, for its owner's eyes only, and keeps other commands off it.
    pub(crate) fn make(path: PathBuf) -> Result<Self, CopyError> {
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).clone();
        let file = options.open(&path).map_err(in_file("write", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(CopyError::Busy(path)),
            // A file system without locks: then nobody is told.
            Err(TryLockError::Error(_)) => {}
        }
        let emptied = file.set_len(0).and_then(|()| file.set_permissions(fs::Permissions::from_mode(0o600)));
        emptied.map_err(in_file("write", &path))?;
        Ok(Self { file, path, done: false })
    }

    /// Copies a database as it is committed now into it. Others read and write meanwhile: the copy is of one moment, and
    /// takes no more than about half of what the disk gives.
    pub(crate) fn copy_from(&self, from: &Path, source: &Connection, watch: &mut Watch<'_>) -> Result<(), CopyError> {
        let failed = || in_database("copy", from);
        // The snapshot is held from here on; without it, each commit in between would make the copy begin again.
        source
            .execute_batch(
                "PRAGMA query_only = ON; PRAGMA cache_size = -2000; BEGIN; SELECT count(*) FROM sqlite_schema",
            )
            .map_err(failed())?;
        let mut target = Connection::open(&self.path).map_err(in_database("write", &self.path))?;
        // The file counts only once it has been synced, checked and renamed.
        target
            .execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
            .map_err(in_database("write", &self.path))?;
        let page: u32 = source.query_row("PRAGMA page_size", [], |row| row.get(0)).map_err(failed())?;
        let page = u64::from(page);
        let backup = Backup::new(source, &mut target).map_err(failed())?;
        for step in 1_u32.. {
            let begun = Instant::now();
            let result = backup.step(PAGES).map_err(failed())?;
            if step % STEPS_A_SYNC == 0 {
                self.file.sync_data().map_err(in_file("sync", &self.path))?;
            }
            let progress = backup.progress();
            let total = u64::try_from(progress.pagecount).unwrap_or(0);
            let left = u64::try_from(progress.remaining).unwrap_or(0);
            if watch((total - left.min(total)) * page, total * page).is_break() {
                return Err(CopyError::Ended);
            }
            if result == StepResult::Done {
                break;
            }
            std::thread::sleep(begun.elapsed().max(Duration::from_millis(1)));
        }
        drop(backup);
        source.execute_batch("ROLLBACK").map_err(failed())
    }

    /// Checks the copy from its first page to its last, and makes it one file that needs no other beside it.
    pub(crate) fn check(&self, of: &Path) -> Result<Content, CopyError> {
        let connection = Connection::open(&self.path).map_err(in_database("check", of))?;
        functions::register(&connection).map_err(in_database("check", of))?;
        let look = || -> rusqlite::Result<(Vec<String>, bool)> {
            connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = DELETE")?;
            let mut statement = connection.prepare("PRAGMA integrity_check")?;
            let said = statement.query_map([], |row| row.get(0))?.take(COMPLAINTS);
            let is_ours = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_migrations')";
            Ok((said.collect::<rusqlite::Result<_>>()?, connection.query_row(is_ours, [], |row| row.get(0))?))
        };
        let (complaints, is_ours) = look().map_err(in_database("check", of))?;
        if complaints != ["ok"] {
            return Err(CopyError::Damaged { path: of.to_owned(), complaints });
        }
        if !is_ours {
            return Err(CopyError::Foreign(of.to_owned()));
        }
        let latest = "SELECT max(coalesce((SELECT max(seq) FROM _events), 0), \
                      coalesce((SELECT reserved FROM _sequences WHERE resource = '_events'), 0))";
        let sequence = connection.query_row(latest, [], |row| row.get(0)).map_err(in_database("check", of))?;
        drop(connection);
        let bytes = self.file.metadata().map_err(in_file("check", of))?.len();
        Ok(Content { bytes, sequence })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs it, gives it its name, and syncs the directory, so that the name outlives a power cut.
    pub(crate) fn settle(mut self, target: &Path, overwrite: bool) -> Result<(), CopyError> {
        let failed = || in_file("write", target);
        self.file.sync_all().map_err(failed())?;
        if overwrite {
            fs::rename(&self.path, target).map_err(failed())?;
        } else {
            // A link is refused where somebody has made the file in the meantime; a name would be taken over.
            match fs::hard_link(&self.path, target) {
                Ok(()) => fs::remove_file(&self.path).map_err(failed())?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(CopyError::Exists(target.to_owned()));
                }
                Err(_) => fs::rename(&self.path, target).map_err(failed())?,
            }
        }
        self.done = true;
        File::open(directory_of(target)).and_then(|directory| directory.sync_all()).map_err(failed())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.done {
            // What is left of a failed copy is of no use; the failure itself is what is reported.
            for suffix in ["", "-wal", "-shm", "-journal"] {
                let _ = fs::remove_file(with_suffix(&self.path, suffix));
            }
        }
    }
}

/// Opens a database to copy it; never makes one.
pub(crate) fn open(path: &Path, flags: OpenFlags) -> Result<Connection, CopyError> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let connection = connection.map_err(in_database("open", path))?;
    connection.busy_timeout(PATIENCE).map_err(in_database("open", path))?;
    Ok(connection)
}

/// Whether two names are of one file.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// The directory that a file is in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// The path with something after its name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A moment as file names have it: `20261121T042800Z`.
pub fn stamp(now: i64) -> String {
    let whole = now - now.rem_euclid(model::time::SECOND);
    model::time::format_datetime(whole).chars().filter(|character| !matches!(character, '-' | ':')).collect()
}

/// The first of `name`, `name.2`, `name.3`, … that is not there.
pub(crate) fn free_name(name: &Path) -> PathBuf {
    let further = (2..).map(|number: u32| with_suffix(name, &format!(".{number}")));
    let mut all = std::iter::once(name.to_owned()).chain(further);
    all.find(|candidate| !candidate.exists()).unwrap_or_else(|| name.to_owned())
}
