//! `mainstay check`

use std::{path::Path, process::ExitCode};

use app::Severity;
use serde_json::json;

use super::{
    failure::Failure,
    files,
    terminal::{self, count},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mainstay check\n  mainstay check --app shop --json\n\nNeeds no database. Exit code 1 \
                        where there is an error; warnings and notes leave it 0."
)]
pub(super) struct Arguments {
    /// The answer as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(app: &Path, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let loaded = files::read(app);
    let good = !loaded.has_errors();
    if arguments.json {
        let of = |severity| loaded.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
        let diagnostics: Vec<_> = loaded.diagnostics.iter().map(app::Diagnostic::to_json).collect();
        terminal::json(&json!({
            "ok": good,
            "errors": of(Severity::Error),
            "warnings": of(Severity::Warning),
            "diagnostics": diagnostics,
        }));
    } else {
        if !loaded.diagnostics.is_empty() {
            terminal::result(app::render(&loaded.diagnostics, &loaded.sources, true).trim_end());
            terminal::result("");
        }
        let resources = loaded.catalog.as_ref().map_or(0, |catalog| catalog.schema.resources().len());
        let summary = files::summary(&loaded.diagnostics);
        terminal::result(match good {
            true => format!("The app is good: {}, {summary}.", count(resources, "resource", "resources")),
            false => format!("The app has {summary}."),
        });
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
