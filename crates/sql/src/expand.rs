//! Expansions as statements: one for all records of a level, whose keys are a list that it is given.
//!
//! The rows of a list are the best of each key: they are found key by key, so that an index on the reference serves and a
//! record with a million others costs no more than those that are answered.

use rules::{
    Type,
    expression::Root,
    plan::{Expansion, Link},
};

use crate::{
    Dialect, Lowering, RowSource,
    layout::{Expand, Layout},
    select::{Ordered, ROW, columns, order},
    statement::Statement,
};

/// The keys, in the statements below.
const KEYS: &str = "p";
/// The rows that are chosen from, where that is a select of its own.
const CHOICE: &str = "c";
/// The join table in the statement, and in the select of [`CHOICE`].
const JOIN: &str = "j";
const CHOICE_JOIN: &str = "k";

/// Makes the statements of an expansion and of those below it; they are numbered by their place among `statements`.
pub(crate) fn prepare(
    expansion: &Expansion,
    key: usize,
    dialect: &dyn Dialect,
    statements: &mut Vec<Statement>,
) -> Expand {
    let is_list = expansion.link != Link::One;
    let mut layout = Layout::new(&expansion.plan);
    let mut own = vec![Type::List(Box::new(expansion.key.r#type.clone()))];
    if is_list {
        own.extend([Type::Integer, Type::Integer]);
    }
    let lowering = Lowering::new(&expansion.plan.catalog.schema, dialect)
        .after_parameters(own.len())
        .row(Root::Record, RowSource::Alias(ROW.to_owned()));
    let mut maker = Maker { expansion, dialect, lowering, keys: own[0].clone() };
    let columns = columns(&mut maker.lowering, &expansion.plan, &mut layout);
    let (text, number) = match (is_list, dialect.has_lateral()) {
        (false, _) => (maker.one(&columns), columns.len()),
        (true, true) => maker.list_laterally(&columns),
        (true, false) => (maker.list(&columns), columns.len()),
    };
    let statement = statements.len();
    let lowering = maker.lowering;
    statements.push(Statement::new(text, own, lowering));
    layout.prepare_expands(&expansion.plan, dialect, statements);
    let limit = is_list.then_some(expansion.limit);
    Expand::new(&expansion.name, statement, (expansion.key.r#type.clone(), key), number, limit, layout)
}

struct Maker<'a> {
    expansion: &'a Expansion,
    dialect: &'a dyn Dialect,
    lowering: Lowering<'a>,
    /// The type of the list of keys.
    keys: Type,
}

impl Maker<'_> {
    fn one(&mut self, columns: &[String]) -> String {
        let condition = self.lowering.condition(&self.expansion.plan.condition);
        let (number, keys, table, key) = (self.number(), self.keys(), self.table(ROW), self.key());
        let columns = columns.join(", ");
        format!("SELECT {columns}, {number} FROM {keys} CROSS JOIN {table} WHERE {ROW}.\"id\" = {key} AND {condition}")
    }

    /// The best of each key, chosen by a select that names the key.
    fn list_laterally(&mut self, columns: &[String]) -> (String, usize) {
        let condition = self.lowering.condition(&self.expansion.plan.condition);
        let keys = self.order_keys(JOIN);
        let named = columns.iter().enumerate().map(|(position, text)| format!("{text} AS c{position}"));
        let sorted = keys.iter().enumerate().map(|(position, key)| format!("{} AS k{position}", key.0));
        let selected: Vec<String> = named.chain(sorted).collect();
        let inner = order(self.dialect, keys.iter().map(|(text, key)| (text.as_str(), key)));
        let outer: Vec<String> = (0..keys.len()).map(|position| format!("q.k{position}")).collect();
        let outer = order(self.dialect, outer.iter().map(String::as_str).zip(keys.iter().map(|(_, key)| key)));
        let (from, link) = (self.from(ROW, JOIN), self.link(ROW, JOIN));
        let text = format!(
            "SELECT q.*, {number} FROM {numbered} CROSS JOIN LATERAL (SELECT {selected} FROM {from} \
             WHERE {link} AND {condition} ORDER BY {inner} LIMIT {each}) AS q ORDER BY {number}, {outer} LIMIT {all}",
            number = self.number(),
            numbered = self.keys(),
            selected = selected.join(", "),
            each = self.dialect.parameter(2, &Type::Integer),
            all = self.dialect.parameter(3, &Type::Integer),
        );
        (text, selected.len())
    }

    /// The best of each key by their row ids, where a select in `FROM` can't name the key.
    fn list(&mut self, columns: &[String]) -> String {
        // A `many` reference's own order stands in its join table.
        let by_position = self.expansion.plan.sort.is_empty();
        let outer = self.order_keys(JOIN);
        let outer = order(self.dialect, outer.iter().map(|(text, key)| (text.as_str(), key)));
        self.lowering.place(Root::Record, RowSource::Alias(CHOICE.to_owned()));
        let condition = self.lowering.condition(&self.expansion.plan.condition);
        let inner = self.order_keys(CHOICE_JOIN);
        let inner = order(self.dialect, inner.iter().map(|(text, key)| (text.as_str(), key)));
        // What tells the rows of one key apart, so that those chosen can be looked up: in a join table the position does.
        let (from, link, place, chosen_place) = match by_position {
            true => {
                let place = |join| format!("{join}.\"position\"");
                (self.from(ROW, JOIN), format!("{} AND ", self.link(ROW, JOIN)), place(JOIN), place(CHOICE_JOIN))
            }
            false => (self.table(ROW), String::new(), format!("{ROW}._rowid_"), format!("{CHOICE}._rowid_")),
        };
        format!(
            "SELECT {columns}, {number} FROM {numbered} CROSS JOIN {from} WHERE {link}{place} IN (SELECT {chosen_place} \
             FROM {choice} WHERE {chosen} AND {condition} ORDER BY {inner} LIMIT {each}) \
             ORDER BY {number}, {outer} LIMIT {all}",
            columns = columns.join(", "),
            number = self.number(),
            numbered = self.keys(),
            choice = self.from(CHOICE, CHOICE_JOIN),
            chosen = self.link(CHOICE, CHOICE_JOIN),
            each = self.dialect.parameter(2, &Type::Integer),
            all = self.dialect.parameter(3, &Type::Integer),
        )
    }

    /// The texts of the order's keys, with what they are.
    fn order_keys(&mut self, join: &str) -> Vec<(String, Ordered)> {
        let plan = &self.expansion.plan;
        if plan.sort.is_empty() {
            return vec![(format!("{join}.\"position\""), Ordered::POSITION)];
        }
        plan.sort.iter().map(|key| (self.lowering.expression(&key.expression), Ordered::of(key))).collect()
    }

    /// The records' table under an alias, after the join table where there is one.
    fn from(&self, row: &str, join: &str) -> String {
        let table = self.table(row);
        match self.join_table() {
            Some((name, _, _)) => format!("{} AS {join} CROSS JOIN {table}", self.dialect.quote(&name)),
            None => table,
        }
    }

    /// What ties the records to the key.
    fn link(&self, row: &str, join: &str) -> String {
        let key = self.key();
        match (self.join_table(), self.expansion.link) {
            (Some((_, near, far)), _) => format!("{join}.\"{near}\" = {key} AND {row}.\"id\" = {join}.\"{far}\""),
            (None, Link::Reverse { from, field }) => {
                let field = &self.expansion.plan.catalog.schema.get(from).get(field).name;
                format!("{row}.{} = {key}", self.dialect.quote(field))
            }
            (None, _) => format!("{row}.\"id\" = {key}"),
        }
    }

    /// The join table with its columns: that of the key, and that of the records.
    fn join_table(&self) -> Option<(String, &'static str, &'static str)> {
        let schema = &self.expansion.plan.catalog.schema;
        let (resource, field, near, far) = match self.expansion.link {
            Link::Many { resource, field } => (resource, field, "owner", "target"),
            Link::Reverse { from, field } if schema.get(from).get(field).is_many() => (from, field, "target", "owner"),
            Link::One | Link::Reverse { .. } => return None,
        };
        let resource = schema.get(resource);
        Some((self.dialect.join_table(&resource.name, &resource.get(field).name), near, far))
    }

    fn table(&self, alias: &str) -> String {
        let plan = &self.expansion.plan;
        format!("{} AS {alias}", self.dialect.quote(&plan.catalog.schema.get(plan.resource).name))
    }

    fn keys(&self) -> String {
        self.dialect.numbered_items(&self.dialect.parameter(1, &self.keys), KEYS)
    }

    fn key(&self) -> String {
        self.dialect.item(KEYS, &self.expansion.key.r#type)
    }

    fn number(&self) -> String {
        self.dialect.item_number(KEYS)
    }
}
