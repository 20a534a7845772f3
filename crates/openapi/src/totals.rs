//! `GET /api/{resource}/aggregate`: its parameters and its answer.

use model::{Field, Kind, Shape};
use serde_json::{Map, Value as Json, json};

use crate::{
    answers::{self, with_problems},
    parameters::{self, filters, listed, reference as parameter, sortable},
    value::{self, Way, or_null},
    view::Subject,
};

/// The most fields to group by, and of one total.
const FIELDS: usize = 8;
/// The most groups.
const GROUPS: u32 = 1000;
/// The digits that the mean of decimals has beyond its field's.
const MORE_DIGITS: u8 = 6;
/// What the names of our own parameters take.
pub(crate) const TAKEN: [&str; 9] = ["filter", "group", "count", "sum", "avg", "min", "max", "sort", "limit"];

/// The parameters of the call and what it answers.
pub(crate) fn call(subject: Subject<'_>) -> (Vec<Json>, Json) {
    let page = answers::answer("The groups.", &[("Cache-Control", "CacheControl")], &schema(subject));
    (asked(subject), with_problems(json!({ "200": page }), &[406]))
}

fn asked(subject: Subject<'_>) -> Vec<Json> {
    let groups: Vec<Json> = sortable(subject).map(Json::from).collect();
    let mut asked = vec![
        parameter("filter"),
        names(
            "group",
            "The fields whose values make a group, references followed; without any, all records are one group.",
            &groups,
        ),
        json!({ "name": "count", "in": "query", "description": "Whether to count the records of each group. Something has to be asked for: this, a group or a total.", "schema": { "type": "boolean" } }),
    ];
    for (function, description, fits) in FUNCTIONS {
        let fields: Vec<Json> = fitting(subject, fits).map(|field| field.name.clone().into()).collect();
        if !fields.is_empty() {
            asked.push(names(function, description, &fields));
        }
    }
    asked.push(listed(
        "sort",
        "The order of the groups: their fields, `count`, and totals as `sum.price`; `-` for descending.",
        &json!({ "type": "array", "items": { "type": "string", "format": "sort-of-totals" }, "minItems": 1, "maxItems": FIELDS }),
    ));
    asked.push(json!({
        "name": "limit",
        "in": "query",
        "description": "How many groups at most.",
        "schema": { "type": "integer", "minimum": 1, "maximum": GROUPS, "default": GROUPS },
    }));
    asked.extend(filters(subject, &TAKEN));
    asked
}

/// A total: its name, what it is, and which fields it takes.
type Function = (&'static str, &'static str, fn(&Field) -> bool);

const FUNCTIONS: [Function; 4] = [
    ("sum", "The fields to sum.", is_number),
    ("avg", "The fields whose mean is asked for.", is_number),
    ("min", "The fields whose least value is asked for.", is_ordered),
    ("max", "The fields whose greatest value is asked for.", is_ordered),
];

fn fitting<'a>(subject: Subject<'a>, fits: fn(&Field) -> bool) -> impl Iterator<Item = &'a Field> + use<'a> {
    let one = move |field: &Field| !field.is_list() && field.target().is_none() && fits(field);
    subject.seen().map(|(_, field, _)| field).filter(move |field| one(field))
}

fn is_number(field: &Field) -> bool {
    matches!(field.shape, Shape::Integer | Shape::Float | Shape::Decimal { .. })
}

fn is_ordered(field: &Field) -> bool {
    let text = matches!(field.shape, Shape::Text { .. }) && !matches!(field.kind, Kind::Text(_));
    is_number(field) || text || matches!(field.shape, Shape::DateTime | Shape::Date)
}

fn names(name: &str, description: &str, fields: &[Json]) -> Json {
    let schema = json!({
        "type": "array",
        "items": { "type": "string", "enum": fields },
        "uniqueItems": true,
        "minItems": 1,
        "maxItems": FIELDS,
    });
    parameters::listed(name, description, &schema)
}

/// Groups: their fields beside each other, and their totals by function and field.
fn schema(subject: Subject<'_>) -> Json {
    let mut properties = Map::new();
    for (_, field, _) in subject.seen() {
        if !field.is_list() && !matches!(field.kind, Kind::Json { .. } | Kind::Text(_)) {
            properties.insert(field.name.clone(), or_null(value::of(subject, field, Way::Read)));
        }
    }
    let mut add = |name: &str, schema: Json| {
        // A field of that name may be what is grouped by instead.
        let both = properties.remove(name).map(|field| json!({ "anyOf": [schema, field] }));
        properties.insert(name.to_owned(), both.unwrap_or(schema));
    };
    add("count", json!({ "type": "integer", "minimum": 0 }));
    for (function, _, fits) in FUNCTIONS {
        let totals: Map<String, Json> =
            fitting(subject, fits).map(|field| (field.name.clone(), total(subject, field, function))).collect();
        if !totals.is_empty() {
            // Totals of other records' fields are named by their paths.
            let paths = json!({ "\\.": {} });
            add(
                function,
                json!({ "type": "object", "properties": totals, "patternProperties": paths, "additionalProperties": false }),
            );
        }
    }
    let group = json!({
        "type": "object",
        "properties": properties,
        "patternProperties": { "\\.": {} },
        "additionalProperties": false,
    });
    json!({
        "type": "object",
        "properties": { "items": { "type": "array", "maxItems": GROUPS, "items": group } },
        "required": ["items"],
        "additionalProperties": false,
    })
}

fn total(subject: Subject<'_>, field: &Field, function: &str) -> Json {
    let of = match (function, field.shape) {
        ("sum", Shape::Integer) => json!({ "type": "integer" }),
        ("sum", Shape::Decimal { scale }) => value::decimal_read(None, scale),
        ("avg", Shape::Decimal { scale }) => value::decimal_read(None, scale + MORE_DIGITS),
        ("sum" | "avg", _) => json!({ "type": "number" }),
        _ => value::of(subject, field, Way::Read),
    };
    or_null(of)
}
