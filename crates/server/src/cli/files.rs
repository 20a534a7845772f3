//! The app's files, read for a command.

use std::{path::Path, sync::Arc};

use app::{Diagnostic, Environment, Loaded, Settings, Severity};
use rules::Catalog;

use super::{
    failure::Failure,
    terminal::{self, count},
};

/// An app that can be served.
pub(super) struct App {
    pub(super) settings: Settings,
    pub(super) catalog: Arc<Catalog>,
}

/// Reads the app; errors and warnings are shown.
///
/// # Errors
/// It has a mistake, which is on the terminal.
pub(super) fn load(directory: &Path) -> Result<App, Failure> {
    take(read(directory))
}

/// Reads what is there, good or not.
pub(super) fn read(directory: &Path) -> Loaded {
    app::load(directory, &Environment::of_process())
}

/// Shows errors and warnings, and takes the app where there are no errors.
pub(super) fn take(loaded: Loaded) -> Result<App, Failure> {
    show(&loaded, Severity::Warning);
    match loaded {
        Loaded { settings: Some(settings), catalog: Some(catalog), .. } => {
            Ok(App { settings, catalog: Arc::new(catalog) })
        }
        Loaded { diagnostics, .. } => {
            Err(Failure::new(format!("the app has {}", summary(&diagnostics)))
                .help("`mainstay check` shows them again"))
        }
    }
}

/// Shows all that is at least as bad.
pub(super) fn show(loaded: &Loaded, least: Severity) {
    let shown: Vec<Diagnostic> =
        loaded.diagnostics.iter().filter(|diagnostic| diagnostic.severity <= least).cloned().collect();
    if !shown.is_empty() {
        terminal::tell(app::render(&shown, &loaded.sources, true).trim_end());
        terminal::tell("");
    }
}

/// `2 errors and 1 warning`.
pub(super) fn summary(diagnostics: &[Diagnostic]) -> String {
    let of = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    let errors = (errors > 0).then(|| count(errors, "error", "errors"));
    let warnings = (warnings > 0).then(|| count(warnings, "warning", "warnings"));
    match (errors, warnings) {
        (Some(errors), Some(warnings)) => format!("{errors} and {warnings}"),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => "no mistakes".to_owned(),
    }
}
