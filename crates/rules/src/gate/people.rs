//! The doors of the gate that only the sign-in machinery uses. Each replaces just the rule that its contract replaces, and
//! says so by its name; everything else holds as at the front door.
//!
//! | door | instead of | still holds |
//! | --- | --- | --- |
//! | [`Gate::sign_up`] | the `create` rule: `sign_up` of `[auth]` | `write` of fields, `[validate]`, types |
//! | [`Gate::own_record`] | the `read` rule: one's own record | `read` of fields, scopes |
//! | [`Gate::own_change`] | the `read` rule: one's own record | `update`, `delete`, `write` of fields, `[validate]`, scopes |
//! | [`Gate::account`] | the `read` rule: id and the five fields of a person, for the machinery | nothing else is shown |
//! | [`Gate::explain`] | all rules, for whoever holds the database in hand | hidden fields stay hidden |
//! | [`Gate::as_account_keeper`] | all access rules, for records of people only | `[validate]`, types, the last administrator |

use std::sync::Arc;

use model::{
    Caller, Code, FieldIndex, IdentitySettings, Problem, Record, Resource, ResourceIndex, Right, Value,
    caller::Identity, identity::SignUp,
};

use super::{Allowed, Gate, fingerprint};
use crate::{
    expression::{Comparison, Condition, Expression, Node},
    plan::{
        Judgement, Operation, OperationKind, Page, Read, ReadPlan, Slot, SortKey, View, ViewField, Write, WritePlan,
    },
    query::Query,
    visibility::{access, within_scope},
};

/// Somebody who wants an account.
#[derive(Debug, Clone)]
pub struct Newcomer {
    /// The record as it would be, its defaults among the values.
    pub record: Record,
    /// Which fields the newcomer sent: their `write` rules are asked of a stranger.
    pub given: Vec<FieldIndex>,
    /// Whether an invitation was shown, and spent in the same transaction.
    pub invited: bool,
    /// Whether the address has been proved.
    pub verified: bool,
    /// The roles of the invitation; none otherwise.
    pub roles: Vec<String>,
}

impl Gate {
    /// DOOR: a new account. The `create` rule is not asked; `sign_up` of `[auth]` is. The newcomer is a stranger to every
    /// other rule, whoever sends the request.
    ///
    /// # Errors
    /// 404 where the app has no people, 403 where sign-up is closed, or for the invited only.
    pub fn sign_up(&self, caller: Caller, newcomer: Newcomer) -> Result<Allowed<Write>, Problem> {
        let (people, settings) = self.people()?;
        match settings.sign_up {
            SignUp::Open => {}
            SignUp::Invite | SignUp::Closed if newcomer.invited => {}
            SignUp::Invite => return Err(Problem::new(Code::Forbidden, "an account needs an invitation")),
            SignUp::Closed => return Err(Problem::new(Code::Forbidden, "sign-up is closed")),
        }
        let caller = Caller { identity: Arc::new(Identity::anonymous()), ..caller };
        let fields = settings.fields;
        let Newcomer { mut record, given, verified, roles, .. } = newcomer;
        record.set(fields.email_verified, Value::Boolean(verified));
        if !roles.is_empty() {
            record.set(fields.roles, Value::List(roles.iter().map(Value::text).collect()));
        }
        let plan = WritePlan { create: Condition::Constant(true), ..self.plan_write(&caller, people) };
        Ok(single(caller, plan, OperationKind::Create { record, given }))
    }

    /// DOOR: one's own record, for `GET /auth/me`: no `read` rule is asked, those of fields are.
    ///
    /// # Errors
    /// 401 for a stranger, 400 for fields that the caller can't see, 404 where the app has no people.
    pub fn own_record(&self, caller: Caller, query: &Query) -> Result<Allowed<Read>, Problem> {
        let (people, _) = self.people()?;
        signed_in(&caller)?;
        let mut form = query.form.clone();
        (form.single, form.filter, form.after) = (true, None, None);
        form.short.clear();
        form.sort.clear();
        form.expand.clear();
        let key = (people, self.profile(&caller), form);
        let kept = self.own_reads.get_or_make(key, |(_, _, form)| {
            let view = self.view(&caller, people, form.fields.as_deref())?;
            let own = is_own(self, people);
            let plan = ReadPlan {
                catalog: Arc::clone(&self.catalog),
                resource: people,
                condition: own.clone(),
                counted: own,
                fingerprint: fingerprint(self.catalog.schema.get(people), &view),
                view,
                sort: Vec::new(),
                expand: Vec::new(),
                prepared: Slot::default(),
            };
            Ok::<_, Problem>(Arc::new(plan))
        })?;
        Ok(Allowed::new(Read { plan: kept, caller, inputs: Vec::new(), page: query.page }))
    }

    /// DOOR: a change or the deletion of one's own record, for `/auth/me`: no `read` rule is asked, all others are.
    ///
    /// # Errors
    /// 401 for a stranger, 403 where the operation is of another record, 404 where the app has no people.
    pub fn own_change(&self, caller: Caller, kind: OperationKind) -> Result<Allowed<Write>, Problem> {
        let (people, _) = self.people()?;
        signed_in(&caller)?;
        let own = match &kind {
            OperationKind::Create { .. } | OperationKind::Upsert { .. } | OperationKind::Each { .. } => None,
            OperationKind::Replace { id, .. } | OperationKind::Patch { id, .. } | OperationKind::Delete { id, .. } => {
                Some(id)
            }
        };
        if own != Some(&caller.identity.id) {
            return Err(Problem::new(Code::Forbidden, "this is not your own record"));
        }
        let mut plan = WritePlan { read: is_own(self, people), ..self.plan_write(&caller, people) };
        if let Some(otherwise) = &mut plan.otherwise {
            otherwise.read = is_own(self, people);
        }
        Ok(single(caller, plan, kind))
    }

    /// DOOR: the id and the five fields of a person, for the sign-in machinery itself: by its id, or by the address given.
    ///
    /// # Errors
    /// 404 where the app has no people.
    pub fn account(&self, caller: Caller, by_email: Option<&str>) -> Result<Allowed<Read>, Problem> {
        let (people, settings) = self.people()?;
        let plan = self.accounts.get_or_make(by_email.is_some(), |by_email| {
            let seen = std::iter::once(Resource::ID).chain(settings.fields.all());
            let view = View { fields: seen.map(|field| ViewField { field, condition: None }).collect() };
            let condition = match by_email {
                true => has_email(self, people, settings.fields.email),
                false => Condition::Constant(true),
            };
            let id = SortKey { expression: field_of(self, people, Resource::ID), descending: false };
            Ok::<_, Problem>(Arc::new(ReadPlan {
                catalog: Arc::clone(&self.catalog),
                resource: people,
                counted: condition.clone(),
                condition,
                fingerprint: fingerprint(self.catalog.schema.get(people), &view),
                view,
                sort: if *by_email { vec![id] } else { Vec::new() },
                expand: Vec::new(),
                prepared: Slot::default(),
            }))
        })?;
        let page = Page { limit: 1, offset: 0, count: false };
        let inputs = by_email.map(Value::text).into_iter().collect();
        Ok(Allowed::new(Read { plan, caller, inputs, page }))
    }

    /// DOOR: what the sign-in machinery itself does to records of people: a verified address, a new person by `mainstay user
    /// add`, a deletion after its proof. No access rule and no `write` of a field is asked; types, `[validate]` and the
    /// last administrator hold. The log names the caller.
    ///
    /// # Errors
    /// 404 where the app has no people.
    pub fn as_account_keeper(
        &self,
        caller: Caller,
        operations: impl IntoIterator<Item = OperationKind>,
    ) -> Result<Allowed<Write>, Problem> {
        let (people, _) = self.people()?;
        let open = || Condition::Constant(true);
        let fields = self.catalog.schema.get(people).indices();
        let fields = fields.map(|field| ViewField { field, condition: None }).collect();
        let plan = Arc::new(WritePlan {
            read: open(),
            create: open(),
            update: open(),
            delete: open(),
            field_writes: Vec::new(),
            view: View { fields },
            by_keeper: true,
            ..self.plan_write(&caller, people)
        });
        let operations = operations.into_iter().map(|kind| Operation::alone(Arc::clone(&plan), kind)).collect();
        Ok(Allowed::new(Write { caller, operations }))
    }

    /// DOOR: for whoever holds the database in hand (`mainstay access explain`, `mainstay test`): a record whatever the
    /// rules say, hidden fields left out, and whether each of some conditions holds of it, as the n-th bit of the mask.
    #[must_use]
    pub fn explain(&self, caller: Caller, resource: ResourceIndex, conditions: Vec<Condition>) -> Allowed<Read> {
        let declared = self.catalog.schema.get(resource);
        let shown = declared.indices().filter(|field| !declared.get(*field).hidden);
        let shown = shown.map(|field| ViewField { field, condition: None });
        let asked = conditions.into_iter().map(|asked| ViewField { field: Resource::ID, condition: Some(asked) });
        let plan = ReadPlan {
            catalog: Arc::clone(&self.catalog),
            resource,
            condition: Condition::Constant(true),
            counted: Condition::Constant(true),
            fingerprint: 0,
            view: View { fields: shown.chain(asked).collect() },
            expand: Vec::new(),
            sort: Vec::new(),
            prepared: Slot::default(),
        };
        let page = Page { limit: 1, offset: 0, count: false };
        Allowed::new(Read { plan: Arc::new(plan), caller, inputs: Vec::new(), page })
    }

    /// DOOR: the same about a record at hand, and what would become of it.
    #[must_use]
    pub fn explain_at_hand(
        &self,
        caller: Caller,
        resource: ResourceIndex,
        record: Arc<Record>,
        new: Option<Arc<Record>>,
        condition: Condition,
    ) -> Allowed<Judgement> {
        let catalog = Arc::clone(&self.catalog);
        let (view, inputs) = (View::default(), Vec::new());
        Allowed::new(Judgement { catalog, resource, record, new, condition, view, inputs, caller })
    }

    fn people(&self) -> Result<(ResourceIndex, &IdentitySettings), Problem> {
        let found = self.catalog.schema.people().map(|(index, _, settings)| (index, settings));
        found.ok_or_else(|| Problem::new(Code::NotFound, "this app has no people who sign in"))
    }

    /// The rules of a resource for writes, held against the scopes of the caller's key.
    pub(super) fn write_rules(&self, caller: &Caller, resource: ResourceIndex) -> [Condition; 3] {
        let policy = self.catalog.policy(resource);
        [(Right::Create, &policy.create), (Right::Update, &policy.update), (Right::Delete, &policy.delete)]
            .map(|(right, rule)| within_scope(&self.catalog, caller, resource, right, access(rule.as_ref(), caller)))
    }
}

fn single(caller: Caller, plan: WritePlan, kind: OperationKind) -> Allowed<Write> {
    let operation = Operation::alone(Arc::new(plan), kind);
    Allowed::new(Write { caller, operations: vec![operation] })
}

fn signed_in(caller: &Caller) -> Result<(), Problem> {
    match caller.identity.id {
        Value::Null => Err(Problem::new(Code::Unauthenticated, "sign in first")),
        _ => Ok(()),
    }
}

/// `record.id == auth.id`
fn is_own(gate: &Gate, people: ResourceIndex) -> Condition {
    let left = field_of(gate, people, Resource::ID);
    let right = Expression { node: Node::Caller(model::CallerValue::Id), r#type: left.r#type.clone() };
    Condition::Compare { operator: Comparison::Equal, left, right }
}

/// `record.email == $0`, without regard to case.
fn has_email(gate: &Gate, people: ResourceIndex, email: FieldIndex) -> Condition {
    let left = field_of(gate, people, email);
    let right = Expression { node: Node::Input(0), r#type: left.r#type.clone() };
    Condition::Compare { operator: Comparison::Equal, left, right }
}

fn field_of(gate: &Gate, people: ResourceIndex, field: FieldIndex) -> Expression {
    Expression::of_field(people, field, gate.catalog.schema.get(people))
}
