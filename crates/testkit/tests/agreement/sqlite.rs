//! The world in SQLite.

use std::collections::HashSet;

use model::{Record, Value};
use rules::Type;
use rusqlite::{Connection, params_from_iter, types::Value as Kept};
use sql::Facts;
use store::migration::Database;
use store_sqlite::{dialect::encode, functions::register, migrate::ddl::create_all};

use crate::{query::Query, rows::rows, world::World};

/// A database in memory.
pub(crate) struct SqliteWorld {
    connection: Connection,
}

impl SqliteWorld {
    /// Creates the tables and puts the records in.
    pub(crate) fn new(world: &World) -> Self {
        let connection = Connection::open_in_memory().unwrap();
        register(&connection).unwrap();
        connection.set_prepared_statement_cache_capacity(16);
        connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        for statement in create_all(&Database::of(&world.schema)) {
            connection.execute_batch(&statement).unwrap();
        }
        let sqlite = Self { connection };
        for row in rows(world) {
            let names: Vec<_> = row.columns.iter().map(|(name, _, _)| format!("\"{name}\"")).collect();
            let marks: Vec<_> = (1..=row.columns.len()).map(|number| format!("?{number}")).collect();
            let text = format!("INSERT INTO \"{}\" ({}) VALUES ({})", row.table, names.join(", "), marks.join(", "));
            let values = row.columns.iter().map(|(_, value, r#type)| encode(value, r#type));
            sqlite.connection.prepare_cached(&text).unwrap().execute(params_from_iter(values)).unwrap();
        }
        sqlite
    }

    /// Which records of a resource a condition selects: by the stored form of their ids.
    pub(crate) fn select(&self, query: &Query, facts: &Facts<'_>) -> Result<HashSet<Vec<u8>>, String> {
        let ids = || -> rusqlite::Result<Vec<Kept>> {
            let mut statement = self.connection.prepare_cached(&query.text)?;
            statement.query_map(params_from_iter(values(query, facts)), |row| row.get(0))?.collect()
        };
        Ok(ids().map_err(|error| query.blame(&error))?.iter().map(key).collect())
    }

    /// The verdict of a condition about a record that the database is told.
    pub(crate) fn judge(&self, query: &Query, facts: &Facts<'_>) -> Result<bool, String> {
        let verdict = || -> rusqlite::Result<Option<bool>> {
            let mut statement = self.connection.prepare_cached(&query.text)?;
            statement.query_row(params_from_iter(values(query, facts)), |row| row.get(0))
        };
        Ok(verdict().map_err(|error| query.blame(&error))?.unwrap_or(false))
    }

    /// How SQLite would go about it.
    pub(crate) fn explain(&self, query: &Query) -> String {
        let mut statement = self.connection.prepare(&format!("EXPLAIN QUERY PLAN {}", query.text)).unwrap();
        // Nothing is read, so that the parameters may stay null.
        let nulls = params_from_iter(query.binds.iter().map(|_| Kept::Null));
        let lines = statement.query_map(nulls, |row| row.get::<_, String>(3)).unwrap();
        lines.map(Result::unwrap).collect::<Vec<_>>().join("\n")
    }
}

/// The stored form of a record's id.
pub(crate) fn key_of(record: &Record) -> Vec<u8> {
    let r#type = match record.id() {
        Value::Uuid(_) => Type::Uuid,
        Value::Integer(_) => Type::Integer,
        _ => Type::Text { fold_case: false },
    };
    key(&encode(record.id(), &r#type))
}

fn values(query: &Query, facts: &Facts<'_>) -> Vec<Kept> {
    query.binds.iter().map(|bind| encode(&bind.resolve(facts), bind.r#type())).collect()
}

fn key(id: &Kept) -> Vec<u8> {
    match id {
        Kept::Integer(number) => number.to_string().into_bytes(),
        Kept::Text(text) => text.clone().into_bytes(),
        Kept::Blob(bytes) => bytes.clone(),
        other => panic!("{other:?} is no id"),
    }
}
