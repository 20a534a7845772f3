//! What is known already, taken out of a condition: constants, and the tests of one caller.

use model::Value;

use crate::{
    expression::{Condition, Expression, Node, Quantifier, Source},
    judge,
    rewrite::{Part, Rewrite},
};

impl Condition {
    /// The condition for one caller: tests are answered (bit `n` for `Test(n)`), and what follows from them is folded away.
    #[must_use]
    pub fn specialize(&self, tests: u64) -> Self {
        Simplify { tests: Some(tests) }.condition(self.clone())
    }

    /// The same condition with constant parts folded away.
    #[must_use]
    pub fn simplify(self) -> Self {
        Simplify { tests: None }.condition(self)
    }

    /// All of some conditions, without needless nesting.
    #[must_use]
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::Constant(true) => {}
                Self::Constant(false) => return Self::Constant(false),
                Self::All(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        joined(flat, Self::All, true)
    }

    /// One of some conditions, without needless nesting.
    #[must_use]
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::Constant(false) => {}
                Self::Constant(true) => return Self::Constant(true),
                Self::Any(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        joined(flat, Self::Any, false)
    }
}

fn joined(mut parts: Vec<Condition>, several: fn(Vec<Condition>) -> Condition, none: bool) -> Condition {
    match parts.len() {
        0 => Condition::Constant(none),
        1 => parts.swap_remove(0),
        _ => several(parts),
    }
}

/// An expression with constant parts folded away.
pub(crate) fn simplify_expression(expression: Expression) -> Expression {
    Simplify { tests: None }.expression(expression)
}

struct Simplify {
    tests: Option<u64>,
}

impl Rewrite for Simplify {
    fn condition(&mut self, condition: Condition) -> Condition {
        match (self.parts_of_condition(condition), self.tests) {
            (Condition::Test(number), Some(tests)) => Condition::Constant(tests >> number & 1 == 1),
            (Condition::All(parts), _) => Condition::all(parts),
            (Condition::Any(parts), _) => Condition::any(parts),
            (Condition::Truth(Expression { node: Node::Verdict { yes, no }, .. }, truth), _) => {
                if truth {
                    *yes
                } else {
                    *no
                }
            }
            (Condition::Quantified { quantifier, source, variable, guard, body }, _) => {
                let guard = guard.filter(|guard| **guard != Condition::Constant(true));
                let nothing = Condition::Constant(false);
                let never =
                    quantifier == Quantifier::Exists && (*body == nothing || guard.as_deref() == Some(&nothing));
                let absent = matches!(&source, Source::Items(list) if is_null(list));
                if never || absent {
                    return nothing;
                }
                Condition::Quantified { quantifier, source, variable, guard, body }
            }
            (folded, _) if is_settled(&folded) => Condition::Constant(judge::judge_constant(&folded)),
            (other, _) => other,
        }
    }

    fn expression(&mut self, expression: Expression) -> Expression {
        let Expression { node, r#type } = self.parts_of_expression(expression);
        let literal = |value| Node::Literal(value);
        let node = match node {
            Node::Choice { when, when_not, then, otherwise } => match (*when, *when_not) {
                (Condition::Constant(true), _) => return *then,
                (_, Condition::Constant(true)) => return *otherwise,
                (Condition::Constant(false), Condition::Constant(false)) => literal(Value::Null),
                (when, when_not) => {
                    Node::Choice { when: Box::new(when), when_not: Box::new(when_not), then, otherwise }
                }
            },
            Node::Verdict { yes, no } => match (*yes, *no) {
                (Condition::Constant(true), _) => literal(Value::Boolean(true)),
                (_, Condition::Constant(true)) => literal(Value::Boolean(false)),
                (Condition::Constant(false), Condition::Constant(false)) => literal(Value::Null),
                (yes, no) => Node::Verdict { yes: Box::new(yes), no: Box::new(no) },
            },
            Node::Arithmetic { left, right, .. } if is_null(&left) || is_null(&right) => literal(Value::Null),
            other => other,
        };
        let folded = Expression { node, r#type };
        let made_of_literals = match &folded.node {
            Node::Arithmetic { left, right, .. } => is_literal(left) && is_literal(right),
            Node::Negate(operand) | Node::Size(operand) | Node::Lower(operand) | Node::Convert(operand) => {
                is_literal(operand)
            }
            _ => false,
        };
        if made_of_literals {
            return Expression { node: literal(judge::evaluate_constant(&folded)), r#type: folded.r#type };
        }
        folded
    }

    fn anchor(&mut self, anchor: crate::expression::Anchor) -> crate::expression::Anchor {
        let mut anchor = self.parts_of_anchor(anchor);
        for step in &mut anchor.steps {
            step.guard = step.guard.take().filter(|guard| guard.1 != Condition::Constant(true));
        }
        anchor
    }
}

fn is_literal(expression: &Expression) -> bool {
    matches!(expression.node, Node::Literal(_))
}

fn is_null(expression: &Expression) -> bool {
    matches!(expression.node, Node::Literal(Value::Null))
}

/// Whether a leaf's answer is the same whatever the records and the caller.
fn is_settled(condition: &Condition) -> bool {
    match condition {
        Condition::Compare { left, right, .. } => {
            is_null(left) || is_null(right) || (is_literal(left) && is_literal(right))
        }
        Condition::IsNull(expression) | Condition::IsPresent(expression) | Condition::Truth(expression, _) => {
            is_literal(expression)
        }
        Condition::In { needle, list, negated } => {
            let empty = matches!(&list.node, Node::Literal(Value::List(items)) if items.is_empty());
            is_null(needle) || is_null(list) || (is_literal(needle) && is_literal(list)) || (empty && !negated)
        }
        Condition::Text { subject, argument, .. } => {
            is_null(subject) || is_null(argument) || (is_literal(subject) && is_literal(argument))
        }
        Condition::Matches { subject, .. } => is_literal(subject),
        Condition::Constant(_)
        | Condition::All(_)
        | Condition::Any(_)
        | Condition::Test(_)
        | Condition::Quantified { .. } => false,
    }
}

/// Pulls the largest conditions that speak of the caller alone out into tests.
pub(crate) struct Split {
    /// The tests found so far.
    pub(crate) tests: Vec<Condition>,
}

/// The most tests of a rule, since they travel as bits of a word.
pub const MAX_TESTS: usize = 64;

impl Split {
    fn test(&mut self, condition: Condition) -> Condition {
        if let Some(known) = self.tests.iter().position(|test| *test == condition) {
            return Condition::Test(known);
        }
        if self.tests.len() == MAX_TESTS {
            return condition;
        }
        self.tests.push(condition);
        Condition::Test(self.tests.len() - 1)
    }

    /// In a row of conditions those over the caller become one test.
    fn row(&mut self, parts: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Vec<Condition> {
        let (ours, others): (Vec<_>, Vec<_>) = parts.into_iter().partition(is_about_caller);
        let test = match ours.len() {
            0 => None,
            1 => ours.into_iter().next().map(|only| self.test(only)),
            _ => Some(self.test(join(ours))),
        };
        test.into_iter().chain(others.into_iter().map(|other| self.condition(other))).collect()
    }
}

impl Rewrite for Split {
    fn condition(&mut self, condition: Condition) -> Condition {
        if is_about_caller(&condition) {
            return self.test(condition);
        }
        match condition {
            Condition::All(parts) => Condition::All(self.row(parts, Condition::All)),
            Condition::Any(parts) => Condition::Any(self.row(parts, Condition::Any)),
            other => self.parts_of_condition(other),
        }
    }
}

/// Whether a condition speaks of the caller, and of nothing else than the caller and constants.
fn is_about_caller(condition: &Condition) -> bool {
    let (mut asks, mut bound, mut items, mut others) = (false, Vec::new(), Vec::new(), false);
    condition.walk(&mut |part| match part {
        Part::Expression(expression) => match &expression.node {
            Node::Caller(_) => asks = true,
            Node::Input(_) => others = true,
            Node::Item(variable) => items.push(*variable),
            _ => {}
        },
        Part::Anchor(_) | Part::Condition(Condition::Test(_)) => others = true,
        Part::Condition(Condition::Quantified { variable, .. }) => bound.push(*variable),
        Part::Condition(_) | Part::Source(_) => {}
    });
    asks && !others && items.iter().all(|variable| bound.contains(variable))
}
