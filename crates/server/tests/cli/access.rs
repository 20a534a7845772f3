//! `mainstay access` and `mainstay test`.

use serde_json::Value as Json;

use crate::support::App;

const USERS: &str = "id = \"integer\"\n[auth]\n[fields]\nname = { type = \"string\" }\npin = { type = \"string\", hidden = true }\n\
                     [access]\nread = \"record.id == auth.id\"\n";
const POSTS: &str = "id = \"integer\"\n[fields]\nauthor = { type = \"reference\", to = \"users\", default = \"auth.id\" }\n\
                     title = { type = \"string\", write = \"'editor' in auth.roles\" }\n\
                     locked = { type = \"boolean\", default = false }\n\
                     [access]\nread = \"!record.locked || record.author == auth.id\"\n\
                     create = \"new.author == auth.id && new.author.name != 'Eve'\"\n\
                     update = \"record.author == auth.id && record.author.pin == '1234' && new.author == record.author\"\n\
                     delete = \"'editor' in auth.roles\"\n\
                     [validate]\n\"no shouting\" = \"new.title == null || !new.title.endsWith('!')\"\n";

fn blog() -> App {
    blog_in(App::empty())
}

fn blog_on_postgres() -> App {
    let app = App::notes_on_postgres();
    std::fs::remove_file(app.path().join("resources/notes.toml")).unwrap();
    blog_in(app)
}

fn blog_in(app: App) -> App {
    app.write("mainstay.toml", "[roles]\neditor = {}\nboss = { includes = [\"editor\"] }\n");
    app.write("resources/users.toml", USERS);
    app.write("resources/posts.toml", POSTS);
    app.write(
        "seed/users.ndjson",
        "{\"id\":1,\"name\":\"Ada\",\"email\":\"ada@example.org\",\"email_verified\":true,\"pin\":\"1234\"}\n\
         {\"id\":2,\"name\":\"Eve\",\"email\":\"eve@example.org\",\"pin\":\"9999\"}\n",
    );
    app.write("seed/posts.ndjson", "{\"id\":1,\"author\":1,\"locked\":true}\n{\"id\":2,\"author\":2}\n");
    app.good(&["migrate", "apply"]);
    app.good(&["seed"]);
    app
}

#[test]
fn the_table_says_what_is_open_to_whom() {
    let app = blog();
    let table: Json = serde_json::from_str(&app.good(&["access", "table", "--json"]).out).unwrap();
    let row = |resource: &str, action: &str| {
        let found = table.as_array().unwrap().iter().find(|row| row["resource"] == resource && row["action"] == action);
        found.unwrap()["who"].clone()
    };
    let read = row("posts", "read");
    assert_eq!(
        [&read["stranger"], &read["signed in"], &read["owner"], &read["admin"]],
        ["conditional", "conditional", "open", "open"]
    );
    let delete = row("posts", "delete");
    assert_eq!(
        [&delete["stranger"], &delete["owner"], &delete["editor"], &delete["boss"]],
        ["closed", "closed", "open", "open"],
        "who includes a role has it"
    );
    let users = row("users", "read");
    assert_eq!([&users["stranger"], &users["owner"], &users["boss"]], ["closed", "open", "conditional"]);
    assert!(app.good(&["access", "table"]).out.starts_with("resource  action  stranger"));
    // What is each one's own is nobody's closed door: an address, claims, where and when somebody asks from.
    app.write(
        "resources/rooms.toml",
        "[fields]\nname = { type = \"string\" }\n[access]\nread = \"auth.email == 'ann@example.org'\"\n\
         create = \"auth.id != null && (auth.claims.plan == 'gold' || 'editor' in auth.roles)\"\n\
         update = \"request.ip == '10.0.0.1'\"\ndelete = \"auth.email != null && 'editor' in auth.roles\"\n",
    );
    let table: Json = serde_json::from_str(&app.good(&["access", "table", "--json"]).out).unwrap();
    for (action, expected) in [
        ("read", ["closed", "conditional", "conditional"]),
        ("create", ["closed", "conditional", "open"]),
        ("update", ["conditional", "conditional", "conditional"]),
        ("delete", ["closed", "closed", "conditional"]),
    ] {
        let found = table.as_array().unwrap().iter().find(|row| row["resource"] == "rooms" && row["action"] == action);
        let who = &found.unwrap()["who"];
        assert_eq!([&who["stranger"], &who["signed in"], &who["editor"]], expected, "{action}");
        assert_eq!(who["admin"], "open", "{action}");
    }
}

#[test]
fn explain_says_which_part_was_false_and_changes_nothing() {
    let app = blog();
    let explain = |arguments: &[&str]| -> (Json, String) {
        let mut all = vec!["access", "explain"];
        all.extend(arguments);
        let text = app.good(&all).out;
        all.push("--json");
        (serde_json::from_str(&app.good(&all).out).unwrap(), text)
    };
    let (hidden, text) = explain(&["posts/1", "--as", "eve@example.org"]);
    assert_eq!((&hidden["allowed"], &hidden["status"]), (&false.into(), &404.into()));
    assert!(text.contains("record.author = 1, auth.id = 2"), "{text}");
    let (own, _) = explain(&["posts/1", "--as", "ADA@example.org"]);
    assert_eq!(own["allowed"], true);
    assert_eq!(own["rules"][0]["parts"][1]["holds"], false, "the part that did not help: {own}");
    // A part that leads to a hidden field is judged, and its value is not shown.
    let body = ["--action", "update", "--body", "{\"locked\":false}"];
    let (changed, text) = explain(&[&["posts/1", "--as", "ada@example.org"], &body[..]].concat());
    assert_eq!(changed["allowed"], true, "{text}");
    let (refused, text) = explain(&[&["posts/2", "--as", "2"], &body[..]].concat());
    assert_eq!(refused["status"], 403);
    assert!(text.contains("no  record.author.pin == '1234'") && !text.contains("9999"), "{text}");
    let create = ["--action", "create", "--body", "{}"];
    let (made, _) = explain(&[&["posts", "--as", "1"], &create[..]].concat());
    assert_eq!(made["allowed"], true);
    let (not_made, text) = explain(&[&["posts", "--as", "2"], &create[..]].concat());
    assert_eq!(not_made["status"], 403);
    assert!(text.contains("no  new.author.name != 'Eve'"), "{text}");
    let (invalid, text) = explain(&["posts/1", "--as", "1", "--action", "update", "--body", "{\"title\":\"Hey!\"}"]);
    assert_eq!(invalid["status"], 422);
    assert!(text.contains("write of the field title") && text.contains("auth.roles = []"), "{text}");
    let (gone, _) = explain(&["posts/1", "--role", "boss", "--action", "delete"]);
    assert_eq!(gone["status"], 404, "an editor may delete what an editor may read");
    assert_eq!(explain(&["posts/2", "--role", "boss", "--action", "delete"]).0["allowed"], true);
    assert_eq!(explain(&["posts/2"]).0["allowed"], true, "it is still there");
    // With an operator's key, which has roles and is nobody.
    let key: Json = serde_json::from_str(&app.good(&["key", "create", "--role", "boss", "--json"]).out).unwrap();
    let id = key["id"].as_str().unwrap();
    let (by_key, text) = explain(&["posts/2", "--key", id, "--action", "delete"]);
    assert_eq!(by_key["allowed"], true, "{text}");
    assert!(text.contains(&format!("key:{id}")), "{text}");
    let (_, text) = explain(&["posts/2", "--key", key["key"].as_str().unwrap()]);
    assert!(text.contains(id) && !text.contains(key["key"].as_str().unwrap()), "{text}");
    assert!(app.run(&["access", "explain", "posts/1", "--key", "none"]).err.contains("no key `none`"));
    assert!(app.run(&["access", "explain", "posts/1", "--as", "nobody@example.org"]).err.contains("no person"));
    assert!(app.run(&["access", "explain", "postz/1"]).err.contains("did you mean `posts`"));
}

#[test]
fn explain_knows_parts_that_lead_from_what_is_stored_and_from_what_would_be() {
    let app = blog();
    let posts = POSTS.replace(
        "update = \"record.author == auth.id && record.author.pin == '1234' && new.author == record.author\"",
        "update = \"record.author.name != new.author.name && record.author.pin == '1234' && new.code == record.code\"",
    );
    let posts = posts
        .replace("[access]", "code = { type = \"string\", required = true, hidden = true, default = \"x\" }\n[access]");
    app.write("resources/posts.toml", &posts);
    app.good(&["migrate", "apply"]);
    let explain =
        |body: &str| app.good(&["access", "explain", "posts/1", "--as", "1", "--action", "update", "--body", body]).out;
    let text = explain("{\"author\":2}");
    assert!(text.contains("yes record.author.name != new.author.name"), "{text}");
    assert!(text.contains("yes new.code == record.code"), "hidden fields count, and are not shown: {text}");
    let text = explain("{}");
    assert!(text.contains("no  record.author.name != new.author.name") && text.contains("refused, 403"), "{text}");
    assert!(!text.contains('?'), "{text}");
}

#[test]
fn rule_tests_pass_and_fail_with_their_place_and_the_part_that_was_false() {
    pass_and_fail(&blog());
}

#[test]
fn rule_tests_run_on_postgres_where_the_app_does() {
    pass_and_fail(&blog_on_postgres());
    let app = blog_on_postgres();
    app.write("tests/broken.toml", "[records.users]\nada = { name = 7 }\n[[test]]\nlist = \"posts\"\nexpect = []\n");
    let done = app.run(&["test"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("the record `ada` of users can't be"), "{}", done.err);
}

fn pass_and_fail(app: &App) {
    app.write(
        "tests/posts.toml",
        "[records.users]\nada = { name = \"Ada\", pin = \"1234\" }\neve = { name = \"Eve\" }\ngone = { disabled = true }\n\
         [records.posts]\ndraft = { author = \"ada\", locked = true }\nopen = { author = \"eve\" }\n\
         [[test]]\nas = \"ada\"\nlist = \"posts\"\nexpect = [\"open\", \"draft\"]\n\
         [[test]]\nas = [\"eve\", \"stranger\", \"gone\", { roles = [\"boss\"] }]\nlist = \"posts\"\nfilter = \"title == null\"\nexpect = [\"open\"]\n\
         [[test]]\nas = \"ada\"\nupdate = \"posts/draft\"\nwith = { locked = false }\nexpect = \"allowed\"\n\
         [[test]]\nas = \"ada\"\nupdate = \"posts/draft\"\nwith = { author = \"eve\" }\nexpect = \"denied\"\n\
         [[test]]\nas = \"eve\"\ncreate = \"posts\"\nexpect = \"denied\"\n\
         [[test]]\nas = { roles = [\"boss\"] }\ndelete = \"posts/open\"\nexpect = \"allowed\"\n\
         [[test]]\nas = \"ada\"\nread = \"users/ada\"\nshows = [\"email\"]\nhides = [\"pin\"]\n",
    );
    let done = app.good(&["test"]);
    assert_eq!(done.out, "10 tests passed.\n", "{}", done.err);
    app.write(
        "tests/wrong.toml",
        "[records.users]\nada = { name = \"Ada\" }\n[records.posts]\ndraft = { author = \"ada\", locked = true }\n\
         [[test]]\nname = \"drafts are open\"\nread = \"posts/draft\"\nexpect = \"allowed\"\n",
    );
    let done = app.run(&["test"]);
    assert_eq!(done.code, 1);
    for part in [
        "tests/wrong.toml:5 drafts are open",
        "expected allowed; it was refused, 404",
        "no  !record.locked",
        "1 failed",
    ] {
        assert!(done.out.contains(part), "{part}: {}", done.out);
    }
    app.good(&["test", "--filter", "tests/posts"]);
    let told: Json = serde_json::from_str(&app.run(&["test", "--json"]).out).unwrap();
    assert_eq!((&told["passed"], &told["failed"]), (&10.into(), &1.into()));
    app.write("tests/wrong.toml", "[[test]]\nas = \"adda\"\nread = \"post/1\"\n");
    let done = app.run(&["test"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("did you mean `posts`?") && done.err.contains("tests/wrong.toml:3"), "{}", done.err);
}

/// Customers who were there before anybody could sign in.
fn become_people(app: &App) {
    app.write(
        "resources/users.toml",
        "id = \"integer\"\n[fields]\nname = { type = \"string\" }\n\
         email = { type = \"email\", required = true, unique = true }\n",
    );
    app.write("seed/users.ndjson", "{\"id\":1,\"name\":\"Ada\",\"email\":\"ada@example.org\"}\n");
    app.good(&["migrate", "apply"]);
    app.good(&["seed"]);
    app.write("resources/users.toml", USERS);
    let plan = app.good(&["migrate", "plan"]).out;
    assert!(["email_verified", "roles", "disabled", "claims"].iter().all(|field| plan.contains(field)), "{plan}");
    app.good(&["migrate", "apply"]);
    app.good(&["migrate", "plan", "--exit-code"]);
    let explain = ["access", "explain", "users/1", "--as", "Ada@Example.org", "--json"];
    let told: Json = serde_json::from_str(&app.good(&explain).out).unwrap();
    assert_eq!((&told["allowed"], &told["as"]), (&true.into(), &"user:1".into()));
}

#[test]
fn records_that_are_there_become_people() {
    become_people(&App::notes());
    become_people(&App::notes_on_postgres());
}

#[test]
fn a_machine_comes_in_by_a_key_of_its_own_until_that_is_revoked() {
    let app = blog();
    let machine = app.good(&["user", "add", "--service", "--role", "editor"]).out.trim().to_owned();
    let made = app.good(&["key", "create", "--for", &machine, "--name", "mill", "--scope", "posts:read", "--json"]).out;
    let made: Json = serde_json::from_str(&made).unwrap();
    let (key, id) = (made["key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned());
    for (arguments, told) in [
        (["--scope", "postz:read"], "did you mean `posts`"),
        (["--scope", "posts:fly"], "RESOURCE:RIGHT"),
        (["--role", "boss"], "has no role `boss`"),
        (["--name", "\n"], "on one line"),
    ] {
        let refused = app.run(&[&["key", "create", "--for", &machine][..], &arguments].concat());
        assert!(refused.code != 0 && refused.err.contains(told), "{}", refused.err);
    }
    assert!(app.run(&["key", "create", "--for", "nobody@example.org"]).err.contains("no person"));
    assert!(app.run(&["key", "create", "--scope", "posts:read"]).err.contains("--for"));
    let server = app.start("serve");
    let ask = |method: &str, path: &str, body: &str| server.ask(method, path, Some(&key), body).unwrap();
    let me: Json = serde_json::from_str(&ask("GET", "/auth/me", "").body).unwrap();
    assert_eq!((me["id"].to_string(), &me["email"]), (machine.clone(), &Json::Null));
    assert_eq!(ask("GET", "/api/posts/2", "").status, 200);
    assert_eq!(ask("DELETE", "/api/posts/2", "").status, 403, "it may read alone");
    let listed = app.good(&["key", "list"]).out;
    assert!(listed.contains(&id) && listed.contains("mill") && listed.contains(&format!("of {machine}")), "{listed}");
    assert!(!listed.contains(&key), "{listed}");
    app.good(&["key", "revoke", &id]);
    assert!(app.run(&["key", "revoke", &id]).err.contains("there is no key"));
    std::thread::sleep(std::time::Duration::from_millis(2_100));
    assert_eq!(ask("GET", "/auth/me", "").status, 401);
}

#[test]
fn an_id_of_a_person_is_never_used_again() {
    let app = App::notes();
    app.write("resources/users.toml", USERS);
    app.write("seed/users.ndjson", "{\"id\":7,\"email\":\"ada@example.org\"}\n");
    app.good(&["migrate", "apply"]);
    app.good(&["seed"]);
    let key = app.good(&["key", "create", "--role", "admin", "--json"]).out;
    let key: Json = serde_json::from_str(&key).unwrap();
    let key = key["key"].as_str().unwrap().to_owned();
    let server = app.start("serve");
    assert_eq!(server.ask("DELETE", "/api/users/7", Some(&key), "").unwrap().status, 204);
    drop(server);
    let server = app.start("serve");
    let made = server.ask("POST", "/api/users", Some(&key), "{\"email\":\"ben@example.org\"}").unwrap();
    let made: Json = serde_json::from_str(&made.body).unwrap();
    assert!(made["id"].as_i64().unwrap() > 7, "{made}");
}
