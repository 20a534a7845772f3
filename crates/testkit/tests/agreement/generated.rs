//! Rules drawn from the grammar, over worlds drawn from values that databases like to disagree about.

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use rules::{
    Rule, Scope,
    check::check_rule,
    testing::{self, POSTS, Style, rule_text, world_of},
};

use crate::{compare::Comparison, postgres_url, setting, world::World};

/// How many rules are drawn unless told otherwise.
const RULES: usize = 2_000;
/// How many worlds they are shared among.
const WORLDS: usize = 5;
/// How many records of each resource a world has; most are posts, which the rules are about.
const RECORDS: [usize; 4] = [4, 10, 3, 5];
/// How many numbers a world is drawn from.
const NUMBERS: usize = 800;

#[tokio::test]
async fn rules_drawn_from_the_grammar_have_one_meaning() {
    let rules = setting("MAINSTAY_AGREEMENT_RULES").and_then(|count| count.parse().ok()).unwrap_or(RULES);
    let seed = setting("MAINSTAY_AGREEMENT_SEED").and_then(|seed| seed.parse().ok()).unwrap_or(1_u64);
    let mut runner = runner(seed);
    let mut complaints = Vec::new();
    for number in 0..WORLDS {
        let world = draw(&mut runner, &world_of(proptest::strategy::Just(RECORDS), NUMBERS)).current();
        let world = World { schema: (*world.schema).clone(), records: world.records };
        let callers: Vec<_> = (0..3).map(|_| draw(&mut runner, &testing::caller()).current()).collect();
        let mut comparison = Comparison::new(&world, &callers, Some(&postgres_url())).await;
        let mut refused = 0;
        for _ in 0..rules / WORLDS {
            let text = draw(&mut runner, &rule_text(Style::Rule));
            match check(&world, &text.current()) {
                Some(rule) => complaints.extend(shrunk(&mut comparison, &world, &rule, text).await),
                None => refused += 1,
            }
            if complaints.len() == 10 {
                break;
            }
        }
        println!("world {number}: {:?}, {refused} texts refused by the checker", comparison.finish().await);
    }
    assert!(complaints.is_empty(), "seed {seed}\n{}", complaints.join("\n\n"));
}

/// The simplest disagreement that a text leads to, if it leads to one.
async fn shrunk(
    comparison: &mut Comparison<'_>,
    world: &World,
    rule: &Rule,
    mut text: impl ValueTree<Value = String>,
) -> Option<String> {
    let mut simplest = comparison.disagreement(POSTS, rule).await?;
    for _ in 0..400 {
        let simpler = match check(world, &text.current()) {
            Some(rule) => comparison.disagreement(POSTS, &rule).await,
            None => None,
        };
        let goes_on = match simpler {
            Some(disagreement) => {
                simplest = disagreement;
                text.simplify()
            }
            None => text.complicate(),
        };
        if !goes_on {
            break;
        }
    }
    Some(simplest)
}

fn check(world: &World, text: &str) -> Option<Rule> {
    check_rule(&world.schema, POSTS, Scope::Read, text).ok().map(|checked| checked.checked)
}

fn draw<S: Strategy>(runner: &mut TestRunner, strategy: &S) -> S::Tree {
    strategy.new_tree(runner).expect("strategies without filters always draw")
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}
