//! `mainstay access`: what is open to whom, and why a call is let through or stopped.

mod table;

use std::{path::Path, process::ExitCode, sync::Arc};

use engine::{AccountKey, Clock as _, Engine, SystemClock};
use model::{Caller, Right, caller::Identity};
use serde_json::Value as Json;

use super::{
    database,
    explain::{self, Asked},
    exposure,
    failure::Failure,
    files, terminal,
};

/// Who has roles and is nobody.
const EXPLAINED: &str = "key:explained";

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Show each action of each resource: open, closed or conditional, for whom.
    Table(Table),
    /// Say which rule lets a call through or stops it, and which part of it was false.
    Explain(Explain),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mainstay access table\n  mainstay access table --json\n\nNeeds no database. `open` is every \
                        record, `conditional` some, `closed` none. The owner is whoever a reference to the people names."
)]
pub(super) struct Table {
    /// The answer as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mainstay access explain orders/7 --as ada@example.org\n  mainstay access explain orders/7 --as \
                  ada@example.org --action update --body '{\"country\":\"FR\"}'\n  mainstay access explain orders --action \
                  create --body '{\"country\":\"FR\"}' --role staff\n  mainstay access explain orders/7 --key V5nE0Uq1bTzk\n\nAsks the database of the app; nothing is changed. Exit \
                  code 0 whether the call is allowed or not."
)]
pub(super) struct Explain {
    /// A record, as in `orders/7`; a resource alone for a creation.
    #[arg(value_name = "RESOURCE/ID")]
    target: String,
    /// Who asks: a person's e-mail or id. A stranger unless given.
    #[arg(long = "as", value_name = "PERSON", conflicts_with_all = ["role", "key"])]
    person: Option<String>,
    /// Asks as somebody with this role and no record.
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// Asks with an API key, by its id: as its owner, within its scopes.
    #[arg(long, value_name = "KEY", conflicts_with = "role")]
    key: Option<String>,
    /// What is asked.
    #[arg(long, value_enum, default_value = "read")]
    action: Action,
    /// The body of a creation or a change, JSON.
    #[arg(long, value_name = "JSON")]
    body: Option<String>,
    /// The answer as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Action {
    Read,
    Create,
    Update,
    Delete,
}

pub(super) async fn run(directory: &Path, command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Table(arguments) => {
            let app = files::load(directory)?;
            let rows = table::of(&app.catalog);
            if arguments.json {
                terminal::json(&table::to_json(&rows));
            } else {
                table::show(&rows);
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Explain(arguments) => explain(directory, arguments).await,
    }
}

async fn explain(directory: &Path, arguments: &Explain) -> Result<ExitCode, Failure> {
    let (resource, id) =
        arguments.target.trim_start_matches("/api/").split_once('/').unwrap_or((&arguments.target, ""));
    let right = match arguments.action {
        Action::Read => Right::Read,
        Action::Create => Right::Create,
        Action::Update => Right::Update,
        Action::Delete => Right::Delete,
    };
    if id.is_empty() && right != Right::Create {
        return Err(Failure::new(format!("which record of `{resource}`?")).help(format!("write {resource}/ID")));
    }
    let body: Json = serde_json::from_str(arguments.body.as_deref().unwrap_or("{}"))
        .map_err(|error| Failure::caused("the body is no JSON", &error))?;
    let app = files::load(directory)?;
    let store = database::open(&app.settings, &app.catalog, directory).await?;
    let engine = Arc::new(Engine::new(Arc::clone(&app.catalog), Arc::clone(&store), Arc::new(SystemClock)));
    let asked = Asked { right, resource, id, body: &body };
    let explained = async {
        let caller = who(&engine, arguments).await?;
        let explanation = explain::explain(&engine, &caller, asked).await?;
        Ok::<_, Failure>((caller, explanation))
    };
    let explained = explained.await;
    store.close().await;
    let (caller, explanation) = explained?;
    if arguments.json {
        let mut answer = explanation.to_json();
        answer["as"] = describe(&caller).into();
        answer["action"] = right.name().into();
        answer["target"] = arguments.target.clone().into();
        terminal::json(&answer);
    } else {
        terminal::result(format_args!("{} {} as {}", right.name(), arguments.target, describe(&caller)));
        explanation.show();
    }
    Ok(ExitCode::SUCCESS)
}

/// Who is to be asked for.
async fn who(engine: &Arc<Engine>, arguments: &Explain) -> Result<Caller, Failure> {
    let now = SystemClock.now();
    let nobody = exposure::caller(Identity::anonymous(), now);
    if let Some(key) = &arguments.key {
        // Who pastes the whole key means it by its id.
        let id = key.strip_prefix("msk_").and_then(|rest| rest.split_once('_')).map_or(key.as_str(), |(id, _)| id);
        let identity = auth::api_key::identity_of(engine, id, now).await?;
        let none =
            || Failure::new(format!("there is no key `{id}`, or it is good no more: every call is refused with 401"));
        return Ok(exposure::caller(identity.ok_or_else(none)?, now));
    }
    let Some(person) = &arguments.person else {
        if arguments.role.is_empty() {
            return Ok(nobody);
        }
        let gate = engine.gate();
        let roles = gate.catalog().schema.roles().closure(arguments.role.iter().map(String::as_str));
        let actor = Some(EXPLAINED.to_owned());
        return Ok(exposure::caller(Identity { roles, actor, ..Identity::anonymous() }, now));
    };
    let gate = engine.gate();
    let Some((_, people, _)) = gate.catalog().schema.people() else {
        return Err(Failure::new("this app has no people who sign in").help("--role asks as somebody with a role"));
    };
    let id = model::parse_id(people.id_kind, person);
    let key = id.as_ref().map_or(AccountKey::Email(person), AccountKey::Id);
    let account = engine.account(&nobody, key).await?;
    let account = account.ok_or_else(|| Failure::new(format!("there is no person `{person}` in `{}`", people.name)))?;
    let disabled = || Failure::new(format!("`{person}` is disabled, so every call of theirs is refused with 401"));
    Ok(exposure::caller(account.identity.ok_or_else(disabled)?, now))
}

pub(super) fn describe(caller: &Caller) -> String {
    let identity = &caller.identity;
    if !identity.is_known() {
        return "a stranger".to_owned();
    }
    let mut words: Vec<String> = identity.email.iter().cloned().collect();
    let named = |actor: &String| actor.starts_with("user:") || (actor.starts_with("key:") && actor != EXPLAINED);
    words.extend(identity.actor.clone().filter(named));
    if !identity.roles.is_empty() {
        words.push(format!("roles {}", identity.roles.join(", ")));
    }
    words.join(", ")
}
