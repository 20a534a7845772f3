//! Which mail goes to whom, and how many.
//!
//! A request lays an [`Errand`] up, in the transaction of what it is about; whom it reaches is found out behind the answer
//! ([`crate::postman`]), so that neither the answer nor its time tells whether an address is somebody's.

use std::sync::Arc;

use auth::{Auth, People, Person, audit, code, link, outbox};
use engine::Engine;
use mail::{Mail, NAMES, Templates};
use model::{Problem, identity::SignUp};
use serde_json::Value as Json;
use store::Statement;
use tokio::sync::Notify;

use crate::errand::Errand;

/// Mails of an hour to one address; further ones are not sent, and nobody is told.
const AN_HOUR: i64 = 5;
/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;

/// Takes errands, and writes the mails that they lead to.
pub(crate) struct Desk {
    templates: Templates,
    engine: Arc<Engine>,
    auth: Arc<Auth>,
    /// What mails call the app.
    app: String,
    wake: Notify,
}

/// A mail that an errand leads to, and what has to be kept for what it says to hold.
pub(crate) struct Letter {
    pub(crate) mail: Mail,
    pub(crate) keep: Vec<Statement>,
}

impl Desk {
    pub(crate) fn new(templates: Templates, engine: Arc<Engine>, auth: Arc<Auth>) -> Self {
        let app = auth.public_url().split("://").nth(1).unwrap_or("").split('/').next().unwrap_or("").to_owned();
        Self { templates, engine, auth, app, wake: Notify::new() }
    }

    /// What lays an errand up, to be run with what it is about.
    ///
    /// # Errors
    /// There is no master key.
    pub(crate) fn lay_up(&self, errand: &Errand, now: i64) -> Result<Statement, Problem> {
        outbox::put(self.auth.master()?, &encode(errand)?, errand.life(), now)
    }

    /// The same for word to somebody, by mail, of what has happened to its account; nothing for a machine.
    ///
    /// # Errors
    /// As before.
    pub(crate) fn tell(
        &self,
        template: &'static str,
        person: &Person,
        factor: &str,
        now: i64,
    ) -> Result<Option<Statement>, Problem> {
        let Some(email) = person.email.clone() else { return Ok(None) };
        let errand = Errand::Tell { template: template.to_owned(), email, factor: factor.to_owned() };
        self.lay_up(&errand, now).map(Some)
    }

    /// An errand has been laid up, and is kept.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until that is so.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// The app's host, by which people know it.
    pub(crate) fn host(&self) -> &str {
        self.app.split(':').next().unwrap_or_default()
    }

    /// Who the people are, and what is sealed for them.
    pub(crate) fn auth(&self) -> &Arc<Auth> {
        &self.auth
    }

    /// The mail that an errand leads to; none where the address is nobody's, or has had too many.
    ///
    /// # Errors
    /// The database's faults; a template that can't be filled in.
    pub(crate) async fn write(&self, errand: &Errand, now: i64) -> Result<Option<Letter>, Problem> {
        let minutes = ("minutes", code::MINUTES);
        match errand {
            Errand::Reset { email, asker } => {
                let people = self.auth.people()?;
                let Some((person, address)) = self.somebody(&people, email).await? else { return Ok(None) };
                let secret = link::reset_secret();
                let mut keep = link::reset(&secret, &person.id, &address, false, now);
                keep.push(audit::line("password_forgotten", &asker.caller(now), &person.actor(), &Json::Null));
                let link = self.link(people.settings()?.links.reset.as_deref().unwrap_or("/auth/reset"), &secret);
                let values = [("link", link.as_str()), ("minutes", link::RESET_MINUTES)];
                self.limited("reset", &address, &values, keep, now).await
            }
            Errand::SignIn { email, code } => {
                let people = self.auth.people()?;
                let values = [("code", code.text.as_str()), minutes];
                match people.find_by_email(&self.engine, email).await? {
                    // To the address as it is stored: what was typed may only look like it.
                    Some(Person { email: Some(address), identity: Some(_), .. }) => {
                        self.limited("sign_in", &address, &values, code.arm(), now).await
                    }
                    None if people.settings()?.sign_up == SignUp::Open => {
                        self.limited("sign_in", email, &values, code.arm(), now).await
                    }
                    _ => Ok(None),
                }
            }
            Errand::SignUp { email, code } => {
                let values = [("code", code.text.as_str()), minutes];
                match self.auth.people()?.find_by_email(&self.engine, email).await? {
                    Some(_) => self.limited("have_account", email, &[], Vec::new(), now).await,
                    None => self.limited("verify_email", email, &values, code.arm(), now).await,
                }
            }
            Errand::Prove { template, person, email, code } => {
                let values = [("code", code.text.as_str()), minutes];
                match self.auth.people()?.find_by_email(&self.engine, email).await? {
                    Some(other) if other.id != *person => {
                        self.limited("have_account", email, &[], Vec::new(), now).await
                    }
                    _ => self.limited(template, email, &values, code.arm(), now).await,
                }
            }
            Errand::Further { template, email, code } => {
                let values = [("code", code.text.as_str()), ("minutes", code::FURTHER_MINUTES)];
                self.limited(template, email, &values, code.arm(), now).await
            }
            Errand::Invite { email, secret } => {
                let people = self.auth.people()?;
                let link = self.link(people.settings()?.links.invite.as_deref().unwrap_or("/auth/join"), secret);
                let values = [("link", link.as_str()), ("days", link::INVITE_DAYS)];
                self.limited("invite", email, &values, Vec::new(), now).await
            }
            Errand::Tell { template, email, factor } => {
                let mail = self.fill(template, email, &[("factor", factor)])?;
                Ok(Some(Letter { mail, keep: Vec::new() }))
            }
            Errand::Mail { template, email, subject, text, html } => {
                let (to, subject, text) = (email.clone(), subject.clone(), text.clone());
                let mail = Mail { template: known(template)?, to, subject, text, html: html.clone() };
                Ok(Some(Letter { mail, keep: Vec::new() }))
            }
        }
    }

    /// Whose an address is, where that is somebody who may come in; with the address as it is stored.
    async fn somebody(&self, people: &People, email: &str) -> Result<Option<(Person, String)>, Problem> {
        let found = people.find_by_email(&self.engine, email).await?;
        let found = found.filter(|person| person.identity.is_some());
        Ok(found.and_then(|person| person.email.clone().map(|address| (person, address))))
    }

    /// A page, or the path of one of this server's own, and the secret behind `#`.
    fn link(&self, page: &str, secret: &str) -> String {
        let own = if page.starts_with('/') { self.auth.public_url() } else { "" };
        format!("{own}{page}#{secret}")
    }

    /// A mail, unless the address has had too many.
    async fn limited(
        &self,
        template: &str,
        to: &str,
        values: &[(&str, &str)],
        keep: Vec<Statement>,
        now: i64,
    ) -> Result<Option<Letter>, Problem> {
        let mail = self.fill(template, to, values)?;
        let count = Statement::new(
            "INSERT INTO _auth_mailed (recipient, since, count) VALUES ($1, $2, 1) ON CONFLICT (recipient) DO UPDATE SET \
             count = CASE WHEN _auth_mailed.since <= $3 THEN 1 ELSE _auth_mailed.count + 1 END, \
             since = CASE WHEN _auth_mailed.since <= $3 THEN excluded.since ELSE _auth_mailed.since END RETURNING count",
            [self.auth.master()?.pseudonym(to).into(), now.into(), (now - HOUR).into()],
        );
        let counted = self.auth.store().own(vec![count]).await?;
        let sent = counted.first().and_then(|outcome| outcome.rows.first()).and_then(|row| row.integer(0));
        Ok(sent.is_some_and(|sent| sent <= AN_HOUR).then_some(Letter { mail, keep }))
    }

    fn fill(&self, template: &str, to: &str, values: &[(&str, &str)]) -> Result<Mail, Problem> {
        let mut all: Vec<(&str, &str)> = vec![("app", &self.app), ("email", to), ("url", self.auth.public_url())];
        all.extend(values);
        self.templates.fill(known(template)?, to, &all).map_err(|error| Problem::internal(error.to_string()))
    }
}

/// An errand as it is kept.
pub(crate) fn encode(errand: &Errand) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(errand).map_err(|error| Problem::internal(format!("an errand can't be written: {error}")))
}

fn known(template: &str) -> Result<&'static str, Problem> {
    let found = NAMES.into_iter().find(|name| *name == template);
    found.ok_or_else(|| Problem::internal(format!("there is no template `{template}` any more")))
}
