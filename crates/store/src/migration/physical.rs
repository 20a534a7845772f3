//! What the tables of an app are like, in no dialect: what is created, compared and recorded in `_migrations`.

use std::collections::BTreeMap;

use model::{IdKind, Value};
use serde::{Deserialize, Serialize};

/// The version of the system tables (`_events`, `_keys`, …) that this program works with.
pub const SYSTEM_VERSION: u32 = 7;

/// All tables of an app.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Database {
    /// The version of the system tables; 0 where there are none yet.
    pub system: u32,
    /// One table a resource.
    pub tables: Vec<Table>,
}

/// The table of a resource. Besides the columns listed it has `id` and `_rev`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Table {
    /// The resource's name.
    pub name: String,
    /// The type of `id`.
    pub id: Id,
    /// One column a field, but for `id` and the `many` references.
    pub columns: Vec<Column>,
    /// One join table a `many` reference.
    pub joins: Vec<Join>,
    /// Declared indexes, those of unique fields and those of references.
    pub indexes: Vec<Index>,
}

/// How the records of a table are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Id {
    /// A UUID.
    Uuid,
    /// A serial number.
    Integer,
    /// A string of the client.
    String,
}

/// A column.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Column {
    /// The field's name.
    pub name: String,
    /// What one value is.
    pub kind: Type,
    /// Whether it holds a list of such values.
    #[serde(default, skip_serializing_if = "is_default")]
    pub list: bool,
    /// Whether null is refused.
    #[serde(default, skip_serializing_if = "is_default")]
    pub required: bool,
    /// The table whose ids it holds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub references: Option<String>,
    /// What the engine enforces; the database is checked when they get tighter.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// How to come here from an older schema; no part of the structure.
    #[serde(skip)]
    pub origin: Origin,
}

/// How one value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// Text.
    Text {
        /// Compare, sort and be unique without regard to ASCII case.
        fold_case: bool,
    },
    /// 64-bit signed.
    Integer,
    /// IEEE 754 double.
    Float,
    /// Exact decimal.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// True or false.
    Boolean,
    /// Microseconds of UTC.
    DateTime,
    /// A day.
    Date,
    /// 16 bytes.
    Uuid,
    /// Canonical JSON.
    Json,
}

/// Bounds of a field's values (of the items, for a list).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// The least number of code points.
    #[serde(skip_serializing_if = "is_default")]
    pub min_length: usize,
    /// The most code points; for JSON, bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub max_length: Option<usize>,
    /// The least number, in decimal notation.
    #[serde(skip_serializing_if = "is_default")]
    pub min: Option<String>,
    /// The greatest number, in decimal notation.
    #[serde(skip_serializing_if = "is_default")]
    pub max: Option<String>,
    /// The only values, sorted.
    #[serde(skip_serializing_if = "is_default")]
    pub values: Option<Vec<String>>,
    /// The most items of a list.
    #[serde(skip_serializing_if = "is_default")]
    pub max_items: Option<usize>,
}

/// How a column comes into a table that has records already.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The name that it had.
    pub renamed_from: Option<String>,
    /// What records that are there get.
    pub fill: Fill,
    /// A script has made it, so nothing is sure of it but its name.
    pub from_script: bool,
}

/// What records that are there get in a new column.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Fill {
    /// Null: there is no default.
    #[default]
    Nothing,
    /// The default, a literal.
    Value(Value),
    /// The time of the migration.
    Now,
    /// Null: the default depends on the caller, and there is none.
    Unknown,
}

/// The join table of a `many` reference, `{table}__{field}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Join {
    /// The field's name.
    pub field: String,
    /// The table that it points to.
    pub target: String,
    /// The type of the target's ids.
    pub target_id: Id,
    /// The most ids of a record.
    #[serde(default, skip_serializing_if = "is_default")]
    pub max_items: Option<usize>,
    /// The field's former name; no part of the structure.
    #[serde(skip)]
    pub renamed_from: Option<String>,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its name in the database.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<IndexColumn>,
    /// Whether no two records may agree in all columns.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unique: bool,
}

/// A column of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexColumn {
    /// The column, or `id`.
    pub name: String,
    /// Greatest first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub descending: bool,
    /// ASCII case is folded.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fold_case: bool,
}

impl Database {
    /// Finds a table by its name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// The description as JSON, the same for the same structure whatever the order of fields in a file.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut sorted = self.clone();
        sorted.tables.sort_by(|left, right| left.name.cmp(&right.name));
        for table in &mut sorted.tables {
            table.columns.sort_by(|left, right| left.name.cmp(&right.name));
            table.joins.sort_by(|left, right| left.field.cmp(&right.field));
            table.indexes.sort_by(|left, right| left.name.cmp(&right.name));
        }
        // Plain structs with string keys: there is nothing that JSON can't hold.
        serde_json::to_string(&sorted).unwrap_or_default()
    }

    /// Reads what [`Database::to_json`] wrote.
    ///
    /// # Errors
    /// Where the text is not such a description, for instance because a newer program wrote it.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The tables by name.
    #[must_use]
    pub fn by_name(&self) -> BTreeMap<&str, &Table> {
        self.tables.iter().map(|table| (table.name.as_str(), table)).collect()
    }
}

impl Table {
    /// Finds a column by its name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Finds the join table of a field.
    #[must_use]
    pub fn join(&self, field: &str) -> Option<&Join> {
        self.joins.iter().find(|join| join.field == field)
    }
}

impl Id {
    /// The type of a column that holds such ids.
    #[must_use]
    pub fn kind(self) -> Type {
        match self {
            Self::Uuid => Type::Uuid,
            Self::Integer => Type::Integer,
            Self::String => Type::Text { fold_case: false },
        }
    }
}

impl From<IdKind> for Id {
    fn from(kind: IdKind) -> Self {
        match kind {
            IdKind::Uuid => Self::Uuid,
            IdKind::Integer => Self::Integer,
            IdKind::String => Self::String,
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
