//! The write path's transaction, on a connection of its own.
//!
//! It begins with its first statement and, where a write is a single operation after which nothing is asked any more,
//! ends with its last one: a creation is one round trip, a change two.

mod insert;
mod refused;
mod steps;

use std::sync::Arc;

use model::{Caller, FieldIndex, Problem, Record, Resource, ResourceIndex, Shape, Value, identity::PersonFields};
use rules::{
    Catalog, Condition,
    plan::{Operation, OperationKind, Read, Write, WritePlan},
};
use store::{Beside, Change, Outcome, Purpose, Statement, Tx, refusal};
use tokio_postgres::{Error, Row, error::SqlState, types::Type};

use crate::{
    connection::{Bounds, Lease, Place, Step, Text},
    fault::{self, problem},
    group_commit::{Creation, GroupCommit},
    migrate::ddl::quote,
    own,
    parameter::Parameter,
    query,
    statements::{ResourceStatements, Statements, column, place_of},
    value,
};

use refused::lost;
use steps::{alteration, columns_of, creation, gone, made, removal};

/// The advisory lock of whoever takes away an administrator.
const ADMINISTRATORS: i64 = 0x6d61_696e_7374_6164;

/// A transaction.
pub(crate) struct PgTx {
    way: Way,
    begun: bool,
    /// The write's last statement has committed it, or was rolled back with it.
    ended: bool,
    /// The write is one operation that ends with its record.
    brief: bool,
    /// The write is one operation.
    single: bool,
    /// The failure was such that the same write may succeed when it is made again.
    again: bool,
    /// The connection has ended.
    dead: bool,
}

/// How a transaction reaches the database.
#[expect(clippy::large_enum_variant, reason = "most of them have a connection, and none is kept for long")]
enum Way {
    /// By a connection that it gets when it first needs one: a creation may go with others, and need none.
    Later(Arc<GroupCommit>),
    Taken(Lease),
}

/// Why statements have not done what they should.
enum Failure {
    /// There is no connection for them, or what became of them is not known.
    Unconnected(Problem),
    Failed(Place, Error),
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unconnected(problem) => problem,
            Failure::Failed(_, error) => problem(&error),
        }
    }
}

fn statements(catalog: &Catalog) -> Arc<Statements> {
    catalog.prepared.get_or_make(|| Statements::new(&catalog.schema))
}

impl PgTx {
    /// A transaction for a write.
    ///
    /// # Errors
    /// There is no connection for it.
    pub(crate) async fn begin(group: &Arc<GroupCommit>, write: &Write, beside: &Beside) -> Result<Self, Problem> {
        let brief = match write.operations.as_slice() {
            // What follows the record has to be in its transaction, too.
            [only] if beside.after.is_none() && !store::write::writes_more(&write.caller, only) => {
                let view = only.plan.view.fields.iter().filter_map(|seen| seen.condition.as_ref());
                !std::iter::once(&only.plan.read).chain(view).any(Condition::uses_relations)
            }
            _ => false,
        };
        let single = write.operations.len() == 1;
        let creates = matches!(write.operations.as_slice(), [Operation { kind: OperationKind::Create { .. }, .. }]);
        let way = match brief && creates {
            true => Way::Later(Arc::clone(group)),
            false => Way::Taken(group.carrier().connections().lease_to_write().await?),
        };
        Ok(Self { way, begun: false, ended: false, brief, single, again: false, dead: false })
    }

    /// A transaction for statements about our own tables.
    pub(crate) fn begun_by_statements(lease: Lease) -> Self {
        let way = Way::Taken(lease);
        Self { way, begun: false, ended: false, brief: false, single: false, again: false, dead: false }
    }

    /// Its connection.
    ///
    /// # Errors
    /// It has none yet, and gets none.
    async fn lease(&mut self) -> Result<&Lease, Problem> {
        if let Way::Later(group) = &self.way {
            self.way = Way::Taken(group.carrier().connections().lease_to_write().await?);
        }
        match &self.way {
            Way::Taken(lease) => Ok(lease),
            Way::Later(_) => Err(Problem::internal("a transaction that was given a connection has none")),
        }
    }

    /// Ends the transaction as its outcome says. With a failure comes whether the same write may succeed if repeated.
    pub(crate) async fn finish<T>(self, outcome: Result<T, Problem>) -> Result<T, (Problem, bool)> {
        let outcome = outcome.map_err(|failure| (failure, self.again));
        // Where it went with others it is over.
        let Way::Taken(lease) = self.way else { return outcome };
        let over = !self.begun || self.ended;
        match outcome {
            Ok(made) => {
                if !over {
                    let committed = lease.say("COMMIT").await;
                    committed.map_err(|error| (lost(&error), error.code().is_some_and(fault::is_rival)))?;
                }
                lease.release();
                Ok(made)
            }
            Err(failure) => {
                // A connection that can't even roll back is not given back.
                if !self.dead && (over || lease.say("ROLLBACK").await.is_ok()) {
                    lease.release();
                }
                Err(failure)
            }
        }
    }

    /// Says something about the transaction itself: `BEGIN`, `SAVEPOINT one`.
    pub(crate) async fn say(&mut self, text: &str) -> Result<(), Problem> {
        let said = self.lease().await?.say(text).await;
        if let Err(error) = &said {
            self.note(error);
        }
        self.begun = true;
        said.map_err(|error| problem(&error))
    }

    async fn run(&mut self, steps: &[Step<'_>]) -> Result<Vec<Vec<Row>>, Failure> {
        self.pipeline(steps, false).await
    }

    /// Runs the statements that write records: the last ones of a brief transaction.
    async fn write(&mut self, steps: &[Step<'_>]) -> Result<Vec<Vec<Row>>, Failure> {
        self.pipeline(steps, self.brief).await
    }

    async fn pipeline(&mut self, steps: &[Step<'_>], last: bool) -> Result<Vec<Vec<Row>>, Failure> {
        // One statement is a transaction by itself.
        let alone = last && !self.begun && steps.len() == 1;
        let begin = (!self.begun && !alone).then_some("BEGIN");
        let lease = self.lease().await.map_err(Failure::Unconnected)?;
        let result = lease.placed_pipeline(steps, Bounds { begin, commit: last && !alone }).await;
        self.begun |= begin.is_some();
        // Where a statement could not even be prepared, nothing was sent, and the rollback does no harm.
        self.ended |= last && (alone || result.is_ok());
        result.map_err(|(place, error)| {
            self.note(&error);
            Failure::Failed(place, error)
        })
    }

    /// Notes what a failure means for the transaction.
    fn note(&mut self, error: &Error) {
        if let (true, Way::Taken(lease)) = (fault::is_stale(error), &self.way) {
            lease.forget_statements();
            self.again = true;
        }
        self.again |= error.code().is_some_and(fault::is_rival);
        self.dead |= fault::is_dead(error);
    }
}

impl Tx for PgTx {
    async fn fetch(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        id: &Value,
        purpose: Purpose,
    ) -> Result<Option<Record>, Problem> {
        let texts = statements(catalog);
        let texts = texts.of(resource);
        let row = match purpose {
            Purpose::Change => &texts.fetch,
            Purpose::Remove => &texts.fetch_to_remove,
        };
        let found = self.read(catalog.schema.get(resource), texts, [row, &texts.lists], Parameter(id.clone())).await?;
        Ok(found.into_iter().next())
    }

    async fn fetch_all(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        ids: &[Value],
        purpose: Purpose,
    ) -> Result<Vec<Record>, Problem> {
        let texts = statements(catalog);
        let texts = texts.of(resource);
        let rows = match purpose {
            Purpose::Change => &texts.fetch_all,
            Purpose::Remove => &texts.fetch_all_to_remove,
        };
        let ids = Parameter(Value::List(ids.to_vec()));
        self.read(catalog.schema.get(resource), texts, [rows, &texts.lists_of_all], ids).await
    }

    async fn lock(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        ids: &[Value],
        purpose: Purpose,
    ) -> Result<(), Problem> {
        let texts = statements(catalog);
        let texts = texts.of(resource);
        let text = match purpose {
            Purpose::Change => &texts.lock_all,
            Purpose::Remove => &texts.lock_all_to_remove,
        };
        self.run(&[Step { text, values: vec![Parameter(Value::List(ids.to_vec()))] }]).await?;
        Ok(())
    }

    async fn holds(
        &mut self,
        plan: &WritePlan,
        condition: &Condition,
        caller: &Caller,
        record: Option<&Record>,
        new: Option<&Record>,
    ) -> Result<bool, Problem> {
        let question = query::question(plan, condition, record, new);
        let values = question.values(&[], &query::question_facts(caller, record, new));
        let rows = self.run(&[Step { text: question.text(), values }]).await?.pop().unwrap_or_default();
        query::verdict(&rows).map_err(|error| problem(&error))
    }

    /// One question for each record, all of them in one round trip.
    async fn holds_all(
        &mut self,
        plan: &WritePlan,
        condition: &Condition,
        caller: &Caller,
        records: &[Record],
    ) -> Result<Vec<bool>, Problem> {
        let Some(first) = records.first() else { return Ok(Vec::new()) };
        let question = query::question(plan, condition, Some(first), None);
        let values = |record| question.values(&[], &query::question_facts(caller, Some(record), None));
        let steps = records.iter().map(|record| Step { text: question.text(), values: values(record) });
        let steps: Vec<Step<'_>> = steps.collect();
        let results = self.run(&steps).await?;
        let verdicts: Result<Vec<bool>, Error> = results.iter().map(|rows| query::verdict(rows)).collect();
        verdicts.map_err(|error| problem(&error))
    }

    /// One statement for each record, all of them in one round trip.
    async fn create_all(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        records: &mut [&mut Record],
        caller: &Caller,
    ) -> Result<(), (usize, Problem)> {
        if records.is_empty() {
            return Ok(());
        }
        let declared = catalog.schema.get(resource);
        let texts = statements(catalog);
        let texts = texts.of(resource);
        let creations: Vec<Creation> = records.iter().map(|record| creation(texts, declared, record, caller)).collect();
        // Serial numbers go on above all that were brought.
        let brought = records.iter().filter_map(|record| match record.id() {
            Value::Integer(id) => Some(*id),
            _ => None,
        });
        let pass_over = brought
            .max()
            .map(|greatest| Step { text: &texts.pass_over, values: vec![Parameter(Value::Integer(greatest))] });
        let results = match self.insert(creations, pass_over).await {
            Ok(results) => results,
            Err(Failure::Unconnected(problem)) => return Err((0, problem)),
            Err(Failure::Failed(place, error)) => {
                let place = place.step().min(records.len() - 1);
                let record = &records[place];
                let given = !record.id().is_null();
                let refused = self.refuse(catalog, resource, given, &error);
                if self.again && !given {
                    self.pass_over_all(&texts.pass_over_all, &error).await;
                }
                return Err((place, self.with_all_missing(catalog, declared, record, refused).await));
            }
        };
        for (place, record) in records.iter_mut().enumerate() {
            let made = made(results.get(place).map_or(&[][..], Vec::as_slice));
            let made = made.map_err(|error| problem(&error)).and_then(|made| made.ok_or_else(gone));
            let (revision, id) = made.map_err(|problem| (place, problem))?;
            record.revision = revision;
            if record.id().is_null() {
                record.values[0] = store::read_id(declared, &id);
            }
        }
        Ok(())
    }

    /// One statement for each record, and two for each of its lists that change, all of them in one round trip.
    async fn change_all(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        changes: &mut [Change<'_>],
        caller: &Caller,
    ) -> Result<(), (usize, Problem)> {
        let declared = catalog.schema.get(resource);
        let texts = statements(catalog);
        let texts = texts.of(resource);
        // Most of them change the same fields.
        let mut updates: Vec<(Vec<FieldIndex>, Text)> = Vec::new();
        let mut chosen = Vec::with_capacity(changes.len());
        for change in &*changes {
            let fields = columns_of(declared, change.fields);
            let known = updates.iter().position(|(known, _)| *known == fields);
            chosen.push(known.unwrap_or(updates.len()));
            if known.is_none() {
                let text = ResourceStatements::change(declared, &fields);
                updates.push((fields, text));
            }
        }
        let mut steps = Vec::with_capacity(changes.len());
        // The place of each change's first statement.
        let mut first = Vec::with_capacity(changes.len());
        for (change, chosen) in changes.iter().zip(chosen) {
            let (fields, text) = &updates[chosen];
            first.push(steps.len());
            steps.push(Step { text, values: alteration(declared, change, fields, caller) });
            let id = Parameter(change.after.id().clone());
            for many in texts.many.iter().filter(|many| change.fields.contains(&many.field)) {
                steps.push(Step { text: &many.clear, values: vec![id.clone()] });
                let values = vec![id.clone(), Parameter(change.after.get(many.field).clone())];
                steps.push(Step { text: &many.insert, values });
            }
        }
        if steps.is_empty() {
            return Ok(());
        }
        let results = match self.write(&steps).await {
            Ok(results) => results,
            Err(Failure::Unconnected(problem)) => return Err((0, problem)),
            Err(Failure::Failed(place, error)) => {
                let place = first.partition_point(|first| *first <= place.step()) - 1;
                let refused = self.refuse(catalog, resource, true, &error);
                return Err((place, self.with_all_missing(catalog, declared, changes[place].after, refused).await));
            }
        };
        for (place, change) in changes.iter_mut().enumerate() {
            let made = made(results.get(first[place]).map_or(&[][..], Vec::as_slice));
            let made = made.map_err(|error| problem(&error)).and_then(|made| made.ok_or_else(gone));
            (change.after.revision, _) = made.map_err(|problem| (place, problem))?;
        }
        Ok(())
    }

    /// One statement for each record, all of them in one round trip.
    async fn remove_all(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        records: &[&Record],
        caller: &Caller,
    ) -> Result<(), Problem> {
        let declared = catalog.schema.get(resource);
        let texts = statements(catalog);
        let text = &texts.of(resource).remove;
        let steps: Vec<Step<'_>> = records.iter().map(|record| removal(text, declared, record, caller)).collect();
        if steps.is_empty() {
            return Ok(());
        }
        // A cascade ends with the record that was asked for, but does not say so: the commit is said apart.
        let results = self.run(&steps).await;
        results.map(|_| ()).map_err(|failure| match failure {
            Failure::Failed(_, error) if error.code() == Some(&SqlState::FOREIGN_KEY_VIOLATION) => {
                // Somebody has referred to it since its referrers were looked up: they are looked up again.
                self.again = true;
                refusal::in_use()
            }
            other => other.into(),
        })
    }

    async fn own(&mut self, statement: &Statement) -> Result<Outcome, Problem> {
        let begin = !self.begun;
        let run = own::run(self.lease().await?, statement, begin).await;
        self.begun = true;
        let outcome = run.map_err(|error| {
            self.note(&error);
            lost(&error)
        })?;
        statement.expect.check(&outcome)?;
        Ok(outcome)
    }

    async fn find(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        fields: &[FieldIndex],
        record: &Record,
    ) -> Result<Option<Value>, Problem> {
        let declared = catalog.schema.get(resource);
        let equal = |(place, field): (usize, &FieldIndex)| {
            let (name, place) = (quote(&declared.get(*field).name), place + 1);
            match declared.get(*field).shape {
                Shape::Text { fold_case: true } => format!("lower({name}) = lower(${place})"),
                _ => format!("{name} = ${place}"),
            }
        };
        let equal: Vec<String> = fields.iter().enumerate().map(equal).collect();
        let table = quote(&declared.name);
        // The lock waits for others who change the record, and then looks at it again.
        let sql = format!("SELECT \"id\" FROM {table} WHERE {} FOR NO KEY UPDATE", equal.join(" AND "));
        let types = fields.iter().map(|field| value::column_type(declared.get(*field))).collect();
        let values = fields.iter().map(|field| Parameter(record.get(*field).clone())).collect();
        let found = self.ids(&Text { sql, types }, values, declared.get(Resource::ID).shape).await?;
        Ok(found.into_iter().next())
    }

    async fn matching(&mut self, read: &Read, purpose: Purpose, limit: u32) -> Result<Vec<Value>, Problem> {
        let lock = match purpose {
            Purpose::Change => "NO KEY UPDATE",
            Purpose::Remove => "UPDATE",
        };
        self.ids_of(read, Some(lock), limit).await
    }

    fn lost_race(&mut self) {
        self.again = true;
    }

    async fn referred(
        &mut self,
        catalog: &Catalog,
        from: ResourceIndex,
        field: FieldIndex,
        targets: &[Value],
    ) -> Result<Vec<Value>, Problem> {
        let referring = catalog.schema.get(from);
        let (table, reference, id) = place_of(referring, field);
        let itself = referring.get(field).target() == Some(from);
        let own = if itself { format!(" AND r.{id} <> wanted.id") } else { String::new() };
        let sql = format!(
            "SELECT wanted.id FROM unnest($1) AS wanted(id) \
             WHERE EXISTS (SELECT 1 FROM {table} AS r WHERE r.{reference} = wanted.id{own})"
        );
        let shape = referring.get(field).shape;
        let statement = Text { sql, types: vec![value::array(&value::shape_type(shape))] };
        self.ids(&statement, vec![Parameter(Value::List(targets.to_vec()))], shape).await
    }

    async fn referrers(
        &mut self,
        catalog: &Catalog,
        from: ResourceIndex,
        field: FieldIndex,
        targets: &[Value],
        limit: u32,
    ) -> Result<Vec<Value>, Problem> {
        let referring = catalog.schema.get(from);
        let (table, reference, id) = place_of(referring, field);
        let itself = referring.get(field).target() == Some(from);
        let own = if itself { format!(" AND NOT r.{id} = ANY ($1)") } else { String::new() };
        let sql = format!(
            "SELECT DISTINCT r.{id} FROM {table} AS r WHERE r.{reference} = ANY ($1){own} ORDER BY r.{id} LIMIT $2"
        );
        let types = vec![value::array(&value::shape_type(referring.get(field).shape)), Type::INT8];
        let values = vec![Parameter(Value::List(targets.to_vec())), Parameter(Value::Integer(i64::from(limit)))];
        self.ids(&Text { sql, types }, values, referring.get(Resource::ID).shape).await
    }

    async fn another_has_role(
        &mut self,
        catalog: &Catalog,
        people: ResourceIndex,
        fields: PersonFields,
        roles: &[String],
        except: &Value,
    ) -> Result<bool, Problem> {
        let declared = catalog.schema.get(people);
        let lock = Text { sql: "SELECT pg_advisory_xact_lock($1)".to_owned(), types: vec![Type::INT8] };
        // A statement of its own sees what was committed while it waited for the lock.
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM {} AS p WHERE p.\"id\" <> $1 AND NOT {} AND {} && $2)",
            quote(&declared.name),
            column(declared, fields.disabled, "p"),
            column(declared, fields.roles, "p"),
        );
        let shape = declared.get(Resource::ID).shape;
        let question = Text { sql, types: vec![value::shape_type(shape), Type::TEXT_ARRAY] };
        let roles = Value::List(roles.iter().map(Value::text).collect());
        let steps = [
            Step { text: &lock, values: vec![Parameter(Value::Integer(ADMINISTRATORS))] },
            Step { text: &question, values: vec![Parameter(except.clone()), Parameter(roles)] },
        ];
        let rows = self.run(&steps).await?.pop().unwrap_or_default();
        query::verdict(&rows).map_err(|error| problem(&error))
    }

    async fn unlink(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        field: FieldIndex,
        id: &Value,
    ) -> Result<(), Problem> {
        let declared = catalog.schema.get(resource);
        let to = if declared.get(field).required { "\"id\"" } else { "NULL" };
        let (table, name) = (quote(&declared.name), quote(&declared.get(field).name));
        let statement = Text {
            sql: format!("UPDATE {table} SET {name} = {to} WHERE \"id\" = $1"),
            types: vec![value::shape_type(declared.get(Resource::ID).shape)],
        };
        self.run(&[Step { text: &statement, values: vec![Parameter(id.clone())] }]).await?;
        Ok(())
    }
}

impl PgTx {
    /// Reads records by a statement that locks their rows, and by another one their lists.
    async fn read(
        &mut self,
        declared: &Resource,
        texts: &ResourceStatements,
        [rows, lists]: [&Text; 2],
        ids: Parameter,
    ) -> Result<Vec<Record>, Problem> {
        let mut steps = vec![Step { text: rows, values: vec![ids.clone()] }];
        if !texts.many.is_empty() {
            // A statement of their own sees the lists as they are once the rows are locked.
            steps.push(Step { text: lists, values: vec![ids] });
        }
        let results = self.run(&steps).await?;
        let lists = results.get(1);
        let record = |row: &Row| -> Result<Record, Error> {
            let mut record = Record::empty(declared.fields.len());
            for (position, field) in texts.columns.iter().enumerate() {
                record.set(*field, value::read(declared.get(*field).shape, row, position)?);
            }
            record.revision = row.try_get(texts.columns.len())?;
            let place: i64 = row.try_get(texts.columns.len() + 1)?;
            let lists = lists.and_then(|lists| lists.get(usize::try_from(place - 1).ok()?));
            if let Some(row) = lists {
                for (position, many) in texts.many.iter().enumerate() {
                    record.set(many.field, value::read(declared.get(many.field).shape, row, position)?);
                }
            }
            Ok(record)
        };
        let records: Result<Vec<Record>, Error> = results.first().into_iter().flatten().map(record).collect();
        records.map_err(|error| problem(&error))
    }

    /// The ids of the records that a read means, in order, with a lock of this strength where one is named.
    pub(crate) async fn ids_of(&mut self, read: &Read, lock: Option<&str>, limit: u32) -> Result<Vec<Value>, Problem> {
        let (text, values) = query::matching(read, lock, limit);
        let shape = read.plan.catalog.schema.get(read.plan.resource).get(Resource::ID).shape;
        self.ids(&text, values, shape).await
    }

    /// The ids that a statement yields.
    async fn ids(&mut self, text: &Text, values: Vec<Parameter>, shape: Shape) -> Result<Vec<Value>, Problem> {
        let results = self.run(&[Step { text, values }]).await?;
        let ids: Result<Vec<Value>, Error> = results.iter().flatten().map(|row| value::read(shape, row, 0)).collect();
        ids.map_err(|error| problem(&error))
    }
}
