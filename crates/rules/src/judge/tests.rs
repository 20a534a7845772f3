//! Rules mean what a naive interpreter of the language says, whatever the records and the caller.

mod naive;
mod sight;

use model::Caller;
use proptest::prelude::*;

use self::naive::Naive;
use crate::{
    Situation,
    check::{Scope, check_rule},
    expression::Rule,
    filter::compile_filter,
    parse::parse,
    policy::Catalog,
    testing::{POSTS, Style, World, caller, rule_text, schema, world},
    visibility::Visibility,
};

/// Judges every post of a world by a rule, by the rule made for its caller, and by the naive interpreter.
fn agree(world: &World, caller: &Caller, rule: &Rule, filter: bool) -> Result<(), TestCaseError> {
    let syntax = parse(&rule.text).unwrap();
    let tests = rule.test_bits(caller);
    let specialized = rule.condition.specialize(tests);
    for record in world.of(POSTS) {
        let situation = Situation {
            caller: Some(caller),
            record: Some(record),
            tests,
            relations: world,
            ..Situation::blank(&world.schema)
        };
        let mut naive = Naive { world, caller, record, filter, variables: Vec::new() };
        let expected = naive.truth(&syntax) == Some(true);
        prop_assert_eq!(situation.judge(&rule.condition), expected, "{}\n{:#?}", rule.text, rule);
        prop_assert_eq!(situation.judge(&specialized), expected, "specialized: {}\n{:#?}", rule.text, specialized);
    }
    Ok(())
}

proptest! {
    #[test]
    fn rules_mean_what_the_naive_interpreter_says(world in world(), caller in caller(), text in rule_text(Style::Rule)) {
        for text in [format!("!({text})"), text] {
            match check_rule(&world.schema, POSTS, Scope::Read, &text) {
                Ok(checked) => agree(&world, &caller, &checked.checked, false)?,
                Err(mistakes) => prop_assert!(false, "{text}\n{mistakes:#?}"),
            }
        }
    }

    #[test]
    fn filters_of_an_administrator_mean_what_the_naive_interpreter_says(
        world in world(), mut caller in caller(), text in rule_text(Style::Filter),
    ) {
        std::sync::Arc::make_mut(&mut caller.identity).roles = vec!["admin".to_owned()];
        let (catalog, _) = Catalog::compile(schema()).unwrap();
        match compile_filter(&catalog, POSTS, &text, &Visibility::of(&catalog, &caller)) {
            Ok(rule) => agree(&world, &caller, &rule, true)?,
            Err(mistakes) => prop_assert!(false, "{text}\n{mistakes:#?}"),
        }
    }
}
