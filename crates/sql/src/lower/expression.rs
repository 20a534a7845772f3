//! Expressions.

use model::Value;
use rules::{
    Condition, Expression, Type,
    expression::{Node, Variable},
};

use super::{Lowering, reach::Field};
use crate::{bind::Bind, dialect::Operand, predicate::Predicate};

impl Lowering<'_> {
    pub(super) fn lower_expression(&mut self, expression: &Expression) -> Operand {
        let r#type = &expression.r#type;
        let text = match &expression.node {
            Node::Literal(value) => return self.literal(value, r#type),
            Node::Caller(what) => return self.bind(Bind::Caller(what.clone(), r#type.clone())),
            Node::Input(number) => return self.bind(Bind::Input(*number, r#type.clone())),
            Node::Field { anchor, field, path, .. } => {
                let field = Field::new(anchor, *field, path, r#type);
                return self.lower_field(&field);
            }
            Node::Item(variable) => return self.item(*variable, r#type),
            Node::Arithmetic { operator, left, right } => {
                let (left, right) = (self.lower_expression(left), self.lower_expression(right));
                self.dialect.arithmetic(*operator, &left, &right, r#type)
            }
            Node::Negate(value) => {
                let value = self.lower_expression(value);
                self.dialect.negate(&value)
            }
            Node::Size(value) => return self.size(value),
            Node::Lower(value) => {
                let value = self.lower_expression(value);
                self.dialect.lower(&value.text)
            }
            Node::Convert(value) => {
                let value = self.lower_expression(value);
                self.dialect.convert(&value, r#type)
            }
            Node::Choice { when, when_not, then, otherwise } => {
                return self.choice(when, when_not, then, otherwise, r#type);
            }
            Node::Verdict { yes, no } => {
                let (yes, no) = (self.lower_condition(yes), self.lower_condition(no));
                case(&yes, "TRUE", &no, "FALSE")
            }
        };
        Operand::composed(text, r#type.clone())
    }

    /// Truth values are safe as text, and better for planners; all else is bound.
    fn literal(&mut self, value: &Value, r#type: &Type) -> Operand {
        match value {
            Value::Boolean(true) => Operand::atom("TRUE".into(), r#type.clone()),
            Value::Boolean(false) => Operand::atom("FALSE".into(), r#type.clone()),
            _ => self.bind(Bind::Literal(value.clone(), r#type.clone())),
        }
    }

    fn item(&mut self, variable: Variable, r#type: &Type) -> Operand {
        self.mentioned.push(rules::expression::Root::Row(variable));
        match self.items.iter().rev().find(|(known, _)| *known == variable) {
            Some((_, item)) => item.clone(),
            None => self.bind(Bind::Literal(Value::Null, r#type.clone())),
        }
    }

    fn size(&mut self, value: &Expression) -> Operand {
        if let Some(field) = Field::of_many_reference(self.schema, value)
            && let Some(count) = self.count_many(&field)
        {
            return count;
        }
        let value = self.lower_expression(value);
        Operand::composed(self.dialect.size(&value), Type::Integer)
    }

    fn choice(
        &mut self,
        when: &Condition,
        when_not: &Condition,
        then: &Expression,
        otherwise: &Expression,
        r#type: &Type,
    ) -> Operand {
        let (when, when_not) = (self.lower_condition(when), self.lower_condition(when_not));
        let (then, otherwise) = (self.lower_expression(then), self.lower_expression(otherwise));
        let (then, otherwise) = (self.fitted(then, r#type), self.fitted(otherwise, r#type));
        Operand::composed(case(&when, &then, &when_not, &otherwise), r#type.clone())
    }

    /// Branches may be decimals of fewer digits, which a database may hold otherwise.
    fn fitted(&self, value: Operand, r#type: &Type) -> String {
        match (&value.r#type, r#type) {
            (Type::Decimal { .. }, Type::Decimal { .. }) if value.r#type != *r#type => {
                self.dialect.convert(&value, r#type)
            }
            _ => value.text,
        }
    }
}

/// NULL where neither holds.
fn case(when: &Predicate, then: &str, when_not: &Predicate, otherwise: &str) -> String {
    format!("(CASE WHEN {when} THEN {then} WHEN {when_not} THEN {otherwise} END)")
}
