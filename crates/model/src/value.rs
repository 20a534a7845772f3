//! Values and records.

use crate::{decimal::Decimal, field::FieldIndex};

/// A value of a field or of an expression.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Absent; also what an undefined expression yields.
    #[default]
    Null,
    /// True or false.
    Boolean(bool),
    /// 64-bit signed.
    Integer(i64),
    /// A finite double.
    Float(f64),
    /// An exact decimal; a stored one has its field's scale.
    Decimal(Decimal),
    /// Text: strings, e-mails, URLs, enums, string ids.
    Text(Box<str>),
    /// Microseconds since 1970-01-01T00:00:00Z.
    DateTime(i64),
    /// A span of time in microseconds; only in expressions.
    Duration(i64),
    /// Days since 1970-01-01.
    Date(i32),
    /// A UUID.
    Uuid(uuid::Uuid),
    /// JSON in canonical form.
    Json(Box<str>),
    /// A list; its items are of one type and never null.
    List(Vec<Value>),
}

impl Value {
    /// A text value.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Text(text.as_ref().into())
    }

    /// Whether it is absent.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The items of a list; none for anything else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }
}

/// A record: one value a field, in the resource's order, and its revision.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    /// By [`FieldIndex`]; the id comes first.
    pub values: Vec<Value>,
    /// Grows with each change of the record; unique in the database.
    pub revision: i64,
}

impl Record {
    /// A record of nulls.
    #[must_use]
    pub fn empty(fields: usize) -> Self {
        Self { values: vec![Value::Null; fields], revision: 0 }
    }

    /// The record's id.
    #[must_use]
    pub fn id(&self) -> &Value {
        &self.values[0]
    }

    /// A field's value.
    #[must_use]
    pub fn get(&self, field: FieldIndex) -> &Value {
        &self.values[field.0 as usize]
    }

    /// Sets a field's value.
    pub fn set(&mut self, field: FieldIndex, value: Value) {
        self.values[field.0 as usize] = value;
    }
}
