//! The write path's transaction, on the writer's connection.

mod single;

use std::sync::Arc;

use model::{Action, Caller, FieldIndex, Problem, Record, Resource, ResourceIndex, Value, identity::PersonFields};
use rules::{
    Catalog, Condition,
    plan::{Read, WritePlan},
};
use rusqlite::{Connection, params_from_iter, types::Value as Kept};
use store::{Change, LogLine, Outcome, Purpose, Statement, Tx};

use crate::{
    fault::problem,
    own, query,
    sequence::Sequences,
    statements::{Statements, column, place_of, quote},
    value,
};

use single::Insertion;

/// An open transaction of the writer.
pub(crate) struct SqliteTx<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) sequences: &'a mut Sequences,
}

fn statements(catalog: &Catalog) -> Arc<Statements> {
    catalog.prepared.get_or_make(|| Statements::new(&catalog.schema))
}

impl SqliteTx<'_> {
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

    /// The writer is one thread: nobody else is there to wait for.
    async fn lock(&mut self, _: &Catalog, _: ResourceIndex, _: &[Value], _: Purpose) -> Result<(), Problem> {
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

    async fn referred(
        &mut self,
        catalog: &Catalog,
        from: ResourceIndex,
        field: FieldIndex,
        targets: &[Value],
    ) -> Result<Vec<Value>, Problem> {
        let referring = catalog.schema.get(from);
        let (table, reference, id) = place_of(referring, field);
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
        let wanted: Vec<String> = (0..targets.len()).map(|position| format!("?{}", position + 2)).collect();
        let wanted = wanted.join(", ");
        let itself = referring.get(field).target() == Some(from);
        let own = if itself { format!(" AND {id} NOT IN ({wanted})") } else { String::new() };
        let sql =
            format!("SELECT DISTINCT {id} FROM {table} WHERE {reference} IN ({wanted}){own} ORDER BY {id} LIMIT ?1");
        let shape = referring.get(Resource::ID).shape;
        let values = std::iter::once(Kept::Integer(i64::from(limit))).chain(targets.iter().map(value::keep));
        self.ids(&sql, shape, values).map_err(|error| problem(&error))
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
