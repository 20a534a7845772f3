//! One rule, everybody's verdict about every record.

use std::collections::HashSet;

use model::{Caller, ResourceIndex, Value};
use rules::{Rule, Situation};
use sql::Facts;
use store_postgres::dialect::Postgres;
use store_sqlite::dialect::Sqlite;

use crate::{
    postgres::PostgresWorld,
    query::Query,
    sqlite::{SqliteWorld, key_of},
    world::World,
};

/// The executions side by side.
pub(crate) struct Comparison<'a> {
    world: &'a World,
    callers: &'a [Caller],
    sqlite: SqliteWorld,
    postgres: Option<PostgresWorld>,
    counts: Counts,
    /// What the request brings beside the text.
    pub(crate) inputs: Vec<Value>,
}

/// What was compared.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Rules.
    pub(crate) rules: usize,
    /// Verdicts of memory that others were compared with.
    pub(crate) verdicts: usize,
    /// Of these, true ones.
    pub(crate) held: usize,
    /// Rules that are none for a caller, since they name what it may not see or have a mistake.
    pub(crate) refused: usize,
    /// Rules that held of some record and not of another, for some caller.
    pub(crate) telling: usize,
}

impl<'a> Comparison<'a> {
    /// Puts the world into the databases. Without an address, PostgreSQL is left out.
    pub(crate) async fn new(world: &'a World, callers: &'a [Caller], postgres: Option<&str>) -> Self {
        let sqlite = SqliteWorld::new(world);
        let postgres = match postgres {
            Some(url) => Some(PostgresWorld::new(url, world).await),
            None => None,
        };
        Self { world, callers, sqlite, postgres, counts: Counts::default(), inputs: Vec::new() }
    }

    /// Compares the verdicts on a rule, as it is for each caller, about every record of a resource; says where they
    /// differ.
    pub(crate) async fn disagreement(
        &mut self,
        resource: ResourceIndex,
        rule_for: impl Fn(&Caller) -> Option<Rule>,
    ) -> Option<String> {
        self.counts.rules += 1;
        let all = self.world.of(resource).len();
        let mut telling = false;
        let mut disagreement = None;
        for (number, caller) in self.callers.iter().enumerate() {
            let Some(rule) = rule_for(caller) else {
                self.counts.refused += 1;
                continue;
            };
            match self.compare(resource, &rule, caller).await {
                Ok(held) => {
                    self.counts.verdicts += all;
                    self.counts.held += held.len();
                    telling |= !held.is_empty() && held.len() < all;
                }
                Err(complaint) => disagreement = Some(format!("{}\n  caller {number}: {complaint}", rule.text)),
            }
        }
        self.counts.telling += usize::from(telling);
        if let Some(postgres) = &mut self.postgres {
            postgres.forget();
        }
        disagreement
    }

    /// Cleans up, and says what was compared.
    pub(crate) async fn finish(mut self) -> Counts {
        if let Some(postgres) = self.postgres.take() {
            postgres.drop().await;
        }
        self.counts
    }

    async fn compare(
        &mut self,
        resource: ResourceIndex,
        rule: &Rule,
        caller: &Caller,
    ) -> Result<HashSet<Vec<u8>>, String> {
        let (schema, tests) = (&self.world.schema, rule.test_bits(caller));
        let records = self.world.of(resource);
        // Some record or other stands for what would be stored; few rules ask about it.
        let new = records.get(self.counts.rules * 7 % records.len().max(1));
        let blank = Situation {
            caller: Some(caller),
            tests,
            new,
            inputs: &self.inputs,
            relations: self.world,
            ..Situation::blank(schema)
        };
        let judge = |record| Situation { record: Some(record), ..blank }.judge(&rule.condition);
        let expected: HashSet<_> = records.iter().filter(|record| judge(record)).map(key_of).collect();

        let facts = Facts { caller: Some(caller), new, inputs: &self.inputs, ..Facts::default() };
        let rows = Query::rows(&Sqlite, schema, resource, &rule.condition, tests);
        same("SQLite, rows", &expected, &self.sqlite.select(&rows, &facts)?, &rows)?;

        let verdict = Query::verdict(&Sqlite, schema, &rule.condition, tests);
        let mut found = HashSet::new();
        for record in records {
            if self.sqlite.judge(&verdict, &Facts { record: Some(record), ..facts })? {
                found.insert(key_of(record));
            }
        }
        same("SQLite, records at hand", &expected, &found, &verdict)?;

        let Some(postgres) = &mut self.postgres else { return Ok(expected) };
        let rows = Query::rows(&Postgres, schema, resource, &rule.condition, tests);
        same("PostgreSQL, rows", &expected, &postgres.select(&rows, &facts).await?, &rows)?;

        // Round trips are slow: one record stands for all, another one for each rule.
        let verdict = Query::verdict(&Postgres, schema, &rule.condition, tests);
        if let Some(record) = records.get(self.counts.rules % records.len().max(1)) {
            let found = postgres.judge(&verdict, &Facts { record: Some(record), ..facts }).await?;
            if found != expected.contains(&key_of(record)) {
                return Err(format!("PostgreSQL, record at hand: {found} about {record:?}\n  {}", verdict.text));
            }
        }
        Ok(expected)
    }
}

fn same(what: &str, expected: &HashSet<Vec<u8>>, found: &HashSet<Vec<u8>>, query: &Query) -> Result<(), String> {
    let show = |ids: Vec<&Vec<u8>>| ids.iter().map(|id| id.escape_ascii().to_string()).collect::<Vec<_>>().join(", ");
    if expected == found {
        return Ok(());
    }
    let missing = show(expected.difference(found).collect());
    let surplus = show(found.difference(expected).collect());
    Err(format!("{what}: misses [{missing}], adds [{surplus}]\n  {}\n  {:?}", query.text, query.binds))
}
