//! The migration itself.

use std::collections::BTreeSet;

use store::migration::{
    Database, MigrationError, Plan, Preview, Refusal, diff,
    plan::Check,
    reconcile::{Found, FoundTable, reconcile},
    report::{Applied, Outcome, PlannedStep},
    script::{self, Script},
};
use tokio_postgres::{Client, IsolationLevel, Transaction, error::SqlState};

use super::{
    convert::{find_loss, find_unfit},
    ddl::quote,
    render::render,
    state::{failed, read_database, status},
};

/// The advisory lock that whoever migrates a database holds.
const LOCK: i64 = 0x6d61_696e_7374_6179;

/// What to bring a database to, and how.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// The tables that the resources ask for: [`Database::of`] their schema.
    pub target: &'a Database,
    /// All scripts of `migrations/`, in order.
    pub scripts: &'a [Script],
    /// The time: microseconds of UTC.
    pub now: i64,
    /// Whether steps that lose data are done, too.
    pub allow_data_loss: bool,
}

/// What [`apply`] would do now. Where scripts wait, they are tried and taken back, for the checks come after them.
///
/// # Errors
/// Those of [`apply`], but for refusals, which the preview lists.
pub async fn plan(client: &mut Client, options: &Options<'_>) -> Result<Preview, MigrationError> {
    let transaction = begin(client).await?;
    let prepared = Migration::prepare(&transaction, options).await;
    transaction.rollback().await.map_err(|error| failed("take the preview back", error))?;
    Ok(prepared?.preview)
}

/// Brings the database to the resources: scripts, checks, steps, in one transaction under a lock. Where there is nothing to
/// do it does nothing. Reads and writes of tables that change wait for its end.
///
/// # Errors
/// See [`MigrationError`]; the database is as it was then.
pub async fn apply(client: &mut Client, options: &Options<'_>) -> Result<Outcome, MigrationError> {
    let transaction = begin(client).await?;
    // Another process may be at it: what there is to do is found out under the lock.
    transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
        .await
        .map_err(|error| failed("wait for other migrations", error))?;
    lock_tables(&transaction, options).await?;
    let migration = Migration::prepare(&transaction, options).await?;
    if migration.preview.is_empty() {
        return Ok(Outcome { version: migration.preview.version, ..Outcome::default() });
    }
    migration.preview.permit(options.allow_data_loss)?;
    let outcome = migration.run(&transaction, options).await?;
    transaction.commit().await.map_err(|error| failed("commit the migration", error))?;
    Ok(outcome)
}

/// Dropping the transaction takes it back.
async fn begin(client: &mut Client) -> Result<Transaction<'_>, MigrationError> {
    // Whatever the connection's default, what others committed while we waited has to be seen.
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::ReadCommitted)
        .start()
        .await
        .map_err(|error| failed("begin the migration", error))?;
    transaction
        .batch_execute("SET LOCAL statement_timeout = 0")
        .await
        .map_err(|error| failed("set time limits", error))?;
    Ok(transaction)
}

/// Keeps others from writing into the tables that are about to change, so that what the checks find stays true.
async fn lock_tables(transaction: &Transaction<'_>, options: &Options<'_>) -> Result<(), MigrationError> {
    let old = read_database(transaction).await?;
    let plan = diff(&old, options.target);
    let is_there = |name: &&str| old.table(name).is_some();
    let names: BTreeSet<_> = plan.steps.iter().filter_map(|step| step.change.table()).filter(is_there).collect();
    // A migration must not queue for a table so long that all others queue behind it.
    let mut statements = "SET LOCAL lock_timeout = '30s'".to_owned();
    for name in names {
        statements.push_str(&format!("; LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", quote(name)));
    }
    transaction.batch_execute(&statements).await.map_err(|error| failed("lock the tables", error))
}

/// A migration that has been found out, with the scripts already run, on an open transaction.
struct Migration<'a> {
    plan: Plan,
    preview: Preview,
    scripts: Vec<&'a Script>,
}

impl<'a> Migration<'a> {
    async fn prepare(transaction: &Transaction<'_>, options: &Options<'a>) -> Result<Self, MigrationError> {
        let status = status(transaction).await?;
        let scripts = script::pending(options.scripts, &status.scripts())?;
        // In a new database there is nothing yet that scripts could be about; they follow the tables there.
        if status.version() > 0 {
            for script in &scripts {
                run_script(transaction, script).await?;
            }
        }
        let mut old = read_database(transaction).await?;
        if status.version() > 0 && !scripts.is_empty() {
            old = reconcile(&old, options.target, &find_tables(transaction).await?);
        }
        let plan = diff(&old, options.target);
        let mut steps = Vec::with_capacity(plan.steps.len());
        for (step, sql) in plan.steps.iter().zip(render(&plan, options.now)) {
            let mut refusals = Vec::new();
            for check in &step.checks {
                refusals.extend(refusal(transaction, check).await?);
            }
            let loses_data = match &step.loss {
                Some(loss) => !find(transaction, &find_loss(loss)).await?.is_empty(),
                None => false,
            };
            steps.push(PlannedStep { words: step.words.clone(), sql, loses_data, refusals });
        }
        let names = scripts.iter().map(|script| script.name.clone()).collect();
        let preview = Preview { version: status.version(), scripts: names, steps };
        Ok(Self { plan, preview, scripts })
    }

    async fn run(&self, transaction: &Transaction<'_>, options: &Options<'_>) -> Result<Outcome, MigrationError> {
        for statement in self.preview.steps.iter().flat_map(|step| &step.sql) {
            transaction.batch_execute(statement).await.map_err(|error| failed(&format!("run `{statement}`"), error))?;
        }
        let mut left_out = Vec::new();
        if self.preview.version == 0 {
            for script in &self.scripts {
                left_out.extend(try_script(transaction, script).await?);
            }
        }
        let version = self.record(transaction, options.now).await?;
        Ok(Outcome {
            version,
            scripts: self.preview.scripts.clone(),
            left_out,
            steps: self.preview.steps.iter().map(|step| step.words.clone()).collect(),
            backup: None,
        })
    }

    /// Writes the rows of `_migrations`: one a script, one for the plan, in the order in which they ran.
    async fn record(&self, transaction: &Transaction<'_>, now: i64) -> Result<i64, MigrationError> {
        const INSERT: &str = "INSERT INTO \"_migrations\" (id, name, applied_at, checksum, steps, schema) \
                              VALUES ($1::bigint, $2, $3, $4, $5, $6)";
        let (old, new) = (self.plan.old.to_json(), self.plan.new.to_json());
        let is_new = self.preview.version == 0;
        let after_scripts = if is_new { &new } else { &old };
        let script =
            |script: &&'a Script| (script.name.as_str(), Some(&script.checksum), "[]".to_owned(), after_scripts);
        let mut rows: Vec<_> = self.scripts.iter().map(script).collect();
        if !self.preview.steps.is_empty() {
            let planned = (Applied::PLANNED, None, Applied::steps_json(&self.preview.steps), &new);
            rows.insert(if is_new { 0 } else { rows.len() }, planned);
        }
        let mut version = self.preview.version;
        for (name, checksum, steps, schema) in rows {
            version += 1;
            transaction
                .execute(INSERT, &[&version, &name, &now, &checksum, &steps, schema])
                .await
                .map_err(|error| failed("record the migration", error))?;
        }
        Ok(version)
    }
}

async fn run_script(transaction: &Transaction<'_>, script: &Script) -> Result<(), MigrationError> {
    if let Some(word) = script::transaction_control(&script.text) {
        let problem = format!("`{word}` would end the migration's transaction, which is not for scripts to do");
        return Err(MigrationError::BadScript { file: format!("{}.sql", script.name), problem });
    }
    let failed =
        |error: tokio_postgres::Error| MigrationError::Script { name: script.name.clone(), source: error.into() };
    transaction.batch_execute(&script.text).await.map_err(failed)
}

/// Runs a script in a database whose tables have just been made. One that is about tables as they used to be is left out
/// whole; the answer then says why.
async fn try_script(transaction: &Transaction<'_>, script: &Script) -> Result<Option<String>, MigrationError> {
    let savepoint = async |statement: &str| {
        transaction.batch_execute(statement).await.map_err(|error| failed(&format!("run `{statement}`"), error))
    };
    savepoint("SAVEPOINT script").await?;
    let left_out = match run_script(transaction, script).await {
        Ok(()) => None,
        Err(error) => {
            let reason = misfit(&error).ok_or(error)?;
            savepoint("ROLLBACK TO SAVEPOINT script").await?;
            Some(reason)
        }
    };
    savepoint("RELEASE SAVEPOINT script").await?;
    Ok(left_out)
}

/// What makes a script useless for a new database, if that is all that is wrong.
fn misfit(error: &MigrationError) -> Option<String> {
    const SIGNS: &[SqlState] = &[
        SqlState::UNDEFINED_COLUMN,
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_OBJECT,
        SqlState::DUPLICATE_COLUMN,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_OBJECT,
    ];
    let MigrationError::Script { name, source } = error else { return None };
    let cause = source.downcast_ref::<tokio_postgres::Error>()?.as_db_error()?;
    SIGNS.contains(cause.code()).then(|| format!("{name}: {}", cause.message()))
}

async fn refusal(transaction: &Transaction<'_>, check: &Check) -> Result<Option<Refusal>, MigrationError> {
    let rows = find(transaction, &find_unfit(check, Refusal::NAMED + 1)).await?;
    let refusal = Refusal {
        table: check.table.clone(),
        field: check.field.clone(),
        reason: check.reason.clone(),
        records: rows.iter().take(Refusal::NAMED).map(|row| row.get(0)).collect(),
        more: rows.len() > Refusal::NAMED,
    };
    Ok((!refusal.records.is_empty()).then_some(refusal))
}

async fn find(transaction: &Transaction<'_>, query: &str) -> Result<Vec<tokio_postgres::Row>, MigrationError> {
    transaction.query(query, &[]).await.map_err(|error| failed(&format!("run `{query}`"), error))
}

/// What tables there are, with their columns and indexes.
async fn find_tables(transaction: &Transaction<'_>) -> Result<Found, MigrationError> {
    const QUERY: &str = "SELECT c.relname::text, \
        ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped), \
        ARRAY(SELECT i.relname::text FROM pg_index JOIN pg_class i ON i.oid = indexrelid WHERE indrelid = c.oid) \
        FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace";
    let rows = find(transaction, QUERY).await?;
    let table = |row: &tokio_postgres::Row| (row.get(0), FoundTable { columns: row.get(1), indexes: row.get(2) });
    Ok(rows.iter().map(table).collect())
}
