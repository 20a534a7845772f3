//! A syntax tree against the schema: names and types, and every `!` pushed down to the leaves.
//!
//! Each boolean part becomes a [`Truth`]: the condition that it is true, and the condition that it is false. Where neither
//! holds it is undefined, so that negation is a swap, and nothing undefined can become true by it.

mod arithmetic;
mod call;
mod compare;
mod literal;
mod name;
mod operand;
mod truth;
mod warning;

use std::ops::Range;

use model::{Field, ResourceIndex, Schema};

use crate::{
    expression::{Condition, Expression, Mistake, Node, Rule, Type, Variable},
    parse::parse,
    rewrite::Rewrite as _,
    simplify::Split,
    suggest::did_you_mean,
    syntax::{BinaryOperator, Syntax, SyntaxKind},
    visibility::Visibility,
};
use operand::{Binding, Literal, Operand};
use truth::Truth;

/// Where a rule stands, which decides what it may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `[access] read`: `record`.
    Read,
    /// `[access] create`: `new`.
    Create,
    /// `[access] update`: `record` and `new`.
    Update,
    /// `[access] delete`: `record`.
    Delete,
    /// `read` of a field: `record`.
    FieldRead,
    /// `write` of a field: `new`, and `record`, which is null on creation.
    FieldWrite,
    /// `[validate]`: `new`, and `record`, which is null on creation.
    Validate,
    /// `default` of a field: `auth` and `now` alone.
    Default,
    /// A client's filter: the record's own fields by their bare names, and `now`.
    Filter,
}

impl Scope {
    /// The names that a rule may begin with.
    #[must_use]
    pub fn roots(self) -> &'static [&'static str] {
        match self {
            Self::Read | Self::Delete | Self::FieldRead => &["record", "auth", "request", "now"],
            Self::Create => &["new", "auth", "request", "now"],
            Self::Update | Self::FieldWrite => &["record", "new", "auth", "request", "now"],
            Self::Validate => &["new", "record", "auth", "now"],
            Self::Default => &["auth", "now"],
            Self::Filter => &["now"],
        }
    }

    /// Whether `record` is there on updates only.
    fn record_is_optional(self) -> bool {
        matches!(self, Self::FieldWrite | Self::Validate)
    }
}

/// A checked text and what is doubtful about it.
#[derive(Debug, Clone)]
pub struct Checked<T> {
    /// The result.
    pub checked: T,
    /// What the author may not have meant.
    pub warnings: Vec<Mistake>,
}

/// Checks a rule of a resource.
///
/// # Errors
///
/// Every mistake that can be found.
pub fn check_rule(
    schema: &Schema,
    resource: ResourceIndex,
    scope: Scope,
    text: &str,
) -> Result<Checked<Rule>, Vec<Mistake>> {
    let syntax = parse(text).map_err(|mistake| vec![mistake])?;
    let mut checker = Checker::new(schema, resource, scope, None);
    let truth = checker.truth_of(&syntax);
    let warnings = checker.finish()?;
    let mut split = Split { tests: Vec::new() };
    let condition = split.condition(truth.yes.simplify());
    Ok(Checked { checked: Rule { text: text.into(), tests: split.tests, condition }, warnings })
}

/// When a part of a good rule holds, its tests of the caller among it; none where it is no condition.
pub(crate) fn check_syntax(
    schema: &Schema,
    resource: ResourceIndex,
    scope: Scope,
    syntax: &Syntax,
) -> Option<Condition> {
    let mut checker = Checker::new(schema, resource, scope, None);
    let truth = checker.truth_of(syntax);
    checker.finish().ok().map(|_| truth.yes.simplify())
}

/// Checks the default of a field: an expression of the field's type over the caller.
///
/// # Errors
///
/// Every mistake that can be found.
pub fn check_default(
    schema: &Schema,
    resource: ResourceIndex,
    field: &Field,
    text: &str,
) -> Result<Checked<Expression>, Vec<Mistake>> {
    let syntax = parse(text).map_err(|mistake| vec![mistake])?;
    let mut checker = Checker::new(schema, resource, Scope::Default, None);
    let wanted = crate::expression::Type::of_field(field);
    let operand = checker.operand(&syntax);
    let expression = checker.assign(operand, &wanted, field, &syntax.span);
    let warnings = checker.finish()?;
    let expression = expression.unwrap_or_else(|| literal::null(wanted));
    Ok(Checked { checked: expression.simplify(), warnings })
}

/// Checks a client's filter under what the client may see. Filters have no tests of their own, so that a plan made of one
/// holds for every caller who sees the same.
///
/// # Errors
///
/// Every mistake that can be found.
pub(crate) fn check_filter(
    visibility: &Visibility<'_>,
    resource: ResourceIndex,
    text: &str,
) -> Result<Rule, Vec<Mistake>> {
    let syntax = parse(text).map_err(|mistake| vec![mistake])?;
    let mut checker = Checker::new(&visibility.catalog().schema, resource, Scope::Filter, Some(visibility));
    let truth = checker.truth_of(&syntax);
    checker.finish()?;
    Ok(Rule { text: text.into(), tests: Vec::new(), condition: truth.yes.simplify() })
}

/// Resolves a dotted path from a record's own fields, as sort keys and groups name them.
///
/// # Errors
///
/// Why the path names no value.
pub(crate) fn check_path(
    visibility: &Visibility<'_>,
    resource: ResourceIndex,
    path: &str,
) -> Result<Expression, Mistake> {
    let syntax = parse(path)?;
    let mut at = &syntax;
    while let SyntaxKind::Select { base, .. } = &at.kind {
        at = base;
    }
    let SyntaxKind::Name(_) = at.kind else {
        return Err(Mistake::new(syntax.span, "the name of a field expected"));
    };
    let mut checker = Checker::new(&visibility.catalog().schema, resource, Scope::Filter, Some(visibility));
    checker.only_fields = true;
    let operand = checker.operand(&syntax);
    let expression = checker.expression_of(operand, &syntax.span);
    match (checker.mistakes.into_iter().next(), expression) {
        (Some(mistake), _) => Err(mistake),
        (None, Some(expression)) => Ok(expression.simplify()),
        (None, None) => Err(Mistake::new(syntax.span, "this is no field")),
    }
}

/// The deepest that quantifiers may nest in a client's filter, whose cost multiplies with each.
pub(crate) const MAX_NESTED_QUANTIFIERS: usize = 3;

/// The most parts that a condition may have once it is spread out; ternaries say their condition twice.
const MAX_WEIGHT: usize = 4096;

struct Checker<'a> {
    schema: &'a Schema,
    resource: ResourceIndex,
    scope: Scope,
    visibility: Option<&'a Visibility<'a>>,
    /// Only the record's own fields are names: no `now`.
    only_fields: bool,
    variables: Vec<(String, Binding)>,
    next_variable: u16,
    /// How many `!` are around.
    negations: usize,
    doubts: warning::Doubts,
    mistakes: Vec<Mistake>,
    too_heavy: bool,
}

impl<'a> Checker<'a> {
    fn new(schema: &'a Schema, resource: ResourceIndex, scope: Scope, visibility: Option<&'a Visibility<'a>>) -> Self {
        Self {
            schema,
            resource,
            scope,
            visibility,
            only_fields: false,
            variables: Vec::new(),
            next_variable: 0,
            negations: 0,
            doubts: warning::Doubts::default(),
            mistakes: Vec::new(),
            too_heavy: false,
        }
    }

    fn finish(self) -> Result<Vec<Mistake>, Vec<Mistake>> {
        if self.mistakes.is_empty() { Ok(self.doubts.into_warnings()) } else { Err(self.mistakes) }
    }

    fn mistake(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    /// Tells of a mistake, and stands in for what could not be understood.
    fn broken(&mut self, mistake: Mistake) -> Operand {
        self.mistake(mistake);
        Operand::Broken
    }

    fn fresh(&mut self) -> Variable {
        let variable = Variable(self.next_variable);
        self.next_variable = self.next_variable.saturating_add(1);
        variable
    }

    /// Tells once where an expression has become too large, so that nothing grows without bound.
    fn weigh(&mut self, weight: usize, span: &Range<usize>) -> bool {
        if weight > MAX_WEIGHT && !self.too_heavy {
            self.too_heavy = true;
            let help = match self.scope {
                Scope::Filter => "leave something out; access rules along relations count, too",
                _ => "ternaries count their condition twice; split the rule or write it without them",
            };
            self.mistake(Mistake::new(span.clone(), "the expression is too complex").help(help));
        }
        weight > MAX_WEIGHT
    }

    /// A part of an expression, whatever it is.
    fn operand(&mut self, syntax: &Syntax) -> Operand {
        let span = &syntax.span;
        if self.too_heavy {
            // Nothing more is built of what has grown too large.
            return Operand::Broken;
        }
        match &syntax.kind {
            SyntaxKind::Null => Operand::Null,
            SyntaxKind::Boolean(truth) => Operand::Value(literal::boolean(*truth)),
            SyntaxKind::Integer(integer) => Operand::Literal(Literal::Integer(*integer)),
            SyntaxKind::Float(written) => Operand::Literal(Literal::Float(written.clone())),
            SyntaxKind::Text(text) => Operand::Literal(Literal::Text(text.clone())),
            SyntaxKind::List(items) => {
                Operand::List(items.iter().map(|item| (self.operand(item), item.span.clone())).collect())
            }
            SyntaxKind::Name(name) => self.name(name, span),
            SyntaxKind::Select { base, name, name_span } => {
                let base = self.operand(base);
                self.select(base, name, name_span)
            }
            SyntaxKind::Call { target, name, name_span, arguments } => {
                self.call(target.as_deref(), name, name_span, arguments, span)
            }
            SyntaxKind::Not(inner) => {
                self.negations += 1;
                let truth = self.truth_of(inner);
                self.negations -= 1;
                Operand::Truth(truth.negate())
            }
            SyntaxKind::Negate(inner) => {
                let operand = self.operand(inner);
                self.negate(operand, &inner.span)
            }
            SyntaxKind::All(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.truth_of(part)).collect();
                let truth = Truth::all(parts);
                self.weighed(truth, span)
            }
            SyntaxKind::Any(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.truth_of(part)).collect();
                let truth = Truth::any(parts);
                self.weighed(truth, span)
            }
            SyntaxKind::Binary { operator, left, right } => {
                let (left_operand, right_operand) = (self.operand(left), self.operand(right));
                let (left, right) = ((left_operand, &left.span), (right_operand, &right.span));
                match operator {
                    BinaryOperator::Compare(comparison) => self.compare(*comparison, left, right, span),
                    BinaryOperator::In => self.is_in(left, right, span),
                    BinaryOperator::Arithmetic(arithmetic) => self.arithmetic(*arithmetic, left, right, span),
                }
            }
            SyntaxKind::Ternary { condition, then, otherwise } => {
                let condition = self.truth_of(condition);
                let then = (self.operand(then), &then.span);
                let otherwise = (self.operand(otherwise), &otherwise.span);
                self.choose(condition, then, otherwise, span)
            }
        }
    }

    fn weighed(&mut self, truth: Truth, span: &Range<usize>) -> Operand {
        let weight = truth.yes.weight() + truth.no.weight();
        if self.weigh(weight, span) { Operand::Broken } else { Operand::Truth(truth) }
    }

    /// `condition ? then : otherwise`
    fn choose(
        &mut self,
        condition: Truth,
        then: (Operand, &Range<usize>),
        otherwise: (Operand, &Range<usize>),
        span: &Range<usize>,
    ) -> Operand {
        if matches!(then.0, Operand::Broken) || matches!(otherwise.0, Operand::Broken) {
            return Operand::Broken;
        }
        if self.is_boolean(&then.0) || self.is_boolean(&otherwise.0) {
            let (then, otherwise) = (self.truth(then.0, then.1), self.truth(otherwise.0, otherwise.1));
            return self.weighed(Truth::choose(&condition, then, otherwise), span);
        }
        let choice = Operand::Choice {
            when: Box::new(condition.yes),
            when_not: Box::new(condition.no),
            then: Box::new((then.0, then.1.clone())),
            otherwise: Box::new((otherwise.0, otherwise.1.clone())),
        };
        if choice.is_adaptive() {
            // Its type follows from what it is compared with.
            let weight = choice.weight();
            return if self.weigh(weight, span) { Operand::Broken } else { choice };
        }
        let expression = self.branches(choice, span);
        match expression {
            Some(expression) if !self.weigh(expression.weight(), span) => Operand::Value(expression),
            _ => Operand::Broken,
        }
    }

    /// A ternary whose type is that of its branches together.
    fn branches(&mut self, choice: Operand, span: &Range<usize>) -> Option<Expression> {
        let Operand::Choice { when, when_not, then, otherwise } = choice else { return None };
        let (then, otherwise) = self.unify((then.0, &then.1), (otherwise.0, &otherwise.1), span)?;
        let r#type = compare::meet(&then.r#type, &otherwise.r#type).unwrap_or_else(|| then.r#type.clone());
        let (then, otherwise) = (Box::new(then), Box::new(otherwise));
        Some(Expression::new(Node::Choice { when, when_not, then, otherwise }, r#type))
    }

    /// A part that must be a condition.
    fn truth_of(&mut self, syntax: &Syntax) -> Truth {
        let operand = self.operand(syntax);
        if matches!(operand, Operand::Null) {
            self.mistake(Mistake::new(syntax.span.clone(), "a condition expected, found `null`"));
        }
        self.truth(operand, &syntax.span)
    }

    fn unknown(what: &str, name: &str, span: &Range<usize>, known: &[&str]) -> Mistake {
        let mistake = Mistake::new(span.clone(), format!("unknown {what} `{name}`"));
        match did_you_mean(name, known.iter().copied()) {
            Some(help) => mistake.help(help),
            None => mistake,
        }
    }
}

impl Expression {
    fn simplify(self) -> Self {
        crate::simplify::simplify_expression(self)
    }

    fn new(node: Node, r#type: Type) -> Self {
        Self { node, r#type }
    }
}

/// Nothing is known: neither true nor false.
const UNDEFINED: Truth = Truth { yes: Condition::Constant(false), no: Condition::Constant(false) };

#[cfg(test)]
mod tests;
