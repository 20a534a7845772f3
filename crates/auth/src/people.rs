//! The people of an app, as identity sees them.

use std::sync::{Arc, LazyLock};

use engine::{Account, AccountKey, Engine};
use model::{Caller, Code, IdentitySettings, Problem, Resource, Value, caller::Identity};
use rules::Gate;

/// Who looks people up when no request does.
static MACHINERY: LazyLock<Arc<Identity>> =
    LazyLock::new(|| Arc::new(Identity { actor: Some("accounts".to_owned()), ..Identity::anonymous() }));

/// The app's people at one moment: the rules in force, and what `[auth]` says.
#[derive(Debug, Clone)]
pub struct People {
    gate: Arc<Gate>,
}

/// A person as stored.
#[derive(Debug, Clone)]
pub struct Person {
    /// The id, as it stands in paths and in our tables.
    pub id: String,
    /// The id as a value.
    pub key: Value,
    /// The address; none for machines.
    pub email: Option<String>,
    /// Whether the address is proved.
    pub verified: bool,
    /// Who it is to the rules; none where it is disabled.
    pub identity: Option<Identity>,
}

impl People {
    /// The people of the app whose rules these are.
    ///
    /// # Errors
    /// 404 where the app has none.
    pub fn of(gate: Arc<Gate>) -> Result<Self, Problem> {
        if gate.catalog().schema.people().is_none() {
            let detail = "this app has no accounts: none of its resources has an [auth] table";
            return Err(Problem::new(Code::NotFound, detail));
        }
        Ok(Self { gate })
    }

    /// The rules in force.
    #[must_use]
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// The resource and its `[auth]`.
    ///
    /// # Errors
    /// Never: that there are people was seen.
    pub fn resource(&self) -> Result<(&Resource, &IdentitySettings), Problem> {
        let found = self.gate.catalog().schema.people();
        found.map(|(_, resource, settings)| (resource, settings)).ok_or_else(Problem::not_found)
    }

    /// `[auth]`
    ///
    /// # Errors
    /// As [`Self::resource`].
    pub fn settings(&self) -> Result<&IdentitySettings, Problem> {
        self.resource().map(|(_, settings)| settings)
    }

    /// Somebody of an address, in whatever case.
    ///
    /// # Errors
    /// The database can't be asked.
    pub async fn find_by_email(&self, engine: &Engine, email: &str) -> Result<Option<Person>, Problem> {
        let account = engine.account(&machinery(engine), AccountKey::Email(email)).await?;
        Ok(account.map(Person::from))
    }

    /// Somebody by the text of the id.
    ///
    /// # Errors
    /// The database can't be asked.
    pub async fn find(&self, engine: &Engine, id: &str) -> Result<Option<Person>, Problem> {
        let (resource, _) = self.resource()?;
        let Some(id) = model::parse_id(resource.id_kind, id) else { return Ok(None) };
        let account = engine.account(&machinery(engine), AccountKey::Id(&id)).await?;
        Ok(account.map(Person::from))
    }
}

impl From<Account> for Person {
    fn from(account: Account) -> Self {
        let Account { record, identity, email, verified } = account;
        Self { id: store::id_text(record.id()), key: record.id().clone(), email, verified, identity }
    }
}

impl Person {
    /// What the log calls it.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("user:{}", self.id)
    }
}

/// The machinery itself, when no request asks.
#[must_use]
pub fn machinery(engine: &Engine) -> Caller {
    Caller {
        identity: Arc::clone(&MACHINERY),
        address: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        method: "GET",
        now: engine.clock().now(),
        request_id: "accounts".into(),
    }
}
