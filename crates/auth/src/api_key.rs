//! API keys: for operators, and for programs that act in a person's place.
//!
//! A key is `msk_{id}_{secret}`: found by its id, and known by the SHA-256 of its whole text, compared in constant time.
//! The text is shown once, when it is made; only the hash is kept. A key of a person is that person, with such of its roles
//! as the key was given and the person has now, confined to the key's scopes.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use engine::Engine;
use model::{Code, Problem, Schema, Scopes, caller::Identity};
use parking_lot::Mutex;
use serde_json::Value as Json;
use store::{Row, Statement};

use crate::{
    People,
    identify::{Grant, Identified},
    secret,
    standing::Standings,
};

/// What a name has to be, for who wrote another.
pub const NAME: &str = "expected 1 to 100 characters on one line, not all of them blank";

/// Whether a text may be a key's name.
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.chars().count() <= 100 && !text.trim().is_empty() && !text.chars().any(char::is_control)
}

/// How long a key that was found is taken as known without asking the database: other nodes follow a revocation within it.
const REMEMBERED: Duration = Duration::from_secs(2);
/// The most keys that are remembered.
const MOST: usize = 1024;
/// How often the use of a key is noted: microseconds.
const NOTED_EVERY: i64 = 60_000_000;

/// The keys that were shown lately.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    remembered: Mutex<HashMap<[u8; 32], Remembered>>,
    /// Moves with every change that may concern a key: what was looked up before one is not remembered after it.
    changes: AtomicU64,
}

#[derive(Debug, Clone)]
struct Remembered {
    since: Instant,
    person: Option<String>,
    identified: Identified,
    expires_at: i64,
}

/// A key as it was shown.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    id: Arc<str>,
    hash: [u8; 32],
}

impl Shown {
    /// None for what is no key.
    fn read(text: &str) -> Option<Self> {
        let (id, _) = text.strip_prefix("msk_")?.split_once('_')?;
        (!id.contains('\0')).then(|| Self { id: id.into(), hash: secret::hash(text) })
    }
}

/// A key that was just made.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The public part, by which it is found.
    pub id: String,
    /// What its owner keeps; shown once.
    pub text: String,
    name: String,
    roles: Json,
    scopes: Option<Json>,
    expires_at: Option<i64>,
    now: i64,
}

impl Draft {
    /// A person's key with 256 bits of chance. Without roles it has all that its owner has.
    #[must_use]
    pub fn new(name: &str, scopes: &[String], roles: Option<&[String]>, expires_at: Option<i64>, now: i64) -> Self {
        let roles = roles.map_or(Json::Null, Json::from);
        Self { scopes: Some(Json::from(scopes)), roles, expires_at, ..Self::named(new_id(), name, now) }
    }

    /// An operator's key: nobody's, without confines, with these roles.
    #[must_use]
    pub fn operator(name: &str, roles: &[String], now: i64) -> Self {
        Self { roles: Json::from(roles), ..Self::named(new_id(), name, now) }
    }

    /// The same, to be found again under an id of our choice, which has no underscore.
    #[must_use]
    pub fn operator_with_id(id: &str, name: &str, roles: &[String], now: i64) -> Self {
        Self { roles: Json::from(roles), ..Self::named(id.to_owned(), name, now) }
    }

    fn named(id: String, name: &str, now: i64) -> Self {
        let text = secret::make(&format!("msk_{id}_"));
        Self { id, text, name: name.to_owned(), roles: Json::Null, scopes: None, expires_at: None, now }
    }

    /// Keeps it for its owner; for nobody, where it is an operator's.
    #[must_use]
    pub fn insert(&self, person: Option<&str>) -> Statement {
        Statement::new(
            "INSERT INTO _keys (id, name, hash, roles, created_at, person, scopes, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            [
                self.id.as_str().into(),
                self.name.as_str().into(),
                secret::hash(&self.text).to_vec().into(),
                self.roles.to_string().into(),
                self.now.into(),
                person.into(),
                self.scopes.as_ref().map(Json::to_string).into(),
                self.expires_at.into(),
            ],
        )
    }
}

/// An underscore would end the id.
fn new_id() -> String {
    URL_SAFE_NO_PAD.encode(secret::chance::<9>()).replace('_', "-")
}

/// Whether there is a key of an id.
#[must_use]
pub fn find(id: &str) -> Statement {
    Statement::new("SELECT id FROM _keys WHERE id = $1", [id.into()])
}

/// Somebody's keys: id, name, scopes, roles, `created_at`, `expires_at`, `used_at`; the latest first.
#[must_use]
pub fn of_person(person: &str, most: i64) -> Statement {
    Statement::new(
        "SELECT id, name, scopes, roles, created_at, expires_at, used_at FROM _keys WHERE person = $1 \
         ORDER BY created_at DESC, id LIMIT $2",
        [person.into(), most.into()],
    )
}

/// Whose a key is: one row with the person, none in it for an operator's; no row where there is no such key.
#[must_use]
pub fn owner_of(id: &str) -> Statement {
    Statement::new("SELECT person FROM _keys WHERE id = $1", [id.into()])
}

/// Holds that somebody has no more keys than this.
#[must_use]
pub fn hold_count(person: &str, most: i64) -> Statement {
    let full = Problem::new(Code::Conflict, format!("a person has at most {} keys: delete one first", most + 1));
    Statement::new(
        "SELECT 1 AS one FROM (SELECT count(*) AS kept FROM _keys WHERE person = $1) AS counted WHERE kept <= $2",
        [person.into(), most.into()],
    )
    .or_else(full)
}

/// Every key, of operators and of people: id, name, scopes, roles, `created_at`, `expires_at`, `used_at`, owner; the latest first.
#[must_use]
pub fn all(most: i64) -> Statement {
    Statement::new(
        "SELECT id, name, scopes, roles, created_at, expires_at, used_at, person FROM _keys ORDER BY created_at DESC, id LIMIT $1",
        [most.into()],
    )
}

/// Takes a key away, whosever it is.
#[must_use]
pub fn revoke(id: &str) -> Statement {
    Statement::new("DELETE FROM _keys WHERE id = $1", [id.into()])
}

/// What is wrong with a scope in this app.
#[must_use]
pub fn scope_flaw(schema: &Schema, scope: &str) -> Option<String> {
    if Scopes::parse([scope]).is_err() {
        return Some(
            "expected RESOURCE:RIGHT with read, write, create, update or delete, as in \"posts:read\"".to_owned(),
        );
    }
    let resource = scope.split(':').next().unwrap_or("");
    if resource == "*" || schema.find(resource).is_some() {
        return None;
    }
    let near = rules::nearest(resource, schema.resources().iter().map(|resource| resource.name.as_str()));
    let help = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
    Some(format!("there is no resource `{resource}`{help}"))
}

/// Takes somebody's key away.
#[must_use]
pub fn delete(id: &str, person: &str) -> Statement {
    Statement::new("DELETE FROM _keys WHERE id = $1 AND person = $2", [id.into(), person.into()])
}

/// What [`Stored::read`] reads.
const FIND: &str = "SELECT hash, roles, person, scopes, expires_at, used_at FROM _keys WHERE id = $1";

/// A key as stored.
struct Stored {
    hash: Vec<u8>,
    roles: Option<Vec<String>>,
    person: Option<String>,
    scopes: Option<Vec<String>>,
    expires_at: i64,
    used_at: i64,
}

impl Stored {
    fn read(row: &Row) -> Option<Self> {
        let list = |column| row.text(column).and_then(|text| serde_json::from_str::<Option<Vec<String>>>(text).ok());
        Some(Self {
            hash: row.bytes(0)?.to_vec(),
            roles: list(1)?,
            person: row.text(2).map(str::to_owned),
            scopes: list(3).flatten(),
            expires_at: row.integer(4).unwrap_or(i64::MAX),
            used_at: row.integer(5).unwrap_or(0),
        })
    }
}

impl Keys {
    /// Whose key this is, and what it may.
    pub(crate) async fn identify(
        &self,
        engine: &Arc<Engine>,
        standings: &Standings,
        text: &str,
        now: i64,
    ) -> Result<Identified, Problem> {
        let shown = Shown::read(text).ok_or_else(refused)?;
        let known = self.remembered.lock().get(&shown.hash).cloned();
        if let Some(known) = known
            && known.since.elapsed() < REMEMBERED
            && now < known.expires_at
        {
            return Ok(known.identified);
        }
        let changes = self.changes.load(Ordering::Acquire);
        let (stored, identity) = look(engine, &shown, now).await?;
        note_use(engine, &shown.id, stored.used_at, now);
        let (hash, expires_at) = (shown.hash, stored.expires_at);
        // What changes its owner changes what it may, and so does its end.
        let standing = standings.of(&format!("key:{}", shown.id), stored.person.as_deref().unwrap_or_default());
        let identified = Identified { identity, grant: Some(Grant { standing, expires_at, key: Some(shown) }) };
        let remembered =
            Remembered { since: Instant::now(), person: stored.person, identified: identified.clone(), expires_at };
        self.remember(hash, remembered, changes);
        Ok(identified)
    }

    /// Who a key stands for now whose answer goes on.
    ///
    /// # Errors
    /// 401 where it has ended.
    pub(crate) async fn again(&self, engine: &Arc<Engine>, shown: &Shown, now: i64) -> Result<Arc<Identity>, Problem> {
        look(engine, shown, now).await.map(|(_, identity)| identity)
    }

    fn remember(&self, shown: [u8; 32], remembered: Remembered, changes: u64) {
        let mut all = self.remembered.lock();
        if self.changes.load(Ordering::Acquire) != changes {
            return;
        }
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(shown, remembered);
    }

    /// Forgets the keys of somebody who has changed; of everybody, where none is named.
    pub(crate) fn changed(&self, person: Option<&str>) {
        let mut all = self.remembered.lock();
        self.changes.fetch_add(1, Ordering::Release);
        match person {
            Some(person) => all.retain(|_, known| known.person.as_deref() != Some(person)),
            None => all.clear(),
        }
    }
}

fn refused() -> Problem {
    Problem::new(Code::BadCredentials, "the key is not valid")
}

/// Asks the database for a key, and for whom it stands for.
async fn look(engine: &Arc<Engine>, shown: &Shown, now: i64) -> Result<(Stored, Arc<Identity>), Problem> {
    let rows = engine.store().own_read(Statement::new(FIND, [(*shown.id).into()])).await?;
    let stored = rows.first().and_then(Stored::read).ok_or_else(refused)?;
    if !secret::same(&stored.hash, &shown.hash) || stored.expires_at <= now {
        return Err(refused());
    }
    let identity = stand_for(engine, &shown.id, &stored).await?.ok_or_else(refused)?;
    Ok((stored, Arc::new(identity)))
}

/// Whom the key of an id stands for; none where there is no such key, or it is good no more.
///
/// # Errors
/// The database's faults.
pub async fn identity_of(engine: &Arc<Engine>, id: &str, now: i64) -> Result<Option<Identity>, Problem> {
    let rows = engine.store().own_read(Statement::new(FIND, [id.into()])).await?;
    match rows.first().and_then(Stored::read) {
        Some(stored) if stored.expires_at > now => stand_for(engine, id, &stored).await,
        _ => Ok(None),
    }
}

/// The identity of a key; none where its owner is nobody any more.
async fn stand_for(engine: &Arc<Engine>, id: &str, stored: &Stored) -> Result<Option<Identity>, Problem> {
    let actor = Some(format!("key:{id}"));
    let gate = engine.gate();
    let Some(person) = &stored.person else {
        let given = stored.roles.as_deref().unwrap_or_default();
        let roles = gate.catalog().schema.roles().closure(given.iter().map(String::as_str));
        return Ok(Some(Identity { roles, actor, ..Identity::anonymous() }));
    };
    let Ok(people) = People::of(gate) else { return Ok(None) };
    let Some(owner) = people.find(engine, person).await?.and_then(|person| person.identity) else { return Ok(None) };
    let closure = |roles: &[String]| people.gate().catalog().schema.roles().closure(roles.iter().map(String::as_str));
    let roles = match &stored.roles {
        // What a role includes is its owner's, too, so that the cut is one of closures.
        Some(given) => closure(given).into_iter().filter(|role| owner.roles.contains(role)).collect(),
        None => owner.roles.clone(),
    };
    let scopes =
        Scopes::parse(stored.scopes.iter().flatten()).map_err(|_| Problem::internal("a key's scopes can't be read"))?;
    Ok(Some(Identity { roles, actor, scopes: Some(scopes), session: None, authenticated_at: None, ..owner }))
}

/// Notes, off the path of the request, that a key is used.
fn note_use(engine: &Arc<Engine>, id: &str, used_at: i64, now: i64) {
    if now - used_at < NOTED_EVERY {
        return;
    }
    let note = Statement::new("UPDATE _keys SET used_at = $2 WHERE id = $1", [id.into(), now.into()]);
    let engine = Arc::clone(engine);
    tokio::spawn(async move {
        if let Err(problem) = engine.store().own(vec![note]).await {
            tracing::warn!(cause = problem.cause, "the use of a key could not be noted");
        }
    });
}
