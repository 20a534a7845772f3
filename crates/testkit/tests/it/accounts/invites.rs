//! Invitations.

use serde_json::json;

use super::{PASSWORD, secret_in, sign_in, with};
use crate::both;

const APP: &[(&str, &str)] = &[
    ("mainstay.toml", "[roles]\neditor = {}\n"),
    (
        "resources/users.toml",
        "[auth]\nsign_up = \"invite\"\nverify_email = true\n[auth.links]\ninvite = \"https://app.example/join\"\n\
         [fields]\nname = { type = \"string\" }\n[access]\nread = \"record.id == auth.id\"\n",
    ),
];

/// Somebody who administrates, made by the operator's way in.
async fn administrator(app: &testkit::TestApp) -> testkit::Person {
    let made =
        app.admin().post("/api/users", json!({"email": "root@example.org", "roles": ["admin"]})).await.expect(201);
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    let secret = auth::link::reset_secret();
    let statements = auth::link::reset(&secret, &id, "root@example.org", true, app.engine().clock().now());
    app.store().own(statements).await.expect("a link");
    app.stranger().post("/auth/password/reset", json!({"secret": secret, "password": PASSWORD})).await.expect(204);
    with(app, &sign_in(app, "root@example.org", PASSWORD).await.expect(200))
}

both! {
    async fn the_invited_make_their_account_with_the_mailed_secret(app) using APP {
        let root = administrator(app).await;
        app.stranger().post("/auth/sign-up", json!({"email": "ann@example.org", "password": PASSWORD})).await.expect(403);
        let made = root.post("/auth/invites", json!({"email": "ann@example.org", "roles": ["editor"]})).await.expect(201);
        assert!(!made.text.contains("min_"), "the secret is mailed, not shown");
        let mail = app.mails("ann@example.org", 1).await.remove(0);
        assert!(mail.contains("https://app.example/join#min_"), "{mail}");
        let secret = secret_in(&mail);
        let person = app.stranger();
        person.post("/auth/sign-up", json!({"email": "eve@example.org", "password": PASSWORD, "invite": secret})).await.expect(422);
        person.post("/auth/sign-up", json!({"password": PASSWORD, "invite": "min_made_up"})).await.expect(401);
        let joined = person.post("/auth/sign-up", json!({"password": PASSWORD, "name": "Ann", "invite": secret})).await.expect(201);
        let user = &joined.json()["user"];
        assert_eq!((&user["email"], &user["email_verified"], &user["roles"]), (&json!("ann@example.org"), &json!(true), &json!(["editor"])));
        person.post("/auth/sign-up", json!({"email": "ann2@example.org", "password": PASSWORD, "invite": secret})).await.expect(401);
    }

    async fn only_administrators_invite(app) using APP {
        let root = administrator(app).await;
        app.stranger().post("/auth/invites", json!({"email": "a@example.org"})).await.expect(401);
        app.admin().post("/auth/invites", json!({"email": "a@example.org"})).await.expect(403);
        root.post("/auth/invites", json!({"email": "a@example.org"})).await.expect(201);
        let secret = secret_in(&app.mails("a@example.org", 1).await[0]);
        let ann = with(app, &app.stranger().post("/auth/sign-up", json!({"password": PASSWORD, "invite": secret})).await.expect(201));
        ann.post("/auth/invites", json!({"email": "b@example.org"})).await.expect(403);
        ann.get("/auth/invites").await.expect(403);
        root.post("/auth/invites", json!({"email": "nobody"})).await.expect(422);
        root.post("/auth/invites", json!({"email": "", "roles": []})).await.expect(422);
        root.post("/auth/invites", json!({"email": "a@example.org"})).await.expect(422);
        let id = root.post("/auth/invites", json!({"email": "b@example.org"})).await.expect(201).json()["id"].as_str().expect("an id").to_owned();
        assert_eq!(root.get("/auth/invites").await.expect(200).items().len(), 1);
        let secret = secret_in(&app.mails("b@example.org", 1).await[0]);
        root.delete(&format!("/auth/invites/{id}")).await.expect(204);
        root.delete(&format!("/auth/invites/{id}")).await.expect(404);
        app.stranger().post("/auth/sign-up", json!({"password": PASSWORD, "invite": secret})).await.expect(401);
    }

    async fn the_built_in_pages_run_nothing_but_their_own_script(app) using APP {
        for path in ["/auth/reset", "/auth/join"] {
            let page = app.stranger().get(path).await.expect(200);
            assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
            let policy = page.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
            assert_eq!((page.header("cache-control"), page.header("referrer-policy")), ("no-store", "no-referrer"));
            assert!(!page.text.contains("onclick") && !page.text.contains("<script>"));
        }
        assert_eq!(app.stranger().get("/auth/page.js").await.expect(200).header("content-type"), "text/javascript; charset=utf-8");
    }
}
