//! A client's filter means what it would mean in a world without what the client may not read.

use std::sync::Arc;

use model::{Caller, Record, Resource, ResourceIndex, Schema, Value};
use proptest::prelude::*;

use super::naive::Naive;
use crate::{
    Situation,
    filter::compile_filter,
    parse::parse,
    policy::Catalog,
    testing::{PEOPLE, POSTS, ROOMS, Style, TAGS, World, caller, rule_text, schema, world},
    visibility::{Sight, Visibility},
};

/// The schema with rules of every kind.
fn guarded() -> Catalog {
    let mut resources: Vec<Resource> = schema().resources().to_vec();
    let mut read = |resource: ResourceIndex, rule: &str| {
        resources[resource.0 as usize].access.read = Some(rule.to_owned());
    };
    read(PEOPLE, "record.active || record.id == auth.id || record.boss.active");
    read(POSTS, "record.status != 'gone' || 'staff' in auth.roles");
    read(ROOMS, "record.owner == auth.id || record.people.exists(p, p.name == 'a')");
    read(TAGS, "'a' in auth.roles || record.word != 'a'");
    let mut field = |resource: ResourceIndex, name: &str, rule: &str| {
        let resource = &mut resources[resource.0 as usize];
        let index = resource.field(name).unwrap();
        resource.fields[index.0 as usize].read = Some(rule.to_owned());
    };
    field(PEOPLE, "email", "record.id == auth.id");
    field(PEOPLE, "boss", "record.active");
    field(POSTS, "editor", "record.pinned || record.author == auth.id");
    field(POSTS, "tags", "record.views > 0");
    field(POSTS, "labels", "record.author.active");
    field(POSTS, "title", "'editor' in auth.roles || record.stars == null");
    Catalog::compile(Schema::new(resources)).unwrap().0
}

/// What is left of a world for a caller: records that it may not read are gone, fields that it may not see are null.
fn censored(catalog: &Catalog, world: &World, caller: &Caller) -> World {
    let visibility = Visibility::of(catalog, caller);
    let keep = |resource: ResourceIndex, record: &Record| {
        let situation = Situation {
            caller: Some(caller),
            record: Some(record),
            relations: world,
            ..Situation::blank(&world.schema)
        };
        if !situation.judge(&visibility.records(resource)) {
            return None;
        }
        let mut left = record.clone();
        for field in catalog.schema.get(resource).indices() {
            let seen = match visibility.field(resource, field) {
                Sight::Visible => true,
                Sight::Unknown => false,
                Sight::Conditional(condition) => situation.judge(&condition),
            };
            if !seen {
                left.set(field, Value::Null);
            }
        }
        Some(left)
    };
    let records = catalog
        .schema
        .indices()
        .map(|resource| world.of(resource).iter().filter_map(|record| keep(resource, record)).collect())
        .collect();
    World { schema: Arc::clone(&world.schema), records }
}

proptest! {
    #[test]
    fn filters_see_only_what_their_caller_may_read(
        world in world(), caller in caller(), text in rule_text(Style::Filter),
    ) {
        let catalog = guarded();
        let rule = compile_filter(&catalog, POSTS, &text, &Visibility::of(&catalog, &caller));
        let rule = match rule {
            Ok(rule) => rule,
            // A rule copied to many places may make a filter too large.
            Err(mistakes) if mistakes.iter().any(|mistake| mistake.message.contains("too complex")) => return Ok(()),
            Err(mistakes) => return Err(TestCaseError::fail(format!("{text}\n{mistakes:#?}"))),
        };
        let left = censored(&catalog, &world, &caller);
        let syntax = parse(&text).unwrap();
        for record in left.of(POSTS) {
            let stored = world.of(POSTS).iter().find(|stored| stored.id() == record.id());
            let situation = Situation {
                caller: Some(&caller),
                record: stored,
                relations: &world,
                ..Situation::blank(&world.schema)
            };
            let mut naive = Naive { world: &left, caller: &caller, record, filter: true, variables: Vec::new() };
            let expected = naive.truth(&syntax) == Some(true);
            prop_assert_eq!(situation.judge(&rule.condition), expected, "{}\n{:#?}", text, rule.condition);
        }
    }
}
