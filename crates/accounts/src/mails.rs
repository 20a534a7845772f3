//! Which mail goes to whom, and how many.

use std::sync::Arc;

use auth::{Auth, People, Person, code, link};
use mail::{Post, Templates};
use model::Problem;
use store::Statement;

/// Mails of an hour to one address; further ones are not sent, and nobody is told.
const AN_HOUR: i64 = 5;
/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;

/// Writes mails and hands them over.
pub(crate) struct Desk {
    post: Post,
    templates: Templates,
    auth: Arc<Auth>,
    /// What mails call the app.
    app: String,
}

impl Desk {
    pub(crate) fn new(post: Post, templates: Templates, auth: Arc<Auth>) -> Self {
        let app = auth.public_url().split("://").nth(1).unwrap_or("").split('/').next().unwrap_or("").to_owned();
        Self { post, templates, auth, app }
    }

    /// A mail with a code, unless the address has had too many.
    pub(crate) async fn code(&self, template: &'static str, to: &str, code: &str, now: i64) -> Result<(), Problem> {
        self.limited(template, to, &[("code", code), ("minutes", code::MINUTES)], now).await
    }

    /// A mail with a code that a sign-in waits for.
    pub(crate) async fn further(&self, template: &'static str, to: &str, code: &str, now: i64) -> Result<(), Problem> {
        self.limited(template, to, &[("code", code), ("minutes", code::FURTHER_MINUTES)], now).await
    }

    /// A mail with a link to set a new password.
    pub(crate) async fn reset(&self, people: &People, to: &str, secret: &str, now: i64) -> Result<(), Problem> {
        let link = self.reset_link(people, secret)?;
        self.limited("reset", to, &[("link", &link), ("minutes", link::RESET_MINUTES)], now).await
    }

    /// A mail with an invitation.
    pub(crate) async fn invite(&self, people: &People, to: &str, secret: &str, now: i64) -> Result<(), Problem> {
        let link = self.link(people.settings()?.links.invite.as_deref().unwrap_or("/auth/join"), secret);
        self.limited("invite", to, &[("link", &link), ("days", link::INVITE_DAYS)], now).await
    }

    /// A mail to an address that has an account already.
    pub(crate) async fn have_account(&self, to: &str, now: i64) -> Result<(), Problem> {
        self.limited("have_account", to, &[], now).await
    }

    /// A mail that tells of something that has happened; always sent.
    pub(crate) fn tell(&self, template: &'static str, to: &str) -> Result<(), Problem> {
        self.send(template, to, &[])
    }

    /// Tells somebody that something has happened to a factor of its account, which needs no waiting for.
    pub(crate) fn tell_owner(&self, template: &'static str, person: &Person, factor: &str) {
        if let Some(email) = &person.email
            && let Err(problem) = self.send(template, email, &[("factor", factor)])
        {
            tracing::error!(template, cause = problem.cause, "somebody could not be told of a changed factor");
        }
    }

    /// The app's host, by which people know it.
    pub(crate) fn host(&self) -> &str {
        self.app.split(':').next().unwrap_or_default()
    }

    /// Where a new password is set with this secret.
    pub(crate) fn reset_link(&self, people: &People, secret: &str) -> Result<String, Problem> {
        Ok(self.link(people.settings()?.links.reset.as_deref().unwrap_or("/auth/reset"), secret))
    }

    /// A page, or the path of one of this server's own, and the secret behind `#`.
    fn link(&self, page: &str, secret: &str) -> String {
        let own = if page.starts_with('/') { self.auth.public_url() } else { "" };
        format!("{own}{page}#{secret}")
    }

    async fn limited(
        &self,
        template: &'static str,
        to: &str,
        values: &[(&'static str, &str)],
        now: i64,
    ) -> Result<(), Problem> {
        let count = Statement::new(
            "INSERT INTO _auth_mailed (recipient, since, count) VALUES ($1, $2, 1) ON CONFLICT (recipient) DO UPDATE SET \
             count = CASE WHEN _auth_mailed.since <= $3 THEN 1 ELSE _auth_mailed.count + 1 END, \
             since = CASE WHEN _auth_mailed.since <= $3 THEN excluded.since ELSE _auth_mailed.since END RETURNING count",
            [self.auth.master()?.pseudonym(to).into(), now.into(), (now - HOUR).into()],
        );
        let counted = self.auth.store().own(vec![count]).await?;
        let sent = counted.first().and_then(|outcome| outcome.rows.first()).and_then(|row| row.integer(0));
        if sent.is_some_and(|sent| sent <= AN_HOUR) { self.send(template, to, values) } else { Ok(()) }
    }

    fn send(&self, template: &'static str, to: &str, values: &[(&'static str, &str)]) -> Result<(), Problem> {
        let mut all: Vec<(&str, &str)> = vec![("app", &self.app), ("email", to), ("url", self.auth.public_url())];
        all.extend(values);
        let filled = self.templates.fill(template, to, &all);
        self.post.send(filled.map_err(|error| Problem::internal(error.to_string()))?);
        Ok(())
    }
}
