//! No input makes the loader panic.

use proptest::prelude::*;

use super::load_files;
use crate::render;

const SETTINGS: &str = include_str!("../../../../templates/shop/mainstay.toml");
const RESOURCE: &str = r#"id = "integer"
timestamps = true
doc = "Größe"
[fields]
title  = { type = "string", required = true, unique = true, min = 1, max = 200, pattern = "^[a-zé]+$", case = "insensitive" }
price  = { type = "decimal", precision = 12, scale = 2, min = "0", default = "1.5" }
views  = { type = "integer", default = 0, write = "false", min = -5, max = 9 }
ratio  = { type = "float", min = 0.5, max = 1 }
status = { type = "enum", values = ["draft", "published"], default = "draft" }
author = { type = "reference", to = "things", default = "auth.id", on_delete = "set_null", inverse = "children" }
tags   = { type = "reference", to = "things", many = true, max_items = 5 }
labels = { type = "string", list = true, max_items = 20, default = ["a"] }
meta   = { type = "json", schema = { type = "object" }, max_size = "1KB" }
made   = { type = "datetime", default = "now" }
[access]
read = "record.title != ''"
create = """
new.title == "x" """
[validate]
"no" = 'new.views >= 0'
[indexes]
by_author = ["author", "-created_at"]
one = { fields = ["author", "title"], unique = true }
[events]
keep = "ids"
"#;

#[derive(Debug, Clone)]
enum Edit {
    Delete(usize, usize),
    Insert(usize, String),
    Swap(usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let piece = prop_oneof![
        Just("\"".to_owned()),
        Just("'''".to_owned()),
        Just("{ cel = \"auth.id\" }".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("}".to_owned()),
        Just("\n".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("\r\n".to_owned()),
        Just("\t".to_owned()),
        Just("\0".to_owned()),
        Just("= inf".to_owned()),
        Just("9223372036854775808".to_owned()),
        Just("-1".to_owned()),
        Just("😀é".to_owned()),
        Just("\\u0000".to_owned()),
        "\\PC{0,6}",
    ];
    prop_oneof![
        (any::<usize>(), 1..40_usize).prop_map(|(at, length)| Edit::Delete(at, length)),
        (any::<usize>(), piece).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        (any::<usize>(), any::<usize>()).prop_map(|(left, right)| Edit::Swap(left, right)),
    ]
}

fn mutate(text: &str, edits: &[Edit]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for edit in edits {
        let length = characters.len().max(1);
        match edit {
            Edit::Delete(at, count) => {
                let at = (at % length).min(characters.len());
                characters.drain(at..(at + count).min(characters.len()));
            }
            Edit::Insert(at, piece) => {
                let at = (at % length).min(characters.len());
                characters.splice(at..at, piece.chars());
            }
            Edit::Swap(left, right) if !characters.is_empty() => characters.swap(left % length, right % length),
            Edit::Swap(..) => {}
        }
    }
    characters.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_files_never_make_it_panic(edits in prop::collection::vec(edit(), 1..6), settings in any::<bool>()) {
        let mutated = mutate(if settings { SETTINGS } else { RESOURCE }, &edits);
        let (mainstay, resource) = if settings { (mutated.as_str(), RESOURCE) } else { (SETTINGS, mutated.as_str()) };
        let loaded = load_files(&[("mainstay.toml", mainstay), ("resources/things.toml", resource)]);
        let shown = render(&loaded.diagnostics, &loaded.sources, true);
        prop_assert_eq!(shown.is_empty(), loaded.diagnostics.is_empty());
        prop_assert_eq!(loaded.has_errors(), loaded.catalog.is_none() || loaded.settings.is_none());
    }
}

#[test]
fn the_resource_that_is_mutated_is_good() {
    let loaded = load_files(&[("mainstay.toml", SETTINGS), ("resources/things.toml", RESOURCE)]);
    assert!(!loaded.has_errors(), "{}", render(&loaded.diagnostics, &loaded.sources, false));
}
