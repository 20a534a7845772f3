//! Notices that a file of the app was saved.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher as _},
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use crate::cli::terminal;

/// Editors save in several steps; this long after the last one a save is whole.
const QUIET: Duration = Duration::from_millis(150);
/// Whatever goes on, a change is told after so long.
const LONGEST: Duration = Duration::from_secs(1);
/// How often the files are read where the system does not tell of changes.
const POLL: Duration = Duration::from_secs(1);
/// Directories of an app whose files count.
const BELOW: [&str; 2] = ["resources", "migrations"];

/// Watches the files that make an app: `mainstay.toml`, `resources/`, `migrations/`.
pub(super) struct Watcher {
    directory: PathBuf,
    /// None where the system does not tell of changes.
    watcher: Option<RecommendedWatcher>,
    events: mpsc::UnboundedReceiver<()>,
    /// What the files held when they were last told of.
    seen: u64,
    /// An event has come whose save may not be whole yet.
    stirred: bool,
}

impl Watcher {
    /// Watches from now on.
    pub(super) fn start(directory: &Path) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let told = move |event: notify::Result<Event>| {
            // Our own reads are events, too.
            let matters = event.is_ok_and(|event| {
                !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(|path| counts(path))
            });
            if matters {
                // The receiver goes only when the program ends.
                let _ = sender.send(());
            }
        };
        let watcher = notify::recommended_watcher(told).and_then(|mut watcher| {
            watcher.watch(directory, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        let watcher = watcher.inspect_err(|error| {
            let what = format!("the system does not tell of changed files ({error}), so they are read every second");
            terminal::warning(&what, None);
        });
        let mut watcher =
            Self { directory: directory.to_owned(), watcher: watcher.ok(), events, seen: 0, stirred: false };
        watcher.watch_below();
        watcher.seen = watcher.fingerprint();
        watcher
    }

    /// Returns once the files hold something else than before. May be dropped and called again.
    pub(super) async fn changed(&mut self) {
        loop {
            if self.watcher.is_none() {
                sleep(POLL).await;
            } else {
                if !self.stirred {
                    self.stirred = self.events.recv().await.is_some();
                }
                self.settle().await;
                // A directory that was made anew is another one to the system.
                self.watch_below();
            }
            let now = self.fingerprint();
            self.stirred = false;
            if now != self.seen {
                self.seen = now;
                return;
            }
        }
    }

    async fn settle(&mut self) {
        let end = Instant::now() + LONGEST;
        while Instant::now() < end && timeout(QUIET, self.events.recv()).await.is_ok_and(|event| event.is_some()) {}
    }

    fn watch_below(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        for name in BELOW {
            let path = self.directory.join(name);
            if path.is_dir() {
                // Where it fails, changes in it are seen at the next save elsewhere.
                let _ = watcher.watch(&path, RecursiveMode::NonRecursive);
            }
        }
    }

    fn fingerprint(&self) -> u64 {
        let mut paths = vec![self.directory.join("mainstay.toml")];
        for name in BELOW {
            let entries = fs::read_dir(self.directory.join(name)).into_iter().flatten().flatten();
            paths.extend(entries.map(|entry| entry.path()).filter(|path| counts(path)));
        }
        paths.sort();
        let mut hasher = DefaultHasher::new();
        for path in paths {
            (&path, fs::read(&path).ok()).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// Whether a path may be one of the app's files, or a directory of them.
fn counts(path: &Path) -> bool {
    let named = |name: &str| path.file_name().is_some_and(|file| file == name);
    path.extension().is_some_and(|ending| ending == "toml" || ending == "sql") || BELOW.into_iter().any(named)
}
