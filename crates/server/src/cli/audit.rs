//! `mainstay audit`: the audit log as lines of JSON.

use std::{
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use auth::audit::{self, Follower, Line, PAGE};
use engine::{Clock as _, SystemClock};
use store::{Store, own::audit::Wanted};

use super::{database, failure::Failure, files};
use crate::serve::until_signal;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mainstay audit --since 1h\n  mainstay audit --what 'sign_in_*' --since 2026-03-01 | jq .address\n  \
                        mainstay audit --what admin_overruled,roles_changed --follow\n\nOldest first, one JSON object a line. \
                        Works beside a running server, and reads what all servers of the database have written."
)]
pub(super) struct Arguments {
    /// From then on: 2026-03-01T12:00:00Z, a date, or how long ago (90s, 15m, 2h, 7d).
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Before then.
    #[arg(long, value_name = "WHEN", conflicts_with = "follow")]
    until: Option<String>,
    /// Only these events, with commas between; `admin_*` for all that begin so.
    #[arg(long, value_name = "EVENTS")]
    what: Option<String>,
    /// Only what this one did: user:ID, key:ID, cli:import.
    #[arg(long, value_name = "WHO")]
    actor: Option<String>,
    /// Only what befell this one: user:ID, orders/42.
    #[arg(long, value_name = "WHAT")]
    subject: Option<String>,
    /// Only what came from this address.
    #[arg(long)]
    address: Option<String>,
    /// Only what belongs to this request.
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Go on with what comes; from now on, unless `--since` says another moment.
    #[arg(short, long)]
    follow: bool,
}

pub(super) async fn run(directory: &Path, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let app = files::load(directory)?;
    let now = SystemClock.now();
    let moment = |text: &Option<String>| {
        let text = text.as_deref().map(|text| audit::moment(text, now));
        text.transpose().map_err(Failure::new)
    };
    let wanted = Wanted {
        what: audit::patterns(arguments.what.as_deref().unwrap_or_default()).map_err(Failure::new)?,
        actor: arguments.actor.clone(),
        subject: arguments.subject.clone(),
        address: arguments.address.clone(),
        request_id: arguments.request_id.clone(),
        since: moment(&arguments.since)?,
        until: moment(&arguments.until)?,
    };
    let store = database::open(&app.settings, &app.catalog, directory).await?;
    let done = tokio::select! {
        done = read(&*store, wanted, arguments.follow) => done,
        stopped = until_signal() => stopped.map_err(|error| Failure::caused("could not wait for signals", &error)),
    };
    store.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn read(store: &dyn Store, wanted: Wanted, follow: bool) -> Result<(), Failure> {
    if follow {
        let mut follower = Follower::new(wanted, SystemClock.now());
        loop {
            let (lines, more) = follower.next(store, SystemClock.now()).await?;
            if !print(&lines)? {
                return Ok(());
            }
            if !more {
                tokio::time::sleep(EVERY).await;
            }
        }
    }
    let mut place = None;
    loop {
        let lines = audit::pages(store, &wanted, place.as_ref(), PAGE).await?;
        if !print(&lines)? || lines.len() < PAGE as usize {
            return Ok(());
        }
        place = lines.last().map(Line::place);
    }
}

/// False where nobody reads any more.
fn print(lines: &[Line]) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    let text: String = lines.iter().flat_map(|line| [line.to_json(), "\n".to_owned()]).collect();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::caused("could not write the lines", &error)),
    }
}
