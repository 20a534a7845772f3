//! What strangers can reach: shown when a server starts, so that an open door is open on purpose.

use std::{net::IpAddr, sync::Arc};

use model::{Caller, CallerValue, ResourceIndex, caller::Identity, identity::SignUp};
use rules::{
    Catalog, Condition, Part, Rule, Situation,
    expression::{Expression, Node},
};

/// Whether a rule admits strangers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admits {
    /// To every record.
    All,
    /// To some records, or under some condition.
    Some,
    /// To none.
    None,
}

/// What strangers may do with a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exposure {
    pub(super) resource: String,
    pub(super) read: Admits,
    pub(super) create: Admits,
    pub(super) update: Admits,
    pub(super) delete: Admits,
    /// Whether they can become one of these records.
    pub(super) sign_up: bool,
}

impl Exposure {
    /// The actions open to strangers: `read, create (some)`; empty for none.
    pub(super) fn words(&self) -> String {
        let actions = [("read", self.read), ("create", self.create), ("update", self.update), ("delete", self.delete)];
        let word = |(action, admits): (&str, Admits)| match admits {
            Admits::All => Some(action.to_owned()),
            Admits::Some => Some(format!("{action} (some)")),
            Admits::None => None,
        };
        let sign_up = self.sign_up.then(|| "sign up".to_owned());
        actions.into_iter().filter_map(word).chain(sign_up).collect::<Vec<_>>().join(", ")
    }
}

/// A caller of the program's own, from this machine.
pub(super) fn caller(identity: Identity, now: i64) -> Caller {
    Caller {
        identity: Arc::new(identity),
        address: IpAddr::from([127, 0, 0, 1]),
        method: "POST",
        now,
        // What one command does is one request.
        request_id: format!("cli-{:016x}", rand::random::<u64>()).into(),
    }
}

/// Whoever can run a command on this machine: an administrator to the rules, and in the logs the command (`cli:import`) with the
/// user of the operating system for a session.
pub(super) fn operator(command: &str, now: i64) -> Caller {
    let user = rustix::process::getuid().as_raw();
    let identity = Identity {
        roles: vec![model::identity::ADMIN.to_owned()],
        actor: Some(format!("cli:{command}")),
        session: Some(format!("uid:{user}").into()),
        ..Identity::anonymous()
    };
    caller(identity, now)
}

/// What strangers can reach of each resource, in the order of their names.
pub(super) fn of(catalog: &Arc<Catalog>) -> Vec<Exposure> {
    let stranger = caller(Identity::anonymous(), 0);
    let one = |resource: ResourceIndex| {
        let [read, create, update, delete] = of_resource(catalog, resource, &stranger, &|_| None);
        let declared = catalog.schema.get(resource);
        let sign_up = declared.identity.as_ref().is_some_and(|own| own.sign_up == SignUp::Open);
        Exposure { resource: declared.name.clone(), read, create, update, delete, sign_up }
    };
    catalog.schema.indices().map(one).collect()
}

/// Whom the rules of a resource admit of those who are like this caller: what is each one's own (an address, claims, where and
/// when they ask from) is left open. `known` may know better of a part.
pub(super) fn of_resource(
    catalog: &Catalog,
    resource: ResourceIndex,
    caller: &Caller,
    known: &dyn Fn(&Condition) -> Option<Admits>,
) -> [Admits; 4] {
    let policy = catalog.policy(resource);
    [&policy.read, &policy.create, &policy.update, &policy.delete].map(|rule| match rule {
        _ if caller.identity.is_admin() => Admits::All,
        None => Admits::None,
        Some(rule) => admitted(catalog, rule, caller, known),
    })
}

fn admitted(catalog: &Catalog, rule: &Rule, caller: &Caller, known: &dyn Fn(&Condition) -> Option<Admits>) -> Admits {
    let stranger = !caller.identity.is_known();
    // What is asked about the caller alone holds of everybody like this one, or of nobody, unless it is about what differs.
    let alike = |test: &Condition| {
        if matches!(test, Condition::All(_) | Condition::Any(_)) || differs(test) {
            return None;
        }
        let situation = Situation { caller: Some(caller), ..Situation::blank(&catalog.schema) };
        Some(if situation.judge(test) { Admits::All } else { Admits::None })
    };
    let part = |part: &Condition| match part {
        Condition::Test(number) => Some(match rule.tests.get(*number) {
            Some(test) => admits_with(test, stranger, &alike),
            None => Admits::Some,
        }),
        part => known(part),
    };
    admits_with(&rule.condition, stranger, &part)
}

/// Whether a condition speaks of something that differs between callers with the same roles.
fn differs(condition: &Condition) -> bool {
    let mut found = false;
    condition.walk(&mut |part| {
        if let Part::Expression(Expression { node: Node::Caller(value), .. }) = part {
            found |= !matches!(value, CallerValue::Id | CallerValue::Roles);
        }
    });
    found
}

/// The same for a stranger or somebody; `known` may know better of a part.
fn admits_with(condition: &Condition, stranger: bool, known: &dyn Fn(&Condition) -> Option<Admits>) -> Admits {
    if let Some(admits) = known(condition) {
        return admits;
    }
    let below = |part: &Condition| admits_with(part, stranger, known);
    let absent = |side: &Expression| stranger && is_absent(side);
    match condition {
        Condition::Constant(true) => Admits::All,
        Condition::Constant(false) => Admits::None,
        Condition::All(parts) => {
            let all: Vec<_> = parts.iter().map(below).collect();
            if all.contains(&Admits::None) {
                Admits::None
            } else if all.iter().all(|part| *part == Admits::All) {
                Admits::All
            } else {
                Admits::Some
            }
        }
        Condition::Any(parts) => {
            let any: Vec<_> = parts.iter().map(below).collect();
            if any.contains(&Admits::All) {
                Admits::All
            } else if any.iter().all(|part| *part == Admits::None) {
                Admits::None
            } else {
                Admits::Some
            }
        }
        Condition::Compare { left, right, .. } if absent(left) || absent(right) => Admits::None,
        Condition::Truth(expression, _) | Condition::IsPresent(expression) if absent(expression) => Admits::None,
        Condition::IsNull(expression) if absent(expression) => Admits::All,
        Condition::In { needle, list, .. } if absent(needle) || absent(list) => Admits::None,
        Condition::Quantified { quantifier: rules::expression::Quantifier::Exists, body, .. }
            if below(body) == Admits::None =>
        {
            Admits::None
        }
        _ => Admits::Some,
    }
}

/// Whether a stranger has no such value: any comparison with it is undefined.
fn is_absent(expression: &Expression) -> bool {
    match &expression.node {
        Node::Caller(value) => matches!(value, CallerValue::Id | CallerValue::Email | CallerValue::Claim(_)),
        Node::Convert(inner) | Node::Lower(inner) | Node::Size(inner) | Node::Negate(inner) => is_absent(inner),
        Node::Arithmetic { left, right, .. } => is_absent(left) || is_absent(right),
        _ => false,
    }
}
