//! Comparisons that go wrong quietly where an optional field is null.

use std::ops::Range;

use model::caller::CallerValue;

use super::{Checker, operand::Binding};
use crate::{
    expression::{Anchor, Expression, Mistake, Node, Root, Step},
    rewrite::Part,
};

/// Comparisons of paths that can be null, and the paths whose null is asked for somewhere.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    compared: Vec<Compared>,
    handled: Vec<Node>,
    /// Doubts of other kinds.
    others: Vec<Mistake>,
}

/// A path that is compared where null may not have been thought of.
#[derive(Debug)]
struct Compared {
    span: Range<usize>,
    /// The whole path.
    node: Node,
    /// Where on it a null can be, as its author would write it.
    optional: Vec<(String, Node)>,
}

impl Doubts {
    /// A warning for each comparison whose null nobody asks for.
    pub(super) fn into_warnings(self) -> Vec<Mistake> {
        let handled = self.handled;
        let mut warnings = self.others;
        for compared in self.compared.into_iter().filter(|compared| !handled.contains(&compared.node)) {
            let open = compared.optional.into_iter().find(|(_, node)| !handled.contains(node));
            let Some((name, _)) = open else { continue };
            let message = format!("where `{name}` is null, this is undefined and counts as false");
            let help = format!("ask `{name} == null` or `{name} != null` as well");
            let warning = Mistake::new(compared.span, message).help(help);
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        warnings
    }
}

impl Checker<'_> {
    /// Notes a comparison under `!` or by `!=`, where an author may expect that null passes.
    pub(super) fn doubt(&mut self, expression: &Expression, span: &Range<usize>) {
        let mut found = Vec::new();
        expression.walk(&mut |part| {
            if let Part::Expression(Expression { node: node @ Node::Field { .. }, .. }) = part {
                let compared =
                    Compared { span: span.clone(), node: node.clone(), optional: self.optional_places(node) };
                found.push(compared);
            }
        });
        self.doubts.compared.extend(found);
    }

    /// Notes where `auth.id` is compared with the id of something that is no person: the two never mean the same.
    pub(super) fn foreign_id(&mut self, left: &Expression, right: &Expression, span: &Range<usize>) {
        let Some((people, resource, _)) = self.schema.people() else { return };
        let is_caller = |side: &Expression| side.node == Node::Caller(CallerValue::Id);
        let other = match (is_caller(left), is_caller(right)) {
            (true, false) => right,
            (false, true) => left,
            _ => return,
        };
        let Node::Field { resource: owner, field, .. } = &other.node else { return };
        let target = match *field == model::Resource::ID {
            true => Some(*owner),
            false => self.schema.get(*owner).get(*field).target(),
        };
        let Some(target) = target.filter(|target| *target != people) else { return };
        let message =
            format!("`auth.id` is an id of `{}`, and this one of `{}`", resource.name, self.schema.get(target).name);
        self.doubts.others.push(Mistake::new(span.clone(), message));
    }

    /// Notes that an author has thought of a null.
    pub(super) fn handle_null(&mut self, expression: &Expression) {
        expression.walk(&mut |part| {
            if let Part::Expression(Expression { node, .. }) = part {
                self.doubts.handled.push(node.clone());
            }
        });
    }

    /// Where on the path to a field a null can be: the record itself, references on the way, the field.
    fn optional_places(&self, node: &Node) -> Vec<(String, Node)> {
        let Node::Field { anchor, resource, field, path } = node else { return Vec::new() };
        let mut places = Vec::new();
        let mut name = match anchor.root {
            Root::Record => "record".to_owned(),
            Root::New => "new".to_owned(),
            Root::Row(variable) => {
                let bound = self
                    .variables
                    .iter()
                    .find(|(_, binding)| matches!(binding, Binding::Row { variable: known, .. } if *known == variable));
                bound.map_or_else(|| "it".to_owned(), |(name, _)| name.clone())
            }
        };
        let field_of = |steps: &[Step], resource, field| {
            let anchor = Anchor { root: anchor.root, resource: anchor.resource, steps: steps.to_vec() };
            Node::Field { anchor, resource, field, path: Vec::new() }
        };
        if anchor.root == Root::Record && self.scope.record_is_optional() {
            places.push((name.clone(), field_of(&[], anchor.resource, model::Resource::ID)));
        }
        let mut at = anchor.resource;
        for (position, step) in anchor.steps.iter().enumerate() {
            let reference = self.schema.get(at).get(step.field);
            name = format!("{name}.{}", reference.name);
            if reference.is_declared() && !reference.required {
                places.push((name.clone(), field_of(&anchor.steps[..position], at, step.field)));
            }
            at = step.target;
        }
        let declared = self.schema.get(*resource).get(*field);
        name = format!("{name}.{}", declared.name);
        if !path.is_empty() {
            places.push((format!("{name}.{}", path.join(".")), node.clone()));
        } else if declared.is_declared() && !declared.required && !declared.is_many() {
            places.push((name, node.clone()));
        }
        places
    }
}
