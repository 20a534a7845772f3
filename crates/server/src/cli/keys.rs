//! `mainstay keys`: the keys that sign access tokens.

use std::{path::Path, process::ExitCode, sync::Arc};

use auth::{audit, identify, keyring};
use engine::{Engine, SystemClock};
use serde_json::json;

use super::{database, exposure, failure::Failure, files, terminal};
use crate::identity;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Bring a new key that signs access tokens.
    #[command(after_help = "Examples:\n  mainstay keys rotate\n  mainstay keys rotate --now\n\nThe new key stands in \
                            /.well-known/jwks.json for 10 minutes before it signs, the old one as long as its last token \
                            lives. Works beside running servers, which take it by themselves.")]
    Rotate {
        /// Drop the old keys at once: after a leak. Every access token ends; sessions go on with the next refresh.
        #[arg(long)]
        now: bool,
    },
}

pub(super) async fn run(directory: &Path, command: &Command) -> Result<ExitCode, Failure> {
    let Command::Rotate { now: at_once } = command;
    let app = files::load(directory)?;
    let store = database::open(&app.settings, &app.catalog, directory).await?;
    let engine = Arc::new(Engine::new(Arc::clone(&app.catalog), store, Arc::new(SystemClock)));
    let done = rotate(&identity::auth(&app.settings, &engine), *at_once).await;
    engine.store().close().await;
    done?;
    terminal::result(if *at_once {
        "The new key signs now; tokens of the old ones have ended."
    } else {
        "The new key signs in 10 minutes."
    });
    Ok(ExitCode::SUCCESS)
}

async fn rotate(auth: &auth::Auth, at_once: bool) -> Result<(), Failure> {
    let people = auth.people()?;
    // The first key is there before the second one.
    auth.keyring().await?;
    let now = auth.now();
    let (mut statements, _) = keyring::rotate(auth.master()?, people.settings()?.access_ttl, at_once, now)?;
    statements.push(identify::bump_keys(now));
    let caller = exposure::operator("keys", now);
    statements.push(audit::line("signing_keys_rotated", &caller, "signing keys", &json!({ "now": at_once })));
    auth.store().own(statements).await?;
    Ok(())
}
