//! The write path's transaction, on the writer's connection.

use std::sync::Arc;

use model::{Action, Caller, FieldIndex, Problem, Record, Resource, ResourceIndex, Value, identity::PersonFields};
use rules::{
    Catalog, Condition,
    plan::{Read, WritePlan},
};
use rusqlite::{CachedStatement, Connection, params_from_iter, types::Value as Kept};
use store::{Change, LogLine, Outcome, Purpose, Statement, Tx, refusal};

use crate::{
    fault::{self, Constraint, problem},
    own, query,
    sequence::Sequences,
    statements::{ResourceStatements, Statements, column, join_table, quote},
    value,
};

/// An open transaction of the writer.
pub(crate) struct SqliteTx<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) sequences: &'a mut Sequences,
}

fn statements(catalog: &Catalog) -> Arc<Statements> {
    catalog.prepared.get_or_make(|| Statements::new(&catalog.schema))
}

impl<'a> SqliteTx<'a> {
    fn run(&self, sql: &str, values: impl IntoIterator<Item = Kept>) -> rusqlite::Result<usize> {
        self.connection.prepare_cached(sql)?.execute(params_from_iter(values))
    }

    /// Runs statements about our own tables, one after another.
    pub(crate) fn run_own(&self, statements: &[Statement]) -> Result<Vec<Outcome>, Problem> {
        let mut outcomes = Vec::with_capacity(statements.len());
        for statement in statements {
            let outcome = own::run(self.connection, statement).map_err(|error| problem(&error))?;
            statement.expect.check(&outcome)?;
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    /// Reads records one by one: with the database in this process, a statement that is prepared once costs no more than one
    /// that names them all.
    fn read(&self, catalog: &Catalog, resource: ResourceIndex, ids: &[Value]) -> rusqlite::Result<Vec<Record>> {
        let texts = statements(catalog);
        let fields = &catalog.schema.get(resource).fields;
        let mut statement = self.connection.prepare_cached(&texts.of(resource).fetch)?;
        let mut records = Vec::with_capacity(ids.len());
        for id in ids {
            let mut rows = statement.query([value::bind(id)])?;
            let Some(row) = rows.next()? else { continue };
            let mut values = Vec::with_capacity(fields.len());
            for (position, field) in fields.iter().enumerate() {
                values.push(value::read(field.shape, field.is_list(), row.get_ref(position)?));
            }
            records.push(Record { values, revision: row.get(fields.len())? });
        }
        Ok(records)
    }

    fn ids(
        &self,
        sql: &str,
        shape: model::Shape,
        values: impl IntoIterator<Item = Kept>,
    ) -> rusqlite::Result<Vec<Value>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows =
            statement.query_map(params_from_iter(values), |row| Ok(value::read(shape, false, row.get_ref(0)?)))?;
        rows.collect()
    }

    fn insert_many(
        &self,
        texts: &ResourceStatements,
        record: &Record,
        only: Option<&[FieldIndex]>,
    ) -> rusqlite::Result<()> {
        for many in texts.many.iter().filter(|many| only.is_none_or(|changed| changed.contains(&many.field))) {
            let owner = value::keep(record.id());
            if only.is_some() {
                self.run(&many.clear, [owner.clone()])?;
            }
            for (position, target) in record.get(many.field).items().iter().enumerate() {
                self.run(&many.insert, [owner.clone(), Kept::Integer(position as i64), value::keep(target)])?;
            }
        }
        Ok(())
    }

    /// Turns a failed statement into a problem that names the fields at fault.
    fn refuse(&self, catalog: &Catalog, resource: ResourceIndex, record: &Record, error: &rusqlite::Error) -> Problem {
        let declared = catalog.schema.get(resource);
        match fault::constraint(error) {
            Constraint::Unique(message) => fault::conflict(declared, &message),
            Constraint::Reference => match self.missing_references(catalog, declared, record) {
                Ok(fields) if fields.is_empty() => problem(error),
                Ok(fields) => refusal::missing(declared, &fields),
                Err(error) => problem(&error),
            },
            Constraint::None => problem(error),
        }
    }

    fn missing_references(
        &self,
        catalog: &Catalog,
        resource: &Resource,
        record: &Record,
    ) -> rusqlite::Result<Vec<FieldIndex>> {
        let mut missing = Vec::new();
        for field in resource.indices() {
            let Some(target) = resource.get(field).target() else { continue };
            let sql = format!("SELECT 1 FROM {} WHERE id = ?1", quote(&catalog.schema.get(target).name));
            let value = record.get(field);
            let ids = if resource.get(field).is_many() { value.items() } else { std::slice::from_ref(value) };
            for id in ids.iter().filter(|id| !id.is_null()) {
                if !self.connection.prepare_cached(&sql)?.exists([value::keep(id)])? {
                    missing.push(field);
                    break;
                }
            }
        }
        Ok(missing)
    }

    fn create_one(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        insertion: &mut Insertion<'_>,
        record: &mut Record,
        caller: &Caller,
    ) -> Result<(), Problem> {
        let declared = catalog.schema.get(resource);
        let texts = insertion.texts;
        match record.id() {
            Value::Integer(id) if declared.identity.is_some() => {
                let brought = self.sequences.brought(self.connection, &declared.name, *id);
                brought.map_err(|error| problem(&error))?;
            }
            Value::Integer(id) => self.sequences.seen(&declared.name, *id),
            Value::Null => {
                let next = self.sequences.next_id(self.connection, &declared.name, &texts.greatest_id);
                record.values[0] = Value::Integer(next.map_err(|error| problem(&error))?);
            }
            _ => {}
        }
        record.revision = self.sequences.next_revision();
        insertion
            .insert(record)
            .and_then(|()| self.insert_many(texts, record, None))
            .map_err(|error| self.refuse(catalog, resource, record, &error))?;
        let action = Action::Created;
        let line = LogLine { resource: declared, action, caller, before: None, after: Some(record), changed: &[] };
        insertion.log.append(record.revision, &line)
    }

    fn change_one(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        texts: &ResourceStatements,
        (change, log): (&mut Change<'_>, &mut Log<'_>),
        caller: &Caller,
    ) -> Result<(), Problem> {
        let Change { before, after, fields: changed } = change;
        after.revision = self.sequences.next_revision();
        let declared = catalog.schema.get(resource);
        let mut fields: Vec<FieldIndex> =
            changed.iter().copied().filter(|field| !declared.get(*field).is_many()).collect();
        if let Some(stamp) = declared.kept(model::Origin::UpdatedAt).filter(|stamp| !fields.contains(stamp)) {
            fields.push(stamp);
        }
        let mut sql = format!("UPDATE {} SET ", quote(&declared.name));
        for (position, field) in fields.iter().enumerate() {
            sql.push_str(&format!("{} = ?{}, ", quote(&declared.get(*field).name), position + 3));
        }
        sql.push_str("_rev = ?2 WHERE id = ?1");
        let values = [value::keep(after.id()), Kept::Integer(after.revision)]
            .into_iter()
            .chain(fields.iter().map(|field| value::keep(after.get(*field))));
        self.run(&sql, values)
            .and_then(|_| self.insert_many(texts, after, Some(changed)))
            .map_err(|error| self.refuse(catalog, resource, after, &error))?;
        let action = Action::Updated;
        let line = LogLine { resource: declared, action, caller, before: Some(before), after: Some(after), changed };
        log.append(after.revision, &line)
    }

    /// The statement that writes an entry of the log.
    fn log(&self) -> Result<Log<'a>, Problem> {
        const APPEND: &str = "INSERT INTO _events \
            (seq, time, resource, action, record, revision, actor, request, changed, before, after) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?1, ?6, ?7, ?8, ?9, ?10)";
        self.connection.prepare_cached(APPEND).map(Log).map_err(|error| problem(&error))
    }
}

/// What inserts records of a resource, and their entries in the log.
struct Insertion<'a> {
    texts: &'a ResourceStatements,
    statement: CachedStatement<'a>,
    log: Log<'a>,
}

impl<'a> Insertion<'a> {
    fn prepare(transaction: &SqliteTx<'a>, texts: &'a ResourceStatements) -> Result<Self, Problem> {
        let statement = transaction.connection.prepare_cached(&texts.insert).map_err(|error| problem(&error))?;
        Ok(Self { texts, statement, log: transaction.log()? })
    }

    fn insert(&mut self, record: &Record) -> rusqlite::Result<()> {
        for (place, field) in self.texts.columns.iter().enumerate() {
            self.statement.raw_bind_parameter(place + 1, value::bind(record.get(*field)))?;
        }
        self.statement.raw_bind_parameter(self.texts.columns.len() + 1, record.revision)?;
        self.statement.raw_execute().map(|_| ())
    }
}

/// The statement that writes an entry of the log, prepared once for all that are written together.
struct Log<'a>(CachedStatement<'a>);

impl Log<'_> {
    fn append(&mut self, revision: i64, line: &LogLine<'_>) -> Result<(), Problem> {
        let appended = self.0.execute(rusqlite::params![
            revision,
            line.caller.now,
            line.resource.name,
            line.action.number(),
            line.id(),
            line.caller.identity.actor,
            &*line.caller.request_id,
            line.changed_names(),
            line.before_json(),
            line.after_json(),
        ]);
        appended.map(|_| ()).map_err(|error| problem(&error))
    }
}

impl Tx for SqliteTx<'_> {
    async fn fetch(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        id: &Value,
        _purpose: Purpose,
    ) -> Result<Option<Record>, Problem> {
        let found = self.read(catalog, resource, std::slice::from_ref(id)).map_err(|error| problem(&error))?;
        Ok(found.into_iter().next())
    }

    async fn fetch_all(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        ids: &[Value],
        _purpose: Purpose,
    ) -> Result<Vec<Record>, Problem> {
        self.read(catalog, resource, ids).map_err(|error| problem(&error))
    }

    async fn holds(
        &mut self,
        plan: &WritePlan,
        condition: &Condition,
        caller: &Caller,
        record: Option<&Record>,
        new: Option<&Record>,
    ) -> Result<bool, Problem> {
        query::holds(self.connection, plan, condition, caller, record, new).map_err(|error| problem(&error))
    }

    async fn create_all(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        records: &mut [&mut Record],
        caller: &Caller,
    ) -> Result<(), (usize, Problem)> {
        let texts = statements(catalog);
        let insertion = Insertion::prepare(self, texts.of(resource));
        let mut insertion = insertion.map_err(|problem| (0, problem))?;
        for (place, record) in records.iter_mut().enumerate() {
            let made = self.create_one(catalog, resource, &mut insertion, record, caller);
            made.map_err(|problem| (place, problem))?;
        }
        Ok(())
    }

    async fn change_all(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        changes: &mut [Change<'_>],
        caller: &Caller,
    ) -> Result<(), (usize, Problem)> {
        let texts = statements(catalog);
        let mut log = self.log().map_err(|problem| (0, problem))?;
        for (place, change) in changes.iter_mut().enumerate() {
            let made = self.change_one(catalog, resource, texts.of(resource), (change, &mut log), caller);
            made.map_err(|problem| (place, problem))?;
        }
        Ok(())
    }

    async fn remove_all(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        records: &[&Record],
        caller: &Caller,
    ) -> Result<(), Problem> {
        let declared = catalog.schema.get(resource);
        let texts = statements(catalog);
        let delete = self.connection.prepare_cached(&texts.of(resource).delete);
        let mut delete = delete.map_err(|error| problem(&error))?;
        let mut log = self.log()?;
        for record in records {
            delete.execute([value::bind(record.id())]).map_err(|error| problem(&error))?;
            let action = Action::Deleted;
            let line = LogLine { resource: declared, action, caller, before: Some(record), after: None, changed: &[] };
            let revision = self.sequences.next_revision();
            log.append(revision, &line)?;
        }
        Ok(())
    }

    async fn own(&mut self, statement: &Statement) -> Result<Outcome, Problem> {
        let outcomes = self.run_own(std::slice::from_ref(statement))?;
        Ok(outcomes.into_iter().next().unwrap_or_default())
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
            // The column's collation folds case where the field does.
            format!("{} = ?{}", quote(&declared.get(*field).name), place + 1)
        };
        let equal: Vec<String> = fields.iter().enumerate().map(equal).collect();
        let sql = format!("SELECT id FROM {} WHERE {}", quote(&declared.name), equal.join(" AND "));
        let values = fields.iter().map(|field| value::keep(record.get(*field)));
        let found = self.ids(&sql, declared.get(Resource::ID).shape, values).map_err(|error| problem(&error))?;
        Ok(found.into_iter().next())
    }

    async fn matching(&mut self, read: &Read, _purpose: Purpose, limit: u32) -> Result<Vec<Value>, Problem> {
        query::matching(self.connection, read, limit).map_err(|error| problem(&error))
    }

    /// There is one writer, so nobody comes in between.
    fn lost_race(&mut self) {}

    async fn referring(
        &mut self,
        catalog: &Catalog,
        from: ResourceIndex,
        field: FieldIndex,
        target: &Value,
        limit: u32,
    ) -> Result<Vec<Value>, Problem> {
        let referring = catalog.schema.get(from);
        let sql = if referring.get(field).is_many() {
            format!("SELECT owner FROM {} WHERE target = ?1 ORDER BY owner LIMIT ?2", join_table(referring, field))
        } else {
            let reference = column(referring, field, "r");
            format!("SELECT r.id FROM {} AS r WHERE {reference} = ?1 ORDER BY r.id LIMIT ?2", quote(&referring.name))
        };
        let shape = referring.get(Resource::ID).shape;
        self.ids(&sql, shape, [value::keep(target), Kept::Integer(i64::from(limit))]).map_err(|error| problem(&error))
    }

    async fn referred(
        &mut self,
        catalog: &Catalog,
        from: ResourceIndex,
        field: FieldIndex,
        targets: &[Value],
    ) -> Result<Vec<Value>, Problem> {
        let referring = catalog.schema.get(from);
        let (table, reference, id) = match referring.get(field).is_many() {
            true => (join_table(referring, field), "target".to_owned(), "owner"),
            false => (quote(&referring.name), quote(&referring.get(field).name), "id"),
        };
        let own = if referring.get(field).target() == Some(from) { format!(" AND {id} <> ?1") } else { String::new() };
        let sql = format!("SELECT 1 FROM {table} WHERE {reference} = ?1{own}");
        let find = || -> rusqlite::Result<Vec<Value>> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let mut found = Vec::new();
            for target in targets {
                if statement.exists([value::bind(target)])? {
                    found.push(target.clone());
                }
            }
            Ok(found)
        };
        find().map_err(|error| problem(&error))
    }

    async fn another_has_role(
        &mut self,
        catalog: &Catalog,
        people: ResourceIndex,
        fields: PersonFields,
        roles: &[String],
        except: &Value,
    ) -> Result<bool, Problem> {
        // The writer is one thread, so nobody else can ask meanwhile.
        let declared = catalog.schema.get(people);
        let wanted: Vec<String> = (0..roles.len()).map(|position| format!("?{}", position + 2)).collect();
        let sql = format!(
            "SELECT 1 FROM {} AS p WHERE p.id <> ?1 AND NOT {} \
             AND EXISTS (SELECT 1 FROM json_each({}) WHERE value IN ({})) LIMIT 1",
            quote(&declared.name),
            column(declared, fields.disabled, "p"),
            column(declared, fields.roles, "p"),
            wanted.join(", ")
        );
        let values = std::iter::once(value::keep(except)).chain(roles.iter().map(|role| Kept::Text(role.clone())));
        let found = || self.connection.prepare_cached(&sql)?.exists(params_from_iter(values));
        found().map_err(|error| problem(&error))
    }

    async fn unlink(
        &mut self,
        catalog: &Catalog,
        resource: ResourceIndex,
        field: FieldIndex,
        id: &Value,
    ) -> Result<(), Problem> {
        let declared = catalog.schema.get(resource);
        let to = if declared.get(field).required { "id" } else { "NULL" };
        let sql =
            format!("UPDATE {} SET {} = {to} WHERE id = ?1", quote(&declared.name), quote(&declared.get(field).name));
        self.run(&sql, [value::keep(id)]).map(|_| ()).map_err(|error| problem(&error))
    }
}
