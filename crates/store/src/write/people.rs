//! What holds of people whatever the rules say: an address, proved or not, and somebody who administrates.

use model::{Caller, Flaw, Problem, Record, ResourceIndex, Value, identity::PersonFields};
use rules::{Catalog, plan::WritePlan};

use crate::{
    own::identity::{self, AuditLine},
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
    statements.push(identity::bump(&person, caller.now));
    let names: Vec<&str> = changed.iter().map(|field| resource.get(*field).name.as_str()).collect();
    statements.push(identity::audit(AuditLine {
        id: format!("{:016x}{:016x}{person}", caller.now, new.map_or(i64::MAX, |new| new.revision)),
        what: if new.is_some() { "person_changed" } else { "person_deleted" },
        caller,
        subject: &format!("user:{person}"),
        count: 1,
        detail: names.join(","),
    }));
    for statement in &statements {
        tx.own(statement).await?;
    }
    Ok(())
}
