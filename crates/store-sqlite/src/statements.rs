//! The SQL of whole records: made once for each app, since it says nothing of callers.

use model::{FieldIndex, Resource, ResourceIndex, Schema};

/// The texts for every resource of an app.
#[derive(Debug)]
pub(crate) struct Statements {
    resources: Vec<ResourceStatements>,
}

/// The texts for one resource.
#[derive(Debug)]
pub(crate) struct ResourceStatements {
    /// All columns (`many` references as lists) and the revision of one record: `?1` is its id.
    pub(crate) fetch: String,
    /// Inserts all kept columns, then the revision.
    pub(crate) insert: String,
    /// The fields that have a column, in the order of `insert`.
    pub(crate) columns: Vec<FieldIndex>,
    /// Deletes one record: `?1` is its id.
    pub(crate) delete: String,
    /// The `many` references.
    pub(crate) many: Vec<ManyStatements>,
    /// The greatest id in use.
    pub(crate) greatest_id: String,
}

/// The texts for one `many` reference.
#[derive(Debug)]
pub(crate) struct ManyStatements {
    pub(crate) field: FieldIndex,
    /// Inserts owner, position, target.
    pub(crate) insert: String,
    /// Deletes all of an owner: `?1`.
    pub(crate) clear: String,
}

impl Statements {
    pub(crate) fn new(schema: &Schema) -> Self {
        Self { resources: schema.resources().iter().map(ResourceStatements::new).collect() }
    }

    pub(crate) fn of(&self, resource: ResourceIndex) -> &ResourceStatements {
        &self.resources[resource.0 as usize]
    }
}

impl ResourceStatements {
    fn new(resource: &Resource) -> Self {
        let table = quote(&resource.name);
        let columns: Vec<FieldIndex> = resource.indices().filter(|field| !resource.get(*field).is_many()).collect();
        let names: Vec<String> = columns.iter().map(|field| quote(&resource.get(*field).name)).collect();
        let marks: Vec<String> = (1..=columns.len() + 1).map(|number| format!("?{number}")).collect();
        let everything: Vec<String> = resource.indices().map(|field| column(resource, field, &table)).collect();
        let many = resource
            .indices()
            .filter(|field| resource.get(*field).is_many())
            .map(|field| {
                let join = join_table(resource, field);
                ManyStatements {
                    field,
                    insert: format!("INSERT INTO {join} (owner, position, target) VALUES (?1, ?2, ?3)"),
                    clear: format!("DELETE FROM {join} WHERE owner = ?1"),
                }
            })
            .collect();
        Self {
            fetch: format!("SELECT {}, _rev FROM {table} WHERE id = ?1", everything.join(", ")),
            insert: format!("INSERT INTO {table} ({}, _rev) VALUES ({})", names.join(", "), marks.join(", ")),
            columns,
            delete: format!("DELETE FROM {table} WHERE id = ?1"),
            many,
            greatest_id: format!("SELECT max(id) FROM {table}"),
        }
    }
}

/// A field as it is selected: its column, or for a `many` reference the list of ids, in order.
pub(crate) fn column(resource: &Resource, field: FieldIndex, alias: &str) -> String {
    let declared = resource.get(field);
    if !declared.is_many() {
        return format!("{alias}.{}", quote(&declared.name));
    }
    let target = match declared.shape {
        // JSON has no bytes.
        model::Shape::Uuid => "lower(hex(target))",
        _ => "target",
    };
    let join = join_table(resource, field);
    format!(
        "(SELECT json_group_array(item) FROM (SELECT {target} AS item FROM {join} WHERE owner = {alias}.id ORDER BY position))"
    )
}

/// Where a reference is kept: the table, the column with what is referred to, and that with the record that refers.
pub(crate) fn place_of(resource: &Resource, field: FieldIndex) -> (String, String, &'static str) {
    match resource.get(field).is_many() {
        true => (join_table(resource, field), "target".to_owned(), "owner"),
        false => (quote(&resource.name), quote(&resource.get(field).name), "id"),
    }
}

/// The quoted name of a `many` reference's join table.
pub(crate) fn join_table(resource: &Resource, field: FieldIndex) -> String {
    quote(&format!("{}__{}", resource.name, resource.get(field).name))
}

/// An identifier of the schema, quoted.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
