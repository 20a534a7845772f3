//! `mainstay backup` and `mainstay restore`

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use app::{Secret, settings::Database};
use engine::{Clock as _, SystemClock};
use serde_json::json;
use store_sqlite::{Content, CopyError};

use super::{
    database::Migrations,
    failure::Failure,
    files,
    terminal::{self, bold},
};
use crate::serve::until_signal;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  mainstay backup\n  mainstay backup /backups/shop.db\n  mainstay backup --force \
                        /backups/latest.db --json\n\nWorks beside a running server, which goes on reading and writing. The \
                        copy is of one moment, holds records, events and keys, is checked from end to end, and appears \
                        under its name only once it is on the disk. Nobody but its owner can read it. On PostgreSQL: \
                        pg_dump.")]
pub(super) struct Backup {
    /// The file to write; beside the database, with the time in its name, unless given.
    file: Option<PathBuf>,
    /// Replace a file that is there.
    #[arg(long)]
    force: bool,
    /// The answer as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mainstay restore /backups/shop.db\n  mainstay restore data/app.db.backup-20261121T042800Z \
                        --json\n\nRefused while a server runs on the database: stop it first. The backup is checked before \
                        anything changes, and the database of before is kept beside the new one. On PostgreSQL: pg_restore."
)]
pub(super) struct Restore {
    /// The backup.
    file: PathBuf,
    /// The answer as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn back_up(directory: &Path, arguments: Backup) -> Result<ExitCode, Failure> {
    let app = files::load(directory)?;
    let database = match app.settings.services.database {
        Database::Sqlite(path) => path,
        Database::Postgres(url) => return Err(on_postgres("pg_dump --format=custom --file=app.dump", &url)),
    };
    let Backup { file, force, json } = arguments;
    let file = file.unwrap_or_else(|| {
        let mut name = database.clone().into_os_string();
        name.push(format!(".backup-{}", store_sqlite::stamp(SystemClock.now())));
        name.into()
    });
    let target = file.clone();
    let content = stoppable("backed up", move |watch| store_sqlite::back_up(&database, &target, force, watch)).await?;
    if json {
        let Content { bytes, sequence } = content;
        terminal::json(&json!({ "file": file.display().to_string(), "bytes": bytes, "sequence": sequence }));
    } else {
        let size = size(content.bytes);
        terminal::result(format_args!("Backed up to {}: {size}, checked and sound.", bold(file.display())));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn restore(directory: &Path, arguments: Restore) -> Result<ExitCode, Failure> {
    let app = files::load(directory)?;
    let database = match &app.settings.services.database {
        Database::Sqlite(path) => path.clone(),
        Database::Postgres(url) => {
            return Err(on_postgres("pg_restore --clean --if-exists --single-transaction", url));
        }
    };
    let Restore { file, json } = arguments;
    let (backup, target, now) = (file.clone(), database.clone(), SystemClock.now());
    let restored = stoppable("copied", move |watch| store_sqlite::restore(&backup, &target, now, watch)).await?;
    let pending = !Migrations::new(&app.settings, &app.catalog.schema, directory)?.plan().await?.is_empty();
    let kept = restored.kept.as_ref().map(|path| path.display().to_string());
    if json {
        terminal::json(&json!({
            "database": database.display().to_string(),
            "bytes": restored.content.bytes,
            "sequence": restored.content.sequence,
            "kept": kept,
            "up_to_date": !pending,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    let size = size(restored.content.bytes);
    terminal::result(format_args!(
        "Restored {} from {}: {size}, checked and sound.",
        bold(database.display()),
        file.display()
    ));
    if let Some(kept) = kept {
        terminal::result(format_args!("The database of before is kept in {}", bold(kept)));
    }
    if pending {
        terminal::warning(
            "the backup has another schema than the app",
            Some("`mainstay migrate plan` shows what is to do, `mainstay migrate apply` does it"),
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Copies on a thread where it may block, shows how far it is, and ends it at a signal.
async fn stoppable<T: Send + 'static>(
    done: &'static str,
    work: impl FnOnce(&mut store_sqlite::Watch<'_>) -> Result<T, CopyError> + Send + 'static,
) -> Result<T, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let mut working = tokio::task::spawn_blocking(move || {
        work(&mut |copied, total| {
            if total > 0 {
                terminal::progress(format_args!("{} of {} {done}", size(copied), size(total)));
            }
            if asked.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    });
    let outcome = tokio::select! {
        outcome = &mut working => outcome,
        _ = until_signal() => {
            stop.store(true, Ordering::Relaxed);
            working.await
        }
    };
    terminal::end_progress();
    let outcome = outcome.map_err(|error| Failure::caused("the copy was not finished", &error))?;
    outcome.map_err(Failure::from)
}

impl From<CopyError> for Failure {
    fn from(error: CopyError) -> Self {
        let help = match &error {
            CopyError::NoDatabase(_) => Some("`mainstay migrate apply` makes one; --app names the app's directory"),
            CopyError::Exists(_) => Some("choose another name, or replace it with --force"),
            CopyError::OpenDatabase(_) => Some("choose another name"),
            CopyError::InUse(_) => Some("stop it, restore, and start it again; nothing has changed"),
            CopyError::Newer(_) => Some("restore it with the version of mainstay that wrote it; nothing has changed"),
            CopyError::Damaged { .. } => Some("take another backup; nothing has changed"),
            CopyError::Itself(_)
            | CopyError::NoBackup(_)
            | CopyError::Busy(_)
            | CopyError::Foreign(_)
            | CopyError::Ended
            | CopyError::Database { .. }
            | CopyError::File { .. } => None,
        };
        let failure = Self::chain(&error);
        match help {
            Some(help) => failure.help(help),
            None => failure,
        }
    }
}

/// PostgreSQL has tools of its own for it; the password is not repeated.
fn on_postgres(command: &str, url: &Secret) -> Failure {
    let config: Option<tokio_postgres::Config> = url.expose().parse().ok();
    let name = config.as_ref().and_then(|config| config.get_dbname()).unwrap_or("NAME").to_owned();
    let file = if command.starts_with("pg_restore") { " FILE" } else { "" };
    Failure::new("this app's database is PostgreSQL, which has tools of its own for that")
        .help(format!("{command} --dbname={name}{file}"))
}

/// `3.4 MB`
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut size = bytes as f64 / 1000.0;
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}
