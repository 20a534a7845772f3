//! What holds of people whatever the rules say: an address, proved or not, and somebody who administrates.

use model::{Flaw, Problem, Record, ResourceIndex, Value, identity::PersonFields};
use rules::{Catalog, plan::WritePlan};

use crate::transaction::Tx;

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
