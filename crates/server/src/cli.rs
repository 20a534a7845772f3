//! The command line: what can be asked of the program, and how it answers.
//!
//! Results go to standard output, everything else to standard error. The exit code is 0 for success, 1 for a failure, and
//! 2 for a command line that is none, or for `migrate plan --exit-code` with steps to take.

mod access;
mod audit;
mod backup;
mod check;
mod completions;
mod database;
mod dev;
mod explain;
mod export;
mod exposure;
mod failure;
mod files;
mod import;
mod key;
mod keys;
mod migrate;
mod new;
mod openapi;
mod progress;
mod records;
mod schema;
mod seed;
mod serve;
mod terminal;
mod test;
mod user;
mod writing;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use failure::Failure;

/// A directory of TOML files becomes a REST API.
#[derive(Debug, Parser)]
#[command(
    name = "mainstay",
    version,
    propagate_version = true,
    after_help = "Examples:\n  mainstay new shop --template shop\n  cd shop && mainstay dev\n\nExit codes: 0 done, 1 failed, \
                  2 wrong usage (or `migrate plan --exit-code` with steps to take)."
)]
struct Arguments {
    /// The app's directory.
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    app: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new app in a directory of its own.
    New(new::Arguments),
    /// Serve the app while you work on it: changes are taken when you save.
    Dev(dev::Arguments),
    /// Serve the app in production.
    Serve(serve::Arguments),
    /// Say what is wrong in the app's files, and what is doubtful, without serving.
    Check(check::Arguments),
    /// Say who may do what, and why.
    #[command(subcommand)]
    Access(access::Command),
    /// Hold the access rules against `tests/*.toml`.
    Test(test::Arguments),
    /// Bring the database to the resources.
    #[command(subcommand)]
    Migrate(migrate::Command),
    /// Load `seed/*.ndjson` into the database.
    Seed(seed::Arguments),
    /// Write records of a resource into a file: NDJSON or CSV.
    Export(export::Arguments),
    /// Load a file of records into a resource: NDJSON or CSV.
    Import(import::Arguments),
    /// Copy the database to a file while it is served (SQLite).
    Backup(backup::Backup),
    /// Put a backup in the place of the database (SQLite).
    Restore(backup::Restore),
    /// Make, list and revoke keys for the API.
    #[command(subcommand)]
    Key(key::Command),
    /// Manage the people who sign in.
    #[command(subcommand)]
    User(user::Command),
    /// Manage the keys that sign access tokens.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Read the audit log: who did what, when and from where.
    Audit(audit::Arguments),
    /// Print the JSON Schema of the app's files, for editors.
    Schema(schema::Arguments),
    /// Print the OpenAPI document of the app.
    #[command(name = "openapi")]
    OpenApi(openapi::Arguments),
    /// Print completions for a shell.
    Completions(completions::Arguments),
}

/// Runs what the process was asked for.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way, too; a reader that has gone is no fault.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match run(arguments) {
        Ok(code) => code,
        Err(failure) => {
            failure.show();
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let app = arguments.app;
    match arguments.command {
        Command::New(arguments) => new::run(&arguments),
        Command::Dev(arguments) => wait_for(dev::run(&app, &arguments)),
        Command::Serve(arguments) => wait_for(serve::run(&app, &arguments)),
        Command::Check(arguments) => check::run(&app, &arguments),
        Command::Access(command) => wait_for(access::run(&app, &command)),
        Command::Test(arguments) => wait_for(test::run(&app, &arguments)),
        Command::Migrate(command) => wait_for(migrate::run(&app, &command)),
        Command::Seed(arguments) => wait_for(seed::run(&app, &arguments)),
        Command::Export(arguments) => wait_for(export::run(&app, &arguments)),
        Command::Import(arguments) => wait_for(import::run(&app, &arguments)),
        Command::Backup(arguments) => wait_for(backup::back_up(&app, arguments)),
        Command::Restore(arguments) => wait_for(backup::restore(&app, arguments)),
        Command::Key(command) => wait_for(key::run(&app, &command)),
        Command::User(command) => wait_for(user::run(&app, &command)),
        Command::Keys(command) => wait_for(keys::run(&app, &command)),
        Command::Audit(arguments) => wait_for(audit::run(&app, &arguments)),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::OpenApi(arguments) => openapi::run(&app, &arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    }
}

fn wait_for(work: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::caused("could not start the runtime", &error))?;
    runtime.block_on(work)
}
