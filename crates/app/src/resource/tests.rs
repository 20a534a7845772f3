//! Every option of every field type.

use std::collections::BTreeMap;

use model::{Field, Keep, Kind, OnDelete, Origin, Resource, Shape, Value, field::Default};

use crate::{Environment, Loaded, load};

fn load_files(files: &[(&str, &str)]) -> Loaded {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("resources")).unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(format!("resources/{name}.toml")), text).unwrap();
    }
    load(directory.path(), &Environment::empty())
}

/// The resource `things`, beside `users` (ids: UUIDs), `counters` (integers) and `countries` (strings).
fn things(text: &str) -> Resource {
    let files = [("things", text), ("users", ""), ("counters", "id = \"integer\""), ("countries", "id = \"string\"")];
    let loaded = load_files(&files);
    assert!(!loaded.has_errors(), "{text}{:?}", loaded.diagnostics);
    let schema = loaded.catalog.unwrap().schema;
    schema.get(schema.find("things").unwrap()).clone()
}

fn field(declaration: &str) -> Field {
    let resource = things(&format!("[fields]\nf = {{ {declaration} }}"));
    resource.fields[1].clone()
}

#[test]
fn a_file_may_be_empty() {
    let resource = things("");
    let names: Vec<&str> = resource.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["id", "created_at", "updated_at"]);
    assert_eq!(resource.id_kind, model::IdKind::Uuid);
    assert!(matches!(resource.keep, Keep::Full));
    assert!(resource.access.read.is_none());
}

#[test]
fn fields_stand_in_the_order_of_the_file() {
    let text = "doc = \"D\"\ntimestamps = false\nid = \"integer\"\n[fields]\nz = { type = \"date\" }\na = { type = \"date\" }\n[fields.m]\ntype = \"date\"\n";
    let resource = things(text);
    let names: Vec<&str> = resource.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["id", "z", "a", "m"]);
    assert_eq!(resource.doc.as_deref(), Some("D"));
    assert_eq!(resource.fields[0].shape, Shape::Integer);
    assert_eq!(resource.fields[0].origin, Origin::Id);
}

#[test]
fn every_type_has_its_shape() {
    let shapes = BTreeMap::from([
        ("type = \"string\"", Shape::TEXT),
        ("type = \"string\", case = \"insensitive\"", Shape::Text { fold_case: true }),
        ("type = \"text\"", Shape::TEXT),
        ("type = \"integer\"", Shape::Integer),
        ("type = \"float\"", Shape::Float),
        ("type = \"decimal\"", Shape::Decimal { scale: 2 }),
        ("type = \"decimal\", precision = 1", Shape::Decimal { scale: 1 }),
        ("type = \"decimal\", precision = 12, scale = 0", Shape::Decimal { scale: 0 }),
        ("type = \"boolean\"", Shape::Boolean),
        ("type = \"datetime\"", Shape::DateTime),
        ("type = \"date\"", Shape::Date),
        ("type = \"uuid\"", Shape::Uuid),
        ("type = \"email\"", Shape::Text { fold_case: true }),
        ("type = \"url\"", Shape::TEXT),
        ("type = \"enum\", values = [\"a\"]", Shape::TEXT),
        ("type = \"json\"", Shape::Json),
        ("type = \"reference\", to = \"users\"", Shape::Uuid),
        ("type = \"reference\", to = \"counters\"", Shape::Integer),
        ("type = \"reference\", to = \"countries\", many = true", Shape::TEXT),
    ]);
    for (declaration, shape) in shapes {
        assert_eq!(field(declaration).shape, shape, "{declaration}");
    }
}

#[test]
fn lengths_depend_on_indexes_where_nothing_is_said() {
    let max = |text: &str| match &things(text).fields[1].kind {
        Kind::String(options) | Kind::Text(options) => options.max,
        Kind::Url { max } => *max,
        other => panic!("{other:?}"),
    };
    assert_eq!(max("[fields]\nf = { type = \"string\" }"), 1_000);
    assert_eq!(max("[fields]\nf = { type = \"string\", unique = true }"), 500);
    assert_eq!(max("[fields]\nf = { type = \"string\" }\n[indexes]\ni = [\"-f\"]"), 500);
    assert_eq!(max("[fields]\nf = { type = \"string\" }\n[indexes]\ni = { fields = [\"f\"] }"), 500);
    assert_eq!(max("[fields]\nf = { type = \"string\", unique = true, max = 600 }"), 600);
    assert_eq!(max("[fields]\nf = { type = \"string\", max = 5000 }"), 5_000);
    assert_eq!(max("[fields]\nf = { type = \"string\", min = 5000 }"), 5_000);
    assert_eq!(max("[fields]\nf = { type = \"text\" }"), 1_000_000);
    assert_eq!(max("[fields]\nf = { type = \"url\" }"), 2_048);
    assert_eq!(max("[fields]\nf = { type = \"url\", unique = true }"), 500);
}

#[test]
fn options_reach_the_model() {
    let all = field(
        "type = \"string\", required = true, unique = true, hidden = true, immutable = true, renamed_from = \"old\", doc = \"D\", read = \"true\", write = \"false\", min = 1, max = 9, pattern = \"^a\"",
    );
    assert!(all.required && all.unique && all.hidden && all.immutable);
    assert_eq!((all.renamed_from.as_deref(), all.doc.as_deref()), (Some("old"), Some("D")));
    assert_eq!((all.read.as_deref(), all.write.as_deref()), (Some("true"), Some("false")));
    let Kind::String(options) = &all.kind else { panic!("{all:?}") };
    assert_eq!((options.min, options.max), (1, 9));
    assert!(options.pattern.as_ref().unwrap().regex.is_match("ab"));

    assert_eq!(field("type = \"date\", list = true").list.unwrap().max_items, 1_000);
    assert_eq!(field("type = \"date\", list = true, max_items = 3").list.unwrap().max_items, 3);
    let Kind::Reference { many, max_items, on_delete, inverse, .. } =
        field("type = \"reference\", to = \"users\", many = true, on_delete = \"cascade\", inverse = \"owners\"").kind
    else {
        panic!("no reference")
    };
    assert_eq!((many, max_items, on_delete, inverse.as_deref()), (true, 10_000, OnDelete::Cascade, Some("owners")));
    let Kind::Json { max_size, schema } = field("type = \"json\", schema = { type = \"object\" }").kind else {
        panic!("no json")
    };
    assert_eq!((max_size, schema.is_some()), (65_536, true));
    let Kind::Decimal { precision, scale, min, .. } =
        field("type = \"decimal\", precision = 12, scale = 3, min = \"-0.5\"").kind
    else {
        panic!("no decimal")
    };
    assert_eq!((precision, scale, min.unwrap().unscaled), (12, 3, -500));
}

#[test]
fn defaults_have_the_type_of_their_field() {
    let literal = |declaration: &str| match field(declaration).default {
        Some(Default::Literal(value)) => value,
        other => panic!("{declaration}: {other:?}"),
    };
    assert_eq!(literal("type = \"string\", default = \"auth.id\""), Value::text("auth.id"));
    assert_eq!(literal("type = \"string\", default = \"now\""), Value::text("now"));
    assert_eq!(literal("type = \"integer\", default = 3"), Value::Integer(3));
    assert_eq!(literal("type = \"float\", default = 3"), Value::Float(3.0));
    assert_eq!(literal("type = \"decimal\", default = \"1.5\"").to_owned(), {
        Value::Decimal(model::Decimal::new(150, 2))
    });
    assert_eq!(literal("type = \"date\", default = 1970-01-02"), Value::Date(1));
    assert_eq!(literal("type = \"datetime\", default = 1970-01-01T00:00:01Z"), Value::DateTime(1_000_000));
    assert_eq!(literal("type = \"datetime\", default = \"1970-01-01T00:00:01Z\""), Value::DateTime(1_000_000));
    assert_eq!(
        literal("type = \"integer\", list = true, default = [1, 2]"),
        Value::List(vec![Value::Integer(1), Value::Integer(2)])
    );
    assert_eq!(literal("type = \"json\", default = { b = 1, a = [] }"), Value::Json("{\"a\":[],\"b\":1}".into()));
    assert_eq!(literal("type = \"reference\", to = \"countries\", default = \"de\""), Value::text("de"));
    assert_eq!(literal("type = \"reference\", to = \"countries\", many = true, default = [\"de\"]").items().len(), 1);

    let default = |declaration: &str| field(declaration).default.unwrap();
    assert!(matches!(default("type = \"uuid\", default = \"auth.id\""), Default::CallerId));
    assert!(matches!(default("type = \"reference\", to = \"users\", default = \"auth.id\""), Default::CallerId));
    assert!(matches!(default("type = \"date\", default = \"now\""), Default::Now));
    assert!(matches!(default("type = \"datetime\", default = \"now\""), Default::Now));
    assert!(
        matches!(default("type = \"datetime\", default = { cel = \"now\" }"), Default::Rule(text) if text == "now")
    );
}

#[test]
fn tables_reach_the_model() {
    let text = "[fields]\na = { type = \"date\" }\nb = { type = \"integer\" }\n[access]\nread = \"true\"\ncreate = \"new.b == 1\"\nupdate = \"record.b == 2\"\ndelete = \"false\"\n[validate]\n\"second\" = \"new.b > 2\"\n\"first\" = \"new.b > 1\"\n[indexes]\ni = [\"a\", \"-b\"]\nj = { fields = [\"b\"], unique = true, renamed_from = \"k\" }\n[events]\nkeep = \"ids\"\n";
    let resource = things(text);
    let access = &resource.access;
    let rules = [&access.read, &access.create, &access.update, &access.delete].map(|rule| rule.as_deref().unwrap());
    assert_eq!(rules, ["true", "new.b == 1", "record.b == 2", "false"]);
    let messages: Vec<&str> = resource.validate.iter().map(|validation| validation.message.as_str()).collect();
    assert_eq!(messages, ["second", "first"], "in the order of the file");
    let (a, b) = (resource.field("a").unwrap(), resource.field("b").unwrap());
    assert_eq!(resource.indexes[0].columns, [(a, false), (b, true)]);
    assert!(!resource.indexes[0].unique && resource.indexes[1].unique);
    assert_eq!(resource.indexes[1].renamed_from.as_deref(), Some("k"));
    assert!(matches!(resource.keep, Keep::Ids));
}

#[test]
fn words_of_sql_are_names_like_any_other() {
    for word in ["select", "order", "group", "user", "table", "index", "where", "null", "true", "default", "primary"] {
        let text = format!("[fields]\n{word} = {{ type = \"string\" }}\n[indexes]\n{word} = [\"{word}\"]\n");
        let loaded = load_files(&[(word, &text)]);
        assert!(!loaded.has_errors(), "{word}: {:?}", loaded.diagnostics);
    }
}
