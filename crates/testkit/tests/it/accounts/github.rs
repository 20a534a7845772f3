//! Sign-in with GitHub, which here is a stand-in that answers as GitHub's documentation says: refusals of the token endpoint with
//! 200, no addresses without the scope, nothing at all without a `User-Agent`.

use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value as Json, json};
use testkit::{Database, Reply, TestApp};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::{
    providers::{CHALLENGE, RETURN, SITE, VERIFIER, back, exchange},
    sign_up,
};

/// What the stand-in knows, and whom it signs in next.
#[derive(Clone)]
struct World {
    secret: &'static str,
    challenge: String,
    redirect: String,
    user: Json,
    emails: Json,
    /// Whether the person has granted `user:email`.
    grants_emails: bool,
    /// The token endpoint's answer, where it is not the right one.
    answers: Option<(u16, String)>,
}

struct GitHub {
    address: String,
    world: Arc<Mutex<World>>,
}

fn email(address: &str, primary: bool, verified: bool) -> Json {
    json!({ "email": address, "primary": primary, "verified": verified, "visibility": if primary { "private" } else { "" } })
}

impl GitHub {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let world = World {
            secret: "kept",
            challenge: String::new(),
            redirect: String::new(),
            user: json!({ "login": "ann", "id": 583_231, "name": "Ann", "email": null, "type": "User" }),
            emails: json!([
                email("583231+ann@users.noreply.github.com", false, true),
                email("ann@example.org", true, true)
            ]),
            grants_emails: true,
            answers: None,
        };
        let world = Arc::new(Mutex::new(world));
        let told = Arc::clone(&world);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let world = told.lock().expect("a lock").clone();
                tokio::spawn(answer(stream, world));
            }
        });
        Self { address, world }
    }

    async fn app(&self, database: Database, auth: &str) -> TestApp {
        let users = format!(
            "[auth]\nmethods = [\"password\", \"oauth\"]\nreturn_urls = [\"{RETURN}\"]\n{auth}\n[auth.oauth.github]\n\
             issuer = \"{}\"\nclient_id = \"ours\"\nclient_secret = \"kept\"\nlink_by_email = true\n\
             [fields]\nname = {{ type = \"string\" }}\n[access]\nread = \"record.id == auth.id\"\n",
            self.address
        );
        TestApp::start(database, &[("mainstay.toml", SITE), ("resources/users.toml", &users)]).await
    }

    fn change(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.world.lock().expect("a lock"));
    }

    /// To GitHub and back: the parameter that the client gets.
    async fn walk(&self, app: &TestApp, brought: &str) -> (String, String) {
        let path = format!("/auth/oauth/github?return_to={RETURN}&code_challenge={CHALLENGE}");
        let reply = app.stranger().get(&path).await.expect(303);
        let url = url::Url::parse(reply.header("location")).expect("a URL");
        assert!(url.as_str().starts_with(&format!("{}/login/oauth/authorize?", self.address)), "{url}");
        let find =
            |wanted: &str| url.query_pairs().find(|(name, _)| name == wanted).expect("a parameter").1.into_owned();
        assert_eq!((find("scope").as_str(), find("code_challenge_method").as_str()), ("read:user user:email", "S256"));
        self.change(|world| (world.challenge, world.redirect) = (find("code_challenge"), find("redirect_uri")));
        let cookie = reply.header("set-cookie").split(';').next().expect("a cookie").to_owned();
        back(app, "github", &format!("{brought}&state={}", find("state")), &cookie).await
    }

    async fn enter(&self, app: &TestApp) -> Reply {
        let (parameter, code) = self.walk(app, "code=good").await;
        assert_eq!(parameter, "code", "{code}");
        exchange(app, &code, VERIFIER).await
    }
}

/// One request, answered.
async fn answer(mut stream: TcpStream, world: World) {
    let mut request = Vec::new();
    let mut part = [0; 4096];
    loop {
        let length = stream.read(&mut part).await.unwrap_or(0);
        request.extend_from_slice(&part[..length]);
        let text = String::from_utf8_lossy(&request);
        let awaited = text
            .to_lowercase()
            .split_once("content-length: ")
            .and_then(|(_, rest)| rest.split("\r\n").next().and_then(|number| number.parse::<usize>().ok()));
        let complete = text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= awaited.unwrap_or(0));
        if length == 0 || complete {
            break;
        }
    }
    let (status, body) = say(&String::from_utf8_lossy(&request), &world);
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close",
        body.len()
    );
    let _ = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await;
}

fn say(request: &str, world: &World) -> (u16, String) {
    let (head, body) = request.split_once("\r\n\r\n").unwrap_or((request, ""));
    let header = |name: &str| {
        let found =
            head.lines().find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)));
        found.map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    if header("user-agent").is_empty() {
        return (403, "Request forbidden by administrative rules.".to_owned());
    }
    let no_token = header("authorization") != "Bearer gho_token";
    let unauthorised = (401, json!({ "message": "Bad credentials" }).to_string());
    match head.split(' ').nth(1) {
        Some("/login/oauth/access_token") => match &world.answers {
            Some((status, body)) => (*status, body.clone()),
            None => (200, token(&header("accept"), body, world)),
        },
        Some("/api/v3/user" | "/api/v3/user/emails") if no_token => unauthorised,
        Some("/api/v3/user") => (200, world.user.to_string()),
        Some("/api/v3/user/emails") if world.grants_emails => (200, world.emails.to_string()),
        _ => (404, json!({ "message": "Not Found" }).to_string()),
    }
}

/// What the token endpoint answers, always with 200.
fn token(accept: &str, body: &str, world: &World) -> String {
    let form: std::collections::HashMap<_, _> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let sent = |name: &str| form.get(name).cloned().unwrap_or_default();
    let proved = URL_SAFE_NO_PAD.encode(digest(&SHA256, sent("code_verifier").as_bytes())) == world.challenge;
    let error =
        |name: &str| json!({ "error": name, "error_description": "Words.", "error_uri": "https://docs" }).to_string();
    if (sent("client_id").as_str(), sent("client_secret").as_str()) != ("ours", world.secret) {
        return error("incorrect_client_credentials");
    }
    if sent("redirect_uri") != world.redirect {
        return error("redirect_uri_mismatch");
    }
    if sent("code") != "good" || !proved {
        return error("bad_verification_code");
    }
    let scope = if world.grants_emails { "read:user,user:email" } else { "read:user" };
    match accept {
        "application/json" => {
            json!({ "access_token": "gho_token", "scope": scope, "token_type": "bearer" }).to_string()
        }
        _ => format!("access_token=gho_token&scope={scope}&token_type=bearer"),
    }
}

async fn on_both(auth: &str, story: impl AsyncFn(&GitHub, &TestApp)) {
    for database in [Database::Sqlite, Database::Postgres] {
        let github = GitHub::start().await;
        let app = github.app(database, auth).await;
        story(&github, &app).await;
        app.stop().await;
    }
}

#[tokio::test]
async fn somebody_comes_in_by_github_and_comes_again_under_another_name() {
    on_both("verify_email = true", async |github, app| {
        let first = github.enter(app).await.expect(201).json();
        assert_eq!((&first["user"]["email"], &first["user"]["name"]), (&json!("ann@example.org"), &json!("Ann")));
        assert_eq!(first["user"]["email_verified"], true);
        github.change(|world| {
            world.user["login"] = json!("anna");
            world.emails = json!([email("anna@example.net", true, true)]);
        });
        assert_eq!(github.enter(app).await.expect(200).json()["user"]["id"], first["user"]["id"]);
        // The number counts, not the name.
        github.change(|world| world.user["id"] = json!(7));
        let other = github.enter(app).await.expect(201).json();
        assert_ne!(other["user"]["id"], first["user"]["id"]);
    })
    .await;
}

#[tokio::test]
async fn only_the_primary_address_counts_and_only_if_github_has_verified_it() {
    on_both("verify_email = true", async |github, app| {
        github.change(|world| {
            world.emails = json!([email("ann@example.org", true, false), email("other@example.org", false, true)]);
        });
        github.enter(app).await.expect(403);
        github.change(|world| world.emails = json!([email("other@example.org", false, true)]));
        let refused = github.enter(app).await.expect(403);
        assert!(refused.text.contains("tells no e-mail address"), "{refused}");
        // A private address is told to who has the scope, as any other.
        github.change(|world| world.emails = json!([email("ann@example.org", true, true)]));
        github.enter(app).await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn an_unverified_address_finds_no_account() {
    on_both("", async |github, app| {
        let (_, account) = sign_up(app, "ann@example.org").await;
        github.change(|world| world.emails = json!([email("ann@example.org", true, false)]));
        github.enter(app).await.expect(409);
        // Nor does the one of the profile, which nobody vouches for.
        github.change(|world| {
            world.grants_emails = false;
            world.user["email"] = json!("ann@example.org");
        });
        github.enter(app).await.expect(409);
        github.change(|world| {
            world.grants_emails = true;
            world.emails = json!([email("ANN@example.org", true, true)]);
        });
        assert_eq!(github.enter(app).await.expect(200).json()["user"]["id"], account["user"]["id"]);
    })
    .await;
}

#[tokio::test]
async fn who_keeps_the_scope_back_gets_in_where_it_is_not_needed() {
    on_both("", async |github, app| {
        github.change(|world| world.grants_emails = false);
        let refused = github.enter(app).await.expect(403);
        assert!(refused.text.contains("tells no e-mail address"), "{refused}");
        github.change(|world| world.grants_emails = true);
        let known = github.enter(app).await.expect(201).json();
        github.change(|world| world.grants_emails = false);
        assert_eq!(github.enter(app).await.expect(200).json()["user"]["id"], known["user"]["id"]);
    })
    .await;
}

#[tokio::test]
async fn what_github_refuses_is_told() {
    on_both("", async |github, app| {
        let outcome = async |brought: &str| {
            let (parameter, value) = github.walk(app, brought).await;
            assert_eq!(parameter, "error", "{brought}");
            value
        };
        assert_eq!(outcome("error=access_denied&error_description=The+user+has+denied").await, "access_denied");
        assert_eq!(outcome("code=stale").await, "code");
        assert_eq!(outcome("code=good&iss=https%3A%2F%2Fevil.example").await, "callback_issuer");
        assert_eq!(outcome("").await, "form");
        github.change(|world| world.secret = "changed");
        assert_eq!(outcome("code=good").await, "temporarily_unavailable", "the operator's affair");
        github.change(|world| world.secret = "kept");
        for (status, answer, expected) in [
            (200, "{}", "form"),
            (200, "<html>", "form"),
            (200, "{\"access_token\":\"\"}", "form"),
            (200, "{\"access_token\":\"gho_token\",\"error\":\"slow_down\"}", "temporarily_unavailable"),
            (200, "{\"access_token\":\"gho_revoked\"}", "temporarily_unavailable"),
            (503, "Unicorn!", "temporarily_unavailable"),
            (302, "", "temporarily_unavailable"),
        ] {
            github.change(|world| world.answers = Some((status, answer.to_owned())));
            assert_eq!(outcome("code=good").await, expected, "{status} {answer}");
        }
        github.change(|world| {
            world.answers = None;
            world.user = json!({ "login": "ann" });
        });
        assert_eq!(outcome("code=good").await, "form", "a person without a number");
    })
    .await;
}
