//! What holds of people whatever the rules say: an address, proved or not, and somebody who administrates.

use model::{Caller, Flaw, Problem, Record, ResourceIndex, Value, identity::PersonFields};
use rules::{Catalog, plan::WritePlan};

use serde_json::{Value as Json, json};

use crate::{
    own::{
        Statement,
        audit::{self, AuditLine},
        identity,
    },
    transaction::Tx,
};

fn fields(plan: &WritePlan) -> Option<PersonFields> {
    plan.catalog.schema.get(plan.resource).identity.as_ref().map(|identity| identity.fields)
}

/// A person without an address: only machines have none, and only the sign-in machinery makes those.
pub(super) fn flaw(plan: &WritePlan, old: Option<&Record>, new: &Record) -> Option<Flaw> {
    let email = fields(plan)?.email;
    let was_machine = old.is_some_and(|old| old.get(email).is_null());
    let missing = new.get(email).is_null() && !was_machine && !plan.by_keeper;
    missing.then(|| Flaw::pointer("/email", "required", "email is required"))
}

/// Another address has yet to be proved.
pub(super) fn settle(plan: &WritePlan, old: &Record, new: &mut Record) {
    let Some(fields) = fields(plan).filter(|_| !plan.by_keeper) else { return };
    let same = match (old.get(fields.email), new.get(fields.email)) {
        (Value::Text(old), Value::Text(new)) => old.eq_ignore_ascii_case(new),
        (old, new) => old == new,
    };
    if !same {
        new.set(fields.email_verified, Value::Boolean(false));
    }
}

/// Refuses to let the last enabled administrator go, be disabled or lose the role.
pub(super) async fn keep_an_administrator<T: Tx>(
    tx: &mut T,
    catalog: &Catalog,
    resource: ResourceIndex,
    old: &Record,
    new: Option<&Record>,
) -> Result<(), Problem> {
    let Some(identity) = &catalog.schema.get(resource).identity else { return Ok(()) };
    let fields = identity.fields;
    let roles = catalog.schema.roles().administrators();
    let administrates = |person: &Record| {
        !fields.is_disabled(person) && fields.roles_of(person).any(|role| roles.iter().any(|known| known == role))
    };
    if !administrates(old) || new.is_some_and(administrates) {
        return Ok(());
    }
    if tx.another_has_role(catalog, resource, fields, &roles, old.id()).await? {
        return Ok(());
    }
    let detail = "this is the last administrator who is not disabled; make another one first";
    Err(Problem::new(model::Code::LastAdministrator, detail))
}

/// What has to follow in the same transaction when a person's record has changed, or is gone: sessions end that may not go on,
/// nodes that remember the person hear of it, and the audit log has it.
pub(super) async fn follow<T: Tx>(
    tx: &mut T,
    catalog: &Catalog,
    caller: &Caller,
    resource: ResourceIndex,
    old: &Record,
    new: Option<&Record>,
) -> Result<(), Problem> {
    let resource = catalog.schema.get(resource);
    let Some(identity) = &resource.identity else { return Ok(()) };
    let fields = identity.fields;
    let person = crate::id_text(old.id());
    let mut statements = match new {
        None => identity::of_person(&person),
        Some(new) if fields.is_disabled(new) && !fields.is_disabled(old) => vec![identity::end_sessions(&person)],
        Some(_) => Vec::new(),
    };
    let changed = |new: &Record| fields.all().into_iter().filter(|field| old.get(*field) != new.get(*field)).collect();
    let changed: Vec<_> = new.map(changed).unwrap_or_default();
    if new.is_some() && changed.is_empty() {
        return Ok(());
    }
    // Whoever reads the mail of an address that is no longer theirs has no proof of them any more.
    if changed.contains(&fields.email) {
        statements.extend(identity::forget_mailed(&person));
    }
    statements.push(identity::bump(&person, caller.now));
    let revision = new.map_or(i64::MAX, |new| new.revision);
    let mut tell = |what: &str, detail: &Json| statements.push(line(what, caller, &person, revision, detail));
    match new {
        None => tell("person_deleted", &Json::Null),
        Some(new) => {
            if changed.contains(&fields.roles) {
                tell("roles_changed", &json!({ "before": roles(&fields, old), "after": roles(&fields, new) }));
            }
            if changed.contains(&fields.disabled) {
                tell(if fields.is_disabled(new) { "person_disabled" } else { "person_enabled" }, &Json::Null);
            }
            let others = changed.iter().filter(|field| **field != fields.roles && **field != fields.disabled);
            let names: Vec<&str> = others.map(|field| resource.get(*field).name.as_str()).collect();
            if !names.is_empty() {
                tell("person_changed", &json!({ "fields": names }));
            }
        }
    }
    for statement in &statements {
        tx.own(statement).await?;
    }
    Ok(())
}

/// What has to stand in the audit log when a person is new: the roles that it begins with.
pub(super) async fn begin<T: Tx>(
    tx: &mut T,
    catalog: &Catalog,
    caller: &Caller,
    resource: ResourceIndex,
    new: &Record,
) -> Result<(), Problem> {
    let Some(identity) = &catalog.schema.get(resource).identity else { return Ok(()) };
    let given = roles(&identity.fields, new);
    if given.is_empty() {
        return Ok(());
    }
    let detail = json!({ "before": [], "after": given });
    tx.own(&line("roles_changed", caller, &crate::id_text(new.id()), new.revision, &detail)).await.map(|_| ())
}

fn roles(fields: &PersonFields, person: &Record) -> Vec<String> {
    fields.roles_of(person).map(|role| role.to_string()).collect()
}

fn line(what: &str, caller: &Caller, person: &str, revision: i64, detail: &Json) -> Statement {
    audit::audit(AuditLine {
        id: format!("{:016x}{revision:016x}{what}{person}", caller.now),
        what,
        caller,
        subject: &format!("user:{person}"),
        address: None,
        count: 1,
        detail: if detail.is_null() { String::new() } else { detail.to_string() },
    })
}
