//! A rule taken apart, so that it can be said which part of it let a caller through or stopped it.

use std::ops::Range;

use model::{CallerValue, FieldIndex, ResourceIndex, Schema};

use crate::{
    check::{Scope, check_syntax},
    expression::Condition,
    parse::parse,
    syntax::{Syntax, SyntaxKind},
};

/// The most parts of a rule that are looked at.
pub const MOST: usize = 60;

/// A part of a rule: the whole of it, a side of `&&` or `||`, what a `!` denies.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its text.
    pub text: String,
    /// How deep it stands in the rule; 0 for the whole.
    pub depth: usize,
    /// When it holds.
    pub condition: Condition,
    /// Whether it speaks of `record`.
    pub of_record: bool,
    /// Whether it speaks of `new`.
    pub of_new: bool,
    /// The values that it names directly, as far as it has no parts of its own.
    pub names: Vec<(String, Named)>,
}

/// A value that a rule names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A field of `record`.
    Record(FieldIndex),
    /// A field of `new`.
    New(FieldIndex),
    /// Something of the caller.
    Caller(CallerValue),
}

/// The parts of a rule whose text is known to be good, the whole first, each before its own parts.
#[must_use]
pub fn parts(schema: &Schema, resource: ResourceIndex, scope: Scope, text: &str) -> Vec<Part> {
    let Ok(syntax) = parse(text) else { return Vec::new() };
    let mut taker = Taker { schema, resource, scope, text, parts: Vec::new() };
    taker.take(&syntax, 0);
    taker.parts
}

struct Taker<'a> {
    schema: &'a Schema,
    resource: ResourceIndex,
    scope: Scope,
    text: &'a str,
    parts: Vec<Part>,
}

impl Taker<'_> {
    fn take(&mut self, syntax: &Syntax, depth: usize) {
        if self.parts.len() >= MOST {
            return;
        }
        let Some(condition) = check_syntax(self.schema, self.resource, self.scope, syntax) else { return };
        let below: Vec<&Syntax> = match &syntax.kind {
            SyntaxKind::All(parts) | SyntaxKind::Any(parts) => parts.iter().collect(),
            SyntaxKind::Not(inner) => vec![inner],
            _ => Vec::new(),
        };
        let mut names = Names { taker: self, of_record: false, of_new: false, found: Vec::new() };
        names.look(syntax);
        let Names { of_record, of_new, mut found, .. } = names;
        if !below.is_empty() {
            found.clear();
        }
        let text = balanced(self.text, &syntax.span).to_owned();
        self.parts.push(Part { text, depth, condition, of_record, of_new, names: found });
        for part in below {
            self.take(part, depth + 1);
        }
    }
}

struct Names<'a, 'b> {
    taker: &'a Taker<'b>,
    of_record: bool,
    of_new: bool,
    found: Vec<(String, Named)>,
}

impl Names<'_, '_> {
    fn look(&mut self, syntax: &Syntax) {
        match &syntax.kind {
            SyntaxKind::Name(name) => {
                self.of_record |= name == "record";
                self.of_new |= name == "new";
            }
            SyntaxKind::Select { base, name, .. } => {
                let named = self.named(base, name);
                // A claim has one value, at the end of its path.
                if !matches!(named, Some(Named::Caller(CallerValue::Claim(_)))) {
                    self.look(base);
                }
                if let Some(named) = named {
                    let text = self.taker.text.get(syntax.span.clone()).unwrap_or_default().to_owned();
                    if !self.found.iter().any(|(known, _)| *known == text) {
                        self.found.push((text, named));
                    }
                }
            }
            SyntaxKind::List(parts) | SyntaxKind::All(parts) | SyntaxKind::Any(parts) => {
                parts.iter().for_each(|part| self.look(part));
            }
            SyntaxKind::Call { target, arguments, .. } => {
                target.iter().for_each(|part| self.look(part));
                arguments.iter().for_each(|part| self.look(part));
            }
            SyntaxKind::Not(inner) | SyntaxKind::Negate(inner) => self.look(inner),
            SyntaxKind::Binary { left, right, .. } => {
                self.look(left);
                self.look(right);
            }
            SyntaxKind::Ternary { condition, then, otherwise } => {
                for part in [condition, then, otherwise] {
                    self.look(part);
                }
            }
            SyntaxKind::Null
            | SyntaxKind::Boolean(_)
            | SyntaxKind::Integer(_)
            | SyntaxKind::Float(_)
            | SyntaxKind::Text(_) => {}
        }
    }

    /// `record.field`, `new.field`, `auth.id`; a hidden field has no value to show.
    fn named(&self, base: &Syntax, name: &str) -> Option<Named> {
        let field = || {
            let resource = self.taker.schema.get(self.taker.resource);
            resource.field(name).filter(|field| !resource.get(*field).hidden)
        };
        match &base.kind {
            SyntaxKind::Name(root) => match (root.as_str(), name) {
                ("record", _) => field().map(Named::Record),
                ("new", _) => field().map(Named::New),
                ("auth", "id") => Some(Named::Caller(CallerValue::Id)),
                ("auth", "email") => Some(Named::Caller(CallerValue::Email)),
                ("auth", "roles") => Some(Named::Caller(CallerValue::Roles)),
                ("request", "ip") => Some(Named::Caller(CallerValue::Address)),
                ("request", "method") => Some(Named::Caller(CallerValue::Method)),
                _ => None,
            },
            SyntaxKind::Select { .. } => claim(base, name).map(|path| Named::Caller(CallerValue::Claim(path))),
            _ => None,
        }
    }
}

/// The path of `auth.claims.a.b`.
fn claim(base: &Syntax, name: &str) -> Option<Vec<String>> {
    let SyntaxKind::Select { base: below, name: last, .. } = &base.kind else { return None };
    if matches!(&below.kind, SyntaxKind::Name(root) if root == "auth") && last == "claims" {
        return Some(vec![name.to_owned()]);
    }
    let mut path = claim(below, last)?;
    path.push(name.to_owned());
    Some(path)
}

/// A span without half a pair of parentheses.
fn balanced<'a>(text: &'a str, span: &Range<usize>) -> &'a str {
    let (mut start, mut end) = (span.start, span.end);
    loop {
        let (mut open, mut missing) = (0_usize, 0_usize);
        let mut quote = None;
        for character in text.get(start..end).unwrap_or_default().chars() {
            match (quote, character) {
                (Some(begun), _) if begun == character => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(character),
                (None, '(') => open += 1,
                (None, ')') if open > 0 => open -= 1,
                (None, ')') => missing += 1,
                _ => {}
            }
        }
        let before = text[..start].trim_end();
        let after = &text[end..];
        if missing > 0 && before.ends_with('(') {
            start = before.len() - 1;
        } else if open > 0 && after.trim_start().starts_with(')') {
            end += after.len() - after.trim_start().len() + 1;
        } else {
            return text.get(start..end).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use model::ResourceIndex;

    use super::parts;
    use crate::{Scope, testing};

    #[test]
    fn a_rule_comes_apart_where_its_logic_does() {
        let schema = testing::schema();
        let text =
            "(record.pinned || !('staff' in auth.roles)) && (record.stars + 1) * 2 > 3 && auth.claims.a.b == 'x'";
        let posts = schema.find("posts").unwrap_or(ResourceIndex(0));
        let parts = parts(&schema, posts, Scope::Read, text);
        let shown: Vec<String> = parts.iter().map(|part| format!("{} {}", part.depth, part.text)).collect();
        assert_eq!(shown[0], format!("0 {text}"));
        assert_eq!(
            shown[1..],
            [
                "1 (record.pinned || !('staff' in auth.roles))",
                "2 record.pinned",
                "2 !('staff' in auth.roles)",
                "3 ('staff' in auth.roles)",
                "1 (record.stars + 1) * 2 > 3",
                "1 auth.claims.a.b == 'x'",
            ]
        );
        let names: Vec<&str> = parts.iter().flat_map(|part| &part.names).map(|(text, _)| text.as_str()).collect();
        assert!(names.ends_with(&["record.stars", "auth.claims.a.b"]), "{names:?}");
    }
}
