//! Totals over groups.

use model::{Decimal, Value};
use rules::aggregate::{Aggregate, Outcome};
use rusqlite::{
    Connection, params_from_iter,
    types::{Value as Kept, ValueRef},
};
use sql::Facts;

use crate::{
    dialect::{self, Sqlite},
    functions::wide_number,
    value,
};

/// The groups as JSON objects, separated by commas.
pub(crate) fn run(connection: &Connection, asked: &Aggregate) -> rusqlite::Result<Vec<u8>> {
    let plan = &asked.plan;
    let made = plan.prepared.get_or_make(|| sql::aggregate::statement(plan, &Sqlite));
    let facts = Facts { caller: Some(&asked.caller), inputs: &asked.inputs, ..Facts::default() };
    let mut statement = connection.prepare_cached(&made.text)?;
    let binds = made.values(&facts).map(|(value, of)| dialect::encode(&value, of));
    let mut rows = statement.query(params_from_iter([Kept::Integer(asked.limit.into())].into_iter().chain(binds)))?;
    let (mut items, mut values) = (Vec::with_capacity(1024), Vec::new());
    let first_call = plan.group.len() + usize::from(plan.count);
    while let Some(row) = rows.next()? {
        values.clear();
        for (position, (_, expression)) in plan.group.iter().enumerate() {
            values.push(value::read_typed(&expression.r#type, row.get_ref(position)?));
        }
        if plan.count {
            values.push(Value::Integer(row.get(plan.group.len())?));
        }
        for (position, call) in plan.calls.iter().enumerate() {
            values.push(read(&call.outcome(), row.get_ref(first_call + position)?));
        }
        if !items.is_empty() {
            items.push(b',');
        }
        store::aggregate::write_group(plan, &values, &mut items);
    }
    Ok(items)
}

fn read(outcome: &Outcome, kept: ValueRef<'_>) -> Value {
    match (outcome, kept) {
        (Outcome::Value(of), kept) => value::read_typed(of, kept),
        (Outcome::Whole, ValueRef::Blob(bytes)) => exact(bytes, 0),
        (Outcome::Decimal { scale }, ValueRef::Blob(bytes)) => exact(bytes, *scale),
        (Outcome::Float, ValueRef::Real(number)) => Value::Float(number),
        _ => Value::Null,
    }
}

fn exact(bytes: &[u8], scale: u8) -> Value {
    wide_number(bytes).map_or(Value::Null, |unscaled| Value::Decimal(Decimal::new(unscaled, scale)))
}
