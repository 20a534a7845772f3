//! Databases drawn by chance, and what may become of them: for the tests of every store's migrations.

use model::{Decimal, Value};

use super::{
    names,
    physical::{Column, Database, Fill, Id, Index, IndexColumn, Join, Limits, Origin, SYSTEM_VERSION, Table, Type},
};

/// An app of these tables.
#[must_use]
pub fn app(tables: &[Table]) -> Database {
    Database { system: SYSTEM_VERSION, tables: tables.to_vec() }
}

/// A table of these columns.
#[must_use]
pub fn table(name: &str, id: Id, columns: &[Column]) -> Table {
    Table { name: name.into(), id, columns: columns.to_vec(), joins: Vec::new(), indexes: Vec::new() }
}

/// An optional column without a default.
#[must_use]
pub fn optional(name: &str, kind: Type) -> Column {
    Column {
        name: name.into(),
        kind,
        list: false,
        required: false,
        references: None,
        limits: Limits::default(),
        origin: Origin::default(),
    }
}

/// A required column whose default is this value.
#[must_use]
pub fn filled(name: &str, kind: Type, value: Value) -> Column {
    let origin = Origin { renamed_from: None, fill: Fill::Value(value), ..Origin::default() };
    Column { required: true, origin, ..optional(name, kind) }
}

/// An optional reference.
#[must_use]
pub fn reference(name: &str, target: &str, id: Id) -> Column {
    Column { references: Some(target.into()), ..optional(name, id.kind()) }
}

/// A unique index over one column.
#[must_use]
pub fn unique(table: &str, column: &Column) -> Index {
    let fold_case = column.kind == (Type::Text { fold_case: true });
    let only = IndexColumn { name: column.name.clone(), descending: false, fold_case };
    Index { name: names::unique(table, &column.name), columns: vec![only], unique: true }
}

/// A source of chance that yields the same for the same seed.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// Begins at a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as usize) % bound
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of the choices, of which there is one at least.
    pub fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }
}

/// A database of up to four tables.
pub fn database(chance: &mut Chance) -> Database {
    let mut database = Database { system: SYSTEM_VERSION, tables: Vec::new() };
    for name in ["ants", "bees", "cats", "dogs"] {
        if !chance.once_in(4) {
            let id = chance.pick(&[Id::Uuid, Id::Integer, Id::String]);
            database.tables.push(Table {
                name: name.into(),
                id,
                columns: Vec::new(),
                joins: Vec::new(),
                indexes: Vec::new(),
            });
        }
    }
    settle(chance, database)
}

/// What may become of a database: everything may stay, go, come, change or be renamed.
pub fn evolve(chance: &mut Chance, before: &Database) -> Database {
    let mut database = database(chance);
    for table in &mut database.tables {
        let Some(old) = before.table(&table.name).filter(|_| !chance.once_in(8)) else { continue };
        table.id = if chance.once_in(12) { table.id } else { old.id };
        let fresh = std::mem::take(&mut table.columns);
        table.joins.retain(|_| chance.once_in(2));
        for column in &old.columns {
            if chance.once_in(6) {
                continue;
            }
            let mut column = column.clone();
            let refers = column.references.is_some();
            match chance.below(8) {
                0 => column.required = !refers && !column.required,
                1 if !refers => {
                    column.kind = kind(chance);
                    column.limits = Limits::default();
                }
                2 if !column.list => column.limits = limits(chance, column.kind),
                3 => {
                    column.origin.renamed_from = Some(column.name.clone());
                    column.name = format!("{}_new", column.name);
                }
                _ => {}
            }
            let renamed_from = column.origin.renamed_from;
            column.origin = if refers { Origin::default() } else { fill(chance, column.kind, column.list) };
            column.origin.renamed_from = renamed_from;
            table.columns.push(column);
        }
        for column in fresh {
            if table.column(&column.name).is_none() && chance.once_in(3) {
                table.columns.push(column);
            }
        }
        for join in &old.joins {
            if table.join(&join.field).is_none() && !chance.once_in(4) {
                let mut join = join.clone();
                if chance.once_in(4) {
                    join.renamed_from = Some(join.field.clone());
                    join.field = format!("{}_new", join.field);
                }
                table.joins.push(join);
            }
        }
    }
    mend(&mut database);
    for table in 0..database.tables.len() {
        database.tables[table].indexes = indexes(chance, &database.tables[table]);
    }
    database
}

/// Gives the tables columns, joins and indexes.
fn settle(chance: &mut Chance, mut database: Database) -> Database {
    let targets: Vec<_> = database.tables.iter().map(|table| (table.name.clone(), table.id)).collect();
    for table in &mut database.tables {
        for name in ["one", "two", "three", "key", "value", "type"] {
            if chance.once_in(2) {
                table.columns.push(column(chance, name, &targets));
            }
        }
        for field in ["friends", "parts"] {
            if chance.once_in(3) {
                let (target, target_id) = chance.pick(&targets);
                table.joins.push(Join { field: field.into(), target, target_id, max_items: None, renamed_from: None });
            }
        }
        table.indexes = indexes(chance, table);
    }
    database
}

/// References to tables that are gone, or whose ids are others now, lead to what is there or vanish.
fn mend(database: &mut Database) {
    let targets: Vec<_> = database.tables.iter().map(|table| (table.name.clone(), table.id)).collect();
    let id_of = |name: &str| targets.iter().find(|(target, _)| target == name).map(|(_, id)| *id);
    for table in &mut database.tables {
        table.columns.retain_mut(|column| match column.references.as_deref().map(id_of) {
            Some(None) => false,
            Some(Some(id)) => {
                column.kind = id.kind();
                true
            }
            None => true,
        });
        table.joins.retain_mut(|join| match id_of(&join.target) {
            Some(id) => {
                join.target_id = id;
                true
            }
            None => false,
        });
    }
}

fn column(chance: &mut Chance, name: &str, targets: &[(String, Id)]) -> Column {
    if chance.once_in(4) {
        let (target, id) = chance.pick(targets);
        return reference(name, &target, id);
    }
    let kind = kind(chance);
    let list = chance.once_in(5) && kind != Type::Json;
    let limits = if list { Limits::default() } else { limits(chance, kind) };
    Column { list, required: chance.once_in(3), limits, origin: fill(chance, kind, list), ..optional(name, kind) }
}

fn kind(chance: &mut Chance) -> Type {
    chance.pick(&[
        Type::Text { fold_case: false },
        Type::Text { fold_case: true },
        Type::Integer,
        Type::Float,
        Type::Decimal { precision: 6, scale: 2 },
        Type::Decimal { precision: 12, scale: 4 },
        Type::Decimal { precision: 4, scale: 0 },
        Type::Boolean,
        Type::DateTime,
        Type::Date,
        Type::Uuid,
        Type::Json,
    ])
}

fn limits(chance: &mut Chance, kind: Type) -> Limits {
    let mut limits = Limits::default();
    match kind {
        Type::Text { .. } => limits.max_length = chance.pick(&[None, Some(8), Some(2)]),
        Type::Integer | Type::Float => limits.max = chance.pick(&[None, Some("50".into()), Some("-3".into())]),
        Type::Decimal { .. } => limits.min = chance.pick(&[None, Some("-1.5".into())]),
        _ => {}
    }
    limits
}

fn fill(chance: &mut Chance, kind: Type, list: bool) -> Origin {
    let fill = match chance.below(3) {
        0 => Fill::Nothing,
        1 if matches!(kind, Type::DateTime | Type::Date) && !list => Fill::Now,
        _ if list => Fill::Value(Value::List((0..chance.below(3)).map(|_| value(chance, kind)).collect())),
        _ => Fill::Value(value(chance, kind)),
    };
    Origin { renamed_from: None, fill, ..Origin::default() }
}

/// A value of a type.
pub fn value(chance: &mut Chance, kind: Type) -> Value {
    match kind {
        Type::Text { .. } => {
            Value::text(chance.pick(&["", "a", "A", "it's", "\\back \"slash\"", "größer", "?1 $1 :x"]))
        }
        Type::Integer => Value::Integer(chance.pick(&[0, 1, -7, 60, 123_456_789, i64::MAX, i64::MIN])),
        Type::Float => Value::Float(chance.pick(&[0.0, -1.5, 1e300, 0.1, 3.0])),
        Type::Decimal { scale, .. } => Value::Decimal(Decimal::new(chance.pick(&[0, 1, -250, 9999]), scale)),
        Type::Boolean => Value::Boolean(chance.once_in(2)),
        Type::DateTime => Value::DateTime(chance.pick(&[0, -1, 1_700_000_000_123_456])),
        Type::Date => Value::Date(chance.pick(&[0, -1, 20_000])),
        Type::Uuid => Value::Uuid(uuid::Uuid::from_u128(chance.below(4) as u128 + (7_u128 << 100))),
        Type::Json => Value::Json(chance.pick(&["null", "{\"a\":[1,\"it's\"]}", "\"x\""]).into()),
    }
}

fn indexes(chance: &mut Chance, table: &Table) -> Vec<Index> {
    let fit: Vec<_> = table.columns.iter().filter(|column| column.kind != Type::Json && !column.list).collect();
    let column = |column: &Column, descending| IndexColumn {
        name: column.name.clone(),
        descending,
        fold_case: column.kind == (Type::Text { fold_case: true }),
    };
    let mut indexes = Vec::new();
    for name in ["first", "second"] {
        if fit.is_empty() || chance.once_in(2) {
            continue;
        }
        let descending = chance.once_in(2);
        let mut columns = vec![column(chance.pick(&fit), descending)];
        let second = chance.pick(&fit);
        if second.name != columns[0].name && chance.once_in(2) {
            columns.push(column(second, !descending));
        }
        let unique = chance.once_in(5);
        if !unique {
            let descending = columns.last().is_some_and(|last| last.descending);
            columns.push(IndexColumn { name: "id".into(), descending, fold_case: false });
        }
        indexes.push(Index { name: names::index(&table.name, name), columns, unique });
    }
    for reference in table.columns.iter().filter(|column| column.references.is_some()) {
        let columns =
            vec![column(reference, false), IndexColumn { name: "id".into(), descending: false, fold_case: false }];
        indexes.push(Index { name: names::reference(&table.name, &reference.name), columns, unique: false });
    }
    indexes
}
