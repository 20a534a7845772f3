//! The database of an app, whichever it is: what a migration would do, doing it, and opening it.

use std::{fs, path::Path, sync::Arc};

use app::{Settings, settings};
use engine::{Clock as _, SystemClock};
use model::Schema;
use rules::Catalog;
use store::{
    Store,
    migration::{Database, MigrationError, Preview, Status, report::Outcome, script},
};
use store_postgres::Session;

use super::failure::Failure;
use crate::assemble;

/// Migrations of one database.
pub(super) struct Migrations {
    database: settings::Database,
    target: Database,
    scripts: Vec<script::Script>,
}

impl Migrations {
    /// From the database as it is to what a schema asks for, with the scripts of the app's `migrations/`.
    ///
    /// # Errors
    /// The scripts can't be read.
    pub(super) fn new(settings: &Settings, schema: &Schema, directory: &Path) -> Result<Self, MigrationError> {
        Ok(Self {
            database: settings.services.database.clone(),
            target: Database::of(schema),
            scripts: script::read(&directory.join("migrations"))?,
        })
    }

    /// What [`Self::apply`] would do.
    pub(super) async fn plan(&self) -> Result<Preview, MigrationError> {
        let now = SystemClock.now();
        match &self.database {
            settings::Database::Sqlite(path) => {
                let options = self.sqlite(now, false, false);
                tokio::task::block_in_place(|| store_sqlite::migrate::plan(path, &options))
            }
            settings::Database::Postgres(url) => {
                let mut session = Session::open(url.expose()).await?;
                store_postgres::migrate::plan(&mut session.client, &self.postgres(now, false)).await
            }
        }
    }

    /// Brings the database to the resources.
    pub(super) async fn apply(&self, allow_data_loss: bool, backup: bool) -> Result<Outcome, MigrationError> {
        let now = SystemClock.now();
        match &self.database {
            settings::Database::Sqlite(path) => {
                make_parent(path)?;
                let options = self.sqlite(now, allow_data_loss, backup);
                tokio::task::block_in_place(|| store_sqlite::migrate::apply(path, &options))
            }
            settings::Database::Postgres(url) => {
                let mut session = Session::open(url.expose()).await?;
                store_postgres::migrate::apply(&mut session.client, &self.postgres(now, allow_data_loss)).await
            }
        }
    }

    fn sqlite(&self, now: i64, allow_data_loss: bool, backup: bool) -> store_sqlite::migrate::Options<'_> {
        store_sqlite::migrate::Options { target: &self.target, scripts: &self.scripts, now, allow_data_loss, backup }
    }

    fn postgres(&self, now: i64, allow_data_loss: bool) -> store_postgres::migrate::Options<'_> {
        store_postgres::migrate::Options { target: &self.target, scripts: &self.scripts, now, allow_data_loss }
    }
}

/// What a database has seen.
pub(super) async fn status(settings: &Settings) -> Result<Status, MigrationError> {
    match &settings.services.database {
        settings::Database::Sqlite(path) => store_sqlite::migrate::status(path),
        settings::Database::Postgres(url) => {
            let session = Session::open(url.expose()).await?;
            store_postgres::migrate::status(&session.client).await
        }
    }
}

/// Opens the database of an app, once it is as the resources say.
///
/// # Errors
/// It isn't, or it can't be reached.
pub(super) async fn open(settings: &Settings, catalog: &Catalog, directory: &Path) -> Result<Arc<dyn Store>, Failure> {
    let preview = Migrations::new(settings, &catalog.schema, directory)?.plan().await?;
    if !preview.is_empty() {
        let scripts = preview.scripts.iter().map(|name| format!("\n  run migrations/{name}.sql"));
        let steps = preview.steps.iter().map(|step| format!("\n  {}", step.words));
        let all: String = scripts.chain(steps).collect();
        return Err(Failure::new(format!("the database is not as the resources say; to do:{all}"))
            .help("`mainstay migrate plan` shows the details, `mainstay migrate apply` does it"));
    }
    Ok(assemble::open_store(settings).await?)
}

fn make_parent(path: &Path) -> Result<(), MigrationError> {
    let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
    fs::create_dir_all(parent).map_err(|error| MigrationError::Database {
        doing: format!("make the directory `{}`", parent.display()),
        source: error.into(),
    })
}
