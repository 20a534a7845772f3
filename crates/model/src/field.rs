//! Fields as declared: their types, options and the shape in which stores hold them.

use std::{fmt, sync::Arc};

use crate::{decimal::Decimal, resource::ResourceIndex, value::Value};

/// The place of a field in [`crate::Resource::fields`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldIndex(pub u16);

/// One field of a resource.
#[derive(Debug, Clone)]
pub struct Field {
    /// The name in JSON, CEL and the database.
    pub name: String,
    /// Its type with the options of that type.
    pub kind: Kind,
    /// How a store holds one value of it; for a reference, the shape of the ids it refers to.
    pub shape: Shape,
    /// `list = true`, with the largest number of items. A `many` reference is not a list in this sense.
    pub list: Option<ListOptions>,
    /// Whether null is refused.
    pub required: bool,
    /// What an absent value becomes.
    pub default: Option<Default>,
    /// Whether no two records may agree in it (nulls never collide).
    pub unique: bool,
    /// CEL: who sees it, beyond the resource's own rule.
    pub read: Option<String>,
    /// CEL: who may set it.
    pub write: Option<String>,
    /// Never leaves the server.
    pub hidden: bool,
    /// Set at creation only.
    pub immutable: bool,
    /// The name it had before, for migrations.
    pub renamed_from: Option<String>,
    /// For readers of the OpenAPI document.
    pub doc: Option<String>,
    /// Who keeps it.
    pub origin: Origin,
}

/// Who keeps a field: the author's declaration, or the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The `id` that every record has.
    Id,
    /// Declared under `[fields]`.
    Declared,
    /// The time of creation.
    CreatedAt,
    /// The time of the latest change.
    UpdatedAt,
}

/// Options of `list = true`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListOptions {
    /// The most items a list may hold.
    pub max_items: usize,
}

/// What an absent value becomes on creation.
#[derive(Debug, Clone)]
pub enum Default {
    /// This value.
    Literal(Value),
    /// The caller's id.
    CallerId,
    /// The time of the request; the UTC day for a date.
    Now,
    /// CEL over `auth` and `now`.
    Rule(String),
}

/// A field's type and the options of that type.
#[derive(Debug, Clone)]
pub enum Kind {
    /// One line.
    String(TextOptions),
    /// Long text; does not sort.
    Text(TextOptions),
    /// 64-bit signed.
    Integer {
        /// The least value allowed.
        min: Option<i64>,
        /// The greatest value allowed.
        max: Option<i64>,
    },
    /// Finite IEEE 754 double.
    Float {
        /// The least value allowed.
        min: Option<f64>,
        /// The greatest value allowed.
        max: Option<f64>,
    },
    /// Exact number; the shape has the scale.
    Decimal {
        /// Digits in all, 1–18.
        precision: u8,
        /// Digits after the point, 0–`precision`.
        scale: u8,
        /// The least value allowed.
        min: Option<Decimal>,
        /// The greatest value allowed.
        max: Option<Decimal>,
    },
    /// True or false.
    Boolean,
    /// A moment, in microseconds of UTC.
    DateTime,
    /// A day.
    Date,
    /// A UUID.
    Uuid,
    /// An e-mail address; compared without regard to ASCII case.
    Email,
    /// An absolute `http` or `https` URL, in ASCII.
    Url {
        /// The most characters.
        max: usize,
    },
    /// One of the values.
    Enum {
        /// The values, in the order of the file.
        values: Vec<String>,
    },
    /// Any JSON, kept in the canonical form of RFC 8785.
    Json {
        /// The most bytes of the canonical form.
        max_size: usize,
        /// What its paths hold and what it must be like.
        schema: Option<Arc<JsonSchema>>,
    },
    /// Another record's id, or with `many` a list of them.
    Reference {
        /// Whose record.
        to: ResourceIndex,
        /// What becomes of this field's record when that one goes.
        on_delete: OnDelete,
        /// The name of the reverse relation.
        inverse: Option<String>,
        /// A join table; the value is a list of ids.
        many: bool,
        /// With `many`: the most ids.
        max_items: usize,
    },
}

/// Options of `string` and `text`.
#[derive(Debug, Clone, Default)]
pub struct TextOptions {
    /// The least number of code points.
    pub min: usize,
    /// The most code points.
    pub max: usize,
    /// What it must match, anywhere unless anchored.
    pub pattern: Option<Pattern>,
    /// `case = "insensitive"`: unique, compare and sort fold ASCII case.
    pub fold_case: bool,
}

/// A linear-time regular expression with its source.
#[derive(Clone)]
pub struct Pattern {
    /// The source text.
    pub source: String,
    /// Compiled.
    pub regex: regex::Regex,
}

impl Pattern {
    /// The most bytes that a compiled pattern may take; counted repetitions of large classes exceed it.
    pub const MAX_COMPILED: usize = 1 << 20;

    /// Compiles a pattern of the linear-time kind: no look-around, no back-references.
    ///
    /// # Errors
    /// What the compiler says.
    pub fn compile(source: &str) -> Result<Self, regex::Error> {
        let regex = regex::RegexBuilder::new(source).size_limit(Self::MAX_COMPILED).build()?;
        Ok(Self { source: source.to_owned(), regex })
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Pattern({:?})", self.source)
    }
}

/// A `json` field's schema: the document, and its compiled form.
pub struct JsonSchema {
    /// The JSON Schema (2020-12) as written.
    pub document: serde_json::Value,
    /// Compiled; remote references are refused when the app is loaded.
    pub validator: jsonschema::Validator,
}

impl JsonSchema {
    /// Compiles a JSON Schema (2020-12). Patterns are linear-time, formats are checked, and nothing is fetched.
    ///
    /// # Errors
    /// A sentence without a full stop that says why it is no schema.
    pub fn compile(document: serde_json::Value) -> Result<Self, String> {
        let patterns = jsonschema::PatternOptions::regex().size_limit(1 << 20).dfa_size_limit(1 << 20);
        jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .with_pattern_options(patterns)
            .should_validate_formats(true)
            .offline()
            .build(&document)
            .map_err(|error| error.to_string())
            .map(|validator| Self { document, validator })
    }
}

impl fmt::Debug for JsonSchema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "JsonSchema({})", self.document)
    }
}

/// What becomes of a record whose reference's target is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// The target can't be deleted.
    Restrict,
    /// It is deleted too; on a `many` reference the id is taken from the list.
    Cascade,
    /// The reference becomes null.
    SetNull,
}

/// How stores and protocols hold a value; field types with the same shape are the same to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Text; compared by code point, or with ASCII case folded.
    Text {
        /// Compare, sort and be unique without regard to ASCII case.
        fold_case: bool,
    },
    /// 64-bit signed integer.
    Integer,
    /// IEEE 754 double.
    Float,
    /// Exact decimal with this many digits after the point.
    Decimal {
        /// Digits after the point.
        scale: u8,
    },
    /// True or false.
    Boolean,
    /// Microseconds since 1970-01-01T00:00:00Z.
    DateTime,
    /// Days since 1970-01-01.
    Date,
    /// 16 bytes.
    Uuid,
    /// Canonical JSON text.
    Json,
}

impl Shape {
    /// Plain text, compared by code point.
    pub const TEXT: Self = Self::Text { fold_case: false };
}

impl Field {
    /// Whether its value is a list: `list = true` or a `many` reference.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.list.is_some() || self.is_many()
    }

    /// Whether it is a `many` reference, kept in a join table.
    #[must_use]
    pub fn is_many(&self) -> bool {
        matches!(self.kind, Kind::Reference { many: true, .. })
    }

    /// The resource that a reference (one or many) points to.
    #[must_use]
    pub fn target(&self) -> Option<ResourceIndex> {
        match self.kind {
            Kind::Reference { to, .. } => Some(to),
            _ => None,
        }
    }

    /// The resource that a to-one reference points to.
    #[must_use]
    pub fn target_one(&self) -> Option<ResourceIndex> {
        match self.kind {
            Kind::Reference { to, many: false, .. } => Some(to),
            _ => None,
        }
    }

    /// Whether the author declared it, so that a client may write it.
    #[must_use]
    pub fn is_declared(&self) -> bool {
        self.origin == Origin::Declared
    }
}
