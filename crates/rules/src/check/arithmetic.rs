//! Arithmetic and its types.

use std::ops::Range;

use super::{
    Checker, Literal, Operand, Scope,
    compare::{Placed, meet},
    literal::own_decimal,
    operand::describe_type,
};
use crate::expression::{Arithmetic, Expression, Mistake, Node, Type};
use model::Value;

impl Checker<'_> {
    /// `left operator right`
    pub(super) fn arithmetic(
        &mut self,
        operator: Arithmetic,
        left: Placed<'_>,
        right: Placed<'_>,
        span: &Range<usize>,
    ) -> Operand {
        if matches!(left.0, Operand::Broken) || matches!(right.0, Operand::Broken) {
            return Operand::Broken;
        }
        if let Some(null) = [&left, &right].into_iter().find(|side| matches!(side.0, Operand::Null)) {
            return self.broken(Mistake::new(null.1.clone(), "one can't calculate with `null`"));
        }
        let (of_left, of_right) = match (self.natural(&left.0), self.natural(&right.0)) {
            (Some(of_left), Some(of_right)) => (of_left, of_right),
            // A value of the caller takes the type of the other side.
            (Some(of_left), None) => (of_left.clone(), of_left),
            (None, Some(of_right)) => (of_right.clone(), of_right),
            (None, None) => {
                let help = "compare it, or name its type: `timestamp(…)`, `duration(…)`";
                return self
                    .broken(Mistake::new(span.clone(), "the type of this is known at run time only").help(help));
            }
        };
        let Some((wanted_left, wanted_right)) =
            operand_types(operator, (&left.0, of_left.clone()), (&right.0, of_right.clone()))
        else {
            let message = format!(
                "`{}` can't be used between {} and {}",
                symbol(operator),
                describe_type(&of_left),
                describe_type(&of_right)
            );
            let mistake = Mistake::new(span.clone(), message);
            let decimal = [&of_left, &of_right].into_iter().any(|found| matches!(found, Type::Decimal { .. }));
            return self.broken(match operator {
                Arithmetic::Divide if decimal => mistake.help("a quotient of decimals isn't exact; multiply instead"),
                _ => mistake,
            });
        };
        let left = self.coerce_number(left, &wanted_left);
        let right = self.coerce_number(right, &wanted_right);
        let (Some(left), Some(right)) = (left, right) else { return Operand::Broken };
        if self.scope == Scope::Filter && [&left, &right].into_iter().any(|side| self.is_long_text(side)) {
            // A filter is asked of every record, and long texts put together would be held all at once.
            return self.broken(Mistake::new(span.clone(), "long texts can't be put together in a filter"));
        }
        let Some(r#type) = result_type(operator, &left.r#type, &right.r#type) else {
            return self.broken(Mistake::new(span.clone(), "the result would have more than 38 digits"));
        };
        let node = Node::Arithmetic { operator, left: Box::new(left), right: Box::new(right) };
        Operand::Value(Expression::new(node, r#type))
    }

    /// A number literal beside a decimal keeps its own digits.
    fn coerce_number(&mut self, side: Placed<'_>, wanted: &Type) -> Option<Expression> {
        if let (Operand::Literal(literal), Type::Decimal { scale, .. }) = (&side.0, wanted)
            && let Some(own) = own_decimal(literal)
        {
            let own = own.normalize();
            let fitted = own.rescale(own.scale.max(*scale)).unwrap_or(own);
            let r#type =
                Type::Decimal { scale: fitted.scale, digits: fitted.digits().max(u32::from(fitted.scale)) as u8 };
            return Some(Expression::new(Node::Literal(Value::Decimal(fitted)), r#type));
        }
        self.coerce(side.0, wanted, side.1)
    }

    /// `-operand`
    pub(super) fn negate(&mut self, operand: Operand, span: &Range<usize>) -> Operand {
        if matches!(operand, Operand::Broken) {
            return Operand::Broken;
        }
        let found = self.natural(&operand);
        match found {
            Some(Type::Integer | Type::Float | Type::Decimal { .. } | Type::Duration) => {
                match self.expression_of(operand, span) {
                    Some(inner) => {
                        let r#type = inner.r#type.clone();
                        Operand::Value(Expression::new(Node::Negate(Box::new(inner)), r#type))
                    }
                    None => Operand::Broken,
                }
            }
            _ => {
                let message = format!("a number expected, found {}", self.describe(&operand));
                self.broken(Mistake::new(span.clone(), message))
            }
        }
    }
}

/// What both sides must be; none where the operator has no meaning for them.
fn operand_types(operator: Arithmetic, left: (&Operand, Type), right: (&Operand, Type)) -> Option<(Type, Type)> {
    use Arithmetic::{Add, Divide, Multiply, Remainder, Subtract};
    let number_literal =
        |operand: &Operand| matches!(operand, Operand::Literal(Literal::Integer(_) | Literal::Float(_)));
    match (operator, &left.1, &right.1) {
        (_, Type::Integer, Type::Integer) => Some((left.1, right.1)),
        (Add | Subtract | Multiply | Divide, Type::Float, Type::Float) => Some((left.1, right.1)),
        (Add | Subtract | Multiply | Divide, Type::Float, Type::Integer) if number_literal(right.0) => {
            Some((Type::Float, Type::Float))
        }
        (Add | Subtract | Multiply | Divide, Type::Integer, Type::Float) if number_literal(left.0) => {
            Some((Type::Float, Type::Float))
        }
        (Add | Subtract | Multiply, Type::Decimal { scale, .. }, Type::Float) if number_literal(right.0) => {
            let beside = Type::Decimal { scale: if operator == Multiply { 0 } else { *scale }, digits: 38 };
            Some((grown(&left.1, right.0, operator), beside))
        }
        (Add | Subtract | Multiply, Type::Float, Type::Decimal { scale, .. }) if number_literal(left.0) => {
            let beside = Type::Decimal { scale: if operator == Multiply { 0 } else { *scale }, digits: 38 };
            Some((beside, grown(&right.1, left.0, operator)))
        }
        (Multiply, Type::Decimal { .. } | Type::Integer, Type::Decimal { .. } | Type::Integer) => {
            let own = |found: &Type| match found {
                Type::Integer => Type::Decimal { scale: 0, digits: 19 },
                other => other.clone(),
            };
            Some((own(&left.1), own(&right.1)))
        }
        (Add | Subtract, Type::Decimal { .. } | Type::Integer, Type::Decimal { .. } | Type::Integer) => {
            let both = meet(&left.1, &right.1)?;
            Some((both.clone(), both))
        }
        (Add, Type::Text { .. }, Type::Text { .. })
        | (Add | Subtract, Type::Duration | Type::DateTime, Type::Duration)
        | (Add, Type::Duration, Type::DateTime)
        | (Subtract, Type::DateTime, Type::DateTime) => Some((left.1, right.1)),
        (Add | Subtract, Type::Date, Type::Duration) => Some((Type::DateTime, Type::Duration)),
        (Divide | Remainder | Add | Subtract | Multiply, ..) => None,
    }
}

/// A decimal's type beside a literal with more digits after the point, which it must share to be added.
fn grown(decimal: &Type, literal: &Operand, operator: Arithmetic) -> Type {
    let (Type::Decimal { scale, digits }, Operand::Literal(literal)) = (decimal, literal) else {
        return decimal.clone();
    };
    match own_decimal(literal).map(model::Decimal::normalize) {
        Some(own) if operator != Arithmetic::Multiply && own.scale > *scale => {
            Type::Decimal { scale: own.scale, digits: digits.saturating_add(own.scale - scale) }
        }
        _ => decimal.clone(),
    }
}

/// The type of the result; none where a decimal would have more than 38 digits.
fn result_type(operator: Arithmetic, left: &Type, right: &Type) -> Option<Type> {
    let result = match (left, right) {
        (Type::Decimal { scale: s1, digits: d1 }, Type::Decimal { scale: s2, digits: d2 }) => match operator {
            Arithmetic::Multiply => Type::Decimal { scale: s1 + s2, digits: d1.checked_add(*d2)? },
            _ => Type::Decimal { scale: *s1.max(s2), digits: d1.max(d2).checked_add(1)? },
        },
        (Type::Text { fold_case: left }, Type::Text { fold_case: right }) => Type::Text { fold_case: *left || *right },
        (Type::DateTime, Type::DateTime) => Type::Duration,
        (Type::DateTime, Type::Duration) | (Type::Duration, Type::DateTime) => Type::DateTime,
        (left, _) => left.clone(),
    };
    match result {
        Type::Decimal { digits, .. } if digits > 38 => None,
        other => Some(other),
    }
}

fn symbol(operator: Arithmetic) -> &'static str {
    match operator {
        Arithmetic::Add => "+",
        Arithmetic::Subtract => "-",
        Arithmetic::Multiply => "*",
        Arithmetic::Divide => "/",
        Arithmetic::Remainder => "%",
    }
}
