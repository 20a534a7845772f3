//! `mainstay migrate`

use std::{path::Path, process::ExitCode};

use serde_json::{Value as Json, json};
use store::migration::{Preview, Refusal, report::PlannedStep};

use super::{
    database::{self, Migrations},
    failure::Failure,
    files,
    terminal::{self, bold, count, dim, red},
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Show each step to take, in words and in SQL; changes nothing.
    #[command(
        after_help = "Examples:\n  mainstay migrate plan\n  mainstay migrate plan --exit-code --json\n\nExit code 0; with \
                            --exit-code 2 where steps are to be taken."
    )]
    Plan {
        /// Exit with 2 where there are steps to take.
        #[arg(long)]
        exit_code: bool,
        /// The answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take the steps, all or none.
    #[command(
        after_help = "Examples:\n  mainstay migrate apply\n  mainstay migrate apply --allow-data-loss --json\n\nIn one \
                            transaction. On SQLite the database is copied to a file beside it first. Applying twice does \
                            nothing."
    )]
    Apply {
        /// Take steps that lose data, too.
        #[arg(long)]
        allow_data_loss: bool,
        /// The answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say what the database has seen so far.
    #[command(after_help = "Examples:\n  mainstay migrate status\n  mainstay migrate status --json")]
    Status {
        /// The answer as JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(directory: &Path, command: &Command) -> Result<ExitCode, Failure> {
    let app = files::load(directory)?;
    let migrations = Migrations::new(&app.settings, &app.catalog.schema, directory)?;
    match *command {
        Command::Plan { exit_code, json } => {
            let preview = migrations.plan().await?;
            if json {
                terminal::json(&preview_json(&preview))
            } else {
                terminal::result(preview_text(&preview))
            }
            Ok(ExitCode::from(if exit_code && !preview.is_empty() { 2 } else { 0 }))
        }
        Command::Apply { allow_data_loss, json } => {
            let outcome = migrations.apply(allow_data_loss, true).await?;
            if json {
                terminal::json(&json!({
                    "version": outcome.version,
                    "scripts": outcome.scripts,
                    "steps": outcome.steps,
                    "backup": outcome.backup.as_ref().map(|path| path.display().to_string()),
                }));
                return Ok(ExitCode::SUCCESS);
            }
            if let Some(backup) = &outcome.backup {
                terminal::result(format_args!("The database as it was is kept in {}", bold(backup.display())));
            }
            for script in &outcome.scripts {
                terminal::result(format_args!("  ran migrations/{script}.sql"));
            }
            for step in &outcome.steps {
                terminal::result(format_args!("  {step}"));
            }
            terminal::result(match outcome.scripts.len() + outcome.steps.len() {
                0 => format!("Nothing to do: the database is as the resources say (version {}).", outcome.version),
                _ => format!("Done: the database is at version {}.", outcome.version),
            });
            Ok(ExitCode::SUCCESS)
        }
        Command::Status { json } => {
            let status = database::status(&app.settings).await?;
            let up_to_date = migrations.plan().await?.is_empty();
            if json {
                let applied: Vec<_> = status
                    .applied
                    .iter()
                    .map(|applied| {
                        json!({
                            "id": applied.id,
                            "name": applied.name,
                            "applied_at": model::time::format_datetime(applied.applied_at),
                            "steps": applied.words,
                        })
                    })
                    .collect();
                terminal::json(&json!({ "version": status.version(), "up_to_date": up_to_date, "applied": applied }));
                return Ok(ExitCode::SUCCESS);
            }
            for applied in &status.applied {
                let time = model::time::format_datetime(applied.applied_at);
                terminal::result(format_args!("{} {} {}", bold(applied.id), applied.name, dim(time)));
                for words in &applied.words {
                    terminal::result(format_args!("    {words}"));
                }
            }
            terminal::result(match (status.version(), up_to_date) {
                (0, _) => "The database has seen no migration; `mainstay migrate apply` makes its tables.".to_owned(),
                (version, true) => format!("The database is at version {version}, as the resources say."),
                (version, false) => {
                    format!(
                        "The database is at version {version}, and not as the resources say: `mainstay migrate plan`."
                    )
                }
            });
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A plan for people.
pub(super) fn preview_text(preview: &Preview) -> String {
    if preview.is_empty() {
        return format!("Nothing to do: the database is as the resources say (version {}).", preview.version);
    }
    let mut lines = Vec::new();
    for script in &preview.scripts {
        lines.push(format!("{} run migrations/{script}.sql", bold("•")));
    }
    for step in &preview.steps {
        let loses = if step.loses_data { format!("  {}", red("loses data")) } else { String::new() };
        lines.push(format!("{} {}{loses}", bold("•"), step.words));
        lines.extend(step.refusals.iter().map(|refusal| format!("    {} {refusal}", red("does not fit:"))));
        lines.extend(step.sql.iter().flat_map(|sql| sql.lines()).map(|line| format!("    {}", dim(line))));
    }
    let steps = count(preview.scripts.len() + preview.steps.len(), "step", "steps");
    let advice = if preview.refusals().next().is_some() {
        "`mainstay migrate apply` refuses them until these records fit.".to_owned()
    } else if preview.loses_data() {
        "`mainstay migrate apply --allow-data-loss` takes them.".to_owned()
    } else {
        "`mainstay migrate apply` takes them.".to_owned()
    };
    lines.push(format!("\n{steps} from version {}; {advice}", preview.version));
    lines.join("\n")
}

fn preview_json(preview: &Preview) -> Json {
    let refusal = |refusal: &Refusal| {
        json!({
            "resource": refusal.table,
            "field": refusal.field,
            "reason": refusal.reason,
            "records": refusal.records,
            "more": refusal.more,
        })
    };
    let step = |step: &PlannedStep| {
        json!({
            "words": step.words,
            "sql": step.sql,
            "loses_data": step.loses_data,
            "refusals": step.refusals.iter().map(refusal).collect::<Vec<_>>(),
        })
    };
    json!({
        "version": preview.version,
        "up_to_date": preview.is_empty(),
        "safe": preview.is_safe(),
        "scripts": preview.scripts,
        "steps": preview.steps.iter().map(step).collect::<Vec<_>>(),
    })
}
