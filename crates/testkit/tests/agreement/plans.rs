//! What rules become: text that both planners can use indexes for.

use rules::{Scope, check::check_rule};
use store_postgres::dialect::Postgres;
use store_sqlite::dialect::Sqlite;

use crate::{
    edges::{records, schema::schema},
    query::Query,
    sqlite::SqliteWorld,
    world::World,
};

/// The conditions of a rule of a resource on SQLite and on PostgreSQL, for a caller of whom every test holds.
fn lowered(world: &World, resource: &str, text: &str) -> [Query; 2] {
    let resource = world.schema.find(resource).expect("a resource of the schema");
    let rule = check_rule(&world.schema, resource, Scope::Read, text).expect("a rule without mistakes").checked;
    let query = |dialect| Query::rows(dialect, &world.schema, resource, &rule.condition, u64::MAX);
    [query(&Sqlite), query(&Postgres)]
}

fn world() -> World {
    records::fill(World { schema: schema(), records: Vec::new() })
}

fn condition(query: &Query) -> &str {
    query.text.split_once(" WHERE ").expect("a condition").1
}

#[test]
fn conditions_are_flat_and_name_bare_columns() {
    let world = world();
    let cases = [
        ("posts", "record.author == auth.id", r#""r"."author" = ?1"#, r#""r"."author" = $1::uuid"#),
        (
            "posts",
            "record.status == 'published' || record.author == auth.id && record.views > 3",
            r#"("r"."status" = ?1 OR "r"."author" = ?2 AND "r"."views" > ?3)"#,
            r#"("r"."status" = ($1::text COLLATE "C") OR "r"."author" = $2::uuid AND "r"."views" > $3::bigint)"#,
        ),
        (
            "users",
            "record.email == auth.email",
            r#""r"."email" = ?1 COLLATE NOCASE"#,
            r#"lower("r"."email") = lower(($1::text COLLATE "C"))"#,
        ),
        (
            "posts",
            "record.author.team == 'red'",
            r#"EXISTS (SELECT 1 FROM "users" AS "_1" WHERE "_1"."id" = "r"."author" AND "_1"."team" = ?1)"#,
            r#"EXISTS (SELECT 1 FROM "users" AS "_1" WHERE "_1"."id" = "r"."author" AND "_1"."team" = ($1::text COLLATE "C"))"#,
        ),
        (
            "posts",
            "record.comments.exists(c, c.author == auth.id)",
            r#""r"."id" IN (SELECT "_1"."post" FROM "comments" AS "_1" WHERE "_1"."author" = ?1)"#,
            r#""r"."id" IN (SELECT "_1"."post" FROM "comments" AS "_1" WHERE "_1"."author" = $1::uuid)"#,
        ),
        (
            "posts",
            "record.comments.exists(c, c.stars > 3)",
            r#"EXISTS (SELECT 1 FROM "comments" AS "_1" WHERE "_1"."post" = "r"."id" AND "_1"."stars" > ?1)"#,
            r#"EXISTS (SELECT 1 FROM "comments" AS "_1" WHERE "_1"."post" = "r"."id" AND "_1"."stars" > $1::bigint)"#,
        ),
        (
            "posts",
            "auth.id in record.readers",
            r#""r"."id" IN (SELECT "_1"."owner" FROM "posts__readers" AS "_1" WHERE "_1"."target" = ?1)"#,
            r#""r"."id" IN (SELECT "_1"."owner" FROM "posts__readers" AS "_1" WHERE "_1"."target" = $1::uuid)"#,
        ),
        (
            "posts",
            "record.title in auth.roles",
            r#""r"."title" IN (SELECT value FROM json_each(?1))"#,
            r#""r"."title" = ANY (($1::text[] COLLATE "C")::text[])"#,
        ),
    ];
    for (resource, text, sqlite, postgres) in cases {
        let [on_sqlite, on_postgres] = lowered(&world, resource, text);
        assert_eq!(condition(&on_sqlite), sqlite, "{text}");
        assert_eq!(condition(&on_postgres), postgres, "{text}");
    }
}

#[test]
fn equal_values_share_a_parameter() {
    let world = world();
    let [query, _] = lowered(&world, "posts", "record.author == auth.id || record.editor == auth.id");
    assert_eq!(condition(&query), r#"("r"."author" = ?1 OR "r"."editor" = ?1)"#);
    assert_eq!(query.binds.len(), 1);
}

#[test]
fn sqlite_finds_records_of_a_caller_by_index() {
    let world = world();
    let sqlite = SqliteWorld::new(&world);
    let rules = [
        ("posts", "record.author == auth.id"),
        ("posts", "record.author == auth.id || record.editor == auth.id"),
        ("posts", "record.comments.exists(c, c.author == auth.id)"),
        ("posts", "auth.id in record.readers"),
        ("posts", "record.readers.exists(u, u.id == auth.id)"),
        ("comments", "record.post.readers.exists(u, u.id == auth.id)"),
        ("users", "record.posts_by_readers.exists(p, p.id == 3)"),
        ("users", "record.id in [auth.id]"),
        ("teams", "record.users.exists(u, u.id == auth.id)"),
    ];
    for (resource, text) in rules {
        let [query, _] = lowered(&world, resource, text);
        let plan = sqlite.explain(&query);
        assert!(!plan.contains("SCAN"), "{text}\n{}\n{plan}", query.text);
    }
}
