//! What tables there are, without regard to how they came to be so.

use std::collections::BTreeSet;

use rusqlite::Connection;

/// One line a table, column and index; the same for the same structure.
pub(super) fn describe(connection: &Connection) -> BTreeSet<String> {
    let mut statement = connection
        .prepare("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
        .unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(3)?)))
        .unwrap();
    let mut lines = BTreeSet::new();
    for row in rows {
        let (kind, name, sql) = row.unwrap();
        match kind.as_str() {
            "table" => {
                let (head, tail) = (sql.find('(').unwrap(), sql.rfind(')').unwrap());
                lines.extend(parts(&sql[head + 1..tail]).into_iter().map(|part| format!("{name}: {part}")));
                lines.insert(format!("{name}{}", &sql[tail + 1..]));
            }
            _ => {
                lines.insert(sql);
            }
        }
    }
    lines
}

/// Splits at the commas outside of parentheses.
fn parts(definitions: &str) -> Vec<String> {
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for character in definitions.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if character == ',' && depth == 0 {
            parts.push(String::new());
        } else {
            parts.last_mut().unwrap().push(character);
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).collect()
}
