//! Scripts may have changed the tables, say to split one column in two: what they left is what a plan begins with.

use std::collections::BTreeMap;

use super::{
    names,
    physical::{Column, Database, Fill, Limits, Origin, Table, Type},
};

/// What a store finds: its tables by name.
pub type Found = BTreeMap<String, FoundTable>;

/// A table as it is found.
#[derive(Debug, Clone, Default)]
pub struct FoundTable {
    /// The names of its columns.
    pub columns: Vec<String>,
    /// The names of its indexes.
    pub indexes: Vec<String>,
}

/// The old database without what is gone, and with the columns that are there besides. One that `new` asks for is taken
/// over with its values; any other is there to be dropped.
#[must_use]
pub fn reconcile(old: &Database, new: &Database, found: &Found) -> Database {
    let mut real = old.clone();
    real.tables.retain(|table| found.contains_key(&table.name));
    for table in &mut real.tables {
        let Some(there) = found.get(&table.name) else { continue };
        let wanted = new.table(&table.name);
        table.joins.retain(|join| found.contains_key(&names::join_table(&table.name, &join.field)));
        table.indexes.retain(|index| there.indexes.contains(&index.name));
        table.columns.retain(|column| there.columns.contains(&column.name));
        let further: Vec<_> = there.columns.iter().filter(|name| is_further(table, name)).collect();
        table.columns.extend(further.into_iter().map(|name| match wanted.and_then(|wanted| wanted.column(name)) {
            Some(column) => taken_over(column),
            None => unknown(name),
        }));
    }
    real
}

fn is_further(table: &Table, name: &str) -> bool {
    name != "id" && name != "_rev" && table.column(name).is_none()
}

/// Nothing is known of its values yet, so that all of the field's options are checked.
fn taken_over(column: &Column) -> Column {
    Column {
        required: false,
        references: None,
        limits: Limits::default(),
        origin: Origin { renamed_from: None, fill: Fill::Nothing, from_script: true },
        ..column.clone()
    }
}

fn unknown(name: &str) -> Column {
    Column {
        name: name.to_owned(),
        kind: Type::Text { fold_case: false },
        list: false,
        required: false,
        references: None,
        limits: Limits::default(),
        origin: Origin::default(),
    }
}
