//! `mainstay openapi`

use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use auth::cookie::Cookies;
use engine::{Clock as _, SystemClock};
use model::{Caller, Value, caller::Identity};
use openapi::Site;

use super::{failure::Failure, files, terminal};
use crate::serve::api_title;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mainstay openapi > openapi.json\n  mainstay openapi --app shop -o openapi.json\n  mainstay \
                  openapi --stranger\n\nNeeds no server and no database. A running server gives its document at \
                  /openapi.json, made for whoever asks."
)]
pub(super) struct Arguments {
    /// Write to a file.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What somebody sees who has not signed in; without it, what an administrator sees.
    #[arg(long)]
    stranger: bool,
}

pub(super) fn run(directory: &Path, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let app = files::load(directory)?;
    let title = api_title(&app.settings);
    let caller = caller(arguments.stranger);
    let server = app.settings.server.public_url.clone();
    let cookie = Cookies::new(&server, &[]).session_name().map(str::to_owned);
    let document = openapi::document(&app.catalog, &caller, &title, &Site { server, cookie });
    match &arguments.output {
        None => terminal::json(&document),
        Some(path) => std::fs::write(path, format!("{document:#}\n"))
            .map_err(|error| Failure::caused(format!("could not write {}", path.display()), &error))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn caller(stranger: bool) -> Caller {
    let administrator = || Identity {
        // Somebody: defaults that take the caller's id have one.
        id: Value::Integer(1),
        roles: vec!["admin".to_owned()],
        actor: Some("openapi".to_owned()),
        ..Identity::default()
    };
    Caller {
        identity: Arc::new(if stranger { Identity::anonymous() } else { administrator() }),
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        method: "GET",
        now: SystemClock.now(),
        request_id: "openapi".into(),
    }
}
