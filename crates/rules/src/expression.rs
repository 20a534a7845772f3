//! What a rule is once it has been checked: typed expressions and conditions that two executions share.
//!
//! A condition is two-valued: an undefined comparison is false, and every `!` has been pushed down to the leaves, so that
//! its meaning in memory ([`crate::judge`]) and as SQL agree by construction. An expression is a value that may be
//! [`Value::Null`], which stands for null and undefined alike: both make the leaf around them false.

use std::sync::Arc;

use model::{
    CallerValue, Field, FieldIndex, Kind, Resource, ResourceIndex, Value,
    field::{Pattern, Shape},
};

/// A rule as the checker leaves it.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The text, for logs and explanations.
    pub text: Arc<str>,
    /// Conditions over the caller alone, which [`Condition::Test`] names; at most 64.
    pub tests: Vec<Condition>,
    /// What must hold.
    pub condition: Condition,
}

/// A two-valued condition; undefined is false.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// True or false whatever the record.
    Constant(bool),
    /// All hold; true for none.
    All(Vec<Condition>),
    /// One holds at least; false for none.
    Any(Vec<Condition>),
    /// `Rule::tests[n]`, a condition over the caller alone.
    Test(usize),
    /// Both sides are there, and compare so.
    Compare {
        /// How.
        operator: Comparison,
        /// The left side; both sides have the same type.
        left: Expression,
        /// The right side.
        right: Expression,
    },
    /// The value is absent (or undefined).
    IsNull(Expression),
    /// The value is there.
    IsPresent(Expression),
    /// A boolean expression is there and has this value.
    Truth(Expression, bool),
    /// The needle is there, the list is there, and the needle is (or, negated, is not) among its items.
    In {
        /// What is looked for; of the items' type.
        needle: Expression,
        /// A list.
        list: Expression,
        /// `!(needle in list)`.
        negated: bool,
    },
    /// A question about text, case always counting; false where a side is absent, negated or not.
    Text {
        /// Which question.
        call: TextCall,
        /// Asked about this text.
        subject: Expression,
        /// With this argument.
        argument: Expression,
        /// The opposite answer.
        negated: bool,
    },
    /// Text matches a literal pattern of the common subset (anywhere unless anchored).
    Matches {
        /// The text; false where absent, negated or not.
        subject: Expression,
        /// The pattern.
        pattern: CommonPattern,
        /// Does not match.
        negated: bool,
    },
    /// Some or all items of a list or relation satisfy a condition.
    Quantified {
        /// Some or all.
        quantifier: Quantifier,
        /// Over what.
        source: Source,
        /// The variable that the body names.
        variable: Variable,
        /// Rows for which this does not hold are as if absent (client filters: unreadable records).
        guard: Option<Box<Condition>>,
        /// What must hold of one or of each.
        body: Box<Condition>,
    },
}

/// `exists` or `all`. Over an absent list, or a relation of an absent record, both are false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantifier {
    /// At least one; false for none.
    Exists,
    /// Each of them; true for none.
    All,
}

/// A comparison; on text by code point, or with ASCII case folded where either side's type folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A question about text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextCall {
    /// Whether it begins with the argument.
    StartsWith,
    /// Whether it ends with the argument.
    EndsWith,
    /// Whether the argument stands somewhere in it.
    Contains,
}

/// A literal pattern of what all engines share, in the form of each.
#[derive(Debug, Clone)]
pub struct CommonPattern {
    /// As the author wrote it, compiled for memory (`\d \w \s` as ASCII).
    pub pattern: Pattern,
    /// Rewritten for PostgreSQL's `~`, so that it means the same there.
    pub postgres: Arc<str>,
}

impl PartialEq for CommonPattern {
    fn eq(&self, other: &Self) -> bool {
        self.pattern.source == other.pattern.source
    }
}

/// A bound variable of a quantifier; each has its own number within a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Variable(pub u16);

/// What a quantifier ranges over.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// The items of a list value; the variable is an item.
    Items(Expression),
    /// The records that a `many` reference names; the variable is a record.
    Many {
        /// Whose reference.
        owner: Anchor,
        /// The resource of `owner`.
        resource: ResourceIndex,
        /// The `many` reference.
        field: FieldIndex,
        /// The resource of the records.
        target: ResourceIndex,
    },
    /// The records of another resource that refer to this one; the variable is a record.
    Reverse {
        /// The record referred to.
        owner: Anchor,
        /// The resource of `owner`.
        resource: ResourceIndex,
        /// The referring resource.
        from: ResourceIndex,
        /// Its reference, one or many.
        field: FieldIndex,
    },
}

/// A record to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Root {
    /// The record as stored.
    Record,
    /// The record as it would be stored.
    New,
    /// The record that a quantifier's variable (or a guard's) stands for.
    Row(Variable),
}

/// A record reached from a root through to-one references.
#[derive(Debug, Clone, PartialEq)]
pub struct Anchor {
    /// Where it starts.
    pub root: Root,
    /// The resource at the root.
    pub resource: ResourceIndex,
    /// The references followed, in order.
    pub steps: Vec<Step>,
}

/// One reference followed.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The to-one reference, a field of the resource reached so far.
    pub field: FieldIndex,
    /// The resource that it leads to.
    pub target: ResourceIndex,
    /// The record reached is absent unless this holds of it, as [`Root::Row`] of the variable (client filters).
    pub guard: Option<Box<(Variable, Condition)>>,
}

/// A typed value that may be absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    /// How it is made.
    pub node: Node,
    /// What it is; never [`Type::Dynamic`].
    pub r#type: Type,
}

/// How a value is made.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A literal, already of the expression's type.
    Literal(Value),
    /// A value of the request, converted to the expression's type; absent where it can't be.
    Caller(CallerValue),
    /// A value that the request brings beside the text (short-form filters, cursors): by its number.
    Input(usize),
    /// A field of a record reached from a root. A `many` reference is the list of its ids, empty rather than absent. Below
    /// a `json` field, a value of another type than the declared one is absent.
    Field {
        /// The record.
        anchor: Anchor,
        /// Its resource.
        resource: ResourceIndex,
        /// The field.
        field: FieldIndex,
        /// For a `json` field: the keys below it.
        path: Vec<String>,
    },
    /// The item that a quantifier's variable stands for.
    Item(Variable),
    /// `left operator right`; absent where a side is, on division by zero, overflow or a non-finite result.
    Arithmetic {
        /// Which.
        operator: Arithmetic,
        /// The left side.
        left: Box<Expression>,
        /// The right side.
        right: Box<Expression>,
    },
    /// `-x`
    Negate(Box<Expression>),
    /// Code points of a text, or items of a list.
    Size(Box<Expression>),
    /// ASCII letters in lower case.
    Lower(Box<Expression>),
    /// An exact conversion: an integer or decimal to a decimal of a greater scale, a date to its midnight in UTC. The two
    /// sides of a comparison, sum or difference of decimals have the same scale.
    Convert(Box<Expression>),
    /// `condition ? then : otherwise`; absent where the condition is undefined.
    Choice {
        /// The condition holds.
        when: Box<Condition>,
        /// The condition is defined and does not hold.
        when_not: Box<Condition>,
        /// The value in the first case.
        then: Box<Expression>,
        /// The value in the second.
        otherwise: Box<Expression>,
    },
    /// A condition as a value: true, false, or absent where neither holds.
    Verdict {
        /// True where this holds.
        yes: Box<Condition>,
        /// False where this holds.
        no: Box<Condition>,
    },
}

/// An arithmetic operator. Integer division truncates toward zero, and `%` has the sign of the left side (0 where the right
/// side is -1). A moment outside the years 0001–9999 is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`: integers, floats, decimals, text (concatenation), datetime or duration plus duration.
    Add,
    /// `-`: integers, floats, decimals, durations, datetime minus datetime or duration.
    Subtract,
    /// `*`: integers, floats, decimals.
    Multiply,
    /// `/`: integers, floats.
    Divide,
    /// `%`: integers.
    Remainder,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Boolean,
    /// 64-bit signed.
    Integer,
    /// A finite double.
    Float,
    /// Exact decimal.
    Decimal {
        /// Digits after the point.
        scale: u8,
        /// The most digits in all that the value can have, at most 38; where it is more than 18, an `i64` is too small.
        digits: u8,
    },
    /// Text.
    Text {
        /// Compared with ASCII case folded.
        fold_case: bool,
    },
    /// A moment.
    DateTime,
    /// A span of time, in microseconds.
    Duration,
    /// A day.
    Date,
    /// A UUID.
    Uuid,
    /// A list of values.
    List(Box<Type>),
    /// JSON of no declared type: only asked whether it is there.
    Json,
    /// Known only when it is there (`auth.claims.x`; `auth.id`); the checker converts it to what it is compared with.
    Dynamic,
}

impl Type {
    /// The type of a stored value of this shape.
    #[must_use]
    pub fn of_shape(shape: Shape, precision: u8) -> Self {
        match shape {
            Shape::Text { fold_case } => Self::Text { fold_case },
            Shape::Integer => Self::Integer,
            Shape::Float => Self::Float,
            Shape::Decimal { scale } => Self::Decimal { scale, digits: precision },
            Shape::Boolean => Self::Boolean,
            Shape::DateTime => Self::DateTime,
            Shape::Date => Self::Date,
            Shape::Uuid => Self::Uuid,
            Shape::Json => Self::Json,
        }
    }

    /// The type of a field's value.
    #[must_use]
    pub fn of_field(field: &Field) -> Self {
        let precision = match field.kind {
            Kind::Decimal { precision, .. } => precision,
            _ => 18,
        };
        let item = Self::of_shape(field.shape, precision);
        if field.is_list() { Self::List(Box::new(item)) } else { item }
    }
}

impl Expression {
    /// A field of the record itself.
    #[must_use]
    pub fn of_field(index: ResourceIndex, field: FieldIndex, resource: &Resource) -> Self {
        let anchor = Anchor { root: Root::Record, resource: index, steps: Vec::new() };
        let r#type = Type::of_field(resource.get(field));
        Self { node: Node::Field { anchor, resource: index, field, path: Vec::new() }, r#type }
    }
}

/// A mistake in a rule's text, or a warning about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Byte range in the text.
    pub span: std::ops::Range<usize>,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What would be right, if something is near: "did you mean `title`?".
    pub help: Option<String>,
}

impl Mistake {
    /// A mistake at a place.
    #[must_use]
    pub fn new(span: std::ops::Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None }
    }

    /// The same with advice.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}
