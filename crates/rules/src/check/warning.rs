//! Comparisons that go wrong quietly where an optional field is null.

use std::ops::Range;

use super::{Checker, Scope};
use crate::{
    expression::{Expression, Mistake, Node, Root},
    rewrite::Part,
};

/// Comparisons of optional fields, and the fields whose null is asked for somewhere.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    compared: Vec<(Range<usize>, String, Node)>,
    handled: Vec<Node>,
}

impl Doubts {
    /// A warning for each comparison whose null nobody asks for.
    pub(super) fn into_warnings(self) -> Vec<Mistake> {
        let handled = self.handled;
        let open = self.compared.into_iter().filter(|(_, _, node)| !handled.contains(node));
        let mut warnings: Vec<Mistake> = Vec::new();
        for (span, name, _) in open {
            let message = format!("where `{name}` is null, this is undefined and counts as false");
            let warning = Mistake::new(span, message).help(format!("ask `{name} == null` or `!= null` as well"));
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
            if let Part::Expression(Expression { node: node @ Node::Field { .. }, .. }) = part
                && let Some(name) = self.optional_name(node)
            {
                found.push((span.clone(), name, node.clone()));
            }
        });
        self.doubts.compared.extend(found);
    }

    /// Notes that an author has thought of a null, of the record's on the way too.
    pub(super) fn handle_null(&mut self, expression: &Expression) {
        expression.walk(&mut |part| {
            if let Part::Expression(Expression { node, .. }) = part {
                self.doubts.handled.push(node.clone());
            }
        });
    }

    /// The path of a field that can be null, as its author would write it.
    fn optional_name(&self, node: &Node) -> Option<String> {
        let Node::Field { anchor, resource, field, path } = node else { return None };
        let declared = self.schema.get(*resource).get(*field);
        let mut optional = !path.is_empty() || (declared.is_declared() && !declared.required && !declared.is_many());
        let mut names = match anchor.root {
            Root::Record if self.scope == Scope::Filter => Vec::new(),
            Root::Record => {
                optional |= self.scope.record_is_optional();
                vec!["record".to_owned()]
            }
            Root::New => vec!["new".to_owned()],
            Root::Row(variable) => {
                let bound = self.variables.iter().find(
                    |(_, binding)| matches!(binding, super::Binding::Row { variable: known, .. } if *known == variable),
                );
                vec![bound.map_or_else(|| "it".to_owned(), |(name, _)| name.clone())]
            }
        };
        let mut at = anchor.resource;
        for step in &anchor.steps {
            let reference = self.schema.get(at).get(step.field);
            optional |= reference.is_declared() && !reference.required;
            names.push(reference.name.clone());
            at = step.target;
        }
        names.push(declared.name.clone());
        names.extend(path.iter().cloned());
        optional.then(|| names.join("."))
    }
}
