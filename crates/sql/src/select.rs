//! Read plans as statements.

use model::Resource;
use rules::{
    Expression, Type,
    expression::{Node, Root},
    plan::{ReadPlan, SortKey, View},
};

use crate::{Dialect, Lowering, RowSource, layout::Layout, statement::Statement};

/// The name of the row in scope.
const ROW: &str = "r";

/// What a read plan becomes.
#[derive(Debug)]
pub struct Select {
    /// One record: its own parameter is the id.
    pub one: Statement,
    /// A page: its own parameters are the limit and the offset.
    pub list: Statement,
    /// How many there are in all.
    pub count: Statement,
    /// What the columns of `one` and `list` are; the sort keys are those of `list` alone.
    pub layout: Layout,
}

impl Select {
    /// Makes the statements of a plan.
    #[must_use]
    pub fn new(plan: &ReadPlan, dialect: &dyn Dialect) -> Self {
        let schema = &plan.catalog.schema;
        let resource = schema.get(plan.resource);
        let from = format!("FROM {} AS {ROW}", dialect.quote(&resource.name));
        let lowering = |own| {
            Lowering::new(schema, dialect).after_parameters(own).row(Root::Record, RowSource::Alias(ROW.to_owned()))
        };
        let id = Expression::of_field(plan.resource, Resource::ID, resource);
        let mut layout = Layout::new(resource, &plan.view);

        let mut one = lowering(1);
        let columns = columns(&mut one, plan);
        let (own, condition) = (one.expression(&id), one.condition(&plan.condition));
        let parameter = dialect.parameter(1, &id.r#type);
        let text = format!("SELECT {columns} {from} WHERE {own} = {parameter} AND {condition}");
        let one = Statement::new(text, vec![id.r#type.clone()], one);

        let mut list = lowering(2);
        let mut columns = self::columns(&mut list, plan);
        let order = order(&mut list, dialect, plan, &mut layout, &mut columns);
        let condition = list.condition(&plan.condition);
        let (limit, offset) = (dialect.parameter(1, &Type::Integer), dialect.parameter(2, &Type::Integer));
        let text = format!("SELECT {columns} {from} WHERE {condition} ORDER BY {order} LIMIT {limit} OFFSET {offset}");
        let list = Statement::new(text, vec![Type::Integer, Type::Integer], list);

        let mut count = lowering(0);
        let condition = count.condition(&plan.counted);
        let count = Statement::new(format!("SELECT count(*) {from} WHERE {condition}"), Vec::new(), count);
        Self { one, list, count, layout }
    }
}

/// The fields of the answer, the verdicts of those that have a condition, and the revision.
fn columns(lowering: &mut Lowering<'_>, plan: &ReadPlan) -> String {
    let resource = plan.catalog.schema.get(plan.resource);
    let View { fields } = &plan.view;
    let mut columns: Vec<String> = fields
        .iter()
        .map(|seen| lowering.expression(&Expression::of_field(plan.resource, seen.field, resource)))
        .collect();
    let verdicts = fields.iter().filter_map(|seen| seen.condition.as_ref());
    columns.extend(verdicts.map(|condition| format!("({})", lowering.condition(condition))));
    columns.push(format!("{ROW}.\"_rev\""));
    columns.join(", ")
}

/// The order of a list; a key that is no field of the answer is selected beside them, so that a cursor can be made of it.
fn order(
    lowering: &mut Lowering<'_>,
    dialect: &dyn Dialect,
    plan: &ReadPlan,
    layout: &mut Layout,
    columns: &mut String,
) -> String {
    let mut further = layout.revision + 1;
    let mut order = Vec::with_capacity(plan.sort.len());
    for key in &plan.sort {
        let text = lowering.expression(&key.expression);
        let answered = plan.view.fields.iter().position(|seen| own_field(key) == Some(seen.field));
        let position = answered.unwrap_or_else(|| {
            columns.push_str(", ");
            columns.push_str(&text);
            further += 1;
            further - 1
        });
        layout.keys.push((key.expression.r#type.clone(), position));
        order.push(dialect.order(&text, &key.expression.r#type, key.descending, own_field(key) == Some(Resource::ID)));
    }
    if order.is_empty() {
        return format!("{ROW}.\"id\"");
    }
    order.join(", ")
}

/// The field whose plain value a key is, so that the answer's column serves both.
fn own_field(key: &SortKey) -> Option<model::FieldIndex> {
    match &key.expression.node {
        Node::Field { anchor, field, path, .. } => {
            (anchor.root == Root::Record && anchor.steps.is_empty() && path.is_empty()).then_some(*field)
        }
        _ => None,
    }
}
