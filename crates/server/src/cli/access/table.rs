//! Resource × action × who: what is open, as far as it can be said without a record.

use std::collections::BTreeSet;

use model::{Caller, CallerValue, IdKind, ResourceIndex, Schema, Value, caller::Identity};
use rules::{
    Catalog, Condition,
    expression::{Expression, Node},
};
use serde_json::{Value as Json, json};

use crate::cli::{
    exposure::{self, Admits},
    terminal,
};

/// The id of somebody who owns nothing.
const NOBODY: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/// One action of one resource, for everybody.
#[derive(Debug)]
pub(super) struct Row {
    resource: String,
    action: &'static str,
    /// By the name of the column.
    who: Vec<(String, Admits)>,
}

/// Somebody for whom the rules are asked.
struct Column {
    name: String,
    caller: Caller,
    /// Whether the record is the caller's own.
    owner: bool,
}

/// All rows, in the order of the resources' names.
pub(super) fn of(catalog: &Catalog) -> Vec<Row> {
    let columns = columns(catalog);
    let mut rows = Vec::new();
    for index in catalog.schema.indices() {
        let found: Vec<(&Column, [Admits; 4])> =
            columns.iter().map(|column| (column, ask(catalog, index, column))).collect();
        for (position, action) in ["read", "create", "update", "delete"].into_iter().enumerate() {
            let who = found.iter().map(|(column, admitted)| (column.name.clone(), admitted[position])).collect();
            rows.push(Row { resource: catalog.schema.get(index).name.clone(), action, who });
        }
    }
    rows
}

fn columns(catalog: &Catalog) -> Vec<Column> {
    let schema = &catalog.schema;
    let somebody = |roles: Vec<String>| {
        let id = match schema.people().map(|(_, people, _)| people.id_kind) {
            Some(IdKind::Integer) => Value::Integer(i64::MAX),
            // Whatever it is, it is nobody's.
            _ => model::parse_id(IdKind::Uuid, NOBODY).unwrap_or_default(),
        };
        let identity = Identity { id, roles, actor: Some("user:somebody".to_owned()), ..Identity::anonymous() };
        exposure::caller(identity, 0)
    };
    let column = |name: &str, caller, owner| Column { name: name.to_owned(), caller, owner };
    let mut columns = vec![
        column("stranger", exposure::caller(Identity::anonymous(), 0), false),
        column("signed in", somebody(Vec::new()), false),
        column("owner", somebody(Vec::new()), true),
    ];
    for role in roles(catalog) {
        columns.push(column(&role, somebody(schema.roles().closure([role.as_str()])), false));
    }
    columns
}

/// The declared roles, those that rules name, and `admin`.
fn roles(catalog: &Catalog) -> BTreeSet<String> {
    let mut roles: BTreeSet<String> = catalog.schema.roles().declared().map(str::to_owned).collect();
    roles.insert(model::identity::ADMIN.to_owned());
    for test in catalog.tested().iter().flat_map(|rule| &rule.tests) {
        collect_roles(test, &mut roles);
    }
    roles
}

fn collect_roles(condition: &Condition, roles: &mut BTreeSet<String>) {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| collect_roles(part, roles)),
        Condition::In { needle, list, .. } if list.node == Node::Caller(CallerValue::Roles) => {
            if let Node::Literal(Value::Text(role)) = &needle.node {
                roles.insert(role.to_string());
            }
        }
        _ => {}
    }
}

fn ask(catalog: &Catalog, resource: ResourceIndex, column: &Column) -> [Admits; 4] {
    let own = |part: &Condition| (column.owner && is_own(&catalog.schema, part)).then_some(Admits::All);
    exposure::of_resource(catalog, resource, &column.caller, &own)
}

/// Whether a condition says that the record, or whom it refers to, is the caller.
fn is_own(schema: &Schema, condition: &Condition) -> bool {
    let Condition::Compare { operator: rules::expression::Comparison::Equal, left, right } = condition else {
        return false;
    };
    let people = schema.people().map(|(index, _, _)| index);
    let names_people = |side: &Expression| match &side.node {
        Node::Field { resource, field, path, .. } if path.is_empty() => {
            let target = match *field == model::Resource::ID {
                true => Some(*resource),
                false => schema.get(*resource).get(*field).target(),
            };
            people.is_none() || target == people
        }
        _ => false,
    };
    let is_caller = |side: &Expression| side.node == Node::Caller(CallerValue::Id);
    (is_caller(left) && names_people(right)) || (is_caller(right) && names_people(left))
}

fn word(admits: Admits) -> &'static str {
    match admits {
        Admits::All => "open",
        Admits::Some => "conditional",
        Admits::None => "closed",
    }
}

pub(super) fn to_json(rows: &[Row]) -> Json {
    let row = |row: &Row| {
        let who: serde_json::Map<String, Json> =
            row.who.iter().map(|(name, admits)| (name.clone(), word(*admits).into())).collect();
        json!({ "resource": row.resource, "action": row.action, "who": who })
    };
    rows.iter().map(row).collect()
}

pub(super) fn show(rows: &[Row]) {
    let Some(first) = rows.first() else {
        terminal::result("This app has no resources.");
        return;
    };
    let mut lines: Vec<Vec<String>> = vec![vec!["resource".to_owned(), "action".to_owned()]];
    lines[0].extend(first.who.iter().map(|(name, _)| name.clone()));
    for row in rows {
        let mut line = vec![row.resource.clone(), row.action.to_owned()];
        line.extend(row.who.iter().map(|(_, admits)| word(*admits).to_owned()));
        lines.push(line);
    }
    let widths: Vec<usize> = (0..lines[0].len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    for line in lines {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        terminal::result(cells.join("  ").trim_end());
    }
}
