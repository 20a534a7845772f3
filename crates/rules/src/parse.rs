//! CEL text to a syntax tree: precedence climbing, linear in the length of the text, with bounds on everything.

use std::ops::Range;

use crate::{
    expression::{Arithmetic, Comparison, Mistake},
    syntax::{BinaryOperator, Syntax, SyntaxKind},
    token::{Token, TokenKind, tokenize},
};

/// The most characters of an expression.
pub const MAX_CHARACTERS: usize = 4096;
/// The deepest that an expression may nest, dots included.
pub const MAX_DEPTH: usize = 32;
/// The most operators and calls of an expression.
pub const MAX_OPERATIONS: usize = 256;

/// Reads an expression.
///
/// # Errors
///
/// The first place where the text is no CEL, uses a part of CEL that isn't supported, or exceeds a bound.
pub fn parse(text: &str) -> Result<Syntax, Mistake> {
    let characters = text.chars().count();
    if characters > MAX_CHARACTERS {
        let message = format!("the expression has {characters} characters, more than {MAX_CHARACTERS}");
        return Err(Mistake::new(0..text.len(), message));
    }
    let mut parser = Parser { tokens: tokenize(text)?, at: 0, depth: 0, operations: 0 };
    let syntax = parser.expression()?;
    match &parser.peek().kind {
        TokenKind::End => Ok(syntax),
        TokenKind::Symbol("=") => Err(parser.unexpected("an operator").help("write `==` to compare")),
        TokenKind::Word(word) if word == "and" || word == "AND" => {
            Err(parser.unexpected("an operator").help("write `&&`"))
        }
        TokenKind::Word(word) if word == "or" || word == "OR" => {
            Err(parser.unexpected("an operator").help("write `||`"))
        }
        TokenKind::Symbol("{") => Err(Mistake::new(parser.peek().span.clone(), "messages aren't supported")),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

/// How tightly the operators between two values bind; `in` binds like a comparison.
fn binary_operator(kind: &TokenKind) -> Option<(u8, BinaryOperator)> {
    let compare = |comparison| Some((1, BinaryOperator::Compare(comparison)));
    match kind {
        TokenKind::Symbol(symbol) => match *symbol {
            "==" => compare(Comparison::Equal),
            "!=" => compare(Comparison::NotEqual),
            "<" => compare(Comparison::Less),
            "<=" => compare(Comparison::LessOrEqual),
            ">" => compare(Comparison::Greater),
            ">=" => compare(Comparison::GreaterOrEqual),
            "+" => Some((2, BinaryOperator::Arithmetic(Arithmetic::Add))),
            "-" => Some((2, BinaryOperator::Arithmetic(Arithmetic::Subtract))),
            "*" => Some((3, BinaryOperator::Arithmetic(Arithmetic::Multiply))),
            "/" => Some((3, BinaryOperator::Arithmetic(Arithmetic::Divide))),
            "%" => Some((3, BinaryOperator::Arithmetic(Arithmetic::Remainder))),
            _ => None,
        },
        TokenKind::Word(word) if word == "in" => Some((1, BinaryOperator::In)),
        _ => None,
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    operations: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        // The last token is the end, which is never passed.
        &self.tokens[self.at]
    }

    fn advance(&mut self) -> Token {
        let token = self.tokens[self.at].clone();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        token
    }

    fn accept(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek().kind, TokenKind::Symbol(here) if here == symbol);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<usize, Mistake> {
        let end = self.peek().span.end;
        if self.accept(symbol) { Ok(end) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    fn unexpected(&self, expected: &str) -> Mistake {
        let token = self.peek();
        let found = match &token.kind {
            TokenKind::End => "the end".to_owned(),
            TokenKind::Word(word) => format!("`{word}`"),
            TokenKind::Symbol(symbol) => format!("`{symbol}`"),
            TokenKind::Integer(_) | TokenKind::Float(_) => "a number".to_owned(),
            TokenKind::Text(_) => "a string".to_owned(),
        };
        Mistake::new(token.span.clone(), format!("{expected} expected, found {found}"))
    }

    /// Counts an operation, and makes a part of the tree of it.
    fn operation(&mut self, kind: SyntaxKind, span: Range<usize>) -> Result<Syntax, Mistake> {
        self.operations += 1;
        if self.operations > MAX_OPERATIONS {
            return Err(Mistake::new(span, format!("the expression has more than {MAX_OPERATIONS} operations")));
        }
        part(kind, span)
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Mistake>) -> Result<T, Mistake> {
        if self.depth == MAX_DEPTH {
            return Err(too_deep(self.peek().span.clone()));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn expression(&mut self) -> Result<Syntax, Mistake> {
        self.nested(|parser| {
            let condition = parser.any()?;
            if !parser.accept("?") {
                return Ok(condition);
            }
            let then = parser.nested(Self::any)?;
            parser.expect(":")?;
            let otherwise = parser.expression()?;
            let span = condition.span.start..otherwise.span.end;
            let kind = SyntaxKind::Ternary {
                condition: Box::new(condition),
                then: Box::new(then),
                otherwise: Box::new(otherwise),
            };
            parser.operation(kind, span)
        })
    }

    fn any(&mut self) -> Result<Syntax, Mistake> {
        self.chain("||", Self::all, SyntaxKind::Any)
    }

    fn all(&mut self) -> Result<Syntax, Mistake> {
        self.chain("&&", |parser| parser.binary(1), SyntaxKind::All)
    }

    fn chain(
        &mut self,
        symbol: &str,
        read: impl Fn(&mut Self) -> Result<Syntax, Mistake>,
        make: impl Fn(Vec<Syntax>) -> SyntaxKind,
    ) -> Result<Syntax, Mistake> {
        let first = read(self)?;
        let mut parts = vec![first];
        while self.accept(symbol) {
            let next = read(self)?;
            if parts.len() > 1 {
                // The first operator is counted below.
                self.operations += 1;
            }
            parts.push(next);
        }
        if parts.len() == 1
            && let Some(only) = parts.pop()
        {
            return Ok(only);
        }
        let span = parts.first().map_or(0, |part| part.span.start)..parts.last().map_or(0, |part| part.span.end);
        self.operation(make(parts), span)
    }

    fn binary(&mut self, least: u8) -> Result<Syntax, Mistake> {
        let mut left = self.unary()?;
        while let Some((precedence, operator)) = binary_operator(&self.peek().kind) {
            if precedence < least {
                break;
            }
            self.advance();
            let right = self.binary(precedence + 1)?;
            let span = left.span.start..right.span.end;
            let kind = SyntaxKind::Binary { operator, left: Box::new(left), right: Box::new(right) };
            left = self.operation(kind, span)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Syntax, Mistake> {
        let start = self.peek().span.start;
        if self.accept("!") {
            let operand = self.nested(Self::unary)?;
            let span = start..operand.span.end;
            return self.operation(SyntaxKind::Not(Box::new(operand)), span);
        }
        if self.accept("-") {
            // A sign before a number is part of it, since the least integer has no positive twin.
            if let Some(number) = self.number(start, true)? {
                return self.postfix(number);
            }
            let operand = self.nested(Self::unary)?;
            let span = start..operand.span.end;
            return self.operation(SyntaxKind::Negate(Box::new(operand)), span);
        }
        let primary = self.primary()?;
        self.postfix(primary)
    }

    fn number(&mut self, start: usize, negative: bool) -> Result<Option<Syntax>, Mistake> {
        let token = self.peek().clone();
        let span = start..token.span.end;
        let sign = if negative { -1 } else { 1 };
        let kind = match token.kind {
            TokenKind::Integer(magnitude) => match i64::try_from(i128::from(magnitude) * sign) {
                Ok(integer) => SyntaxKind::Integer(integer),
                Err(_) => return Err(Mistake::new(span, "the number doesn't fit into 64 bits")),
            },
            TokenKind::Float(written) => SyntaxKind::Float(if negative { format!("-{written}") } else { written }),
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(Syntax::new(kind, span)))
    }

    fn primary(&mut self) -> Result<Syntax, Mistake> {
        let start = self.peek().span.start;
        if let Some(number) = self.number(start, false)? {
            return Ok(number);
        }
        let token = self.peek().clone();
        match token.kind {
            TokenKind::Text(text) => {
                self.advance();
                Ok(Syntax::new(SyntaxKind::Text(text), token.span))
            }
            TokenKind::Word(word) => {
                if word == "in" {
                    return Err(self.unexpected("a value"));
                }
                self.advance();
                self.name(word, token.span)
            }
            TokenKind::Symbol("(") => {
                self.advance();
                let mut inner = self.expression()?;
                // The parentheses belong to the place that a mistake underlines.
                inner.span = start..self.expect(")")?;
                Ok(inner)
            }
            TokenKind::Symbol("[") => {
                self.advance();
                let (items, end) = self.list("]")?;
                part(SyntaxKind::List(items), start..end)
            }
            TokenKind::Symbol("{") => Err(Mistake::new(token.span, "maps aren't supported")),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn name(&mut self, word: String, span: Range<usize>) -> Result<Syntax, Mistake> {
        let kind = match word.as_str() {
            "null" => SyntaxKind::Null,
            "true" => SyntaxKind::Boolean(true),
            "false" => SyntaxKind::Boolean(false),
            _ if self.accept("(") => {
                let (arguments, end) = self.list(")")?;
                let start = span.start;
                let kind = SyntaxKind::Call { target: None, name: word, name_span: span, arguments };
                return self.operation(kind, start..end);
            }
            _ => SyntaxKind::Name(word),
        };
        Ok(Syntax::new(kind, span))
    }

    fn postfix(&mut self, mut base: Syntax) -> Result<Syntax, Mistake> {
        loop {
            let start = base.span.start;
            if self.peek().kind == TokenKind::Symbol("[") {
                let help = "ask `exists` or `in` of a list, and write `a.b` for a field";
                return Err(Mistake::new(self.peek().span.clone(), "indexing isn't supported").help(help));
            }
            if !self.accept(".") {
                return Ok(base);
            }
            let token = self.peek().clone();
            let TokenKind::Word(name) = token.kind else { return Err(self.unexpected("a name")) };
            self.advance();
            let name_span = token.span;
            if self.accept("(") {
                let (arguments, end) = self.list(")")?;
                let kind = SyntaxKind::Call { target: Some(Box::new(base)), name, name_span, arguments };
                base = self.operation(kind, start..end)?;
            } else {
                let end = name_span.end;
                base = part(SyntaxKind::Select { base: Box::new(base), name, name_span }, start..end)?;
            }
        }
    }

    /// Expressions between commas up to a closing bracket, whose end comes with them.
    fn list(&mut self, closing: &str) -> Result<(Vec<Syntax>, usize), Mistake> {
        let mut items = Vec::new();
        loop {
            let end = self.peek().span.end;
            if self.accept(closing) {
                return Ok((items, end));
            }
            items.push(self.expression()?);
            if !self.accept(",") {
                return Ok((items, self.expect(closing)?));
            }
        }
    }
}

fn part(kind: SyntaxKind, span: Range<usize>) -> Result<Syntax, Mistake> {
    let syntax = Syntax::new(kind, span);
    if syntax.depth > MAX_DEPTH { Err(too_deep(syntax.span)) } else { Ok(syntax) }
}

fn too_deep(span: Range<usize>) -> Mistake {
    Mistake::new(span, format!("the expression nests deeper than {MAX_DEPTH}"))
}

#[cfg(test)]
mod tests;
