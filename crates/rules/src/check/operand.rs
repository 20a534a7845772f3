//! What a part of an expression is, before it is known what it is compared with.

use std::ops::Range;

use model::{FieldIndex, ResourceIndex, caller::CallerValue};

use super::{Checker, Truth, literal};
use crate::expression::{Anchor, Condition, Expression, Mistake, Node, Root, Type, Variable};

/// A checked part of an expression.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    /// A value of known type.
    Value(Expression),
    /// A condition.
    Truth(Truth),
    /// A record, a field or a relation, from which a dot may go on.
    Path(Path),
    /// A literal, which takes the type of what it meets.
    Literal(Literal),
    /// A value of the caller whose type is known at run time only.
    Dynamic(CallerValue),
    /// `auth`, `request` or `auth.claims`.
    Namespace(Namespace),
    /// `null`
    Null,
    /// A list literal.
    List(Vec<(Operand, Range<usize>)>),
    /// `condition ? then : otherwise` whose type depends on what it meets.
    Choice {
        when: Box<Condition>,
        when_not: Box<Condition>,
        then: Box<(Operand, Range<usize>)>,
        otherwise: Box<(Operand, Range<usize>)>,
    },
    /// A mistake has been told; anything goes.
    Broken,
}

/// A literal as written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Integer(i64),
    Float(String),
    Text(String),
}

/// Names that only lead to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespace {
    Auth,
    Claims,
    Request,
}

/// Where a path has led.
#[derive(Debug, Clone)]
pub(super) struct Path {
    /// The record reached.
    pub(super) anchor: Anchor,
    /// Conditions without which the path is absent: those of the fields on the way that the caller sees at times only.
    pub(super) conditions: Vec<Condition>,
    /// What of that record.
    pub(super) end: End,
}

/// What a path names of the record that it reaches.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// The record itself.
    Record,
    /// A field.
    Field { resource: ResourceIndex, field: FieldIndex },
    /// A place in a JSON field.
    Json { resource: ResourceIndex, field: FieldIndex, keys: Vec<String>, schema: Option<serde_json::Value> },
    /// The records whose reference `field` points to the record reached.
    Reverse { resource: ResourceIndex, from: ResourceIndex, field: FieldIndex },
}

/// What a quantifier's variable stands for.
#[derive(Debug, Clone)]
pub(super) enum Binding {
    /// An item of a list, and the enum field that it comes from, if any.
    Item { variable: Variable, r#type: Type, origin: Option<(ResourceIndex, FieldIndex)> },
    /// A record.
    Row { variable: Variable, resource: ResourceIndex },
}

impl Operand {
    /// Whether its type follows from what it is compared with.
    pub(super) fn is_adaptive(&self) -> bool {
        match self {
            Self::Literal(_) | Self::Dynamic(_) | Self::Null => true,
            Self::Choice { then, otherwise, .. } => then.0.is_adaptive() && otherwise.0.is_adaptive(),
            _ => false,
        }
    }

    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Choice { when, when_not, then, otherwise } => {
                when.weight() + when_not.weight() + then.0.weight() + otherwise.0.weight()
            }
            Self::Value(expression) => expression.weight(),
            _ => 1,
        }
    }
}

impl Checker<'_> {
    /// The type that an operand has by itself; none where it depends on what it meets, or where it is no value.
    pub(super) fn natural(&self, operand: &Operand) -> Option<Type> {
        match operand {
            Operand::Value(expression) => Some(expression.r#type.clone()),
            Operand::Truth(_) => Some(Type::Boolean),
            Operand::Literal(Literal::Integer(_)) => Some(Type::Integer),
            Operand::Literal(Literal::Float(_)) => Some(Type::Float),
            Operand::Literal(Literal::Text(_)) => Some(Type::Text { fold_case: false }),
            Operand::Path(path) => match &path.end {
                End::Record => {
                    let id = self.schema.get(path.anchor.reached()).get(model::Resource::ID);
                    Some(Type::of_field(id))
                }
                End::Field { resource, field } => Some(Type::of_field(self.schema.get(*resource).get(*field))),
                End::Json { schema, .. } => schema.as_ref().and_then(literal::json_type),
                End::Reverse { .. } => None,
            },
            Operand::Choice { then, otherwise, .. } => self.natural(&then.0).or_else(|| self.natural(&otherwise.0)),
            Operand::List(items) => {
                items.iter().find_map(|(item, _)| self.natural(item)).map(|item| Type::List(Box::new(item)))
            }
            Operand::Dynamic(_) | Operand::Namespace(_) | Operand::Null | Operand::Broken => None,
        }
    }

    /// What an operand is, for mistakes: "a string".
    pub(super) fn describe(&self, operand: &Operand) -> String {
        let words = match operand {
            Operand::Null => "`null`",
            Operand::Namespace(Namespace::Auth) => "`auth`",
            Operand::Namespace(Namespace::Claims) => "`auth.claims`",
            Operand::Namespace(Namespace::Request) => "`request`",
            Operand::Path(Path { end: End::Record, .. }) => "a record",
            Operand::Path(Path { end: End::Reverse { .. }, .. }) => "a relation",
            Operand::Path(Path { end: End::Json { .. }, .. }) if self.natural(operand).is_none() => "JSON",
            _ => match self.natural(operand) {
                Some(found) => return describe_type(&found).to_owned(),
                None => "a value of the caller",
            },
        };
        words.to_owned()
    }

    /// An operand as a value of its own type, a string where it has none.
    pub(super) fn expression_of(&mut self, operand: Operand, span: &Range<usize>) -> Option<Expression> {
        let wanted = self.natural(&operand).unwrap_or(Type::Text { fold_case: false });
        self.coerce(operand, &wanted, span)
    }

    /// A path as a value.
    pub(super) fn value_of_path(&mut self, path: Path, span: &Range<usize>) -> Option<Expression> {
        let Path { anchor, conditions, end } = path;
        let whole = Operand::Path(Path { anchor: anchor.clone(), conditions: Vec::new(), end: end.clone() });
        let (resource, field, keys) = match end {
            End::Field { resource, field } => (resource, field, Vec::new()),
            End::Json { resource, field, keys, .. } => (resource, field, keys),
            End::Record if matches!(anchor.root, Root::Row(_)) && anchor.steps.is_empty() => {
                (anchor.resource, model::Resource::ID, Vec::new())
            }
            End::Record => {
                let help = "name one of its fields, `id` perhaps";
                self.mistake(Mistake::new(span.clone(), "a record is no value").help(help));
                return None;
            }
            End::Reverse { .. } => {
                let help = "ask `exists` or `all` of it";
                self.mistake(Mistake::new(span.clone(), "a relation is no value").help(help));
                return None;
            }
        };
        let Some(r#type) = self.natural(&whole) else {
            let message = format!("the type of `{}` isn't declared", keys.join("."));
            let help = "declare it as a string, integer, number or boolean in the field's `schema`";
            self.mistake(Mistake::new(span.clone(), message).help(help));
            return None;
        };
        let node = Node::Field { anchor, resource, field, path: keys };
        Some(provided(Expression::new(node, r#type), conditions))
    }
}

/// A value that is absent unless some conditions hold.
pub(super) fn provided(expression: Expression, conditions: Vec<Condition>) -> Expression {
    if conditions.is_empty() {
        return expression;
    }
    let r#type = expression.r#type.clone();
    let node = Node::Choice {
        when: Box::new(Condition::all(conditions)),
        when_not: Box::new(Condition::Constant(false)),
        then: Box::new(expression),
        otherwise: Box::new(literal::null(r#type.clone())),
    };
    Expression::new(node, r#type)
}

/// What a type is called in mistakes.
pub(super) fn describe_type(r#type: &Type) -> &'static str {
    match r#type {
        Type::Boolean => "a boolean",
        Type::Integer => "an integer",
        Type::Float => "a float",
        Type::Decimal { .. } => "a decimal",
        Type::Text { .. } => "a string",
        Type::DateTime => "a datetime",
        Type::Duration => "a duration",
        Type::Date => "a date",
        Type::Uuid => "a uuid",
        Type::List(_) => "a list",
        Type::Json => "JSON",
        Type::Dynamic => "a value of the caller",
    }
}
