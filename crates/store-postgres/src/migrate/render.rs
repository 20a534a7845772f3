//! The steps of a plan as PostgreSQL's statements.

use store::migration::{
    names,
    physical::{Column, Table},
    plan::{Change, Plan},
};

use super::{
    convert::{change_type, fill},
    ddl::{add_foreign_key, create_index, create_join, create_system, create_table, define_column, quote},
};

/// The statements of each step; none where only limits change, which no table knows of.
pub(super) fn render(plan: &Plan, now: i64) -> Vec<Vec<String>> {
    let mut keys = ForeignKeys::of(plan);
    plan.steps
        .iter()
        .map(|step| {
            let mut all = statements(plan, &step.change, now);
            if let Change::CreateTable(table) = &step.change {
                all.extend(keys.now_that_there_is(table));
            }
            all
        })
        .collect()
}

/// Foreign keys of new tables: each is made as soon as there is the table that it leads to.
struct ForeignKeys<'a> {
    there: Vec<&'a str>,
    waiting: Vec<(&'a Table, &'a Column)>,
}

impl<'a> ForeignKeys<'a> {
    fn of(plan: &'a Plan) -> Self {
        let created = |name: &str| {
            plan.steps.iter().any(|step| matches!(&step.change, Change::CreateTable(table) if table.name == name))
        };
        let there = plan.new.tables.iter().map(|table| table.name.as_str()).filter(|name| !created(name)).collect();
        Self { there, waiting: Vec::new() }
    }

    fn now_that_there_is(&mut self, table: &'a Table) -> Vec<String> {
        self.there.push(&table.name);
        self.waiting
            .extend(table.columns.iter().filter(|column| column.references.is_some()).map(|column| (table, column)));
        let there = &self.there;
        let is_there = |column: &Column| column.references.as_deref().is_some_and(|target| there.contains(&target));
        let (ready, waiting): (Vec<_>, Vec<_>) = self.waiting.drain(..).partition(|(_, column)| is_there(column));
        self.waiting = waiting;
        ready.into_iter().filter_map(|(table, column)| add_foreign_key(table, column)).collect()
    }
}

fn statements(plan: &Plan, change: &Change, now: i64) -> Vec<String> {
    let table = |name: &str| plan.new.table(name);
    match change {
        Change::System { from, to } => (*from..*to).flat_map(create_system).collect(),
        Change::DropIndex { index, .. } => vec![format!("DROP INDEX IF EXISTS {}", quote(&index.name))],
        Change::DropJoin { table, join } => vec![drop_table(&names::join_table(table, &join.field))],
        Change::DropColumn { table, column } => vec![alter(table, &format!("DROP COLUMN {}", quote(&column.name)))],
        Change::DropTable(table) => drop_with_joins(plan, table),
        Change::RenameColumn { table, from, to } => rename_column(plan, table, from, to),
        Change::RenameJoin { table, from, to } => rename_join(table, from, &to.field),
        Change::CreateTable(table) => {
            let indexes = table.indexes.iter().map(|index| create_index(table, index));
            create_table(table).into_iter().chain(indexes).collect()
        }
        Change::ReplaceColumn { table: name, to } => {
            let dropped = alter(name, &format!("DROP COLUMN {}", quote(&to.name)));
            let added = table(name).map(|table| add_column(table, to, now)).unwrap_or_default();
            [dropped].into_iter().chain(added).collect()
        }
        Change::AddColumn { table: name, column } => {
            table(name).map(|table| add_column(table, column, now)).unwrap_or_default()
        }
        Change::ChangeColumn { table: name, from, to } => {
            table(name).map(|table| change_column(table, from, to)).unwrap_or_default()
        }
        Change::ChangeJoin => Vec::new(),
        Change::CreateJoin { table: name, join } => {
            table(name).map(|table| create_join(table, join)).unwrap_or_default()
        }
        Change::RenameIndex { from, to, .. } => {
            vec![format!("ALTER INDEX {} RENAME TO {}", quote(from), quote(&to.name))]
        }
        Change::CreateIndex { table: name, index } => {
            table(name).map(|table| create_index(table, index)).into_iter().collect()
        }
    }
}

fn alter(table: &str, clause: &str) -> String {
    format!("ALTER TABLE {} {clause}", quote(table))
}

fn drop_table(name: &str) -> String {
    format!("DROP TABLE {}", quote(name))
}

/// Drops a table after the foreign keys that lead to it; what else depends on it stops the migration.
fn drop_with_joins(plan: &Plan, table: &Table) -> Vec<String> {
    let mut statements: Vec<_> =
        table.joins.iter().map(|join| drop_table(&names::join_table(&table.name, &join.field))).collect();
    let loosen = |table: &str, column: &str| {
        let key = quote(&names::foreign_key(table, column));
        format!("ALTER TABLE IF EXISTS {} DROP CONSTRAINT IF EXISTS {key}", quote(table))
    };
    for other in plan.old.tables.iter().filter(|other| other.name != table.name) {
        let references = other.columns.iter().filter(|column| column.references.as_ref() == Some(&table.name));
        statements.extend(references.map(|column| loosen(&other.name, &column.name)));
        let joins = other.joins.iter().filter(|join| join.target == table.name);
        statements.extend(joins.map(|join| loosen(&names::join_table(&other.name, &join.field), "target")));
    }
    statements.push(drop_table(&table.name));
    statements
}

fn rename_column(plan: &Plan, table: &str, from: &str, to: &str) -> Vec<String> {
    let mut statements = vec![alter(table, &format!("RENAME COLUMN {} TO {}", quote(from), quote(to)))];
    let before = plan.old.table(table).and_then(|table| table.column(from));
    // The key of a target that goes has gone with it.
    let lasts = |target: &str| {
        !plan.steps.iter().any(|step| matches!(&step.change, Change::DropTable(dropped) if dropped.name == target))
    };
    if before.and_then(|column| column.references.as_deref()).is_some_and(lasts) {
        let (before, after) = (names::foreign_key(table, from), names::foreign_key(table, to));
        statements.push(alter(table, &format!("RENAME CONSTRAINT {} TO {}", quote(&before), quote(&after))));
    }
    statements
}

fn rename_join(table: &str, from: &str, to: &str) -> Vec<String> {
    let (before, after) = (names::join_table(table, from), names::join_table(table, to));
    let constraints =
        |join: &str| [names::primary_key(join), names::foreign_key(join, "owner"), names::foreign_key(join, "target")];
    let mut statements = vec![alter(&before, &format!("RENAME TO {}", quote(&after)))];
    for (before, renamed) in constraints(&before).iter().zip(constraints(&after)) {
        statements.push(alter(&after, &format!("RENAME CONSTRAINT {} TO {}", quote(before), quote(&renamed))));
    }
    let (before, after) = (names::join_target(table, from), names::join_target(table, to));
    statements.push(format!("ALTER INDEX {} RENAME TO {}", quote(&before), quote(&after)));
    statements
}

/// Adds a column. The default that fills it does not stay: the engine knows the field's.
fn add_column(table: &Table, column: &Column, now: i64) -> Vec<String> {
    let filled = fill(column, now);
    let default = filled.as_ref().map(|value| format!(" DEFAULT {value}")).unwrap_or_default();
    let mut statements = vec![alter(&table.name, &format!("ADD COLUMN {}{default}", define_column(column)))];
    if filled.is_some() {
        statements.push(alter(&table.name, &format!("ALTER COLUMN {} DROP DEFAULT", quote(&column.name))));
    }
    statements.extend(add_foreign_key(table, column));
    statements
}

fn change_column(table: &Table, from: &Column, to: &Column) -> Vec<String> {
    let mut statements = Vec::new();
    let moved = from.references != to.references;
    if moved && from.references.is_some() {
        let key = quote(&names::foreign_key(&table.name, &to.name));
        statements.push(alter(&table.name, &format!("DROP CONSTRAINT IF EXISTS {key}")));
    }
    let name = quote(&to.name);
    let mut clauses: Vec<_> = change_type(from, to).into_iter().collect();
    if from.origin.from_script {
        clauses.push(format!("ALTER COLUMN {name} DROP DEFAULT"));
    }
    match (from.required || from.origin.from_script, to.required) {
        _ if from.origin.from_script && to.required => clauses.push(format!("ALTER COLUMN {name} SET NOT NULL")),
        (false, true) => clauses.push(format!("ALTER COLUMN {name} SET NOT NULL")),
        (true, false) => clauses.push(format!("ALTER COLUMN {name} DROP NOT NULL")),
        _ => {}
    }
    if !clauses.is_empty() {
        statements.push(alter(&table.name, &clauses.join(", ")));
    }
    if moved {
        statements.extend(add_foreign_key(table, to));
    }
    statements
}
