//! Comparisons, tests for null, and `in`.

use std::ops::Range;

use model::field::Kind;

use super::{
    Checker, Literal, Operand, Truth,
    operand::{Binding, End, Path, describe_type},
};
use crate::{
    expression::{Comparison, Condition, Expression, Mistake, Node, Type},
    suggest::did_you_mean,
};

/// An operand and its place.
pub(super) type Placed<'s> = (Operand, &'s Range<usize>);

impl Checker<'_> {
    /// `left operator right`
    pub(super) fn compare(
        &mut self,
        operator: Comparison,
        left: Placed<'_>,
        right: Placed<'_>,
        span: &Range<usize>,
    ) -> Operand {
        match (&left.0, &right.0) {
            (Operand::Broken, _) | (_, Operand::Broken) => return Operand::Broken,
            (Operand::Null, _) => return self.compare_with_null(operator, right, span),
            (_, Operand::Null) => return self.compare_with_null(operator, left, span),
            _ => {}
        }
        let Some((left, right)) = self.unify(left, right, span) else { return Operand::Broken };
        let ordered = !matches!(operator, Comparison::Equal | Comparison::NotEqual);
        if let Some(mistake) =
            self.incomparable(&left, ordered, span).or_else(|| self.incomparable(&right, ordered, span))
        {
            return self.broken(mistake);
        }
        self.foreign_id(&left, &right, span);
        if operator == Comparison::NotEqual || self.negations > 0 {
            self.doubt(&left, span);
            self.doubt(&right, span);
        }
        let truth = Truth {
            yes: Condition::Compare { operator, left: left.clone(), right: right.clone() },
            no: Condition::Compare { operator: opposite(operator), left, right },
        };
        self.weighed(truth, span)
    }

    fn incomparable(&self, side: &Expression, ordered: bool, span: &Range<usize>) -> Option<Mistake> {
        let mistake = |message: &str, help: &str| Some(Mistake::new(span.clone(), message).help(help));
        match &side.r#type {
            Type::List(_) => mistake("lists can't be compared", "ask with `in`, `exists`, `all` or `size`"),
            Type::Json => mistake(
                "JSON as a whole can only be compared with `null`",
                "name a path of it whose type the field's `schema` declares",
            ),
            Type::Boolean if ordered => mistake("booleans have no order", "compare with `==` or `!=`"),
            Type::Text { .. } if ordered && self.is_long_text(side) => {
                mistake("a `text` field has no order", "declare it as `string` to sort and compare by it")
            }
            _ => None,
        }
    }

    pub(super) fn is_long_text(&self, side: &Expression) -> bool {
        match &side.node {
            Node::Field { resource, field, path, .. } => {
                path.is_empty() && matches!(self.schema.get(*resource).get(*field).kind, Kind::Text(_))
            }
            Node::Lower(inner) => self.is_long_text(inner),
            Node::Choice { then, otherwise, .. } => self.is_long_text(then) || self.is_long_text(otherwise),
            _ => false,
        }
    }

    /// Both sides as values of one type.
    pub(super) fn unify(
        &mut self,
        left: Placed<'_>,
        right: Placed<'_>,
        span: &Range<usize>,
    ) -> Option<(Expression, Expression)> {
        let wanted = match (left.0.is_adaptive(), right.0.is_adaptive()) {
            (true, true) => {
                let (of_left, of_right) = (self.natural(&left.0), self.natural(&right.0));
                match (of_left, of_right) {
                    (Some(Type::Integer), Some(Type::Float)) => Type::Float,
                    (Some(found), _) | (None, Some(found)) => found,
                    (None, None) => Type::Text { fold_case: false },
                }
            }
            (false, true) => self.natural_or_mistake(&left)?,
            (true, false) => self.natural_or_mistake(&right)?,
            (false, false) => {
                let (of_left, of_right) = (self.natural_or_mistake(&left)?, self.natural_or_mistake(&right)?);
                let Some(both) = meet(&of_left, &of_right) else {
                    let message =
                        format!("{} can't be compared with {}", describe_type(&of_left), describe_type(&of_right));
                    self.mistake(Mistake::new(span.clone(), message));
                    return None;
                };
                both
            }
        };
        self.check_enum(&left, &right);
        self.check_enum(&right, &left);
        let (left, right) = (self.coerce(left.0, &wanted, left.1), self.coerce(right.0, &wanted, right.1));
        Some((left?, right?))
    }

    fn natural_or_mistake(&mut self, side: &Placed<'_>) -> Option<Type> {
        let found = self.natural(&side.0);
        if found.is_none() {
            // Asking for its value tells why it has none.
            self.expression_of(side.0.clone(), side.1);
        }
        found
    }

    /// A literal beside an enum must be one of its values.
    fn check_enum(&mut self, literal: &Placed<'_>, other: &Placed<'_>) {
        let Some(values) = self.enum_values(&other.0) else { return };
        let mut pending = vec![(literal.0.clone(), literal.1.clone())];
        while let Some((operand, span)) = pending.pop() {
            match operand {
                Operand::Literal(Literal::Text(text)) if !values.contains(&text) => {
                    let mistake = Mistake::new(span, format!("{text:?} is none of the values"));
                    let help = did_you_mean(&text, values.iter().map(String::as_str));
                    self.mistake(mistake.help(help.unwrap_or_else(|| format!("the values are {}", values.join(", ")))));
                }
                Operand::Choice { then, otherwise, .. } => pending.extend([*then, *otherwise]),
                Operand::List(items) => pending.extend(items),
                _ => {}
            }
        }
    }

    /// The values of the enum that an operand (or each of its items) is.
    fn enum_values(&self, operand: &Operand) -> Option<Vec<String>> {
        let (resource, field) = match operand {
            Operand::Path(Path { end: End::Field { resource, field }, .. }) => (*resource, *field),
            Operand::Value(expression) => match &expression.node {
                Node::Field { resource, field, path, .. } if path.is_empty() => (*resource, *field),
                Node::Item(variable) => self.variables.iter().find_map(|(_, binding)| match binding {
                    Binding::Item { variable: known, origin, .. } if known == variable => *origin,
                    _ => None,
                })?,
                _ => return None,
            },
            _ => return None,
        };
        match &self.schema.get(resource).get(field).kind {
            Kind::Enum { values } => Some(values.clone()),
            _ => None,
        }
    }

    fn compare_with_null(&mut self, operator: Comparison, side: Placed<'_>, span: &Range<usize>) -> Operand {
        let (operand, place) = side;
        if !matches!(operator, Comparison::Equal | Comparison::NotEqual) {
            let help = "ask `== null` or `!= null`";
            return self.broken(Mistake::new(span.clone(), "`null` has no order").help(help));
        }
        let truth = match operand {
            Operand::Null => Truth::constant(true),
            Operand::Literal(_) | Operand::List(_) => {
                return self.broken(Mistake::new(place.clone(), "a literal is never null"));
            }
            other => match self.nullable(other, place) {
                Some(expression) => {
                    self.handle_null(&expression);
                    Truth { yes: Condition::IsNull(expression.clone()), no: Condition::IsPresent(expression) }
                }
                None => return Operand::Broken,
            },
        };
        let truth = if operator == Comparison::Equal { truth } else { truth.negate() };
        self.weighed(truth, span)
    }

    /// An operand of which is asked whether it is there.
    pub(super) fn nullable(&mut self, operand: Operand, span: &Range<usize>) -> Option<Expression> {
        match operand {
            Operand::Path(Path { anchor, conditions, end: End::Record }) => {
                // A record is there where its id is.
                let field = model::Resource::ID;
                let end = End::Field { resource: anchor.reached(), field };
                self.value_of_path(Path { anchor, conditions, end }, span)
            }
            other if other.is_adaptive() && self.natural(&other).is_none() => self.coerce(other, &Type::Json, span),
            other => self.expression_of(other, span),
        }
    }

    /// `needle in list`
    pub(super) fn is_in(&mut self, needle: Placed<'_>, list: Placed<'_>, span: &Range<usize>) -> Operand {
        let (needle, needle_span) = needle;
        let (list, list_span) = list;
        let items = match list {
            Operand::Broken => return Operand::Broken,
            Operand::List(items) if !items.iter().all(|(item, _)| is_constant(item)) => {
                return self.in_alternatives(&(needle, needle_span), items, span);
            }
            other => other,
        };
        if matches!(needle, Operand::Broken) {
            return Operand::Broken;
        }
        if matches!(needle, Operand::Null) {
            return self.broken(Mistake::new(needle_span.clone(), "`null` is in no list"));
        }
        self.check_enum(&(needle.clone(), needle_span), &(items.clone(), list_span));
        self.check_enum(&(items.clone(), list_span), &(needle.clone(), needle_span));
        let of_needle = self.natural(&needle);
        let text = Type::Text { fold_case: false };
        let item = match (&items, self.natural(&items)) {
            // A literal list, or a claim, is of what is looked for in it.
            (Operand::List(_), found) => match (&of_needle, found) {
                (Some(of_needle), _) if !matches!(needle, Operand::Literal(_)) => of_needle.clone(),
                (_, Some(Type::List(item))) => *item,
                (found, _) => found.clone().unwrap_or(text),
            },
            (Operand::Dynamic(_), _) => of_needle.clone().unwrap_or(text),
            (_, Some(Type::List(item))) => *item,
            (other, _) => {
                let found = self.describe(other);
                let help = match other {
                    Operand::Path(Path { end: End::Reverse { .. }, .. }) => "ask `exists` of a relation",
                    _ => "`in` looks into a list; `contains` looks into a string",
                };
                return self
                    .broken(Mistake::new(list_span.clone(), format!("a list expected, found {found}")).help(help));
            }
        };
        let needle = self.coerce(needle, &item, needle_span);
        let list = self.coerce(items, &Type::List(Box::new(item)), list_span);
        let (Some(needle), Some(list)) = (needle, list) else { return Operand::Broken };
        if matches!(needle.r#type, Type::Json | Type::List(_)) {
            return self.broken(Mistake::new(needle_span.clone(), "this can't be looked for in a list"));
        }
        if self.negations > 0 {
            self.doubt(&needle, span);
            self.doubt(&list, span);
        }
        let truth = Truth {
            yes: Condition::In { needle: needle.clone(), list: list.clone(), negated: false },
            no: Condition::In { needle, list, negated: true },
        };
        self.weighed(truth, span)
    }

    /// `x in [a, b]` where an item is no literal: `x == a || x == b`.
    fn in_alternatives(
        &mut self,
        needle: &Placed<'_>,
        items: Vec<(Operand, Range<usize>)>,
        span: &Range<usize>,
    ) -> Operand {
        let mut parts = Vec::new();
        for (item, place) in items {
            if matches!(item, Operand::Null) {
                self.mistake(Mistake::new(place, "a list can't hold `null`"));
                continue;
            }
            match self.compare(Comparison::Equal, needle.clone(), (item, &place), span) {
                Operand::Truth(truth) => parts.push(truth),
                _ => return Operand::Broken,
            }
        }
        self.weighed(Truth::any(parts), span)
    }
}

/// Whether an item of a list literal is the same for every record and caller.
fn is_constant(operand: &Operand) -> bool {
    match operand {
        Operand::Value(expression) => matches!(expression.clone().simplify().node, Node::Literal(_)),
        Operand::Literal(_) | Operand::Null | Operand::Broken => true,
        _ => false,
    }
}

/// The type that holds the values of both, if there is one that does so exactly.
pub(super) fn meet(left: &Type, right: &Type) -> Option<Type> {
    match (left, right) {
        (Type::Text { fold_case: left }, Type::Text { fold_case: right }) => {
            Some(Type::Text { fold_case: *left || *right })
        }
        (Type::Decimal { scale: s1, digits: d1 }, Type::Decimal { scale: s2, digits: d2 }) => {
            let scale = *s1.max(s2);
            Some(Type::Decimal { scale, digits: (d1 - s1.min(d1)).max(d2 - s2.min(d2)).saturating_add(scale) })
        }
        (Type::Integer, Type::Decimal { scale, digits }) | (Type::Decimal { scale, digits }, Type::Integer) => {
            Some(Type::Decimal { scale: *scale, digits: (19 + scale).max(*digits) })
        }
        (Type::Date, Type::DateTime) | (Type::DateTime, Type::Date) => Some(Type::DateTime),
        (left, right) if left == right => Some(left.clone()),
        _ => None,
    }
}

fn opposite(operator: Comparison) -> Comparison {
    match operator {
        Comparison::Equal => Comparison::NotEqual,
        Comparison::NotEqual => Comparison::Equal,
        Comparison::Less => Comparison::GreaterOrEqual,
        Comparison::LessOrEqual => Comparison::Greater,
        Comparison::Greater => Comparison::LessOrEqual,
        Comparison::GreaterOrEqual => Comparison::Less,
    }
}
