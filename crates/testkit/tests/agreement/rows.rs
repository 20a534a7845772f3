//! Records as rows of their tables and join tables.

use model::{Field, Kind, Value};
use rules::Type;
use store::migration::names;

use crate::world::World;

/// A row to insert.
pub(crate) struct Row {
    /// The table's name.
    pub(crate) table: String,
    /// Name, value and type of each column.
    pub(crate) columns: Vec<(String, Value, Type)>,
}

/// All rows of a world, those of the resources before those of the join tables.
pub(crate) fn rows(world: &World) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut joins = Vec::new();
    for (_, resource, records) in world.all() {
        for record in records {
            let mut columns = vec![("_rev".to_owned(), Value::Integer(record.revision), Type::Integer)];
            for (field, value) in resource.fields.iter().zip(&record.values) {
                if !field.is_many() {
                    columns.push((field.name.clone(), value.clone(), type_of(field)));
                    continue;
                }
                let owner = Type::of_shape(resource.fields[0].shape, 0);
                let target = Type::of_shape(field.shape, 0);
                for (position, id) in value.items().iter().enumerate() {
                    joins.push(Row {
                        table: names::join_table(&resource.name, &field.name),
                        columns: vec![
                            ("owner".into(), record.id().clone(), owner.clone()),
                            ("position".into(), Value::Integer(position as i64), Type::Integer),
                            ("target".into(), id.clone(), target.clone()),
                        ],
                    });
                }
            }
            rows.push(Row { table: resource.name.clone(), columns });
        }
    }
    rows.extend(joins);
    rows
}

/// The type of a field's column.
pub(crate) fn type_of(field: &Field) -> Type {
    let precision = match field.kind {
        Kind::Decimal { precision, .. } => precision,
        _ => 18,
    };
    let one = Type::of_shape(field.shape, precision);
    if field.list.is_some() { Type::List(Box::new(one)) } else { one }
}
