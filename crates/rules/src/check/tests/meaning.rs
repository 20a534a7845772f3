//! What rules mean: null and undefined, values, names of relations.

use std::sync::Arc;

use model::{Caller, Decimal, Record, Value, caller::Identity, time};

use super::super::{Scope, check_rule};
use crate::{
    Situation,
    testing::{PEOPLE, POSTS, ROOMS, TAGS, World, schema},
};

/// Ann wrote a post about "É" for 9.50; Bob, her boss, edits it. Room 1 is Ann's, and Bob sits in it. The author of the second
/// post is Bob, and most of it is null.
struct Story {
    world: World,
    caller: Caller,
}

impl Story {
    fn new() -> Self {
        let schema = Arc::new(schema());
        let person = |number: u128| Value::Uuid(uuid::Uuid::from_u128(number));
        let moment = |text| Value::DateTime(time::parse_datetime(text).unwrap());
        let record = |resource, values: Vec<(&str, Value)>| {
            let declared = schema.get(resource);
            let mut record = Record::empty(declared.fields.len());
            for (name, value) in values {
                record.set(declared.field(name).unwrap(), value);
            }
            record
        };
        let people = vec![
            record(
                PEOPLE,
                vec![
                    ("id", person(1)),
                    ("name", Value::text("Ann")),
                    ("nick", Value::text("Annie")),
                    ("email", Value::text("Ann@x.org")),
                    ("active", Value::Boolean(true)),
                    ("boss", person(2)),
                ],
            ),
            record(
                PEOPLE,
                vec![
                    ("id", person(2)),
                    ("name", Value::text("Bob")),
                    ("active", Value::Boolean(false)),
                    ("room", Value::Integer(1)),
                ],
            ),
        ];
        let meta = r#"{"count":2,"flag":true,"inner":{"deep":"x"},"name":"É","ratio":1.5}"#;
        let posts = vec![
            record(
                POSTS,
                vec![
                    ("id", person(11)),
                    ("title", Value::text("É 😀")),
                    ("body", Value::text("")),
                    ("status", Value::text("draft")),
                    ("price", Value::Decimal(Decimal::new(950, 2))),
                    ("rate", Value::Decimal(Decimal::new(1250, 3))),
                    ("views", Value::Integer(7)),
                    ("stars", Value::Integer(i64::MAX)),
                    ("weight", Value::Float(1.5)),
                    ("pinned", Value::Boolean(true)),
                    ("author", person(1)),
                    ("editor", person(2)),
                    ("tags", Value::List(vec![Value::text("t1"), Value::text("t2")])),
                    ("labels", Value::List(vec![Value::text("new"), Value::text("hot")])),
                    ("numbers", Value::List(Vec::new())),
                    ("meta", Value::Json(meta.into())),
                    ("at", moment("2024-02-29T12:00:00Z")),
                    ("day", Value::Date(time::parse_date("2024-02-29").unwrap())),
                    ("created_at", moment("2024-02-01T00:00:00Z")),
                ],
            ),
            record(
                POSTS,
                vec![
                    ("id", person(12)),
                    ("title", Value::text("b")),
                    ("status", Value::text("gone")),
                    ("views", Value::Integer(-7)),
                    ("author", person(2)),
                    ("tags", Value::List(Vec::new())),
                ],
            ),
        ];
        let rooms = vec![record(ROOMS, vec![("id", Value::Integer(1)), ("owner", person(1))])];
        let tags = ["t1", "t2"]
            .into_iter()
            .map(|id| record(TAGS, vec![("id", Value::text(id)), ("word", Value::text(id.to_uppercase()))]))
            .collect();
        let identity = Identity {
            id: person(1),
            email: Some("ann@x.org".to_owned()),
            roles: vec!["editor".to_owned()],
            claims: Some(r#"{"level":7,"team":{"name":"b"},"until":"2024-02-29T12:00:00Z","n":"7"}"#.to_owned()),
            actor: Some("ann".to_owned()),
            ..Identity::anonymous()
        };
        let caller = Caller {
            identity: Arc::new(identity),
            address: [127, 0, 0, 1].into(),
            method: "PATCH",
            now: time::parse_datetime("2024-03-01T00:00:00Z").unwrap(),
            request_id: "r1".into(),
        };
        Self { world: World { schema, records: vec![people, posts, rooms, tags] }, caller }
    }

    fn judge(&self, caller: &Caller, record: Option<usize>, new: Option<usize>, scope: Scope, text: &str) -> bool {
        let rule = match check_rule(&self.world.schema, POSTS, scope, text) {
            Ok(checked) => checked.checked,
            Err(mistakes) => panic!("{text}: {mistakes:#?}"),
        };
        let situation = Situation {
            schema: &self.world.schema,
            caller: Some(caller),
            record: record.map(|position| &self.world.of(POSTS)[position]),
            new: new.map(|position| &self.world.of(POSTS)[position]),
            tests: rule.test_bits(caller),
            inputs: &[],
            relations: &self.world,
        };
        situation.judge(&rule.condition)
    }

    /// Whether a read rule holds of the first post for Ann.
    fn holds(&self, text: &str) -> bool {
        self.judge(&self.caller, Some(0), None, Scope::Read, text)
    }

    /// Whether a read rule holds of the second post for Ann.
    fn holds_of_second(&self, text: &str) -> bool {
        self.judge(&self.caller, Some(1), None, Scope::Read, text)
    }

    fn stranger(&self) -> Caller {
        Caller { identity: Arc::new(Identity::anonymous()), ..self.caller.clone() }
    }
}

fn true_of_first(texts: &[&str]) {
    let story = Story::new();
    for text in texts {
        assert!(story.holds(text), "{text}");
        assert!(!story.holds(&format!("!({text})")), "!({text})");
    }
}

fn undefined_of_second(texts: &[&str]) {
    let story = Story::new();
    for text in texts {
        assert!(!story.holds_of_second(text), "{text}");
        assert!(!story.holds_of_second(&format!("!({text})")), "!({text})");
        assert!(story.holds_of_second(&format!("(({text})) == null")), "({text}) == null");
    }
}

#[test]
fn the_rules_of_the_contract_mean_what_they_say() {
    true_of_first(&[
        "record.status == 'published' || record.author == auth.id",
        "record.author == auth.id || 'editor' in auth.roles",
        "'staff' in auth.roles || 'editor' in auth.roles",
        "record.author.name == 'Ann'",
        "record.author.boss.name == 'Bob'",
        "record.author.rooms.exists(r, r.people.exists(m, m.boss == auth.id || m.name == 'Bob'))",
        "request.method == 'PATCH' && request.ip == '127.0.0.1'",
        "auth.email == record.author.email",
        "now > record.created_at",
    ]);
}

#[test]
fn a_comparison_with_null_asks_whether_a_value_is_there() {
    true_of_first(&[
        "auth.id != null",
        "null != auth.id",
        "record.author != null",
        "record.author.room == null",
        "record.author.room.owner.boss == null",
        "record.author.room.owner.name == null",
        "(1 / 0) == null",
        "null == null",
        "record.meta != null && record.meta.inner.deep != null",
        "record.numbers != null",
        "auth.claims.missing == null && auth.claims.level != null",
        "has(record.author) && !has(record.author.room)",
        "(record.stars + 1) == null",
    ]);
    let story = Story::new();
    let stranger = story.stranger();
    assert!(story.judge(&stranger, Some(0), None, Scope::Read, "auth.id == null"));
    assert!(!story.judge(&stranger, Some(0), None, Scope::Read, "auth.id != null"));
}

#[test]
fn any_other_operation_on_null_is_undefined() {
    undefined_of_second(&[
        "record.editor == record.author",
        "record.editor != record.author",
        "record.stars < 1",
        "record.stars == record.stars",
        "record.body == ''",
        "record.body.startsWith('')",
        "record.body.matches('.')",
        "record.stars in [1, 2]",
        "'x' in record.labels",
        "record.labels.exists(l, true)",
        "record.labels.all(l, true)",
        "record.editor.rooms.all(r, true)",
        "size(record.labels) == 0",
        "record.pinned",
        "record.meta.flag",
        "record.stars + 1 > 0",
        "-record.stars < 0",
        "record.editor.name.lowerAscii() == ''",
    ]);
}

#[test]
fn a_stranger_never_owns_an_ownerless_record() {
    let story = Story::new();
    for text in ["record.editor == auth.id", "record.editor != auth.id", "!(record.editor == auth.id)"] {
        assert!(!story.judge(&story.stranger(), Some(1), None, Scope::Read, text), "{text}");
    }
}

#[test]
fn division_by_zero_overflow_and_failed_conversions_are_undefined() {
    undefined_of_second(&[
        "record.views / 0 == 1",
        "record.views % 0 == 1",
        "9223372036854775807 + record.views * -1 > 0",
        "-9223372036854775807 + record.views < 0",
        "1e308 * 10.0 > 1.0",
        "1.0 / 0.0 > 1.0",
        "timestamp(auth.claims.level) < now",
        "duration(auth.claims.team.name) < duration('1s')",
        "record.id == auth.claims.level",
        "record.views == auth.claims.team.name",
        "timestamp('9999-12-31T23:59:59Z') + duration('1s') > now",
    ]);
}

#[test]
fn undefined_is_absorbed_as_errors_are() {
    let story = Story::new();
    for (text, holds) in [
        ("true || record.pinned", true),
        ("record.pinned || true", true),
        ("!(false && record.pinned)", true),
        ("!(record.pinned && false)", true),
        ("false || record.pinned", false),
        ("!(false || record.pinned)", false),
        ("record.pinned ? true : true", false),
        ("!(record.pinned ? false : false)", false),
        ("record.views < 0 ? true : record.pinned", true),
        ("!(record.views < 0 ? false : record.pinned)", true),
        ("[1, 0].exists(n, 10 / n == 10)", true),
        ("[0, 2].exists(n, 10 / n == 10)", false),
        ("!([0, 2].exists(n, 10 / n == 10))", false),
        ("!([0, 2].all(n, 10 / n == 10))", true),
        ("[0, 1].all(n, 10 / n == 10)", false),
        ("!([0, 1].all(n, 10 / n == 10))", false),
        ("record.tags.all(t, false)", true),
        ("record.tags.exists(t, true)", false),
        ("!(record.tags.exists(t, true))", true),
        ("record.editor.posts_by_editor.all(p, true)", false),
        ("(record.pinned && true) == null", true),
        ("(record.pinned && false) == false", true),
        ("(record.views < 0) == (record.views == -7)", true),
        ("(record.pinned ? 1 : 2) == null", true),
        ("(record.views < 0 ? null : record.id) == null", true),
    ] {
        assert_eq!(story.holds_of_second(text), holds, "{text}");
    }
}

#[test]
fn literals_compare_by_value() {
    true_of_first(&[
        "record.price == '9.5'",
        "record.price == '9.50'",
        "record.price == 9.5",
        "record.price == 9.500",
        "record.price < 10",
        "record.price > '-0.01'",
        "record.price in ['9.5', 10]",
        "record.rate < record.price",
        "record.views < record.price",
        "record.day == '2024-02-29'",
        "record.day < now",
        "record.at == '2024-02-29T13:00:00+01:00'",
        "record.at == timestamp('2024-02-29T12:00:00Z')",
        "record.id == '00000000-0000-0000-0000-00000000000B'",
        "record.status == 'draft'",
        "record.status in ['draft', 'gone']",
        "record.weight == 1.5 && record.weight < 2",
        "record.views == 7.0",
        "record.author.nick == 'ANNIE'",
        "record.author.nick in ['aNNie']",
        "!(record.author.nick.startsWith('ANN'))",
        "record.tags.exists(t, t.word == 't1')",
        "'t1' in record.tags && !('T1' in record.tags)",
        "record.meta.count == 2 && record.meta.ratio == 1.5 && record.meta.flag && record.meta.inner.deep == 'x'",
        "auth.claims.level == record.views && auth.claims.n == record.views",
        "timestamp(auth.claims.until) == record.at",
    ]);
}

#[test]
fn arithmetic_is_exact_or_undefined() {
    true_of_first(&[
        "record.price * 3 == 28.5",
        "record.price * record.rate == '11.87500'",
        "record.price + record.rate == '10.750'",
        "record.price - 0.001 > 9.498",
        "record.views / 2 == 3 && -record.views / 2 == -3",
        "-record.views % 2 == -1",
        "(-9223372036854775808) % -1 == 0",
        "record.stars - 1 == 9223372036854775806",
        "0.1 + 0.2 != 0.3",
        "record.price * 0.1 + record.price * 0.2 == record.price * 0.3",
        "record.at - record.created_at == duration('684h')",
        "record.created_at + duration('684h') == record.at",
        "record.day + duration('12h') == record.at",
        "record.title + '!' == 'É 😀!'",
        "duration('1h30m') == duration('90m') && duration('1.5h') == duration('5400s')",
    ]);
}

#[test]
fn text_is_by_code_point_and_functions_answer() {
    true_of_first(&[
        "size(record.title) == 3 && record.title.size() == 3",
        "size(record.labels) == 2 && size(record.tags) == 2 && size(record.numbers) == 0",
        "'z' < 'É' && 'É' < '😀'",
        "record.title.contains(' ') && record.title.endsWith('😀') && record.title.startsWith('É')",
        "record.title.lowerAscii() == 'É 😀'",
        "record.author.name.lowerAscii() == 'ann'",
        "record.title.matches('^. .$')",
        r"!(record.title.matches('\\w'))",
        r"record.title.matches(r'^\S\s\S$')",
        "record.labels.exists(l, l.startsWith('h')) && record.labels.all(l, size(l) == 3)",
        "'hot' in record.labels && !('cold' in record.labels)",
        "record.author in [record.editor, auth.id]",
    ]);
}

#[test]
fn relations_go_both_ways_by_all_their_names() {
    true_of_first(&[
        "record.author.posts_by_author.exists(p, p == record.id)",
        "record.author.posts_by_editor.all(p, false)",
        "record.editor.people.exists(p, p.name == 'Ann')",
        "record.editor.people_by_boss.exists(p, p.id == auth.id)",
        "record.tags.exists(t, t.posts.exists(p, p.id == record.id))",
        "record.tags.exists(t, t == 't2')",
        "record.editor.room.people.exists(p, p.boss == null)",
    ]);
}

#[test]
fn record_is_null_where_something_is_created() {
    let story = Story::new();
    let ann = &story.caller;
    for scope in [Scope::FieldWrite, Scope::Validate] {
        assert!(story.judge(ann, None, Some(0), scope, "record == null && new.views == 7"));
        assert!(!story.judge(ann, None, Some(0), scope, "record.views != new.views"));
        assert!(story.judge(ann, Some(0), Some(1), scope, "record != null && record.views != new.views"));
    }
    assert!(story.judge(ann, None, Some(0), Scope::Create, "auth.id != null && new.author == auth.id"));
    assert!(!story.judge(
        ann,
        Some(0),
        Some(1),
        Scope::Update,
        "record.author == auth.id && new.author == record.author"
    ));
    assert!(!story.judge(ann, None, Some(0), Scope::Validate, "new.status == 'published' || new.body != ''"));
}
