//! What leads from one database to another.

mod columns;
mod indexes;
mod words;

use super::{
    physical::{Database, Fill, Join, Table},
    plan::{Change, Check, Condition, Loss, Plan, Step},
};

/// The steps from `old` to `new`.
#[must_use]
pub fn diff(old: &Database, new: &Database) -> Plan {
    let mut steps: Vec<_> = system_step(old.system, new.system).into_iter().collect();
    for table in &old.tables {
        match new.table(&table.name) {
            Some(same) if same.id == table.id => {}
            other => steps.push(drop_table(table, other)),
        }
    }
    for table in &new.tables {
        match old.table(&table.name) {
            Some(same) if same.id == table.id => change_table(old, same, table, &mut steps),
            _ => create_table(table, &mut steps),
        }
    }
    // Stable: within a rank, tables keep their order.
    steps.sort_by_key(|step| step.change.rank());
    Plan { old: old.clone(), new: new.clone(), steps }
}

fn system_step(from: u32, to: u32) -> Option<Step> {
    let words = match from {
        0 => "create the system tables: event log, keys, migrations".to_owned(),
        _ => format!("bring the system tables to version {to}"),
    };
    let step = Step { words, loss: None, checks: Vec::new(), change: Change::System { from, to } };
    (from < to).then_some(step)
}

fn drop_table(table: &Table, successor: Option<&Table>) -> Step {
    let words = match successor {
        None => format!("drop table `{}` with all its records", table.name),
        Some(new) => {
            format!("drop table `{}` with all its records, since its ids become {}", table.name, words::id_kind(new.id))
        }
    };
    Step { words, loss: Some(Loss::Table(table.clone())), checks: Vec::new(), change: Change::DropTable(table.clone()) }
}

fn create_table(table: &Table, steps: &mut Vec<Step>) {
    let words = format!("create table `{}`", table.name);
    steps.push(plain(words, Change::CreateTable(table.clone())));
    steps.extend(table.joins.iter().map(|join| create_join(table, join)));
}

fn create_join(table: &Table, join: &Join) -> Step {
    let words = format!("create the join table of `{}.{}` with `{}`", table.name, join.field, join.target);
    plain(words, Change::CreateJoin { table: table.name.clone(), join: join.clone() })
}

fn plain(words: String, change: Change) -> Step {
    Step { words, loss: None, checks: Vec::new(), change }
}

fn change_table(database: &Database, old: &Table, new: &Table, steps: &mut Vec<Step>) {
    let pairs = columns::pair(old, new);
    columns::diff(database, &pairs, new, steps);
    diff_joins(old, new, steps);
    indexes::diff(&pairs, old, new, steps);
}

fn diff_joins(old: &Table, new: &Table, steps: &mut Vec<Step>) {
    let table = || new.name.clone();
    let mut kept: Vec<String> = Vec::new();
    for join in &new.joins {
        let Some(former) = former_join(old, new, join).filter(|former| !kept.contains(&former.field)) else {
            steps.push(create_join(new, join));
            continue;
        };
        if former.field != join.field {
            let words = format!("rename `{}` of `{}` to `{}`", former.field, new.name, join.field);
            steps.push(plain(
                words,
                Change::RenameJoin { table: table(), from: former.field.clone(), to: join.clone() },
            ));
        }
        if former.max_items != join.max_items {
            steps.push(limit_join(new, join, former));
        }
        kept.push(former.field.clone());
    }
    for join in old.joins.iter().filter(|join| !kept.contains(&join.field)) {
        steps.push(Step {
            words: format!("drop the join table of `{}.{}` with `{}`", old.name, join.field, join.target),
            loss: Some(Loss::Join { table: table(), field: join.field.clone() }),
            checks: Vec::new(),
            change: Change::DropJoin { table: table(), join: join.clone() },
        });
    }
}

/// The reference that this one was: of its own name, or of the name in `renamed_from`; none where it points elsewhere now.
fn former_join<'a>(old: &'a Table, new: &Table, join: &Join) -> Option<&'a Join> {
    let renamed = || {
        let name = join.renamed_from.as_deref().filter(|name| new.join(name).is_none())?;
        old.join(name)
    };
    let former = old.join(&join.field).or_else(renamed)?;
    (former.target == join.target && former.target_id == join.target_id).then_some(former)
}

fn limit_join(table: &Table, join: &Join, former: &Join) -> Step {
    let limit = |most: Option<usize>| most.map_or("any number".to_owned(), |most| most.to_string());
    let mut checks = Vec::new();
    if let Some(most) = join.max_items.filter(|most| former.max_items.is_none_or(|before| before > *most)) {
        checks.push(Check {
            table: table.name.clone(),
            field: join.field.clone(),
            condition: Condition::MoreIds(former.field.clone(), most),
            reason: format!("has more than {most} ids"),
        });
    }
    let words = format!(
        "`{}` of `{}`: at most {} ids (was {})",
        join.field,
        table.name,
        limit(join.max_items),
        limit(former.max_items)
    );
    Step { words, loss: None, checks, change: Change::ChangeJoin }
}

/// The check that a table has no records, for a required column that comes without a value for them.
fn needs_fill(table: &Table, column: &super::physical::Column) -> Option<Check> {
    let reason = match column.origin.fill {
        _ if !column.required => return None,
        Fill::Value(_) | Fill::Now => return None,
        Fill::Nothing => {
            "is there already, and a new required field needs a default to fill it with (or make the field optional)"
        }
        Fill::Unknown => {
            "is there already, and the default depends on who creates a record: add the field as an optional one, \
             fill it, then require it"
        }
    };
    Some(Check {
        table: table.name.clone(),
        field: column.name.clone(),
        condition: Condition::Any,
        reason: reason.to_owned(),
    })
}

#[cfg(test)]
mod tests;
