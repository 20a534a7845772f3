//! An app in a temporary directory, served in this process.

use std::{path::Path, sync::Arc};

use app::{Environment, Settings};
use engine::{Engine, SystemClock};
use server::{
    assemble,
    serve::{Options, Server},
};
use store::{Store, migration};
use tempfile::TempDir;

use crate::person::Person;

/// Where an app's records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// A file in the app's directory.
    Sqlite,
    /// A database of its own on the server that `MAINSTAY_TEST_POSTGRES` names.
    Postgres,
}

/// An app that is being served.
pub struct TestApp {
    directory: Arc<TempDir>,
    settings: Settings,
    server: Option<Server>,
    base: String,
    key: String,
    engine: Arc<Engine>,
    postgres: Option<PostgresDatabase>,
}

impl TestApp {
    /// Serves an app of these files (path and text) from a fresh database.
    ///
    /// # Panics
    /// The app has mistakes, or the database can't be reached.
    pub async fn start(database: Database, files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in files {
            write(directory.path(), name, text);
        }
        Self::serve(database, directory, &[]).await
    }

    /// The same with settings from the environment over those of the files.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub async fn start_with(database: Database, files: &[(&str, &str)], more: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in files {
            write(directory.path(), name, text);
        }
        Self::serve(database, directory, more).await
    }

    /// Serves a copy of a template.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub async fn template(database: Database, name: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates").join(name);
        copy(&source, directory.path());
        Self::serve(database, directory, &[]).await
    }

    async fn serve(database: Database, directory: TempDir, more: &[(&str, &str)]) -> Self {
        let postgres = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(PostgresDatabase::create().await),
        };
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut variables = vec![
            set("MAINSTAY_AUTH__MASTER_KEY", "a master key for tests and nothing else"),
            set("MAINSTAY_SERVER__LISTEN", "127.0.0.1:0"),
            set("MAINSTAY_SERVICES__MAIL", "file:mail"),
        ];
        variables.extend(more.iter().map(|(name, value)| set(name, value)));
        if let Some(postgres) = &postgres {
            variables.push(("MAINSTAY_SERVICES__DATABASE".to_owned(), postgres.url.clone()));
        }
        let loaded = app::load(directory.path(), &variables.into_iter().collect::<Environment>());
        assert!(!loaded.has_errors(), "{}", app::render(&loaded.diagnostics, &loaded.sources, false));
        let (settings, catalog) = (loaded.settings.expect("settings"), Arc::new(loaded.catalog.expect("a catalog")));
        migrate(&settings, &catalog).await;
        let store = assemble::open_store(&settings).await.unwrap_or_else(|problem| panic!("{problem:?}"));
        let key = auth::api_key::Draft::operator("test", &["admin".to_owned()], 0);
        store.own(vec![key.insert(None)]).await.unwrap_or_else(|problem| panic!("{problem:?}"));
        let engine = Arc::new(Engine::new(catalog, store, Arc::new(SystemClock)));
        Self::with(Arc::new(directory), settings, engine, key.text, postgres).await
    }

    async fn with(
        directory: Arc<TempDir>,
        settings: Settings,
        engine: Arc<Engine>,
        key: String,
        postgres: Option<PostgresDatabase>,
    ) -> Self {
        let options = Options { quiet: true, ..Options::default() };
        let server = Server::start(&settings, Arc::clone(&engine), options).await.expect("a server");
        let base = format!("http://{}", server.address());
        Self { directory, settings, server: Some(server), base, key, engine, postgres }
    }

    /// The same app served once more, with connections and a memory of its own, from the same database: another node. It is
    /// to be stopped first.
    ///
    /// # Panics
    /// It can't be.
    pub async fn another_node(&self) -> Self {
        let store = assemble::open_store(&self.settings).await.unwrap_or_else(|problem| panic!("{problem:?}"));
        let catalog = Arc::clone(self.engine.gate().catalog());
        let engine = Arc::new(Engine::new(catalog, store, Arc::new(SystemClock)));
        Self::with(Arc::clone(&self.directory), self.settings.clone(), engine, self.key.clone(), None).await
    }

    /// The directory of the app.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Where it is served.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The engine behind the door, for what no door shows.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        self.engine.store()
    }

    /// Somebody unknown.
    #[must_use]
    pub fn stranger(&self) -> Person {
        Person::new(self.base.clone(), None)
    }

    /// Somebody with an administrator's key.
    #[must_use]
    pub fn admin(&self) -> Person {
        Person::new(self.base.clone(), Some(self.key.clone()))
    }

    /// Identity on the server.
    ///
    /// # Panics
    /// It has been stopped.
    #[must_use]
    pub fn identity(&self) -> &Arc<auth::Auth> {
        self.server.as_ref().expect("a server").identity()
    }

    /// The mails to an address, oldest first, once there are so many.
    ///
    /// # Panics
    /// They don't come.
    pub async fn mails(&self, to: &str, count: usize) -> Vec<String> {
        let wanted = format!("To: {to}\n");
        for _ in 0..500 {
            let mut files: Vec<_> = std::fs::read_dir(self.directory.path().join("mail"))
                .map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()).collect())
                .unwrap_or_default();
            files.retain(|path| path.extension().is_some_and(|ending| ending == "eml"));
            files.sort();
            let mails = files.iter().map(|path| std::fs::read_to_string(path).expect("a mail"));
            let mails: Vec<String> = mails.filter(|mail| mail.starts_with(&wanted)).collect();
            if mails.len() >= count {
                return mails;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("fewer than {count} mails to {to}");
    }

    /// What has happened, oldest first: `posts.created`.
    ///
    /// # Panics
    /// The log can't be read.
    pub async fn changes(&self) -> Vec<String> {
        if let Some(postgres) = &self.postgres {
            postgres.numbered().await;
        }
        let catalog = Arc::clone(self.engine.gate().catalog());
        let entries = self.store().entries(&catalog, 0, 10_000).await.unwrap_or_else(|problem| panic!("{problem:?}"));
        let name = |entry: &model::Entry| catalog.schema.get(entry.resource).name.clone();
        entries.iter().map(|entry| format!("{}.{}", name(entry), entry.action.name())).collect()
    }

    /// Stops the server alone: what it left stays there for another node.
    ///
    /// # Panics
    /// It has been stopped.
    pub async fn stop_serving(&mut self) {
        self.server.take().expect("a server").stop().await;
    }

    /// Stops the server and removes what it left.
    pub async fn stop(mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
        if let Some(postgres) = self.postgres.take() {
            postgres.remove().await;
        }
    }
}

async fn migrate(settings: &Settings, catalog: &rules::Catalog) {
    let target = migration::Database::of(&catalog.schema);
    match &settings.services.database {
        app::settings::Database::Sqlite(path) => {
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).expect("a data directory");
            let options = store_sqlite::migrate::Options {
                target: &target,
                scripts: &[],
                now: 0,
                allow_data_loss: false,
                backup: false,
            };
            store_sqlite::migrate::apply(path, &options).unwrap_or_else(|error| panic!("{error}"));
        }
        app::settings::Database::Postgres(url) => {
            let (mut client, connection) =
                tokio_postgres::connect(url.expose(), tokio_postgres::NoTls).await.expect("PostgreSQL");
            let connection = tokio::spawn(connection);
            let options =
                store_postgres::migrate::Options { target: &target, scripts: &[], now: 0, allow_data_loss: false };
            store_postgres::migrate::apply(&mut client, &options).await.unwrap_or_else(|error| panic!("{error}"));
            drop(client);
            let _ = connection.await;
        }
    }
}

/// A database of a test's own.
struct PostgresDatabase {
    name: String,
    url: String,
}

impl PostgresDatabase {
    async fn create() -> Self {
        let name = format!("mainstay_test_{:016x}", rand::random::<u64>());
        execute(&format!("CREATE DATABASE {name}")).await;
        let server = server_url();
        let (base, _) = server.rsplit_once('/').expect("a URL with a database");
        let url = format!("{base}/{name}");
        Self { name, url }
    }

    /// Waits until every entry of the log has its sequence, which comes a moment after the commit.
    async fn numbered(&self) {
        const WAITING: &str = "SELECT FROM _events WHERE id NOT IN (SELECT id FROM _order) LIMIT 1";
        let (client, connection) = tokio_postgres::connect(&self.url, tokio_postgres::NoTls).await.expect("PostgreSQL");
        let connection = tokio::spawn(connection);
        for _ in 0..500 {
            let waiting = client.query(WAITING, &[]).await.expect("the log");
            if waiting.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        drop(client);
        let _ = connection.await;
    }

    async fn remove(self) {
        execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the variable is the tests' own")]
fn server_url() -> String {
    std::env::var("MAINSTAY_TEST_POSTGRES").unwrap_or_else(|_| "postgres://root@127.0.0.1:5432/postgres".to_owned())
}

async fn execute(sql: &str) {
    let (client, connection) =
        tokio_postgres::connect(&server_url(), tokio_postgres::NoTls).await.expect("PostgreSQL is needed by the tests");
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.expect("the test's database");
    drop(client);
    let _ = connection.await;
}

fn write(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap_or(directory)).expect("a directory");
    std::fs::write(path, text).expect("a file");
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target).expect("a directory");
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
