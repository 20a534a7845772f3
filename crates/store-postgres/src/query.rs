//! Plans as SQL, and rows as bytes of an answer.

use std::{collections::HashMap, sync::Arc};

use model::{Caller, Field, Record, Resource, Value, json};
use parking_lot::Mutex;
use rules::{
    Catalog, Condition, Type,
    expression::{Node, Root},
    plan::{Read, ReadPlan, SortKey, View, WritePlan},
};
use sql::{Bind, Facts, Lowering, RowSource};
use store::{Found, Judged, Judgement, Listed};
use tokio_postgres::{Error, Row, types::Type as Kept};

use crate::{
    connection::{Bounds, Connections, Step, Text},
    dialect::Postgres,
    fault::problem,
    migrate::ddl::quote,
    parameter::Parameter,
    statements::column,
    value,
};

/// The name of the row in scope.
const ROW: &str = "r";

/// A statement, and what its parameters stand for after those of its own.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) text: Text,
    binds: Vec<Bind>,
}

/// What a read plan becomes.
#[derive(Debug)]
struct ReadStatements {
    /// `$1` is the id.
    one: Statement,
    /// `$1` is the limit, `$2` the offset.
    list: Statement,
    count: Statement,
    fields: Vec<Selected>,
    /// The types of the sort keys, which follow the revision.
    keys: Vec<Type>,
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

impl Statement {
    fn new(sql: String, own: &[Kept], lowering: Lowering<'_>) -> Self {
        let binds = lowering.into_binds();
        let types = own.iter().cloned().chain(binds.iter().map(|bind| value::bound_type(bind.r#type()))).collect();
        Self { text: Text { sql, types }, binds }
    }

    pub(crate) fn values(&self, own: &[Value], facts: &Facts<'_>) -> Vec<Parameter> {
        let own = own.iter().cloned().map(Parameter);
        own.chain(self.binds.iter().map(|bind| Parameter(bind.resolve(facts)))).collect()
    }
}

fn lowering(catalog: &Catalog) -> Lowering<'_> {
    Lowering::new(&catalog.schema, &Postgres)
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
        format!("SELECT {}{}, {ROW}.\"_rev\"", columns.join(", "), verdicts.concat())
    };

    let mut one = lowering(catalog).after_parameters(1).row(Root::Record, row());
    let select = head(&mut one);
    let condition = one.condition(&plan.condition);
    let sql = format!("{select} FROM {table} AS {ROW} WHERE {ROW}.\"id\" = $1 AND {condition}");
    let one = Statement::new(sql, &[value::shape_type(resource.get(Resource::ID).shape)], one);

    let mut list = lowering(catalog).after_parameters(2).row(Root::Record, row());
    let select = head(&mut list);
    let mut keys = String::new();
    let mut order = Vec::new();
    for key in &plan.sort {
        let text = list.expression(&key.expression);
        keys.push_str(&format!(", {text}"));
        order.push(ordered(key, &text));
    }
    let condition = list.condition(&plan.condition);
    let sql = format!(
        "{select}{keys} FROM {table} AS {ROW} WHERE {condition} ORDER BY {} LIMIT $1 OFFSET $2",
        if order.is_empty() { format!("{ROW}.\"id\"") } else { order.join(", ") }
    );
    let list = Statement::new(sql, &[Kept::INT8, Kept::INT8], list);

    let mut count = lowering(catalog).row(Root::Record, row());
    let condition = count.condition(&plan.counted);
    let sql = format!("SELECT count(*) FROM {table} AS {ROW} WHERE {condition}");
    let count = Statement::new(sql, &[], count);

    let keys = plan.sort.iter().map(|key| key.expression.r#type.clone()).collect();
    ReadStatements { one, list, count, fields, keys }
}

/// A key of the order in the words of the indexes, so that they serve it. Nulls are smallest; an id is never null.
fn ordered(key: &SortKey, text: &str) -> String {
    let own_id = match &key.expression.node {
        Node::Field { anchor, field, path, .. } => anchor.steps.is_empty() && path.is_empty() && *field == Resource::ID,
        _ => false,
    };
    let folds = key.expression.r#type == (Type::Text { fold_case: true });
    let value = if folds { format!("lower({text})") } else { text.to_owned() };
    let order = match (own_id, key.descending) {
        (true, false) => "",
        (true, true) => " DESC",
        (false, false) => " NULLS FIRST",
        (false, true) => " DESC NULLS LAST",
    };
    format!("{value}{order}")
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
    fn encode(&self, row: &Row, out: &mut Vec<u8>) -> Result<u64, Error> {
        let mut mask = 0;
        let mut conditional = 0;
        let mut separator = b'{';
        for (position, selected) in self.fields.iter().enumerate() {
            if let Some(verdict) = selected.verdict {
                let open = row.try_get::<_, Option<bool>>(verdict)?.unwrap_or(false);
                mask |= u64::from(open) << (conditional % 64);
                conditional += 1;
                if !open {
                    continue;
                }
            }
            out.push(separator);
            separator = b',';
            out.extend_from_slice(&selected.label);
            value::encode(&selected.field, row, position, out)?;
        }
        if separator == b'{' {
            out.push(b'{');
        }
        out.push(b'}');
        Ok(mask)
    }

    fn page(&self, rows: &[Row], read: &Read) -> Result<Listed, Error> {
        let mut listed = Listed { items: Vec::with_capacity(2048), ..Listed::default() };
        let last = read.page.limit as usize;
        let first = self.revision() + 1;
        for row in rows.iter().take(last) {
            if listed.length > 0 {
                listed.items.push(b',');
            }
            self.encode(row, &mut listed.items)?;
            listed.length += 1;
        }
        // One more than is answered says that there is a next page.
        if let Some(end) = last.checked_sub(1).filter(|_| rows.len() > last) {
            let keys = self.keys.iter().enumerate();
            let keys = keys.map(|(position, of)| value::read_typed(of, &rows[end], first + position));
            listed.next = Some(keys.collect::<Result<_, _>>()?);
        }
        Ok(listed)
    }
}

fn facts(read: &Read) -> Facts<'_> {
    Facts { caller: Some(&read.caller), inputs: &read.inputs, ..Facts::default() }
}

/// One record by its id.
pub(crate) async fn get(connections: &Connections, read: &Read, id: &Value) -> Result<Option<Found>, model::Problem> {
    let made = read.plan.prepared.get_or_make(|| prepare(&read.plan));
    let values = made.one.values(std::slice::from_ref(id), &facts(read));
    let rows = connections.rows(&made.one.text, values).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let found = || -> Result<Found, Error> {
        let mut body = Vec::with_capacity(256);
        let mask = made.encode(row, &mut body)?;
        Ok(Found { body, revision: row.try_get(made.revision())?, mask })
    };
    found().map(Some).map_err(|error| problem(&error))
}

/// A page of records, and how many there are in all where asked: both of one state of the database.
pub(crate) async fn list(connections: &Connections, read: &Read) -> Result<Listed, model::Problem> {
    let made = read.plan.prepared.get_or_make(|| prepare(&read.plan));
    let facts = facts(read);
    let own = [Value::Integer(i64::from(read.page.limit) + 1), Value::Integer(i64::from(read.page.offset))];
    let mut steps = vec![Step { text: &made.list.text, values: made.list.values(&own, &facts) }];
    let mut bounds = Bounds::default();
    if read.page.count {
        steps.push(Step { text: &made.count.text, values: made.count.values(&[], &facts) });
        bounds = Bounds { begin: Some("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"), commit: true };
    }
    let results = connections.read(steps, bounds).await?;
    let listed = || -> Result<Listed, Error> {
        let mut listed = made.page(results.first().map_or(&[][..], Vec::as_slice), read)?;
        if let Some(row) = results.get(1).and_then(|rows| rows.first()) {
            listed.count = Some(row.try_get::<_, i64>(0)? as u64);
        }
        Ok(listed)
    };
    listed().map_err(|error| problem(&error))
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
    let mut made = lowering(&plan.catalog);
    if record.is_some() {
        made = made.row(Root::Record, RowSource::Bound);
    }
    if new.is_some() {
        made = made.row(Root::New, RowSource::Bound);
    }
    let text = made.condition(condition).to_string();
    let statement = Arc::new(Statement::new(format!("SELECT ({text})"), &[], made));
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
pub(crate) async fn judge(connections: &Connections, judgement: &Judgement) -> Result<Judged, model::Problem> {
    let facts = Facts {
        caller: Some(&judgement.caller),
        inputs: &judgement.inputs,
        record: Some(&judgement.record),
        new: None,
    };
    let statement = |condition: &Condition| {
        let mut made = lowering(&judgement.catalog).row(Root::Record, RowSource::Bound);
        let text = made.condition(condition).to_string();
        Statement::new(format!("SELECT ({text})"), &[], made)
    };
    let conditions = judgement.view.fields.iter().filter_map(|seen| seen.condition.as_ref());
    let statements: Vec<Statement> = std::iter::once(&judgement.condition).chain(conditions).map(statement).collect();
    let steps = statements.iter().map(|made| Step { text: &made.text, values: made.values(&[], &facts) }).collect();
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
