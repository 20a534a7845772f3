//! What a client may ask, and what it must not learn.

use std::sync::Arc;

use model::{Caller, FieldIndex, Resource, Schema, Value, caller::Identity};

use super::{ShortOperator, Visibility, compile_filter, resolve_path, short_condition};
use crate::{
    Situation,
    expression::{Condition, Mistake, Node, Rule, Type},
    policy::{Catalog, Place},
    testing::{PEOPLE, POSTS, schema},
};

/// People are read by members; their keys are hidden, their scores secret, their e-mails their own.
fn guarded() -> Catalog {
    let mut resources: Vec<Resource> = schema().resources().to_vec();
    let field = |resource: &mut Resource, name: &str| -> FieldIndex { resource.field(name).unwrap() };
    let people = &mut resources[PEOPLE.0 as usize];
    people.access.read = Some("auth.id != null".to_owned());
    for (name, read) in
        [("score", Some("'staff' in auth.roles")), ("email", Some("record.id == auth.id")), ("key", None)]
    {
        let index = field(people, name);
        people.fields[index.0 as usize].read = read.map(str::to_owned);
        people.fields[index.0 as usize].hidden = read.is_none();
    }
    let posts = &mut resources[POSTS.0 as usize];
    posts.access.read = Some("true".to_owned());
    let editor = field(posts, "editor");
    posts.fields[editor.0 as usize].read = Some("'staff' in auth.roles".to_owned());
    Catalog::compile(Schema::new(resources)).unwrap().0
}

fn person(id: Option<u128>, roles: &[&str]) -> Caller {
    let identity = Identity {
        id: id.map_or(Value::Null, |id| Value::Uuid(uuid::Uuid::from_u128(id))),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        ..Identity::anonymous()
    };
    Caller {
        identity: Arc::new(identity),
        address: [127, 0, 0, 1].into(),
        method: "GET",
        now: 0,
        request_id: "r1".into(),
    }
}

fn filter(caller: &Caller, text: &str) -> Result<Rule, Vec<Mistake>> {
    let catalog = guarded();
    compile_filter(&catalog, POSTS, text, &Visibility::of(&catalog, caller))
}

#[test]
fn what_is_hidden_or_never_readable_is_an_unknown_name() {
    let ann = person(Some(1), &[]);
    for (text, hint) in [
        ("author.key != null", None),
        ("author.score > 1.0", None),
        ("editor == null", None),
        ("author.posts_by_editor.exists(p, true)", Some("`posts_by_author`")),
        ("author.scores > 1.0", None),
    ] {
        let mistakes = filter(&ann, text).unwrap_err();
        assert_eq!(mistakes.len(), 1, "{text}: {mistakes:?}");
        assert!(mistakes[0].message.contains("no field or relation") || mistakes[0].message.contains("unknown name"));
        let help = mistakes[0].help.clone().unwrap_or_default();
        assert!(hint.map_or(help.is_empty(), |hint| help.contains(hint)), "{text}: {help}");
    }
    let staff = person(Some(1), &["staff"]);
    assert!(filter(&staff, "author.score > 1.0 && editor == null && author.posts_by_editor.exists(p, true)").is_ok());
    assert!(filter(&staff, "author.key != null").is_err(), "hidden is hidden from everybody");
    assert!(filter(&person(None, &["admin"]), "author.key != null").is_err());
    assert!(filter(&person(None, &["admin"]), "author.score > 1.0").is_ok());
}

#[test]
fn unreadable_records_on_the_way_are_absent() {
    let rule = filter(&person(None, &[]), "author.name == 'x'").unwrap();
    let mut guards = 0;
    rule.condition.walk(&mut |part| {
        if let crate::Part::Anchor(anchor) = part {
            guards += anchor.steps.iter().filter(|step| step.guard.is_some()).count();
        }
    });
    assert_eq!(guards, 1);
    let rule = filter(&person(Some(1), &[]), "author.name == 'x'").unwrap();
    rule.condition.walk(&mut |part| {
        if let crate::Part::Anchor(anchor) = part {
            assert!(anchor.steps.iter().all(|step| step.guard.is_none()), "a member reads everybody");
        }
    });
    // Nobody reads tags: there is no rule.
    assert_eq!(
        filter(&person(Some(1), &[]), "tags.exists(t, t.word == 'x')").unwrap().condition,
        Condition::Constant(false)
    );
    assert!(filter(&person(Some(1), &[]), "'x' in tags").is_ok());
}

#[test]
fn a_field_seen_at_times_is_null_elsewhere() {
    let catalog = guarded();
    let ann = person(Some(1), &[]);
    let visibility = Visibility::of(&catalog, &ann);
    let expression = resolve_path(&catalog, POSTS, "author.email", &visibility).unwrap();
    assert!(matches!(expression.node, Node::Choice { .. }));
    assert_eq!(expression.r#type, Type::Text { fold_case: true });
}

#[test]
fn paths_are_fields_and_nothing_else() {
    let catalog = guarded();
    let admin = person(None, &["admin"]);
    let visibility = Visibility::of(&catalog, &admin);
    let path = |path: &str| resolve_path(&catalog, POSTS, path, &visibility);
    assert_eq!(path("author.room.id").unwrap().r#type, Type::Integer);
    assert_eq!(path("meta.ratio").unwrap().r#type, Type::Float);
    assert_eq!(path("tags").unwrap().r#type, Type::List(Box::new(Type::Text { fold_case: false })));
    for wrong in [
        "now",
        "author.nam",
        "1",
        "",
        "title == 'x'",
        "author.posts_by_author",
        "size(title)",
        "meta.inner",
        "'title'",
        "-title",
        "title.x",
    ] {
        assert!(path(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn short_filters_compare_with_inputs_of_the_fields_type() {
    let catalog = guarded();
    let admin = person(None, &["admin"]);
    let visibility = Visibility::of(&catalog, &admin);
    let short = |field: &str, operator, inputs: &[usize]| {
        short_condition(&catalog, POSTS, field, operator, inputs, &visibility)
    };
    let post = {
        let declared = catalog.schema.get(POSTS);
        let mut record = model::Record::empty(declared.fields.len());
        record.set(declared.field("title").unwrap(), Value::text("Ärger ÜBER Alles"));
        record.set(declared.field("views").unwrap(), Value::Integer(7));
        record.set(declared.field("labels").unwrap(), Value::List(vec![Value::text("a"), Value::text("B")]));
        record
    };
    let holds = |field: &str, operator, inputs: &[Value]| {
        let numbers: Vec<usize> = (0..inputs.len()).collect();
        let (condition, of) = short(field, operator, &numbers).unwrap();
        assert!(!matches!(of.r#type, Type::List(_)));
        Situation { record: Some(&post), inputs, ..Situation::blank(&catalog.schema) }.judge(&condition)
    };
    let text = |text: &str| [Value::text(text)];
    assert!(
        holds("title", ShortOperator::Contains, &text("über alles"))
            ^ holds("title", ShortOperator::Contains, &text("ÜBER alles"))
    );
    assert!(holds("title", ShortOperator::Contains, &text("RGER")));
    assert!(
        holds("labels", ShortOperator::Contains, &text("a")) && !holds("labels", ShortOperator::Contains, &text("b"))
    );
    assert!(holds("labels", ShortOperator::In, &[Value::text("x"), Value::text("B")]));
    assert!(holds("views", ShortOperator::In, &[Value::Integer(1), Value::Integer(7)]));
    assert!(holds("views", ShortOperator::GreaterOrEqual, &[Value::Integer(7)]));
    assert!(!holds("views", ShortOperator::NotEqual, &[Value::Integer(7)]));
    assert!(!holds("stars", ShortOperator::NotEqual, &[Value::Integer(7)]), "null is undefined");
    for (field, operator) in [
        ("views", ShortOperator::Contains),
        ("pinned", ShortOperator::Less),
        ("body", ShortOperator::Greater),
        ("labels", ShortOperator::Equal),
        ("meta", ShortOperator::Equal),
        ("nothing", ShortOperator::Equal),
    ] {
        assert!(short(field, operator, &[0]).is_err(), "{field}");
    }
    for (name, operator) in ShortOperator::ALL {
        assert_eq!(ShortOperator::from_name(name), Some(operator));
    }
}

#[test]
fn a_catalog_tells_where_each_mistake_is() {
    let mut resources: Vec<Resource> = schema().resources().to_vec();
    let posts = &mut resources[POSTS.0 as usize];
    posts.access.read = Some("record.nothing".to_owned());
    posts.access.create = Some("record.title == ''".to_owned());
    let title = posts.field("title").unwrap();
    posts.fields[title.0 as usize].write = Some("1".to_owned());
    posts.fields[title.0 as usize].default = Some(model::field::Default::Rule("2".to_owned()));
    posts.validate.push(model::resource::Validation { message: "m".to_owned(), rule: "(".to_owned() });
    let mistakes = Catalog::compile(Schema::new(resources)).unwrap_err();
    let places: Vec<_> = mistakes.iter().map(|placed| placed.place).collect();
    assert_eq!(
        places,
        [
            Place::Access("read"),
            Place::Access("create"),
            Place::FieldWrite(title),
            Place::FieldDefault(title),
            Place::Validation(0),
        ]
    );
}
