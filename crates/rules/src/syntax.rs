//! The syntax tree: what a text says, before anything is known of names and types.

use std::ops::Range;

/// A part of an expression and its place in the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Syntax {
    /// What it is.
    pub kind: SyntaxKind,
    /// Its byte range.
    pub span: Range<usize>,
    /// How deep the tree below it is; a leaf has 1.
    pub(crate) depth: usize,
}

/// What a part of an expression is.
#[derive(Debug, Clone, PartialEq)]
pub enum SyntaxKind {
    /// `null`
    Null,
    /// `true`, `false`
    Boolean(bool),
    /// A whole number, its sign included.
    Integer(i64),
    /// A number with a point or an exponent, as written, its sign included.
    Float(String),
    /// A string.
    Text(String),
    /// `[a, b]`
    List(Vec<Syntax>),
    /// `name`
    Name(String),
    /// `base.name`
    Select {
        /// What comes before the dot.
        base: Box<Syntax>,
        /// What comes after it.
        name: String,
        /// The place of the name.
        name_span: Range<usize>,
    },
    /// `name(arguments)` or `target.name(arguments)`
    Call {
        /// What comes before the dot.
        target: Option<Box<Syntax>>,
        /// The function.
        name: String,
        /// The place of the name.
        name_span: Range<usize>,
        /// What is in the parentheses.
        arguments: Vec<Syntax>,
    },
    /// `!operand`
    Not(Box<Syntax>),
    /// `-operand`
    Negate(Box<Syntax>),
    /// `a && b && c`
    All(Vec<Syntax>),
    /// `a || b || c`
    Any(Vec<Syntax>),
    /// `left operator right`
    Binary {
        /// Which.
        operator: BinaryOperator,
        /// The left side.
        left: Box<Syntax>,
        /// The right side.
        right: Box<Syntax>,
    },
    /// `condition ? then : otherwise`
    Ternary {
        /// Asked first.
        condition: Box<Syntax>,
        /// Where it holds.
        then: Box<Syntax>,
        /// Where it does not.
        otherwise: Box<Syntax>,
    },
}

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOperator {
    /// `==`, `!=`, `<`, …
    Compare(crate::expression::Comparison),
    /// `+`, `-`, …
    Arithmetic(crate::expression::Arithmetic),
    /// `in`
    In,
}

impl Syntax {
    /// A part without parts, or whose parts are counted by the caller.
    pub(crate) fn new(kind: SyntaxKind, span: Range<usize>) -> Self {
        let below = match &kind {
            SyntaxKind::List(parts) | SyntaxKind::All(parts) | SyntaxKind::Any(parts) => deepest(parts),
            SyntaxKind::Select { base: part, .. } | SyntaxKind::Not(part) | SyntaxKind::Negate(part) => part.depth,
            SyntaxKind::Call { target, arguments, .. } => {
                deepest(arguments).max(target.as_ref().map_or(0, |target| target.depth))
            }
            SyntaxKind::Binary { left, right, .. } => left.depth.max(right.depth),
            SyntaxKind::Ternary { condition, then, otherwise } => condition.depth.max(then.depth).max(otherwise.depth),
            SyntaxKind::Null
            | SyntaxKind::Boolean(_)
            | SyntaxKind::Integer(_)
            | SyntaxKind::Float(_)
            | SyntaxKind::Text(_)
            | SyntaxKind::Name(_) => 0,
        };
        Self { kind, span, depth: below + 1 }
    }
}

fn deepest(parts: &[Syntax]) -> usize {
    parts.iter().map(|part| part.depth).max().unwrap_or(0)
}
