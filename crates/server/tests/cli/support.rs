//! What the tests do again and again: make an app, run a command, start a server, ask it.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use tempfile::TempDir;

pub(crate) const NOTES: &str = "id = \"integer\"\ntimestamps = false\n\n[fields]\ntitle = { type = \"string\", required = true, \
                                max = 100 }\n\n[access]\nread = \"true\"\n";

/// An app in a directory of its own, gone when dropped.
pub(crate) struct App {
    directory: TempDir,
    port: u16,
    postgres: Option<Postgres>,
}

/// A PostgreSQL database of a test's own, gone when dropped.
struct Postgres {
    name: String,
    url: String,
}

/// What a command said, and how it ended.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl App {
    /// An app with one resource, `notes`.
    pub(crate) fn notes() -> Self {
        let app = Self::empty();
        app.write("mainstay.toml", "");
        app.write("resources/notes.toml", NOTES);
        app
    }

    /// A directory without an app.
    pub(crate) fn empty() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { directory: tempfile::tempdir().unwrap(), port, postgres: None }
    }

    /// As [`App::notes`], on PostgreSQL.
    pub(crate) fn notes_on_postgres() -> Self {
        let mut app = Self::notes();
        // The port is free, so no other test has it now.
        let name = format!("mainstay_cli_{}_{}", std::process::id(), app.port);
        let server = postgres();
        let (base, _) = server.rsplit_once('/').expect("a URL with a database");
        let url = format!("{base}/{name}");
        execute(&format!("CREATE DATABASE {name}"));
        app.postgres = Some(Postgres { name, url });
        app
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.directory.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mainstay"));
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env("MAINSTAY_SERVER__LISTEN", format!("127.0.0.1:{}", self.port))
            .stdin(Stdio::null());
        if let Some(postgres) = &self.postgres {
            command.env("MAINSTAY_SERVICES__DATABASE", &postgres.url);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        let output = self.command(arguments).output().unwrap();
        Done {
            code: output.status.code().expect("the command was killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A command that has to end well.
    pub(crate) fn good(&self, arguments: &[&str]) -> Done {
        let done = self.run(arguments);
        assert_eq!(done.code, 0, "mainstay {arguments:?}\n{}{}", done.out, done.err);
        done
    }

    /// Starts `serve` or `dev`, and waits until it is ready.
    pub(crate) fn start(&self, command: &str) -> Running {
        let running = self.start_at_once(command);
        running
            .wait("it is ready", || running.ask("GET", "/readyz", None, "").is_some_and(|reply| reply.status == 200));
        running
    }

    pub(crate) fn start_at_once(&self, command: &str) -> Running {
        let mut process = self.command(&[command]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (lines, into) = (BufReader::new(process.stderr.take().unwrap()), Arc::clone(&said));
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut said = into.lock().unwrap();
                said.push_str(&line);
                said.push('\n');
            }
        });
        Running { process, said, port: self.port }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// The server that tests may make databases on.
#[expect(clippy::disallowed_methods, reason = "the variable is the tests' own")]
fn postgres() -> String {
    std::env::var("MAINSTAY_TEST_POSTGRES").unwrap_or_else(|_| "postgres://root@127.0.0.1:5432/postgres".to_owned())
}

fn execute(sql: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&postgres(), tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute(sql).await.unwrap();
        drop(client);
        let _ = connection.await;
    });
}

impl Done {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

/// A server, killed when dropped.
pub(crate) struct Running {
    process: Child,
    said: Arc<Mutex<String>>,
    port: u16,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Running {
    /// What it has said on standard error so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until it says something.
    pub(crate) fn hear(&self, words: &str) {
        self.wait(words, || self.said().contains(words));
    }

    pub(crate) fn wait(&self, what: &str, until: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(40);
        while !until() {
            assert!(Instant::now() < end, "waited in vain for: {what}\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The administrator's key that it shows, which may be a moment after it answers.
    pub(crate) fn key(&self) -> String {
        self.wait("a key", || self.said().split_once("msk_").is_some_and(|(_, after)| after.contains('\n')));
        key_in(&self.said()).expect("a key")
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, None, "").expect("an answer")
    }

    pub(crate) fn post(&self, path: &str, key: &str, body: &str) -> Reply {
        self.ask("POST", path, Some(key), body).expect("an answer")
    }

    /// One request on a connection of its own; none where nobody answers.
    pub(crate) fn ask(&self, method: &str, path: &str, key: Option<&str>, body: &str) -> Option<Reply> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let key = key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{key}Content-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Reply { status, body: body.to_owned() })
    }

    /// Asks it to stop, and gives its exit code.
    pub(crate) fn terminate(mut self) -> i32 {
        let sent = Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        assert!(sent.success());
        self.process.wait().unwrap().code().expect("it was killed by the signal")
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn key_in(text: &str) -> Option<String> {
    let key = &text[text.find("msk_")?..];
    let end = key.find(|letter: char| !letter.is_ascii_alphanumeric() && !"_-".contains(letter)).unwrap_or(key.len());
    Some(key[..end].to_owned())
}

/// The files below a directory, by their paths in it.
pub(crate) fn files_in(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push(path.strip_prefix(directory).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}
