//! Plans as SQLite runs them, and rows as bytes of an answer.

use std::{collections::HashMap, sync::Arc};

use model::{Caller, Field, Record, Resource, Value};
use parking_lot::Mutex;
use rules::{
    Condition, Type,
    export::Form,
    plan::{Read, ReadPlan, WritePlan},
};
use rusqlite::{Connection, Row, params_from_iter, types::Value as Kept};
use sql::{
    Columns, Facts, Lines, Page, Select, Statement,
    tree::{Refused, TooMuch, Tree},
};
use store::{Found, Judged, Judgement, Listed};

use crate::{
    dialect::{self, Sqlite},
    value,
};

/// What of a write plan is judged by the database: by the address of the condition within the plan, and by which of
/// `record` and `new` there are.
#[derive(Debug, Default)]
struct Questions(Mutex<HashMap<(usize, bool, bool), Arc<Statement>>>);

/// A row as answers are made of it.
struct Cells<'a, 'b>(&'a Row<'b>);

impl Columns for Cells<'_, '_> {
    type Error = rusqlite::Error;

    fn write(&self, field: &Field, position: usize, out: &mut Vec<u8>) -> rusqlite::Result<()> {
        value::encode(field, self.0.get_ref(position)?, out);
        Ok(())
    }

    fn truth(&self, position: usize) -> rusqlite::Result<bool> {
        Ok(self.0.get::<_, Option<bool>>(position)?.unwrap_or(false))
    }

    fn value(&self, of: &Type, position: usize) -> rusqlite::Result<Value> {
        Ok(value::read_typed(of, self.0.get_ref(position)?))
    }
}

fn values<'a>(statement: &'a Statement, facts: &'a Facts<'a>) -> impl Iterator<Item = Kept> {
    statement.values(facts).map(|(value, of)| dialect::encode(&value, of))
}

fn select(plan: &ReadPlan) -> Arc<Select> {
    plan.prepared.get_or_make(|| Select::new(plan, &Sqlite))
}

/// A read's answer; or its expansions are more than one answer may hold.
pub(crate) type Grown<T> = Result<T, TooMuch>;

/// One record by its id.
pub(crate) fn get(connection: &Connection, read: &Read, id: &Value) -> rusqlite::Result<Grown<Option<Found>>> {
    let made = select(&read.plan);
    if made.layout.expands.is_empty() {
        return Ok(Ok(get_one(connection, read, &made, id, None)?));
    }
    let snapshot = connection.unchecked_transaction()?;
    let mut tree = Tree::new(&made.layout);
    let Some(mut found) = get_one(&snapshot, read, &made, id, Some(&mut tree))? else { return Ok(Ok(None)) };
    if let Err(too_much) = grow(&snapshot, read, &made, &mut tree)? {
        return Ok(Err(too_much));
    }
    Ok(tree.write(0, &mut found.body).map(|()| Some(found)))
}

fn get_one<'a>(
    connection: &Connection,
    read: &Read,
    made: &'a Select,
    id: &Value,
    tree: Option<&mut Tree<'a>>,
) -> rusqlite::Result<Option<Found>> {
    let mut statement = connection.prepare_cached(&made.one.text)?;
    let facts = Facts::of_read(read);
    let parameters = std::iter::once(value::keep(id)).chain(values(&made.one, &facts));
    let mut rows = statement.query(params_from_iter(parameters))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut body = Vec::with_capacity(256);
    let mask = match tree {
        Some(tree) => tree.take(&Cells(row))?,
        None => made.layout.encode(&Cells(row), &mut body)?,
    };
    Ok(Some(Found { body, revision: row.get(made.layout.revision)?, mask }))
}

/// A page of records, with what is expanded in them, and how many there are in all where asked: of one state of the
/// database.
pub(crate) fn list(connection: &Connection, read: &Read) -> rusqlite::Result<Grown<Listed>> {
    let made = select(&read.plan);
    let expands = !made.layout.expands.is_empty();
    let snapshot = if read.page.count || expands { Some(connection.unchecked_transaction()?) } else { None };
    let mut page = page(connection, read, &made)?;
    if let Some(tree) = &mut page.tree
        && let Err(too_much) = grow(connection, read, &made, tree)?
    {
        return Ok(Err(too_much));
    }
    let page = match page.finish() {
        Ok(page) => page,
        Err(too_much) => return Ok(Err(too_much)),
    };
    let mut listed = Listed { items: page.items, length: page.length, next: page.next, count: None };
    if read.page.count {
        let facts = Facts::of_read(read);
        let mut statement = connection.prepare_cached(&made.count.text)?;
        let count: i64 = statement.query_row(params_from_iter(values(&made.count, &facts)), |row| row.get(0))?;
        listed.count = Some(count as u64);
    }
    drop(snapshot);
    Ok(Ok(listed))
}

fn page<'a>(connection: &Connection, read: &Read, made: &'a Select) -> rusqlite::Result<Page<'a>> {
    let mut statement = connection.prepare_cached(&made.list.text)?;
    let facts = Facts::of_read(read);
    // One more than is answered says whether there is a next page.
    let own = [Kept::Integer(i64::from(read.page.limit) + 1), Kept::Integer(i64::from(read.page.offset))];
    let mut rows = statement.query(params_from_iter(own.into_iter().chain(values(&made.list, &facts))))?;
    let mut page = Page::new(&made.layout, read.page.limit);
    while let Some(row) = rows.next()? {
        if !page.take(&Cells(row))? {
            break;
        }
    }
    Ok(page)
}

/// Reads what is expanded, one statement an expansion.
fn grow(connection: &Connection, read: &Read, made: &Select, tree: &mut Tree<'_>) -> rusqlite::Result<Grown<()>> {
    let facts = Facts::of_read(read);
    loop {
        let questions = tree.questions();
        if questions.is_empty() {
            return Ok(Ok(()));
        }
        for question in &questions {
            let statement = &made.expands[question.statement];
            let mut prepared = connection.prepare_cached(&statement.text)?;
            let own = question.own.iter().zip(&statement.own).map(|(value, of)| dialect::encode(value, of));
            let mut rows = prepared.query(params_from_iter(own.chain(values(statement, &facts))))?;
            while let Some(row) = rows.next()? {
                match tree.answer(question, &Cells(row)) {
                    Ok(()) => {}
                    Err(Refused::Row(error)) => return Err(error),
                    Err(Refused::TooMuch) => return Ok(Err(TooMuch)),
                }
            }
        }
    }
}

/// All records of a list as lines, piece by piece; the last piece, or none where `put` takes no more.
pub(crate) fn stream(
    connection: &Connection,
    read: &Read,
    form: Form,
    put: &mut dyn FnMut(Vec<u8>, u64) -> bool,
) -> rusqlite::Result<Option<(Vec<u8>, u64)>> {
    let made = select(&read.plan);
    let mut statement = connection.prepare(&made.list.text)?;
    let facts = Facts::of_read(read);
    let own = [Kept::Integer(i64::from(read.page.limit)), Kept::Integer(i64::from(read.page.offset))];
    let mut rows = statement.query(params_from_iter(own.into_iter().chain(values(&made.list, &facts))))?;
    let mut lines = Lines::new(&made.layout, form);
    while let Some(row) = rows.next()? {
        if lines.take(&Cells(row))? {
            let (bytes, records) = lines.cut();
            if !put(bytes, records) {
                return Ok(None);
            }
        }
    }
    Ok(Some(lines.cut()))
}

/// The ids of the records that a read means, in order.
pub(crate) fn matching(connection: &Connection, read: &Read, limit: u32) -> rusqlite::Result<Vec<Value>> {
    let made = sql::matching(&read.plan, &Sqlite, None);
    let facts = Facts::of_read(read);
    let parameters = std::iter::once(Kept::Integer(i64::from(limit))).chain(values(&made, &facts));
    let shape = read.plan.catalog.schema.get(read.plan.resource).get(Resource::ID).shape;
    let mut statement = connection.prepare_cached(&made.text)?;
    let rows =
        statement.query_map(params_from_iter(parameters), |row| Ok(value::read(shape, false, row.get_ref(0)?)))?;
    rows.collect()
}

/// Judges a condition about records in memory, against the data as it is.
pub(crate) fn holds(
    connection: &Connection,
    plan: &WritePlan,
    condition: &Condition,
    caller: &Caller,
    record: Option<&Record>,
    new: Option<&Record>,
) -> rusqlite::Result<bool> {
    let questions = plan.prepared.get_or_make(Questions::default);
    let key = (std::ptr::from_ref(condition) as usize, record.is_some(), new.is_some());
    let known = questions.0.lock().get(&key).cloned();
    let statement = match known {
        Some(statement) => statement,
        None => {
            let statement = Arc::new(Statement::question(&plan.catalog, &Sqlite, condition, record, new));
            questions.0.lock().insert(key, Arc::clone(&statement));
            statement
        }
    };
    let facts = Facts { caller: Some(caller), inputs: &[], record, new };
    ask(connection, &statement, &facts)
}

fn ask(connection: &Connection, statement: &Statement, facts: &Facts<'_>) -> rusqlite::Result<bool> {
    let mut prepared = connection.prepare_cached(&statement.text)?;
    let verdict: Option<bool> = prepared.query_row(params_from_iter(values(statement, facts)), |row| row.get(0))?;
    Ok(verdict.unwrap_or(false))
}

/// Answers the questions about one record at hand.
pub(crate) fn judge(connection: &Connection, judgement: &Judgement) -> rusqlite::Result<Judged> {
    let facts = Facts {
        caller: Some(&judgement.caller),
        inputs: &judgement.inputs,
        record: Some(&judgement.record),
        new: judgement.new.as_deref(),
    };
    let question = |condition: &Condition| {
        let (record, new) = (facts.record, facts.new);
        ask(connection, &Statement::question(&judgement.catalog, &Sqlite, condition, record, new), &facts)
    };
    let visible = question(&judgement.condition)?;
    let mut fields = Vec::with_capacity(judgement.view.fields.len());
    for seen in &judgement.view.fields {
        fields.push(match &seen.condition {
            Some(condition) => visible && question(condition)?,
            None => visible,
        });
    }
    Ok(Judged { visible, fields })
}
