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

#[test]
fn the_templates_are_good_apps() {
    for template in ["empty", "shop"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates").join(template);
        let loaded = load(&directory, &Environment::empty());
        assert!(!loaded.has_errors(), "{}", render(&loaded.diagnostics, &loaded.sources, false));
        assert!(loaded.settings.is_some() && loaded.schema.is_some());
    }
}

#[test]
fn broken() {
    let directory = app(&[
        (
            "mainstay.toml",
            "[server]\nlistn = \"x\"\nlisten = 8080\n[services]\ndatabase = \"postgres//a:secret@b/c\"\nmail='smtp://a:hunter2@c'\n[auth]\n",
        ),
        (
            "resources/posts.toml",
            "[fields]\ntitle = { type = \"strng\" }\nauthor={type=\"reference\", to=\"user\"}\n[indexes]\na=[\"titel\"]\n",
        ),
        ("resources/users.toml", "[fields]\ntitle = { type = \"string\", max = 10 min = 1 }\n"),
    ]);
    let loaded = load(directory.path(), &Environment::empty());
    println!("{}", render(&loaded.diagnostics, &loaded.sources, false));
}
