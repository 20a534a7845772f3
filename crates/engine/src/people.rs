//! What the sign-in machinery asks of the records of people. Every call passes the gate, by a door that is named for it.

use std::sync::Arc;

use model::{
    Caller, Code, FieldIndex, Problem, Record, Value,
    caller::Identity,
    problem::{Flaw, Place},
};
use rules::{
    Gate, Newcomer,
    plan::{Edit, OperationKind, Precondition, Written},
    query::Query,
};
use serde_json::Value as Json;
use store::Beside;

use crate::{Answer, Engine, input::Input, operations::answer_of, output};

/// How a person is found.
#[derive(Debug, Clone, Copy)]
pub enum AccountKey<'a> {
    /// By its id.
    Id(&'a Value),
    /// By its address, verified or not, without regard to case.
    Email(&'a str),
}

/// A person as the sign-in machinery sees it.
#[derive(Debug, Clone)]
pub struct Account {
    /// The id and the five fields; the app's own are null. Its revision grows with every change of the person.
    pub record: Record,
    /// Who this is to the rules; none where disabled. Session, key and scopes are for the caller to add.
    pub identity: Option<Identity>,
    /// The address, verified or not; none for machines.
    pub email: Option<String>,
    /// Whether the address has been proved.
    pub verified: bool,
}

/// On which terms somebody signs up.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// An invitation was shown; the statements beside the write spend it.
    pub invited: bool,
    /// The address has been proved.
    pub verified: bool,
    /// The roles of the invitation.
    pub roles: Vec<String>,
}

/// What the machinery itself does to a person.
#[derive(Debug, Clone)]
pub enum AccountChange {
    /// A new person: its fields as JSON, `email` among them unless it is a machine.
    New {
        /// As the body of a creation.
        body: Json,
        /// Whether the address has been proved.
        verified: bool,
        /// The roles given.
        roles: Vec<String>,
    },
    /// Another address, or the same one proved; null takes it away.
    Email {
        /// Whose.
        id: Value,
        /// The address; as it is where none.
        email: Option<String>,
        /// Whether it has been proved.
        verified: bool,
    },
    /// Other roles, in place of those there.
    Roles {
        /// Whose.
        id: Value,
        /// All roles.
        roles: Vec<String>,
    },
    /// Nobody for the time being, or somebody again.
    Disabled {
        /// Whose.
        id: Value,
        /// Whether disabled.
        disabled: bool,
    },
    /// Gone.
    Delete {
        /// Whose.
        id: Value,
    },
}

impl Engine {
    /// A person, by id or address; none where there is no such one.
    ///
    /// # Errors
    /// 404 where the app has no people; the database's faults.
    pub async fn account(&self, caller: &Caller, key: AccountKey<'_>) -> Result<Option<Account>, Problem> {
        let gate = self.gate();
        let id = match key {
            AccountKey::Id(id) => id.clone(),
            AccountKey::Email(email) => match self.find_by_email(&gate, caller, email).await? {
                Some(id) => id,
                None => return Ok(None),
            },
        };
        let Some(found) = self.store().get(&gate.account(caller.clone(), None)?, &id).await? else { return Ok(None) };
        let mut record = read_person(&gate, &found.body)?;
        record.revision = found.revision;
        let schema = &gate.catalog().schema;
        let Some((_, _, settings)) = schema.people() else { return Ok(None) };
        let email = match record.get(settings.fields.email) {
            Value::Text(email) => Some(email.to_string()),
            _ => None,
        };
        let verified = *record.get(settings.fields.email_verified) == Value::Boolean(true);
        let mut identity = schema.identify(&record);
        if let Some(identity) = &mut identity {
            identity.epoch = record.revision;
        }
        Ok(Some(Account { identity, email, verified, record }))
    }

    async fn find_by_email(&self, gate: &Gate, caller: &Caller, email: &str) -> Result<Option<Value>, Problem> {
        // Nothing stored has one, and PostgreSQL takes none.
        if email.contains('\0') {
            return Ok(None);
        }
        let listed = self.store().list(&gate.account(caller.clone(), Some(email))?).await?;
        if listed.length == 0 {
            return Ok(None);
        }
        Ok(Some(read_person(gate, &listed.items)?.id().clone()))
    }

    /// A new account by sign-up, with statements about credentials in the same transaction; the id of the new person.
    ///
    /// # Errors
    /// 403 as [`Gate::sign_up`] says, 422 for a body that is none, 409 for a taken address or another unique value, and
    /// what the statements expect.
    pub async fn sign_up(&self, caller: Caller, body: &Json, terms: Terms, beside: Beside) -> Result<Value, Problem> {
        let gate = self.gate();
        let allowed = gate.sign_up(caller.clone(), self.newcomer(&gate, caller, body, terms)?)?;
        only(self.commit(allowed, beside).await?).map(|written| written.record.id().clone())
    }

    /// Whether a sign-up would be taken, without making it: for apps that make the record when the mailed code comes. That
    /// the address is taken does not show.
    ///
    /// # Errors
    /// As [`Self::sign_up`], but for a taken address.
    pub async fn try_sign_up(&self, caller: Caller, body: &Json, terms: Terms) -> Result<(), Problem> {
        let gate = self.gate();
        let allowed = gate.sign_up(caller.clone(), self.newcomer(&gate, caller, body, terms)?)?;
        // Whatever comes after the write undoes it.
        let undone = || Problem::internal("a sign-up was tried, and undone");
        let beside = Beside { after: Some(Arc::new(move |_: &[Written]| Err(undone()))), ..Beside::default() };
        match self.commit(allowed, beside).await {
            Ok(_) => Err(Problem::internal("a sign-up that was only tried was made")),
            Err(problem) if problem == undone() => Ok(()),
            Err(problem) if problem.code == Code::Conflict && problem.errors.iter().all(is_email) => Ok(()),
            Err(problem) => Err(problem),
        }
    }

    fn newcomer(&self, gate: &Arc<Gate>, caller: Caller, body: &Json, terms: Terms) -> Result<Newcomer, Problem> {
        let (record, given) = self.new_person(gate, &Caller { identity: Arc::default(), ..caller }, body)?;
        let Terms { invited, verified, roles } = terms;
        Ok(Newcomer { record, given, invited, verified, roles })
    }

    /// A new person from a body, with its defaults.
    fn new_person(&self, gate: &Gate, caller: &Caller, body: &Json) -> Result<(Record, Vec<FieldIndex>), Problem> {
        let (people, _, _) = gate.catalog().schema.people().ok_or_else(Problem::not_found)?;
        let input = Input { catalog: gate.catalog(), resource: people, caller, clock: &**self.clock(), loading: false };
        match input.create(body)? {
            OperationKind::Create { record, given } => Ok((record, given)),
            _ => Err(Problem::internal("a creation was read as something else")),
        }
    }

    /// One's own record, for `GET /auth/me`.
    ///
    /// # Errors
    /// 401 for a stranger; 400 for fields that the caller can't see; 404 where the record is gone.
    pub async fn own_record(&self, caller: Caller, mut query: Query) -> Result<Answer, Problem> {
        query.page.limit = 1;
        let id = caller.identity.id.clone();
        let read = self.gate().own_record(caller, &query)?;
        let found = self.store().get(&read, &id).await?.ok_or_else(Problem::not_found)?;
        let tag = output::entity_tag(found.revision, read.get().plan.fingerprint, found.mask);
        Ok(Answer { body: found.body, tag, id: store::id_text(&id), created: false })
    }

    /// Changes one's own record, for `PATCH /auth/me`.
    ///
    /// # Errors
    /// As [`Engine::patch`], but no `read` rule is asked.
    pub async fn patch_own(
        &self,
        caller: Caller,
        body: &Json,
        precondition: Precondition,
        beside: Beside,
    ) -> Result<Answer, Problem> {
        let gate = self.gate();
        let (people, _, _) = gate.catalog().schema.people().ok_or_else(Problem::not_found)?;
        let input = Input {
            catalog: gate.catalog(),
            resource: people,
            caller: &caller,
            clock: &**self.clock(),
            loading: false,
        };
        let kind = input.patch(caller.identity.id.clone(), body, precondition)?;
        let written = self.commit(gate.own_change(caller, kind)?, beside).await?;
        Ok(answer_of(&only(written)?))
    }

    /// Deletes one's own record, for `DELETE /auth/me`.
    ///
    /// # Errors
    /// As [`Engine::delete`], but no `read` rule is asked.
    pub async fn delete_own(&self, caller: Caller, precondition: Precondition, beside: Beside) -> Result<(), Problem> {
        let kind = OperationKind::Delete { id: caller.identity.id.clone(), precondition };
        self.commit(self.gate().own_change(caller, kind)?, beside).await.map(|_| ())
    }

    /// What the machinery itself does to a person, past the access rules; its record afterwards.
    ///
    /// # Errors
    /// 422 for values that don't fit or break `[validate]`, 409 for a taken address and for the last administrator, 404
    /// for an unknown person.
    pub async fn keep_account(&self, caller: Caller, change: AccountChange, beside: Beside) -> Result<Record, Problem> {
        let gate = self.gate();
        let kind = self.account_change(&gate, &caller, change)?;
        let allowed = gate.as_account_keeper(caller, [kind])?;
        only(self.commit(allowed, beside).await?).map(|written| written.record)
    }

    fn account_change(&self, gate: &Gate, caller: &Caller, change: AccountChange) -> Result<OperationKind, Problem> {
        let (_, resource, settings) = gate.catalog().schema.people().ok_or_else(Problem::not_found)?;
        let fields = settings.fields;
        let list = |roles: &[String]| Value::List(roles.iter().map(Value::text).collect());
        let patch = |id, edits: Vec<(FieldIndex, Value)>| {
            let edits = edits.into_iter().map(|(field, value)| (field, Edit::Set(value))).collect();
            OperationKind::Patch { id, edits, precondition: Precondition::None }
        };
        Ok(match change {
            AccountChange::New { body, verified, roles } => {
                let (mut record, given) = self.new_person(gate, caller, &body)?;
                record.set(fields.email_verified, Value::Boolean(verified));
                if !roles.is_empty() {
                    record.set(fields.roles, list(&roles));
                }
                OperationKind::Create { record, given }
            }
            AccountChange::Email { id, email, verified } => {
                let mut edits = vec![(fields.email_verified, Value::Boolean(verified))];
                if let Some(email) = email {
                    let mut flaws = Vec::new();
                    let value = model::accept_field(resource.get(fields.email), &email.into(), "email", &mut flaws);
                    edits.push((fields.email, value.ok_or_else(|| Problem::validation(flaws))?));
                }
                patch(id, edits)
            }
            AccountChange::Roles { id, roles } => patch(id, vec![(fields.roles, list(&roles))]),
            AccountChange::Disabled { id, disabled } => patch(id, vec![(fields.disabled, Value::Boolean(disabled))]),
            AccountChange::Delete { id } => OperationKind::Delete { id, precondition: Precondition::None },
        })
    }
}

fn is_email(flaw: &Flaw) -> bool {
    flaw.at == Place::Pointer("/email".to_owned())
}

fn only(written: Vec<Written>) -> Result<Written, Problem> {
    let [one]: [Written; 1] =
        written.try_into().map_err(|_| Problem::internal("one operation had another number of outcomes"))?;
    Ok(one)
}

/// Reads what a store encoded for [`Gate::account`].
fn read_person(gate: &Gate, body: &[u8]) -> Result<Record, Problem> {
    let unreadable = || Problem::internal("a person's record could not be read back");
    let (_, resource, settings) = gate.catalog().schema.people().ok_or_else(Problem::not_found)?;
    let json: Json = serde_json::from_slice(body).map_err(|_| unreadable())?;
    let mut record = Record::empty(resource.fields.len());
    let id = match &json["id"] {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    record.values[0] = model::parse_id(resource.id_kind, &id).ok_or_else(unreadable)?;
    for field in settings.fields.all() {
        let declared = resource.get(field);
        // What is stored may be older than the app's limits on it.
        let lenient = model::Field { kind: lenient(&declared.kind), ..declared.clone() };
        let mut flaws = Vec::new();
        if let Some(value) = model::accept_field(&lenient, &json[&declared.name], &declared.name, &mut flaws) {
            record.set(field, value);
        }
    }
    Ok(record)
}

/// The kind without the app's own schema for claims.
fn lenient(kind: &model::Kind) -> model::Kind {
    match kind {
        model::Kind::Json { .. } => model::Kind::Json { max_size: usize::MAX, schema: None },
        other => other.clone(),
    }
}
