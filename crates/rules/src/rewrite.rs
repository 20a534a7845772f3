//! Walking and rebuilding conditions: one traversal for everything that changes or inspects them.

use std::collections::BTreeSet;

use model::{FieldIndex, ResourceIndex};

use crate::expression::{Anchor, Condition, Expression, Node, Source, Step};

/// A change to conditions and expressions; what is not overridden rebuilds a part from its rewritten parts.
pub(crate) trait Rewrite {
    /// Changes a condition.
    fn condition(&mut self, condition: Condition) -> Condition {
        self.parts_of_condition(condition)
    }

    /// Changes an expression.
    fn expression(&mut self, expression: Expression) -> Expression {
        self.parts_of_expression(expression)
    }

    /// Changes the record that a path starts from.
    fn anchor(&mut self, anchor: Anchor) -> Anchor {
        self.parts_of_anchor(anchor)
    }

    /// Rebuilds a condition.
    fn parts_of_condition(&mut self, condition: Condition) -> Condition {
        match condition {
            Condition::Constant(_) | Condition::Test(_) => condition,
            Condition::All(parts) => Condition::All(self.conditions(parts)),
            Condition::Any(parts) => Condition::Any(self.conditions(parts)),
            Condition::Compare { operator, left, right } => {
                Condition::Compare { operator, left: self.expression(left), right: self.expression(right) }
            }
            Condition::IsNull(expression) => Condition::IsNull(self.expression(expression)),
            Condition::IsPresent(expression) => Condition::IsPresent(self.expression(expression)),
            Condition::Truth(expression, truth) => Condition::Truth(self.expression(expression), truth),
            Condition::In { needle, list, negated } => {
                Condition::In { needle: self.expression(needle), list: self.expression(list), negated }
            }
            Condition::Text { call, subject, argument, negated } => Condition::Text {
                call,
                subject: self.expression(subject),
                argument: self.expression(argument),
                negated,
            },
            Condition::Matches { subject, pattern, negated } => {
                Condition::Matches { subject: self.expression(subject), pattern, negated }
            }
            Condition::Quantified { quantifier, source, variable, guard, body } => Condition::Quantified {
                quantifier,
                source: self.source(source),
                variable,
                guard: guard.map(|guard| Box::new(self.condition(*guard))),
                body: Box::new(self.condition(*body)),
            },
        }
    }

    /// Rebuilds several conditions.
    fn conditions(&mut self, parts: Vec<Condition>) -> Vec<Condition> {
        parts.into_iter().map(|part| self.condition(part)).collect()
    }

    /// Rebuilds what a quantifier ranges over.
    fn source(&mut self, source: Source) -> Source {
        match source {
            Source::Items(list) => Source::Items(self.expression(list)),
            Source::Many { owner, resource, field, target } => {
                Source::Many { owner: self.anchor(owner), resource, field, target }
            }
            Source::Reverse { owner, resource, from, field } => {
                Source::Reverse { owner: self.anchor(owner), resource, from, field }
            }
        }
    }

    /// Rebuilds an expression.
    fn parts_of_expression(&mut self, expression: Expression) -> Expression {
        let node = match expression.node {
            node @ (Node::Literal(_) | Node::Caller(_) | Node::Input(_) | Node::Item(_)) => node,
            Node::Field { anchor, resource, field, path } => {
                Node::Field { anchor: self.anchor(anchor), resource, field, path }
            }
            Node::Arithmetic { operator, left, right } => Node::Arithmetic {
                operator,
                left: Box::new(self.expression(*left)),
                right: Box::new(self.expression(*right)),
            },
            Node::Negate(operand) => Node::Negate(Box::new(self.expression(*operand))),
            Node::Size(operand) => Node::Size(Box::new(self.expression(*operand))),
            Node::Lower(operand) => Node::Lower(Box::new(self.expression(*operand))),
            Node::Convert(operand) => Node::Convert(Box::new(self.expression(*operand))),
            Node::Choice { when, when_not, then, otherwise } => Node::Choice {
                when: Box::new(self.condition(*when)),
                when_not: Box::new(self.condition(*when_not)),
                then: Box::new(self.expression(*then)),
                otherwise: Box::new(self.expression(*otherwise)),
            },
            Node::Verdict { yes, no } => {
                Node::Verdict { yes: Box::new(self.condition(*yes)), no: Box::new(self.condition(*no)) }
            }
        };
        Expression { node, r#type: expression.r#type }
    }

    /// Rebuilds an anchor.
    fn parts_of_anchor(&mut self, anchor: Anchor) -> Anchor {
        let steps = anchor.steps.into_iter().map(|step| {
            let guard = step.guard.map(|guard| Box::new((guard.0, self.condition(guard.1))));
            Step { guard, ..step }
        });
        Anchor { steps: steps.collect(), ..anchor }
    }
}

/// A part that [`Condition::walk`] shows.
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    /// A condition.
    Condition(&'a Condition),
    /// An expression.
    Expression(&'a Expression),
    /// The start of a path or relation; its guards are shown as conditions.
    Anchor(&'a Anchor),
    /// What a quantifier ranges over.
    Source(&'a Source),
}

impl Condition {
    /// Shows the condition and every part of it, each before its own parts.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(Part<'a>)) {
        visit(Part::Condition(self));
        match self {
            Self::Constant(_) | Self::Test(_) => {}
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.walk(visit)),
            Self::Compare { left, right, .. } => {
                left.walk(visit);
                right.walk(visit);
            }
            Self::IsNull(expression) | Self::IsPresent(expression) | Self::Truth(expression, _) => {
                expression.walk(visit);
            }
            Self::In { needle, list, .. } => {
                needle.walk(visit);
                list.walk(visit);
            }
            Self::Text { subject, argument, .. } => {
                subject.walk(visit);
                argument.walk(visit);
            }
            Self::Matches { subject, .. } => subject.walk(visit),
            Self::Quantified { source, guard, body, .. } => {
                visit(Part::Source(source));
                match source {
                    Source::Items(list) => list.walk(visit),
                    Source::Many { owner, .. } | Source::Reverse { owner, .. } => owner.walk(visit),
                }
                if let Some(guard) = guard {
                    guard.walk(visit);
                }
                body.walk(visit);
            }
        }
    }

    /// Whether judging it needs other records than the one at hand.
    #[must_use]
    pub fn uses_relations(&self) -> bool {
        let mut found = false;
        self.walk(&mut |part| found |= reaches_out(part));
        found
    }

    /// The fields that it reads, those on the way included.
    #[must_use]
    pub fn fields_used(&self) -> BTreeSet<(ResourceIndex, FieldIndex)> {
        let mut fields = BTreeSet::new();
        self.walk(&mut |part| collect_fields(part, &mut fields));
        fields
    }

    /// How many parts it has.
    pub(crate) fn weight(&self) -> usize {
        let mut parts = 0;
        self.walk(&mut |_| parts += 1);
        parts
    }
}

impl Expression {
    /// Shows the expression and every part of it, each before its own parts.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(Part<'a>)) {
        visit(Part::Expression(self));
        match &self.node {
            Node::Literal(_) | Node::Caller(_) | Node::Input(_) | Node::Item(_) => {}
            Node::Field { anchor, .. } => anchor.walk(visit),
            Node::Arithmetic { left, right, .. } => {
                left.walk(visit);
                right.walk(visit);
            }
            Node::Negate(operand) | Node::Size(operand) | Node::Lower(operand) | Node::Convert(operand) => {
                operand.walk(visit);
            }
            Node::Choice { when, when_not, then, otherwise } => {
                when.walk(visit);
                when_not.walk(visit);
                then.walk(visit);
                otherwise.walk(visit);
            }
            Node::Verdict { yes, no } => {
                yes.walk(visit);
                no.walk(visit);
            }
        }
    }

    /// Whether evaluating it needs other records than the one at hand.
    #[must_use]
    pub fn uses_relations(&self) -> bool {
        let mut found = false;
        self.walk(&mut |part| found |= reaches_out(part));
        found
    }

    /// How many parts it has.
    pub(crate) fn weight(&self) -> usize {
        let mut parts = 0;
        self.walk(&mut |_| parts += 1);
        parts
    }
}

impl Anchor {
    /// The root itself, no reference followed.
    #[must_use]
    pub fn at(root: crate::expression::Root, resource: ResourceIndex) -> Self {
        Self { root, resource, steps: Vec::new() }
    }

    /// The resource of the record reached.
    #[must_use]
    pub fn reached(&self) -> ResourceIndex {
        self.steps.last().map_or(self.resource, |step| step.target)
    }

    /// How many parts it has, itself and those of its guards.
    pub(crate) fn weight(&self) -> usize {
        let mut parts = 0;
        self.walk(&mut |_| parts += 1);
        parts
    }

    /// Shows the anchor and its guards.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(Part<'a>)) {
        visit(Part::Anchor(self));
        for guard in self.steps.iter().filter_map(|step| step.guard.as_ref()) {
            guard.1.walk(visit);
        }
    }
}

fn reaches_out(part: Part<'_>) -> bool {
    match part {
        Part::Anchor(anchor) => !anchor.steps.is_empty(),
        Part::Source(source) => !matches!(source, Source::Items(_)),
        Part::Condition(_) | Part::Expression(_) => false,
    }
}

fn collect_fields(part: Part<'_>, fields: &mut BTreeSet<(ResourceIndex, FieldIndex)>) {
    match part {
        Part::Expression(Expression { node: Node::Field { resource, field, .. }, .. }) => {
            fields.insert((*resource, *field));
        }
        Part::Anchor(anchor) => {
            let mut resource = anchor.resource;
            for step in &anchor.steps {
                fields.insert((resource, step.field));
                resource = step.target;
            }
        }
        Part::Source(Source::Many { resource, field, .. }) => {
            fields.insert((*resource, *field));
        }
        Part::Source(Source::Reverse { from, field, .. }) => {
            fields.insert((*from, *field));
        }
        Part::Source(Source::Items(_)) | Part::Condition(_) | Part::Expression(_) => {}
    }
}
