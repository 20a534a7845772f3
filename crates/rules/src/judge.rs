//! Conditions judged in memory, for a record at hand.

use std::borrow::Cow;

use model::{Caller, FieldIndex, Record, ResourceIndex, Schema, Value};

use crate::{
    compute,
    convert::convert,
    expression::{
        Anchor, Comparison, Condition, Expression, Node, Quantifier, Root, Rule, Source, TextCall, Type, Variable,
    },
};

/// Other records than the one at hand.
pub trait Relations {
    /// The record of this resource with this id.
    fn follow(&self, resource: ResourceIndex, id: &Value) -> Option<Record>;

    /// The records of `resource` whose reference `field` (one or many) names this id.
    fn referring(&self, resource: ResourceIndex, field: FieldIndex, id: &Value) -> Vec<Record>;
}

/// No other records: for conditions that need none.
#[derive(Debug, Clone, Copy)]
pub struct NoRelations;

impl Relations for NoRelations {
    fn follow(&self, _: ResourceIndex, _: &Value) -> Option<Record> {
        None
    }

    fn referring(&self, _: ResourceIndex, _: FieldIndex, _: &Value) -> Vec<Record> {
        Vec::new()
    }
}

/// All that a condition may speak of.
#[derive(Clone, Copy)]
pub struct Situation<'a> {
    /// The resources.
    pub schema: &'a Schema,
    /// Who asks; without one, the caller's values are null.
    pub caller: Option<&'a Caller>,
    /// The record as stored, where there is one.
    pub record: Option<&'a Record>,
    /// The record as it would be stored, where there is one.
    pub new: Option<&'a Record>,
    /// The answers to the rule's tests: bit `n` for `Test(n)`.
    pub tests: u64,
    /// The values of [`Node::Input`].
    pub inputs: &'a [Value],
    /// Other records.
    pub relations: &'a dyn Relations,
}

impl Rule {
    /// The answers to the rule's tests for a caller: bit `n` for `Test(n)`.
    #[must_use]
    pub fn test_bits(&self, caller: &Caller) -> u64 {
        let schema = Schema::default();
        let situation = Situation { caller: Some(caller), ..Situation::blank(&schema) };
        let answers = self.tests.iter().map(|test| u64::from(situation.judge(test)));
        answers.enumerate().fold(0, |bits, (number, answer)| bits | answer << number)
    }
}

impl<'a> Situation<'a> {
    /// No caller, no record, no relations.
    #[must_use]
    pub fn blank(schema: &'a Schema) -> Self {
        Self { schema, caller: None, record: None, new: None, tests: 0, inputs: &[], relations: &NoRelations }
    }

    /// Whether a condition holds.
    #[must_use]
    pub fn judge(&self, condition: &Condition) -> bool {
        self.holds(condition, None)
    }

    /// The value of an expression; null where it is absent or undefined.
    #[must_use]
    pub fn evaluate(&self, expression: &Expression) -> Value {
        self.value(expression, None).into_owned()
    }

    fn holds(&self, condition: &Condition, bound: Option<&Frame<'_>>) -> bool {
        match condition {
            Condition::Constant(truth) => *truth,
            Condition::All(parts) => parts.iter().all(|part| self.holds(part, bound)),
            Condition::Any(parts) => parts.iter().any(|part| self.holds(part, bound)),
            Condition::Test(number) => self.tests >> number & 1 == 1,
            Condition::Compare { operator, left, right } => {
                let fold_case = folds(&left.r#type) || folds(&right.r#type);
                compute::compare(&self.value(left, bound), &self.value(right, bound), fold_case)
                    .is_some_and(|order| satisfies(order, *operator))
            }
            Condition::IsNull(expression) => self.value(expression, bound).is_null(),
            Condition::IsPresent(expression) => !self.value(expression, bound).is_null(),
            Condition::Truth(expression, truth) => *self.value(expression, bound) == Value::Boolean(*truth),
            Condition::In { needle, list, negated } => {
                let fold_case = folds(&needle.r#type) || matches!(&list.r#type, Type::List(item) if folds(item));
                let (needle, list) = (self.value(needle, bound), self.value(list, bound));
                let Value::List(items) = &*list else { return false };
                let equal = |item| compute::compare(&needle, item, fold_case).is_some_and(std::cmp::Ordering::is_eq);
                !needle.is_null() && items.iter().any(equal) != *negated
            }
            Condition::Text { call, subject, argument, negated } => {
                match (&*self.value(subject, bound), &*self.value(argument, bound)) {
                    (Value::Text(subject), Value::Text(argument)) => ask(*call, subject, argument) != *negated,
                    _ => false,
                }
            }
            Condition::Matches { subject, pattern, negated } => match &*self.value(subject, bound) {
                Value::Text(subject) => pattern.pattern.regex.is_match(subject) != *negated,
                _ => false,
            },
            Condition::Quantified { quantifier, source, variable, guard, body } => {
                let wanted = *quantifier == Quantifier::Exists;
                let decides = |binding: Binding<'_>| {
                    let frame = Frame { variable: *variable, binding, outer: bound };
                    let there = guard.as_deref().is_none_or(|guard| self.holds(guard, Some(&frame)));
                    there && self.holds(body, Some(&frame)) == wanted
                };
                match self.any_of(source, bound, decides) {
                    Some(decided) => decided == wanted,
                    None => false,
                }
            }
        }
    }

    /// Whether one item or record of a source satisfies a question; none where the source is absent.
    fn any_of(
        &self,
        source: &Source,
        bound: Option<&Frame<'_>>,
        question: impl Fn(Binding<'_>) -> bool,
    ) -> Option<bool> {
        match source {
            Source::Items(list) => match &*self.value(list, bound) {
                Value::List(items) => Some(items.iter().any(|item| question(Binding::Item(item)))),
                _ => None,
            },
            Source::Many { owner, field, target, .. } => {
                let owner = self.reach(owner, bound)?;
                let mut ids = owner.get(*field).items().iter();
                Some(ids.any(|id| {
                    let record = self.relations.follow(*target, id);
                    record.is_some_and(|record| question(Binding::Row(&record)))
                }))
            }
            Source::Reverse { owner, from, field, .. } => {
                let owner = self.reach(owner, bound)?;
                let records = self.relations.referring(*from, *field, owner.id());
                Some(records.iter().any(|record| question(Binding::Row(record))))
            }
        }
    }

    /// The record that an anchor reaches, unless one on the way is absent.
    fn reach<'b>(&'b self, anchor: &Anchor, bound: Option<&'b Frame<'_>>) -> Option<Cow<'b, Record>> {
        let root = match anchor.root {
            Root::Record => self.record?,
            Root::New => self.new?,
            Root::Row(variable) => match Frame::find(bound, variable)? {
                Binding::Row(record) => record,
                Binding::Item(_) => return None,
            },
        };
        let mut reached = Cow::Borrowed(root);
        for step in &anchor.steps {
            let id = reached.get(step.field);
            if id.is_null() {
                return None;
            }
            let next = self.relations.follow(step.target, id)?;
            if let Some(guard) = &step.guard {
                let frame = Frame { variable: guard.0, binding: Binding::Row(&next), outer: bound };
                if !self.holds(&guard.1, Some(&frame)) {
                    return None;
                }
            }
            reached = Cow::Owned(next);
        }
        Some(reached)
    }

    fn value<'b>(&'b self, expression: &'b Expression, bound: Option<&'b Frame<'_>>) -> Cow<'b, Value> {
        let null = Cow::Owned(Value::Null);
        match &expression.node {
            Node::Literal(value) => Cow::Borrowed(value),
            Node::Caller(what) => match self.caller {
                Some(caller) => Cow::Owned(convert(caller.value(what), &expression.r#type)),
                None => null,
            },
            Node::Input(number) => self.inputs.get(*number).map_or(null, Cow::Borrowed),
            Node::Field { anchor, resource, field, path } => match self.reach(anchor, bound) {
                Some(Cow::Borrowed(record)) => {
                    self.field(Cow::Borrowed(record.get(*field)), *resource, *field, path, &expression.r#type)
                }
                Some(Cow::Owned(record)) => {
                    let value = Cow::Owned(record.get(*field).clone());
                    self.field(value, *resource, *field, path, &expression.r#type)
                }
                None => null,
            },
            Node::Item(variable) => match Frame::find(bound, *variable) {
                Some(Binding::Item(item)) => Cow::Borrowed(item),
                _ => null,
            },
            Node::Arithmetic { operator, left, right } => {
                Cow::Owned(compute::arithmetic(*operator, &self.value(left, bound), &self.value(right, bound)))
            }
            Node::Negate(operand) => Cow::Owned(compute::negate(&self.value(operand, bound))),
            Node::Size(operand) => Cow::Owned(compute::size(&self.value(operand, bound))),
            Node::Lower(operand) => Cow::Owned(match &*self.value(operand, bound) {
                Value::Text(text) => Value::Text(text.to_ascii_lowercase().into()),
                _ => Value::Null,
            }),
            Node::Convert(operand) => Cow::Owned(compute::widen(&self.value(operand, bound), &expression.r#type)),
            Node::Choice { when, when_not, then, otherwise } => {
                if self.holds(when, bound) {
                    self.value(then, bound)
                } else if self.holds(when_not, bound) {
                    self.value(otherwise, bound)
                } else {
                    null
                }
            }
            Node::Verdict { yes, no } => {
                if self.holds(yes, bound) {
                    Cow::Owned(Value::Boolean(true))
                } else if self.holds(no, bound) {
                    Cow::Owned(Value::Boolean(false))
                } else {
                    null
                }
            }
        }
    }

    /// A field's value, or what a JSON field has at a path.
    fn field<'b>(
        &self,
        value: Cow<'b, Value>,
        resource: ResourceIndex,
        field: FieldIndex,
        path: &[String],
        r#type: &Type,
    ) -> Cow<'b, Value> {
        if let (Value::Json(document), false) = (&*value, path.is_empty()) {
            return Cow::Owned(compute::json_path(document, path, r#type));
        }
        // The ids of a join table are a list, however few.
        if value.is_null() && self.schema.get(resource).get(field).is_many() {
            return Cow::Owned(Value::List(Vec::new()));
        }
        value
    }
}

/// What a quantifier's variable stands for at the moment, and the variables around it.
struct Frame<'a> {
    variable: Variable,
    binding: Binding<'a>,
    outer: Option<&'a Frame<'a>>,
}

#[derive(Clone, Copy)]
enum Binding<'a> {
    Item(&'a Value),
    Row(&'a Record),
}

impl<'a> Frame<'a> {
    fn find(innermost: Option<&'a Frame<'a>>, variable: Variable) -> Option<Binding<'a>> {
        std::iter::successors(innermost, |frame| frame.outer)
            .find(|frame| frame.variable == variable)
            .map(|frame| frame.binding)
    }
}

fn folds(r#type: &Type) -> bool {
    matches!(r#type, Type::Text { fold_case: true })
}

fn satisfies(order: std::cmp::Ordering, operator: Comparison) -> bool {
    match operator {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

fn ask(call: TextCall, subject: &str, argument: &str) -> bool {
    match call {
        TextCall::StartsWith => subject.starts_with(argument),
        TextCall::EndsWith => subject.ends_with(argument),
        TextCall::Contains => subject.contains(argument),
    }
}

/// The answer of a condition over constants.
pub(crate) fn judge_constant(condition: &Condition) -> bool {
    Situation::blank(&Schema::default()).judge(condition)
}

/// The value of an expression over constants.
pub(crate) fn evaluate_constant(expression: &Expression) -> Value {
    Situation::blank(&Schema::default()).evaluate(expression)
}

#[cfg(test)]
mod tests;
