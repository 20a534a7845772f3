//! Totals over groups as one statement.

use rules::{
    Type,
    aggregate::{AggregatePlan, Call, Key},
    expression::Root,
};

use crate::{
    dialect::{Dialect, Operand},
    lower::{Lowering, RowSource},
    statement::Statement,
};

/// The statement of a plan. Its first parameter is the most groups; its columns are the fields of the group, the count
/// where asked, and the totals.
#[must_use]
pub fn statement(plan: &AggregatePlan, dialect: &dyn Dialect) -> Statement {
    let schema = &plan.catalog.schema;
    let mut lowering =
        Lowering::new(schema, dialect).after_parameters(1).row(Root::Record, RowSource::Alias("r".into()));
    // Values first, in a select of their own, so that totals and keys name columns however long a value's text is.
    let mut values = Vec::new();
    for (number, (_, expression)) in plan.group.iter().enumerate() {
        values.push(format!("{} AS \"g{number}\"", lowering.expression(expression)));
    }
    for (number, call) in plan.calls.iter().enumerate() {
        if first_of(plan, call) == number {
            values.push(format!("{} AS \"v{number}\"", lowering.expression(&call.expression)));
        }
    }
    if values.is_empty() {
        values.push("1 AS \"one\"".to_owned());
    }
    let condition = lowering.condition(&plan.condition);
    let table = dialect.quote(&schema.get(plan.resource).name);
    let from = format!("(SELECT {} FROM {table} AS \"r\" WHERE {condition}) AS \"v\"", values.join(", "));

    let mut columns: Vec<String> = plan
        .group
        .iter()
        .enumerate()
        .map(|(number, (_, expression))| match folds(&expression.r#type) {
            // One spelling stands for all that are equal.
            true => dialect.least_spelling(&group_column(number)),
            false => group_column(number),
        })
        .collect();
    columns.extend(plan.count.then(|| "count(*)".to_owned()));
    columns.extend(plan.calls.iter().map(|call| total(plan, call, dialect)));
    let keys: Vec<String> = (0..plan.group.len()).map(|number| group_key(plan, number, dialect)).collect();
    let mut sql = format!("SELECT {} FROM {from}", columns.join(", "));
    if !keys.is_empty() {
        let order: Vec<String> =
            plan.sort.iter().map(|(key, descending)| order_key(plan, *key, *descending, dialect)).collect();
        sql.push_str(&format!(" GROUP BY {} ORDER BY {}", keys.join(", "), order.join(", ")));
    }
    sql.push_str(" LIMIT ");
    sql.push_str(&dialect.parameter(1, &Type::Integer));
    Statement::new(sql, vec![Type::Integer], lowering)
}

/// The first call with the same value.
fn first_of(plan: &AggregatePlan, call: &Call) -> usize {
    plan.calls.iter().position(|other| other.expression == call.expression).unwrap_or(0)
}

fn total(plan: &AggregatePlan, call: &Call, dialect: &dyn Dialect) -> String {
    let column = format!("\"v\".\"v{}\"", first_of(plan, call));
    dialect.total(call.function, &Operand::atom(column, call.expression.r#type.clone()))
}

fn group_column(number: usize) -> String {
    format!("\"v\".\"g{number}\"")
}

fn group_key(plan: &AggregatePlan, number: usize, dialect: &dyn Dialect) -> String {
    match folds(&plan.group[number].1.r#type) {
        true => dialect.folded(&group_column(number)),
        false => group_column(number),
    }
}

fn order_key(plan: &AggregatePlan, key: Key, descending: bool, dialect: &dyn Dialect) -> String {
    let by = |text: &str, r#type: &Type| dialect.order(text, r#type, descending, false);
    match key {
        Key::Group(number) => by(&group_column(number), &plan.group[number].1.r#type),
        Key::Count => by("count(*)", &Type::Integer),
        Key::Call(number) => {
            let call = &plan.calls[number];
            by(&total(plan, call, dialect), &call.expression.r#type)
        }
    }
}

fn folds(r#type: &Type) -> bool {
    *r#type == Type::Text { fold_case: true }
}
