//! An interpreter of the syntax tree as the contract words it: three-valued, no types known beforehand, nothing clever.
//!
//! It exists to disagree with [`super`] where one of them is wrong. Null and undefined are both [`Value::Null`].

use model::{Caller, Decimal, FieldIndex, Kind, Record, ResourceIndex, Schema, Value, caller::CallerValue, time};

use crate::{
    Relations as _,
    convert::convert,
    expression::{Arithmetic, Comparison, Type},
    syntax::{BinaryOperator, Syntax, SyntaxKind},
    testing::{POSTS, World},
};

pub(super) struct Naive<'a> {
    pub(super) world: &'a World,
    pub(super) caller: &'a Caller,
    pub(super) record: &'a Record,
    /// Whether bare names are the record's fields.
    pub(super) filter: bool,
    pub(super) variables: Vec<(String, Bound)>,
}

#[derive(Clone)]
pub(super) enum Bound {
    Row(ResourceIndex, Record),
    Item(Value),
}

/// Where a path leads.
enum At {
    Record(ResourceIndex, Option<Record>),
    Field(ResourceIndex, FieldIndex, Option<Record>),
    Json(Option<serde_json::Value>, String),
    Reverse(ResourceIndex, FieldIndex, Option<Record>),
    Item(Value),
    Caller(CallerValue),
    Auth,
    Claims(Vec<String>),
}

impl Naive<'_> {
    fn schema(&self) -> &Schema {
        &self.world.schema
    }

    /// True, false or undefined.
    pub(super) fn truth(&mut self, syntax: &Syntax) -> Option<bool> {
        match &syntax.kind {
            SyntaxKind::Not(inner) => self.truth(inner).map(|truth| !truth),
            SyntaxKind::All(parts) => fold(parts.iter().map(|part| self.truth(part)), false),
            SyntaxKind::Any(parts) => fold(parts.iter().map(|part| self.truth(part)), true),
            SyntaxKind::Ternary { condition, then, otherwise } => match self.truth(condition)? {
                true => self.truth(then),
                false => self.truth(otherwise),
            },
            SyntaxKind::Binary { operator: BinaryOperator::Compare(operator), left, right } => {
                self.comparison(*operator, left, right)
            }
            SyntaxKind::Binary { operator: BinaryOperator::In, left, right } => self.membership(left, right),
            SyntaxKind::Call { target: Some(target), name, arguments, .. } if name == "exists" || name == "all" => {
                self.quantified(name == "exists", target, &arguments[0], &arguments[1])
            }
            SyntaxKind::Call { target: Some(subject), name, arguments, .. } if arguments.len() == 1 => {
                let (Value::Text(subject), Value::Text(argument)) = (self.value(subject), self.value(&arguments[0]))
                else {
                    return None;
                };
                Some(match name.as_str() {
                    "startsWith" => subject.as_bytes().starts_with(argument.as_bytes()),
                    "endsWith" => subject.as_bytes().ends_with(argument.as_bytes()),
                    "contains" => subject.contains(&*argument),
                    _ => regex::Regex::new(&argument.replace(r"\w", "[0-9A-Za-z_]").replace(r"\S", r"[^ \t\r\n\v\f]"))
                        .unwrap()
                        .is_match(&subject),
                })
            }
            SyntaxKind::Call { target: None, name, arguments, .. } if name == "has" => {
                Some(!self.value(&arguments[0]).is_null())
            }
            _ => match self.value(syntax) {
                Value::Boolean(truth) => Some(truth),
                _ => None,
            },
        }
    }

    fn comparison(&mut self, operator: Comparison, left: &Syntax, right: &Syntax) -> Option<bool> {
        let is_null = |syntax: &Syntax| syntax.kind == SyntaxKind::Null;
        if is_null(left) || is_null(right) {
            let there = [left, right].into_iter().any(|side| !is_null(side) && !self.value(side).is_null());
            return Some(there == (operator == Comparison::NotEqual));
        }
        let fold_case = folds(left) || folds(right);
        let (left, right) = self.adapted(left, right);
        let order = order(&left, &right, fold_case)?;
        Some(match operator {
            Comparison::Equal => order == 0,
            Comparison::NotEqual => order != 0,
            Comparison::Less => order < 0,
            Comparison::LessOrEqual => order <= 0,
            Comparison::Greater => order > 0,
            Comparison::GreaterOrEqual => order >= 0,
        })
    }

    /// Both sides, a literal or a value of the caller as one of the other side's kind.
    fn adapted(&mut self, left: &Syntax, right: &Syntax) -> (Value, Value) {
        let (of_left, of_right) = (self.value(left), self.value(right));
        (adapt(left, of_left.clone(), &of_right), adapt(right, of_right, &of_left))
    }

    fn membership(&mut self, needle: &Syntax, list: &Syntax) -> Option<bool> {
        if let SyntaxKind::List(items) = &list.kind {
            let answers: Vec<_> = items.iter().map(|item| self.comparison(Comparison::Equal, needle, item)).collect();
            return fold(answers.into_iter(), true);
        }
        let (value, Value::List(items)) = (self.value(needle), self.value(list)) else { return None };
        if value.is_null() {
            return None;
        }
        Some(items.iter().any(|item| order(&value, item, folds(needle)) == Some(0)))
    }

    fn quantified(&mut self, exists: bool, source: &Syntax, variable: &Syntax, body: &Syntax) -> Option<bool> {
        let SyntaxKind::Name(variable) = &variable.kind else { return None };
        let bound: Vec<Bound> = match self.at(source) {
            Some(At::Reverse(from, field, owner)) => {
                let rows = self.world.referring(from, field, owner?.id());
                rows.into_iter().map(|row| Bound::Row(from, row)).collect()
            }
            Some(At::Field(resource, field, owner)) if self.schema().get(resource).get(field).is_many() => {
                let target = self.schema().get(resource).get(field).target()?;
                let Value::List(ids) = owner?.get(field).clone() else { return None };
                ids.iter().filter_map(|id| self.world.follow(target, id)).map(|row| Bound::Row(target, row)).collect()
            }
            _ => match self.value(source) {
                Value::List(items) => items.into_iter().map(Bound::Item).collect(),
                _ => return None,
            },
        };
        let mut answers = Vec::new();
        for one in bound {
            self.variables.push((variable.clone(), one));
            answers.push(self.truth(body));
            self.variables.pop();
        }
        fold(answers.into_iter(), exists)
    }

    /// A value; null where it is absent or undefined.
    fn value(&mut self, syntax: &Syntax) -> Value {
        match &syntax.kind {
            SyntaxKind::Null => Value::Null,
            SyntaxKind::Boolean(truth) => Value::Boolean(*truth),
            SyntaxKind::Integer(integer) => Value::Integer(*integer),
            SyntaxKind::Float(written) => Value::Float(written.parse().unwrap()),
            SyntaxKind::Text(text) => Value::text(text),
            SyntaxKind::List(items) => Value::List(items.iter().map(|item| self.value(item)).collect()),
            SyntaxKind::Name(_) | SyntaxKind::Select { .. } => match self.at(syntax) {
                Some(at) => self.read(at),
                None => Value::Null,
            },
            SyntaxKind::Negate(inner) => match self.value(inner) {
                Value::Integer(integer) => integer.checked_neg().map_or(Value::Null, Value::Integer),
                Value::Float(float) => Value::Float(-float),
                Value::Decimal(decimal) => Value::Decimal(Decimal::new(-decimal.unscaled, decimal.scale)),
                Value::Duration(span) => span.checked_neg().map_or(Value::Null, Value::Duration),
                _ => Value::Null,
            },
            SyntaxKind::Binary { operator: BinaryOperator::Arithmetic(operator), left, right } => {
                let (left, right) = self.adapted(left, right);
                calculate(*operator, &left, &right).unwrap_or_default()
            }
            SyntaxKind::Ternary { condition, then, otherwise } => match self.truth(condition) {
                Some(true) => self.value(then),
                Some(false) => self.value(otherwise),
                None => Value::Null,
            },
            SyntaxKind::Call { target: None, name, arguments, .. } if name == "timestamp" => {
                convert(self.value(&arguments[0]), &Type::DateTime)
            }
            SyntaxKind::Call { target: None, name, arguments, .. } if name == "duration" => {
                convert(self.value(&arguments[0]), &Type::Duration)
            }
            SyntaxKind::Call { target: None, name, arguments, .. } if name == "size" => {
                match self.value(&arguments[0]) {
                    Value::Text(text) => Value::Integer(text.chars().count() as i64),
                    Value::List(items) => Value::Integer(items.len() as i64),
                    _ => Value::Null,
                }
            }
            SyntaxKind::Call { target: Some(target), name, .. } if name == "lowerAscii" => match self.value(target) {
                Value::Text(text) => Value::text(text.to_ascii_lowercase()),
                _ => Value::Null,
            },
            _ => self.truth(syntax).map_or(Value::Null, Value::Boolean),
        }
    }

    fn at(&mut self, syntax: &Syntax) -> Option<At> {
        match &syntax.kind {
            SyntaxKind::Name(name) => {
                if let Some((_, bound)) = self.variables.iter().rev().find(|(known, _)| known == name) {
                    return Some(match bound.clone() {
                        Bound::Row(resource, row) => At::Record(resource, Some(row)),
                        Bound::Item(item) => At::Item(item),
                    });
                }
                if name == "now" {
                    return Some(At::Caller(CallerValue::Now));
                }
                if self.filter {
                    return self.member(At::Record(POSTS, Some(self.record.clone())), name);
                }
                Some(match name.as_str() {
                    "record" => At::Record(POSTS, Some(self.record.clone())),
                    _ => At::Auth,
                })
            }
            SyntaxKind::Select { base, name, .. } => {
                let base = self.at(base)?;
                self.member(base, name)
            }
            _ => None,
        }
    }

    fn member(&self, base: At, name: &str) -> Option<At> {
        match base {
            At::Auth => Some(match name {
                "id" => At::Caller(CallerValue::Id),
                "email" => At::Caller(CallerValue::Email),
                "roles" => At::Caller(CallerValue::Roles),
                _ => At::Claims(Vec::new()),
            }),
            At::Claims(path) => Some(At::Claims(path.into_iter().chain([name.to_owned()]).collect())),
            At::Record(resource, record) => {
                if let Some(field) = self.schema().get(resource).field(name) {
                    return Some(At::Field(resource, field, record));
                }
                let relation = self.schema().find_reverse(resource, name)?;
                Some(At::Reverse(relation.resource, relation.field, record))
            }
            At::Field(resource, field, record) => {
                let declared = self.schema().get(resource).get(field);
                if let Kind::Json { .. } = declared.kind {
                    let document = match record.as_ref().map(|record| record.get(field)) {
                        Some(Value::Json(text)) => serde_json::from_str(text).ok(),
                        _ => None,
                    };
                    return self.member(At::Json(document, String::new()), name);
                }
                let target = declared.target()?;
                let next = record.and_then(|record| self.world.follow(target, record.get(field)));
                self.member(At::Record(target, next), name)
            }
            At::Json(document, _) => {
                let found = document.and_then(|document| document.as_object()?.get(name).cloned());
                Some(At::Json(found, name.to_owned()))
            }
            _ => None,
        }
    }

    fn read(&self, at: At) -> Value {
        match at {
            At::Field(_, field, Some(record)) => record.get(field).clone(),
            At::Record(_, Some(record)) => record.id().clone(),
            At::Item(item) => item,
            At::Caller(what) => self.caller.value(&what),
            At::Claims(path) => self.caller.value(&CallerValue::Claim(path)),
            At::Json(Some(found), key) => match (key.as_str(), found) {
                ("name" | "deep", serde_json::Value::String(text)) => Value::text(text),
                ("flag", serde_json::Value::Bool(truth)) => Value::Boolean(truth),
                ("count", serde_json::Value::Number(number)) => number.as_i64().map_or(Value::Null, Value::Integer),
                ("ratio", serde_json::Value::Number(number)) => number.as_f64().map_or(Value::Null, Value::Float),
                _ => Value::Null,
            },
            _ => Value::Null,
        }
    }
}

/// `||` (or `&&`): decided by one answer that decides, else undefined by one that is undefined.
fn fold(answers: impl Iterator<Item = Option<bool>>, deciding: bool) -> Option<bool> {
    let answers: Vec<_> = answers.collect();
    if answers.contains(&Some(deciding)) {
        return Some(deciding);
    }
    if answers.contains(&None) { None } else { Some(!deciding) }
}

/// Whether a text compares without regard to case: by the names of the fields that do.
fn folds(syntax: &Syntax) -> bool {
    match &syntax.kind {
        SyntaxKind::Select { name, .. } | SyntaxKind::Name(name) => ["nick", "email", "word"].contains(&name.as_str()),
        SyntaxKind::Ternary { then, otherwise, .. } => folds(then) || folds(otherwise),
        SyntaxKind::Binary { left, right, .. } => folds(left) || folds(right),
        _ => false,
    }
}

fn of_caller(syntax: &Syntax) -> bool {
    match &syntax.kind {
        SyntaxKind::Select { base, name, .. } => of_caller(base) && name != "email" && name != "roles",
        SyntaxKind::Name(name) => name == "auth",
        _ => false,
    }
}

fn adapt(syntax: &Syntax, value: Value, other: &Value) -> Value {
    if of_caller(syntax) {
        let wanted = match other {
            Value::Integer(_) => Type::Integer,
            Value::Float(_) => Type::Float,
            Value::Uuid(_) => Type::Uuid,
            Value::Text(_) => Type::Text { fold_case: false },
            _ => Type::Json,
        };
        return convert(value, &wanted);
    }
    match (value, other) {
        (Value::Integer(integer), Value::Decimal(_)) => Value::Decimal(Decimal::new(integer.into(), 0)),
        (Value::Float(_), Value::Decimal(_)) => match &syntax.kind {
            SyntaxKind::Float(written) => Value::Decimal(Decimal::parse(written).unwrap()),
            _ => Value::Null,
        },
        (Value::Date(day), Value::DateTime(_)) => Value::DateTime(i64::from(day) * time::DAY),
        (Value::Text(text), Value::Date(_)) => time::parse_date(&text).map_or(Value::Null, Value::Date),
        (Value::Text(text), Value::Uuid(_)) => Value::Uuid(text.parse().unwrap()),
        (value, _) => value,
    }
}

fn order(left: &Value, right: &Value, fold_case: bool) -> Option<i8> {
    let order = match (left, right) {
        (Value::Text(left), Value::Text(right)) => {
            let points = |text: &str| -> Vec<char> {
                text.chars().map(|point| if fold_case { point.to_ascii_lowercase() } else { point }).collect()
            };
            points(left).cmp(&points(right))
        }
        (Value::Integer(left), Value::Integer(right)) => left.cmp(right),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right)?,
        (Value::Decimal(left), Value::Decimal(right)) => left.cmp(right),
        (Value::Boolean(left), Value::Boolean(right)) => left.cmp(right),
        (Value::DateTime(left), Value::DateTime(right)) | (Value::Duration(left), Value::Duration(right)) => {
            left.cmp(right)
        }
        (Value::Date(left), Value::Date(right)) => left.cmp(right),
        (Value::Uuid(left), Value::Uuid(right)) => left.cmp(right),
        _ => return None,
    };
    Some(order as i8)
}

fn calculate(operator: Arithmetic, left: &Value, right: &Value) -> Option<Value> {
    let fits = |wide: i128| i64::try_from(wide).ok();
    let sum = |left: i64, right: i64| {
        let (left, right) = (i128::from(left), i128::from(right));
        match operator {
            Arithmetic::Add => fits(left + right),
            Arithmetic::Subtract => fits(left - right),
            Arithmetic::Multiply => fits(left * right),
            Arithmetic::Divide | Arithmetic::Remainder if right == 0 => None,
            Arithmetic::Divide => fits(left / right),
            Arithmetic::Remainder => fits(left % right),
        }
    };
    match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => sum(*left, *right).map(Value::Integer),
        (Value::Float(left), Value::Float(right)) => {
            let result = match operator {
                Arithmetic::Add => left + right,
                Arithmetic::Subtract => left - right,
                Arithmetic::Multiply => left * right,
                _ => left / right,
            };
            result.is_finite().then_some(Value::Float(result))
        }
        (Value::Decimal(left), Value::Decimal(right)) => {
            if operator == Arithmetic::Multiply {
                return Some(Value::Decimal(Decimal::new(left.unscaled * right.unscaled, left.scale + right.scale)));
            }
            let scale = left.scale.max(right.scale);
            let (left, right) = (left.rescale(scale)?.unscaled, right.rescale(scale)?.unscaled);
            let result = if operator == Arithmetic::Add { left + right } else { left - right };
            Some(Value::Decimal(Decimal::new(result, scale)))
        }
        (Value::Text(left), Value::Text(right)) => Some(Value::text([&**left, &**right].concat())),
        (Value::DateTime(left), Value::DateTime(right)) | (Value::Duration(left), Value::Duration(right)) => {
            sum(*left, *right).map(Value::Duration)
        }
        (Value::DateTime(left), Value::Duration(right)) => {
            sum(*left, *right).filter(|moment| (time::MIN..=time::MAX).contains(moment)).map(Value::DateTime)
        }
        _ => None,
    }
}
