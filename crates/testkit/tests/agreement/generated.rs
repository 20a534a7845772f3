//! Rules and filters drawn from the grammar, over worlds drawn from values that databases like to disagree about.

mod visible;

use model::{Caller, Schema};
use proptest::{
    strategy::{Just, Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use rules::{
    Rule, Scope,
    check::check_rule,
    testing::{self, POSTS, Style, rule_text, world_of},
};

use crate::{compare::Comparison, postgres_url, setting, world::World};

/// How many rules are drawn unless told otherwise; of filters, which are longer by what callers may not see, a quarter.
const RULES: usize = 2_000;
/// How many worlds they are shared among.
const WORLDS: usize = 5;
/// How many records of each resource a world has; most are posts, which the rules are about.
const RECORDS: [usize; 4] = [4, 10, 3, 5];
/// How many numbers a world is drawn from.
const NUMBERS: usize = 800;
/// How many disagreements are enough to see what is wrong.
const ENOUGH: usize = 5;

#[tokio::test]
async fn rules_drawn_from_the_grammar_have_one_meaning() {
    let schema = testing::schema();
    let check = |text: &str, _: &Caller| {
        // Half of them speak of the record as it would be stored, too.
        let text = if text.len().is_multiple_of(2) { some_new(text) } else { text.to_owned() };
        check_rule(&schema, POSTS, Scope::Update, &text).ok().map(|rule| rule.checked)
    };
    compare_drawn(Style::Rule, count(), &schema, check).await;
}

#[tokio::test]
async fn filters_drawn_from_the_grammar_have_one_meaning_under_what_their_caller_sees() {
    let catalog = visible::catalog();
    let check = |text: &str, caller: &Caller| visible::filter(&catalog, text, caller);
    compare_drawn(Style::Filter, count() / 4, &catalog.schema, check).await;
}

/// A text with every other `record` as `new`.
fn some_new(text: &str) -> String {
    let mut parts = text.split("record.");
    let mut mixed = parts.next().unwrap_or_default().to_owned();
    for (part, root) in parts.zip(["new.", "record."].into_iter().cycle()) {
        mixed.push_str(root);
        mixed.push_str(part);
    }
    mixed
}

fn count() -> usize {
    setting("MAINSTAY_AGREEMENT_RULES").and_then(|count| count.parse().ok()).unwrap_or(RULES)
}

async fn compare_drawn(style: Style, rules: usize, schema: &Schema, check: impl Fn(&str, &Caller) -> Option<Rule>) {
    let seed = setting("MAINSTAY_AGREEMENT_SEED").and_then(|seed| seed.parse().ok()).unwrap_or(1_u64);
    let mut runner = runner(seed);
    let mut complaints = Vec::new();
    for number in 0..WORLDS {
        let drawn = draw(&mut runner, &world_of(Just(RECORDS), NUMBERS)).current();
        let world = World { schema: schema.clone(), records: drawn.records };
        let callers: Vec<_> = (0..3).map(|_| draw(&mut runner, &testing::caller()).current()).collect();
        let mut comparison = Comparison::new(&world, &callers, Some(&postgres_url())).await;
        for _ in 0..rules / WORLDS {
            let text = draw(&mut runner, &rule_text(style));
            if let Some(complaint) = simplest_disagreement(&mut comparison, &check, text).await {
                println!("{complaint}");
                complaints.push(complaint);
            }
            if complaints.len() == ENOUGH {
                break;
            }
        }
        println!("{style:?}, world {number}: {:?}", comparison.finish().await);
    }
    assert!(complaints.is_empty(), "seed {seed}\n{}", complaints.join("\n\n"));
}

/// The simplest disagreement that a text leads to, if it leads to one.
async fn simplest_disagreement(
    comparison: &mut Comparison<'_>,
    check: &impl Fn(&str, &Caller) -> Option<Rule>,
    mut text: impl ValueTree<Value = String>,
) -> Option<String> {
    let drawn = text.current();
    let mut simplest = comparison.disagreement(POSTS, |caller| check(&drawn, caller)).await?;
    let mut goes_on = text.simplify();
    for _ in 0..400 {
        if !goes_on {
            break;
        }
        let simpler = text.current();
        goes_on = match comparison.disagreement(POSTS, |caller| check(&simpler, caller)).await {
            Some(disagreement) => {
                simplest = disagreement;
                text.simplify()
            }
            None => text.complicate(),
        };
    }
    Some(simplest)
}

fn draw<S: Strategy>(runner: &mut TestRunner, strategy: &S) -> S::Tree {
    strategy.new_tree(runner).expect("strategies without filters always draw")
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}
