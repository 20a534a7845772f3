//! An app in which callers see different things, so that filters have guards.

use model::{Caller, Schema};
use rules::{
    Catalog, Rule, Visibility, compile_filter,
    testing::{self, POSTS},
};

/// Who sees which records.
const RECORDS: &[(&str, &str)] = &[
    ("people", "record.active || record.id == auth.id || record.boss == auth.id"),
    ("posts", "record.status == 'published' || record.author == auth.id || record.editor.active"),
    ("rooms", "record.owner == null || record.owner == auth.id || record.people.exists(p, p.active)"),
    ("tags", "record.word != 'a' || 'staff' in auth.roles"),
];

/// Who sees which fields of them.
const FIELDS: &[(&str, &str, &str)] = &[
    ("people", "age", "record.active"),
    ("people", "boss", "record.boss != auth.id"),
    ("people", "email", "record.id == auth.id"),
    ("people", "key", "'staff' in auth.roles"),
    ("people", "name", "record.room.owner == auth.id || record.age > 0"),
    ("posts", "editor", "record.views >= 0"),
    ("posts", "labels", "record.pinned"),
    ("posts", "meta", "record.author.active || record.stars > 0"),
    ("posts", "price", "record.author == auth.id || record.views > 1"),
    ("posts", "tags", "record.weight > 0.0 || record.pinned"),
];

/// The schema of the drawn worlds with these rules.
pub(crate) fn catalog() -> Catalog {
    let mut resources = testing::schema().resources().to_vec();
    for resource in &mut resources {
        let rule = RECORDS.iter().find(|(name, _)| *name == resource.name).map(|(_, rule)| (*rule).to_owned());
        resource.access.read = rule;
        for (name, field, rule) in FIELDS {
            if *name == resource.name {
                let index = resource.field(field).expect("a field of the schema");
                resource.fields[usize::from(index.0)].read = Some((*rule).to_owned());
            }
        }
    }
    Catalog::compile(Schema::new(resources)).expect("the rules have no mistake").0
}

/// What a caller's filter means: with the caller's own sight of the records themselves.
pub(crate) fn filter(catalog: &Catalog, text: &str, caller: &Caller) -> Option<Rule> {
    let visibility = Visibility::of(catalog, caller);
    let mut rule = compile_filter(catalog, POSTS, text, &visibility).ok()?;
    rule.condition = rules::Condition::All(vec![visibility.records(POSTS), rule.condition]);
    Some(rule)
}
