//! Conditions.

use model::Value;
use rules::{
    Condition, Expression, Type,
    expression::{CommonPattern, Comparison, Node, TextCall},
};

use super::{Lowering, reach::Field};
use crate::{bind::Bind, dialect::Operand, predicate::Predicate};

impl Lowering<'_> {
    /// Where the verdict is known beforehand, nothing may be left of the parts: neither database accepts a parameter
    /// that the text doesn't name.
    pub(super) fn lower_condition(&mut self, condition: &Condition) -> Predicate {
        let (binds, mentioned) = (self.parameters.binds().len(), self.mentioned.len());
        let predicate = self.lower_parts(condition);
        if predicate.is_always() || predicate.is_never() {
            self.parameters.truncate(binds);
            self.mentioned.truncate(mentioned);
        }
        predicate
    }

    fn lower_parts(&mut self, condition: &Condition) -> Predicate {
        match condition {
            Condition::Constant(true) => Predicate::Always,
            Condition::Constant(false) => Predicate::Never,
            Condition::All(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.lower_condition(part)).collect();
                Predicate::all(parts)
            }
            Condition::Any(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.lower_condition(part)).collect();
                Predicate::any(parts)
            }
            Condition::Test(number) if self.tests >> number & 1 == 1 => Predicate::Always,
            Condition::Test(_) => Predicate::Never,
            Condition::Compare { operator, left, right } => self.lower_compare(*operator, left, right),
            Condition::IsNull(value) => self.lower_is_null(value),
            Condition::IsPresent(value) => self.lower_is_present(value),
            Condition::Truth(value, truth) => self.lower_truth(value, *truth),
            Condition::In { needle, list, negated } => self.lower_in(needle, list, *negated),
            Condition::Text { call, subject, argument, negated } => {
                self.lower_text_call(*call, subject, argument, *negated)
            }
            Condition::Matches { subject, pattern, negated } => self.lower_matches(subject, pattern, *negated),
            Condition::Quantified { quantifier, source, variable, guard, body } => {
                self.lower_quantified(*quantifier, source, *variable, guard.as_deref(), body)
            }
        }
    }

    /// A field behind references is compared inside the sub-select that reaches it, so that planners see a semi-join.
    fn lower_compare(&mut self, operator: Comparison, left: &Expression, right: &Expression) -> Predicate {
        if is_null_literal(left) || is_null_literal(right) {
            return Predicate::Never;
        }
        if let Some(field) = Field::behind_references(left) {
            return self.exists_behind(&field, |lowering, value| {
                let right = lowering.lower_expression(right);
                lowering.dialect.compare(operator, value, &right)
            });
        }
        if let Some(field) = Field::behind_references(right) {
            return self.exists_behind(&field, |lowering, value| {
                let left = lowering.lower_expression(left);
                lowering.dialect.compare(operator, &left, value)
            });
        }
        let (left, right) = (self.lower_expression(left), self.lower_expression(right));
        Predicate::Text(self.dialect.compare(operator, &left, &right))
    }

    fn lower_is_null(&mut self, value: &Expression) -> Predicate {
        if is_null_literal(value) {
            return Predicate::Always;
        }
        let value = self.lower_expression(value).text;
        Predicate::Text(format!("{value} IS NULL"))
    }

    fn lower_is_present(&mut self, value: &Expression) -> Predicate {
        if is_null_literal(value) {
            return Predicate::Never;
        }
        if let Some(field) = Field::behind_references(value) {
            return self.exists_behind(&field, |_, value| format!("{} IS NOT NULL", value.text));
        }
        let value = self.lower_expression(value).text;
        Predicate::Text(format!("{value} IS NOT NULL"))
    }

    fn lower_truth(&mut self, value: &Expression, truth: bool) -> Predicate {
        let word = if truth { "TRUE" } else { "FALSE" };
        if let Some(field) = Field::behind_references(value) {
            return self.exists_behind(&field, |_, value| format!("{} = {word}", value.text));
        }
        // A condition used as a value and asked for again is that condition.
        if let Node::Verdict { yes, no } = &value.node {
            return self.lower_condition(if truth { yes } else { no });
        }
        let value = self.lower_expression(value).text;
        Predicate::Text(format!("{value} = {word}"))
    }

    fn lower_in(&mut self, needle: &Expression, list: &Expression, negated: bool) -> Predicate {
        if is_null_literal(needle) || is_null_literal(list) {
            return Predicate::Never;
        }
        if let Some(field) = Field::of_many_reference(self.schema, list)
            && let Some(predicate) = self.lower_in_many(needle, &field, negated)
        {
            return predicate;
        }
        let needle = self.lower_expression(needle);
        let list = self.lower_expression(list);
        if !negated {
            return Predicate::Text(self.dialect.is_item(&needle, &list, false));
        }
        // `NULL NOT IN ()` is true in SQL.
        Predicate::Text(self.share(needle, |lowering, needle| {
            lowering.share(list, |lowering, list| {
                let differs = lowering.dialect.is_item(needle, list, true);
                format!("({} IS NOT NULL AND {} IS NOT NULL AND {differs})", needle.text, list.text)
            })
        }))
    }

    fn lower_text_call(
        &mut self,
        call: TextCall,
        subject: &Expression,
        argument: &Expression,
        negated: bool,
    ) -> Predicate {
        let (subject, argument) = (self.lower_expression(subject).text, self.lower_expression(argument).text);
        Predicate::Text(negate(self.dialect.text_call(call, &subject, &argument), negated))
    }

    fn lower_matches(&mut self, subject: &Expression, pattern: &CommonPattern, negated: bool) -> Predicate {
        let subject = self.lower_expression(subject).text;
        let pattern = Value::text(self.dialect.pattern(pattern));
        let pattern = self.parameter(Bind::Literal(pattern, Type::Text { fold_case: false }));
        Predicate::Text(negate(self.dialect.matches(&subject, &pattern), negated))
    }
}

pub(super) fn is_null_literal(value: &Expression) -> bool {
    matches!(value.node, Node::Literal(Value::Null))
}

/// Undefined stays undefined.
fn negate(text: String, negated: bool) -> String {
    if negated { format!("NOT ({text})") } else { text }
}

/// Both are there and equal.
pub(super) fn equal(lowering: &Lowering<'_>, left: &Operand, right: &Operand) -> String {
    lowering.dialect.compare(Comparison::Equal, left, right)
}
