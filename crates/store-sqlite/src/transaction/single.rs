//! One record written, with its entry in the log, and what a failure of that means.

use model::{Action, Caller, FieldIndex, Problem, Record, Resource, ResourceIndex, Value};
use rules::Catalog;
use rusqlite::{CachedStatement, types::Value as Kept};
use store::{Change, LogLine, refusal};

use super::SqliteTx;
use crate::{
    fault::{self, Constraint, problem},
    statements::{ResourceStatements, quote},
    value,
};

/// What inserts records of a resource, and their entries in the log.
pub(super) struct Insertion<'a> {
    texts: &'a ResourceStatements,
    statement: CachedStatement<'a>,
    log: Log<'a>,
}

impl<'a> Insertion<'a> {
    pub(super) fn prepare(transaction: &SqliteTx<'a>, texts: &'a ResourceStatements) -> Result<Self, Problem> {
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
pub(super) struct Log<'a>(CachedStatement<'a>);

impl Log<'_> {
    pub(super) fn append(&mut self, revision: i64, line: &LogLine<'_>) -> Result<(), Problem> {
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

impl<'a> SqliteTx<'a> {
    pub(super) fn create_one(
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

    pub(super) fn change_one(
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
    pub(super) fn log(&self) -> Result<Log<'a>, Problem> {
        const APPEND: &str = "INSERT INTO _events \
            (seq, time, resource, action, record, revision, actor, request, changed, before, after) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?1, ?6, ?7, ?8, ?9, ?10)";
        self.connection.prepare_cached(APPEND).map(Log).map_err(|error| problem(&error))
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
}
