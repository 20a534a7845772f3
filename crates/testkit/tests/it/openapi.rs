//! The OpenAPI document, and the page to read it.

use http::Method;
use serde_json::{Value as Json, json};
use testkit::{Database, TestApp};

use crate::both;

const SHOP: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    (
        "resources/things.toml",
        "doc = \"What there is\"\nid = \"integer\"\n[fields]\n\
         name = { type = \"string\", required = true, min = 2, max = 9, doc = \"As on the label\" }\n\
         price = { type = \"decimal\", precision = 6, scale = 2, min = \"0\" }\n\
         state = { type = \"enum\", values = [\"new\", \"old\"], default = \"new\" }\n\
         marks = { type = \"string\", list = true }\n\
         sealed = { type = \"integer\", immutable = true }\n\
         kept = { type = \"integer\", write = \"false\" }\n\
         cost = { type = \"integer\", read = \"'staff' in auth.roles\" }\n\
         fancy = { type = \"integer\", read = \"record.state == 'new'\" }\n\
         secret = { type = \"text\", hidden = true }\n\
         [access]\nread = \"true\"\nupdate = \"true\"\n[validate]\n\"a fair price\" = \"new.price == null || new.price < 9999\"\n",
    ),
    (
        "resources/labels.toml",
        "id = \"string\"\n[fields]\nthing = { type = \"reference\", to = \"things\", required = true }\n[access]\nread = \"true\"\ncreate = \"true\"\n",
    ),
];

async fn document(person: &testkit::Person) -> Json {
    person.get("/openapi.json").await.expect(200).json()
}

fn names(object: &Json) -> Vec<&str> {
    object.as_object().map(|members| members.keys().map(String::as_str).collect()).unwrap_or_default()
}

both! {
    /// Also the shapes: what is required, read-only, absent where a rule says so.
    async fn the_document_shows_what_its_reader_may_see(app) using SHOP {
        let (stranger, admin) = (document(&app.stranger()).await, document(&app.admin()).await);
        for (reader, own) in [(&stranger, false), (&admin, true)] {
            assert_eq!(reader["openapi"], "3.1.0");
            let schemas = &reader["components"]["schemas"];
            let read = &schemas["Thing"];
            assert_eq!(read["properties"].get("cost").is_some(), own, "{read}");
            assert!(!reader.to_string().contains("secret"), "a hidden field");
            assert_eq!(read["description"], "What there is");
            assert_eq!(read["properties"]["name"]["description"], "As on the label.");
            assert_eq!(read["required"].as_array().expect("names").iter().any(|name| name == "fancy"), own);
            let create = &schemas["ThingCreate"];
            assert_eq!(create["required"], json!(["name"]));
            assert_eq!(create["properties"].get("kept").is_some(), own, "{create}");
            assert!(create["properties"].get("id").is_none(), "serial numbers are the server's");
            let patch = &schemas["ThingPatch"]["properties"];
            assert_eq!(patch["sealed"]["readOnly"], true);
            assert_eq!(patch["marks"]["anyOf"][1]["properties"]["$append"]["type"], "array");
            assert_eq!(create["properties"]["price"]["pattern"], "^0*[0-9]{1,4}(\\.[0-9]{1,2}0{0,12})?$");
        }
        let parameters = names(&stranger["components"]["parameters"]);
        for (parameter, there) in [("things.price.gte", true), ("things.state.contains", true), ("things.marks", false), ("things.cost", false)] {
            assert_eq!(parameters.contains(&parameter), there, "{parameter}");
        }
        let create = &stranger["paths"]["/api/things"]["post"];
        assert_eq!(create["description"], "Not for strangers: sign in first.");
        assert!(stranger["paths"]["/api/labels"]["post"].get("description").is_none(), "here it need not");
    }

    async fn every_call_of_the_document_is_answered_as_it_says(app) using SHOP {
        let admin = app.admin();
        let document = document(&admin).await;
        let made = admin.post("/api/things", document["components"]["schemas"]["ThingCreate"]["examples"][0].clone()).await.expect(201);
        let id = made.json()["id"].to_string();
        let mut called = 0;
        for (path, item) in document["paths"].as_object().expect("paths") {
            for method in names(item).into_iter().filter(|method| *method != "parameters" && !path.ends_with("/events")) {
                let filled = path.replace("{id}", &id).replace("{code}", "validation");
                // The record is needed until the end.
                if method == "delete" {
                    continue;
                }
                let kinds = names(&item[method]["requestBody"]["content"]);
                let headers: Vec<_> = kinds.first().map(|kind| ("content-type", *kind)).into_iter().collect();
                let filled = if filled.ends_with("aggregate") { format!("{filled}?count") } else { filled };
                let verb = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).expect("a method");
                let body = if kinds.is_empty() { "" } else { "{}" };
                let reply = admin.send(verb, &filled, &headers, body).await;
                let told = &item[method]["responses"][reply.status.as_str()];
                assert!(!told.is_null(), "{method} {filled}: {reply}");
                let told = match told["$ref"].as_str() {
                    Some(reference) => document.pointer(&reference[1..]).expect("an answer"),
                    None => told,
                };
                let kind = reply.header("content-type");
                assert!(kind.is_empty() || names(&told["content"]).contains(&kind), "{method} {filled}: {kind}");
                called += 1;
            }
        }
        assert!(called >= 16, "{called} calls");
    }

    async fn the_document_follows_the_version_in_force(app) using SHOP {
        let before = document(&app.stranger()).await;
        let later = app::load(&{
            let path = app.directory().join("resources/labels.toml");
            let text = std::fs::read_to_string(&path).expect("a resource");
            std::fs::write(&path, text.replace("[access]", "color = { type = \"string\" }\n[access]")).expect("a file");
            app.directory().to_owned()
        }, &app::Environment::default());
        app.engine().put_in_force(std::sync::Arc::new(later.catalog.expect("a catalog")));
        let after = document(&app.stranger()).await;
        assert!(before["components"]["schemas"]["Label"]["properties"].get("color").is_none());
        assert!(after["components"]["schemas"]["Label"]["properties"].get("color").is_some());
        assert_ne!(before["info"]["version"], after["info"]["version"]);
    }
}

const PEOPLE: &[(&str, &str)] = &[
    ("mainstay.toml", ""),
    (
        "resources/users.toml",
        "[auth]\nsign_up = \"open\"\nmethods = [\"password\"]\npassword = { min = 12, max = 99 }\n\
         [fields]\nname = { type = \"string\", required = true }\nrank = { type = \"integer\", write = \"false\" }\n\
         claims = { type = \"json\", schema = { type = \"object\", properties = { a = { type = \"integer\" } } } }\n\
         secret = { type = \"text\", hidden = true }\nsalary = { type = \"integer\", read = \"'boss' in auth.roles\" }\n\
         [access]\nread = \"record.id == auth.id\"\nupdate = \"record.id == auth.id\"\n",
    ),
];

/// All values of `$ref`.
fn references(json: &Json, found: &mut Vec<String>) {
    match json {
        Json::Object(members) => {
            found.extend(members.get("$ref").and_then(Json::as_str).map(str::to_owned));
            members.values().for_each(|member| references(member, found));
        }
        Json::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

both! {
    async fn every_reference_leads_somewhere_for_every_reader(app) using PEOPLE {
        for reader in [document(&app.stranger()).await, document(&app.admin()).await] {
            let mut found = Vec::new();
            references(&reader, &mut found);
            assert!(found.len() > 100, "{} references", found.len());
            for reference in found {
                assert!(reader.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
            }
        }
    }

    async fn calls_under_auth_are_those_that_the_app_opens_and_exact(app) using PEOPLE {
        let reader = document(&app.stranger()).await;
        assert!(!reader.to_string().contains("salary"), "a field that no newcomer sees");
        let paths = names(&reader["paths"]);
        for (path, there) in [("/auth/sign-up", true), ("/auth/totp/enroll", true), ("/auth/code/request", false), ("/auth/oauth/token", false), ("/auth/passkeys/sign-in/begin", false)] {
            assert_eq!(paths.contains(&path), there, "{path}");
        }
        let sign_up = &reader["paths"]["/auth/sign-up"]["post"];
        let body = &sign_up["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(body["required"], json!(["name", "password"]));
        assert_eq!((&body["properties"]["password"]["minLength"], &body["properties"]["password"]["maxLength"]), (&json!(12), &json!(99)));
        assert_eq!(body["additionalProperties"], false);
        for absent in ["rank", "secret", "roles", "email_verified", "disabled", "claims"] {
            assert!(body["properties"].get(absent).is_none(), "{absent} is not a newcomer's to set");
        }
        // The example is one that works.
        let made = app.stranger().post("/auth/sign-up", body["examples"][0].clone()).await.expect(201);
        let told = &reader["components"]["schemas"]["AuthTokens"];
        let given = made.json();
        for member in names(&given) {
            assert!(told["properties"].get(member).is_some(), "{member} is not told of");
        }
        for member in told["required"].as_array().expect("names") {
            assert!(given.get(member.as_str().expect("a name")).is_some(), "{member} is promised");
        }
        // A key can't make an account, nor sign in.
        for path in ["/auth/sign-up", "/auth/sign-in", "/auth/password/forgot"] {
            let forbidden = reader["paths"][path]["post"]["responses"]["403"]["$ref"].as_str().expect("an answer");
            let kinds = &reader.pointer(&forbidden[1..]).expect("an answer")["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["type"]["enum"];
            assert_eq!(*kinds, json!(["/problems/csrf", "/problems/forbidden"]));
        }
        let ways = &reader["paths"]["/auth/me"]["get"]["security"];
        assert_eq!(*ways, json!([{ "bearer": [] }, { "cookie": [] }]));
        assert!(reader["components"]["securitySchemes"]["cookie"]["name"].as_str().is_some_and(|name| name.starts_with("mainstay_")));
    }

    /// Each was accepted, or answered otherwise, while the document said no.
    async fn what_the_document_refuses_is_refused(app) using PEOPLE {
        let stranger = app.stranger();
        let body = json!({ "email": "ann@example.org", "password": "several words of mine", "name": "Ann" });
        let made = stranger.post("/auth/sign-up", body).await.expect(201);
        let ann = stranger.with_key(made.json()["access_token"].as_str().expect("a token"));
        assert_eq!(ann.send(Method::POST, "/.well-known/jwks.json", &[], "").await.expect(405).header("allow"), "GET, HEAD, OPTIONS");
        ann.get("/.well-known/jwks.json").await.expect(200);
        let nul = stranger.post("/auth/password/forgot", json!({ "email": "a\u{0}@example.org" })).await.expect(422);
        assert_eq!(nul.json()["errors"][0]["code"], "nul");
        // Characters are counted, not bytes.
        stranger.post("/auth/password/forgot", json!({ "email": "é".repeat(4096) })).await.expect(202);
        stranger.post("/auth/password/forgot", json!({ "email": "e".repeat(4097) })).await.expect(422);
        let key = json!({ "name": "old", "scopes": ["*:read"], "expires_at": "2020-01-01T00:00:00Z" });
        assert_eq!(ann.post("/auth/keys", key).await.expect(422).json()["errors"][0]["code"], "past");
        let both = json!({ "email": "else@example.org", "ticket": "t", "code": "123456" });
        assert_eq!(ann.post("/auth/email/change", both).await.expect(422).json()["errors"][0]["pointer"], "/ticket");
        let admin = app.admin();
        let create = &document(&admin).await["components"]["schemas"]["UserCreate"];
        assert_eq!(create["required"], json!(["email", "name"]), "people have an address");
        assert_eq!(create["properties"]["email"]["type"], "string");
        for (path, status) in [("/api/users?filter=&name=Ann", 400), ("/api/users?filter=", 405)] {
            admin.delete(path).await.expect(status);
            admin.patch(path, json!({ "name": "Eve" })).await.expect(status);
        }
        assert_eq!(ann.get("/auth/me").await.expect(200).json()["name"], "Ann");
        // Nothing is created by nothing, and that is told.
        admin.post("/api/users", json!([])).await.expect(200);
        assert!(document(&admin).await["paths"]["/api/users"]["post"]["responses"].get("200").is_some());
    }
}

#[tokio::test]
async fn the_page_brings_all_that_it_needs_and_allows_nothing_else() {
    let app = TestApp::start(Database::Sqlite, SHOP).await;
    let page = app.stranger().get("/docs").await.expect(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    assert!(
        !page.text.contains("<script>") && !page.text.contains("style=") && !page.text.contains("//"),
        "inline, or from elsewhere"
    );
    let mut found = 0;
    for file in page.text.split('"').filter(|text| text.starts_with("/docs/")) {
        let reply = app.stranger().get(file).await.expect(200);
        for import in reply.text.split("from \"./").skip(1) {
            let name = import.split('"').next().unwrap_or_default();
            app.stranger().get(&format!("/docs/{name}")).await.expect(200);
        }
        found += 1;
    }
    assert_eq!(found, 2, "the style and the script");
    app.stranger().get("/docs/else.js").await.expect(404);
    let refused = app.stranger().post("/docs", json!({})).await.expect(405);
    assert_eq!(refused.header("allow"), "GET, HEAD, OPTIONS");
    app.stop().await;
}

both! {
    /// The fuzzer found it: such a header was taken for none, and the write went through.
    async fn a_precondition_that_is_no_text_matches_nothing(app) using SHOP {
        let admin = app.admin();
        let id = admin.post("/api/things", json!({ "name": "Lamp" })).await.expect(201).json()["id"].to_string();
        let path = format!("/api/things/{id}");
        let kind = ("content-type", "application/json");
        let changes = [kind, ("if-match", "\"é\"")];
        admin.send(Method::PATCH, &path, &changes, r#"{"name":"Chair"}"#).await.expect(412);
        // It can't be there and not be there.
        let both = [kind, ("if-match", "*"), ("if-none-match", "*")];
        admin.send(Method::PUT, &path, &both, r#"{"name":"Chair"}"#).await.expect(412);
        assert_eq!(admin.get(&path).await.json()["name"], "Lamp");
    }
}
