//! Whom a request's credentials stand for.

use std::sync::{Arc, atomic::Ordering};

use model::{Code, Problem, caller::Identity};
use store::Statement;

use crate::{
    Auth, People,
    api_key::Shown,
    secret,
    session::{Session, micros},
    standing::{Remembered, Standing},
    token::{self, Parties},
};

/// How long a node may go without word from the database before it asks at every request: milliseconds.
const DEAF: i64 = 10_000;
/// How often the use of a cookie's session is noted: microseconds.
const NOTED_EVERY: i64 = 60_000_000;

/// Who asks, and by which right for how long.
#[derive(Debug, Clone)]
pub struct Identified {
    /// Who.
    pub identity: Arc<Identity>,
    /// A session's or a key's; none for strangers.
    pub grant: Option<Grant>,
}

/// The right by which somebody asks, which may end while an answer goes on.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The session, or the key.
    pub standing: Arc<Standing>,
    /// When the token ends that was shown: microseconds of UTC; `i64::MAX` for a cookie.
    pub expires_at: i64,
    /// The key that was shown, where it was one.
    pub(crate) key: Option<Shown>,
}

impl Auth {
    /// Who shows this `Authorization` header.
    ///
    /// # Errors
    /// 401 where the credentials are of another kind, unknown, wrong or over: never taken for a stranger's.
    pub async fn identify(&self, authorization: &str) -> Result<Identified, Problem> {
        let refused = || Problem::new(Code::BadCredentials, "the credentials are not valid");
        let (scheme, text) = authorization.split_once(' ').ok_or_else(refused)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Problem::new(Code::BadCredentials, "only `Authorization: Bearer …` is understood"));
        }
        let text = text.trim();
        if token::is_token(text) {
            return self.identify_token(text).await;
        }
        self.keys.identify(&self.engine, &self.standings, text, self.now()).await
    }

    async fn identify_token(&self, text: &str) -> Result<Identified, Problem> {
        let now = self.now();
        let hash = secret::hash(text);
        let remembered = match self.standings.find(&hash) {
            Some(remembered) => remembered,
            None => {
                let remembered = self.verify(text, now).await?;
                self.standings.remember(hash, remembered.clone());
                remembered
            }
        };
        if remembered.expires_at <= now {
            return Err(token::expired());
        }
        self.admit(remembered, now).await
    }

    async fn verify(&self, text: &str, now: i64) -> Result<Remembered, Problem> {
        let people = self.people().map_err(|_| token::refused())?;
        let settings = people.settings()?;
        let parties = self.parties(&people)?;
        let verifiers = self.keyring().await?.verifiers(settings.access_ttl, now);
        let claims = token::verify(text, &verifiers, &parties, now.div_euclid(1_000_000))?;
        let standing = self.standings.of(&claims.sid, &claims.sub);
        Ok(Remembered { standing, expires_at: claims.exp.saturating_mul(1_000_000) })
    }

    /// Who shows this session cookie.
    ///
    /// # Errors
    /// 401 where it is dead.
    pub async fn identify_cookie(&self, text: &str) -> Result<Identified, Problem> {
        let now = self.now();
        let hash = secret::hash(text);
        let remembered = match self.standings.find(&hash) {
            Some(remembered) => remembered,
            None => {
                let dead = || Problem::new(Code::BadCredentials, "the session has ended");
                self.people().map_err(|_| dead())?;
                let query = Session::find_by_cookie(self.master()?, text, now).ok_or_else(dead)?;
                let rows = self.store().own_read(query).await?;
                let session = Session::read(rows.first().ok_or_else(dead)?)?;
                let standing = self.standings.of(&session.id, &session.person);
                let remembered = Remembered { standing, expires_at: i64::MAX };
                self.standings.remember(hash, remembered.clone());
                remembered
            }
        };
        let identified = self.admit(remembered.clone(), now).await?;
        self.note_use(&remembered.standing, now);
        Ok(identified)
    }

    async fn admit(&self, remembered: Remembered, now: i64) -> Result<Identified, Problem> {
        let Remembered { standing, expires_at } = remembered;
        let known = if self.is_deaf() { None } else { standing.identity(now) };
        let identity = match known {
            Some(identity) => identity,
            None => self.look(&standing, now).await?,
        };
        Ok(Identified { identity, grant: Some(Grant { standing, expires_at, key: None }) })
    }

    /// Who somebody is now whose answer goes on.
    ///
    /// # Errors
    /// 401 where the session or the token has ended.
    pub async fn again(&self, grant: &Grant) -> Result<Arc<Identity>, Problem> {
        let now = self.now();
        if grant.expires_at <= now {
            return Err(token::expired());
        }
        if let Some(key) = &grant.key {
            return self.keys.again(&self.engine, key, now).await;
        }
        match grant.standing.identity(now) {
            Some(identity) if !self.is_deaf() => Ok(identity),
            _ => self.look(&grant.standing, now).await,
        }
    }

    /// Takes a new picture of a session and its person.
    async fn look(&self, standing: &Standing, now: i64) -> Result<Arc<Identity>, Problem> {
        let changes = standing.changes();
        let (identity, session) = self.picture(standing, now).await?;
        standing.put(Arc::clone(&identity), changes, session.expires_at, session.used_at);
        Ok(identity)
    }

    async fn picture(&self, standing: &Standing, now: i64) -> Result<(Arc<Identity>, Session), Problem> {
        let over = || Problem::new(Code::BadCredentials, "the session has ended");
        let people = self.people().map_err(|_| over())?;
        let rows = self.store().own_read(Session::find(&standing.session, now)).await?;
        let session = Session::read(rows.first().ok_or_else(over)?)?;
        if *session.person != *standing.person {
            return Err(over());
        }
        let person = people.find(&self.engine, &session.person).await?.ok_or_else(over)?;
        let identity = person.identity.ok_or_else(over)?;
        let identity = Identity {
            session: Some(Arc::clone(&standing.session)),
            authenticated_at: Some(session.authenticated_at),
            ..identity
        };
        Ok((Arc::new(identity), session))
    }

    /// Moves the end of a cookie's session, off the path of the request.
    fn note_use(&self, standing: &Arc<Standing>, now: i64) {
        let Ok(people) = self.people() else { return };
        let Ok(settings) = people.settings() else { return };
        let ttl = micros(settings.session_ttl);
        if !standing.is_due(now, NOTED_EVERY.min(ttl / 4)) {
            return;
        }
        let touch = Session::touch(&standing.session, ttl, now);
        let (store, standing) = (Arc::clone(self.store()), Arc::clone(standing));
        tokio::spawn(async move {
            if let Err(problem) = store.own(vec![touch]).await {
                tracing::warn!(
                    user = &*standing.person,
                    cause = problem.cause,
                    "the use of a session could not be noted"
                );
            }
            // Its picture says when it ends.
            standing.forget_picture();
        });
    }

    /// Who signs tokens for whom.
    ///
    /// # Errors
    /// Never: a resource of people has the table.
    pub fn parties(&self, people: &People) -> Result<Parties, Problem> {
        let audience = people.settings()?.audience.clone();
        let issuer = self.setup.public_url.clone();
        Ok(Parties { audience: audience.unwrap_or_else(|| issuer.clone()), issuer })
    }

    /// Whether so long nothing has come from the database that what is remembered may be wrong.
    pub(crate) fn is_deaf(&self) -> bool {
        self.since_start() - self.heard.load(Ordering::Relaxed) > DEAF
    }

    pub(crate) fn since_start(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

pub use store::own::identity::bump;

/// Tells all nodes that the signing keys have changed.
#[must_use]
pub fn bump_keys(now: i64) -> Statement {
    bump("", now)
}
