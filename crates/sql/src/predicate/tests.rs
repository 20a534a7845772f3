//! What is known beforehand leaves no text, and alternatives keep together.

use super::Predicate;

fn text(text: &str) -> Predicate {
    Predicate::Text(text.into())
}

#[test]
fn what_is_known_beforehand_leaves_no_text() {
    assert_eq!(Predicate::all([Predicate::Always, text("a"), Predicate::Always]), text("a"));
    assert_eq!(Predicate::all([text("a"), Predicate::Never]), Predicate::Never);
    assert_eq!(Predicate::all([]), Predicate::Always);
    assert_eq!(Predicate::any([Predicate::Never, text("a")]), text("a"));
    assert_eq!(Predicate::any([text("a"), Predicate::Always]), Predicate::Always);
    assert_eq!(Predicate::any([]), Predicate::Never);
}

#[test]
fn alternatives_keep_together_beside_and() {
    let either = Predicate::any([text("a"), Predicate::all([text("b"), text("c")])]);
    assert_eq!(either.to_string(), "(a OR b AND c)");
    assert_eq!(Predicate::all([either.clone(), text("d")]).to_string(), "(a OR b AND c) AND d");
    assert_eq!(Predicate::any([either, text("d")]).to_string(), "(a OR b AND c OR d)");
    let alone = Predicate::any([Predicate::Never, Predicate::any([text("a"), text("b")])]);
    assert_eq!(Predicate::all([alone, text("c")]).to_string(), "(a OR b) AND c");
    assert_eq!(Predicate::all([text("a")]).fails().to_string(), "(a) IS NOT TRUE");
}
