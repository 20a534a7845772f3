//! Totals over groups.

use model::{Problem, Value};
use rules::aggregate::{Aggregate, AggregatePlan, Outcome};
use sql::Facts;
use tokio_postgres::{Error, Row};

use crate::{connection::Connections, dialect::Postgres, fault::problem, parameter::Column, query::Statement, value};

fn prepare(plan: &AggregatePlan) -> Statement {
    sql::aggregate::statement(plan, &Postgres).into()
}

/// The groups as JSON objects, separated by commas.
pub(crate) async fn run(connections: &Connections, asked: &Aggregate) -> Result<Vec<u8>, Problem> {
    let plan = &asked.plan;
    let made = plan.prepared.get_or_make(|| prepare(plan));
    let facts = Facts { caller: Some(&asked.caller), inputs: &asked.inputs, ..Facts::default() };
    let values = made.values(&[Value::Integer(asked.limit.into())], &facts);
    let rows = connections.rows(made.text(), values).await?;
    let mut items = Vec::with_capacity(1024);
    for row in &rows {
        let values = read_group(plan, row).map_err(|error| problem(&error))?;
        if !items.is_empty() {
            items.push(b',');
        }
        store::aggregate::write_group(plan, &values, &mut items);
    }
    Ok(items)
}

fn read_group(plan: &AggregatePlan, row: &Row) -> Result<Vec<Value>, Error> {
    let mut values = Vec::with_capacity(row.len());
    for (position, (_, expression)) in plan.group.iter().enumerate() {
        values.push(value::read_typed(&expression.r#type, row, position)?);
    }
    if plan.count {
        values.push(Value::Integer(row.try_get(plan.group.len())?));
    }
    let first_call = plan.group.len() + usize::from(plan.count);
    for (position, call) in plan.calls.iter().enumerate() {
        values.push(read(&call.outcome(), row, first_call + position)?);
    }
    Ok(values)
}

fn read(outcome: &Outcome, row: &Row, position: usize) -> Result<Value, Error> {
    let scale = match outcome {
        Outcome::Value(of) => return value::read_typed(of, row, position),
        Outcome::Decimal { scale } => *scale,
        Outcome::Whole | Outcome::Float => 0,
    };
    let Column(value) = row.try_get(position)?;
    Ok(match value {
        Value::Decimal(decimal) => Value::Decimal(decimal.rescale(scale).unwrap_or(decimal)),
        other => other,
    })
}
