//! The steps of a plan as SQLite's statements.
//!
//! SQLite alters little in place: what it can't is done by making the table anew, once for all steps of a plan that ask for
//! it, and copying the records. Foreign keys are off meanwhile and checked as a whole at the end.

use std::collections::HashSet;

use store::migration::{
    names,
    physical::{Column, Fill, Table},
    plan::{Change, Plan, Step},
};

use super::{
    convert::{convert, fill},
    ddl::{create_index, create_join, create_system, create_table, create_table_as, define_column, quote},
};

/// The statements of each step; none for a step that another does, too.
pub(super) fn render(plan: &Plan, now: i64) -> Vec<Vec<String>> {
    let rebuilt: HashSet<&str> = plan
        .steps
        .iter()
        .filter(|step| asks_for_rebuild(&step.change))
        .filter_map(|step| step.change.table())
        .collect();
    let mut begun = HashSet::new();
    plan.steps
        .iter()
        .map(|step| match step.change.table() {
            Some(name) if rebuilt.contains(name) && is_about_columns(&step.change) => {
                let table = plan.new.table(name).filter(|_| begun.insert(name));
                table.map(|table| rebuild(plan, table, now)).unwrap_or_default()
            }
            _ => statements(plan, step, now),
        })
        .collect()
}

fn is_about_columns(change: &Change) -> bool {
    matches!(
        change,
        Change::DropColumn { .. }
            | Change::RenameColumn { .. }
            | Change::ReplaceColumn { .. }
            | Change::AddColumn { .. }
            | Change::ChangeColumn { .. }
    )
}

fn asks_for_rebuild(change: &Change) -> bool {
    match change {
        // A column that refers elsewhere can't be dropped alone.
        Change::DropColumn { column, .. } => column.references.is_some(),
        Change::ReplaceColumn { .. } => true,
        // `NOT NULL` would need a default that stays.
        Change::AddColumn { column, .. } => column.required,
        Change::ChangeColumn { from, to, .. } => {
            from.origin.from_script
                || define_column(from) != define_column(to)
                || convert(from, to, "") != convert(from, from, "")
        }
        _ => false,
    }
}

fn statements(plan: &Plan, step: &Step, now: i64) -> Vec<String> {
    let table = |name: &str| plan.new.table(name);
    match &step.change {
        Change::System { from, to } => (*from..*to).flat_map(create_system).collect(),
        Change::DropIndex { index, .. } => vec![format!("DROP INDEX IF EXISTS {}", quote(&index.name))],
        Change::DropJoin { table, join } => vec![drop_table(&names::join_table(table, &join.field))],
        Change::DropColumn { table, column } => {
            vec![format!("ALTER TABLE {} DROP COLUMN {}", quote(table), quote(&column.name))]
        }
        Change::DropTable(table) => {
            let joins = table.joins.iter().map(|join| drop_table(&names::join_table(&table.name, &join.field)));
            joins.chain([drop_table(&table.name), forget_sequence(&table.name)]).collect()
        }
        Change::RenameColumn { table, from, to } => {
            vec![format!("ALTER TABLE {} RENAME COLUMN {} TO {}", quote(table), quote(from), quote(to))]
        }
        Change::RenameJoin { table, from, to } => {
            let (before, after) = (names::join_table(table, from), names::join_table(table, &to.field));
            let index = create_join_index(plan, table, &to.field);
            let dropped = format!("DROP INDEX IF EXISTS {}", quote(&names::join_target(table, from)));
            let renamed = format!("ALTER TABLE {} RENAME TO {}", quote(&before), quote(&after));
            [dropped, renamed].into_iter().chain(index).collect()
        }
        Change::CreateTable(table) => {
            let indexes = table.indexes.iter().map(|index| create_index(table, index));
            create_table(table).into_iter().chain(indexes).collect()
        }
        Change::AddColumn { table, column } => add_column(table, column, now),
        // Only limits, which no table knows of; all else is a rebuild.
        Change::ReplaceColumn { .. } | Change::ChangeColumn { .. } | Change::ChangeJoin => Vec::new(),
        Change::CreateJoin { table: name, join } => {
            table(name).map(|table| create_join(table, join)).unwrap_or_default()
        }
        Change::RenameIndex { table: name, from, to } => {
            let created = table(name).map(|table| create_index(table, to));
            [format!("DROP INDEX IF EXISTS {}", quote(from))].into_iter().chain(created).collect()
        }
        Change::CreateIndex { table: name, index } => {
            table(name).map(|table| create_index(table, index)).into_iter().collect()
        }
    }
}

fn add_column(table: &str, column: &Column, now: i64) -> Vec<String> {
    let mut statements = vec![format!("ALTER TABLE {} ADD COLUMN {}", quote(table), define_column(column))];
    if matches!(column.origin.fill, Fill::Value(_) | Fill::Now) {
        statements.push(format!("UPDATE {} SET {} = {}", quote(table), quote(&column.name), fill(column, now)));
    }
    statements
}

fn create_join_index(plan: &Plan, table: &str, field: &str) -> Option<String> {
    let table = plan.new.table(table)?;
    create_join(table, table.join(field)?).pop()
}

fn drop_table(name: &str) -> String {
    format!("DROP TABLE {}", quote(name))
}

/// A resource of the same name that comes later begins to count anew.
fn forget_sequence(name: &str) -> String {
    format!("DELETE FROM \"_sequences\" WHERE resource = {}", super::ddl::literal(name))
}

/// Makes a table anew: under another name first, filled from the old one, which then goes.
fn rebuild(plan: &Plan, table: &Table, now: i64) -> Vec<String> {
    let steps = || plan.steps.iter().filter(|step| step.change.table() == Some(&table.name));
    let old = plan.old.table(&table.name);
    let mut targets = vec!["\"id\"".to_owned(), "\"_rev\"".to_owned()];
    let mut sources = targets.clone();
    for column in &table.columns {
        targets.push(quote(&column.name));
        sources.push(source(steps().map(|step| &step.change), old, column, now));
    }
    let (name, passing) = (quote(&table.name), format!("_new_{}", table.name));
    let mut statements = vec![
        create_table_as(table, &passing),
        format!("INSERT INTO {} ({}) SELECT {} FROM {name}", quote(&passing), targets.join(", "), sources.join(", ")),
        format!("DROP TABLE {name}"),
        // Views that read this table are not looked at while it is gone.
        "PRAGMA legacy_alter_table = ON".to_owned(),
        format!("ALTER TABLE {} RENAME TO {name}", quote(&passing)),
        "PRAGMA legacy_alter_table = OFF".to_owned(),
    ];
    // Indexes that no step of their own makes went with the old table.
    let made = |index: &str| {
        steps().any(|step| match &step.change {
            Change::CreateIndex { index: created, .. } | Change::RenameIndex { to: created, .. } => {
                created.name == index
            }
            _ => false,
        })
    };
    let kept = table.indexes.iter().filter(|index| !made(&index.name));
    statements.extend(kept.map(|index| create_index(table, index)));
    statements
}

/// Where a column of the new table gets its values from.
fn source<'a>(changes: impl Iterator<Item = &'a Change>, old: Option<&Table>, column: &Column, now: i64) -> String {
    let mut name = column.name.as_str();
    for change in changes {
        match change {
            Change::AddColumn { column: added, .. } | Change::ReplaceColumn { to: added, .. }
                if added.name == column.name =>
            {
                return fill(added, now);
            }
            Change::RenameColumn { from, to, .. } if *to == column.name => name = from,
            _ => {}
        }
    }
    match old.and_then(|old| old.column(name)) {
        Some(before) => convert(before, column, &quote(name)),
        None => fill(column, now),
    }
}
