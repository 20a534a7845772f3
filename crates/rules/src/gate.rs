//! The gate: the one place where a request is held against the access rules.
//!
//! A store takes only an [`Allowed`] plan, and nothing but this module can make one, so a door that forgot to ask does not
//! compile:
//!
//! ```compile_fail
//! let forged = rules::gate::Allowed(());
//! ```
//!
//! ```compile_fail
//! fn forge<T>(plan: T) -> rules::gate::Allowed<T> {
//!     rules::gate::Allowed::new(plan)
//! }
//! ```
//!
//! Plans are kept by the form of the query and the caller's profile: the outcomes of all conditions that rules state about
//! the caller alone. Callers of one profile are asked the same of every record, with their own values bound.

mod outlook;
mod people;

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher},
    sync::{Arc, RwLock},
};

use model::{Caller, Code, Field, Problem, Record, Resource, ResourceIndex, Right, Scopes, Value};

mod expand;

use crate::{
    aggregate::{self, Aggregate, AggregateForm, AggregatePlan, AggregateQuery},
    expression::{Condition, Rule},
    filter::Input,
    plan::{Draft, Judgement, Operation, Otherwise, Read, ReadPlan, Slot, View, ViewField, Write, WritePlan},
    policy::{Catalog, Policy},
    query::{self, Form, Query},
    visibility::{Sight, Visibility, access, as_anybody, is_within_scope},
};

pub use outlook::{FieldOutlook, Outlook, Prospect};
pub use people::Newcomer;

/// The most plans that are kept; past it they are made anew.
const KEPT: usize = 4096;

/// Proof that the gate has authorised what is inside.
#[derive(Debug, Clone)]
pub struct Allowed<T>(T);

impl<T> Allowed<T> {
    fn new(plan: T) -> Self {
        Self(plan)
    }

    /// What was authorised.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// What was authorised, to be carried out.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// The rules of one app, with the plans made of them.
#[derive(Debug)]
pub struct Gate {
    catalog: Arc<Catalog>,
    reads: Kept<(ResourceIndex, Profile, Form), KeptRead>,
    writes: Kept<(ResourceIndex, Profile), Arc<WritePlan>>,
    aggregates: Kept<(ResourceIndex, Profile, AggregateForm), (Arc<AggregatePlan>, Inputs)>,
    /// How people read their own records.
    own_reads: Kept<(ResourceIndex, Profile, Form), Arc<ReadPlan>>,
    /// How the sign-in machinery reads people: by e-mail, or by id.
    accounts: Kept<bool, Arc<ReadPlan>>,
}

/// What each input has to be.
type Inputs = Arc<[Input]>;

/// What all rules say of a caller alone, and what its key is confined to.
type Profile = (bool, Option<Scopes>, Vec<u64>);

#[derive(Debug, Clone)]
struct KeptRead {
    plan: Arc<ReadPlan>,
    inputs: Inputs,
}

/// A bounded table of plans.
#[derive(Debug)]
struct Kept<K, V>(RwLock<HashMap<K, V, BuildHasherDefault<DefaultHasher>>>);

impl<K: Hash + Eq, V: Clone> Kept<K, V> {
    fn new() -> Self {
        Self(RwLock::new(HashMap::default()))
    }

    fn get_or_make<E>(&self, key: K, make: impl FnOnce(&K) -> Result<V, E>) -> Result<V, E> {
        if let Some(found) = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(&key) {
            return Ok(found.clone());
        }
        let made = make(&key)?;
        let mut kept = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(key, made.clone());
        Ok(made)
    }
}

impl Gate {
    /// A gate with the rules of an app.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Self {
            catalog,
            reads: Kept::new(),
            writes: Kept::new(),
            aggregates: Kept::new(),
            own_reads: Kept::new(),
            accounts: Kept::new(),
        }
    }

    /// The app.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Authorises a read: of the query's records, those that the caller may read, with the fields it may see.
    ///
    /// # Errors
    /// A 400 for what the query names and the caller can't see, or what has a bad value; a 403 where the scopes of the
    /// caller's key don't reach so far.
    pub fn read(&self, caller: Caller, resource: ResourceIndex, query: Query) -> Result<Allowed<Read>, Problem> {
        self.check_scope(&caller, resource)?;
        let Query { form, values, after, page } = query;
        let key = (resource, self.profile(&caller), form);
        let KeptRead { plan, inputs: types } =
            self.reads.get_or_make(key, |(_, _, form)| self.plan_read(&caller, resource, form))?;
        let mut inputs = read_values(&values, &types)?;
        let mut types = types.iter().skip(inputs.len());
        let foreign = || Problem::new(Code::BadCursor, "the cursor does not fit this sort; begin at the first page");
        for key in after.into_iter().flatten() {
            let input = types.next().ok_or_else(foreign)?;
            inputs.push(key.map_or(Ok(Value::Null), |text| input.read(&text)).map_err(|_| foreign())?);
        }
        if types.next().is_some() {
            return Err(foreign());
        }
        Ok(Allowed::new(Read { plan, caller, inputs, page }))
    }

    /// Authorises totals: over the query's records that the caller may read, by and of fields that it may see.
    ///
    /// # Errors
    /// A 400 for what the query names and the caller can't see, or what has a bad value.
    pub fn aggregate(
        &self,
        caller: Caller,
        resource: ResourceIndex,
        query: AggregateQuery,
    ) -> Result<Allowed<Aggregate>, Problem> {
        self.check_scope(&caller, resource)?;
        let AggregateQuery { form, values, limit } = query;
        let key = (resource, self.profile(&caller), form);
        let (plan, types) = self.aggregates.get_or_make(key, |(_, _, form)| {
            let visibility = Visibility::of(&self.catalog, &caller);
            let (plan, inputs) = aggregate::compile(&self.catalog, resource, form, &visibility, &caller)?;
            Ok((Arc::new(plan), inputs.into()))
        })?;
        let inputs = read_values(&values, &types)?;
        Ok(Allowed::new(Aggregate { plan, caller, inputs, limit }))
    }

    /// Authorises the question whether a read would have a record that is at hand (one of the event log), and what of it.
    #[must_use]
    pub fn judge(read: &Allowed<Read>, record: Arc<Record>) -> Allowed<Judgement> {
        let Read { plan, caller, inputs, .. } = read.get();
        Allowed::new(Judgement {
            catalog: Arc::clone(&plan.catalog),
            resource: plan.resource,
            record,
            new: None,
            condition: plan.condition.clone(),
            view: plan.view.clone(),
            inputs: inputs.clone(),
            caller: caller.clone(),
        })
    }

    /// Authorises a write: its operations meet the rules of their resources when the store has the records at hand.
    pub fn write<D: Into<Draft>>(&self, caller: Caller, drafts: impl IntoIterator<Item = D>) -> Allowed<Write> {
        let profile = self.profile(&caller);
        // Many operations are mostly about one resource, whose plan is looked up once.
        let mut latest: Option<(ResourceIndex, Arc<WritePlan>)> = None;
        let mut plan_of = |resource| match &latest {
            Some((known, plan)) if *known == resource => Arc::clone(plan),
            _ => {
                let plan = self.write_plan(&caller, &profile, resource);
                latest = Some((resource, Arc::clone(&plan)));
                plan
            }
        };
        let operations = drafts
            .into_iter()
            .map(|draft| {
                let Draft { resource, kind, method, position, late } = draft.into();
                let method = method.filter(|method| *method != caller.method);
                let plan = match method {
                    None => plan_of(resource),
                    Some(method) => {
                        let caller = Caller { method, ..caller.clone() };
                        self.write_plan(&caller, &self.profile(&caller), resource)
                    }
                };
                Operation { plan, kind, method, position, late }
            })
            .collect();
        Allowed::new(Write { caller, operations })
    }

    /// The refusal of whatever a caller sends to become a new record, or with `or_updates` to change one, where the rules
    /// say no to all of it. It comes before any word about the body, which would name fields that the caller can't see.
    #[must_use]
    pub fn refuses_all(&self, caller: &Caller, resource: ResourceIndex, or_updates: bool) -> Option<Problem> {
        let [create, update, _] = self.write_rules(caller, resource);
        let never = |rule| rule == Condition::Constant(false);
        let all = never(create) && (!or_updates || never(update));
        all.then(|| uncreatable(caller, self.catalog.schema.get(resource)))
    }

    fn write_plan(&self, caller: &Caller, profile: &Profile, resource: ResourceIndex) -> Arc<WritePlan> {
        let made: Result<_, std::convert::Infallible> =
            self.writes.get_or_make((resource, profile.clone()), |_| Ok(Arc::new(self.plan_write(caller, resource))));
        match made {
            Ok(plan) => plan,
        }
    }

    fn plan_read(&self, caller: &Caller, resource: ResourceIndex, form: &Form) -> Result<KeptRead, Problem> {
        let (plan, inputs) = self.read_plan(caller, resource, form, None)?;
        Ok(KeptRead { plan: Arc::new(plan), inputs: inputs.into() })
    }

    /// The plan of a form, with its inputs; `arrived` says how an expansion has come to its records.
    fn read_plan(
        &self,
        caller: &Caller,
        resource: ResourceIndex,
        form: &Form,
        arrived: Option<expand::Arrival>,
    ) -> Result<(ReadPlan, Vec<Input>), Problem> {
        let visibility = Visibility::of(&self.catalog, caller);
        let compiled = query::compile(&self.catalog, resource, form, &visibility, |rule| rule.test_bits(caller))?;
        let own = visibility.records(resource);
        let (own_fields, expand) = self.expansions(caller, resource, form, arrived)?;
        let view = self.view(caller, resource, own_fields.as_deref())?;
        let plan = ReadPlan {
            catalog: Arc::clone(&self.catalog),
            resource,
            condition: Condition::All(vec![own.clone(), compiled.condition]).specialize(0),
            counted: Condition::All(vec![own, compiled.counted]).specialize(0),
            fingerprint: fingerprint(self.catalog.schema.get(resource), &view),
            view,
            sort: compiled.sort,
            expand,
            prepared: Slot::default(),
        };
        Ok((plan, compiled.inputs))
    }

    fn plan_write(&self, caller: &Caller, resource: ResourceIndex) -> WritePlan {
        let policy: &Policy = self.catalog.policy(resource);
        let declared = self.catalog.schema.get(resource);
        let mut field_writes = Vec::new();
        for (field, rules) in declared.indices().zip(&policy.fields) {
            if let Some(rule) = &rules.write {
                match access(Some(rule), caller) {
                    Condition::Constant(true) => {}
                    condition => field_writes.push((field, condition)),
                }
            }
        }
        let validations = policy
            .validations
            .iter()
            .map(|(message, rule)| (message.clone(), rule.condition.specialize(rule.test_bits(caller))))
            .collect();
        let view = self.whole_view(caller, resource);
        let [create, update, delete] = self.write_rules(caller, resource);
        WritePlan {
            catalog: Arc::clone(&self.catalog),
            resource,
            // A key that may write and not read changes what its owner may read, and is answered with ids.
            read: access(policy.read.as_ref(), caller),
            create,
            update,
            delete,
            field_writes,
            validations,
            fingerprint: fingerprint(declared, &view),
            view,
            otherwise: caller.identity.is_admin().then(|| Box::new(self.otherwise(caller, resource))),
            by_keeper: false,
            prepared: Slot::default(),
        }
    }

    /// What the rules would say of an administrator as of anybody.
    fn otherwise(&self, caller: &Caller, resource: ResourceIndex) -> Otherwise {
        let policy: &Policy = self.catalog.policy(resource);
        let rule = |rule: &Option<Rule>| as_anybody(rule.as_ref(), caller);
        let fields = self.catalog.schema.get(resource).indices().zip(&policy.fields);
        let restricted = fields.filter_map(|(field, rules)| {
            let rule = as_anybody(Some(rules.write.as_ref()?), caller);
            (!matches!(rule, Condition::Constant(true))).then_some((field, rule))
        });
        Otherwise {
            read: rule(&policy.read),
            create: rule(&policy.create),
            update: rule(&policy.update),
            delete: rule(&policy.delete),
            field_writes: restricted.collect(),
        }
    }

    /// The fields that a caller sees and has asked for; `id` always.
    fn view(&self, caller: &Caller, resource: ResourceIndex, only: Option<&[String]>) -> Result<View, Problem> {
        let mut view = self.whole_view(caller, resource);
        let Some(names) = only else { return Ok(view) };
        let declared = self.catalog.schema.get(resource);
        for name in names {
            let known = view.fields.iter().any(|seen| declared.get(seen.field).name == *name);
            if !known {
                let near = crate::nearest(name, view.fields.iter().map(|seen| declared.get(seen.field).name.as_str()));
                let help = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
                return Err(Problem::parameter("fields", format!("{} has no field `{name}`{help}", declared.name)));
            }
        }
        view.fields.retain(|seen| seen.field == Resource::ID || names.contains(&declared.get(seen.field).name));
        Ok(view)
    }

    fn whole_view(&self, caller: &Caller, resource: ResourceIndex) -> View {
        let visibility = Visibility::of(&self.catalog, caller);
        let mut fields = Vec::new();
        for field in self.catalog.schema.get(resource).indices() {
            match visibility.field(resource, field) {
                Sight::Visible => fields.push(ViewField { field, condition: None }),
                Sight::Conditional(condition) => fields.push(ViewField { field, condition: Some(condition) }),
                Sight::Unknown => {}
            }
        }
        View { fields }
    }

    /// A key that may not read a resource at all is told so, rather than that there is nothing.
    fn check_scope(&self, caller: &Caller, resource: ResourceIndex) -> Result<(), Problem> {
        if is_within_scope(&self.catalog, caller, resource, Right::Read) {
            return Ok(());
        }
        let name = &self.catalog.schema.get(resource).name;
        Err(Problem::new(Code::Forbidden, format!("the scopes of this key don't reach as far as `{name}:read`")))
    }

    /// The outcomes of every condition about the caller alone.
    fn profile(&self, caller: &Caller) -> Profile {
        let tests = self.catalog.tested().iter().map(|rule| rule.test_bits(caller)).collect();
        (caller.identity.is_admin(), caller.identity.scopes.clone(), tests)
    }
}

/// What somebody is told who may not create a record of a resource.
#[must_use]
pub fn uncreatable(caller: &Caller, resource: &Resource) -> Problem {
    Problem::denied(caller, &format!("you may not create {}", resource.name))
}

/// The texts of short filters as what they have to be.
fn read_values(texts: &[String], inputs: &[Input]) -> Result<Vec<Value>, Problem> {
    let mut values = Vec::with_capacity(inputs.len());
    for (text, input) in texts.iter().zip(inputs) {
        values.push(input.read(text)?);
    }
    Ok(values)
}

/// Differs wherever two views of the same record would.
fn fingerprint(resource: &Resource, view: &View) -> u64 {
    let mut hasher = DefaultHasher::new();
    for seen in &view.fields {
        let field: &Field = resource.get(seen.field);
        // Where no field has a rule, two callers see the same; where one has, its bit in the mask decides.
        (&field.name, field.shape, field.is_list(), seen.condition.is_some()).hash(&mut hasher);
    }
    hasher.finish()
}
