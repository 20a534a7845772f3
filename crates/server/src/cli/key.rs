//! `mainstay key`

use std::{path::Path, process::ExitCode};

use auth::api_key::Draft;
use engine::{Clock as _, SystemClock};
use serde_json::json;

use super::{
    database,
    failure::Failure,
    files,
    terminal::{self, bold},
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a key and print it, once: only its hash is stored.
    #[command(
        after_help = "Examples:\n  mainstay key create\n  KEY=$(mainstay key create --name ci)\n  mainstay key create \
                            --role staff --json\n\nSend it as `Authorization: Bearer msk_…`. A running server takes it at \
                            once."
    )]
    Create {
        /// What people call it.
        #[arg(long, default_value = "key", value_parser = name)]
        name: String,
        /// A role that it has; `admin` passes every access rule. May be given several times.
        #[arg(long, default_value = "admin", value_parser = role)]
        role: Vec<String>,
        /// The answer as JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(directory: &Path, command: &Command) -> Result<ExitCode, Failure> {
    let Command::Create { name, role, json } = command;
    let app = files::load(directory)?;
    let store = database::open(&app.settings, &app.catalog, directory).await?;
    let key = Draft::operator(name, role, SystemClock.now());
    let added = store.own(vec![key.insert(None)]).await;
    store.close().await;
    added?;
    let Draft { id, text, .. } = key;
    if *json {
        terminal::json(&json!({ "key": text, "id": id, "name": name, "roles": role }));
    } else {
        terminal::result(&text);
        terminal::tell(format_args!("The key {} ({}). Keep it: it can't be shown again.", bold(name), role.join(", ")));
    }
    Ok(ExitCode::SUCCESS)
}

fn name(text: &str) -> Result<String, String> {
    let good = (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if good { Ok(text.to_owned()) } else { Err("expected 1 to 100 characters on one line".to_owned()) }
}

fn role(text: &str) -> Result<String, String> {
    let good = text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.len() <= 60
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if good { Ok(text.to_owned()) } else { Err("expected a name of a-z, 0-9 and _, as in `admin`".to_owned()) }
}
