//! The migration itself.

use std::path::Path;

use rusqlite::{Connection, params};
use store::migration::{
    Database, MigrationError, Plan, Preview, diff,
    reconcile::reconcile,
    report::{Applied, Outcome, PlannedStep},
    script::{self, Script},
};

use super::{
    backup::back_up,
    checks::{check_foreign_keys, find_tables, finds_any, holds_data, refusal},
    convert::find_loss,
    foreign::{foreign_objects, restore},
    render::render,
    session::{Session, Transaction, execute},
    state::{failed, open_to_look, read_database, read_status},
};
use crate::presence::Presence;

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
    /// Whether a database that holds anything is copied first.
    pub backup: bool,
}

/// What [`apply`] would do now. Where scripts wait, they are tried and taken back, for the checks come after them.
///
/// # Errors
/// Those of [`apply`], but for refusals, which the preview lists.
pub fn plan(path: &Path, options: &Options<'_>) -> Result<Preview, MigrationError> {
    let connection = open_to_look(path)?;
    let waiting = !script::pending(options.scripts, &read_status(&connection)?.scripts())?.is_empty();
    let session = Session::on(connection)?;
    let transaction = session.begin(if waiting { "BEGIN IMMEDIATE" } else { "BEGIN" })?;
    Ok(Migration::prepare(&transaction, options)?.preview)
}

/// Brings the database to the resources: scripts, checks, backup, steps, in one transaction. Where there is nothing to do
/// it does nothing. Others may read meanwhile; writers wait.
///
/// # Errors
/// See [`MigrationError`]; the database is as it was then.
pub fn apply(path: &Path, options: &Options<'_>) -> Result<Outcome, MigrationError> {
    let _present = Presence::shared(path).map_err(|error| failed("use the database", error))?;
    let session = Session::open(path)?;
    // Another process may be at it: what there is to do is found out under the lock.
    let transaction = session.begin("BEGIN IMMEDIATE")?;
    let migration = Migration::prepare(&transaction, options)?;
    if migration.preview.is_empty() {
        return Ok(Outcome { version: migration.preview.version, ..Outcome::default() });
    }
    migration.preview.permit(options.allow_data_loss)?;
    let backup = match options.backup && migration.changes_tables() && migration.held_data {
        true => Some(back_up(path, options.now, migration.preview.version)?),
        false => None,
    };
    let outcome = migration.run(&transaction, options)?;
    transaction.commit()?;
    Ok(Outcome { backup, ..outcome })
}

/// A migration that has been found out, with the scripts already run, on an open transaction.
struct Migration<'a> {
    plan: Plan,
    preview: Preview,
    scripts: Vec<&'a Script>,
    held_data: bool,
}

impl<'a> Migration<'a> {
    fn prepare(connection: &Transaction<'_>, options: &Options<'a>) -> Result<Self, MigrationError> {
        let status = read_status(connection)?;
        let scripts = script::pending(options.scripts, &status.scripts())?;
        let held_data = holds_data(connection)?;
        // In a new database there is nothing yet that scripts could be about; they follow the tables there.
        if status.version() > 0 {
            scripts.iter().try_for_each(|script| connection.run_script(script))?;
        }
        let mut old = read_database(connection)?;
        if status.version() > 0 && !scripts.is_empty() {
            old = reconcile(&old, options.target, &find_tables(connection)?);
        }
        let plan = diff(&old, options.target);
        let mut steps = Vec::with_capacity(plan.steps.len());
        for (step, sql) in plan.steps.iter().zip(render(&plan, options.now)) {
            let mut refusals = Vec::new();
            for check in &step.checks {
                refusals.extend(refusal(connection, check)?);
            }
            let loses_data = match &step.loss {
                Some(loss) => finds_any(connection, &find_loss(loss))?,
                None => false,
            };
            steps.push(PlannedStep { words: step.words.clone(), sql, loses_data, refusals });
        }
        let names = scripts.iter().map(|script| script.name.clone()).collect();
        let preview = Preview { version: status.version(), scripts: names, steps };
        Ok(Self { plan, preview, scripts, held_data })
    }

    /// Whether anything is run, or only the record of limits renewed.
    fn changes_tables(&self) -> bool {
        !self.scripts.is_empty() || self.preview.steps.iter().any(|step| !step.sql.is_empty())
    }

    fn run(&self, connection: &Transaction<'_>, options: &Options<'_>) -> Result<Outcome, MigrationError> {
        let Self { preview, plan, .. } = self;
        let others = foreign_objects(connection, &plan.old)?;
        for statement in preview.steps.iter().flat_map(|step| &step.sql) {
            execute(connection, statement)?;
        }
        restore(connection, &others)?;
        let mut left_out = Vec::new();
        if preview.version == 0 {
            for script in &self.scripts {
                left_out.extend(connection.try_script(script)?);
            }
        }
        if self.changes_tables() {
            check_foreign_keys(connection)?;
        }
        let version = self.record(connection, options.now)?;
        Ok(Outcome {
            version,
            scripts: preview.scripts.clone(),
            left_out,
            steps: preview.steps.iter().map(|step| step.words.clone()).collect(),
            backup: None,
        })
    }

    /// Writes the rows of `_migrations`: one a script, one for the plan, in the order in which they ran.
    fn record(&self, connection: &Connection, now: i64) -> Result<i64, MigrationError> {
        let (old, new) = (self.plan.old.to_json(), self.plan.new.to_json());
        let is_new = self.preview.version == 0;
        let after_scripts = if is_new { &new } else { &old };
        let nothing = "[]".to_owned();
        let script =
            |script: &'a Script| (script.name.as_str(), Some(script.checksum.as_str()), nothing.clone(), after_scripts);
        let mut rows: Vec<_> = self.scripts.iter().map(|each| script(each)).collect();
        if !self.preview.steps.is_empty() {
            let planned = (Applied::PLANNED, None, Applied::steps_json(&self.preview.steps), &new);
            rows.insert(if is_new { 0 } else { rows.len() }, planned);
        }
        let mut version = self.preview.version;
        for (name, checksum, steps, schema) in rows {
            version += 1;
            connection
                .execute(
                    "INSERT INTO \"_migrations\" (id, name, applied_at, checksum, steps, schema) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![version, name, now, checksum, steps, schema],
                )
                .map_err(|error| failed("record the migration", error))?;
        }
        Ok(version)
    }
}
