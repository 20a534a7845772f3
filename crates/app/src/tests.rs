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
    for template in ["empty", "shop"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates").join(template);
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
