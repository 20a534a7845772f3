//! Tables and indexes in SQLite's words. Names come from the checked schema and are quoted always.

use store::migration::{
    names,
    physical::{Column, Database, Id, Index, Join, Table, Type},
};

/// The statements that make all tables of an app in an empty database: the system tables, then the resources'.
#[must_use]
pub fn create_all(database: &Database) -> Vec<String> {
    let mut statements: Vec<_> = (0..database.system).flat_map(create_system).collect();
    for table in &database.tables {
        statements.extend(create_table(table));
    }
    for table in &database.tables {
        statements.extend(table.joins.iter().flat_map(|join| create_join(table, join)));
        statements.extend(table.indexes.iter().map(|index| create_index(table, index)));
    }
    statements
}

/// What brings the system tables from a version to the next.
#[must_use]
pub fn create_system(from: u32) -> Vec<String> {
    let steps = SYSTEM.get(from as usize).copied().unwrap_or_default();
    let own = store::own::statements_of(from + 1, "TEXT", "INTEGER", "BLOB");
    steps.iter().map(|statement| (*statement).to_owned()).chain(own).collect()
}

/// Position n leads from version n to n + 1.
const SYSTEM: &[&[&str]] = &[
    &[
        "CREATE TABLE \"_events\" (seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, resource TEXT NOT NULL, \
     action INTEGER NOT NULL, record TEXT NOT NULL, revision INTEGER NOT NULL, actor TEXT, request TEXT NOT NULL, \
     changed TEXT, before TEXT, after TEXT)",
        "CREATE TABLE \"_keys\" (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL, hash BLOB NOT NULL, \
     roles TEXT NOT NULL, created_at INTEGER NOT NULL)",
        "CREATE TABLE \"_sequences\" (resource TEXT PRIMARY KEY NOT NULL, reserved INTEGER NOT NULL)",
        "CREATE TABLE \"_migrations\" (id INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL, \
     checksum TEXT, steps TEXT NOT NULL, schema TEXT NOT NULL)",
    ],
    &[],
    &[],
    &[],
    &[],
    // The audit log is added to: a line may count up, and go once it is 400 days old.
    &[
        "CREATE TRIGGER \"_audit_changes\" BEFORE UPDATE ON \"_audit\" WHEN NOT (NEW.id IS OLD.id AND NEW.what IS OLD.what \
         AND NEW.actor IS OLD.actor AND NEW.subject IS OLD.subject AND NEW.address IS OLD.address \
         AND NEW.request_id IS OLD.request_id AND NEW.session IS OLD.session AND NEW.detail IS OLD.detail \
         AND NEW.at >= OLD.at AND NEW.count > OLD.count) \
         BEGIN SELECT RAISE(ABORT, 'the audit log is added to, never changed'); END",
        "CREATE TRIGGER \"_audit_deletions\" BEFORE DELETE ON \"_audit\" \
         WHEN OLD.at > (CAST(strftime('%s', 'now') AS INTEGER) - 400 * 86400) * 1000000 \
         BEGIN SELECT RAISE(ABORT, 'a line of the audit log is kept for 400 days'); END",
    ],
    &[],
];

/// The table of a resource, without indexes.
#[must_use]
pub fn create_table(table: &Table) -> Vec<String> {
    vec![create_table_as(table, &table.name)]
}

/// The table of a resource under another name, as a rebuild makes it first.
#[must_use]
pub fn create_table_as(table: &Table, name: &str) -> String {
    let id = match table.id {
        Id::Integer => "\"id\" INTEGER PRIMARY KEY",
        Id::Uuid => "\"id\" BLOB PRIMARY KEY NOT NULL",
        Id::String => "\"id\" TEXT PRIMARY KEY NOT NULL",
    };
    let mut parts = vec![id.to_owned(), "\"_rev\" INTEGER NOT NULL".to_owned()];
    parts.extend(table.columns.iter().map(define_column));
    format!("CREATE TABLE {} ({})", quote(name), parts.join(", "))
}

/// A column's definition, with its foreign key.
#[must_use]
pub fn define_column(column: &Column) -> String {
    let mut text = format!("{} {}", quote(&column.name), column_type(column));
    if !column.list && column.kind == (Type::Text { fold_case: true }) {
        text.push_str(" COLLATE NOCASE");
    }
    if column.required {
        text.push_str(" NOT NULL");
    }
    if let Some(target) = &column.references {
        text.push_str(&format!(" REFERENCES {}(\"id\")", quote(target)));
    }
    text
}

fn column_type(column: &Column) -> &'static str {
    if column.list {
        return "TEXT";
    }
    match column.kind {
        Type::Text { .. } | Type::Json => "TEXT",
        Type::Integer | Type::Decimal { .. } | Type::Boolean | Type::DateTime | Type::Date => "INTEGER",
        Type::Float => "REAL",
        Type::Uuid => "BLOB",
    }
}

fn id_type(id: Id) -> &'static str {
    match id {
        Id::Integer => "INTEGER",
        Id::Uuid => "BLOB",
        Id::String => "TEXT",
    }
}

/// The join table of a `many` reference with its index from the other side.
#[must_use]
pub fn create_join(table: &Table, join: &Join) -> Vec<String> {
    let name = names::join_table(&table.name, &join.field);
    vec![
        format!(
            "CREATE TABLE {} (\"owner\" {} NOT NULL REFERENCES {}(\"id\") ON DELETE CASCADE, \"position\" INTEGER NOT NULL, \
             \"target\" {} NOT NULL REFERENCES {}(\"id\"), PRIMARY KEY (\"owner\", \"position\")) WITHOUT ROWID",
            quote(&name),
            id_type(table.id),
            quote(&table.name),
            id_type(join.target_id),
            quote(&join.target),
        ),
        format!(
            "CREATE UNIQUE INDEX {} ON {} (\"target\", \"owner\")",
            quote(&names::join_target(&table.name, &join.field)),
            quote(&name),
        ),
    ]
}

/// An index. Where ids are integers the rowid ends every index already, in ascending order.
#[must_use]
pub fn create_index(table: &Table, index: &Index) -> String {
    let implied = |position: usize| {
        let column = &index.columns[position];
        table.id == Id::Integer && column.name == "id" && !column.descending && position > 0
    };
    let columns: Vec<_> = index
        .columns
        .iter()
        .enumerate()
        .filter(|(position, _)| !(implied(*position) && position + 1 == index.columns.len()))
        .map(|(_, column)| format!("{}{}", quote(&column.name), if column.descending { " DESC" } else { "" }))
        .collect();
    let unique = if index.unique { "UNIQUE " } else { "" };
    format!("CREATE {unique}INDEX {} ON {} ({})", quote(&index.name), quote(&table.name), columns.join(", "))
}

/// An identifier between quotation marks.
#[must_use]
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text literal.
#[must_use]
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
