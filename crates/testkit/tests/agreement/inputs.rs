//! Short-form filters (`?price[gte]=10`), whose values come beside the text.

use model::Schema;
use rules::{Catalog, Rule, ShortOperator, Visibility, parse_input, short_condition};

use crate::{
    compare::Comparison,
    edges::{callers, records, schema::schema},
    postgres_url,
    world::World,
};

/// What people write as values.
const TEXTS: [&str; 12] = [
    "0",
    "-1",
    "3",
    "9.5",
    "5e-324",
    "true",
    "Zebra",
    "red",
    "2020-01-01",
    "2023-11-14T22:13:20Z",
    "1970-01-01",
    "00000000-0000-0000-0000-00000000007f",
];

#[tokio::test]
async fn every_field_compares_with_inputs_alike() {
    let world = records::fill(World { schema: schema(), records: Vec::new() });
    let catalog = Catalog::compile(Schema::new(world.schema.resources().to_vec())).expect("no rule, no mistake").0;
    let mut callers = callers(&world);
    // Who sees all fields.
    let admin = model::caller::Identity { roles: vec!["admin".into()], ..(*callers[1].identity).clone() };
    callers[1].identity = admin.into();
    let callers = &callers[1..2];
    let visibility = Visibility::of(&catalog, &callers[0]);
    let mut comparison = Comparison::new(&world, callers, Some(&postgres_url())).await;
    let mut complaints = Vec::new();
    let posts = world.schema.find("posts").expect("the world has posts");
    let own = world.schema.get(posts).fields.iter().map(|field| field.name.as_str());
    for field in own.chain(["author.email", "author.team.budget", "meta.count", "meta.ratio", "meta.text"]) {
        for (name, operator) in ShortOperator::ALL {
            let Ok((condition, input)) = short_condition(&catalog, posts, field, operator, &[0, 1], &visibility) else {
                continue;
            };
            let values: Vec<_> = TEXTS.iter().filter_map(|text| parse_input(&input.r#type, text)).collect();
            for pair in values.windows(2) {
                comparison.inputs = pair.to_vec();
                let text = format!("{field}[{name}]={pair:?}");
                let rule = Rule { text: text.into(), tests: Vec::new(), condition: condition.clone() };
                complaints.extend(comparison.disagreement(posts, |_| Some(rule.clone())).await);
            }
        }
    }
    println!("{:?}", comparison.finish().await);
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}
