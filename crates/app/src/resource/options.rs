//! Every key of a resource's file: the reader and the JSON Schema both go by these lists.

/// A field type.
pub(crate) struct FieldType {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
}

/// An option of fields.
pub(crate) struct FieldOption {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    /// The types that have it; all for none.
    pub(crate) types: &'static [&'static str],
    pub(crate) form: Form,
}

/// What an option's value looks like.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// Any text.
    Text,
    /// A CEL expression.
    Rule,
    Boolean,
    Count {
        least: u64,
        most: u64,
    },
    /// A value of the field's type, or a count of characters.
    Limit,
    Choice(&'static [&'static str]),
    /// The values of an enum.
    Values,
    Size {
        least: u64,
        most: u64,
    },
    /// A JSON Schema.
    Schema,
    /// A literal, a word that stands for a value, or `{ cel = "…" }`.
    Default,
    /// A field's name.
    Name,
    /// A resource's name.
    Resource,
}

const fn field_type(name: &'static str, doc: &'static str) -> FieldType {
    FieldType { name, doc }
}

const fn option(name: &'static str, types: &'static [&'static str], form: Form, doc: &'static str) -> FieldOption {
    FieldOption { name, doc, types, form }
}

pub(crate) const TYPES: &[FieldType] = &[
    field_type(
        "string",
        "One line of text: 1,000 characters at most unless `max` says otherwise (500 where unique or indexed).",
    ),
    field_type("text", "Long text: 1,000,000 characters at most unless `max` says otherwise. It does not sort."),
    field_type("integer", "A 64-bit signed integer."),
    field_type("float", "A finite double."),
    field_type("decimal", "An exact number, a string in JSON: for money."),
    field_type("boolean", "True or false."),
    field_type("datetime", "A moment: RFC 3339, kept in UTC to the microsecond."),
    field_type("date", "A day: YYYY-MM-DD."),
    field_type("uuid", "A UUID."),
    field_type("email", "An e-mail address, compared without regard to case."),
    field_type(
        "url",
        "An absolute http or https URL, in ASCII: 2,048 characters at most (500 where unique or indexed).",
    ),
    field_type("enum", "One of `values`."),
    field_type("json", "Any JSON, kept in canonical form."),
    field_type("reference", "The id of another record; with `many` a list of ids."),
];

/// Types of the contract that this version does not have.
pub(crate) const LATER_TYPES: &[&str] = &["file"];

const TEXTS: &[&str] = &["string", "text"];

pub(crate) const MAX_CHARACTERS: u64 = 100_000_000;
pub(crate) const MAX_ITEMS: u64 = 100_000;

pub(crate) const OPTIONS: &[FieldOption] = &[
    option("required", &[], Form::Boolean, "Whether null is refused; a `many` reference needs at least one id."),
    option(
        "default",
        &[],
        Form::Default,
        "What an absent value becomes on creation: a literal; \"auth.id\" on a reference or uuid; \"now\" on a date or datetime; anything else as { cel = \"…\" } over `auth` and `now`.",
    ),
    option("unique", &[], Form::Boolean, "Whether no two records may have the same value; nulls never collide."),
    option("list", &[], Form::Boolean, "An array of the type."),
    option(
        "max_items",
        &[],
        Form::Count { least: 1, most: MAX_ITEMS },
        "The most items of a list (1,000 unless set) or of a `many` reference (10,000 unless set).",
    ),
    option("read", &[], Form::Rule, "CEL: who sees this field, of those who may read the record."),
    option(
        "write",
        &[],
        Form::Rule,
        "CEL: who may set this field, of those who may write the record; \"false\" for administrators only.",
    ),
    option("hidden", &[], Form::Boolean, "It never leaves the server."),
    option("immutable", &[], Form::Boolean, "It is set at creation only."),
    option("renamed_from", &[], Form::Name, "The name it had before: the next migration renames it."),
    option("doc", &[], Form::Text, "A description, for the OpenAPI document."),
    option(
        "min",
        &["string", "text", "integer", "float", "decimal"],
        Form::Limit,
        "The least value, or the least number of characters.",
    ),
    option(
        "max",
        &["string", "text", "integer", "float", "decimal"],
        Form::Limit,
        "The greatest value, or the most characters.",
    ),
    option(
        "pattern",
        TEXTS,
        Form::Text,
        "A regular expression that the text must match, anywhere unless anchored; linear-time, without look-around and back-references.",
    ),
    option(
        "case",
        &["string"],
        Form::Choice(&["sensitive", "insensitive"]),
        "\"insensitive\": unique, compare and sort without regard to ASCII case.",
    ),
    option("precision", &["decimal"], Form::Count { least: 1, most: 18 }, "Digits in all, 18 unless set."),
    option("scale", &["decimal"], Form::Count { least: 0, most: 18 }, "Digits after the point, 2 unless set."),
    option("values", &["enum"], Form::Values, "The values, in order."),
    option(
        "max_size",
        &["json"],
        Form::Size { least: 2, most: 16 << 20 },
        "The most bytes, as in \"64KB\" (the default).",
    ),
    option(
        "schema",
        &["json"],
        Form::Schema,
        "A JSON Schema (2020-12) that the value must fit; it also gives paths their types in CEL.",
    ),
    option("to", &["reference"], Form::Resource, "The resource whose record is referred to."),
    option(
        "on_delete",
        &["reference"],
        Form::Choice(&["restrict", "cascade", "set_null"]),
        "What happens when that record goes: it can't (\"restrict\", the default), this one goes too or the id leaves the list (\"cascade\"), or this becomes null (\"set_null\").",
    ),
    option("inverse", &["reference"], Form::Name, "The name of the reverse relation, in rules, filters and `expand`."),
    option("many", &["reference"], Form::Boolean, "A list of ids, kept in a join table."),
];

/// The keys of a resource's file, in their usual order.
pub(crate) const KEYS: &[&str] =
    &["id", "timestamps", "doc", "auth", "fields", "access", "validate", "indexes", "events"];

/// Sections of the contract that this version does not have.
pub(crate) const LATER: &[&str] = &["search", "hooks", "limits", "jobs"];

/// The rules of `[access]`.
pub(crate) const ACCESS: &[(&str, &str)] = &[
    ("read", "CEL over `record`: who sees a record."),
    ("create", "CEL over `new`: who may create it."),
    ("update", "CEL over `record` and `new`: who may turn the one into the other."),
    ("delete", "CEL over `record`: who may delete it."),
];

/// Whether a type has an option.
pub(crate) fn applies(option: &FieldOption, type_name: &str) -> bool {
    option.types.is_empty() || option.types.contains(&type_name)
}

/// An option by its name.
pub(crate) fn find(name: &str) -> Option<&'static FieldOption> {
    OPTIONS.iter().find(|option| option.name == name)
}
