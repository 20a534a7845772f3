//! The rules of the house, held against the house.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// What each room may name. `testkit` may name all.
const ARROWS: &[(&str, &[&str])] = &[
    ("accounts", &["auth", "engine", "mail", "model", "oauth", "outgoing", "passkey", "rules", "store", "web"]),
    ("admin", &["auth", "model", "store", "web"]),
    ("alerts", &["mail", "model", "outgoing", "store"]),
    ("app", &["model", "rules"]),
    ("auth", &["engine", "model", "rules", "store"]),
    ("engine", &["model", "rules", "store"]),
    ("live", &["engine", "model", "rules", "store", "web"]),
    ("mail", &[]),
    ("model", &[]),
    ("oauth", &["outgoing"]),
    ("outgoing", &[]),
    ("openapi", &["engine", "model", "rules", "web"]),
    ("passkey", &[]),
    ("rest", &["engine", "model", "rules", "web"]),
    ("rules", &["model"]),
    (
        "server",
        &[
            "accounts",
            "admin",
            "alerts",
            "app",
            "auth",
            "engine",
            "live",
            "mail",
            "model",
            "openapi",
            "outgoing",
            "rest",
            "rules",
            "store",
            "store-postgres",
            "store-sqlite",
            "web",
        ],
    ),
    ("sql", &["model", "rules"]),
    ("store", &["model", "rules"]),
    ("store-postgres", &["model", "rules", "sql", "store"]),
    ("store-sqlite", &["model", "rules", "sql", "store"]),
    ("web", &["auth", "engine", "model", "rules"]),
];

/// Dependencies that only some rooms may have.
const FENCED: &[(&str, &[&str])] = &[
    ("annotate-snippets", &["app"]),
    ("clap", &["server"]),
    ("hyper", &["server", "web"]),
    ("lettre", &["mail"]),
    ("minijinja", &["mail"]),
    ("reqwest", &["outgoing"]),
    ("rusqlite", &["server", "store-sqlite"]),
    ("tokio-postgres", &["server", "store-postgres"]),
    ("toml_edit", &["app"]),
    ("totp-rs", &["auth"]),
    ("webauthn-rs", &["passkey"]),
];

#[test]
fn every_arrow_points_the_way_of_the_plan() {
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let rooms = rooms();
    for (room, needs) in &rooms {
        if room == "testkit" {
            continue;
        }
        let may = allowed.get(room.as_str()).unwrap_or_else(|| panic!("the room {room} is not in the plan"));
        for need in needs.iter().filter(|need| rooms.contains_key(*need)) {
            assert!(may.contains(&need.as_str()), "{room} must not name {need}");
        }
    }
    for (room, _) in ARROWS {
        assert!(rooms.contains_key(*room), "the plan has a room {room} that does not exist");
    }
}

#[test]
fn heavy_dependencies_stay_behind_their_fences() {
    for (room, needs) in rooms() {
        for (dependency, may) in FENCED {
            let fenced = needs.contains(*dependency) && room != "testkit" && !may.contains(&room.as_str());
            assert!(!fenced, "{room} must not depend on {dependency}");
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for file in files(&root().join("crates"), "rs") {
        let text = std::fs::read_to_string(&file).expect("a source file");
        assert!(text.starts_with("//!"), "{} does not begin with `//!`", file.display());
    }
}

#[test]
fn every_room_is_on_the_architecture_page() {
    let page = std::fs::read_to_string(root().join("docs/src/architecture.md")).expect("the page");
    for room in rooms().keys() {
        assert!(page.contains(&format!("`{room}`")), "docs/src/architecture.md says nothing of {room}");
    }
}

#[test]
fn every_dependency_has_a_reason() {
    let page = std::fs::read_to_string(root().join("docs/dependencies.md")).expect("the page");
    let rooms = rooms();
    let used: BTreeSet<&String> = rooms.values().flatten().filter(|need| !rooms.contains_key(*need)).collect();
    let missing: Vec<_> = used.into_iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/dependencies.md does not say why: {missing:?}");
}

/// Each room with what its `[dependencies]` name.
fn rooms() -> BTreeMap<String, BTreeSet<String>> {
    let mut rooms = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("crates")).expect("the rooms") {
        let folder = entry.expect("a room").path();
        let Ok(manifest) = std::fs::read_to_string(folder.join("Cargo.toml")) else { continue };
        let section = manifest.split("\n[dependencies]\n").nth(1).unwrap_or("");
        let section = section.split("\n[").next().unwrap_or("");
        let needs = section
            .lines()
            .filter_map(|line| line.split(['.', ' ', '=']).next())
            .filter(|name| !name.is_empty() && !name.starts_with('#'))
            .map(str::to_owned)
            .collect();
        rooms.insert(folder.file_name().expect("a name").to_string_lossy().into_owned(), needs);
    }
    rooms
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|known| known == extension) {
            found.push(path);
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
