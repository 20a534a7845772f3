//! A delete that fails half-way leaves everything as it was.

use serde_json::json;

use crate::both;

const APP: &[(&str, &str)] = &[
    ("resources/teams.toml", "[access]\nread = \"true\"\n"),
    // The first to be looked at loses its reference, the last forbids the deletion.
    (
        "resources/articles.toml",
        "[fields]\nteam = { type = \"reference\", to = \"teams\", on_delete = \"set_null\" }\n",
    ),
    ("resources/badges.toml", "[fields]\nteam = { type = \"reference\", to = \"teams\", on_delete = \"restrict\" }\n"),
];

both! {
    async fn a_delete_that_is_forbidden_late_has_cleared_no_reference(app) using APP {
        let admin = app.admin();
        let team = admin.post("/api/teams", json!({})).await.expect(201).json()["id"].clone();
        let article = admin.post("/api/articles", json!({"team": team})).await.expect(201).json()["id"].clone();
        admin.post("/api/badges", json!({"team": team})).await.expect(201);
        let path = |resource: &str, id: &serde_json::Value| format!("/api/{resource}/{}", id.as_str().unwrap_or_default());
        admin.delete(&path("teams", &team)).await.expect(409);
        assert_eq!(admin.get(&path("articles", &article)).await.expect(200).json()["team"], team);
        assert_eq!(crate::audit::lines(app, "what=admin_deleted", 0).await.len(), 0);
    }
}
