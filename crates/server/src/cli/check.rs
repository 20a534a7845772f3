//! `mainstay check`

use std::{path::Path, process::ExitCode};

use app::{Diagnostic, Position, Severity};
use serde_json::json;
use store::migration::{MigrationError, script};

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
    // What lies beside the app; tests are about resources, and need good ones.
    let tests = loaded.catalog.as_ref().map(|catalog| app::load_rule_tests(app, &catalog.schema));
    let scripts: Vec<Diagnostic> = script::read(&app.join("migrations")).err().map(of_scripts).into_iter().collect();
    let mut shown = vec![(loaded.diagnostics.as_slice(), &loaded.sources), (&scripts, &loaded.sources)];
    shown.extend(tests.as_ref().map(|tests| (tests.diagnostics.as_slice(), &tests.sources)));
    let mut all: Vec<Diagnostic> = shown.iter().flat_map(|(diagnostics, _)| diagnostics.iter().cloned()).collect();
    all.sort_by_key(|diagnostic| diagnostic.severity);
    let of = |severity| all.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let good = of(Severity::Error) == 0;
    if arguments.json {
        let diagnostics: Vec<_> = all.iter().map(Diagnostic::to_json).collect();
        terminal::json(&json!({
            "ok": good,
            "errors": of(Severity::Error),
            "warnings": of(Severity::Warning),
            "diagnostics": diagnostics,
        }));
    } else {
        for (diagnostics, sources) in shown.into_iter().filter(|(diagnostics, _)| !diagnostics.is_empty()) {
            terminal::result(app::render(diagnostics, sources, true).trim_end());
            terminal::result("");
        }
        let resources = loaded.catalog.as_ref().map_or(0, |catalog| catalog.schema.resources().len());
        let summary = files::summary(&all);
        terminal::result(match good {
            true => format!("The app is good: {}, {summary}.", count(resources, "resource", "resources")),
            false => format!("The app has {summary}."),
        });
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is wrong with `migrations/*.sql` before any of them runs.
fn of_scripts(error: MigrationError) -> Diagnostic {
    let (file, message) = match error {
        MigrationError::BadScript { file, problem } => (format!("migrations/{file}"), problem),
        MigrationError::Read { path, source } => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let file = if name == "migrations" { name } else { format!("migrations/{name}") };
            (file, format!("it can't be read: {source}"))
        }
        other => ("migrations".to_owned(), other.to_string()),
    };
    let start = Position { line: 1, column: 1 };
    Diagnostic { severity: Severity::Error, file, span: None, start, end: start, message, help: None }
}
