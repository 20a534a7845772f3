//! Read plans as statements.

use model::{FieldIndex, Resource};
use rules::{
    Expression, Type,
    expression::{Node, Root},
    plan::{ReadPlan, SortKey},
};

use crate::{Dialect, Lowering, RowSource, layout::Layout, statement::Statement};

/// The name of the row in scope.
pub(crate) const ROW: &str = "r";

/// What a read plan becomes.
#[derive(Debug)]
pub struct Select {
    /// One record: its own parameter is the id.
    pub one: Statement,
    /// A page: its own parameters are the limit and the offset.
    pub list: Statement,
    /// The text of `list` up to its limit.
    pub unlimited: String,
    /// How many there are in all.
    pub count: Statement,
    /// Those of what is expanded ([`crate::tree::Question`] names them by number).
    pub expands: Vec<Statement>,
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
        let mut layout = Layout::new(plan);

        let mut one = lowering(1);
        let columns = columns(&mut one, plan, &mut layout).join(", ");
        let (own, condition) = (one.expression(&id), one.condition(&plan.condition));
        let parameter = dialect.parameter(1, &id.r#type);
        let text = format!("SELECT {columns} {from} WHERE {own} = {parameter} AND {condition}");
        let one = Statement::new(text, vec![id.r#type.clone()], one);

        let mut list = lowering(2);
        let mut columns = self::columns(&mut list, plan, &mut layout);
        let order = list_order(&mut list, dialect, plan, &mut layout, &mut columns);
        let condition = list.condition(&plan.condition);
        let (limit, offset) = (dialect.parameter(1, &Type::Integer), dialect.parameter(2, &Type::Integer));
        let unlimited = format!("SELECT {} {from} WHERE {condition} ORDER BY {order}", columns.join(", "));
        let text = format!("{unlimited} LIMIT {limit} OFFSET {offset}");
        let list = Statement::new(text, vec![Type::Integer, Type::Integer], list);

        let mut count = lowering(0);
        let condition = count.condition(&plan.counted);
        let count = Statement::new(format!("SELECT count(*) {from} WHERE {condition}"), Vec::new(), count);

        let mut expands = Vec::new();
        layout.prepare_expands(plan, dialect, &mut expands);
        Self { one, list, unlimited, count, expands, layout }
    }
}

/// The ids of the records that a plan means, in order: its own parameter is the limit. With a lock of this strength, where
/// the database locks rows.
#[must_use]
pub fn matching(plan: &ReadPlan, dialect: &dyn Dialect, lock: Option<&str>) -> Statement {
    let schema = &plan.catalog.schema;
    let resource = schema.get(plan.resource);
    let mut lowering =
        Lowering::new(schema, dialect).after_parameters(1).row(Root::Record, RowSource::Alias(ROW.to_owned()));
    let condition = lowering.condition(&plan.condition);
    let (table, limit) = (dialect.quote(&resource.name), dialect.parameter(1, &Type::Integer));
    let lock = lock.map(|lock| format!(" FOR {lock} OF {ROW}")).unwrap_or_default();
    let text = format!(
        "SELECT {ROW}.\"id\" FROM {table} AS {ROW} WHERE {condition} ORDER BY {ROW}.\"id\" LIMIT {limit}{lock}"
    );
    Statement::new(text, vec![Type::Integer], lowering)
}

/// The fields of the answer, the verdicts of those that have a condition, the revision, and the keys of what is expanded.
pub(crate) fn columns(lowering: &mut Lowering<'_>, plan: &ReadPlan, layout: &mut Layout) -> Vec<String> {
    let resource = plan.catalog.schema.get(plan.resource);
    let fields = plan.view.fields.iter();
    let mut columns: Vec<String> = fields
        .clone()
        .map(|seen| lowering.expression(&Expression::of_field(plan.resource, seen.field, resource)))
        .collect();
    let verdicts = fields.filter_map(|seen| seen.condition.as_ref());
    columns.extend(verdicts.map(|condition| format!("({})", lowering.condition(condition))));
    columns.push(format!("{ROW}.\"_rev\""));
    Layout::place_keys(plan, layout.revision, |expansion| columns.push(lowering.expression(&expansion.key)));
    layout.width = columns.len();
    columns
}

/// The order of a list; a key that is no field of the answer is selected beside them, so that a cursor can be made of it.
fn list_order(
    lowering: &mut Lowering<'_>,
    dialect: &dyn Dialect,
    plan: &ReadPlan,
    layout: &mut Layout,
    columns: &mut Vec<String>,
) -> String {
    let mut keys = Vec::with_capacity(plan.sort.len());
    for key in &plan.sort {
        let text = lowering.expression(&key.expression);
        let own = own_field(&key.expression);
        let answered = plan.view.fields.iter().position(|seen| own == Some(seen.field));
        let position = answered.unwrap_or_else(|| {
            columns.push(text.clone());
            columns.len() - 1
        });
        layout.keys.push((key.expression.r#type.clone(), position));
        keys.push((text, Ordered::of(key)));
    }
    if keys.is_empty() {
        return format!("{ROW}.\"id\"");
    }
    order(dialect, keys.iter().map(|(text, key)| (text.as_str(), key)))
}

/// How a key of an order compares.
#[derive(Debug, Clone)]
pub(crate) struct Ordered {
    of: Type,
    descending: bool,
    never_null: bool,
}

impl Ordered {
    /// A place in a join table.
    pub(crate) const POSITION: Self = Self { of: Type::Integer, descending: false, never_null: true };

    pub(crate) fn of(key: &SortKey) -> Self {
        let never_null = own_field(&key.expression) == Some(Resource::ID);
        Self { of: key.expression.r#type.clone(), descending: key.descending, never_null }
    }
}

/// The words after `ORDER BY`.
pub(crate) fn order<'a>(dialect: &dyn Dialect, keys: impl Iterator<Item = (&'a str, &'a Ordered)>) -> String {
    let keys = keys.map(|(text, key)| dialect.order(text, &key.of, key.descending, key.never_null));
    keys.collect::<Vec<_>>().join(", ")
}

/// The field whose plain value an expression is, so that the answer's column serves both.
pub(crate) fn own_field(expression: &Expression) -> Option<FieldIndex> {
    match &expression.node {
        Node::Field { anchor, field, path, .. } => {
            (anchor.root == Root::Record && anchor.steps.is_empty() && path.is_empty()).then_some(*field)
        }
        _ => None,
    }
}
