//! What is read, what is refused, and that nothing makes the parser fall over.

use proptest::prelude::*;

use super::{MAX_DEPTH, parse};
use crate::syntax::{Syntax, SyntaxKind};

/// The tree in Polish notation, short enough for a test.
fn shape(syntax: &Syntax) -> String {
    let several =
        |name: &str, parts: &[Syntax]| format!("({name} {})", parts.iter().map(shape).collect::<Vec<_>>().join(" "));
    match &syntax.kind {
        SyntaxKind::Null => "null".to_owned(),
        SyntaxKind::Boolean(truth) => truth.to_string(),
        SyntaxKind::Integer(integer) => integer.to_string(),
        SyntaxKind::Float(written) => format!("{written}f"),
        SyntaxKind::Text(text) => format!("{text:?}"),
        SyntaxKind::List(items) => several("list", items),
        SyntaxKind::Name(name) => name.clone(),
        SyntaxKind::Select { base, name, .. } => format!("{}.{name}", shape(base)),
        SyntaxKind::Call { target, name, arguments, .. } => {
            let target = target.as_ref().map(|target| shape(target) + ".").unwrap_or_default();
            several(&format!("{target}{name}"), arguments)
        }
        SyntaxKind::Not(inner) => format!("(! {})", shape(inner)),
        SyntaxKind::Negate(inner) => format!("(- {})", shape(inner)),
        SyntaxKind::All(parts) => several("&&", parts),
        SyntaxKind::Any(parts) => several("||", parts),
        SyntaxKind::Binary { operator, left, right } => {
            format!("({operator:?} {} {})", shape(left), shape(right))
        }
        SyntaxKind::Ternary { condition, then, otherwise } => {
            format!("(? {} {} {})", shape(condition), shape(then), shape(otherwise))
        }
    }
}

fn read(text: &str) -> String {
    shape(&parse(text).unwrap())
}

fn refused(text: &str) -> String {
    let mistake = parse(text).unwrap_err();
    assert!(text.get(mistake.span.clone()).is_some(), "the place is in the text");
    mistake.message
}

#[test]
fn operators_bind_as_in_cel() {
    assert_eq!(read("a || b && c || d"), "(|| a (&& b c) d)");
    assert_eq!(read("!a && -b < c"), "(&& (! a) (Compare(Less) (- b) c))");
    assert_eq!(read("1 + 2 * 3 - 4"), "(Arithmetic(Subtract) (Arithmetic(Add) 1 (Arithmetic(Multiply) 2 3)) 4)");
    assert_eq!(read("a ? b : c ? d : e"), "(? a b (? c d e))");
    assert_eq!(read("'x' in a.b && c"), "(&& (In \"x\" a.b) c)");
    assert_eq!(read("(a || b) && c"), "(&& (|| a b) c)");
    assert_eq!(read("a.b.exists(x, x.c > 1).d"), "(a.b.exists x (Compare(Greater) x.c 1)).d");
}

#[test]
fn every_literal_form_is_read() {
    assert_eq!(
        read("[1, 0x1F, -9223372036854775808, 1.5, .5, 2e3, -1.5e-3,]"),
        "(list 1 31 -9223372036854775808 1.5f .5f 2e3f -1.5e-3f)"
    );
    assert_eq!(read("[true, false, null]"), "(list true false null)");
    assert_eq!(
        read(
            r#"["a", 'b"', """c"d
e""", '''f''', r"\d", R'\\']"#
        ),
        r#"(list "a" "b\"" "c\"d\ne" "f" "\\d" "\\\\")"#
    );
    assert_eq!(read(r#""\n\t\\\"\x41\u00e9\U0001F600\101""#), format!("{:?}", "\n\t\\\"A\u{e9}\u{1F600}A"));
    assert_eq!(read("a // the rest is a comment\n && b"), "(&& a b)");
}

#[test]
fn what_is_no_cel_of_ours_is_refused_with_a_reason() {
    for (text, reason) in [
        ("", "a value expected, found the end"),
        ("a b", "an operator or the end expected, found `b`"),
        ("a = b", "an operator expected, found `=`"),
        ("a & b", "unexpected character '&'"),
        ("1u", "unsigned numbers aren't supported"),
        ("b'x'", "bytes aren't supported"),
        ("{'a': 1}", "maps aren't supported"),
        ("a[0]", "indexing isn't supported"),
        ("'abc", "the string is never closed: ' expected"),
        ("9223372036854775808", "the number doesn't fit into 64 bits"),
        ("99999999999999999999", "the number doesn't fit into 64 bits"),
        ("12abc", "a number can't be followed by letters"),
        (r"'\q'", "unknown escape"),
        (r"'\ud800'", "4 digits of a Unicode code point expected"),
        (r"'\x00'", "a string can't contain NUL"),
        ("f(a", "`)` expected, found the end"),
        ("a ? b", "`:` expected, found the end"),
        ("a.1", "an operator or the end expected, found a number"),
    ] {
        assert_eq!(refused(text), reason, "{text}");
    }
}

#[test]
fn bounds_hold() {
    assert!(refused(&"a".repeat(4097)).contains("4097 characters"));
    assert!(parse(&format!("'{}'", "é".repeat(4094))).is_ok());
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(MAX_DEPTH - 1)).is_ok());
    assert!(refused(&nested(MAX_DEPTH)).contains("deeper"));
    assert!(refused(&"!".repeat(4000)).contains("deeper"));
    assert!(refused(&"[".repeat(4000)).contains("deeper"));
    assert!(refused(&format!("a{}", ".b".repeat(MAX_DEPTH))).contains("deeper"));
    assert!(parse(&format!("a{}", ".b".repeat(MAX_DEPTH - 1))).is_ok());
    assert!(refused(&format!("a{}", "+b".repeat(100))).contains("deeper"));
    assert!(parse(&format!("a{}", "&&b".repeat(256))).is_ok());
    assert!(refused(&format!("a{}", "&&b".repeat(257))).contains("operations"));
}

proptest! {
    #[test]
    fn no_text_makes_it_fall_over(text in ".*") {
        let _ = parse(&text);
    }

    #[test]
    fn no_heap_of_tokens_makes_it_fall_over(tokens in prop::collection::vec(prop::sample::select(vec![
        "a", "1", "1.5", "'x'", "null", "in", "(", ")", "[", "]", ".", ",", "?", ":", "!", "-", "+", "*", "==", "<", "&&", "||", "exists", "r'", "\\", "\"", "0x",
    ]), 0..200), gap in "[ ]?") {
        if let Err(mistake) = parse(&tokens.join(&gap)) {
            let text = tokens.join(&gap);
            prop_assert!(text.get(mistake.span.clone()).is_some());
        }
    }
}
