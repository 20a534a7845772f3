//! `mainstay serve`

use std::{io, net::SocketAddr, path::Path, pin::pin, process::ExitCode, sync::Arc};

use engine::{Engine, SystemClock};
use rules::Catalog;

use super::{
    database,
    exposure::{self, Admits},
    failure::Failure,
    files,
};
use crate::{
    logging,
    serve::{Options, Server, StartError, until_signal},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mainstay serve\n  MAINSTAY_SERVER__LISTEN=0.0.0.0:80 mainstay serve --app /srv/shop\n\nNever \
                        changes a schema: it refuses to start while the database is not as the resources say (`mainstay \
                        migrate apply` first). SIGTERM and SIGINT stop it once the requests that run are answered. Faults \
                        are logged on standard error, requests on standard output."
)]
pub(super) struct Arguments {}

pub(super) async fn run(directory: &Path, _: &Arguments) -> Result<ExitCode, Failure> {
    let app = files::load(directory)?;
    logging::start(app.settings.log, false);
    let store = database::open(&app.settings, &app.catalog, directory).await?;
    let engine = Arc::new(Engine::new(Arc::clone(&app.catalog), store, Arc::new(SystemClock)));
    let mut stop = pin!(until_signal());
    // Listened for from here on: once it says that it listens, a signal stops it in good order.
    tokio::select! {
        biased;
        _ = stop.as_mut() => return Ok(ExitCode::SUCCESS),
        () = std::future::ready(()) => {}
    }
    let server = Server::start(&app.settings, Arc::clone(&engine), Options::default())
        .await
        .map_err(|error| cannot_start(app.settings.server.listen, &error))?;
    log_exposure(&app.catalog);
    tracing::info!(address = %server.address(), url = app.settings.server.public_url, "listening");
    stop.await.map_err(|error| Failure::caused("could not wait for signals", &error))?;
    tracing::info!("stopping");
    server.stop().await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Why the server did not start, in words that help.
pub(super) fn cannot_start(address: SocketAddr, error: &StartError) -> Failure {
    match error {
        StartError::Listen(error) => cannot_listen(address, error),
        StartError::Identity(problem) => Failure::new(problem.cause.clone().unwrap_or_else(|| problem.detail.clone())),
    }
}

/// Why nothing could listen at an address, in words that help.
pub(super) fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    let failure = Failure::new(format!("could not listen at {address}: {}", error.kind()));
    match error.kind() {
        io::ErrorKind::AddrInUse => failure.help(format!(
            "another program listens there; end it, or choose another port: `server.listen` in mainstay.toml, or \
             MAINSTAY_SERVER__LISTEN={}:{}",
            address.ip(),
            address.port().saturating_add(1)
        )),
        io::ErrorKind::PermissionDenied => {
            failure.help("ports below 1024 are for root: choose another in `server.listen`, or MAINSTAY_SERVER__LISTEN")
        }
        _ => failure.help("set `server.listen` in mainstay.toml, or MAINSTAY_SERVER__LISTEN"),
    }
}

fn log_exposure(catalog: &Arc<Catalog>) {
    let word = |admits| match admits {
        Admits::All => "all",
        Admits::Some => "some",
        Admits::None => "none",
    };
    for open in exposure::of(catalog) {
        if !open.words().is_empty() {
            tracing::info!(
                resource = open.resource,
                read = word(open.read),
                create = word(open.create),
                update = word(open.update),
                delete = word(open.delete),
                "open to strangers"
            );
        }
    }
}
