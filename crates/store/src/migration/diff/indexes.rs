//! Indexes: which live on, which are made anew, and whether the records allow a unique one.

use crate::migration::{
    physical::{Column, Fill, Index, IndexColumn, Table},
    plan::{Change, Check, Condition, Converted, Step},
};

use super::{columns::Pairs, plain};

/// The steps for a table's indexes.
pub(super) fn diff(pairs: &Pairs<'_>, old: &Table, new: &Table, steps: &mut Vec<Step>) {
    let table = || new.name.clone();
    let survivors: Vec<(&Index, Option<Vec<IndexColumn>>)> =
        old.indexes.iter().map(|index| (index, carried_over(pairs, index))).collect();
    let mut kept: Vec<&str> = Vec::new();
    for index in &new.indexes {
        let same = |(former, columns): &&(&Index, Option<Vec<IndexColumn>>)| {
            former.unique == index.unique
                && columns.as_ref() == Some(&index.columns)
                && !kept.contains(&former.name.as_str())
        };
        let named_so = survivors.iter().filter(same).find(|(former, _)| former.name == index.name);
        // An index that only another new one may claim by its name is not taken from it.
        let free = || {
            survivors.iter().filter(same).find(|(former, _)| !new.indexes.iter().any(|other| other.name == former.name))
        };
        let Some((former, _)) = named_so.or_else(free) else {
            steps.push(create(pairs, new, index));
            continue;
        };
        if former.name != index.name {
            let words = format!("rename index `{}` of `{}` to `{}`", former.name, new.name, index.name);
            steps.push(plain(
                words,
                Change::RenameIndex { table: table(), from: former.name.clone(), to: index.clone() },
            ));
        }
        kept.push(&former.name);
    }
    for index in old.indexes.iter().filter(|index| !kept.contains(&index.name.as_str())) {
        let words = format!("drop index `{}` of `{}`", index.name, new.name);
        steps.push(plain(words, Change::DropIndex { table: table(), index: index.clone() }));
    }
}

/// An old index's columns by their new names; none where one of them goes.
fn carried_over(pairs: &Pairs<'_>, index: &Index) -> Option<Vec<IndexColumn>> {
    let rename = |column: &IndexColumn| {
        if column.name == "id" {
            return Some(column.clone());
        }
        let (_, to) = pairs.kept.iter().find(|(from, _)| from.name == column.name)?;
        Some(IndexColumn { name: to.name.clone(), ..column.clone() })
    };
    index.columns.iter().map(rename).collect()
}

fn create(pairs: &Pairs<'_>, table: &Table, index: &Index) -> Step {
    let names: Vec<_> = index.columns.iter().map(|column| format!("`{}`", column.name)).collect();
    let unique = if index.unique { "unique " } else { "" };
    Step {
        words: format!("create {unique}index `{}` of `{}` on {}", index.name, table.name, names.join(", ")),
        loss: None,
        checks: unique_check(pairs, table, index).into_iter().collect(),
        change: Change::CreateIndex { table: table.name.clone(), index: index.clone() },
    }
}

/// The check that no two records agree in the columns. A new column has one value in all records, so it adds nothing
/// where it is filled, and keeps all apart where it is null.
fn unique_check(pairs: &Pairs<'_>, table: &Table, index: &Index) -> Option<Check> {
    if !index.unique {
        return None;
    }
    let mut columns = Vec::new();
    for column in &index.columns {
        let fresh = |column: &Column| matches!(column.origin.fill, Fill::Nothing | Fill::Unknown);
        if let Some((from, to)) = pairs.kept.iter().find(|(_, to)| to.name == column.name) {
            columns.push(Converted { from: (*from).clone(), to: (*to).clone() });
        } else if table.column(&column.name).is_none_or(fresh) {
            return None;
        }
    }
    let fields: Vec<_> = index.columns.iter().map(|column| column.name.as_str()).collect();
    Some(Check {
        table: table.name.clone(),
        field: fields.join(", "),
        condition: Condition::Duplicate(columns),
        reason: "has a value that another record has, and is unique from now on".to_owned(),
    })
}
