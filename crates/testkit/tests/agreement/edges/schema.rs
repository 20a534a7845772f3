//! An app with a field of each type, written as a user would.

use std::fs;

use model::Schema;

const RESOURCES: &[(&str, &str)] = &[
    (
        "teams",
        r#"
id = "string"
[fields]
name    = { type = "string", case = "insensitive" }
budget  = { type = "decimal", precision = 18, scale = 4 }
founded = { type = "date" }
open    = { type = "boolean" }
lead    = { type = "reference", to = "users" }
"#,
    ),
    (
        "users",
        r#"
[fields]
email  = { type = "email" }
name   = { type = "string" }
age    = { type = "integer" }
score  = { type = "float" }
team   = { type = "reference", to = "teams" }
boss   = { type = "reference", to = "users", inverse = "reports" }
labels = { type = "string", list = true, case = "insensitive" }
joined = { type = "datetime" }
active = { type = "boolean" }
"#,
    ),
    (
        "tags",
        r#"
id = "string"
[fields]
name   = { type = "string" }
rank   = { type = "integer" }
parent = { type = "reference", to = "tags", inverse = "children" }
"#,
    ),
    (
        "posts",
        r#"
id = "integer"
[fields]
title   = { type = "string", required = true }
body    = { type = "text" }
nick    = { type = "string", case = "insensitive" }
status  = { type = "enum", values = ["draft", "published"] }
price   = { type = "decimal", precision = 12, scale = 2 }
cost    = { type = "decimal", precision = 18, scale = 18 }
views   = { type = "integer" }
likes   = { type = "integer" }
weight  = { type = "float" }
ratio   = { type = "float" }
open    = { type = "boolean" }
code    = { type = "uuid" }
day     = { type = "date" }
at      = { type = "datetime" }
author  = { type = "reference", to = "users" }
editor  = { type = "reference", to = "users", inverse = "edited" }
tags    = { type = "reference", to = "tags", many = true }
readers = { type = "reference", to = "users", many = true }
labels  = { type = "string", list = true }
numbers = { type = "integer", list = true }
floats  = { type = "float", list = true }
prices  = { type = "decimal", precision = 9, scale = 3, list = true }
flags   = { type = "boolean", list = true }
days    = { type = "date", list = true }
moments = { type = "datetime", list = true }
codes   = { type = "uuid", list = true }
meta    = { type = "json", schema = { type = "object", properties = { text = { type = "string" }, count = { type = "integer" }, ratio = { type = "number" }, yes = { type = "boolean" }, deep = { type = "object", properties = { text = { type = "string" } } } } } }
"#,
    ),
    (
        "comments",
        r#"
[fields]
post   = { type = "reference", to = "posts" }
author = { type = "reference", to = "users" }
text   = { type = "text" }
stars  = { type = "integer" }
"#,
    ),
];

/// The app's resources.
pub(crate) fn schema() -> Schema {
    let directory = tempfile::tempdir().unwrap();
    let resources = directory.path().join("resources");
    fs::create_dir(&resources).unwrap();
    for (name, text) in RESOURCES {
        fs::write(resources.join(format!("{name}.toml")), text).unwrap();
    }
    let loaded = app::load(directory.path(), &app::Environment::empty());
    let Some(catalog) = loaded.catalog else { panic!("{}", app::render(&loaded.diagnostics, &loaded.sources, false)) };
    (*catalog.schema).clone()
}
