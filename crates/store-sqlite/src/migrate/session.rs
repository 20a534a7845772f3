//! The connection that migrates, its transaction, and scripts within it.

use std::{
    ops::Deref,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rusqlite::{
    Connection,
    hooks::{AuthAction, AuthContext, Authorization},
};
use store::migration::{MigrationError, script::Script};

use super::state::{PATIENCE, failed};

/// A connection that migrates.
pub(super) struct Session {
    connection: Connection,
    in_script: Arc<AtomicBool>,
}

impl Session {
    /// Opens the database, or makes it.
    pub(super) fn open(path: &Path) -> Result<Self, MigrationError> {
        let connection =
            Connection::open(path).map_err(|error| failed(&format!("open `{}`", path.display()), error))?;
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
            .map_err(|error| failed("prepare the connection", error))?;
        Self::on(connection)
    }

    /// Migrates on a connection that is there.
    pub(super) fn on(mut connection: Connection) -> Result<Self, MigrationError> {
        let in_script = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&in_script);
        let guard = move |context: AuthContext<'_>| match context.action {
            AuthAction::Transaction { .. }
            | AuthAction::Savepoint { .. }
            | AuthAction::Attach { .. }
            | AuthAction::Detach { .. }
                if watched.load(Ordering::Relaxed) =>
            {
                Authorization::Deny
            }
            _ => Authorization::Allow,
        };
        let prepare = |connection: &mut Connection| {
            connection.busy_timeout(PATIENCE)?;
            // Tables are made anew below those that refer to them; references are checked as a whole at the end.
            connection.execute_batch("PRAGMA foreign_keys = OFF")?;
            connection.authorizer(Some(guard))
        };
        prepare(&mut connection).map_err(|error| failed("prepare the connection", error))?;
        Ok(Self { connection, in_script })
    }

    /// Begins a transaction with `BEGIN` or `BEGIN IMMEDIATE`.
    pub(super) fn begin(&self, how: &str) -> Result<Transaction<'_>, MigrationError> {
        self.connection.execute_batch(how).map_err(|error| failed("begin the migration", error))?;
        Ok(Transaction(self))
    }
}

/// A transaction that is taken back unless it is committed.
pub(super) struct Transaction<'a>(&'a Session);

impl Transaction<'_> {
    /// Makes it last.
    pub(super) fn commit(self) -> Result<(), MigrationError> {
        self.execute_batch("COMMIT").map_err(|error| failed("commit the migration", error))
    }

    /// Runs a script; the transaction is not its to end.
    pub(super) fn run_script(&self, script: &Script) -> Result<(), MigrationError> {
        self.0.in_script.store(true, Ordering::Relaxed);
        let ran = self.execute_batch(&script.text);
        self.0.in_script.store(false, Ordering::Relaxed);
        ran.map_err(|error| MigrationError::Script { name: script.name.clone(), source: error.into() })
    }

    /// Runs a script in a database whose tables have just been made. One that is about tables as they used to be is left
    /// out whole; the answer then says why.
    pub(super) fn try_script(&self, script: &Script) -> Result<Option<String>, MigrationError> {
        let savepoint = |statement: &str| execute(self, statement);
        savepoint("SAVEPOINT script")?;
        let left_out = match self.run_script(script) {
            Ok(()) => None,
            Err(error) => {
                let reason = misfit(&error).ok_or(error)?;
                savepoint("ROLLBACK TO script")?;
                Some(reason)
            }
        };
        savepoint("RELEASE script")?;
        Ok(left_out)
    }
}

/// What makes a script useless for a new database, if that is all that is wrong.
fn misfit(error: &MigrationError) -> Option<String> {
    const SIGNS: &[&str] =
        &["no such column", "no such table", "no such index", "duplicate column name", "already exists"];
    let MigrationError::Script { name, source } = error else { return None };
    let text = source.to_string();
    SIGNS.iter().any(|sign| text.contains(sign)).then(|| format!("{name}: {text}"))
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0.connection
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.is_autocommit() {
            // Where even this fails, closing the connection takes it back.
            let _ = self.execute_batch("ROLLBACK");
        }
    }
}

/// Runs one statement.
pub(super) fn execute(connection: &Connection, statement: &str) -> Result<(), MigrationError> {
    connection.execute_batch(statement).map_err(|error| failed(&format!("run `{statement}`"), error))
}
