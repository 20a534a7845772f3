//! Totals over groups of records: what clients word, and what it compiles to.
//!
//! Filters, groups and what is totalled are resolved in what the caller may read, as a list's filters and sort keys are:
//! an unreadable field is an unknown one, and one whose rule depends on the record is null where that fails.

use std::sync::Arc;

use model::{Caller, FieldIndex, Problem, ResourceIndex, Value, resource::Resource};

use crate::{
    expression::{Condition, Expression, Node, Type},
    filter::{self, Input, Visibility},
    plan::Slot,
    policy::Catalog,
    query::{self, Form, ShortFilter},
};

/// The most groups of an answer.
pub const GROUPS: u32 = 1000;
/// The most fields to group by, and to sort by.
const FIELDS: usize = 8;
/// The most totals of one group.
const CALLS: usize = 32;

/// What is totalled: its form, which plans are kept by, and the values that fill it.
#[derive(Debug, Clone, Default)]
pub struct AggregateQuery {
    /// What is the same for every request of the form.
    pub form: AggregateForm,
    /// The texts of the short filters' values, in order.
    pub values: Vec<String>,
    /// The most groups, 1–[`GROUPS`].
    pub limit: u32,
}

/// The form of an aggregate query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct AggregateForm {
    /// `filter=`, CEL.
    pub filter: Option<String>,
    /// `status=published&price[gte]=10`
    pub short: Vec<ShortFilter>,
    /// `group=status,author.name`
    pub group: Vec<String>,
    /// `count`
    pub count: bool,
    /// `sum=total&avg=total`: each function with its field, in order.
    pub calls: Vec<(Function, String)>,
    /// `sort=-sum.total,status`; true for a descending key.
    pub sort: Vec<(String, bool)>,
}

/// A function over the values of a group; nulls don't count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Function {
    /// The sum: exact, of floats that of their shortest decimals, rounded once.
    Sum,
    /// The mean: of decimals with six digits more, half-even; of other numbers a float.
    Average,
    /// The least.
    Least,
    /// The greatest.
    Greatest,
}

impl Function {
    /// Every function with its name, in the order of the answer.
    pub const ALL: [(&'static str, Self); 4] =
        [("sum", Self::Sum), ("avg", Self::Average), ("min", Self::Least), ("max", Self::Greatest)];

    /// The name in parameters and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, function)| *function == self).map_or("", |(name, _)| name)
    }
}

/// How groups of a resource's records are totalled for callers of one profile.
#[derive(Debug)]
pub struct AggregatePlan {
    /// The app that it was made for.
    pub catalog: Arc<Catalog>,
    /// Whose records.
    pub resource: ResourceIndex,
    /// Which of them: the read rule and the filter, over [`crate::expression::Root::Record`].
    pub condition: Condition,
    /// What makes a group, over the record, with the names in the answer; without any, all are one group.
    pub group: Vec<(String, Expression)>,
    /// Whether the records of a group are counted.
    pub count: bool,
    /// What is totalled, in the order of the answer.
    pub calls: Vec<Call>,
    /// The order of the groups, total; nulls are smallest. True for a descending key.
    pub sort: Vec<(Key, bool)>,
    /// The store's own.
    pub prepared: Slot,
}

/// One total.
#[derive(Debug)]
pub struct Call {
    /// Which.
    pub function: Function,
    /// The path, as the answer names it.
    pub name: String,
    /// Of what, over the record.
    pub expression: Expression,
}

impl Call {
    /// What it comes to.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match (self.function, &self.expression.r#type) {
            (Function::Least | Function::Greatest, of) => Outcome::Value(of.clone()),
            (Function::Sum, Type::Integer) => Outcome::Whole,
            (Function::Sum, Type::Decimal { scale, .. }) => Outcome::Decimal { scale: *scale },
            (Function::Average, Type::Decimal { scale, .. }) => Outcome::Decimal { scale: *scale + MORE_DIGITS },
            _ => Outcome::Float,
        }
    }
}

/// How many digits more than its field the mean of decimals has.
pub const MORE_DIGITS: u8 = 6;

/// What a total is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A value of the field's own type.
    Value(Type),
    /// A whole number that may need more than 64 bits: a decimal without digits after the point.
    Whole,
    /// An exact decimal.
    Decimal {
        /// Digits after the point.
        scale: u8,
    },
    /// A double.
    Float,
}

/// What groups are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A field of [`AggregatePlan::group`].
    Group(usize),
    /// The number of records.
    Count,
    /// One of [`AggregatePlan::calls`].
    Call(usize),
}

/// Totals as a store gets them.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// How.
    pub plan: Arc<AggregatePlan>,
    /// For whom.
    pub caller: Caller,
    /// Values that the condition names by number.
    pub inputs: Vec<Value>,
    /// The most groups.
    pub limit: u32,
}

/// A form compiled for one caller, with what the short filters' values have to be.
pub(crate) type Compiled = (AggregatePlan, Vec<Input>);

/// Compiles a form under what the caller may see; the read rule is in the plan's condition.
pub(crate) fn compile(
    catalog: &Arc<Catalog>,
    resource: ResourceIndex,
    form: &AggregateForm,
    visibility: &Visibility<'_>,
    caller: &Caller,
) -> Result<Compiled, Problem> {
    let list = Form { filter: form.filter.clone(), short: form.short.clone(), single: true, ..Form::default() };
    let compiled = query::compile(catalog, resource, &list, visibility, |rule| rule.test_bits(caller))?;
    let group = group(catalog, resource, form, visibility)?;
    let calls = calls(catalog, resource, form, visibility)?;
    if group.is_empty() && calls.is_empty() && !form.count {
        let detail = "say what to total: `count`, `sum`, `avg`, `min`, `max` with fields, or fields to `group` by";
        return Err(Problem::parameter("count", detail));
    }
    let mut plan = AggregatePlan {
        catalog: Arc::clone(catalog),
        resource,
        condition: Condition::All(vec![visibility.records(resource), compiled.condition]).specialize(0),
        group,
        count: form.count,
        calls,
        sort: Vec::new(),
        prepared: Slot::default(),
    };
    plan.sort = order(&plan, form)?;
    Ok((plan, compiled.inputs))
}

fn group(
    catalog: &Catalog,
    resource: ResourceIndex,
    form: &AggregateForm,
    visibility: &Visibility<'_>,
) -> Result<Vec<(String, Expression)>, Problem> {
    if form.group.len() > FIELDS {
        return Err(Problem::parameter("group", format!("`group` takes {FIELDS} fields at most")));
    }
    let mut group: Vec<(String, Expression)> = Vec::with_capacity(form.group.len());
    for path in &form.group {
        let expression = filter::resolve_path(catalog, resource, path, visibility)
            .map_err(|mistake| query::parameter_problem("group", &mistake))?;
        if let Some(reason) = unordered(catalog, &expression) {
            return Err(Problem::parameter("group", format!("`{path}` {reason} and can't be grouped by")));
        }
        if group.iter().any(|(known, _)| known == path) {
            return Err(Problem::parameter("group", format!("`{path}` stands twice")));
        }
        let taken = (path == "count" && form.count) || form.calls.iter().any(|(call, _)| call.name() == path);
        if taken {
            let detail = format!("`{path}` would stand twice in the answer: as a field and as a total; ask for one");
            return Err(Problem::parameter("group", detail));
        }
        group.push((path.clone(), expression));
    }
    Ok(group)
}

fn calls(
    catalog: &Catalog,
    resource: ResourceIndex,
    form: &AggregateForm,
    visibility: &Visibility<'_>,
) -> Result<Vec<Call>, Problem> {
    if form.calls.len() > CALLS {
        let detail = format!("{CALLS} totals at most");
        return Err(Problem::parameter(form.calls[CALLS].0.name(), detail));
    }
    let mut calls: Vec<Call> = Vec::with_capacity(form.calls.len());
    for (function, path) in &form.calls {
        let (function, parameter) = (*function, function.name());
        let expression = filter::resolve_path(catalog, resource, path, visibility)
            .map_err(|mistake| query::parameter_problem(parameter, &mistake))?;
        if calls.iter().any(|call| call.function == function && call.name == *path) {
            return Err(Problem::parameter(parameter, format!("`{path}` stands twice")));
        }
        if let Some(wanted) = unfit(catalog, function, &expression) {
            return Err(Problem::parameter(parameter, format!("`{path}` {wanted}")));
        }
        calls.push(Call { function, name: path.clone(), expression });
    }
    calls.sort_by_key(|call| call.function);
    Ok(calls)
}

/// Why a function has no meaning for a field.
fn unfit(catalog: &Catalog, function: Function, expression: &Expression) -> Option<String> {
    let number = matches!(expression.r#type, Type::Integer | Type::Float | Type::Decimal { .. });
    let summed = matches!(function, Function::Sum | Function::Average);
    if is_reference(catalog, expression) || (summed && !number) {
        let name = function.name();
        return Some(match summed {
            true => format!("is no number, which `{name}` takes"),
            false => format!("refers to a record; `{name}` takes numbers, dates and text"),
        });
    }
    if let Some(reason) = unordered(catalog, expression) {
        return Some(reason.to_owned());
    }
    let plain = number || matches!(expression.r#type, Type::DateTime | Type::Date | Type::Text { .. });
    (!plain).then(|| format!("has no order that `{}` takes; it takes numbers, dates and text", function.name()))
}

/// Whether the value names a record: an id, or a reference.
fn is_reference(catalog: &Catalog, expression: &Expression) -> bool {
    match &expression.node {
        Node::Field { resource, field, path, .. } => {
            path.is_empty() && names_a_record(catalog.schema.get(*resource), *field)
        }
        Node::Choice { then, .. } => is_reference(catalog, then),
        _ => false,
    }
}

fn names_a_record(resource: &Resource, field: FieldIndex) -> bool {
    resource.get(field).target().is_some()
}

/// Why values have no order: lists, JSON, long texts.
fn unordered(catalog: &Catalog, expression: &Expression) -> Option<&'static str> {
    if filter::is_long_text(catalog, expression) {
        return Some("is a long text, which has no order");
    }
    match expression.r#type {
        Type::List(_) => Some("is a list, which has no order"),
        Type::Json | Type::Dynamic => Some("is JSON, which has no order"),
        _ => None,
    }
}

/// The keys that were asked for, then the fields of the group, so that the order is total.
fn order(plan: &AggregatePlan, form: &AggregateForm) -> Result<Vec<(Key, bool)>, Problem> {
    if form.sort.len() > FIELDS {
        return Err(Problem::parameter("sort", format!("`sort` takes {FIELDS} keys at most")));
    }
    let mut known: Vec<(String, Key)> =
        plan.group.iter().enumerate().map(|(number, (name, _))| (name.clone(), Key::Group(number))).collect();
    known.extend(plan.count.then(|| ("count".to_owned(), Key::Count)));
    let calls = plan.calls.iter().enumerate();
    known.extend(calls.map(|(number, call)| (format!("{}.{}", call.function.name(), call.name), Key::Call(number))));
    let mut sort = Vec::with_capacity(form.sort.len() + plan.group.len());
    for (name, descending) in &form.sort {
        let Some((_, key)) = known.iter().find(|(known, _)| known == name) else {
            let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
            let near = crate::nearest(name, names.iter().copied());
            let near = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
            let detail = format!("`{name}` is not in this answer{near}; groups sort by {}", names.join(", "));
            return Err(Problem::parameter("sort", detail));
        };
        sort.push((*key, *descending));
    }
    for number in 0..plan.group.len() {
        if !sort.iter().any(|(key, _)| *key == Key::Group(number)) {
            sort.push((Key::Group(number), false));
        }
    }
    Ok(sort)
}
