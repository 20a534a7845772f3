//! Who is asking: passwords, tokens, sessions, mailed codes and links, and whom a request's credentials stand for.
//!
//! Nothing here knows HTTP. Reading order: [`Auth`] is what everybody holds; [`identify`] is on the path of each request,
//! [`standing`] is what makes it cheap; a [`session`] begins with [`session::Draft`]; the rest are mechanisms, a file each.
//! What is kept of a secret is a hash, what is spent is spent by one statement that compares and deletes, and what has to be
//! read again is sealed ([`seal`]).

pub mod api_key;
pub mod attempts;
pub mod audit;
pub mod code;
pub mod cookie;
pub mod credential;
pub mod device;
pub mod identify;
pub mod issue;
pub mod keyring;
pub mod link;
pub mod oauth;
pub mod outbox;
pub mod passkeys;
pub mod password;
pub mod people;
pub mod recovery;
pub mod seal;
mod secret;
pub mod session;
pub mod standing;
pub mod token;
pub mod totp;
mod watch;

use std::{
    sync::{Arc, OnceLock, atomic::AtomicI64},
    time::Instant,
};

use engine::Engine;
use model::{Problem, caller::Identity};
use store::Store;
use tokio::sync::OnceCell;

use self::{
    api_key::Keys, attempts::Attempts, audit::Failures, cookie::Cookies, keyring::Keyring, password::Passwords,
    seal::MasterKey, standing::Standings,
};
pub use self::{
    identify::{Grant, Identified},
    people::{People, Person},
    standing::Standing,
};

/// Finds or makes the master key.
pub type Master = Box<dyn Fn() -> Result<MasterKey, Problem> + Send + Sync>;

/// What identity needs of the settings.
pub struct Setup {
    /// `server.public_url`
    pub public_url: String,
    /// `server.cors_origins`; empty where any may call.
    pub cors_origins: Vec<String>,
    /// The master key, asked for once, when the app has people.
    pub master: Master,
}

/// Identity on this node.
pub struct Auth {
    engine: Arc<Engine>,
    setup: Setup,
    master: OnceLock<Arc<MasterKey>>,
    keyring: OnceCell<Keyring>,
    standings: Standings,
    keys: Keys,
    cookies: Cookies,
    anonymous: Arc<Identity>,
    /// Failed sign-ins.
    pub attempts: Attempts,
    /// Failures for the audit log.
    pub failures: Failures,
    passwords: Passwords,
    started: Instant,
    /// When the database last said what has changed: milliseconds since the start.
    heard: AtomicI64,
}

impl Auth {
    /// Identity of the people of an app.
    #[must_use]
    pub fn new(engine: Arc<Engine>, setup: Setup) -> Self {
        let cookies = Cookies::new(&setup.public_url, &setup.cors_origins);
        Self {
            keys: Keys::default(),
            engine,
            setup,
            master: OnceLock::new(),
            keyring: OnceCell::new(),
            standings: Standings::default(),
            cookies,
            anonymous: Arc::new(Identity::anonymous()),
            attempts: Attempts::default(),
            failures: Failures::default(),
            passwords: Passwords::default(),
            started: Instant::now(),
            heard: AtomicI64::new(0),
        }
    }

    /// Makes ready what people need, where the app has any.
    ///
    /// # Errors
    /// There is no master key, or not the one that sealed the keys in the database.
    pub async fn prepare(&self) -> Result<(), Problem> {
        if self.engine.gate().catalog().schema.people().is_some() {
            self.keyring().await?;
        }
        Ok(())
    }

    /// The app's people.
    ///
    /// # Errors
    /// 404 where it has none.
    pub fn people(&self) -> Result<People, Problem> {
        People::of(self.engine.gate())
    }

    /// Nobody in particular.
    #[must_use]
    pub fn anonymous(&self) -> Arc<Identity> {
        Arc::clone(&self.anonymous)
    }

    /// Where everything is kept.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        self.engine.store()
    }

    /// The app.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Now: microseconds of UTC.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.engine.clock().now()
    }

    /// `server.public_url`, without a slash at the end.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.setup.public_url
    }

    /// `server.cors_origins`; empty where any may call.
    #[must_use]
    pub fn cors_origins(&self) -> &[String] {
        &self.setup.cors_origins
    }

    /// Session cookies.
    #[must_use]
    pub fn cookies(&self) -> &Cookies {
        &self.cookies
    }

    /// The master key.
    ///
    /// # Errors
    /// There is none.
    pub fn master(&self) -> Result<&MasterKey, Problem> {
        if let Some(master) = self.master.get() {
            return Ok(master);
        }
        let found = Arc::new((self.setup.master)()?);
        Ok(self.master.get_or_init(|| found))
    }

    /// The keys that sign access tokens.
    ///
    /// # Errors
    /// The database can't be asked, or the keys were sealed by another master key.
    pub async fn keyring(&self) -> Result<&Keyring, Problem> {
        self.keyring
            .get_or_try_init(|| async { Keyring::open(&**self.store(), self.master()?, self.now()).await })
            .await
    }

    /// Who hashes passwords.
    #[must_use]
    pub fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    /// Somebody's record or sessions have changed: whoever uses a token of this person is looked at anew.
    pub fn person_changed(&self, person: &str) {
        self.keys.changed(Some(person));
        self.standings.person_changed(person);
    }

    /// Everybody may have changed.
    pub fn everybody_changed(&self) {
        self.keys.changed(None);
        self.standings.everybody_changed();
    }
}
