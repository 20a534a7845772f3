//! What clients may ask: filters, sort paths and short-form conditions, each under what their caller may see.

use std::sync::Arc;

use model::{Problem, ResourceIndex, Value};

use crate::{
    check::{check_filter, check_path},
    expression::{Comparison, Condition, Expression, Mistake, Node, Rule, TextCall, Type},
    policy::Catalog,
    suggest::did_you_mean,
};
pub use crate::{convert::parse_input, visibility::Visibility};

/// A short-form operator: `?price[gte]=10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShortOperator {
    /// `eq`, also without brackets.
    Equal,
    /// `ne`
    NotEqual,
    /// `gt`
    Greater,
    /// `gte`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `lte`
    LessOrEqual,
    /// `in`: one of several values.
    In,
    /// `contains`: text within text without regard to ASCII case; an item of a list.
    Contains,
}

impl ShortOperator {
    /// Whether a value is compared as a whole, with the field or with an item of its list: for an enum it is one of its values.
    #[must_use]
    pub fn compares_whole(self, list: bool) -> bool {
        match self {
            Self::Equal | Self::NotEqual | Self::In => true,
            Self::Contains => list,
            Self::Greater | Self::GreaterOrEqual | Self::Less | Self::LessOrEqual => false,
        }
    }

    /// Every operator with its name in brackets.
    pub const ALL: [(&'static str, Self); 8] = [
        ("contains", Self::Contains),
        ("eq", Self::Equal),
        ("gt", Self::Greater),
        ("gte", Self::GreaterOrEqual),
        ("in", Self::In),
        ("lt", Self::Less),
        ("lte", Self::LessOrEqual),
        ("ne", Self::NotEqual),
    ];

    /// The operator of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, operator)| operator)
    }
}

/// Checks a client's filter over a resource. What the caller may not read is unknown, absent or null in it.
///
/// # Errors
///
/// Every mistake that can be found.
pub fn compile_filter(
    catalog: &Catalog,
    resource: ResourceIndex,
    text: &str,
    visibility: &Visibility<'_>,
) -> Result<Rule, Vec<Mistake>> {
    debug_assert!(std::ptr::eq(catalog, visibility.catalog()), "a visibility is of one catalog");
    check_filter(visibility, resource, text)
}

/// Resolves a dotted path from a record's own fields (`author.name`), for sort keys and groups.
///
/// # Errors
///
/// Why the path names no value that the caller sees.
pub fn resolve_path(
    catalog: &Catalog,
    resource: ResourceIndex,
    path: &str,
    visibility: &Visibility<'_>,
) -> Result<Expression, Mistake> {
    debug_assert!(std::ptr::eq(catalog, visibility.catalog()), "a visibility is of one catalog");
    check_path(visibility, resource, path)
}

/// What a value that the request brings has to be.
#[derive(Debug, Clone)]
pub struct Input {
    /// The type of what it is compared with.
    pub r#type: Type,
    /// The parameter that brings it.
    pub parameter: String,
    /// The values of the enum that it is held against; another one would match nothing, or everything.
    pub values: Option<Arc<[String]>>,
}

impl Input {
    /// Reads its text.
    ///
    /// # Errors
    /// A 400 that says why it can't be compared.
    pub(crate) fn read(&self, text: &str) -> Result<Value, Problem> {
        let Self { r#type, parameter, values } = self;
        let value = parse_input(r#type, text)
            .ok_or_else(|| Problem::parameter(parameter, format!("`{parameter}` can't be compared with {text:?}")))?;
        match values {
            Some(values) if !values.iter().any(|known| known == text) => {
                let known = || values.iter().map(String::as_str);
                let help = did_you_mean(text, known());
                let help = help.unwrap_or_else(|| format!("the values are {}", known().collect::<Vec<_>>().join(", ")));
                Err(Problem::parameter(parameter, format!("{text:?} is none of the values of `{parameter}`; {help}")))
            }
            _ => Ok(value),
        }
    }
}

/// A condition of the short form, whose right side are inputs by their numbers (one, but for `in`), with what they have to be.
///
/// # Errors
///
/// Where the field names no value that the caller sees, or the operator has no meaning for it.
pub fn short_condition(
    catalog: &Catalog,
    resource: ResourceIndex,
    field: &str,
    operator: ShortOperator,
    inputs: &[usize],
    visibility: &Visibility<'_>,
) -> Result<(Condition, Input), Mistake> {
    let left = resolve_path(catalog, resource, field, visibility)?;
    let refuse = |what: &str, help: &str| Err(Mistake::new(0..field.len(), format!("`{field}` is {what}")).help(help));
    let input_type = match &left.r#type {
        Type::Json => return refuse("JSON, which can't be compared", "name a path of it"),
        Type::List(item) => match operator {
            ShortOperator::Contains | ShortOperator::In => (**item).clone(),
            _ => return refuse("a list", "ask `contains` or `in` of it"),
        },
        other => other.clone(),
    };
    let input = |number: usize| Expression { node: Node::Input(number), r#type: input_type.clone() };
    let compare = |operator, number| Condition::Compare { operator, left: left.clone(), right: input(number) };
    let one_of = |make: &dyn Fn(usize) -> Condition| Condition::any(inputs.iter().map(|number| make(*number)));
    let is_list = matches!(left.r#type, Type::List(_));
    let condition = match operator {
        ShortOperator::In | ShortOperator::Contains if is_list => {
            one_of(&|number| Condition::In { needle: input(number), list: left.clone(), negated: false })
        }
        ShortOperator::In | ShortOperator::Equal => one_of(&|number| compare(Comparison::Equal, number)),
        ShortOperator::NotEqual => one_of(&|number| compare(Comparison::NotEqual, number)),
        ShortOperator::Contains => {
            let Type::Text { .. } = left.r#type else {
                return refuse("no text", "`contains` looks into text and lists");
            };
            let lower = |inner: Expression| {
                let r#type = inner.r#type.clone();
                Expression { node: Node::Lower(Box::new(inner)), r#type }
            };
            one_of(&|number| Condition::Text {
                call: TextCall::Contains,
                subject: lower(left.clone()),
                argument: lower(input(number)),
                negated: false,
            })
        }
        ShortOperator::Greater | ShortOperator::GreaterOrEqual | ShortOperator::Less | ShortOperator::LessOrEqual => {
            if left.r#type == Type::Boolean {
                return refuse("a boolean, which has no order", "ask `eq` or `ne` of it");
            }
            if is_long_text(catalog, &left) {
                return refuse("a long text, which has no order", "ask `eq`, `ne` or `contains` of it");
            }
            let operator = match operator {
                ShortOperator::Greater => Comparison::Greater,
                ShortOperator::GreaterOrEqual => Comparison::GreaterOrEqual,
                ShortOperator::Less => Comparison::Less,
                _ => Comparison::LessOrEqual,
            };
            one_of(&|number| compare(operator, number))
        }
    };
    let values = if operator.compares_whole(is_list) { enum_values(catalog, &left) } else { None };
    Ok((condition, Input { r#type: input_type, parameter: field.to_owned(), values }))
}

/// The values of the enum, or of the items, that an expression is.
fn enum_values(catalog: &Catalog, expression: &Expression) -> Option<Arc<[String]>> {
    let Node::Field { resource, field, path, .. } = &expression.node else { return None };
    match &catalog.schema.get(*resource).get(*field).kind {
        model::Kind::Enum { values } if path.is_empty() => Some(values.as_slice().into()),
        _ => None,
    }
}

pub(crate) fn is_long_text(catalog: &Catalog, expression: &Expression) -> bool {
    match &expression.node {
        Node::Field { resource, field, path, .. } => {
            path.is_empty() && matches!(catalog.schema.get(*resource).get(*field).kind, model::Kind::Text(_))
        }
        Node::Choice { then, .. } => is_long_text(catalog, then),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
