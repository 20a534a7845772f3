//! What is true and what is false, where undefined is neither.

use std::ops::Range;

use super::{Checker, Operand, UNDEFINED};
use crate::expression::{Condition, Expression, Mistake, Node, Quantifier, Source, Type, Variable};

/// A boolean part of an expression.
#[derive(Debug, Clone)]
pub(super) struct Truth {
    /// When it is true.
    pub(super) yes: Condition,
    /// When it is false.
    pub(super) no: Condition,
}

impl Truth {
    pub(super) fn constant(truth: bool) -> Self {
        Self { yes: Condition::Constant(truth), no: Condition::Constant(!truth) }
    }

    /// `!`
    pub(super) fn negate(self) -> Self {
        Self { yes: self.no, no: self.yes }
    }

    /// `&&`: false as soon as one is, whatever is undefined.
    pub(super) fn all(parts: Vec<Self>) -> Self {
        let (yes, no): (Vec<_>, Vec<_>) = parts.into_iter().map(|part| (part.yes, part.no)).unzip();
        Self { yes: Condition::all(yes), no: Condition::any(no) }
    }

    /// `||`: true as soon as one is, whatever is undefined.
    pub(super) fn any(parts: Vec<Self>) -> Self {
        Self::all(parts.into_iter().map(Self::negate).collect()).negate()
    }

    /// `condition ? then : otherwise`
    pub(super) fn choose(condition: &Self, then: Self, otherwise: Self) -> Self {
        let side = |then, otherwise| {
            Condition::any([
                Condition::all([condition.yes.clone(), then]),
                Condition::all([condition.no.clone(), otherwise]),
            ])
        };
        Self { yes: side(then.yes, otherwise.yes), no: side(then.no, otherwise.no) }
    }

    /// Undefined unless a condition holds.
    pub(super) fn provided(self, conditions: &[Condition]) -> Self {
        let only = |condition| Condition::all(conditions.iter().cloned().chain([condition]));
        if conditions.is_empty() { self } else { Self { yes: only(self.yes), no: only(self.no) } }
    }

    /// A boolean value.
    pub(super) fn of_value(expression: Expression) -> Self {
        match expression.node {
            Node::Verdict { yes, no } => Self { yes: *yes, no: *no },
            _ => Self { yes: Condition::Truth(expression.clone(), true), no: Condition::Truth(expression, false) },
        }
    }

    /// `source.exists(variable, body)`, or `all`.
    pub(super) fn quantified(
        quantifier: Quantifier,
        source: Source,
        variable: Variable,
        guard: Option<Condition>,
        body: Self,
    ) -> Self {
        let side = |quantifier, body, source, guard: Option<Condition>| Condition::Quantified {
            quantifier,
            source,
            variable,
            guard: guard.map(Box::new),
            body: Box::new(body),
        };
        let opposite = match quantifier {
            Quantifier::Exists => Quantifier::All,
            Quantifier::All => Quantifier::Exists,
        };
        Self {
            yes: side(quantifier, body.yes, source.clone(), guard.clone()),
            no: side(opposite, body.no, source, guard),
        }
    }

    /// The same as a value.
    pub(super) fn into_value(self) -> Expression {
        let node = match (self.yes, self.no) {
            (Condition::Truth(expression, true), Condition::Truth(other, false)) if expression == other => {
                return expression;
            }
            (yes, no) => Node::Verdict { yes: Box::new(yes), no: Box::new(no) },
        };
        Expression { node, r#type: Type::Boolean }
    }
}

impl Checker<'_> {
    /// Whether an operand is surely true, false or undefined.
    pub(super) fn is_boolean(&self, operand: &Operand) -> bool {
        match operand {
            Operand::Truth(_) => true,
            other => self.natural(other) == Some(Type::Boolean),
        }
    }

    /// An operand in the place of a condition.
    pub(super) fn truth(&mut self, operand: Operand, span: &Range<usize>) -> Truth {
        match operand {
            Operand::Truth(truth) => truth,
            // A branch of a ternary; alone it is refused by the caller.
            Operand::Null => UNDEFINED,
            Operand::Broken => Truth::constant(false),
            Operand::Choice { when, when_not, then, otherwise } => {
                let condition = Truth { yes: *when, no: *when_not };
                let (then, otherwise) = (self.truth(then.0, &then.1), self.truth(otherwise.0, &otherwise.1));
                Truth::choose(&condition, then, otherwise)
            }
            other => {
                let described = self.describe(&other);
                if let Some(found) = self.natural(&other).filter(|found| *found != Type::Boolean) {
                    let _ = found;
                    self.mistake(Mistake::new(span.clone(), format!("a condition expected, found {described}")));
                    return Truth::constant(false);
                }
                match self.coerce(other, &Type::Boolean, span) {
                    Some(expression) => Truth::of_value(expression),
                    None => Truth::constant(false),
                }
            }
        }
    }
}
