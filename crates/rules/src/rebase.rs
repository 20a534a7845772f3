//! A condition about one record, said about another: the read rule of a resource as a guard on the way through it.

use std::collections::BTreeMap;

use crate::{
    expression::{Anchor, Condition, Expression, Node, Root, Variable},
    rewrite::Rewrite,
};

impl Condition {
    /// The same condition about another record: what began at `from` begins at `to`, and every variable that it binds
    /// gets a number of its own.
    #[must_use]
    pub fn rebase(&self, from: Root, to: &Anchor, fresh: &mut dyn FnMut() -> Variable) -> Self {
        Rebase { from, to, fresh, renamed: BTreeMap::new() }.condition(self.clone())
    }
}

struct Rebase<'a> {
    from: Root,
    to: &'a Anchor,
    fresh: &'a mut dyn FnMut() -> Variable,
    renamed: BTreeMap<Variable, Variable>,
}

impl Rebase<'_> {
    fn rename(&mut self, variable: Variable) -> Variable {
        let renamed = (self.fresh)();
        self.renamed.insert(variable, renamed);
        renamed
    }

    fn current(&self, variable: Variable) -> Variable {
        self.renamed.get(&variable).copied().unwrap_or(variable)
    }
}

impl Rewrite for Rebase<'_> {
    fn condition(&mut self, condition: Condition) -> Condition {
        match condition {
            Condition::Quantified { quantifier, source, variable, guard, body } => {
                // The source is outside of the variable's reach.
                let source = self.source(source);
                let variable = self.rename(variable);
                let guard = guard.map(|guard| Box::new(self.condition(*guard)));
                let body = Box::new(self.condition(*body));
                Condition::Quantified { quantifier, source, variable, guard, body }
            }
            other => self.parts_of_condition(other),
        }
    }

    fn expression(&mut self, expression: Expression) -> Expression {
        match expression.node {
            Node::Item(variable) => Expression { node: Node::Item(self.current(variable)), r#type: expression.r#type },
            _ => self.parts_of_expression(expression),
        }
    }

    fn anchor(&mut self, mut anchor: Anchor) -> Anchor {
        for step in &mut anchor.steps {
            if let Some(guard) = step.guard.take() {
                let variable = self.rename(guard.0);
                step.guard = Some(Box::new((variable, self.condition(guard.1))));
            }
        }
        if anchor.root == self.from {
            let steps = self.to.steps.iter().cloned().chain(anchor.steps).collect();
            return Anchor { root: self.to.root, resource: self.to.resource, steps };
        }
        if let Root::Row(variable) = anchor.root {
            anchor.root = Root::Row(self.current(variable));
        }
        anchor
    }
}
