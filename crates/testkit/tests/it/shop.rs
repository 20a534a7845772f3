//! The template `shop`, on its real data.

use serde_json::Value as Json;
use testkit::{Database, TestApp};

async fn the_shop_serves_its_catalogue(database: Database) {
    let app = TestApp::template(database, "shop").await;
    seed(&app, &["genres", "artists", "albums", "products", "users", "orders", "order_lines", "playlists"]).await;
    let (stranger, admin) = (app.stranger(), app.admin());
    assert_eq!(stranger.get("/api/products?count=true").await.expect(200).json()["count"], 3503);
    assert_eq!(
        stranger.get("/api/orders?count=true").await.expect(200).json()["count"],
        0,
        "orders are their customers' own"
    );
    let mut total = 0.0;
    let mut path = "/api/orders?limit=200".to_owned();
    loop {
        let page = admin.get(&path).await.expect(200);
        total += page
            .column("total")
            .iter()
            .filter_map(Json::as_str)
            .filter_map(|total| total.parse::<f64>().ok())
            .sum::<f64>();
        let Some(cursor) = page.json()["next"].as_str().map(str::to_owned) else { break };
        path = format!("/api/orders?limit=200&cursor={cursor}");
    }
    assert!((total - 2328.60).abs() < 0.001, "{total}");
    let by_artist = stranger
        .ask(
            "/api/products",
            &[("filter", "album.artist.name == 'AC/DC'"), ("count", "true"), ("sort", "-milliseconds")],
        )
        .await;
    assert_eq!(by_artist.expect(200).json()["count"], 18);
    app.stop().await;
}

#[tokio::test]
async fn on_sqlite() {
    the_shop_serves_its_catalogue(Database::Sqlite).await;
}

#[tokio::test]
async fn on_postgres() {
    the_shop_serves_its_catalogue(Database::Postgres).await;
}

/// Loads files of `seed/`, in this order.
pub(crate) async fn seed(app: &TestApp, resources: &[&str]) {
    let identity = model::caller::Identity {
        roles: vec!["admin".to_owned()],
        actor: Some("seed".to_owned()),
        ..model::caller::Identity::default()
    };
    let caller = model::Caller {
        identity: std::sync::Arc::new(identity),
        address: [127, 0, 0, 1].into(),
        method: "POST",
        now: app.engine().clock().now(),
        request_id: "seed".into(),
    };
    for &resource in resources {
        let text = std::fs::read_to_string(app.directory().join(format!("seed/{resource}.ndjson"))).expect("seeds");
        let lines: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        for lines in lines.chunks(500) {
            let loaded = app
                .engine()
                .load(caller.clone(), resource, lines)
                .await
                .unwrap_or_else(|problem| panic!("{problem:?}"));
            assert_eq!(loaded, lines.len(), "{resource}");
        }
        let again = app.engine().load(caller.clone(), resource, &lines[..5.min(lines.len())]).await;
        assert_eq!(again.unwrap_or_else(|problem| panic!("{problem:?}")), 0, "what is there is left as it is");
    }
}
