//! Literals and other operands as values of a wanted type.

use std::ops::Range;

use model::{Decimal, Field, Value, field::Kind};

use super::{Checker, Literal, Operand, operand::describe_type};
use crate::{
    convert,
    expression::{Expression, Mistake, Node, Type},
};

/// The absent value of a type.
pub(super) fn null(r#type: Type) -> Expression {
    Expression::new(Node::Literal(Value::Null), r#type)
}

pub(super) fn boolean(truth: bool) -> Expression {
    Expression::new(Node::Literal(Value::Boolean(truth)), Type::Boolean)
}

/// The type that a JSON Schema gives to a value, where it is one that rules can use.
pub(super) fn json_type(schema: &serde_json::Value) -> Option<Type> {
    let declared = match schema.get("type")? {
        serde_json::Value::String(name) => name.as_str(),
        // `["string", "null"]`
        serde_json::Value::Array(names) => {
            let mut others = names.iter().filter_map(|name| name.as_str()).filter(|name| *name != "null");
            let only = others.next()?;
            if others.next().is_some() {
                return None;
            }
            only
        }
        _ => return None,
    };
    match declared {
        "string" => Some(Type::Text { fold_case: false }),
        "integer" => Some(Type::Integer),
        "number" => Some(Type::Float),
        "boolean" => Some(Type::Boolean),
        _ => None,
    }
}

/// A number as written, as an exact decimal of its own size.
pub(super) fn own_decimal(literal: &Literal) -> Option<Decimal> {
    match literal {
        Literal::Integer(integer) => Some(Decimal::new((*integer).into(), 0)),
        Literal::Float(written) => exact_decimal(written),
        Literal::Text(_) => None,
    }
}

/// Reads `1.50`, `.5` and `1.5e3` exactly.
fn exact_decimal(written: &str) -> Option<Decimal> {
    let (mantissa, exponent) = match written.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (written, 0),
    };
    let mantissa = match mantissa.strip_prefix('-') {
        Some(rest) if rest.starts_with('.') => format!("-0{rest}"),
        None if mantissa.starts_with('.') => format!("0{mantissa}"),
        _ => mantissa.to_owned(),
    };
    let decimal = Decimal::parse(&mantissa)?;
    let scale = i64::from(decimal.scale).checked_sub(exponent)?;
    let decimal = if scale >= 0 {
        Decimal::new(decimal.unscaled, u8::try_from(scale).ok().filter(|scale| *scale <= 38)?)
    } else {
        let power = model::decimal::power_of_ten(u8::try_from(scale.checked_neg()?).ok()?)?;
        Decimal::new(decimal.unscaled.checked_mul(power)?, 0)
    };
    Some(decimal.normalize()).filter(|decimal| decimal.digits() <= model::decimal::MAX_DIGITS)
}

impl Checker<'_> {
    /// An operand as a value of a type, where it is one or can become one without loss.
    pub(super) fn coerce(&mut self, operand: Operand, wanted: &Type, span: &Range<usize>) -> Option<Expression> {
        match operand {
            Operand::Broken => None,
            Operand::Value(expression) => self.widen(expression, wanted, span),
            Operand::Truth(truth) => self.widen(truth.into_value(), wanted, span),
            Operand::Path(path) => {
                let expression = self.value_of_path(path, span)?;
                self.widen(expression, wanted, span)
            }
            Operand::Literal(literal) => match literal_as(&literal, wanted) {
                Ok(value) => Some(Expression::new(Node::Literal(value), wanted.clone())),
                Err(message) => {
                    let mistake = Mistake::new(span.clone(), message);
                    self.mistake(match literal_help(&literal, wanted) {
                        Some(help) => mistake.help(help),
                        None => mistake,
                    });
                    None
                }
            },
            Operand::Dynamic(value) => Some(Expression::new(Node::Caller(value), wanted.clone())),
            Operand::Null => Some(null(wanted.clone())),
            Operand::Choice { when, when_not, then, otherwise } => {
                let then = self.coerce(then.0, wanted, &then.1);
                let otherwise = self.coerce(otherwise.0, wanted, &otherwise.1);
                let (then, otherwise) = (Box::new(then?), Box::new(otherwise?));
                Some(Expression::new(Node::Choice { when, when_not, then, otherwise }, wanted.clone()))
            }
            Operand::List(items) => {
                let Type::List(item_type) = wanted else {
                    let message = format!("{} expected, found a list", describe_type(wanted));
                    self.mistake(Mistake::new(span.clone(), message));
                    return None;
                };
                self.list_of_literals(items, item_type)
            }
            Operand::Namespace(_) => {
                let message = format!("{} is no value", self.describe(&operand));
                self.mistake(Mistake::new(span.clone(), message).help("name something of it, as in `auth.id`"));
                None
            }
        }
    }

    /// A list literal as a literal list.
    pub(super) fn list_of_literals(&mut self, items: Vec<(Operand, Range<usize>)>, item: &Type) -> Option<Expression> {
        let mut values = Vec::new();
        let mut complete = true;
        for (operand, span) in items {
            if matches!(operand, Operand::Null) {
                self.mistake(Mistake::new(span, "a list can't hold `null`"));
                complete = false;
                continue;
            }
            match self.coerce(operand, item, &span).map(Expression::simplify) {
                Some(Expression { node: Node::Literal(value), .. }) if !value.is_null() => values.push(value),
                Some(_) => {
                    self.mistake(Mistake::new(span, "only literals can stand in a list here"));
                    complete = false;
                }
                None => complete = false,
            }
        }
        let list_type = Type::List(Box::new(item.clone()));
        complete.then(|| Expression::new(Node::Literal(Value::List(values)), list_type))
    }

    /// A typed value as one of a type that can hold it exactly.
    fn widen(&mut self, expression: Expression, wanted: &Type, span: &Range<usize>) -> Option<Expression> {
        let converted = match (&expression.r#type, wanted) {
            (found, wanted) if found == wanted => return Some(expression),
            (Type::Text { .. }, Type::Text { .. }) | (_, Type::Json) => return Some(expression),
            (Type::Decimal { scale: from, .. }, Type::Decimal { scale: to, .. }) if from == to => {
                return Some(expression);
            }
            (Type::Decimal { scale: from, digits }, Type::Decimal { scale: to, .. }) if from < to => {
                Some(Type::Decimal { scale: *to, digits: digits + (to - from) })
            }
            (Type::Integer, Type::Decimal { scale, .. }) => Some(Type::Decimal { scale: *scale, digits: 19 + scale }),
            (Type::Date, Type::DateTime) => Some(Type::DateTime),
            (Type::List(from), Type::List(to))
                if matches!((&**from, &**to), (Type::Text { .. }, Type::Text { .. })) =>
            {
                return Some(expression);
            }
            _ => None,
        };
        match converted {
            Some(Type::Decimal { digits, .. }) if digits > 38 => {
                self.mistake(Mistake::new(span.clone(), "the decimal would have more than 38 digits"));
                None
            }
            Some(r#type) => Some(Expression::new(Node::Convert(Box::new(expression)), r#type)),
            None => {
                let message =
                    format!("{} expected, found {}", describe_type(wanted), describe_type(&expression.r#type));
                self.mistake(Mistake::new(span.clone(), message));
                None
            }
        }
    }

    /// An operand as the default of a field.
    pub(super) fn assign(
        &mut self,
        operand: Operand,
        wanted: &Type,
        field: &Field,
        span: &Range<usize>,
    ) -> Option<Expression> {
        if let (Kind::Enum { values }, Operand::Literal(Literal::Text(text))) = (&field.kind, &operand) {
            let known: Vec<&str> = values.iter().map(String::as_str).collect();
            if !known.contains(&text.as_str()) {
                let mistake = Self::unknown("value", text, span, &known);
                self.mistake(mistake);
                return None;
            }
        }
        if matches!(wanted, Type::Json) && !matches!(operand, Operand::Null | Operand::Broken) {
            let help = "give the default as a literal";
            self.mistake(Mistake::new(span.clone(), "JSON can't be made by a rule").help(help));
            return None;
        }
        self.coerce(operand, wanted, span)
    }
}

/// A literal as a value of a type; otherwise why it can't be one.
fn literal_as(literal: &Literal, wanted: &Type) -> Result<Value, String> {
    let impossible = || {
        let written = match literal {
            Literal::Integer(integer) => integer.to_string(),
            Literal::Float(written) => written.clone(),
            Literal::Text(text) => format!("{text:?}"),
        };
        format!("{written} is not {}", describe_type(wanted))
    };
    let value = match (literal, wanted) {
        (Literal::Integer(integer), Type::Integer) => Some(Value::Integer(*integer)),
        (Literal::Integer(integer), Type::Float) => convert::exact_float(*integer).map(Value::Float),
        (Literal::Float(written), Type::Float) => {
            written.parse().ok().filter(|float: &f64| float.is_finite()).map(Value::Float)
        }
        (Literal::Float(written), Type::Integer) => exact_decimal(written)
            .and_then(|exact| exact.rescale(0))
            .and_then(|exact| i64::try_from(exact.unscaled).ok())
            .map(Value::Integer),
        (Literal::Integer(_) | Literal::Float(_), Type::Decimal { scale, digits }) => {
            let fits = own_decimal(literal).and_then(|exact| convert::decimal(exact, wanted));
            return fits.ok_or_else(|| too_fine(&impossible(), *scale, *digits));
        }
        (Literal::Text(text), Type::Decimal { scale, digits }) => {
            let Some(exact) = Decimal::parse(text) else { return Err(impossible()) };
            return convert::decimal(exact, wanted).ok_or_else(|| too_fine(&impossible(), *scale, *digits));
        }
        (Literal::Text(text), Type::Text { .. } | Type::DateTime | Type::Date | Type::Uuid) => {
            convert::parse(text, wanted)
        }
        _ => None,
    };
    value.ok_or_else(impossible)
}

fn too_fine(impossible: &str, scale: u8, digits: u8) -> String {
    format!("{impossible} of {digits} digits, {scale} of them after the point")
}

fn literal_help(literal: &Literal, wanted: &Type) -> Option<&'static str> {
    match (literal, wanted) {
        (Literal::Text(_), Type::DateTime) => Some("write it as RFC 3339 does: `2030-01-31T12:00:00Z`"),
        (Literal::Text(_), Type::Date) => Some("write `2030-01-31`"),
        (Literal::Text(_), Type::Uuid) => Some("write it with hyphens: `0192c4f0-0000-7000-8000-000000000000`"),
        (Literal::Text(_), Type::Duration) => Some("write `duration('1h30m')`"),
        (Literal::Text(_), Type::Integer | Type::Float | Type::Boolean) => Some("leave the quotes out"),
        (Literal::Integer(_) | Literal::Float(_), Type::Text { .. }) => Some("put it between quotes"),
        _ => None,
    }
}
