//! What tables there are, without regard to how they came to be so.

use std::collections::BTreeSet;

use tokio_postgres::Client;

/// One line a column, constraint, index and sequence; the same for the same structure.
pub(super) async fn describe(client: &Client) -> BTreeSet<String> {
    const QUERY: &str = r"
        SELECT format('column %I.%I %s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                      l.collname, pg_get_expr(d.adbin, d.adrelid))
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_collation l ON l.oid = a.attcollation
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT format('constraint %s %I: %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL
        SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL
        SELECT format('sequence %I', sequencename) FROM pg_sequences WHERE schemaname = 'public'";
    client.query(QUERY, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}
