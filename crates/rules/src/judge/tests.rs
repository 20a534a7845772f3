//! Generated rules check, and mean what a naive interpreter of the language says.

use proptest::prelude::*;

use crate::{
    check::{Scope, check_rule},
    testing::{POSTS, Style, rule_text, schema},
};

proptest! {
    #[test]
    fn generated_rules_are_well_typed(text in rule_text(Style::Rule)) {
        if let Err(mistakes) = check_rule(&schema(), POSTS, Scope::Read, &text) {
            prop_assert!(false, "{text}\n{mistakes:#?}");
        }
    }
}
