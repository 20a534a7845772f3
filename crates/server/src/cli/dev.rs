//! `mainstay dev`: serves an app while it is worked on.
//!
//! What is saved and good is served from the next request on; while a file is broken, or a change would lose data, the last
//! good version goes on.

mod site;
mod tour;
mod watch;

use std::{path::Path, pin::pin, process::ExitCode, time::Duration};

use app::Severity;

use self::{site::Site, watch::Watcher};
use super::{failure::Failure, files, terminal};
use crate::{logging, serve::until_signal};

/// How often to look whether someone has migrated a database that dev may not migrate itself.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mainstay dev\n  MAINSTAY_SERVER__LISTEN=127.0.0.1:9000 mainstay dev --app shop\n\nOn a new \
                        database it makes the tables, loads seed/ and an administrator's key, which it prints once. What \
                        you save is served at once, with the changes to the database that lose nothing; what is broken \
                        is shown, and the last good version goes on."
)]
pub(super) struct Arguments {}

pub(super) async fn run(directory: &Path, _: &Arguments) -> Result<ExitCode, Failure> {
    let mut stop = pin!(until_signal());
    let loaded = files::read(directory);
    if !directory.join("mainstay.toml").exists() && !directory.join("resources").is_dir() {
        return files::take(loaded).map(|_| ExitCode::FAILURE);
    }
    let mut watcher = Watcher::start(directory);
    let mut loaded = Some(loaded);
    let mut site = loop {
        let app = loaded.take().unwrap_or_else(|| files::read(directory));
        files::show(&app, Severity::Warning);
        if let (Some(settings), Some(catalog)) = (app.settings, app.catalog) {
            logging::start(settings.log, true);
            if let Some(site) = Site::start(directory, settings, catalog).await? {
                break site;
            }
        }
        terminal::step("nothing is served yet: save a change, and it is tried again (Ctrl-C ends it)");
        tokio::select! {
            () = watcher.changed() => {}
            _ = stop.as_mut() => return Ok(ExitCode::SUCCESS),
        }
    };
    loop {
        tokio::select! {
            () = watcher.changed() => site.reload().await,
            () = tokio::time::sleep(LOOK_AGAIN), if site.is_blocked() => site.look_again().await,
            stopped = stop.as_mut() => {
                stopped.map_err(|error| Failure::caused("could not wait for signals", &error))?;
                break;
            }
        }
    }
    site.stop().await;
    Ok(ExitCode::SUCCESS)
}
