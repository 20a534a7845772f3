//! `mainstay key`: keys of operators, which are nobody's, and of people and machines.

use std::{path::Path, process::ExitCode, sync::Arc};

use auth::{
    People,
    api_key::{self, Draft},
    audit, identify,
};
use engine::{AccountKey, Clock as _, Engine, SystemClock};
use model::{Problem, caller::Identity, identity::ADMIN, time::format_datetime};
use serde_json::{Value as Json, json};
use store::Row;

use super::{
    database, exposure,
    failure::Failure,
    files,
    terminal::{self, bold},
};

/// The most keys that are listed.
const MOST: i64 = 10_000;
/// What a machine's or person's key may do unless it is said.
const ALL: [&str; 2] = ["*:read", "*:write"];

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a key and print it, once: only its hash is stored.
    #[command(
        after_help = "Examples:\n  mainstay key create\n  KEY=$(mainstay key create --name ci)\n  mainstay key create \
                            --role staff --json\n  mainstay key create --for $(mainstay user add --service) --scope \
                            orders:read\n\nSend it as `Authorization: Bearer msk_…`. A running server takes it at once."
    )]
    Create(Create),
    /// List the keys, the latest first; a key itself is never shown again.
    List {
        /// The answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// End a key, by its id. Running servers refuse it within two seconds.
    Revoke {
        /// What stands between the underscores of the key.
        id: String,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Create {
    /// What people call it.
    #[arg(long, default_value = "key", value_parser = name)]
    name: String,
    /// A role that it has; `admin`, which passes every access rule, unless given. With `--for`, one of the owner's, who gives it
    /// all unless given. May be given several times.
    #[arg(long, value_parser = role)]
    role: Vec<String>,
    /// Whose it is: the id of a machine (`mainstay user add --service`), or somebody's e-mail or id. Nobody's unless given.
    #[arg(long = "for", value_name = "WHO")]
    owner: Option<String>,
    /// What it may do, as in `orders:read`; everything unless given. May be given several times.
    #[arg(long, requires = "owner", value_name = "SCOPE")]
    scope: Vec<String>,
    /// The answer as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(directory: &Path, command: &Command) -> Result<ExitCode, Failure> {
    let app = files::load(directory)?;
    let store = database::open(&app.settings, &app.catalog, directory).await?;
    let engine = Arc::new(Engine::new(Arc::clone(&app.catalog), Arc::clone(&store), Arc::new(SystemClock)));
    let done = match command {
        Command::Create(arguments) => create(&engine, arguments).await,
        Command::List { json } => list(&engine, *json).await,
        Command::Revoke { id } => revoke(&engine, id).await,
    };
    store.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn create(engine: &Arc<Engine>, arguments: &Create) -> Result<(), Failure> {
    let Create { name, role, owner, scope, json } = arguments;
    let now = SystemClock.now();
    let Some(owner) = owner else {
        let roles = if role.is_empty() { vec![ADMIN.to_owned()] } else { role.clone() };
        let key = Draft::operator(name, &roles, now);
        let detail = json!({ "key": key.id, "name": name, "roles": roles });
        let line = audit::line("key_made", &exposure::operator("key", now), &format!("key:{}", key.id), &detail);
        engine.store().own(vec![key.insert(None), line]).await?;
        show(
            &key,
            *json,
            &json!({ "key": key.text, "id": key.id, "name": name, "roles": roles }),
            &roles.join(", "),
            name,
        );
        return Ok(());
    };
    let people = People::of(engine.gate())?;
    let (resource, _) = people.resource()?;
    let id = model::parse_id(resource.id_kind, owner);
    let nobody = exposure::caller(Identity::anonymous(), now);
    let account = engine.account(&nobody, id.as_ref().map_or(AccountKey::Email(owner), AccountKey::Id)).await?;
    let none = || Failure::new(format!("there is no person `{owner}` in `{}`", resource.name));
    let identity = account.ok_or_else(none)?.identity;
    let identity =
        identity.ok_or_else(|| Failure::new(format!("`{owner}` is disabled, so a key would be of no use")))?;
    let scopes: Vec<String> = match scope.is_empty() {
        true => ALL.map(str::to_owned).to_vec(),
        false => scope.clone(),
    };
    for scope in &scopes {
        if let Some(flaw) = api_key::scope_flaw(&engine.gate().catalog().schema, scope) {
            return Err(Failure::new(format!("the scope `{scope}`: {flaw}")));
        }
    }
    if let Some(missing) = role.iter().find(|role| !identity.roles.contains(role)) {
        return Err(Failure::new(format!(
            "`{owner}` has no role `{missing}`, and a key has roles of its owner's alone"
        )));
    }
    let roles = (!role.is_empty()).then_some(role.as_slice());
    let key = Draft::new(name, &scopes, roles, None, now);
    let person = store::id_text(&identity.id);
    let line = audit::line(
        "key_made",
        &exposure::operator("key", now),
        &format!("user:{person}"),
        &json!({ "key": key.id, "name": name, "scopes": scopes }),
    );
    engine.store().own(vec![key.insert(Some(&person)), line]).await?;
    let answer =
        json!({ "key": key.text, "id": key.id, "name": name, "roles": roles, "scopes": scopes, "owner": person });
    show(&key, *json, &answer, &scopes.join(", "), name);
    Ok(())
}

fn show(key: &Draft, json: bool, answer: &Json, may: &str, name: &str) {
    if json {
        terminal::json(answer);
    } else {
        terminal::result(&key.text);
        terminal::tell(format_args!("The key {} ({may}). Keep it: it can't be shown again.", bold(name)));
    }
}

async fn list(engine: &Engine, json: bool) -> Result<(), Failure> {
    let rows = engine.store().own_read(api_key::all(MOST)).await?;
    if json {
        let keys: Vec<Json> = rows.iter().map(described).collect();
        terminal::json(&json!(keys));
        return Ok(());
    }
    for row in &rows {
        let owner = row.text(7).map_or("nobody's".to_owned(), |owner| format!("of {owner}"));
        let used = row.integer(6).map_or("never used".to_owned(), |at| format!("used {}", format_datetime(at)));
        terminal::result(format_args!(
            "{}  {}  {owner}  {}  {used}",
            row.text(0).unwrap_or(""),
            row.text(1).unwrap_or(""),
            row.text(2).or(row.text(3)).unwrap_or("")
        ));
    }
    Ok(())
}

fn described(row: &Row) -> Json {
    let list = |column| row.text(column).and_then(|text| serde_json::from_str::<Json>(text).ok()).unwrap_or_default();
    let moment = |column| row.integer(column).map(format_datetime);
    json!({
        "id": row.text(0), "name": row.text(1), "owner": row.text(7), "scopes": list(2), "roles": list(3),
        "created_at": moment(4), "expires_at": moment(5), "used_at": moment(6),
    })
}

async fn revoke(engine: &Engine, id: &str) -> Result<(), Failure> {
    // Who pastes the whole key means it by its id.
    let id = id.strip_prefix("msk_").and_then(|rest| rest.split_once('_')).map_or(id, |(id, _)| id);
    let rows = engine.store().own_read(api_key::owner_of(id)).await?;
    let none = || Failure::new(format!("there is no key `{id}`")).help("`mainstay key list` lists them");
    let row = rows.first().ok_or_else(none)?;
    let caller = exposure::operator("key", SystemClock.now());
    let subject = row.text(0).map_or_else(|| format!("key:{id}"), |person| format!("user:{person}"));
    let mut statements = vec![
        api_key::revoke(id).or_else(Problem::not_found()),
        audit::line("key_deleted", &caller, &subject, &json!({ "key": id })),
    ];
    // What goes on by the key ends on every node.
    statements.extend(row.text(0).map(|person| identify::bump(person, caller.now)));
    engine.store().own(statements).await?;
    terminal::result(format_args!("The key {} is good no more.", bold(id)));
    Ok(())
}

fn name(text: &str) -> Result<String, String> {
    if api_key::is_name(text) { Ok(text.to_owned()) } else { Err(api_key::NAME.to_owned()) }
}

fn role(text: &str) -> Result<String, String> {
    let good = text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.len() <= 60
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if good { Ok(text.to_owned()) } else { Err("expected a name of a-z, 0-9 and _, as in `admin`".to_owned()) }
}
