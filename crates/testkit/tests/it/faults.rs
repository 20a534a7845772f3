//! When the disk fails: nothing acknowledged is lost, clients are told, and it heals by itself.

use model::Problem;
use store::{Cell, Statement};
use testkit::{Database, TestApp};

const NOTES: &str =
    "id = \"integer\"\n[fields]\ntext = { type = \"text\", required = true }\n[access]\nread = \"true\"\n";

/// Stands in for a full disk: SQLite then fails as it does where the file can't grow.
async fn limit(app: &TestApp, pages: i64) -> i64 {
    let limit = Statement::new(format!("PRAGMA max_page_count = {pages}"), []);
    let said = app.store().own(vec![limit]).await.unwrap_or_else(|problem: Problem| panic!("{problem:?}"));
    match said[0].rows[0].0[0] {
        Cell::Integer(pages) => pages,
        _ => panic!("{said:?}"),
    }
}

#[tokio::test]
async fn a_full_disk_is_told_loses_nothing_and_heals_without_a_restart() {
    let app = TestApp::start(Database::Sqlite, &[("resources/notes.toml", NOTES)]).await;
    let (admin, stranger) = (app.admin(), app.stranger());
    // The smallest limit that SQLite takes is what the file has already.
    limit(&app, 1).await;
    let text = "x".repeat(2000);
    let mut acknowledged = Vec::new();
    let refused = loop {
        let reply = admin.post("/api/notes", serde_json::json!({ "text": text })).await;
        match reply.status.as_u16() {
            201 => acknowledged.push(reply.json()["id"].clone()),
            _ => break reply,
        }
        assert!(acknowledged.len() < 100, "the disk is never full");
    };
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("retry-after"), "5");
    assert_eq!(refused.json()["detail"], "the disk is full; nothing was stored");
    // Something small of the server's own may have found room meanwhile, and is believed until the next write.
    let mut ready = stranger.get("/readyz").await;
    for _ in 0..20 {
        if ready.status == 503 {
            break;
        }
        admin.post("/api/notes", serde_json::json!({ "text": text })).await.expect(503);
        ready = stranger.get("/readyz").await;
    }
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["detail"], "the disk is full; nothing was stored");
    assert_eq!(stranger.get("/livez").await.status, 200);
    // Several at once share a transaction; each is told.
    let several: Vec<_> = (0..8)
        .map(|_| {
            let (admin, text) = (app.admin(), text.clone());
            tokio::spawn(async move { admin.post("/api/notes", serde_json::json!({ "text": text })).await.status })
        })
        .collect();
    for one in several {
        assert_eq!(one.await.expect("no panic"), 503);
    }
    // Readers are served meanwhile, and see what was acknowledged and nothing else.
    let page = stranger.get("/api/notes?count=true&limit=200&fields=id").await.expect(200);
    assert_eq!(page.json()["count"], acknowledged.len());
    assert_eq!(page.column("id"), acknowledged);
    assert_eq!(app.changes().await.len(), acknowledged.len());
    limit(&app, 1_000_000).await;
    let end = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while stranger.get("/readyz").await.status != 200 {
        assert!(std::time::Instant::now() < end, "it does not become ready again");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    admin.post("/api/notes", serde_json::json!({ "text": text })).await.expect(201);
    assert_eq!(app.changes().await.len(), acknowledged.len() + 1);
    app.stop().await;
}
