//! Tables of our own, alone and beside records.

use std::sync::Arc;

use model::{Code, Problem, Value};
use rules::plan::{OperationKind, Precondition, Written};

use super::{
    concurrency::all,
    world::{World, refused},
};
use crate::{Beside, Cell, Outcome, Row, Statement};

const INSERT: &str = "INSERT INTO _idempotency (caller, path, key, request, status, head, body, created_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
const DELETE: &str = "DELETE FROM _idempotency WHERE key = $1 RETURNING key";

fn insert(key: &str) -> Statement {
    let bytes: Vec<u8> = (0..=255).collect();
    let values = ["c".into(), "/ä'$1".into(), key.into(), bytes.into(), 201.into(), "".into(), Cell::Bytes(vec![])];
    Statement::new(INSERT, [values.as_slice(), &[i64::MAX.into()]].concat())
}

fn taken() -> Problem {
    Problem::new(Code::Conflict, "taken")
}

async fn keys(world: &World) -> Vec<Row> {
    let query = Statement::new("SELECT key FROM _idempotency ORDER BY key", []);
    world.store.own_read(query).await.expect("a query")
}

pub async fn values_of_our_own_tables_come_back(world: &World) {
    let outcomes = world.store.own(vec![insert("b"), insert("a"), insert("a")]).await.expect("statements");
    assert_eq!(outcomes.iter().map(|outcome| outcome.count).collect::<Vec<_>>(), [1, 1, 0]);
    let query = Statement::new(
        "SELECT path, request, created_at, body, NULLIF(head, '') FROM _idempotency WHERE key = $1 AND status = $2",
        ["a".into(), 201.into()],
    );
    let bytes = (0..=255).collect::<Vec<u8>>();
    let row = Row(vec!["/ä'$1".into(), bytes.into(), i64::MAX.into(), Cell::Bytes(vec![]), Cell::Null]);
    assert_eq!(world.store.own_read(query).await, Ok(vec![row]));
    let update = Statement::new("UPDATE _idempotency SET status = status + $1 RETURNING status", [Cell::Integer(1)]);
    let outcomes = world.store.own(vec![update]).await.expect("an update");
    assert_eq!(outcomes, [Outcome { count: 2, rows: vec![Row(vec![202.into()]), Row(vec![202.into()])] }]);
}

pub async fn what_was_expected_and_does_not_come_rolls_back(world: &World) {
    let missing = Statement::new(DELETE, ["nothing".into()]).or_else(taken());
    assert_eq!(refused(world.store.own(vec![insert("a"), missing]).await).0, Code::Conflict);
    assert_eq!(keys(world).await, []);
    world.store.own(vec![insert("a").or_else(taken())]).await.expect("a row");
    let there = Statement::new(DELETE, ["a".into()]).unless(taken());
    assert_eq!(refused(world.store.own(vec![there]).await).0, Code::Conflict);
    assert_eq!(keys(world).await.len(), 1);
}

pub async fn statements_beside_a_write_share_its_fate(world: &World) {
    let author = world.person("Ann").await;
    let delete = |id: &Value| {
        let kind = OperationKind::Delete { id: id.clone(), precondition: Precondition::None };
        world.gate.write(world.caller().clone(), [(world.resource("people"), kind, String::new())])
    };
    let after =
        |then: fn(&[Written]) -> Result<Vec<Statement>, Problem>| Some(Arc::new(then) as Arc<crate::own::After>);

    let refusing = Beside { before: vec![insert("a")], after: after(|_| Err(taken())) };
    assert_eq!(refused(world.store.write_beside(delete(&author), refusing).await).0, Code::Conflict);
    assert!(world.get("people", &author).await.is_some());
    assert_eq!(keys(world).await, []);

    let absent = delete(&Value::Uuid(uuid::Uuid::nil()));
    let beside = Beside { before: vec![insert("a")], after: None };
    assert_eq!(refused(world.store.write_beside(absent, beside).await).0, Code::NotFound);
    assert_eq!(keys(world).await, []);

    let beside = Beside {
        before: vec![insert("a")],
        after: after(|written| {
            assert_eq!(written.len(), 1);
            Ok(vec![insert("b").or_else(taken())])
        }),
    };
    world.store.write_beside(delete(&author), beside).await.expect("a write");
    assert!(world.get("people", &author).await.is_none());
    assert_eq!(keys(world).await, [Row(vec!["a".into()]), Row(vec!["b".into()])]);
}

pub async fn a_row_is_taken_once(world: &World) {
    world.store.own(vec![insert("one")]).await.expect("a row");
    let results = all(|_| {
        let world = world.clone();
        async move { world.store.own(vec![Statement::new(DELETE, ["one".into()]).or_else(taken())]).await }
    })
    .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
}
