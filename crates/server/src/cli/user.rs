//! `mainstay user`: people, by the operator. The first administrator comes this way.

use std::{io::Read as _, path::Path, process::ExitCode, sync::Arc};

use auth::{Auth, People, Person, audit, code, credential, identify, link, passkeys, password, session::Session};
use engine::{AccountChange, Engine, ListRequest, SystemClock};
use model::Caller;
use rules::plan::Written;
use serde_json::{Map, Value as Json, json};
use store::{Beside, Statement};

use super::{
    database, exposure,
    failure::Failure,
    files,
    terminal::{self, bold},
};
use crate::identity;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make an account, and print a link by which its owner sets a password.
    #[command(after_help = "Examples:\n  mainstay user add ann@example.org --role admin\n  mainstay user add \
                            ann@example.org --field name=Ann\n  mainstay user add --service --role reporter\n\nThe link \
                            works once, for 7 days. Works beside a running server.")]
    Add {
        /// The address; none for a machine (`--service`).
        #[arg(required_unless_present = "service", conflicts_with = "service")]
        email: Option<String>,
        /// A role; may be given several times.
        #[arg(long)]
        role: Vec<String>,
        /// A machine: somebody without an address, who uses keys.
        #[arg(long)]
        service: bool,
        /// A field of the record, as NAME=VALUE; what is no JSON is a string.
        #[arg(long, value_name = "NAME=VALUE", value_parser = field)]
        field: Vec<(String, Json)>,
        /// Take a password hash of another program (bcrypt or Argon2) from standard input, instead of printing a link.
        #[arg(long, conflicts_with = "service")]
        hash: bool,
        /// The answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Give somebody these roles, and no others.
    Role {
        /// The address or the id.
        who: String,
        /// The roles; none takes all away.
        roles: Vec<String>,
    },
    /// Make somebody nobody: all sessions end at once, and no new one begins.
    Disable {
        /// The address or the id.
        who: String,
    },
    /// Let somebody in again.
    Enable {
        /// The address or the id.
        who: String,
    },
    /// Print a link by which somebody sets a new password.
    Password {
        /// The address or the id.
        who: String,
        /// The answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take all factors from somebody who has lost them: authenticator app, recovery codes and passkeys. All sessions end.
    ResetMfa {
        /// The address or the id.
        who: String,
    },
    /// List people.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What a command works with.
struct Office {
    engine: Arc<Engine>,
    auth: Auth,
    people: People,
    caller: Caller,
    reset_page: String,
}

pub(super) async fn run(directory: &Path, command: &Command) -> Result<ExitCode, Failure> {
    let app = files::load(directory)?;
    let store = database::open(&app.settings, &app.catalog, directory).await?;
    let engine = Arc::new(Engine::new(Arc::clone(&app.catalog), store, Arc::new(SystemClock)));
    let auth = identity::auth(&app.settings, &engine);
    let done = match auth.people() {
        Ok(people) => {
            let page = people.settings()?.links.reset.clone();
            let reset_page = page.unwrap_or_else(|| format!("{}/auth/reset", app.settings.server.public_url));
            let caller = exposure::operator("user", auth.now());
            Office { engine: Arc::clone(&engine), auth, people, caller, reset_page }.carry_out(command).await
        }
        Err(problem) => Err(Failure::from(problem).help("`[auth]` in a file of resources/ makes its records people")),
    };
    engine.store().close().await;
    done.map(|()| ExitCode::SUCCESS)
}

/// How a new person will come in.
#[derive(Clone)]
enum WayIn {
    /// A machine's, which an operator makes next.
    Key,
    /// That of the account's former home.
    Password {
        hash: String,
    },
    Link {
        email: String,
        secret: String,
    },
}

impl Office {
    async fn carry_out(&self, command: &Command) -> Result<(), Failure> {
        match command {
            Command::Add { email, role, service: _, field, hash, json } => {
                let hash = if *hash { Some(read_hash()?) } else { None };
                self.add(email.as_deref(), role, field, hash.as_deref(), *json).await
            }
            Command::Role { who, roles } => {
                let person = self.find(who).await?;
                let change = AccountChange::Roles { id: person.key.clone(), roles: roles.clone() };
                self.change(change, &person, "user_role", &json!({ "roles": roles })).await?;
                let words = if roles.is_empty() { "no roles".to_owned() } else { roles.join(", ") };
                terminal::result(format_args!("{} has {words} now.", bold(who)));
                Ok(())
            }
            Command::Disable { who } => self.disable(who, true).await,
            Command::Enable { who } => self.disable(who, false).await,
            Command::Password { who, json } => {
                let person = self.find(who).await?;
                let Some(email) = &person.email else {
                    return Err(
                        Failure::new("a machine has no password").help("make it a key: `mainstay key create --for ID`")
                    );
                };
                let secret = link::reset_secret();
                let mut statements = link::reset(&secret, &person.id, email, true, self.auth.now());
                statements.push(audit::line("user_password_link", &self.caller, &person.actor(), &Json::Null));
                self.engine.store().own(statements).await?;
                self.show_link(&person, &secret, *json);
                Ok(())
            }
            Command::ResetMfa { who } => self.reset_mfa(who).await,
            Command::List { json } => self.list(*json).await,
        }
    }

    async fn add(
        &self,
        email: Option<&str>,
        roles: &[String],
        fields: &[(String, Json)],
        hash: Option<&str>,
        json: bool,
    ) -> Result<(), Failure> {
        let mut body: Map<String, Json> = fields.iter().cloned().collect();
        body.extend(email.map(|email| ("email".to_owned(), email.into())));
        let verified = hash.is_some();
        let change = AccountChange::New { body: Json::Object(body), verified, roles: roles.to_vec() };
        let (caller, detail) = (self.caller.clone(), json!({ "roles": roles, "machine": email.is_none() }));
        // The way in is made with the person, so that nobody is left without one. What is tried again makes another link.
        let way = match (email, hash) {
            (None, _) => WayIn::Key,
            (Some(_), Some(hash)) => WayIn::Password { hash: hash.to_owned() },
            (Some(email), None) => WayIn::Link { email: email.to_owned(), secret: link::reset_secret() },
        };
        let (now, kept) = (self.auth.now(), way.clone());
        let after = move |written: &[Written]| {
            let id = written.first().map(|one| store::id_text(one.record.id())).unwrap_or_default();
            let mut statements = match &kept {
                WayIn::Key => Vec::new(),
                WayIn::Password { hash } => vec![credential::set(&id, hash, now)],
                WayIn::Link { email, secret } => link::reset(secret, &id, email, true, now),
            };
            statements.push(audit::line("user_add", &caller, &format!("user:{id}"), &detail));
            Ok(statements)
        };
        let beside = Beside { after: Some(Arc::new(after)), ..Beside::default() };
        let record = self.engine.keep_account(self.caller.clone(), change, beside).await?;
        let id = store::id_text(record.id());
        match &way {
            WayIn::Link { secret, .. } => self.show_link(&self.find(&id).await?, secret, json),
            WayIn::Key | WayIn::Password { .. } if json => terminal::json(&json!({ "id": id })),
            WayIn::Key | WayIn::Password { .. } => terminal::result(&id),
        }
        if matches!(way, WayIn::Key) && !json {
            terminal::tell("A machine has been made; it comes in by a key: `mainstay key create --for ID`.");
        }
        Ok(())
    }

    fn show_link(&self, person: &Person, secret: &str, json: bool) {
        let link = format!("{}#{secret}", self.reset_page);
        if json {
            terminal::json(&json!({ "id": person.id, "email": person.email, "link": link }));
        } else {
            terminal::result(&link);
            let email = person.email.as_deref().unwrap_or_default();
            terminal::tell(format_args!("{} sets a password with it, once, within 7 days.", bold(email)));
        }
    }

    async fn disable(&self, who: &str, disabled: bool) -> Result<(), Failure> {
        let person = self.find(who).await?;
        let what = if disabled { "user_disable" } else { "user_enable" };
        let change = AccountChange::Disabled { id: person.key.clone(), disabled };
        self.change(change, &person, what, &Json::Null).await?;
        let word = if disabled { "disabled; all sessions have ended" } else { "enabled" };
        terminal::result(format_args!("{} is {word}.", bold(who)));
        Ok(())
    }

    async fn reset_mfa(&self, who: &str) -> Result<(), Failure> {
        let (person, now) = (self.find(who).await?, self.auth.now());
        let mut statements = passkeys::reset(&person.id);
        statements.extend([
            // Sign-ins that are under way.
            code::forget(&person.id),
            Session::end_all(&person.id, None),
            identify::bump(&person.id, now),
            audit::line("user_reset_mfa", &self.caller, &person.actor(), &Json::Null),
        ]);
        self.engine.store().own(statements).await?;
        terminal::result(format_args!("{} has no factors any more; all sessions have ended.", bold(who)));
        terminal::tell("Who has no password sets one by the link of `mainstay user password`.");
        Ok(())
    }

    async fn change(
        &self,
        change: AccountChange,
        person: &Person,
        what: &'static str,
        detail: &Json,
    ) -> Result<(), Failure> {
        let line: Statement = audit::line(what, &self.caller, &person.actor(), detail);
        let beside = Beside { before: vec![line], ..Beside::default() };
        self.engine.keep_account(self.caller.clone(), change, beside).await?;
        Ok(())
    }

    async fn find(&self, who: &str) -> Result<Person, Failure> {
        let found = if who.contains('@') {
            self.people.find_by_email(&self.engine, who).await?
        } else {
            self.people.find(&self.engine, who).await?
        };
        found.ok_or_else(|| {
            Failure::new(format!("there is nobody of the address or id {who:?}"))
                .help("`mainstay user list` lists people")
        })
    }

    async fn list(&self, json: bool) -> Result<(), Failure> {
        let (resource, _) = self.people.resource()?;
        let name = resource.name.clone();
        let mut all = Vec::new();
        let mut cursor = None;
        loop {
            let mut request = ListRequest { cursor, ..ListRequest::default() };
            let fields = ["id", "email", "email_verified", "roles", "disabled"];
            request.query.form.fields = Some(fields.iter().map(|field| (*field).to_owned()).collect());
            request.query.page.limit = 200;
            let answer = self.engine.list(self.caller.clone(), &name, request).await?;
            let page: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
            let items = page["items"].as_array().cloned().unwrap_or_default();
            if json {
                all.extend(items);
            } else {
                items.iter().for_each(show);
            }
            cursor = answer.next;
            if cursor.is_none() {
                break;
            }
        }
        if json {
            terminal::json(&Json::Array(all));
        }
        Ok(())
    }
}

/// A line of the list.
fn show(person: &Json) {
    let text = |json: &Json| json.as_str().map_or_else(|| json.to_string(), str::to_owned);
    let roles: Vec<String> = person["roles"].as_array().into_iter().flatten().map(text).collect();
    let email = person["email"].as_str().unwrap_or("(machine)");
    let mut words = vec![text(&person["id"]), bold(email)];
    words.extend((!roles.is_empty()).then(|| roles.join(", ")));
    words.extend((person["email_verified"] == false && person["email"].is_string()).then(|| "not verified".to_owned()));
    words.extend((person["disabled"] == true).then(|| "disabled".to_owned()));
    terminal::result(words.join("  "));
}

fn field(text: &str) -> Result<(String, Json), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let json = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((name.to_owned(), json))
}

/// From standard input, since other people of a machine see its command lines.
fn read_hash() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().take(4096).read_to_string(&mut text);
    read.map_err(|error| Failure::caused("could not read the hash from standard input", &error))?;
    let hash = text.trim().to_owned();
    if password::is_known_hash(&hash) {
        return Ok(hash);
    }
    Err(Failure::new("standard input has no hash that is understood").help("bcrypt ($2b$…) or Argon2 ($argon2id$…)"))
}
