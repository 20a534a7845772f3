//! The tables that a schema needs.

use std::collections::HashSet;

use model::{
    Field, Kind, Resource, Schema, Shape,
    field::{self, TextOptions},
};

use super::{
    names,
    physical::{Column, Database, Fill, Index, IndexColumn, Join, Limits, Origin, SYSTEM_VERSION, Table, Type},
};

impl Database {
    /// The tables that a schema needs, in the order of the resources.
    #[must_use]
    pub fn of(schema: &Schema) -> Self {
        let mut tables: Vec<_> = schema.resources().iter().map(|resource| table(schema, resource)).collect();
        keep_names_apart(&mut tables);
        Self { system: SYSTEM_VERSION, tables }
    }
}

fn table(schema: &Schema, resource: &Resource) -> Table {
    let stored = |field: &&Field| field.origin != field::Origin::Id;
    Table {
        name: resource.name.clone(),
        id: resource.id_kind.into(),
        columns: resource
            .fields
            .iter()
            .filter(stored)
            .filter(|field| !field.is_many())
            .map(|field| column(schema, field))
            .collect(),
        joins: resource.fields.iter().filter_map(|field| join(schema, field)).collect(),
        indexes: indexes(resource),
    }
}

fn column(schema: &Schema, field: &Field) -> Column {
    let kept = matches!(field.origin, field::Origin::CreatedAt | field::Origin::UpdatedAt);
    let fill = match &field.default {
        _ if kept => Fill::Now,
        None => Fill::Nothing,
        Some(field::Default::Literal(value)) => Fill::Value(value.clone()),
        Some(field::Default::Now) => Fill::Now,
        Some(field::Default::CallerId | field::Default::Rule(_)) => Fill::Unknown,
    };
    Column {
        name: field.name.clone(),
        kind: column_type(field),
        list: field.list.is_some(),
        required: field.required || kept,
        references: field.target_one().map(|target| schema.get(target).name.clone()),
        limits: limits(field),
        origin: Origin { renamed_from: field.renamed_from.clone(), fill, ..Origin::default() },
    }
}

fn column_type(field: &Field) -> Type {
    match field.shape {
        Shape::Text { fold_case } => Type::Text { fold_case },
        Shape::Integer => Type::Integer,
        Shape::Float => Type::Float,
        Shape::Decimal { scale } => match field.kind {
            Kind::Decimal { precision, .. } => Type::Decimal { precision, scale },
            _ => Type::Decimal { precision: 18, scale },
        },
        Shape::Boolean => Type::Boolean,
        Shape::DateTime => Type::DateTime,
        Shape::Date => Type::Date,
        Shape::Uuid => Type::Uuid,
        Shape::Json => Type::Json,
    }
}

fn limits(field: &Field) -> Limits {
    let bounds = |min: Option<String>, max: Option<String>| Limits { min, max, ..Limits::default() };
    let own = match &field.kind {
        Kind::String(options) | Kind::Text(options) => length(options),
        Kind::Integer { min, max } => bounds(min.map(|bound| bound.to_string()), max.map(|bound| bound.to_string())),
        Kind::Float { min, max } => bounds(min.map(|bound| bound.to_string()), max.map(|bound| bound.to_string())),
        Kind::Decimal { min, max, .. } => {
            bounds(min.map(|bound| bound.normalize().to_string()), max.map(|bound| bound.normalize().to_string()))
        }
        Kind::Enum { values } => {
            let mut values = values.clone();
            values.sort();
            Limits { values: Some(values), ..Limits::default() }
        }
        Kind::Json { max_size, .. } => Limits { max_length: Some(*max_size), ..Limits::default() },
        Kind::Url { max } => Limits { max_length: Some(*max), ..Limits::default() },
        Kind::Boolean | Kind::DateTime | Kind::Date | Kind::Uuid | Kind::Email | Kind::Reference { .. } => {
            Limits::default()
        }
    };
    Limits { max_items: field.list.map(|list| list.max_items), ..own }
}

fn length(options: &TextOptions) -> Limits {
    Limits { min_length: options.min, max_length: Some(options.max), ..Limits::default() }
}

fn join(schema: &Schema, field: &Field) -> Option<Join> {
    let Kind::Reference { to, many: true, max_items, .. } = &field.kind else { return None };
    let target = schema.get(*to);
    Some(Join {
        field: field.name.clone(),
        target: target.name.clone(),
        target_id: target.id_kind.into(),
        max_items: Some(*max_items),
        renamed_from: field.renamed_from.clone(),
    })
}

/// Declared indexes, then those of unique fields, then those of references that no other index serves.
fn indexes(resource: &Resource) -> Vec<Index> {
    let mut all: Vec<_> = resource.indexes.iter().map(|index| declared(resource, index)).collect();
    let columns = || resource.fields.iter().filter(|field| field.is_declared() && !field.is_many());
    for field in columns().filter(|field| field.unique) {
        all.push(Index {
            name: names::unique(&resource.name, &field.name),
            columns: vec![index_column(field, false)],
            unique: true,
        });
    }
    for field in columns().filter(|field| field.target_one().is_some()) {
        if !all.iter().any(|index| index.columns[0].name == field.name) {
            all.push(Index {
                name: names::reference(&resource.name, &field.name),
                columns: vec![index_column(field, false), id_column(false)],
                unique: false,
            });
        }
    }
    all
}

fn declared(resource: &Resource, index: &model::Index) -> Index {
    let mut columns: Vec<_> =
        index.columns.iter().map(|(field, descending)| index_column(resource.get(*field), *descending)).collect();
    // Orders are made total by the id, so an index that has it last serves them whole.
    if !index.unique && !columns.iter().any(|column| column.name == "id") {
        let descending = columns.last().is_some_and(|last| last.descending);
        columns.push(id_column(descending));
    }
    Index { name: names::index(&resource.name, &index.name), columns, unique: index.unique }
}

fn index_column(field: &Field, descending: bool) -> IndexColumn {
    let fold_case = field.shape == (Shape::Text { fold_case: true }) && field.list.is_none();
    IndexColumn { name: field.name.clone(), descending, fold_case }
}

fn id_column(descending: bool) -> IndexColumn {
    IndexColumn { name: "id".into(), descending, fold_case: false }
}

/// Tables, join tables, sequences and indexes share one name space; an index whose name is taken gets another.
fn keep_names_apart(tables: &mut [Table]) {
    let mut taken = HashSet::new();
    for table in &*tables {
        taken.insert(table.name.clone());
        taken.insert(names::sequence(&table.name));
        taken.insert(names::primary_key(&table.name));
        for join in &table.joins {
            let name = names::join_table(&table.name, &join.field);
            taken.insert(names::primary_key(&name));
            taken.insert(names::join_target(&table.name, &join.field));
            taken.insert(name);
        }
    }
    for table in tables {
        for index in &mut table.indexes {
            while !taken.insert(index.name.clone()) {
                index.name = names::index(&index.name, "index");
            }
        }
    }
}

#[cfg(test)]
mod tests;
