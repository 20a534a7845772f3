//! What other systems call our types and options.

use super::options::TYPES;

/// All types, for a message.
pub(super) fn list_of_types() -> String {
    TYPES.iter().map(|known| known.name).collect::<Vec<_>>().join(", ")
}

/// What other systems call our types.
pub(super) fn familiar_type(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "str" | "varchar" | "char" => "string",
        "int" | "int64" | "bigint" | "number" | "serial" | "i64" => "integer",
        "double" | "real" | "f64" => "float",
        "numeric" | "money" => "decimal",
        "bool" => "boolean",
        "timestamp" | "time" | "timestamptz" | "instant" => "datetime",
        "day" => "date",
        "choice" | "select" => "enum",
        "object" | "array" | "jsonb" | "any" | "map" => "json",
        "relation" | "ref" | "foreign_key" | "link" | "belongs_to" => "reference",
        "markdown" | "clob" | "longtext" => "text",
        "guid" => "uuid",
        _ => return None,
    })
}

/// What other systems call our options.
pub(super) fn familiar_option(word: &str) -> Option<&'static str> {
    Some(match word {
        "optional" | "nullable" | "null" => "a field is optional unless `required = true`",
        "max_length" | "maxlength" | "length" => "did you mean `max`?",
        "min_length" | "minlength" => "did you mean `min`?",
        "regex" => "did you mean `pattern`?",
        "choices" | "options" | "enum" => "did you mean `values`?",
        "description" | "comment" => "did you mean `doc`?",
        "index" | "indexed" => "indexes stand in `[indexes]`: by_name = [\"name\"]",
        "resource" | "references" | "target" => "did you mean `to`?",
        "cascade" => "did you mean `on_delete = \"cascade\"`?",
        "multiple" => "did you mean `list = true`, or `many = true` on a reference?",
        "readonly" | "read_only" => "did you mean `write = \"false\"`?",
        _ => return None,
    })
}
