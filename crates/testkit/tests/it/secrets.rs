//! Nothing secret comes out: a story with marked secrets, told to the program itself, and a search in all that it says.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has to say so and end")]

use std::{
    env,
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use serde_json::{Value as Json, json};

const USERS: &str = r#"
[auth]
methods = ["password", "oauth"]

[auth.oauth.acme]
issuer = "http://127.0.0.1:1"
client_id = "ours"
client_secret = { env = "ACME_SECRET" }

[fields]
name = { type = "string" }

[access]
read = "record.id == auth.id"
"#;

const MASTER: &str = "marked-master-key-0123456789abcdef";
const CLIENT: &str = "marked-client-secret";
const DATABASE: &str = "marked-database-password";

fn mainstay() -> PathBuf {
    env::current_exe().unwrap().parent().unwrap().with_file_name("mainstay")
}

fn command(app: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(mainstay());
    command.args(arguments).current_dir(app).env("MAINSTAY_AUTH__MASTER_KEY", MASTER).env("ACME_SECRET", CLIENT);
    command.env("MAINSTAY_LOG__LEVEL", "debug").env("MAINSTAY_SERVICES__MAIL", "file:mail");
    command
}

fn run(app: &Path, arguments: &[&str]) -> String {
    let done = command(app, arguments).output().unwrap();
    String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr)
}

fn curl(arguments: &[&str]) -> String {
    let done = Command::new("curl").args(["-s", "--max-time", "20"]).args(arguments).output().unwrap();
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// A server, killed when dropped, and what it has been asked.
struct Story {
    process: Child,
    base: String,
    /// What came out where nothing secret has to be.
    told: String,
    secrets: Vec<String>,
}

impl Drop for Story {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Story {
    /// An answer that may hold secrets, of which the named become marked; a refusal may hold none.
    fn post(&mut self, path: &str, token: &str, body: &str, secret: &[&str]) -> Json {
        let (url, bearer) = (format!("{}{path}", self.base), format!("authorization: Bearer {token}"));
        let mut arguments = vec![url.as_str(), "-H", "content-type: application/json", "-d", body];
        if !token.is_empty() {
            arguments.extend(["-H", &bearer]);
        }
        let text = curl(&arguments);
        let answer: Json = serde_json::from_str(&text).unwrap_or_default();
        if secret.is_empty() {
            self.told.push_str(&text);
        }
        for name in secret {
            let found = answer[name].as_str().unwrap_or_else(|| panic!("no {name} in {text}"));
            self.secrets.push(found.to_owned());
        }
        answer
    }

    fn get(&mut self, path: &str, token: &str, accept: &str) {
        let (url, bearer, accept) =
            (format!("{}{path}", self.base), format!("authorization: Bearer {token}"), format!("accept: {accept}"));
        let text = curl(&["-i", "--max-time", "3", &url, "-H", &bearer, "-H", &accept]);
        assert!(!text.is_empty(), "no answer to {path}");
        self.told.push_str(&text);
    }
}

fn start(app: &Path) -> Story {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let log = |name: &str| Stdio::from(File::create(app.join(name)).unwrap());
    let process = command(app, &["serve"])
        .env("MAINSTAY_SERVER__LISTEN", format!("127.0.0.1:{port}"))
        .stdout(log("out.log"))
        .stderr(log("err.log"))
        .spawn()
        .unwrap();
    let story = Story { process, base: format!("http://127.0.0.1:{port}"), told: String::new(), secrets: Vec::new() };
    for _ in 0..600 {
        if !curl(&["-f", &format!("{}/readyz", story.base)]).is_empty() {
            return story;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("not ready: {}", fs::read_to_string(app.join("err.log")).unwrap());
}

fn reset_secret(app: &Path) -> String {
    for _ in 0..200 {
        for entry in fs::read_dir(app.join("mail")).into_iter().flatten().filter_map(Result::ok) {
            let mail = fs::read_to_string(entry.path()).unwrap();
            if let Some(start) = mail.find("mrs_") {
                return mail[start..].split_whitespace().next().unwrap().to_owned();
            }
        }
        sleep(Duration::from_millis(50));
    }
    panic!("no mail with a link");
}

/// Everything that people do with secrets, well and badly.
fn live(story: &mut Story, app: &Path) -> String {
    const PASSWORD: &str = "marked-password-of-ann";
    for password in [PASSWORD, "marked-wrong-password", "marked-new-password", "marked-in-broken-json"] {
        story.secrets.push(password.to_owned());
    }
    let login = |password: &str| json!({ "email": "ann@example.org", "password": password }).to_string();
    story.post("/auth/sign-up", "", &login(PASSWORD), &["access_token", "refresh_token"]);
    story.post("/auth/sign-up", "", &login(PASSWORD), &[]);
    story.post("/auth/sign-in", "", &login("marked-wrong-password"), &[]);
    story.post("/auth/sign-in", "", "{\"email\": \"ann@example.org\", \"password\": \"marked-in-broken-json\",,", &[]);
    story.post(
        "/auth/sign-in",
        "",
        r#"{"email": 7, "password": ["marked-wrong-password"], "x": "marked-new-password"}"#,
        &[],
    );
    let first = story.post("/auth/sign-in", "", &login(PASSWORD), &["access_token", "refresh_token", "device_token"]);
    let used = json!({ "refresh_token": first["refresh_token"] }).to_string();
    let second = story.post("/auth/refresh", "", &used, &["access_token", "refresh_token"]);
    let token = second["access_token"].as_str().unwrap().to_owned();
    let key = story.post("/auth/keys", &token, r#"{"name": "k", "scopes": ["*:read"]}"#, &["key"]);
    story.get("/api/users", key["key"].as_str().unwrap(), "application/json");
    story.get("/auth/keys", &token, "application/json");
    story.get("/auth/sessions", &token, "application/json");
    story.get("/auth/oauth/acme?return_to=x", &token, "application/json");
    story.get("/nothing/here", &token, "application/json");
    for bogus in ["marked-bogus-token", "msk_marked_bogus", "eyJhbGciOiJub25lIn0.marked.bogus"] {
        story.get("/auth/me", bogus, "application/json");
        story.secrets.push(bogus.to_owned());
    }
    story.post("/auth/password/forgot", "", r#"{"email": "ann@example.org"}"#, &[]);
    let secret = reset_secret(app);
    let reset = |password: &str| json!({ "secret": secret, "password": password }).to_string();
    story.post("/auth/password/reset", "", &reset("short"), &[]);
    story.post("/auth/password/reset", "", &reset("marked-new-password"), &[]);
    story.post("/auth/password/reset", "", &reset("marked-new-password"), &[]);
    story.post("/auth/refresh", "", &used, &[]);
    story.secrets.push(secret);
    token
}

#[test]
fn no_secret_comes_out() {
    let directory = tempfile::tempdir().unwrap();
    let app = directory.path();
    fs::create_dir(app.join("resources")).unwrap();
    fs::write(app.join("mainstay.toml"), "").unwrap();
    fs::write(app.join("resources/users.toml"), USERS).unwrap();
    let mut commands = run(app, &["migrate", "apply"]) + &run(app, &["check"]);
    let operator = run(app, &["key", "create"]);
    let operator = operator[operator.find("msk_").unwrap()..].split_whitespace().next().unwrap().to_owned();
    // A database that isn't there: the way on which addresses are told.
    for arguments in [&["serve"][..], &["migrate", "apply"], &["check"]] {
        let url = format!("postgres://ann:{DATABASE}@127.0.0.1:1/none");
        let done = command(app, arguments).env("MAINSTAY_SERVICES__DATABASE", url).output().unwrap();
        commands += &String::from_utf8_lossy(&[done.stdout, done.stderr].concat());
    }
    let mut story = start(app);
    live(&mut story, app);
    for (path, accept) in [
        ("/metrics", "*/*"),
        ("/openapi.json", "*/*"),
        ("/docs", "*/*"),
        ("/api/users", "application/x-ndjson"),
        ("/api/users", "text/csv"),
        ("/api/users/events?last_event_id=0", "text/event-stream"),
        ("/.well-known/jwks.json", "*/*"),
    ] {
        story.get(path, &operator, accept);
    }
    let process = story.process.id();
    let shown = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let ended = Command::new("kill").args(["-TERM", &process.to_string()]).status().unwrap();
    assert!(ended.success() && story.process.wait().unwrap().success(), "it stops in good order");
    let logs = ["out.log", "err.log"].map(|name| fs::read_to_string(app.join(name)).unwrap()).concat();
    assert!(logs.contains("/auth/sign-in"), "requests are in the log: {logs}");
    assert!(story.told.contains("ann@example.org"), "and people in the export");
    story.secrets.extend([MASTER, CLIENT, DATABASE, &operator].map(str::to_owned));
    let places = [("answers", &story.told), ("logs", &logs), ("commands", &commands)];
    for secret in &story.secrets {
        for (place, text) in places {
            assert!(!text.contains(secret.as_str()), "{secret} is in the {place}");
        }
        assert!(!String::from_utf8_lossy(&shown).contains(secret.as_str()), "{secret} is in the list of processes");
    }
    let kept = fs::read_dir(app.join("data")).unwrap().filter_map(Result::ok).map(|entry| entry.path());
    for file in kept.filter(|path| path.is_file()) {
        let bytes = fs::read(&file).unwrap();
        for secret in &story.secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {}", file.display());
        }
    }
}
