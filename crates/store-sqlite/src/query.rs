//! Plans as SQL, and rows as bytes of an answer.

use std::{collections::HashMap, sync::Arc};

use model::{Caller, Field, FieldIndex, Record, Resource, Value, json};
use parking_lot::Mutex;
use rules::{
    Catalog, Condition, Expression, Type,
    expression::{Node, Root},
    plan::{Read, ReadPlan, View, WritePlan},
};
use rusqlite::{Connection, Row, params_from_iter, types::Value as Kept};
use sql::{Bind, Facts, Lowering, RowSource};
use store::{Found, Judged, Judgement, Listed};

use crate::{
    dialect::{self, Sqlite},
    statements::{column, quote},
    value,
};

/// The name of the row in scope.
const ROW: &str = "r";

/// A statement, and what its parameters stand for after those of its own.
#[derive(Debug)]
struct Statement {
    sql: String,
    binds: Vec<Bind>,
}

/// What a read plan becomes.
#[derive(Debug)]
struct ReadStatements {
    /// `?1` is the id.
    one: Statement,
    /// `?1` is the limit, `?2` the offset.
    list: Statement,
    count: Statement,
    fields: Vec<Selected>,
    /// The types of the sort keys, and in which columns they stand.
    keys: Vec<(Type, usize)>,
}

/// One field of the answer.
#[derive(Debug)]
struct Selected {
    /// `"name":`
    label: Vec<u8>,
    field: Field,
    /// Where the verdict of its condition stands, if it has one.
    verdict: Option<usize>,
}

/// What of a write plan is judged by the database: by the address of the condition within the plan, and by which of
/// `record` and `new` there are.
#[derive(Debug, Default)]
struct Questions(Mutex<HashMap<(usize, bool, bool), Arc<Statement>>>);

fn lowering(catalog: &Catalog) -> Lowering<'_> {
    Lowering::new(&catalog.schema, &Sqlite)
}

fn prepare(plan: &ReadPlan) -> ReadStatements {
    let catalog = &*plan.catalog;
    let resource = catalog.schema.get(plan.resource);
    let table = quote(&resource.name);
    let row = || RowSource::Alias(ROW.to_owned());
    let fields = selected(resource, &plan.view);
    let columns: Vec<String> = plan.view.fields.iter().map(|seen| column(resource, seen.field, ROW)).collect();

    let head = |lowering: &mut Lowering<'_>| {
        let verdicts = plan.view.fields.iter().filter_map(|seen| seen.condition.as_ref());
        let verdicts: Vec<String> =
            verdicts.map(|condition| format!(", ({})", lowering.condition(condition))).collect();
        format!("SELECT {}{}, {ROW}._rev", columns.join(", "), verdicts.concat())
    };

    let mut one = lowering(catalog).after_parameters(1).row(Root::Record, row());
    let select = head(&mut one);
    let condition = one.condition(&plan.condition);
    let sql = format!("{select} FROM {table} AS {ROW} WHERE {ROW}.id = ?1 AND {condition}");
    let one = Statement { sql, binds: one.into_binds() };

    let mut list = lowering(catalog).after_parameters(2).row(Root::Record, row());
    let select = head(&mut list);
    let mut keys = String::new();
    let mut order = Vec::new();
    let mut places = Vec::new();
    let mut further = plan.view.fields.len() + fields.iter().filter(|selected| selected.verdict.is_some()).count() + 1;
    for key in &plan.sort {
        let text = list.expression(&key.expression);
        let answered = plan.view.fields.iter().position(|seen| is_field(&key.expression, seen.field));
        let place = answered.unwrap_or_else(|| {
            keys.push_str(&format!(", {text}"));
            further += 1;
            further - 1
        });
        places.push((key.expression.r#type.clone(), place));
        let collation = if key.expression.r#type == (Type::Text { fold_case: true }) { " COLLATE NOCASE" } else { "" };
        order.push(format!("{text}{collation}{}", if key.descending { " DESC" } else { "" }));
    }
    let condition = list.condition(&plan.condition);
    let sql = format!(
        "{select}{keys} FROM {table} AS {ROW} WHERE {condition} ORDER BY {} LIMIT ?1 OFFSET ?2",
        if order.is_empty() { format!("{ROW}.id") } else { order.join(", ") }
    );
    let list = Statement { sql, binds: list.into_binds() };

    let mut count = lowering(catalog).row(Root::Record, row());
    let condition = count.condition(&plan.counted);
    let sql = format!("SELECT count(*) FROM {table} AS {ROW} WHERE {condition}");
    let count = Statement { sql, binds: count.into_binds() };

    ReadStatements { one, list, count, fields, keys: places }
}

/// Whether a sort key is the plain value of a field, so that the answer's column serves both.
fn is_field(key: &Expression, field: FieldIndex) -> bool {
    matches!(&key.node, Node::Field { anchor, field: own, path, .. }
        if *own == field && anchor.root == Root::Record && anchor.steps.is_empty() && path.is_empty())
}

fn selected(resource: &Resource, view: &View) -> Vec<Selected> {
    let mut verdict = view.fields.len();
    view.fields
        .iter()
        .map(|seen| {
            let field = resource.get(seen.field).clone();
            let mut label = Vec::new();
            json::write_string(&field.name, &mut label);
            label.push(b':');
            let verdict = seen.condition.as_ref().map(|_| {
                verdict += 1;
                verdict - 1
            });
            Selected { label, field, verdict }
        })
        .collect()
}

impl ReadStatements {
    fn revision(&self) -> usize {
        self.fields.len() + self.fields.iter().filter(|selected| selected.verdict.is_some()).count()
    }

    /// Appends a row as an object; returns which of the fields with a condition are open.
    fn encode(&self, row: &Row<'_>, out: &mut Vec<u8>) -> rusqlite::Result<u64> {
        let mut mask = 0;
        let mut conditional = 0;
        let mut separator = b'{';
        for (position, selected) in self.fields.iter().enumerate() {
            if let Some(verdict) = selected.verdict {
                let open = row.get::<_, Option<bool>>(verdict)?.unwrap_or(false);
                mask |= u64::from(open) << (conditional % 64);
                conditional += 1;
                if !open {
                    continue;
                }
            }
            out.push(separator);
            separator = b',';
            out.extend_from_slice(&selected.label);
            value::encode(&selected.field, row.get_ref(position)?, out);
        }
        if separator == b'{' {
            out.push(b'{');
        }
        out.push(b'}');
        Ok(mask)
    }
}

fn values(binds: &[Bind], facts: &Facts<'_>) -> impl Iterator<Item = Kept> {
    binds.iter().map(|bind| dialect::encode(&bind.resolve(facts), bind.r#type()))
}

fn facts(read: &Read) -> Facts<'_> {
    Facts { caller: Some(&read.caller), inputs: &read.inputs, ..Facts::default() }
}

fn statements(plan: &ReadPlan) -> Arc<ReadStatements> {
    plan.prepared.get_or_make(|| prepare(plan))
}

/// One record by its id.
pub(crate) fn get(connection: &Connection, read: &Read, id: &Value) -> rusqlite::Result<Option<Found>> {
    let made = statements(&read.plan);
    let mut statement = connection.prepare_cached(&made.one.sql)?;
    let facts = facts(read);
    let parameters = std::iter::once(value::keep(id)).chain(values(&made.one.binds, &facts));
    let mut rows = statement.query(params_from_iter(parameters))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut body = Vec::with_capacity(256);
    let mask = made.encode(row, &mut body)?;
    Ok(Some(Found { body, revision: row.get(made.revision())?, mask }))
}

/// A page of records, and how many there are in all where asked: both of one state of the database.
pub(crate) fn list(connection: &Connection, read: &Read) -> rusqlite::Result<Listed> {
    if !read.page.count {
        return page(connection, read);
    }
    let snapshot = connection.unchecked_transaction()?;
    let mut listed = page(&snapshot, read)?;
    let made = statements(&read.plan);
    let facts = facts(read);
    let mut statement = snapshot.prepare_cached(&made.count.sql)?;
    let count: i64 = statement.query_row(params_from_iter(values(&made.count.binds, &facts)), |row| row.get(0))?;
    listed.count = Some(count as u64);
    Ok(listed)
}

fn page(connection: &Connection, read: &Read) -> rusqlite::Result<Listed> {
    let made = statements(&read.plan);
    let mut statement = connection.prepare_cached(&made.list.sql)?;
    let facts = facts(read);
    // One more than is answered says whether there is a next page.
    let own = [Kept::Integer(i64::from(read.page.limit) + 1), Kept::Integer(i64::from(read.page.offset))];
    let parameters = own.into_iter().chain(values(&made.list.binds, &facts));
    let mut rows = statement.query(params_from_iter(parameters))?;
    let mut listed = Listed { items: Vec::with_capacity(2048), ..Listed::default() };
    let last = read.page.limit as usize;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        if listed.length == last {
            listed.next = Some(std::mem::take(&mut keys));
            break;
        }
        if listed.length > 0 {
            listed.items.push(b',');
        }
        made.encode(row, &mut listed.items)?;
        listed.length += 1;
        if listed.length == last {
            for (of, place) in &made.keys {
                keys.push(value::read_typed(of, row.get_ref(*place)?));
            }
        }
    }
    Ok(listed)
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
            let mut made = lowering(&plan.catalog);
            if record.is_some() {
                made = made.row(Root::Record, RowSource::Bound);
            }
            if new.is_some() {
                made = made.row(Root::New, RowSource::Bound);
            }
            let text = made.condition(condition).to_string();
            let statement = Arc::new(Statement { sql: format!("SELECT ({text})"), binds: made.into_binds() });
            questions.0.lock().insert(key, Arc::clone(&statement));
            statement
        }
    };
    let facts = Facts { caller: Some(caller), inputs: &[], record, new };
    ask(connection, &statement, &facts)
}

fn ask(connection: &Connection, statement: &Statement, facts: &Facts<'_>) -> rusqlite::Result<bool> {
    let mut prepared = connection.prepare_cached(&statement.sql)?;
    let verdict: Option<bool> =
        prepared.query_row(params_from_iter(values(&statement.binds, facts)), |row| row.get(0))?;
    Ok(verdict.unwrap_or(false))
}

/// Answers the questions about one record at hand.
pub(crate) fn judge(connection: &Connection, judgement: &Judgement) -> rusqlite::Result<Judged> {
    let facts = Facts {
        caller: Some(&judgement.caller),
        inputs: &judgement.inputs,
        record: Some(&judgement.record),
        new: None,
    };
    let question = |condition: &Condition| {
        let mut made = lowering(&judgement.catalog).row(Root::Record, RowSource::Bound);
        let text = made.condition(condition).to_string();
        ask(connection, &Statement { sql: format!("SELECT ({text})"), binds: made.into_binds() }, &facts)
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
