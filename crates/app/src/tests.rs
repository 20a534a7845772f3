//! Broken apps and what is said of them.

mod drift;
mod golden;
mod mutation;

use std::{fs, path::Path};

use super::*;

/// An app in a temporary directory.
fn app(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

/// Loads an app of these files with an empty environment.
fn load_files(files: &[(&str, &str)]) -> Loaded {
    load(app(files).path(), &Environment::empty())
}

#[test]
fn the_templates_are_good_apps() {
    for template in ["templates/accounts", "templates/blog", "templates/empty", "templates/shop", "benches/app"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(template);
        let loaded = load(&directory, &Environment::empty());
        assert!(!loaded.has_errors(), "{}", render(&loaded.diagnostics, &loaded.sources, false));
        assert!(loaded.settings.is_some() && loaded.catalog.is_some());
    }
}

#[test]
fn no_app_is_told_from_an_empty_one() {
    let nothing = tempfile::tempdir().unwrap();
    assert!(load(nothing.path(), &Environment::empty()).has_errors());
    assert!(load(&nothing.path().join("nowhere"), &Environment::empty()).has_errors());
    let empty = load_files(&[("mainstay.toml", "")]);
    assert!(!empty.has_errors());
    assert_eq!(empty.diagnostics.len(), 1, "a warning that there are no resources");
}

#[test]
fn programs_read_diagnostics_as_json() {
    let loaded = load_files(&[("resources/things.toml", "doc = \"é\"\nfields = { \"é\" = { type = \"strng\" } }\n")]);
    let errors: Vec<_> = loaded.diagnostics.iter().map(Diagnostic::to_json).collect();
    let expected = serde_json::json!({
        "severity": "error",
        "file": "resources/things.toml",
        "line": 2,
        "column": 27,
        "end_line": 2,
        "end_column": 34,
        "message": "unknown type `strng`",
        "help": "did you mean `string`?",
    });
    assert_eq!(errors[1], expected, "columns count characters");
}

#[test]
fn a_file_under_a_wrong_name_is_read_under_the_right_one() {
    let loaded = load_files(&[
        ("resources/Users.toml", "[fields]\nname = { type = \"strng\" }"),
        ("resources/posts.toml", "[fields]\nauthor = { type = \"reference\", to = \"users\" }"),
    ]);
    let files: Vec<&str> = loaded.diagnostics.iter().map(|diagnostic| diagnostic.file.as_str()).collect();
    assert_eq!(files, ["resources/Users.toml", "resources/Users.toml"], "the reference to it is no mistake");
}
