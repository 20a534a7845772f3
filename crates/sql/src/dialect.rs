//! What differs between databases.
//!
//! Every piece of text that goes in or out of these functions is *closed*: it can stand beside any operator, so a piece
//! with an operator at its top comes in parentheses. Each yields NULL where a side is NULL or the operation is undefined
//! (overflow, division by zero), and never an error, whatever the data: databases fold constants and evaluate what a
//! `CASE` would have skipped.

use rules::{
    Type,
    aggregate::Function,
    expression::{Arithmetic, CommonPattern, Comparison, TextCall},
};

/// A typed piece of SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operand {
    /// Closed text.
    pub text: String,
    /// What it yields.
    pub r#type: Type,
    /// Whether it is a column or a parameter, which may be written twice.
    pub atom: bool,
}

impl Operand {
    /// A column or a parameter.
    #[must_use]
    pub fn atom(text: String, r#type: Type) -> Self {
        Self { text, r#type, atom: true }
    }

    /// Anything else.
    #[must_use]
    pub fn composed(text: String, r#type: Type) -> Self {
        Self { text, r#type, atom: false }
    }
}

/// How one database says what all of them can.
pub trait Dialect: Send + Sync {
    /// A parameter by its number from 1, with the cast that its type needs.
    fn parameter(&self, number: usize, r#type: &Type) -> String;

    /// A name of the schema.
    fn quote(&self, name: &str) -> String {
        format!("\"{}\"", name.replace('"', "\"\""))
    }

    /// The (unquoted) name of the table that keeps a `many` reference: columns `owner`, `position` and `target`.
    fn join_table(&self, resource: &str, field: &str) -> String;

    /// Both sides have the same type, decimals the same scale; text may fold on one side.
    fn compare(&self, operator: Comparison, left: &Operand, right: &Operand) -> String;

    /// `left operator right`, of the type `result`.
    fn arithmetic(&self, operator: Arithmetic, left: &Operand, right: &Operand, result: &Type) -> String;

    /// `-x`, of the same type.
    fn negate(&self, value: &Operand) -> String;

    /// An exact conversion: integer to decimal, decimal to a greater scale, date to datetime.
    fn convert(&self, value: &Operand, to: &Type) -> String;

    /// Code points of a text or items of a list, as an integer.
    fn size(&self, value: &Operand) -> String;

    /// ASCII letters in lower case.
    fn lower(&self, text: &str) -> String {
        format!("lower({text})")
    }

    /// The answer to a question about text, by exact bytes.
    fn text_call(&self, call: TextCall, subject: &str, argument: &str) -> String;

    /// The form of a pattern that [`Self::matches`] expects as its parameter.
    fn pattern<'a>(&self, pattern: &'a CommonPattern) -> &'a str;

    /// Whether text matches a pattern.
    fn matches(&self, subject: &str, pattern: &str) -> String;

    /// Whether the needle is (or is not) among the items of a list; both are known to be there where `negated`.
    fn is_item(&self, needle: &Operand, list: &Operand, negated: bool) -> String;

    /// A table of a list's items, for `FROM`; no rows for NULL.
    fn items(&self, list: &str, alias: &str) -> String;

    /// The item of a row of [`Self::items`].
    fn item(&self, alias: &str, r#type: &Type) -> String;

    /// [`Self::items`] that also yields [`Self::item_number`].
    fn numbered_items(&self, list: &str, alias: &str) -> String;

    /// Which item of its list a row of [`Self::numbered_items`] is, from 0.
    fn item_number(&self, alias: &str) -> String;

    /// Whether a select in `FROM` may name what stands before it (`LATERAL`). Without it, rows have a `_rowid_`.
    fn has_lateral(&self) -> bool;

    /// The list of the values of a column, in the order of another: `from` and `filter` say where.
    fn gather(&self, column: &str, item: &Type, from: &str, filter: &str, order: &str) -> String;

    /// A key of an order, in the words of the indexes, so that they serve it. Nulls are smallest.
    fn order(&self, key: &str, r#type: &Type, descending: bool, never_null: bool) -> String;

    /// What stands below keys (a parameter holding a list of texts) in JSON, where it is of this type.
    fn json_path(&self, document: &str, keys: &str, r#type: &Type) -> String;

    /// A total over a column (an atom): NULL over nothing but nulls. Sums and means are exact as
    /// [`rules::aggregate::Outcome`] says, and NULL beyond the finite doubles.
    fn total(&self, function: Function, column: &Operand) -> String;

    /// A text by which those that differ in ASCII case alone are one, for `GROUP BY`.
    fn folded(&self, text: &str) -> String;

    /// Of the spellings of a text in a group, the least by code point.
    fn least_spelling(&self, text: &str) -> String;
}

/// The least or greatest text without regard to ASCII case, by code point among equals. `separator` is a control character
/// that no line of text begins with, as SQL.
#[must_use]
pub fn extreme_folded(name: &str, text: &str, separator: &str) -> String {
    // Both halves have the same length, so the text itself begins behind the middle.
    let found = format!("{name}(lower({text}) || {separator} || {text})");
    format!("substr({found}, (length({found}) - 1) / 2 + 2)")
}

/// The operator in SQL.
#[must_use]
pub fn comparison(operator: Comparison) -> &'static str {
    match operator {
        Comparison::Equal => "=",
        Comparison::NotEqual => "<>",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

/// Whether comparing these two folds ASCII case: where either side does.
#[must_use]
pub fn folds(left: &Type, right: &Type) -> bool {
    [left, right].into_iter().any(|side| matches!(side, Type::Text { fold_case: true }))
}

/// The type of a list's items.
#[must_use]
pub fn item_type(list: &Type) -> &Type {
    match list {
        Type::List(item) => item,
        _ => &Type::Json,
    }
}
