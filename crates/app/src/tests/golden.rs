//! Broken apps, and what is told of them. Each file under `golden/` holds the files of an app and, under `### told`, the
//! diagnostics. `BLESS=1 cargo nextest run -p app` writes them anew: read the difference before you commit it.

use std::{fs, path::Path};

use super::app;
use crate::{Environment, load, render};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/golden");

#[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests, no setting of the app")]
fn blessing() -> bool {
    std::env::var_os("BLESS").is_some()
}

#[test]
fn every_mistake_is_told_as_it_was() {
    let mut different = Vec::new();
    let mut paths: Vec<_> = fs::read_dir(DIRECTORY).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let (input, expected) = text.split_once("### told\n").unwrap_or((&text, ""));
        let told = tell(input, &path);
        if told != expected {
            if blessing() {
                fs::write(&path, format!("{input}### told\n{told}")).unwrap();
            }
            different.push(format!("{}:\n{told}", path.display()));
        }
    }
    assert!(different.is_empty() || blessing(), "{}", different.join("\n"));
}

fn tell(input: &str, path: &Path) -> String {
    let mut files = Vec::new();
    let mut environment = Vec::new();
    for part in input.split("### ").skip(1) {
        let (name, text) = part.split_once('\n').expect("a name and a text");
        match name {
            "environment" => environment.extend(text.lines().filter_map(|line| line.split_once('='))),
            _ => files.push((name, text)),
        }
    }
    let directory = app(&files);
    let loaded = load(directory.path(), &environment.into_iter().collect::<Environment>());
    let told = render(&loaded.diagnostics, &loaded.sources, false);
    assert!(!told.contains("hunter2"), "{}: a secret is told\n{told}", path.display());
    assert!(!format!("{loaded:?}").contains("hunter2"), "{}: a secret is in Debug", path.display());
    told
}
