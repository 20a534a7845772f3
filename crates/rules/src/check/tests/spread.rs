//! What rules become: tests pulled out, constants folded, `!` gone.

use super::super::{Scope, check_rule};
use crate::{
    expression::{Comparison, Condition, Rule},
    testing::{POSTS, schema},
};

fn rule(text: &str) -> Rule {
    check_rule(&schema(), POSTS, Scope::Read, text).unwrap().checked
}

#[test]
fn conditions_over_the_caller_become_tests() {
    let checked = rule("record.pinned || 'staff' in auth.roles || auth.email == 'a@x.org'");
    assert_eq!(checked.tests.len(), 1, "both together are one");
    let Condition::Any(parts) = &checked.condition else { panic!("{checked:#?}") };
    assert_eq!(parts[0], Condition::Test(0));
    assert_eq!(checked.condition.specialize(1), Condition::Constant(true));
    assert!(matches!(checked.condition.specialize(0), Condition::Truth(_, true)));
    assert!(checked.condition.fields_used().len() == 1 && !checked.condition.uses_relations());

    assert!(rule("record.author == auth.id").tests.is_empty());
    assert_eq!(rule("record.tags.exists(t, t == 'a' && auth.id != null)").tests.len(), 1);
    assert_eq!(rule("auth.roles.exists(r, r == 'a') && record.pinned").tests.len(), 1);
    assert!(rule("auth.roles.exists(r, r == record.title)").tests.is_empty());
    assert_eq!(rule("(auth.id == null && record.pinned) || (auth.id == null && record.views > 1)").tests.len(), 1);
}

#[test]
fn more_tests_than_bits_stay_where_they_are() {
    let parts: Vec<_> = (0..70).map(|number| format!("(auth.claims.c{number} && record.views == {number})")).collect();
    let checked = rule(&parts.join(" || "));
    assert_eq!(checked.tests.len(), 64);
}

#[test]
fn constants_are_folded_away() {
    assert_eq!(rule("true").condition, Condition::Constant(true));
    assert_eq!(rule("1 + 1 == 2 && 'a'.startsWith('a') && size('é') == 1").condition, Condition::Constant(true));
    assert_eq!(rule("record.pinned && false").condition, Condition::Constant(false));
    assert_eq!(rule("record.views in []").condition, Condition::Constant(false));
    assert_eq!(rule("1 / 0 == 1 || false").condition, Condition::Constant(false));
    assert!(matches!(rule("true ? record.pinned : false").condition, Condition::Truth(_, true)));
}

#[test]
fn negation_is_pushed_to_the_leaves() {
    let Condition::Any(parts) = rule("!(record.views < 1 && !record.pinned)").condition else { panic!() };
    assert!(matches!(parts[0], Condition::Compare { operator: Comparison::GreaterOrEqual, .. }));
    assert!(matches!(parts[1], Condition::Truth(_, true)));
}
