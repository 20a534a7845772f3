//! The SQL of whole records: made once for each app, since it says nothing of callers.
//!
//! A record and its entry in the log are written by one statement. The entry takes its id (the order in which entries are
//! given their sequences) after the record's row was written, so that it comes behind everything that the row waited for.

use std::{collections::HashMap, sync::Arc};

use model::{Action, Field, FieldIndex, Keep, Resource, ResourceIndex, Schema};
use store::migration::{Database, names};
use tokio_postgres::types::Type;

use crate::{
    connection::Text,
    migrate::ddl::{literal, quote},
    value::{array, column_type, shape_type},
};

/// The sequence of revisions, which the log's ids are drawn from, too.
const REVISION: &str = "nextval('\"_events_id_seq\"')";

/// The texts for every resource of an app.
#[derive(Debug)]
pub(crate) struct Statements {
    resources: Vec<ResourceStatements>,
}

/// The texts for one resource.
#[derive(Debug)]
pub(crate) struct ResourceStatements {
    /// Columns and revision of one record, and 1, locked to be changed: `$1` is its id.
    pub(crate) fetch: Text,
    /// The same, locked to be deleted.
    pub(crate) fetch_to_remove: Text,
    /// Columns and revision of the records with the ids `$1`, and the place of each among them, from 1, locked to be changed.
    pub(crate) fetch_all: Text,
    /// The same, locked to be deleted.
    pub(crate) fetch_all_to_remove: Text,
    /// Locks the records with the ids `$1`, in their order, to be changed.
    pub(crate) lock_all: Text,
    /// The same, to be deleted.
    pub(crate) lock_all_to_remove: Text,
    /// The `many` references of one record: `$1` is its id. To be asked only where the resource has some.
    pub(crate) lists: Text,
    /// The same of the ids `$1`, a row for each, in their order.
    pub(crate) lists_of_all: Text,
    /// Inserts a record with the id it brings: columns, lists, time, actor, request, the record as JSON.
    pub(crate) create: Arc<Text>,
    /// The same with the next serial number: no id, and the JSON begins after the id.
    pub(crate) create_next: Arc<Text>,
    /// Lets serial numbers go on above `$1`.
    pub(crate) pass_over: Text,
    /// Lets serial numbers go on above every id in use.
    pub(crate) pass_over_all: Text,
    /// Deletes one record: id, time, actor, request, the record as JSON.
    pub(crate) remove: Text,
    /// The fields that have a column, `id` first.
    pub(crate) columns: Vec<FieldIndex>,
    /// The `many` references.
    pub(crate) many: Vec<ManyStatements>,
    /// The fields of each constraint by its name.
    pub(crate) constraints: HashMap<String, Vec<FieldIndex>>,
}

/// The texts for one `many` reference.
#[derive(Debug)]
pub(crate) struct ManyStatements {
    pub(crate) field: FieldIndex,
    /// Inserts owner `$1` and targets `$2`.
    pub(crate) insert: Text,
    /// Deletes all of an owner: `$1`.
    pub(crate) clear: Text,
}

impl Statements {
    pub(crate) fn new(schema: &Schema) -> Self {
        let database = Database::of(schema);
        let resources = schema.resources().iter().map(|resource| ResourceStatements::new(resource, &database));
        Self { resources: resources.collect() }
    }

    pub(crate) fn of(&self, resource: ResourceIndex) -> &ResourceStatements {
        &self.resources[resource.0 as usize]
    }
}

impl ResourceStatements {
    fn new(resource: &Resource, database: &Database) -> Self {
        let table = quote(&resource.name);
        let id = shape_type(resource.get(Resource::ID).shape);
        let columns: Vec<FieldIndex> = resource.indices().filter(|field| !resource.get(*field).is_many()).collect();
        let many: Vec<FieldIndex> = resource.indices().filter(|field| resource.get(*field).is_many()).collect();
        let selected: Vec<String> =
            columns.iter().map(|field| format!("t.{}", quote(&resource.get(*field).name))).collect();
        let selected = format!("{}, t.\"_rev\"", selected.join(", "));
        let fetch = |lock: &str| Text {
            sql: format!("SELECT {selected}, 1::bigint FROM {table} AS t WHERE t.\"id\" = $1 FOR {lock}"),
            types: vec![id.clone()],
        };
        // In this order they are locked, too.
        let all = |selected: &str, lock: &str| Text {
            sql: format!(
                "SELECT {selected} FROM unnest($1) WITH ORDINALITY AS wanted(id, place) \
                 JOIN {table} AS t ON t.\"id\" = wanted.id ORDER BY wanted.place FOR {lock} OF t"
            ),
            types: vec![array(&id)],
        };
        let fetch_all = |lock: &str| all(&format!("{selected}, wanted.place"), lock);
        let lists = |owner: &str, from: &str, id: Type| {
            let lists: Vec<String> = many.iter().map(|field| gather(resource, *field, owner)).collect();
            Text { sql: format!("SELECT {}{from}", lists.join(", ")), types: vec![id] }
        };
        let sequence = literal(&quote(&names::sequence(&resource.name)));
        Self {
            fetch: fetch("NO KEY UPDATE"),
            fetch_to_remove: fetch("UPDATE"),
            fetch_all: fetch_all("NO KEY UPDATE"),
            fetch_all_to_remove: fetch_all("UPDATE"),
            lock_all: all("", "NO KEY UPDATE"),
            lock_all_to_remove: all("", "UPDATE"),
            lists: lists("$1", "", id.clone()),
            lists_of_all: lists(
                "wanted.id",
                " FROM unnest($1) WITH ORDINALITY AS wanted(id, place) ORDER BY wanted.place",
                array(&id),
            ),
            create: Arc::new(create(resource, &columns, &many, None)),
            create_next: Arc::new(create(resource, &columns, &many, Some(&format!("nextval({sequence})")))),
            pass_over: Text {
                // Step by step it can't run into numbers that others draw meanwhile; a leap is for loading only.
                sql: format!(
                    "SELECT CASE WHEN gap > 1000 THEN setval({sequence}, $1) \
                     ELSE (SELECT max(nextval({sequence})) FROM generate_series(1, gap)) END \
                     FROM (SELECT $1 - last_value + (NOT is_called)::integer AS gap FROM {}) AS ahead WHERE gap > 0",
                    quote(&names::sequence(&resource.name))
                ),
                types: vec![Type::INT8],
            },
            pass_over_all: Text {
                sql: format!(
                    "SELECT setval({sequence}, greatest((SELECT max(\"id\") FROM {table}), \
                     (SELECT last_value FROM {})))",
                    quote(&names::sequence(&resource.name))
                ),
                types: Vec::new(),
            },
            remove: remove(resource, &id),
            many: many.iter().map(|field| ManyStatements::new(resource, *field, &id)).collect(),
            constraints: constraints(resource, database),
            columns,
        }
    }

    /// Changes a record: revision aside, id, time, actor, request, changed names, JSON before and after, then the values
    /// of these fields.
    pub(crate) fn change(resource: &Resource, fields: &[FieldIndex]) -> Text {
        let mut types = vec![shape_type(resource.get(Resource::ID).shape), Type::INT8];
        types.extend([Type::TEXT, Type::TEXT, Type::TEXT, Type::TEXT, Type::TEXT]);
        let mut set = String::new();
        for field in fields {
            let declared = resource.get(*field);
            types.push(column_type(declared));
            set.push_str(&format!("{} = ${}, ", quote(&declared.name), types.len()));
        }
        let entry = entry(resource, Action::Updated, "$2, $3, $4", "$5", "$6", "$7");
        let sql = format!(
            "WITH made AS (UPDATE {} SET {set}\"_rev\" = {REVISION} WHERE \"id\" = $1 RETURNING \"id\", \"_rev\" AS rev) {entry}",
            quote(&resource.name)
        );
        Text { sql, types }
    }
}

impl ManyStatements {
    fn new(resource: &Resource, field: FieldIndex, id: &Type) -> Self {
        let join = join_table(resource, field);
        let list = column_type(resource.get(field));
        Self {
            field,
            insert: Text {
                sql: format!("INSERT INTO {join} (owner, position, target) {}", items("$1", "$2", None)),
                types: vec![id.clone(), list],
            },
            clear: Text { sql: format!("DELETE FROM {join} WHERE owner = $1"), types: vec![id.clone()] },
        }
    }
}

fn create(resource: &Resource, columns: &[FieldIndex], many: &[FieldIndex], next: Option<&str>) -> Text {
    let mut types = Vec::new();
    let mut names = Vec::new();
    let mut values = Vec::new();
    for field in columns {
        let declared = resource.get(*field);
        names.push(quote(&declared.name));
        match next.filter(|_| *field == Resource::ID) {
            Some(next) => values.push(next.to_owned()),
            None => {
                types.push(column_type(declared));
                values.push(format!("${}", types.len()));
            }
        }
    }
    let mut joins = String::new();
    for field in many {
        types.push(column_type(resource.get(*field)));
        joins.push_str(&format!(
            ", join_{} AS (INSERT INTO {} (owner, position, target) {})",
            field.0,
            join_table(resource, *field),
            items("made.id", &format!("${}", types.len()), Some("made"))
        ));
    }
    let first = types.len() + 1;
    types.extend([Type::INT8, Type::TEXT, Type::TEXT, Type::TEXT]);
    let mut after = format!("${}", first + 3);
    if next.is_some() {
        after = format!("'{{\"id\":' || made.id || {after}");
    }
    let who = format!("${first}, ${}, ${}", first + 1, first + 2);
    let entry = entry(resource, Action::Created, &who, "NULL", "NULL", &after);
    let sql = format!(
        "WITH made AS (INSERT INTO {} ({}, \"_rev\") VALUES ({}, {REVISION}) RETURNING \"id\", \"_rev\" AS rev){joins} {entry}",
        quote(&resource.name),
        names.join(", "),
        values.join(", ")
    );
    Text { sql, types }
}

fn remove(resource: &Resource, id: &Type) -> Text {
    let entry = entry(resource, Action::Deleted, "$2, $3, $4", "NULL", "$5", "NULL");
    let sql = format!(
        "WITH made AS (DELETE FROM {} WHERE \"id\" = $1 RETURNING \"id\", {REVISION} AS rev) {entry}",
        quote(&resource.name)
    );
    Text { sql, types: vec![id.clone(), Type::INT8, Type::TEXT, Type::TEXT, Type::TEXT] }
}

/// The entry of a record that the statement has `made`; yields revision and id. Without an id of its own it takes the
/// next one, once the row is there.
fn entry(resource: &Resource, action: Action, who: &str, changed: &str, before: &str, after: &str) -> String {
    let after = if resource.keep == Keep::Full || after.starts_with('$') { after } else { "NULL" };
    format!(
        "INSERT INTO \"_events\" (resource, action, record, revision, time, actor, request, changed, before, after) \
         SELECT {}, {}, made.id::text, made.rev, {who}, {changed}, {before}, {after} FROM made RETURNING revision, record",
        literal(&resource.name),
        action.number()
    )
}

/// Rows of a join table: the items of a list in their order.
fn items(owner: &str, list: &str, from: Option<&str>) -> String {
    let from = from.map(|from| format!("{from}, ")).unwrap_or_default();
    format!(
        "SELECT {owner}, (item.place - 1)::integer, item.target \
         FROM {from}unnest({list}) WITH ORDINALITY AS item(target, place)"
    )
}

/// The ids that a `many` reference of an owner names, in order.
fn gather(resource: &Resource, field: FieldIndex, owner: &str) -> String {
    let join = join_table(resource, field);
    format!("ARRAY(SELECT target FROM {join} WHERE owner = {owner} ORDER BY position)")
}

/// A field as it is selected: its column, or for a `many` reference the list of ids, in order.
pub(crate) fn column(resource: &Resource, field: FieldIndex, alias: &str) -> String {
    let declared = resource.get(field);
    if declared.is_many() {
        return gather(resource, field, &format!("{alias}.\"id\""));
    }
    format!("{alias}.{}", quote(&declared.name))
}

/// Where a reference is kept: the table, the column with what is referred to, and that with the record that refers.
pub(crate) fn place_of(resource: &Resource, field: FieldIndex) -> (String, String, &'static str) {
    match resource.get(field).is_many() {
        true => (join_table(resource, field), "target".to_owned(), "owner"),
        false => (quote(&resource.name), quote(&resource.get(field).name), "\"id\""),
    }
}

/// The quoted name of a `many` reference's join table.
pub(crate) fn join_table(resource: &Resource, field: FieldIndex) -> String {
    quote(&names::join_table(&resource.name, &resource.get(field).name))
}

fn constraints(resource: &Resource, database: &Database) -> HashMap<String, Vec<FieldIndex>> {
    let mut known = HashMap::from([(names::primary_key(&resource.name), vec![Resource::ID])]);
    let indexes = database.table(&resource.name).map(|table| table.indexes.as_slice()).unwrap_or_default();
    for index in indexes.iter().filter(|index| index.unique) {
        let fields = index.columns.iter().filter_map(|column| resource.field(&column.name)).collect();
        known.insert(index.name.clone(), fields);
    }
    let referring = resource.indices().filter(|field| resource.get(*field).target().is_some());
    for field in referring {
        let declared: &Field = resource.get(field);
        let name = match declared.is_many() {
            true => names::foreign_key(&names::join_table(&resource.name, &declared.name), "target"),
            false => names::foreign_key(&resource.name, &declared.name),
        };
        known.insert(name, vec![field]);
    }
    known
}
