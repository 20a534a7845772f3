//! What a failed statement means, and what is done about it once the transaction is over.

use model::{Code, FieldIndex, Problem, Record, Resource, ResourceIndex};
use rules::Catalog;
use store::refusal;
use tokio_postgres::{
    Error,
    error::{DbError, SqlState},
};

use super::{PgTx, statements};
use crate::{
    connection::{Bounds, Step, Text},
    fault::{self, problem},
    migrate::ddl::quote,
    parameter::Parameter,
    query, value,
};

impl PgTx {
    /// Turns a failed statement into a problem that names the fields at fault.
    pub(super) fn refuse(&mut self, catalog: &Catalog, resource: ResourceIndex, given: bool, error: &Error) -> Problem {
        let declared = catalog.schema.get(resource);
        let texts = statements(catalog);
        let Some((code, failure)) = error.code().zip(error.as_db_error()).filter(|_| !fault::is_dead(error)) else {
            return lost(error);
        };
        let fields = failure.constraint().and_then(|name| texts.of(resource).constraints.get(name));
        let fields = fields.cloned().unwrap_or_else(|| from_detail(declared, failure));
        if *code == SqlState::UNIQUE_VIOLATION {
            // A number that the server gave can only be taken where somebody brought numbers along.
            self.again |= !given && fields == [Resource::ID];
            return refusal::taken(declared, &fields);
        }
        if *code == SqlState::FOREIGN_KEY_VIOLATION && !fields.is_empty() {
            return refusal::missing(declared, &fields);
        }
        problem(error)
    }

    /// A problem that names every reference whose target is missing: PostgreSQL tells of the first alone. Targets that
    /// earlier operations of the same write made are gone by then, so a batch keeps what was told.
    pub(super) async fn with_all_missing(
        &mut self,
        catalog: &Catalog,
        resource: &Resource,
        record: &Record,
        told: Problem,
    ) -> Problem {
        if told.code != Code::MissingReference || !self.single || !self.abandon().await {
            return told;
        }
        let mut fields = Vec::new();
        let mut texts = Vec::new();
        for field in resource.indices() {
            let declared = resource.get(field);
            if let (Some(target), false) = (declared.target(), record.get(field).is_null()) {
                let table = quote(&catalog.schema.get(target).name);
                let wanted = if declared.is_many() { "$1" } else { "ARRAY[$1]" };
                let sql = format!(
                    "SELECT EXISTS (SELECT 1 FROM unnest({wanted}) AS wanted(id) \
                     WHERE NOT EXISTS (SELECT 1 FROM {table} AS target WHERE target.\"id\" = wanted.id))"
                );
                texts.push(Text { sql, types: vec![value::column_type(declared)] });
                fields.push(field);
            }
        }
        let steps = texts.iter().zip(&fields);
        let steps: Vec<Step<'_>> =
            steps.map(|(text, field)| Step { text, values: vec![Parameter(record.get(*field).clone())] }).collect();
        let Ok(lease) = self.lease().await else { return told };
        let Ok(results) = lease.pipeline(&steps, Bounds::default()).await else { return told };
        let missing = fields.iter().zip(&results).filter(|(_, rows)| query::verdict(rows).unwrap_or(false));
        let missing: Vec<FieldIndex> = missing.map(|(field, _)| *field).collect();
        if missing.is_empty() { told } else { refusal::missing(resource, &missing) }
    }

    /// Lets serial numbers go on above those in use, outside the transaction, which has failed.
    pub(super) async fn pass_over_all(&mut self, numbers: &Text, error: &Error) {
        if error.code() != Some(&SqlState::UNIQUE_VIOLATION) {
            return;
        }
        if !self.abandon().await {
            return;
        }
        let Ok(lease) = self.lease().await else { return };
        let result = lease.pipeline(&[Step { text: numbers, values: Vec::new() }], Bounds::default()).await;
        if let Err(error) = result {
            tracing::warn!(error = %error, "the serial numbers of a resource could not be moved above those in use");
        }
    }

    /// Ends the transaction, which has failed, so that the connection can be asked something else.
    async fn abandon(&mut self) -> bool {
        if self.dead {
            return false;
        }
        let under_way = self.begun && !self.ended;
        let Ok(lease) = self.lease().await else { return false };
        if under_way && lease.say("ROLLBACK").await.is_err() {
            return false;
        }
        self.ended = true;
        true
    }
}

/// A connection lost in the middle: whether the database has committed is not known.
pub(super) fn lost(error: &Error) -> Problem {
    let problem = problem(error);
    if !fault::is_dead(error) || problem.code != Code::Unavailable {
        return problem;
    }
    fault::unsure(problem)
}

/// The columns of `Key (a, b)=(…) …`, for constraints that are not ours.
fn from_detail(resource: &Resource, failure: &DbError) -> Vec<FieldIndex> {
    let columns =
        failure.detail().and_then(|detail| detail.strip_prefix("Key (")?.split_once(")=(")).map(|(columns, _)| columns);
    columns.unwrap_or("").split(", ").filter_map(|name| resource.field(name.trim_matches('"'))).collect()
}
