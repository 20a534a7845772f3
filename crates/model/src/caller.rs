//! Who asks, and what rules may know of the request.

use std::{net::IpAddr, sync::Arc};

use crate::value::Value;

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
    /// What the log names as the actor.
    pub actor: Option<String>,
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
        self.roles.iter().any(|role| role == "admin")
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
        match found {
            Some(serde_json::Value::String(text)) => Value::text(text),
            Some(serde_json::Value::Bool(truth)) => Value::Boolean(*truth),
            Some(serde_json::Value::Number(number)) => match number.as_i64() {
                Some(integer) => Value::Integer(integer),
                None => number.as_f64().map_or(Value::Null, Value::Float),
            },
            _ => Value::Null,
        }
    }
}
