//! What may be called how. Names are `snake_case` in lower case, so that no two differ in case alone and every database
//! keeps them apart; SQL's own words are allowed, since names are always quoted.

use crate::{diagnostic::Report, source::Place};

/// The most bytes of a name: what PostgreSQL keeps of one.
pub(crate) const LONGEST: usize = 63;

/// The regular expression of a name, as the JSON Schema says it.
pub(crate) const PATTERN: &str = "^[a-z][a-z0-9]*(_[a-z0-9]+)*$";

/// Fields that every record has, and the members that answers add to records.
pub(crate) const RESERVED_FIELDS: &[&str] = &["id", "created_at", "updated_at", "expand", "expand_more"];

/// Columns that every PostgreSQL table has already.
pub(crate) const SYSTEM_COLUMNS: &[&str] = &["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// Words of the API's paths.
pub(crate) const RESERVED_RESOURCES: &[&str] = &["batch"];

pub(crate) fn is_name(name: &str) -> bool {
    let part =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    name.len() <= LONGEST && name.starts_with(|first: char| first.is_ascii_lowercase()) && name.split('_').all(part)
}

/// Why a name is no good, and a name that would be.
pub(crate) fn fault(what: &str, name: &str) -> Option<(String, Option<String>)> {
    if is_name(name) {
        return None;
    }
    if name.len() > LONGEST {
        return Some((format!("the name of {what} has at most {LONGEST} bytes, this one has {}", name.len()), None));
    }
    if name.starts_with('_') {
        return Some((format!("names beginning with `_` are reserved, so {what} can't have one"), None));
    }
    let suggestion = snake_case(name);
    let suggestion = (name.is_ascii() && is_name(&suggestion)).then_some(suggestion);
    Some((format!("the name of {what} is snake_case: lower-case letters, digits and single underscores"), suggestion))
}

pub(crate) fn check(what: &str, name: &str, place: &Place, report: &mut Report) -> bool {
    let Some((message, suggestion)) = fault(what, name) else { return true };
    match suggestion {
        Some(name) => report.error_with_help(place, message, format!("write `{name}`")),
        None => report.error(place, message),
    }
    false
}

pub(crate) fn check_field(name: &str, place: &Place, report: &mut Report) -> bool {
    if !check("a field", name, place, report) {
        return false;
    }
    if RESERVED_FIELDS.contains(&name) {
        let message = format!("`{name}` is reserved");
        let help = match name {
            "id" => "every record has an `id`; `id = \"uuid\"`, \"integer\" or \"string\" at the top says what it is",
            "created_at" | "updated_at" => "the server keeps it, with `timestamps = true` at the top",
            _ => "answers have members of that name",
        };
        report.error_with_help(place, message, help);
        return false;
    }
    if SYSTEM_COLUMNS.contains(&name) {
        report.error(place, format!("every PostgreSQL table has a column `{name}` of its own"));
        return false;
    }
    true
}

/// Why a resource can't have this name.
pub(crate) fn resource_fault(name: &str) -> Option<(String, Option<String>)> {
    if let Some(fault) = fault("a resource", name) {
        return Some(fault);
    }
    if RESERVED_RESOURCES.contains(&name) {
        return Some((format!("`{name}` is reserved: it is a path of the API"), None));
    }
    if name.starts_with("sqlite_") {
        return Some(("SQLite keeps names beginning with `sqlite_` for itself".to_owned(), None));
    }
    None
}

/// The nearest `snake_case` name: `firstName` and `First Name` become `first_name`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    let mut after_lower = false;
    for character in name.chars() {
        if character.is_ascii_alphanumeric() {
            if character.is_ascii_uppercase() && after_lower {
                snake.push('_');
            }
            after_lower = !character.is_ascii_uppercase();
            snake.push(character.to_ascii_lowercase());
        } else if !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
            after_lower = false;
        }
    }
    snake.trim_matches('_').to_owned()
}
