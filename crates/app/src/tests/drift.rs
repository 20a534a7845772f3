//! The loader and the JSON Schemas know the same keys.

use serde_json::Value as Json;

use super::load_files;
use crate::{
    json_schema_resource, json_schema_settings,
    resource::options::{self, Form, OPTIONS, TYPES},
    settings::keys::{self, SECTIONS},
};

fn validator(schema: &Json) -> jsonschema::Validator {
    jsonschema::draft202012::meta::validate(schema).expect("a valid schema");
    jsonschema::validator_for(schema).expect("a valid schema")
}

/// TOML as JSON, through the reader's own tree.
fn to_json(toml: &str) -> Json {
    let mut report = crate::diagnostic::Report::default();
    let source = report.sources.add("test", toml);
    let table = crate::tree::parse(toml, source, &mut report).expect("good TOML");
    let data = crate::tree::Data::Table(table);
    crate::tree::Node { place: report.sources.whole(source), data }.to_json()
}

#[test]
fn every_setting_is_known_to_both() {
    let validator = validator(&json_schema_settings());
    for section in SECTIONS {
        for key in section.keys {
            let value = match key.name {
                "from" => "\"Shop <no-reply@shop.example>\"",
                "public_url" => "\"https://shop.example\"",
                "master_key" => "\"0123456789abcdef0123456789abcdef\"",
                _ => key.default,
            };
            let toml = format!("[{}]\n{} = {value}\n", section.name, key.name);
            let loaded = load_files(&[("mainstay.toml", &toml)]);
            assert!(!loaded.has_errors(), "{toml}{:?}", loaded.diagnostics);
            assert!(validator.is_valid(&to_json(&toml)), "{toml}");
            let misspelt = format!("[{}]\n{}_x = {value}\n", section.name, key.name);
            assert!(load_files(&[("mainstay.toml", &misspelt)]).has_errors());
            assert!(!validator.is_valid(&to_json(&misspelt)), "{misspelt}");
        }
    }
}

#[test]
fn wrong_settings_are_wrong_to_both() {
    let validator = validator(&json_schema_settings());
    for section in SECTIONS {
        for key in section.keys {
            // A value of a form that no key takes.
            let toml = format!("[{}]\n{} = 1979-05-27T07:32:00Z\n", section.name, key.name);
            assert!(load_files(&[("mainstay.toml", &toml)]).has_errors(), "{toml}");
            let wrong = match key.form {
                keys::Form::Count { .. } | keys::Form::Size { .. } => {
                    format!("[{}]\n{} = -1\n", section.name, key.name)
                }
                _ => format!("[{}]\n{} = true\n", section.name, key.name),
            };
            assert!(load_files(&[("mainstay.toml", &wrong)]).has_errors(), "{wrong}");
            assert!(!validator.is_valid(&to_json(&wrong)), "{wrong}");
        }
    }
}

/// A value of an option that suits a type.
fn sample(option: &options::FieldOption, type_name: &str) -> String {
    match option.form {
        Form::Text if option.name == "pattern" => "\"^a\"".into(),
        Form::Text => "\"text\"".into(),
        Form::Rule => "\"true\"".into(),
        Form::Boolean => "true".into(),
        Form::Count { .. } => "9".into(),
        Form::Limit if type_name == "decimal" => "\"5\"".into(),
        Form::Limit => "5".into(),
        Form::Choice(words) => format!("\"{}\"", words[0]),
        Form::Values => "[\"a\", \"b\"]".into(),
        Form::Size { .. } => "\"1KB\"".into(),
        Form::Schema => "{ type = \"object\" }".into(),
        Form::Default => match type_name {
            "string" | "text" | "enum" => "\"a\"".into(),
            "integer" | "json" => "1".into(),
            "float" => "1.5".into(),
            "decimal" => "\"1\"".into(),
            "boolean" => "true".into(),
            "datetime" | "date" => "\"now\"".into(),
            "uuid" | "reference" => "\"auth.id\"".into(),
            "email" => "\"a@b.c\"".into(),
            "url" => "\"https://a.b\"".into(),
            other => panic!("a sample for {other}"),
        },
        Form::Name => "\"other\"".into(),
        Form::Resource => "\"things\"".into(),
    }
}

#[test]
fn every_option_of_every_type_is_known_to_both() {
    let validator = validator(&json_schema_resource());
    for known in TYPES {
        for option in OPTIONS {
            let mut field = format!("type = \"{}\"", known.name);
            match known.name {
                "enum" if option.name != "values" => field.push_str(", values = [\"a\"]"),
                "reference" if option.name != "to" => field.push_str(", to = \"things\""),
                _ => {}
            }
            if option.name == "max_items" {
                field.push_str(if known.name == "reference" { ", many = true" } else { ", list = true" });
            }
            let toml = format!("[fields]\nf = {{ {field}, {} = {} }}\n", option.name, sample(option, known.name));
            let loaded = load_files(&[("resources/things.toml", &toml)]);
            let foreign =
                loaded.diagnostics.iter().any(|diagnostic| diagnostic.message.contains("is not an option of"));
            assert_eq!(foreign, !options::applies(option, known.name), "{toml}");
            assert_eq!(validator.is_valid(&to_json(&toml)), !foreign, "{toml}");
            let meaningless = (option.name == "unique" && matches!(known.name, "text" | "json"))
                || (option.name == "list" && known.name == "reference");
            assert_eq!(loaded.has_errors(), foreign || meaningless, "{toml}{:?}", loaded.diagnostics);
        }
    }
}

#[test]
fn what_stands_beside_the_fields_is_known_to_both() {
    let validator = validator(&json_schema_resource());
    let samples = [
        ("id", "id = \"integer\""),
        ("timestamps", "timestamps = false"),
        ("doc", "doc = \"text\""),
        ("auth", "[auth]\nmethods = [\"password\", \"email_code\"]\n[fields]\nemail = { read = \"true\" }"),
        ("fields", "[fields]"),
        ("access", "[access]\nread = \"true\"\ncreate = \"true\"\nupdate = \"true\"\ndelete = \"true\""),
        ("validate", "[validate]\n\"no\" = \"true\""),
        (
            "indexes",
            "[indexes]\na = [\"id\", \"-created_at\"]\nb = { fields = [\"id\"], unique = true, renamed_from = \"c\" }",
        ),
        ("events", "[events]\nkeep = \"ids\""),
    ];
    assert_eq!(samples.map(|(key, _)| key).as_slice(), options::KEYS);
    let schema = json_schema_resource();
    let described: Vec<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(described, options::KEYS);
    for (_, toml) in samples {
        let loaded = load_files(&[("resources/things.toml", toml)]);
        assert!(!loaded.has_errors(), "{toml}{:?}", loaded.diagnostics);
        assert!(validator.is_valid(&to_json(toml)), "{toml}");
    }
    for toml in
        ["name = \"x\"", "id = \"serial\"", "[access]\nlist = \"true\"", "[events]\nkeep = \"none\"", "[search]"]
    {
        assert!(load_files(&[("resources/things.toml", toml)]).has_errors(), "{toml}");
        assert!(!validator.is_valid(&to_json(toml)), "{toml}");
    }
}

#[test]
fn the_templates_fit_the_schema() {
    let validator = validator(&json_schema_resource());
    let resources = concat!(env!("CARGO_MANIFEST_DIR"), "/../../templates/shop/resources");
    for file in std::fs::read_dir(resources).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(validator.is_valid(&to_json(&text)), "{text}");
    }
}
