//! What a session gets: access tokens.

use model::{Problem, caller::Identity};

use crate::{
    Auth, People,
    session::{Session, micros},
    token::Claims,
};

/// An access token.
#[derive(Debug, Clone)]
pub struct Access {
    /// The JWT.
    pub text: String,
    /// How long it is good: seconds.
    pub expires_in: i64,
}

impl Auth {
    /// An access token for a session of somebody.
    ///
    /// # Errors
    /// There is no key.
    pub async fn access_token(
        &self,
        people: &People,
        identity: &Identity,
        session: &Session,
        now: i64,
    ) -> Result<Access, Problem> {
        let ttl = micros(people.settings()?.access_ttl);
        let seconds = |micros: i64| micros.div_euclid(1_000_000);
        // Never longer than the session, but for a second at least, as tokens count in seconds.
        let expires_at = seconds(now.saturating_add(ttl).min(session.expires_at)).max(seconds(now) + 1);
        let parties = self.parties(people)?;
        let claims = Claims {
            iss: parties.issuer,
            aud: parties.audience,
            sub: session.person.clone(),
            sid: session.id.clone(),
            iat: seconds(now),
            exp: expires_at,
            auth_time: seconds(session.authenticated_at),
            amr: session.amr.clone(),
            roles: identity.roles.clone(),
        };
        let text = self.keyring().await?.in_force(now)?.signer().sign(&claims)?;
        Ok(Access { text, expires_in: expires_at - seconds(now) })
    }
}
