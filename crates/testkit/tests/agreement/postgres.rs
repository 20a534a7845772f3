//! The world in PostgreSQL: a schema of its own, dropped afterwards.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicUsize, Ordering},
};

use model::Value;
use sql::{Dialect as _, Facts};
use store::migration::Database;
use store_postgres::{
    dialect::{FUNCTIONS, Postgres},
    migrate::ddl::create_all,
    parameter::{Column, Parameter},
};
use tokio_postgres::{Client, NoTls, Statement, types::ToSql};

use crate::{query::Query, rows::rows, world::World};

/// A connection whose `search_path` is a schema of its own.
pub(crate) struct PostgresWorld {
    client: Client,
    schema: String,
    prepared: HashMap<String, Statement>,
}

impl PostgresWorld {
    /// Creates the schema and its tables, and puts the records in.
    pub(crate) async fn new(url: &str, world: &World) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("PostgreSQL answers");
        tokio::spawn(connection);
        static SCHEMAS: AtomicUsize = AtomicUsize::new(0);
        let schema = format!("agreement_{}_{}", std::process::id(), SCHEMAS.fetch_add(1, Ordering::Relaxed));
        let start =
            format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}; SET search_path = {schema};");
        client.batch_execute(&start).await.unwrap();
        for statement in create_all(&Database::of(&world.schema)) {
            client.batch_execute(&statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        }
        client.batch_execute(FUNCTIONS).await.expect("the functions can be created again");
        // Records may refer to later ones.
        client.batch_execute("SET session_replication_role = replica").await.unwrap();
        let mut postgres = Self { client, schema, prepared: HashMap::new() };
        for row in rows(world) {
            let names: Vec<_> = row.columns.iter().map(|(name, _, _)| format!("\"{name}\"")).collect();
            let marks = (1..).zip(&row.columns).map(|(number, (name, _, r#type))| {
                if name == "position" { format!("${number}::int") } else { Postgres.parameter(number, r#type) }
            });
            let marks = marks.collect::<Vec<_>>().join(", ");
            let text = format!("INSERT INTO \"{}\" ({}) VALUES ({marks})", row.table, names.join(", "));
            let values = row.columns.into_iter().map(|(_, value, _)| Parameter(value)).collect();
            postgres.run(&text, values).await.unwrap_or_else(|error| panic!("{text}: {error:?}"));
        }
        postgres.client.batch_execute("ANALYZE").await.unwrap();
        postgres
    }

    /// Which records of a resource a condition selects.
    pub(crate) async fn select(&mut self, query: &Query, facts: &Facts<'_>) -> Result<HashSet<Vec<u8>>, String> {
        let rows = self.run(&query.text, values(query, facts)).await.map_err(|error| query.blame(&error))?;
        Ok(rows.iter().map(key).collect())
    }

    /// The verdict of a condition about a record that the database is told.
    pub(crate) async fn judge(&mut self, query: &Query, facts: &Facts<'_>) -> Result<bool, String> {
        let rows = self.run(&query.text, values(query, facts)).await.map_err(|error| query.blame(&error))?;
        Ok(rows == [Value::Boolean(true)])
    }

    /// Forgets the statements of rules that are done with.
    pub(crate) fn forget(&mut self) {
        self.prepared.clear();
    }

    /// Drops the schema.
    pub(crate) async fn drop(self) {
        self.client.batch_execute(&format!("DROP SCHEMA {} CASCADE", self.schema)).await.unwrap();
    }

    async fn run(&mut self, text: &str, values: Vec<Parameter>) -> Result<Vec<Value>, tokio_postgres::Error> {
        if !self.prepared.contains_key(text) {
            let statement = self.client.prepare(text).await?;
            self.prepared.insert(text.to_owned(), statement);
        }
        let statement = &self.prepared[text];
        let values: Vec<_> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let rows = self.client.query(statement, &values).await?;
        Ok(rows.iter().map(|row| row.get::<_, Column>(0).0).collect())
    }
}

fn values(query: &Query, facts: &Facts<'_>) -> Vec<Parameter> {
    query.binds.iter().map(|bind| Parameter(bind.resolve(facts))).collect()
}

fn key(id: &Value) -> Vec<u8> {
    match id {
        Value::Integer(number) => number.to_string().into_bytes(),
        Value::Text(text) => text.as_bytes().to_vec(),
        Value::Uuid(uuid) => uuid.as_bytes().to_vec(),
        other => panic!("{other:?} is no id"),
    }
}
