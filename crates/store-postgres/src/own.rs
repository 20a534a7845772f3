//! Statements about our own tables.

use bytes::{BufMut, BytesMut};
use futures_util::future::join3;
use model::Problem;
use store::{Cell, Outcome, Row, Statement};
use tokio_postgres::{
    Error,
    types::{FromSql, IsNull, ToSql, Type},
};

use crate::{
    connection::{Connections, Lease},
    fault::{self, problem},
};

/// How often a query is tried on another connection, where its own turned out to be dead.
const TRIES: usize = 4;

/// Tells other nodes that people have changed.
const TELL: &str = "NOTIFY mainstay_people";

/// Runs a statement to its end, as the first of a transaction or within one.
pub(crate) async fn run(lease: &Lease, statement: &Statement, begin: bool) -> Result<Outcome, Error> {
    let Some(client) = lease.wrapper() else { return Ok(Outcome::default()) };
    let prepared = client.prepare_cached(&statement.sql).await?;
    let parameters: Vec<Parameter<'_>> = statement.parameters.iter().map(Parameter).collect();
    let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|parameter| parameter as _).collect();
    let begun = async { if begin { client.batch_execute("BEGIN").await } else { Ok(()) } };
    // Heard by the others once this is committed.
    let told = async { if statement.tells { client.batch_execute(TELL).await } else { Ok(()) } };
    if begin {
        lease.set_open(true);
    }
    let columns = prepared.columns().len();
    if columns == 0 {
        let (begun, count, told) = join3(begun, client.execute(&prepared, &parameters), told).await;
        begun?;
        let count = count?;
        told?;
        lease.note();
        return Ok(Outcome { count, rows: Vec::new() });
    }
    let (begun, found, told) = join3(begun, client.query(&prepared, &parameters), told).await;
    begun?;
    let found = found?;
    told?;
    lease.note();
    let mut rows = Vec::new();
    for row in found {
        let cells = (0..columns).map(|column| row.try_get::<_, Read>(column).map(|read| read.0));
        rows.push(Row(cells.collect::<Result<_, _>>()?));
    }
    Ok(Outcome { count: rows.len() as u64, rows })
}

/// The rows of a query, outside any transaction.
pub(crate) async fn read(connections: &Connections, query: &Statement) -> Result<Vec<Row>, Problem> {
    let mut tries = 0;
    loop {
        tries += 1;
        let lease = connections.lease().await?;
        match run(&lease, query, false).await {
            Ok(outcome) => {
                lease.release();
                return Ok(outcome.rows);
            }
            Err(error) if tries < TRIES && fault::is_stale(&error) => {
                lease.forget_statements();
                lease.release();
            }
            Err(error) if tries < TRIES && fault::is_dead(&error) => {}
            Err(error) => {
                if !fault::is_dead(&error) {
                    lease.release();
                }
                return Err(problem(&error));
            }
        }
    }
}

/// A value to bind.
#[derive(Debug)]
struct Parameter<'a>(&'a Cell);

impl ToSql for Parameter<'_> {
    fn to_sql(&self, r#type: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match (self.0, r#type) {
            (Cell::Null, _) => return Ok(IsNull::Yes),
            (Cell::Text(text), &Type::TEXT | &Type::VARCHAR) => out.put_slice(text.as_bytes()),
            (Cell::Integer(number), &Type::INT8) => out.put_i64(*number),
            (Cell::Integer(number), &Type::INT4) => out.put_i32(i32::try_from(*number)?),
            (Cell::Bytes(bytes), &Type::BYTEA) => out.put_slice(bytes),
            // The value may be a secret.
            (_, wanted) => return Err(format!("the parameter is no {wanted}").into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_type: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

/// A value that was read.
struct Read(Cell);

impl<'a> FromSql<'a> for Read {
    fn from_sql(r#type: &Type, bytes: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(match *r#type {
            Type::TEXT | Type::VARCHAR => Cell::Text(std::str::from_utf8(bytes)?.to_owned()),
            Type::INT8 => Cell::Integer(i64::from_be_bytes(bytes.try_into()?)),
            Type::INT4 => Cell::Integer(i32::from_be_bytes(bytes.try_into()?).into()),
            Type::BYTEA => Cell::Bytes(bytes.to_vec()),
            ref other => return Err(format!("our own tables have no {other}").into()),
        }))
    }

    fn from_sql_null(_type: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(Cell::Null))
    }

    fn accepts(_type: &Type) -> bool {
        true
    }
}
