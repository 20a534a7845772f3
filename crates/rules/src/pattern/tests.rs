//! Patterns mean the same in Rust as they are written for PostgreSQL.

use proptest::prelude::*;

use super::common_pattern;

fn forms(source: &str) -> (String, String) {
    let pattern = common_pattern(source).unwrap();
    (pattern.pattern.regex.as_str().to_owned(), pattern.postgres.to_string())
}

#[test]
fn every_part_is_written_anew_for_both() {
    for (source, rust, postgres) in [
        ("^a.b$", r"^a[^\n]b$", r"^a[^\n]b$"),
        (r"\d+\.\d{2}", r"[0-9]+\x{2E}[0-9]{2}", r"[0-9]+\u002E[0-9]{2}"),
        (r"\W", "[^A-Za-z0-9_]", "[^A-Za-z0-9_]"),
        ("(a|b)*|c?", "(?:a|b)*|c?", "(?:a|b)*|c?"),
        ("[a-c_-]", r"[a-c\x{5F}\x{2D}]", r"[a-c\u005F\u002D]"),
        (r"[^\d\]]{2,}", r"[^0-9\x{5D}]{2,}", r"[^0-9\u005D]{2,}"),
        ("é😀", r"\x{E9}\x{1F600}", r"\u00E9\U0001F600"),
        ("a b}", r"a\x{20}b\x{7D}", r"a\u0020b\u007D"),
        ("", "", ""),
        ("a|", "a|", "a|"),
    ] {
        assert_eq!(forms(source), (rust.to_owned(), postgres.to_owned()), "{source}");
    }
}

#[test]
fn it_matches_anywhere_unless_anchored_and_by_ascii_classes() {
    let matches = |source: &str, text: &str| common_pattern(source).unwrap().pattern.regex.is_match(text);
    assert!(matches("b", "abc") && !matches("^b", "abc") && !matches("b$", "abc"));
    assert!(matches("^.$", "😀") && !matches("^.$", "\n"));
    assert!(!matches("a$", "a\n") && !matches("^b", "a\nb"), "anchors are the ends of the text");
    assert!(!matches(r"\w", "é") && !matches(r"\d", "٣") && !matches(r"\s", "\u{a0}"));
    assert!(matches(r"\s", "\u{b}") && matches(r"[^a]", "\n"));
    assert!(matches("", "") && matches("a{0}", "x"));
}

proptest! {
    #[test]
    fn no_pattern_makes_it_fall_over(source in ".*") {
        let _ = common_pattern(&source);
    }

    #[test]
    fn no_heap_of_parts_makes_it_fall_over(parts in prop::collection::vec(prop::sample::select(vec![
        "a", ".", "(", ")", "[", "]", "^", "$", "|", "*", "{2}", "{1,3}", "{", "\\", "d", "-", "?:", "?", ",", "}", "é",
    ]), 0..40)) {
        let _ = common_pattern(&parts.concat());
    }
}
