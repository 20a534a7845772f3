//! The book keeps its word: each snippet in `docs/src` is run as CONTRIBUTING.md says, and does what the page shows.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking, says why on standard error, and hands its environment on"
)]

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const ADDRESS: &str = "http://localhost:8080";
/// The templates that pages are about: one begins with `<!-- app: NAME -->`, or is about the first.
const TEMPLATES: &[&str] = &["shop", "accounts", "blog"];

#[test]
fn every_command_in_the_book_prints_what_the_book_shows() {
    let sites: Vec<Site> = TEMPLATES.iter().map(|name| Site::make(name)).collect();
    let mut faults = Vec::new();
    for page in pages() {
        let commands: Vec<_> = page.snippets().into_iter().filter(|snippet| snippet.fence == "console").collect();
        if !commands.is_empty() {
            run_page(&sites[page.template()], &page, &commands, &mut faults);
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n\n"));
}

#[test]
fn every_toml_file_in_the_book_is_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let mut faults = Vec::new();
    let mut seen = 0;
    for page in pages() {
        for snippet in page.snippets() {
            let file = match snippet.fence.split_once(' ') {
                Some(("toml", "mainstay")) => "mainstay.toml".to_owned(),
                Some(("toml", rest)) => match rest.strip_prefix("resource=") {
                    Some(name) => format!("resources/{name}.toml"),
                    None => panic!("{}:{}: an unknown kind of fence: {rest}", page.name, snippet.line),
                },
                _ => continue,
            };
            seen += 1;
            let app = directory.path().join(seen.to_string());
            copy(&template(TEMPLATES[page.template()]), &app);
            // The template's tests are about its own resources, of which the page shows another version.
            let _ = fs::remove_dir_all(app.join("tests"));
            fs::write(app.join(file), &snippet.text).unwrap();
            let done = Command::new(mainstay())
                .arg("check")
                .current_dir(&app)
                .env("DATABASE_URL", "sqlite:data/app.db")
                .output()
                .unwrap();
            if !done.status.success() {
                let told = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
                faults.push(format!("{}:{}\n{told}", page.name, snippet.line));
            }
        }
    }
    assert!(seen > 5, "the book has lost its TOML snippets");
    assert!(faults.is_empty(), "\n{}", faults.join("\n\n"));
}

#[test]
fn the_summary_names_every_page_and_no_other() {
    let summary = fs::read_to_string(book().join("SUMMARY.md")).unwrap();
    let mut named: Vec<_> =
        summary.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned()).collect();
    let mut there: Vec<_> = pages().into_iter().map(|page| page.name).filter(|name| name != "SUMMARY.md").collect();
    named.sort();
    there.sort();
    assert_eq!(named, there);
}

#[test]
fn an_ellipsis_stands_for_anything_and_white_space_for_nothing() {
    assert!(matches("{\"a\": 1,…}", "{\"a\":1,\"b\":2}\n"));
    assert!(matches("…", ""));
    assert!(!matches("{\"a\":1}", "{\"a\":1,\"b\":2}"));
    assert!(!matches("a…b…a", "ab"));
    assert!(!matches("…ab", "abc"));
}

/// One page: its commands in one shell, in an app of its own that is served meanwhile.
fn run_page(model: &Site, page: &Page, snippets: &[Snippet], faults: &mut Vec<String>) {
    let site = model.copy();
    let server = Server::start(&site.app);
    let outputs = tempfile::tempdir().unwrap();
    let commands: Vec<_> = snippets.iter().flat_map(Snippet::commands).collect();
    let mut script = String::new();
    for (number, command) in commands.iter().enumerate() {
        let text = command.text.replace(ADDRESS, &server.address);
        script += &format!("{{\n{text}\n}} >'{}' 2>&1\n", outputs.path().join(number.to_string()).display());
    }
    let path = format!("{}:{}", mainstay().parent().unwrap().display(), env::var("PATH").unwrap());
    let status = Command::new("sh")
        .arg("-c")
        .arg(&script)
        .current_dir(&site.app)
        .env("PATH", path)
        .env("KEY", &site.key)
        .status()
        .unwrap();
    drop(server);
    for (number, command) in commands.iter().enumerate() {
        let got = fs::read(outputs.path().join(number.to_string())).unwrap_or_default();
        let got = String::from_utf8_lossy(&got);
        if command.expected.as_ref().is_some_and(|expected| !matches(expected, &got)) {
            let expected = command.expected.as_deref().unwrap_or_default();
            faults.push(format!(
                "{}:{}: {}\nexpected: {expected}\n     got: {got}",
                page.name, command.line, command.text
            ));
        }
    }
    assert!(status.code().is_some(), "{}: the shell was killed", page.name);
}

/// Whether `got` is as `expected` says: `…` is anything, white space does not count.
fn matches(expected: &str, got: &str) -> bool {
    let squeeze = |text: &str| text.split_whitespace().collect::<String>();
    let (expected, got) = (squeeze(expected), squeeze(got));
    let pieces: Vec<_> = expected.split('…').collect();
    let [first, middle @ .., last] = pieces.as_slice() else { return expected == got };
    let Some(rest) = got.strip_prefix(first) else { return false };
    let Some(mut rest) = rest.strip_suffix(last) else { return false };
    for piece in middle {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    true
}

struct Page {
    name: String,
    text: String,
}

/// A fenced block.
struct Snippet {
    /// What stands after the backticks.
    fence: String,
    text: String,
    /// Where its first line is, from 1.
    line: usize,
}

/// A command of a `console` block and what it shall print.
struct Shown {
    text: String,
    expected: Option<String>,
    line: usize,
}

fn book() -> PathBuf {
    root().join("docs/src")
}

fn pages() -> Vec<Page> {
    let mut pages: Vec<_> = fs::read_dir(book())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .map(|path| Page {
            name: path.file_name().unwrap().to_string_lossy().into_owned(),
            text: fs::read_to_string(&path).unwrap(),
        })
        .collect();
    pages.sort_by(|a, b| a.name.cmp(&b.name));
    pages
}

impl Page {
    /// Which of the templates it is about.
    fn template(&self) -> usize {
        let Some((name, _)) = self.text.strip_prefix("<!-- app: ").and_then(|rest| rest.split_once(" -->")) else {
            return 0;
        };
        TEMPLATES.iter().position(|known| *known == name).unwrap_or_else(|| panic!("{}: no template {name}", self.name))
    }

    fn snippets(&self) -> Vec<Snippet> {
        let mut snippets = Vec::new();
        let mut open: Option<Snippet> = None;
        for (number, line) in self.text.lines().enumerate() {
            match (line.strip_prefix("```"), &mut open) {
                (Some(fence), None) => {
                    open = Some(Snippet { fence: fence.trim().to_owned(), text: String::new(), line: number + 2 });
                }
                (Some(_), Some(_)) => snippets.extend(open.take()),
                (None, Some(snippet)) => {
                    snippet.text += line;
                    snippet.text.push('\n');
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a fence is not closed", self.name);
        snippets
    }
}

impl Snippet {
    fn commands(&self) -> Vec<Shown> {
        let mut commands: Vec<Shown> = Vec::new();
        let mut goes_on = false;
        for (number, line) in self.text.lines().enumerate() {
            if let Some(text) = line.strip_prefix("$ ") {
                commands.push(Shown { text: text.to_owned(), expected: None, line: self.line + number });
                goes_on = text.ends_with('\\');
                continue;
            }
            let command = commands.last_mut().expect("a console block begins with a command");
            if goes_on || line.starts_with("> ") {
                command.text.push('\n');
                command.text += line.strip_prefix("> ").unwrap_or(line);
                goes_on = line.ends_with('\\');
            } else {
                let expected = command.expected.get_or_insert_default();
                expected.push('\n');
                expected.push_str(line);
            }
        }
        commands
    }
}

/// An app of a template with its data, not served, and the key of an administrator.
struct Site {
    _directory: tempfile::TempDir,
    app: PathBuf,
    key: String,
}

impl Site {
    fn make(template: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let app = directory.path().join(template);
        run(directory.path(), &["new", template, "--template", template]);
        run(&app, &["migrate", "apply"]);
        if app.join("seed").is_dir() {
            run(&app, &["seed"]);
        }
        let key = key_in(&run(&app, &["key", "create"])).expect("`mainstay key create` prints a key");
        Self { _directory: directory, app, key }
    }

    fn copy(&self) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let app = directory.path().join("app");
        copy(&self.app, &app);
        Self { _directory: directory, app, key: self.key.clone() }
    }
}

/// `mainstay dev`, killed when dropped.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(app: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut process = Command::new(mainstay())
            .arg("dev")
            .current_dir(app)
            .env("MAINSTAY_SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Read on, so that a full pipe never stops the server; shown by the harness where the test fails.
        let log = BufReader::new(process.stderr.take().unwrap());
        std::thread::spawn(move || log.lines().map_while(Result::ok).for_each(|line| eprintln!("{line}")));
        let server = Self { process, address: format!("http://127.0.0.1:{port}") };
        let patience = Instant::now() + Duration::from_secs(30);
        while !server.is_ready() {
            assert!(Instant::now() < patience, "the server does not become ready");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn is_ready(&self) -> bool {
        let asked = Command::new("curl").args(["-sf", &format!("{}/readyz", self.address)]).output().unwrap();
        asked.status.success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(directory: &Path, arguments: &[&str]) -> String {
    let done = Command::new(mainstay()).args(arguments).current_dir(directory).output().unwrap();
    let told = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "mainstay {}: {told}", arguments.join(" "));
    told
}

fn key_in(text: &str) -> Option<String> {
    let key = &text[text.find("msk_")?..];
    let end = key.find(|letter: char| !letter.is_ascii_alphanumeric() && !"_-".contains(letter)).unwrap_or(key.len());
    Some(key[..end].to_owned())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn template(name: &str) -> PathBuf {
    root().join("templates").join(name)
}

/// The program, built into the directory above the one that test binaries are in.
fn mainstay() -> PathBuf {
    env::current_exe().unwrap().parent().unwrap().with_file_name("mainstay")
}
