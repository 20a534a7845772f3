//! Plans as PostgreSQL runs them, and rows as bytes of an answer.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use model::{Caller, Field, Problem, Record, Value};
use parking_lot::Mutex;
use rules::{
    Condition, Type,
    plan::{Read, ReadPlan, WritePlan},
};
use sql::{Bind, Columns, Facts, Layout, Page, Select};
use store::{Found, Judged, Judgement, Listed};
use tokio_postgres::{Error, Row};

use crate::{
    connection::{Bounds, Connections, SNAPSHOT, Step, Text},
    dialect::Postgres,
    fault::problem,
    parameter::Parameter,
    shared_reads::{Shareable, SharedReads},
    value,
};

mod growing;

use growing::Growing;

/// A statement, and what its parameters stand for after those of its own.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) shared: Arc<Shareable>,
    binds: Vec<Bind>,
}

/// What a read plan becomes.
#[derive(Debug)]
pub(crate) struct ReadStatements {
    one: Statement,
    pub(crate) list: Statement,
    first_pages: FirstPages,
    count: Statement,
    expands: Vec<Statement>,
    pub(crate) layout: Layout,
}

/// What of a write plan is judged by the database: by the address of the condition within the plan, and by which of
/// `record` and `new` there are.
#[derive(Debug, Default)]
struct Questions(Mutex<HashMap<(usize, bool, bool), Arc<Statement>>>);

impl From<sql::Statement> for Statement {
    fn from(made: sql::Statement) -> Self {
        let types = made.own.iter().chain(made.binds.iter().map(Bind::r#type)).map(value::bound_type).collect();
        Self { shared: Arc::new(Text { sql: made.text, types }.into()), binds: made.binds }
    }
}

impl Statement {
    pub(crate) fn text(&self) -> &Text {
        &self.shared.text
    }

    pub(crate) fn values(&self, own: &[Value], facts: &Facts<'_>) -> Vec<Parameter> {
        let own = own.iter().cloned().map(Parameter);
        own.chain(self.binds.iter().map(|bind| Parameter(bind.resolve(facts)))).collect()
    }
}

impl ReadStatements {
    fn new(plan: &ReadPlan) -> Self {
        let Select { one, list, unlimited, count, expands, layout } = Select::new(plan, &Postgres);
        let expands = expands.into_iter().map(Statement::from).collect();
        let first_pages = FirstPages { unlimited, made: Default::default() };
        Self { one: one.into(), list: list.into(), first_pages, count: count.into(), expands, layout }
    }

    /// The statement for a page, whose values are those of `list`.
    fn page(&self, page: &rules::plan::Page) -> &Arc<Shareable> {
        let known = COMMON_LIMITS.iter().position(|limit| *limit == page.limit && page.offset == 0);
        let Some(place) = known else { return &self.list.shared };
        self.first_pages.made[place].get_or_init(|| {
            let sql = format!("{} LIMIT {}", self.first_pages.unlimited, i64::from(page.limit) + 1);
            Arc::new(Text { sql, types: self.list.text().types.clone() }.into())
        })
    }
}

/// The limits that clients mostly give: few, since each makes a statement that connections keep.
const COMMON_LIMITS: [u32; 8] = [1, 5, 10, 20, 25, 50, 100, 200];

/// Pages that begin at the beginning, with their limit in the text: PostgreSQL then knows how few rows are wanted when it makes a
/// plan for all values, and need not make one for each (it expects a tenth of all rows where the limit is a parameter).
#[derive(Debug)]
struct FirstPages {
    unlimited: String,
    made: [OnceLock<Arc<Shareable>>; COMMON_LIMITS.len()],
}

/// A row as answers are made of it.
pub(crate) struct Cells<'a>(pub(crate) &'a Row);

impl Columns for Cells<'_> {
    type Error = Error;

    fn write(&self, field: &Field, position: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        value::encode(field, self.0, position, out)
    }

    fn truth(&self, position: usize) -> Result<bool, Error> {
        Ok(self.0.try_get::<_, Option<bool>>(position)?.unwrap_or(false))
    }

    fn value(&self, of: &Type, position: usize) -> Result<Value, Error> {
        value::read_typed(of, self.0, position)
    }
}

pub(crate) fn statements(plan: &ReadPlan) -> Arc<ReadStatements> {
    plan.prepared.get_or_make(|| ReadStatements::new(plan))
}

/// One record by its id.
pub(crate) async fn get(reads: &SharedReads, read: &Read, id: &Value) -> Result<Option<Found>, Problem> {
    let made = statements(&read.plan);
    let first =
        || Step { text: made.one.text(), values: made.one.values(std::slice::from_ref(id), &Facts::of_read(read)) };
    if !made.layout.expands.is_empty() {
        let mut growing = Growing::new(&made, read, false, || vec![first()]);
        reads.connections().converse(&mut growing).await?;
        return growing.into_found();
    }
    let rows = reads.rows(&made.one.shared, first().values).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let found = || -> Result<Found, Error> {
        let mut body = Vec::with_capacity(256);
        let mask = made.layout.encode(&Cells(row), &mut body)?;
        Ok(Found { body, revision: row.try_get(made.layout.revision)?, mask })
    };
    found().map(Some).map_err(|error| problem(&error))
}

/// A page of records, with what is expanded in them, and how many there are in all where asked: of one state of the
/// database.
pub(crate) async fn list(reads: &SharedReads, read: &Read) -> Result<Listed, Problem> {
    let made = statements(&read.plan);
    let statement = made.page(&read.page);
    let values = || {
        let own = [Value::Integer(i64::from(read.page.limit) + 1), Value::Integer(i64::from(read.page.offset))];
        made.list.values(&own, &Facts::of_read(read))
    };
    if made.layout.expands.is_empty() && !read.page.count {
        let results = [reads.rows(statement, values()).await?];
        return page(&made.layout, &results, read).map(listed).map_err(|error| problem(&error));
    }
    let first = || {
        let mut steps = vec![Step { text: &statement.text, values: values() }];
        if read.page.count {
            steps.push(Step { text: made.count.text(), values: made.count.values(&[], &Facts::of_read(read)) });
        }
        steps
    };
    if !made.layout.expands.is_empty() {
        let mut growing = Growing::new(&made, read, true, first);
        reads.connections().converse(&mut growing).await?;
        return growing.into_listed();
    }
    let results = reads.connections().read(first(), Bounds { begin: Some(SNAPSHOT), commit: true }).await?;
    page(&made.layout, &results, read).map(listed).map_err(|error| problem(&error))
}

/// The page in the results of a list, and of a count where it was asked.
fn page<'a>(layout: &'a Layout, results: &[Vec<Row>], read: &Read) -> Result<(Page<'a>, Option<u64>), Error> {
    let mut page = Page::new(layout, read.page.limit);
    for row in results.first().into_iter().flatten() {
        if !page.take(&Cells(row))? {
            break;
        }
    }
    let count = results.get(1).and_then(|rows| rows.first());
    let count = count.map(|row| row.try_get::<_, i64>(0)).transpose()?;
    Ok((page, count.map(|count| count as u64)))
}

fn listed((page, count): (Page<'_>, Option<u64>)) -> Listed {
    Listed { items: page.items, length: page.length, next: page.next, count }
}

/// The ids of the records that a read means, in order, with a lock of this strength where one is named.
pub(crate) fn matching(read: &Read, lock: Option<&str>, limit: u32) -> (Text, Vec<Parameter>) {
    let statement = Statement::from(sql::matching(&read.plan, &Postgres, lock));
    let values = statement.values(&[Value::Integer(i64::from(limit))], &Facts::of_read(read));
    (statement.text().clone(), values)
}

/// The question whether a condition holds about records in memory, against the data as it is.
pub(crate) fn question(
    plan: &WritePlan,
    condition: &Condition,
    record: Option<&Record>,
    new: Option<&Record>,
) -> Arc<Statement> {
    let questions = plan.prepared.get_or_make(Questions::default);
    let key = (std::ptr::from_ref(condition) as usize, record.is_some(), new.is_some());
    if let Some(known) = questions.0.lock().get(&key) {
        return Arc::clone(known);
    }
    let made = sql::Statement::question(&plan.catalog, &Postgres, condition, record, new);
    let statement = Arc::new(Statement::from(made));
    questions.0.lock().insert(key, Arc::clone(&statement));
    statement
}

/// The verdict in the rows of a [`question`]; null is no.
pub(crate) fn verdict(rows: &[Row]) -> Result<bool, Error> {
    let Some(row) = rows.first() else { return Ok(false) };
    Ok(row.try_get::<_, Option<bool>>(0)?.unwrap_or(false))
}

/// What is bound in a [`question`].
pub(crate) fn question_facts<'a>(caller: &'a Caller, record: Option<&'a Record>, new: Option<&'a Record>) -> Facts<'a> {
    Facts { caller: Some(caller), inputs: &[], record, new }
}

/// Answers the questions about one record at hand, in one round trip.
pub(crate) async fn judge(connections: &Connections, judgement: &Judgement) -> Result<Judged, Problem> {
    let facts = Facts {
        caller: Some(&judgement.caller),
        inputs: &judgement.inputs,
        record: Some(&judgement.record),
        new: judgement.new.as_deref(),
    };
    let statement = |condition: &Condition| {
        let (record, new) = (facts.record, facts.new);
        Statement::from(sql::Statement::question(&judgement.catalog, &Postgres, condition, record, new))
    };
    let conditions = judgement.view.fields.iter().filter_map(|seen| seen.condition.as_ref());
    let statements: Vec<Statement> = std::iter::once(&judgement.condition).chain(conditions).map(statement).collect();
    let steps = statements.iter().map(|made| Step { text: made.text(), values: made.values(&[], &facts) }).collect();
    let results = connections.read(steps, Bounds::default()).await?;
    let verdicts: Result<Vec<bool>, Error> = results.iter().map(|rows| verdict(rows)).collect();
    let mut verdicts = verdicts.map_err(|error| problem(&error))?.into_iter();
    let visible = verdicts.next().unwrap_or(false);
    let fields = judgement
        .view
        .fields
        .iter()
        .map(|seen| visible && (seen.condition.is_none() || verdicts.next().unwrap_or(false)));
    Ok(Judged { visible, fields: fields.collect() })
}

#[cfg(test)]
mod tests;
