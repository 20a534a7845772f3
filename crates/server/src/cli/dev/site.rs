//! The app that `dev` serves, and its next version.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
};

use app::{Settings, Severity};
use auth::api_key::{self, Draft};
use engine::{Clock as _, Engine, ListRequest, SystemClock};
use model::caller::Identity;
use rules::Catalog;
use store::migration::Preview;

use super::tour;
use crate::{
    assemble,
    cli::{
        database::Migrations,
        exposure,
        failure::Failure,
        files, migrate, seed,
        serve::{cannot_listen, cannot_start},
        terminal::{self, bold, count},
    },
    serve::{Options, Server},
};

/// The id and name of the key that `dev` makes.
const KEY: &str = "dev";

/// An app that is being served.
pub(super) struct Site {
    directory: PathBuf,
    settings: Settings,
    engine: Arc<Engine>,
    server: Server,
    /// A version that waits for somebody to migrate the database.
    waiting: Option<Arc<Catalog>>,
}

impl Site {
    /// Brings the database up and serves; none where the database must not be changed without asking, which is told.
    ///
    /// # Errors
    /// The database, the seed or the address is at fault.
    pub(super) async fn start(directory: &Path, settings: Settings, catalog: Catalog) -> Result<Option<Self>, Failure> {
        // Known before the seed is loaded, which may take a while.
        let listen = settings.server.listen;
        drop(TcpListener::bind(listen).map_err(|error| cannot_listen(listen, &error))?);
        let catalog = Arc::new(catalog);
        let migrations = Migrations::new(&settings, &catalog.schema, directory)?;
        let preview = migrations.plan().await?;
        if !may_apply(&preview) {
            tell_blocked(&preview);
            return Ok(None);
        }
        apply(&migrations, &preview).await?;
        let store = assemble::open_store(&settings).await?;
        let engine = Arc::new(Engine::new(Arc::clone(&catalog), store, Arc::new(SystemClock)));
        let key = first_start(directory, &engine, &catalog).await?;
        let options = Options { timing: true, text_log: true, pausable: true, ..Options::default() };
        let started = Server::start(&settings, Arc::clone(&engine), options).await;
        let server = started.map_err(|error| cannot_start(listen, &error))?;
        let mut base = server.address();
        if base.ip().is_unspecified() {
            base.set_ip([127, 0, 0, 1].into());
        }
        greet(&engine, &catalog, &format!("http://{base}"), key.as_deref()).await;
        Ok(Some(Self { directory: directory.to_owned(), settings, engine, server, waiting: None }))
    }

    /// Takes what was saved, where it is good.
    pub(super) async fn reload(&mut self) {
        self.waiting = None;
        let loaded = files::read(&self.directory);
        files::show(&loaded, Severity::Warning);
        let (Some(settings), Some(catalog)) = (loaded.settings, loaded.catalog) else {
            let summary = files::summary(&loaded.diagnostics);
            terminal::step(format_args!("the app has {summary}; the last good version goes on"));
            return;
        };
        if settings != self.settings {
            terminal::warning("settings have changed: start `mainstay dev` again to take them", None);
        }
        if let Err(failure) = self.bring(Arc::new(catalog)).await {
            failure.show();
            terminal::step("the last good version goes on");
        }
    }

    async fn bring(&mut self, catalog: Arc<Catalog>) -> Result<(), Failure> {
        let migrations = Migrations::new(&self.settings, &catalog.schema, &self.directory)?;
        let preview = migrations.plan().await?;
        if !may_apply(&preview) {
            tell_blocked(&preview);
            terminal::step("the last good version goes on");
            self.waiting = Some(catalog);
            return Ok(());
        }
        {
            let _waiting = self.server.pause().await;
            apply(&migrations, &preview).await?;
            self.engine.put_in_force(Arc::clone(&catalog));
        }
        let resources = count(catalog.schema.resources().len(), "resource", "resources");
        terminal::step(format_args!("the new version is served: {resources}"));
        Ok(())
    }

    /// Whether a version waits for somebody to migrate the database.
    pub(super) fn is_blocked(&self) -> bool {
        self.waiting.is_some()
    }

    /// Serves the version that waits, once the database is as it needs it.
    pub(super) async fn look_again(&mut self) {
        let Some(catalog) = self.waiting.clone() else { return };
        let Ok(migrations) = Migrations::new(&self.settings, &catalog.schema, &self.directory) else { return };
        if migrations.plan().await.is_ok_and(|preview| preview.is_empty()) {
            self.waiting = None;
            self.engine.put_in_force(catalog);
            terminal::step("the database has been migrated: the new version is served");
        }
    }

    pub(super) async fn stop(self) {
        self.server.stop().await;
    }
}

/// A new database has nothing to lose, and what is safe needs no asking.
fn may_apply(preview: &Preview) -> bool {
    preview.version == 0 || preview.is_safe()
}

fn tell_blocked(preview: &Preview) {
    terminal::warning("the database needs changes that are not made without asking", None);
    terminal::tell(migrate::preview_text(preview));
}

async fn apply(migrations: &Migrations, preview: &Preview) -> Result<(), Failure> {
    if preview.is_empty() {
        return Ok(());
    }
    let outcome = migrations.apply(false, false).await?;
    if preview.version == 0 {
        terminal::step(format_args!("made the database's tables: {}", count(outcome.steps.len(), "step", "steps")));
        return Ok(());
    }
    for step in &outcome.steps {
        terminal::step(step);
    }
    Ok(())
}

/// Seeds an empty database and makes a key, once each; the key's text where it is new.
async fn first_start(directory: &Path, engine: &Engine, catalog: &Catalog) -> Result<Option<String>, Failure> {
    let store = engine.store();
    let is_known = !store.own_read(api_key::find(KEY)).await?.is_empty();
    let seeds = seed::find(directory, catalog)?;
    if !is_known && !seeds.is_empty() {
        if is_empty(engine, catalog).await? {
            for one in seed::load(engine, seeds).await? {
                terminal::step(seed::words(&one));
            }
        } else {
            terminal::step("the database holds records, so seed/ is left alone; `mainstay seed` loads what is missing");
        }
    }
    if is_known {
        return Ok(None);
    }
    // The key comes last: where it is, a first start was finished.
    let key = Draft::operator_with_id(KEY, KEY, &["admin".to_owned()], SystemClock.now());
    store.own(vec![key.insert(None)]).await?;
    Ok(Some(key.text))
}

async fn is_empty(engine: &Engine, catalog: &Catalog) -> Result<bool, Failure> {
    for resource in catalog.schema.resources() {
        let identity = Identity { roles: vec!["admin".to_owned()], ..Identity::anonymous() };
        let mut request = ListRequest::default();
        request.query.page.limit = 1;
        let page = engine.list(exposure::caller(identity, SystemClock.now()), &resource.name, request).await?;
        if !page.body.starts_with(b"{\"items\":[]") {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn greet(engine: &Engine, catalog: &Arc<Catalog>, base: &str, key: Option<&str>) {
    let open: Vec<_> = exposure::of(catalog).into_iter().filter(|one| !one.words().is_empty()).collect();
    if open.is_empty() {
        terminal::tell("\nStrangers can reach nothing.");
    } else {
        terminal::tell("\nStrangers can:");
        let width = open.iter().map(|one| one.resource.len()).max().unwrap_or(0);
        for one in open {
            terminal::tell(format_args!("  {:width$}  {}", one.resource, one.words()));
        }
    }
    match key {
        Some(key) => terminal::tell(format_args!(
            "\nThe administrator's key; it is not shown again:\n\n  export KEY={}",
            bold(key)
        )),
        None => terminal::tell(
            "\nThe administrator's key was shown at the first start; `mainstay key create` makes another.",
        ),
    }
    terminal::tell("\nTry:\n");
    for line in tour::lines(engine, catalog, base).await {
        terminal::tell(format_args!("  {line}"));
    }
    terminal::tell(format_args!("\nServing {}; save a file and it is taken. Ctrl-C ends it.\n", bold(base)));
}
