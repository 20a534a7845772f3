//! Functions, and the quantifiers over lists and relations.

use std::ops::Range;

use super::{
    Checker, Literal, MAX_NESTED_QUANTIFIERS, Operand, Scope, Truth,
    operand::{Binding, End, Path},
};
use crate::{
    expression::{Anchor, Condition, Expression, Mistake, Node, Quantifier, Root, Source, TextCall, Type},
    pattern::common_pattern,
    suggest::did_you_mean,
    syntax::{Syntax, SyntaxKind},
    visibility::Sight,
};

/// Functions written before their argument, with how many they take.
const FUNCTIONS: [(&str, usize); 5] = [("duration", 1), ("has", 1), ("matches", 2), ("size", 1), ("timestamp", 1)];

/// Functions written after a value, with how many more they take.
const METHODS: [(&str, usize); 8] = [
    ("all", 2),
    ("contains", 1),
    ("endsWith", 1),
    ("exists", 2),
    ("lowerAscii", 0),
    ("matches", 1),
    ("size", 0),
    ("startsWith", 1),
];

impl Checker<'_> {
    /// `target.name(arguments)` or `name(arguments)`
    pub(super) fn call(
        &mut self,
        target: Option<&Syntax>,
        name: &str,
        name_span: &Range<usize>,
        arguments: &[Syntax],
        span: &Range<usize>,
    ) -> Operand {
        let known: &[(&str, usize)] = if target.is_some() { &METHODS } else { &FUNCTIONS };
        let Some((_, takes)) = known.iter().find(|(known, _)| *known == name) else {
            let mistake = Self::unknown_function(target.is_some(), name, name_span);
            // Mistakes inside are told as well.
            target.into_iter().for_each(|target| drop(self.operand(target)));
            return self.broken(mistake);
        };
        if arguments.len() != *takes {
            let message = format!("`{name}` takes {}, found {}", count(*takes), arguments.len());
            let mistake = Mistake::new(span.clone(), message);
            return self.broken(match name {
                "exists" | "all" => mistake.help(format!("write `{name}(x, x …)`")),
                _ => mistake,
            });
        }
        match (target, arguments) {
            (Some(target), [variable, body]) => {
                let quantifier = if name == "exists" { Quantifier::Exists } else { Quantifier::All };
                self.quantified(quantifier, target, variable, body, span)
            }
            (Some(target), []) if name == "size" => self.size(target),
            (Some(target), []) => self.lower(target),
            (Some(subject), [pattern]) if name == "matches" => self.matches(subject, pattern, span),
            (None, [subject, pattern]) => self.matches(subject, pattern, span),
            (Some(subject), [argument]) => {
                let call = match name {
                    "startsWith" => TextCall::StartsWith,
                    "endsWith" => TextCall::EndsWith,
                    _ => TextCall::Contains,
                };
                self.text_call(call, subject, argument, span)
            }
            (None, [argument]) => match name {
                "has" => self.has(argument),
                "size" => self.size(argument),
                "timestamp" => self.read_time(argument, &Type::DateTime, name),
                _ => self.read_time(argument, &Type::Duration, name),
            },
            _ => Operand::Broken,
        }
    }

    fn unknown_function(method: bool, name: &str, span: &Range<usize>) -> Mistake {
        let ours: &[(&str, usize)] = if method { &METHODS } else { &FUNCTIONS };
        let others: &[(&str, usize)] = if method { &FUNCTIONS } else { &METHODS };
        if others.iter().any(|(other, _)| *other == name) {
            let help = if method { format!("write `{name}(x)`") } else { format!("write `x.{name}(…)`") };
            return Mistake::new(span.clone(), format!("`{name}` stands on the other side of its value")).help(help);
        }
        let mistake = Mistake::new(span.clone(), format!("there is no function `{name}`"));
        let help = did_you_mean(name, ours.iter().map(|(known, _)| *known)).unwrap_or_else(|| {
            let listed = ours.iter().map(|(known, _)| format!("`{known}`")).collect::<Vec<_>>().join(", ");
            format!("there is {listed}")
        });
        mistake.help(help)
    }

    /// An argument that must be text.
    fn text(&mut self, syntax: &Syntax) -> Option<Expression> {
        let operand = self.operand(syntax);
        if matches!(operand, Operand::Null) {
            self.mistake(Mistake::new(syntax.span.clone(), "a string expected, found `null`"));
            return None;
        }
        self.coerce(operand, &Type::Text { fold_case: false }, &syntax.span)
    }

    fn text_call(&mut self, call: TextCall, subject: &Syntax, argument: &Syntax, span: &Range<usize>) -> Operand {
        let subject_operand = self.operand(subject);
        if matches!(self.natural(&subject_operand), Some(Type::List(_))) && call == TextCall::Contains {
            let help = "write `x in list`";
            return self
                .broken(Mistake::new(span.clone(), "`contains` looks into a string, not into a list").help(help));
        }
        let subject = match subject_operand {
            Operand::Null => None,
            other => self.coerce(other, &Type::Text { fold_case: false }, &subject.span),
        };
        let argument = self.text(argument);
        let (Some(subject), Some(argument)) = (subject, argument) else { return Operand::Broken };
        if self.negations > 0 {
            self.doubt(&subject, span);
            self.doubt(&argument, span);
        }
        let side = |subject, argument, negated| Condition::Text { call, subject, argument, negated };
        let truth = Truth { yes: side(subject.clone(), argument.clone(), false), no: side(subject, argument, true) };
        self.weighed(truth, span)
    }

    fn matches(&mut self, subject: &Syntax, pattern: &Syntax, span: &Range<usize>) -> Operand {
        let subject = self.text(subject);
        let SyntaxKind::Text(source) = &pattern.kind else {
            return self.broken(Mistake::new(pattern.span.clone(), "the pattern must be a literal string"));
        };
        let pattern = match common_pattern(source) {
            Ok(pattern) => pattern,
            Err(reason) => return self.broken(Mistake::new(pattern.span.clone(), reason)),
        };
        let Some(subject) = subject else { return Operand::Broken };
        if self.negations > 0 {
            self.doubt(&subject, span);
        }
        let truth = Truth {
            yes: Condition::Matches { subject: subject.clone(), pattern: pattern.clone(), negated: false },
            no: Condition::Matches { subject, pattern, negated: true },
        };
        self.weighed(truth, span)
    }

    fn lower(&mut self, target: &Syntax) -> Operand {
        match self.text(target) {
            Some(inner) => {
                let node = Node::Lower(Box::new(inner));
                Operand::Value(Expression::new(node, Type::Text { fold_case: false }))
            }
            None => Operand::Broken,
        }
    }

    fn size(&mut self, target: &Syntax) -> Operand {
        let operand = self.operand(target);
        let span = &target.span;
        match &operand {
            Operand::Broken => return Operand::Broken,
            Operand::Path(Path { end: End::Reverse { .. }, .. }) => {
                let help = "ask `exists` or `all` of it";
                return self.broken(Mistake::new(span.clone(), "a relation can't be counted").help(help));
            }
            _ => {}
        }
        match self.natural(&operand) {
            None | Some(Type::Text { .. } | Type::List(_)) if !matches!(operand, Operand::Null) => {}
            _ => {
                let message = format!("a string or list expected, found {}", self.describe(&operand));
                return self.broken(Mistake::new(span.clone(), message));
            }
        }
        match self.expression_of(operand, span) {
            Some(inner) => Operand::Value(Expression::new(Node::Size(Box::new(inner)), Type::Integer)),
            None => Operand::Broken,
        }
    }

    fn has(&mut self, argument: &Syntax) -> Operand {
        if !matches!(argument.kind, SyntaxKind::Select { .. } | SyntaxKind::Name(_)) {
            let help = "write `has(record.author)`";
            return self.broken(Mistake::new(argument.span.clone(), "`has` asks for a field").help(help));
        }
        let operand = self.operand(argument);
        if matches!(operand, Operand::Broken) {
            return Operand::Broken;
        }
        match self.nullable(operand, &argument.span) {
            Some(expression) => {
                self.handle_null(&expression);
                Operand::Truth(Truth {
                    yes: Condition::IsPresent(expression.clone()),
                    no: Condition::IsNull(expression),
                })
            }
            None => Operand::Broken,
        }
    }

    /// `timestamp(…)` and `duration(…)`, of a literal or a value of the caller.
    fn read_time(&mut self, argument: &Syntax, wanted: &Type, name: &str) -> Operand {
        let operand = self.operand(argument);
        let value = match operand {
            Operand::Broken => return Operand::Broken,
            Operand::Dynamic(value) => Some(Expression::new(Node::Caller(value), wanted.clone())),
            Operand::Literal(Literal::Text(text)) => match crate::convert::parse(&text, wanted) {
                Some(value) => Some(Expression::new(Node::Literal(value), wanted.clone())),
                None => {
                    let (what, example) = match wanted {
                        Type::DateTime => ("a time", "timestamp('2030-01-31T12:00:00Z')"),
                        _ => ("a duration in whole microseconds", "duration('1h30m')"),
                    };
                    let mistake = Mistake::new(argument.span.clone(), format!("{text:?} is not {what}"));
                    return self.broken(mistake.help(format!("write it as in `{example}`")));
                }
            },
            Operand::Value(expression) if expression.r#type == *wanted => Some(expression),
            _ => None,
        };
        match value {
            Some(expression) => Operand::Value(expression),
            None => {
                let message = format!("`{name}` takes a literal string or a value of `auth`");
                self.broken(Mistake::new(argument.span.clone(), message))
            }
        }
    }

    /// `target.exists(variable, body)`, or `all`.
    fn quantified(
        &mut self,
        quantifier: Quantifier,
        target: &Syntax,
        variable: &Syntax,
        body: &Syntax,
        span: &Range<usize>,
    ) -> Operand {
        let SyntaxKind::Name(name) = &variable.kind else {
            let help = "write `exists(x, x …)`";
            return self.broken(Mistake::new(variable.span.clone(), "the name of a variable expected").help(help));
        };
        let operand = self.operand(target);
        let Some(range) = self.range(operand, &target.span) else {
            // The body can't be checked without knowing what its variable is.
            return Operand::Broken;
        };
        if self.scope == Scope::Filter && self.variables.len() == MAX_NESTED_QUANTIFIERS {
            let message = format!("`exists` and `all` nest deeper than {MAX_NESTED_QUANTIFIERS} in this filter");
            return self.broken(Mistake::new(span.clone(), message));
        }
        self.variables.push((name.clone(), range.binding.clone()));
        let body = self.truth_of(body);
        self.variables.pop();
        let variable = match range.binding {
            Binding::Item { variable, .. } | Binding::Row { variable, .. } => variable,
        };
        let truth = Truth::quantified(quantifier, range.source, variable, range.guard, body);
        self.weighed(truth.provided(&range.conditions), span)
    }

    /// What a quantifier ranges over.
    fn range(&mut self, operand: Operand, span: &Range<usize>) -> Option<Ranged> {
        let schema = self.schema;
        match operand {
            Operand::Broken => None,
            Operand::Path(Path { anchor, mut conditions, end: End::Reverse { resource, from, field } }) => {
                let variable = self.fresh();
                let readable = self.guard(from, Some(variable)).map(|guard| guard.1);
                let row = Anchor::at(Root::Row(variable), from);
                let sight = match self.sight(from, field) {
                    Sight::Conditional(condition) => Some(condition.rebase(Root::Record, &row, &mut || self.fresh())),
                    Sight::Visible => None,
                    Sight::Unknown => Some(Condition::Constant(false)),
                };
                let guard = match (readable, sight) {
                    (None, None) => None,
                    (readable, sight) => Some(Condition::all(readable.into_iter().chain(sight))),
                };
                let source = Source::Reverse { owner: anchor, resource, from, field };
                conditions.retain(|condition| *condition != Condition::Constant(true));
                Some(Ranged { source, binding: Binding::Row { variable, resource: from }, guard, conditions })
            }
            Operand::Path(Path { anchor, conditions, end: End::Field { resource, field } })
                if schema.get(resource).get(field).is_many() =>
            {
                let target = schema.get(resource).get(field).target()?;
                let variable = self.fresh();
                let guard = self.guard(target, Some(variable)).map(|guard| guard.1);
                let source = Source::Many { owner: anchor, resource, field, target };
                Some(Ranged { source, binding: Binding::Row { variable, resource: target }, guard, conditions })
            }
            operand => {
                let origin = match &operand {
                    Operand::Path(Path { end: End::Field { resource, field }, .. }) => Some((*resource, *field)),
                    _ => None,
                };
                let wanted = match (&operand, self.natural(&operand)) {
                    (_, Some(found @ Type::List(_))) => found,
                    (Operand::Dynamic(_), _) => Type::List(Box::new(Type::Text { fold_case: false })),
                    (other, _) => {
                        let message = format!("a list or relation expected, found {}", self.describe(other));
                        self.mistake(Mistake::new(span.clone(), message));
                        return None;
                    }
                };
                let list = self.coerce(operand, &wanted, span)?;
                let Type::List(item) = wanted else { return None };
                let variable = self.fresh();
                let binding = Binding::Item { variable, r#type: *item, origin };
                Some(Ranged { source: Source::Items(list), binding, guard: None, conditions: Vec::new() })
            }
        }
    }
}

/// What a quantifier ranges over, with what its variable stands for.
struct Ranged {
    source: Source,
    binding: Binding,
    guard: Option<Condition>,
    conditions: Vec<Condition>,
}

fn count(takes: usize) -> String {
    match takes {
        0 => "no argument".to_owned(),
        1 => "one argument".to_owned(),
        several => format!("{several} arguments"),
    }
}
