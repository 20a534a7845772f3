//! Who asks, and what rules may know of the request.

use std::{net::IpAddr, sync::Arc};

use crate::{
    identity::ADMIN,
    scope::{Right, Scopes},
    value::Value,
};

/// Who asks, when and from where: all that a rule may know besides the data.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Who the caller is; shared, since one identity makes many requests.
    pub identity: Arc<Identity>,
    /// The client's address.
    pub address: IpAddr,
    /// The HTTP method, in capitals (`request.method`).
    pub method: &'static str,
    /// The time of the request: microseconds of UTC.
    pub now: i64,
    /// The request's id, as in `X-Request-Id`.
    pub request_id: Arc<str>,
}

/// A stranger, a person or a key.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// The person's id; null for strangers and keys without an owner.
    pub id: Value,
    /// The person's e-mail, once verified.
    pub email: Option<String>,
    /// Roles, those included by others among them, sorted.
    pub roles: Vec<String>,
    /// `auth.claims`: canonical JSON object, or none.
    pub claims: Option<String>,
    /// What the log names as the actor: `user:ID`, `key:ID`.
    pub actor: Option<String>,
    /// The session that this is a request of, by its public id.
    pub session: Option<Arc<str>>,
    /// When the person last proved who it is: microseconds of UTC; none for keys.
    pub authenticated_at: Option<i64>,
    /// Which state of person and session this is a picture of: it grows with each change of either.
    pub epoch: i64,
    /// What a key is confined to, whatever its roles; none for no confines.
    pub scopes: Option<Scopes>,
}

impl Identity {
    /// Nobody in particular.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// Whether the built-in role `admin`, which passes every access rule, is among the roles.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.roles.iter().any(|role| role == ADMIN)
    }

    /// Whether the scopes of its key, if it has any, reach as far as this. Access rules are asked besides.
    #[must_use]
    pub fn is_within_scope(&self, resource: &str, right: Right) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| scopes.allow(resource, right))
    }

    /// Whether somebody is known: signed in, or by a key.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.actor.is_some()
    }
}

/// A value of the request that a rule may name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CallerValue {
    /// `auth.id`
    Id,
    /// `auth.email`
    Email,
    /// `auth.roles`
    Roles,
    /// `auth.claims.a.b`, as text
    Claim(Vec<String>),
    /// `request.ip`
    Address,
    /// `request.method`
    Method,
    /// `now`
    Now,
}

impl Caller {
    /// What a rule sees of this caller.
    #[must_use]
    pub fn value(&self, what: &CallerValue) -> Value {
        match what {
            CallerValue::Id => self.identity.id.clone(),
            CallerValue::Email => self.identity.email.as_deref().map_or(Value::Null, Value::text),
            CallerValue::Roles => Value::List(self.identity.roles.iter().map(Value::text).collect()),
            CallerValue::Claim(path) => self.claim(path),
            CallerValue::Address => Value::text(self.address.to_string()),
            CallerValue::Method => Value::text(self.method),
            CallerValue::Now => Value::DateTime(self.now),
        }
    }

    fn claim(&self, path: &[String]) -> Value {
        let Some(claims) = &self.identity.claims else { return Value::Null };
        let Ok(document) = serde_json::from_str::<serde_json::Value>(claims) else { return Value::Null };
        let found = path.iter().try_fold(&document, |at, key| at.get(key));
        found.map(scalar_or_list).unwrap_or_default()
    }
}

/// A claim as a value: a scalar, or a list of scalars. Null for an object, and for a list that holds anything else.
fn scalar_or_list(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Array(items) => {
            let items: Vec<Value> = items.iter().map(scalar).collect();
            if items.iter().any(Value::is_null) { Value::Null } else { Value::List(items) }
        }
        other => scalar(other),
    }
}

fn scalar(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::String(text) => Value::text(text),
        serde_json::Value::Bool(truth) => Value::Boolean(*truth),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            None => number.as_f64().map_or(Value::Null, Value::Float),
        },
        _ => Value::Null,
    }
}
