//! What is accepted, what is refused, and how a refusal reads.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::{
    field::{JsonSchema, ListOptions, OnDelete, Pattern, TextOptions},
    resource::ResourceIndex,
};

fn field(kind: Kind, shape: Shape) -> Field {
    Field {
        name: "thing".into(),
        kind,
        shape,
        list: None,
        required: false,
        default: None,
        unique: false,
        read: None,
        write: None,
        hidden: false,
        immutable: false,
        renamed_from: None,
        doc: None,
        origin: Origin::Declared,
    }
}

fn string(min: usize, max: usize) -> Field {
    field(Kind::String(TextOptions { min, max, ..TextOptions::default() }), Shape::TEXT)
}

fn reference(shape: Shape, many: bool) -> Field {
    let kind =
        Kind::Reference { to: ResourceIndex(0), on_delete: OnDelete::Restrict, inverse: None, many, max_items: 100 };
    field(kind, shape)
}

fn integer() -> Field {
    field(Kind::Integer { min: Some(-5), max: Some(i64::MAX) }, Shape::Integer)
}

fn decimal() -> Field {
    let (min, max) = (Decimal::parse("0"), Decimal::parse("9999.5"));
    field(Kind::Decimal { precision: 6, scale: 2, min, max }, Shape::Decimal { scale: 2 })
}

fn document(schema: Option<Json>) -> Field {
    let schema = schema.map(|schema| Arc::new(JsonSchema::compile(schema).unwrap()));
    field(Kind::Json { max_size: 64, schema }, Shape::Json)
}

/// The value, or the pointers and codes of all flaws.
fn accept(field: &Field, json: &Json) -> Result<Value, Vec<(String, &'static str)>> {
    let mut flaws = Vec::new();
    let value = accept_field(field, json, "thing", &mut flaws);
    assert_eq!(value.is_none(), !flaws.is_empty(), "a value or flaws, never both: {json}");
    value.ok_or_else(|| {
        flaws
            .into_iter()
            .map(|flaw| match flaw.at {
                crate::problem::Place::Pointer(pointer) => (pointer, flaw.code),
                crate::problem::Place::Parameter(name) => (name, flaw.code),
            })
            .collect()
    })
}

fn code(field: &Field, json: &Json) -> &'static str {
    match accept(field, json) {
        Ok(value) => panic!("{json} was accepted as {value:?}"),
        Err(flaws) => flaws[0].1,
    }
}

#[test]
fn nothing_is_coerced() {
    let kinds = [
        (string(0, 10), vec![json!(1), json!(true), json!([]), json!({})]),
        (integer(), vec![json!("1"), json!(true), json!([1])]),
        (field(Kind::Float { min: None, max: None }, Shape::Float), vec![json!("1.5"), json!(false)]),
        (decimal(), vec![json!(1), json!(1.5), json!(true)]),
        (field(Kind::Boolean, Shape::Boolean), vec![json!(0), json!(1), json!("true"), json!("")]),
        (field(Kind::DateTime, Shape::DateTime), vec![json!(0), json!(true)]),
        (field(Kind::Date, Shape::Date), vec![json!(20_260_101)]),
        (reference(Shape::Integer, false), vec![json!("1")]),
        (reference(Shape::Uuid, false), vec![json!(1)]),
        (reference(Shape::TEXT, false), vec![json!(1)]),
    ];
    for (field, inputs) in kinds {
        for input in inputs {
            assert_eq!(code(&field, &input), "type", "{input} for {:?}", field.kind);
        }
    }
}

#[test]
fn null_is_null_and_required_is_asked_apart() {
    let mut required = string(0, 10);
    required.required = true;
    assert_eq!(accept(&required, &Json::Null), Ok(Value::Null));
    let mut flaws = Vec::new();
    check_required(&required, &Value::Null, &mut flaws);
    assert_eq!((flaws[0].code, flaws[0].detail.as_str()), ("required", "thing is required"));

    let mut many = reference(Shape::Integer, true);
    many.required = true;
    let empty = accept(&many, &Json::Null).unwrap();
    assert_eq!(empty, Value::List(vec![]));
    check_required(&many, &empty, &mut flaws);
    assert_eq!(flaws.len(), 2, "a required many reference needs an id");
}

#[test]
fn one_point_zero_is_the_integer_one() {
    let parse = |text: &str| serde_json::from_str::<Json>(text).unwrap();
    for text in ["1", "1.0", "1e0", "10e-1"] {
        assert_eq!(accept(&integer(), &parse(text)), Ok(Value::Integer(1)), "{text}");
    }
    assert_eq!(accept(&integer(), &parse("9223372036854775807")), Ok(Value::Integer(i64::MAX)));
    assert_eq!(code(&integer(), &parse("1.5")), "type");
    for text in ["9223372036854775808", "12345678901234567890123", "1e300", "9007199254740993.0", "-1e19"] {
        assert_eq!(code(&integer(), &parse(text)), "range", "{text}");
    }
    assert_eq!(code(&integer(), &parse("-6")), "min");
}

#[test]
fn decimals_are_exact_and_come_in_strings() {
    let of = |text: &str| accept(&decimal(), &json!(text));
    assert_eq!(of("12.5"), Ok(Value::Decimal(Decimal::new(1250, 2))));
    assert_eq!(of("12.5000"), Ok(Value::Decimal(Decimal::new(1250, 2))), "zeros change nothing");
    assert_eq!(of("0012"), Ok(Value::Decimal(Decimal::new(1200, 2))));
    for (text, expected) in [
        ("12.345", "scale"),
        ("12345", "precision"),
        ("99999999999999999999999999999999999999", "precision"),
        ("1e3", "format"),
        (" 1", "format"),
        ("+1", "format"),
        (".5", "format"),
        ("", "format"),
        ("-0.01", "min"),
        ("9999.51", "max"),
    ] {
        assert_eq!(code(&decimal(), &json!(text)), expected, "{text}");
    }
}

#[test]
fn lengths_count_code_points() {
    let field = string(2, 3);
    assert!(accept(&field, &json!("äöü")).is_ok());
    assert!(accept(&field, &json!("😀😀")).is_ok());
    assert_eq!(code(&field, &json!("😀")), "min");
    assert_eq!(code(&field, &json!("abcd")), "max");
    assert_eq!(code(&field, &json!("a\nb")), "line");
    assert_eq!(code(&field, &json!("a\0b")), "nul");
    let long = super::tests::field(Kind::Text(TextOptions { max: 9, ..TextOptions::default() }), Shape::TEXT);
    assert!(accept(&long, &json!("a\nb")).is_ok());
}

#[test]
fn a_pattern_may_match_anywhere_unless_anchored() {
    let with = |source: &str| {
        let pattern = Some(Pattern::compile(source).unwrap());
        field(Kind::String(TextOptions { max: 50, pattern, ..TextOptions::default() }), Shape::TEXT)
    };
    assert!(accept(&with("b"), &json!("abc")).is_ok());
    assert_eq!(code(&with("^[a-z0-9-]+$"), &json!("No Slug")), "pattern");
}

#[test]
fn every_format_knows_good_from_bad() {
    let uuid = field(Kind::Uuid, Shape::Uuid);
    let email = field(Kind::Email, Shape::Text { fold_case: true });
    let url = field(Kind::Url { max: 60 }, Shape::TEXT);
    let date = field(Kind::Date, Shape::Date);
    let moment = field(Kind::DateTime, Shape::DateTime);
    let choice = field(Kind::Enum { values: vec!["a".into(), "b".into()] }, Shape::TEXT);
    let good: [(&Field, &[&str]); 6] = [
        (&uuid, &["0192f0c1-2d3e-7f40-8a5b-6c7d8e9f0a1b", "0192F0C1-2D3E-7F40-8A5B-6C7D8E9F0A1B"]),
        (&email, &["ann@example.org", "a.b+c@x", "o'neil@sub.example.co"]),
        (&url, &["https://example.org", "http://localhost:80/a?b=%20c#d", "HTTPS://[::1]/", "https://münchen.de"]),
        (&date, &["2024-02-29", "0001-01-01"]),
        (&moment, &["2026-01-31T12:00:00Z", "2026-01-31t12:00:00.123456+02:00"]),
        (&choice, &["a", "b"]),
    ];
    for (field, texts) in good {
        for text in texts.iter().filter(|text| text.is_ascii()) {
            assert!(accept(field, &json!(text)).is_ok(), "{text}");
        }
    }
    let bad: [(&Field, &[&str]); 6] = [
        (&uuid, &["", "0192f0c12d3e7f408a5b6c7d8e9f0a1b", "{0192f0c1-2d3e-7f40-8a5b-6c7d8e9f0a1b}", "x"]),
        (&email, &["", "ann", "ann@", "@x", "a@b@c", "a b@c", ".a@b", "a..b@c", "a@-b", "a@b..c", "ä@b.c"]),
        (
            &url,
            &[
                "",
                "example.org",
                "/a",
                "ftp://a",
                "javascript:alert(1)",
                "https://",
                "https:///a",
                "https://a b",
                "http://a\\b",
                "https://u:p@a",
                "https://u@a",
                "https://münchen.de",
                "mailto:a@b",
                "http://a:99999",
                " https://a",
                "https:example.org",
            ],
        ),
        (&date, &["2023-02-29", "2026-1-1", "2026-01-01T00:00:00Z", "0000-01-01"]),
        (&moment, &["2026-01-31", "2026-01-31T12:00:00", "2026-01-31 12:00:00Z", "2026-01-31T12:00:00.1234567Z"]),
        (&choice, &["A", "", "c"]),
    ];
    for (field, texts) in bad {
        for text in texts {
            assert!(matches!(code(field, &json!(text)), "format" | "enum"), "{text}");
        }
    }
    assert_eq!(code(&url, &json!(format!("https://a/{}", "x".repeat(60)))), "max");
}

#[test]
fn lists_point_at_the_item() {
    let mut labels = string(0, 3);
    labels.list = Some(ListOptions { max_items: 4 });
    assert_eq!(accept(&labels, &json!([])), Ok(Value::List(vec![])));
    let flaws = accept(&labels, &json!(["ok", 7, "ok", "long!"])).unwrap_err();
    assert_eq!(flaws, [("/thing/1".to_owned(), "type"), ("/thing/3".to_owned(), "max")]);
    assert_eq!(accept(&labels, &json!([null])).unwrap_err(), [("/thing/0".to_owned(), "type")]);
    assert_eq!(code(&labels, &json!(["a", "a", "a", "a", "a"])), "max_items");
    assert_eq!(code(&labels, &json!("a")), "type");
    assert!(accept(&labels, &json!(["a", "a"])).is_ok(), "a list may repeat itself");
}

#[test]
fn a_many_reference_names_each_record_once() {
    for length in [2, 40] {
        let mut ids: Vec<i64> = (1..=length).collect();
        assert!(accept(&reference(Shape::Integer, true), &json!(ids)).is_ok());
        ids[length as usize - 1] = 1;
        let flaws = accept(&reference(Shape::Integer, true), &json!(ids)).unwrap_err();
        assert_eq!(flaws, [(format!("/thing/{}", length - 1), "duplicate")]);
    }
    let uuid = "0192f0c1-2d3e-7f40-8a5b-6c7d8e9f0a1b";
    assert_eq!(code(&reference(Shape::Uuid, true), &json!([uuid, uuid.to_uppercase()])), "duplicate");
}

#[test]
fn references_take_ids_of_their_target() {
    assert_eq!(accept(&reference(Shape::Integer, false), &json!(7.0)), Ok(Value::Integer(7)));
    assert_eq!(code(&reference(Shape::Integer, false), &json!(0)), "format");
    assert_eq!(accept(&reference(Shape::TEXT, false), &json!("a-1")), Ok(Value::text("a-1")));
    assert_eq!(code(&reference(Shape::TEXT, false), &json!(".a")), "format");
    assert_eq!(code(&reference(Shape::Uuid, false), &json!("a")), "format");
}

#[test]
fn json_is_kept_in_canonical_form() {
    let parse = |text: &str| serde_json::from_str::<Json>(text).unwrap();
    let kept = |text: &str| accept(&document(None), &parse(text));
    assert_eq!(
        kept(r#"{"b": 1.0, "a": [true, 1e21, "\u00e9"]}"#),
        Ok(Value::Json(r#"{"a":[true,1e+21,"é"],"b":1}"#.into()))
    );
    assert_eq!(kept("-0.0"), Ok(Value::Json("0".into())));
    assert_eq!(kept("12345678901234567890123"), Ok(Value::Json("1.2345678901234568e+22".into())));
    assert_eq!(kept("9007199254740993"), Ok(Value::Json("9007199254740992".into())), "RFC 8785 knows doubles only");
    assert_eq!(code(&document(None), &json!("x".repeat(70))), "size");
    assert_eq!(code(&document(None), &json!({"a": ["b\0"]})), "nul");
    assert_eq!(code(&document(None), &json!({"a\0": 1})), "nul");
    let nested = |depth: usize| parse(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    assert!(accept(&document(None), &nested(MAX_DEPTH)).is_ok());
    assert_eq!(code(&document(None), &nested(MAX_DEPTH + 1)), "depth");
}

#[test]
fn a_json_schema_points_into_the_document() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    let field = document(Some(schema));
    assert!(accept(&field, &json!({"n": 1})).is_ok());
    assert_eq!(accept(&field, &json!({"n": "x"})).unwrap_err(), [("/thing/n".to_owned(), "schema")]);
    assert_eq!(accept(&field, &json!({})).unwrap_err(), [("/thing".to_owned(), "schema")]);
    assert!(JsonSchema::compile(json!({"$ref": "https://example.org/x"})).is_err(), "nothing is fetched");
    assert!(JsonSchema::compile(json!({"type": "no such type"})).is_err());
    assert!(JsonSchema::compile(json!({"pattern": "(a)\\1"})).is_err(), "patterns are linear-time");
}

#[test]
fn ids_in_paths_have_one_spelling() {
    let uuid = "0192f0c1-2d3e-7f40-8a5b-6c7d8e9f0a1b";
    assert_eq!(parse_id(IdKind::Uuid, uuid), parse_id(IdKind::Uuid, &uuid.to_uppercase()));
    assert!(parse_id(IdKind::Uuid, uuid).is_some());
    assert_eq!(parse_id(IdKind::Uuid, &uuid.replace('-', "")), None);
    assert_eq!(parse_id(IdKind::Integer, "12"), Some(Value::Integer(12)));
    for text in ["", "0", "01", "+1", "-1", "1.0", "9223372036854775808", "1 ", "١"] {
        assert_eq!(parse_id(IdKind::Integer, text), None, "{text}");
    }
    assert_eq!(parse_id(IdKind::String, "A~z_9.-"), Some(Value::text("A~z_9.-")));
    for text in ["", ".", ".a", "a/b", "a b", "é", "aggregate", "events", &"x".repeat(129)] {
        assert_eq!(parse_id(IdKind::String, text), None, "{text}");
    }
}

#[test]
fn the_id_of_a_record_has_the_syntax_of_ids() {
    let mut id = string(1, 128);
    id.origin = Origin::Id;
    assert!(accept(&id, &json!("order-1")).is_ok());
    assert_eq!(code(&id, &json!("order 1")), "format");
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    fn any_json() -> impl Strategy<Value = Json> {
        let text = prop_oneof![
            any::<String>(),
            "-?[0-9]{1,40}(\\.[0-9]{0,20})?",
            "[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,7})?(Z|[+-][0-9]{2}:[0-9]{2}))?",
            "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "https?://[a-z.:/?#@\\[\\]%0-9]{0,20}",
            "[a-z.+]{1,5}@[a-z.-]{1,8}",
        ];
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<u64>().prop_map(Json::from),
            any::<f64>().prop_map(Json::from),
            (-40..40_i64).prop_map(|number| Json::from(number as f64 / 4.0)),
            text.prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|members| Json::Object(members.into_iter().collect())),
            ]
        })
    }

    fn fields() -> Vec<Field> {
        let mut list = string(0, 5);
        list.list = Some(ListOptions { max_items: 3 });
        vec![
            string(1, 20),
            integer(),
            decimal(),
            document(None),
            document(Some(json!({"type": "object", "additionalProperties": {"type": "integer"}}))),
            list,
            reference(Shape::Uuid, false),
            reference(Shape::Integer, true),
            reference(Shape::TEXT, true),
            field(Kind::Float { min: None, max: Some(1e300) }, Shape::Float),
            field(Kind::Boolean, Shape::Boolean),
            field(Kind::Date, Shape::Date),
            field(Kind::DateTime, Shape::DateTime),
            field(Kind::Uuid, Shape::Uuid),
            field(Kind::Email, Shape::Text { fold_case: true }),
            field(Kind::Url { max: 100 }, Shape::TEXT),
            field(Kind::Enum { values: vec!["a".into()] }, Shape::TEXT),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_accepted_is_accepted_again_as_it_is_answered(json in any_json()) {
            for field in fields() {
                // In a list too, where the field takes one.
                for json in [json.clone(), Json::Array(vec![json.clone()])] {
                    let Ok(value) = accept(&field, &json) else { continue };
                    let mut answer = Vec::new();
                    crate::json::write_value(&value, &mut answer);
                    let again: Json = serde_json::from_slice(&answer).unwrap();
                    prop_assert_eq!(accept(&field, &again), Ok(value.clone()), "{} of {:?}", json, field.kind);
                    let kept = crate::json::read_value(field.shape, field.is_list(), &again);
                    prop_assert_eq!(kept, value, "the log reads it back");
                }
            }
        }
    }
}
