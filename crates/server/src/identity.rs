//! Identity and its mail, put together from the settings.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use accounts::{Accounts, Postman};
use app::settings::{CorsOrigins, Database, Mail, Settings};
use auth::{Auth, Setup, seal::MasterKey};
use engine::Engine;
use mail::{Carrier, Templates};
use model::{Problem, Secret};

/// How long a stop waits for mails that are under way.
const MAIL_PATIENCE: Duration = Duration::from_secs(5);

/// Identity of a server that runs.
pub(crate) struct Identity {
    pub(crate) auth: Arc<Auth>,
    postman: Postman,
    watching: tokio::task::JoinHandle<()>,
}

impl Identity {
    /// Starts what identity does beside the requests, and the protocol of accounts.
    ///
    /// # Errors
    /// A template is none, the mail server's URL is none, or there is no master key though the app has people.
    pub(crate) async fn start(settings: &Settings, engine: &Arc<Engine>) -> Result<(Self, Accounts), Problem> {
        let auth = Arc::new(auth(settings, engine));
        auth.prepare().await?;
        let heard = Arc::downgrade(&auth);
        engine.watch_people(Box::new(move |person| {
            if let Some(auth) = heard.upgrade() {
                match person {
                    Some(person) => auth.person_changed(person),
                    None => auth.everybody_changed(),
                }
            }
        }));
        let wrong = |error: &dyn std::error::Error| Problem::internal(error.to_string());
        let templates = Templates::load(Some(&settings.directory.join("templates"))).map_err(|error| wrong(&error))?;
        let carrier = carrier(settings).map_err(|error| wrong(&error))?;
        let watching = tokio::spawn(Auth::watch(Arc::downgrade(&auth)));
        let accounts = Accounts::new(Arc::clone(engine), Arc::clone(&auth), templates);
        accounts.prepare().await?;
        let postman = accounts.start_mail(carrier);
        Ok((Self { auth, postman, watching }, accounts))
    }

    /// Writes down what waits to be written, and sends what is under way.
    pub(crate) async fn stop(self) {
        self.watching.abort();
        self.postman.stop(MAIL_PATIENCE).await;
        if let Err(problem) = self.auth.failures.write(&**self.auth.store()).await {
            tracing::warn!(cause = problem.cause, "some failures are missing in the audit log");
        }
    }
}

/// Identity without a server, for commands.
pub(crate) fn auth(settings: &Settings, engine: &Arc<Engine>) -> Auth {
    let cors_origins = match &settings.server.cors_origins {
        CorsOrigins::Any => Vec::new(),
        CorsOrigins::Exactly(origins) => origins.clone(),
    };
    let (key, database) = (settings.auth.master_key.clone(), settings.services.database.clone());
    let master = Box::new(move || master(key.as_ref(), &database));
    Auth::new(Arc::clone(engine), Setup { public_url: settings.server.public_url.clone(), cors_origins, master })
}

pub(crate) fn carrier(settings: &Settings) -> Result<Carrier, mail::SetupError> {
    match &settings.services.mail {
        Mail::Log => Ok(Carrier::Log),
        Mail::Smtp(url) => Carrier::smtp(url.expose(), &settings.mail.from),
        Mail::Directory(path) => Carrier::directory(path.clone()),
    }
}

/// The master key of the settings; on SQLite one is made beside the database where there is none.
fn master(key: Option<&Secret>, database: &Database) -> Result<MasterKey, Problem> {
    if let Some(key) = key {
        return MasterKey::read(key.expose());
    }
    let Database::Sqlite(path) = database else {
        return Err(Problem::internal(
            "people sign in to this app, so its nodes need one master key: set `auth.master_key` in mainstay.toml, or \
             MAINSTAY_AUTH__MASTER_KEY; `openssl rand -base64 32` makes one",
        ));
    };
    let directory = path.parent().unwrap_or(Path::new(".")).join("keys");
    let file = directory.join("master.key");
    let text = read_or_make(&directory, &file)
        .map_err(|error| Problem::internal(format!("the master key {}: {error}", file.display())))?;
    MasterKey::read(&text)
}

fn read_or_make(directory: &Path, file: &Path) -> io::Result<String> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(mut made) => {
            let text = MasterKey::make();
            writeln!(made, "{text}")?;
            made.sync_all()?;
            Ok(text)
        }
        // Another command was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::thread::sleep(Duration::from_millis(50));
            fs::read_to_string(file)
        }
        Err(error) => Err(error),
    }
}
