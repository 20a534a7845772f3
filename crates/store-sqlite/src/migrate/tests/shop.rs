//! A database in a directory of its own.

use std::path::PathBuf;

use rusqlite::Connection;
use store::migration::{
    Database, MigrationError, Preview,
    report::Outcome,
    script::{self, Script},
};
use tempfile::TempDir;

use crate::migrate::{self, Options};

/// 2023-11-14T22:13:20.123456Z
pub(super) const NOW: i64 = 1_700_000_000_123_456;

/// A database with its scripts.
pub(super) struct Shop {
    directory: TempDir,
    pub(super) scripts: Vec<Script>,
    pub(super) allow_data_loss: bool,
}

impl Shop {
    /// A database that was brought to this, and then given these rows.
    pub(super) fn with(target: &Database, sql: &str) -> Self {
        let shop = Self { directory: tempfile::tempdir().unwrap(), scripts: Vec::new(), allow_data_loss: false };
        shop.migrate(target).unwrap();
        shop.run(sql);
        shop
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join("app.db")
    }

    pub(super) fn options<'a>(&'a self, target: &'a Database) -> Options<'a> {
        Options { target, scripts: &self.scripts, now: NOW, allow_data_loss: self.allow_data_loss, backup: true }
    }

    pub(super) fn migrate(&self, target: &Database) -> Result<Outcome, MigrationError> {
        migrate::apply(&self.path(), &self.options(target))
    }

    pub(super) fn plan(&self, target: &Database) -> Preview {
        migrate::plan(&self.path(), &self.options(target)).unwrap()
    }

    /// Adds a script as a file in `migrations/` would.
    pub(super) fn script(&mut self, file: &str, text: &str) {
        let directory = self.directory.path().join("migrations");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(file), text).unwrap();
        self.scripts = script::read(&directory).unwrap();
    }

    pub(super) fn run(&self, sql: &str) {
        Connection::open(self.path()).unwrap().execute_batch(sql).unwrap();
    }

    /// What a query yields: rows as SQLite would write their values.
    pub(super) fn query(&self, sql: &str) -> Vec<String> {
        let connection = Connection::open(self.path()).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let width = statement.column_count();
        let rows = statement.query_map([], |row| {
            let values: Vec<String> = (0..width)
                .map(|column| row.get::<_, rusqlite::types::Value>(column).map(|value| show(&value)))
                .collect::<Result<_, _>>()?;
            Ok(values.join(" "))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// The files beside the database that begin with its name and `.backup`.
    pub(super) fn backups(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.directory.path()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names
            .filter(|name| name.contains("backup") && !name.ends_with("-wal") && !name.ends_with("-shm"))
            .collect();
        names.sort();
        names
    }

    pub(super) fn open_backup(&self, name: &str) -> Connection {
        Connection::open(self.directory.path().join(name)).unwrap()
    }

    pub(super) fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }
}

fn show(value: &rusqlite::types::Value) -> String {
    match value {
        rusqlite::types::Value::Null => "NULL".into(),
        rusqlite::types::Value::Integer(number) => number.to_string(),
        rusqlite::types::Value::Real(number) => format!("{number:?}"),
        rusqlite::types::Value::Text(text) => text.clone(),
        rusqlite::types::Value::Blob(bytes) => format!("{bytes:?}"),
    }
}
