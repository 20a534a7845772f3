//! The database that a file of tests runs on: its records, and who may be asked for.

use std::{collections::HashMap, sync::Arc};

use app::{Fixture, TestFile, Who, settings};
use engine::{AccountKey, Clock as _, Engine, SystemClock};
use model::{Caller, Code, IdKind, Problem, ResourceIndex, Schema, caller::Identity, identity::ADMIN};
use rules::Catalog;
use serde_json::{Value as Json, json};
use store::{Store, migration::Database};
use store_postgres::{PostgresStore, Scratch};
use store_sqlite::{SqliteStore, Synchronous};
use tempfile::TempDir;

use crate::cli::{exposure, failure::Failure, files::App};

pub(super) struct World {
    engine: Engine,
    /// Ids by resource and name.
    ids: HashMap<(ResourceIndex, String), String>,
    place: Place,
}

/// Where the database is.
enum Place {
    /// In a directory, removed with this.
    Directory(#[expect(dead_code, reason = "it is kept for its end")] TempDir),
    /// Beside the app's own.
    Server(Box<Scratch>),
}

/// Connections of a test's store: tests are tried one after another.
const CONNECTIONS: usize = 2;

fn in_directory(catalog: &Catalog) -> Result<(Arc<dyn Store>, Place), Failure> {
    let failed = |error: std::io::Error| Failure::caused("could not make a temporary directory", &error);
    let directory = tempfile::tempdir().map_err(failed)?;
    let path = directory.path().join("test.db");
    let (target, now) = (Database::of(&catalog.schema), SystemClock.now());
    let options =
        store_sqlite::migrate::Options { target: &target, scripts: &[], now, allow_data_loss: false, backup: false };
    tokio::task::block_in_place(|| store_sqlite::migrate::apply(&path, &options))?;
    let store = SqliteStore::open(&path, Synchronous::Normal, 1)?;
    Ok((Arc::new(store), Place::Directory(directory)))
}

async fn on_server(url: &str, catalog: &Catalog) -> Result<(Arc<dyn Store>, Place), Failure> {
    let scratch = Scratch::create(url).await?;
    let made = async {
        let (target, now) = (Database::of(&catalog.schema), SystemClock.now());
        let options = store_postgres::migrate::Options { target: &target, scripts: &[], now, allow_data_loss: false };
        store_postgres::migrate::apply(&mut scratch.session().await?.client, &options).await?;
        Ok::<_, Failure>(PostgresStore::open_scratch(&scratch, CONNECTIONS).await?)
    };
    match made.await {
        Ok(store) => Ok((Arc::new(store), Place::Server(Box::new(scratch)))),
        Err(failure) => {
            scratch.remove().await?;
            Err(failure)
        }
    }
}

impl World {
    /// Makes a database of the app's kind, and the records of a file in it.
    ///
    /// # Errors
    /// It can't be made, or a record can't.
    pub(super) async fn open(file: &TestFile, app: &App) -> Result<Self, Failure> {
        let (store, place) = match &app.settings.services.database {
            settings::Database::Sqlite(_) => in_directory(&app.catalog)?,
            settings::Database::Postgres(url) => on_server(url.expose(), &app.catalog).await?,
        };
        let engine = Engine::new(Arc::clone(&app.catalog), store, Arc::new(SystemClock));
        let mut world = Self { engine, ids: HashMap::new(), place };
        world.name(&file.records);
        match world.load(file).await {
            Ok(()) => Ok(world),
            Err(failure) => {
                world.close().await?;
                Err(failure)
            }
        }
    }

    /// Removes the database.
    ///
    /// # Errors
    /// It stays.
    pub(super) async fn close(self) -> Result<(), Failure> {
        self.engine.store().close().await;
        match self.place {
            Place::Directory(_) => Ok(()),
            Place::Server(scratch) => Ok(scratch.remove().await?),
        }
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.engine.gate().catalog().schema)
    }

    /// Gives every record its id, so that any may name any.
    fn name(&mut self, records: &[Fixture]) {
        let mut next: HashMap<ResourceIndex, i64> = HashMap::new();
        for record in records {
            let id = match record.fields.get("id") {
                Some(Json::String(id)) => id.clone(),
                Some(id) => id.to_string(),
                None => match self.schema().get(record.resource).id_kind {
                    IdKind::Uuid => SystemClock.uuid(SystemClock.now()).to_string(),
                    IdKind::Integer => {
                        let number = next.entry(record.resource).or_insert(0);
                        *number += 1;
                        number.to_string()
                    }
                    IdKind::String => record.name.clone(),
                },
            };
            self.ids.insert((record.resource, record.name.clone()), id);
        }
    }

    async fn load(&self, file: &TestFile) -> Result<(), Failure> {
        let mut waiting: Vec<&Fixture> = file.records.iter().collect();
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut later = Vec::new();
            let mut last = None;
            for record in waiting {
                match self.make(record).await {
                    Ok(()) => {}
                    // Whom it refers to may come yet.
                    Err(problem) if problem.code == Code::MissingReference => {
                        last = Some((record, problem));
                        later.push(record);
                    }
                    Err(problem) => return Err(self.unmade(file, record, &problem)),
                }
            }
            waiting = later;
            if let Some((record, problem)) = last.filter(|_| waiting.len() == before) {
                return Err(self.unmade(file, record, &problem));
            }
        }
        Ok(())
    }

    fn unmade(&self, file: &TestFile, record: &Fixture, problem: &Problem) -> Failure {
        let flaws: Vec<&str> = problem.errors.iter().map(|flaw| flaw.detail.as_str()).collect();
        let why = if flaws.is_empty() { problem.detail.clone() } else { flaws.join("; ") };
        let schema = self.schema();
        let resource = &schema.get(record.resource).name;
        Failure::new(format!(
            "{}:{}: the record `{}` of {resource} can't be: {why}",
            file.name, record.line, record.name
        ))
    }

    async fn make(&self, record: &Fixture) -> Result<(), Problem> {
        let schema = self.schema();
        let resource = schema.get(record.resource);
        let mut body = self.resolve(record.resource, &Json::Object(record.fields.clone()));
        let id = self.id_of(record.resource, &record.name);
        body["id"] = match resource.id_kind {
            IdKind::Integer => id.parse::<i64>().map_or_else(|_| Json::String(id.clone()), Json::from),
            IdKind::Uuid | IdKind::String => Json::String(id),
        };
        if resource.identity.is_some() {
            if body.get("email").is_none() {
                body["email"] = format!("{}@example.com", record.name).into();
            }
            if body.get("email_verified").is_none() {
                body["email_verified"] = true.into();
            }
        }
        let loader =
            Identity { roles: vec![ADMIN.to_owned()], actor: Some("test".to_owned()), ..Identity::anonymous() };
        let caller = exposure::caller(loader, SystemClock.now());
        self.engine.load(caller, &resource.name, &[body]).await.map(|_| ())
    }

    /// A body in which references hold ids in place of names.
    pub(super) fn resolve(&self, resource: ResourceIndex, body: &Json) -> Json {
        let mut resolved = body.clone();
        let schema = self.schema();
        for field in &schema.get(resource).fields {
            let (Some(target), Some(value)) = (field.target(), resolved.get_mut(&field.name)) else { continue };
            let integer = schema.get(target).id_kind == IdKind::Integer;
            let one = |value: &mut Json| {
                if let Some(id) = value.as_str().and_then(|name| self.ids.get(&(target, name.to_owned()))) {
                    let number = integer.then(|| id.parse::<i64>().ok()).flatten();
                    *value = number.map_or_else(|| id.clone().into(), Json::from);
                }
            };
            match value {
                Json::Array(items) => items.iter_mut().for_each(one),
                other => one(other),
            }
        }
        resolved
    }

    /// The id of a record by its name; a name that is none is an id itself.
    pub(super) fn id_of(&self, resource: ResourceIndex, name: &str) -> String {
        self.ids.get(&(resource, name.to_owned())).cloned().unwrap_or_else(|| name.to_owned())
    }

    /// The name of a record by its id.
    pub(super) fn name_of(&self, resource: ResourceIndex, id: &Json) -> String {
        let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        let found = self.ids.iter().find(|((of, _), known)| *of == resource && **known == id);
        found.map_or(id, |((_, name), _)| name.clone())
    }

    /// Somebody, as a session of theirs would be. Who is disabled is nobody.
    pub(super) async fn caller(&self, who: &Who) -> Result<Caller, Problem> {
        let nobody = exposure::caller(Identity::anonymous(), SystemClock.now());
        let schema = self.schema();
        let identity = match who {
            Who::Stranger => return Ok(nobody),
            Who::Somebody { roles, claims, email } => Identity {
                roles: schema.roles().closure(roles.iter().map(String::as_str)),
                claims: (!claims.is_null()).then(|| json!(claims).to_string()),
                email: email.clone(),
                actor: Some("key:test".to_owned()),
                ..Identity::anonymous()
            },
            Who::Person(name) => {
                let Some((people, resource, _)) = schema.people() else { return Ok(nobody) };
                let id = model::parse_id(resource.id_kind, &self.id_of(people, name)).unwrap_or_default();
                let account = self.engine.account(&nobody, AccountKey::Id(&id)).await?;
                let Some(identity) = account.and_then(|account| account.identity) else { return Ok(nobody) };
                identity
            }
        };
        Ok(Caller { identity: Arc::new(identity), ..nobody })
    }
}
