//! Examples of bodies: values that are accepted, where one can be made up.

use model::{Field, Kind, Origin, Shape, field::Default, field::TextOptions};
use serde_json::{Map, Value as Json, json};

use crate::view::Subject;

/// The fields that have to be there, and a few others; null where no value for one of them can be made up.
pub(crate) fn of_body(subject: Subject<'_>, schema: &Json) -> Json {
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|required| required == name));
    let mut body = Map::new();
    for (_, field, _) in subject.fields() {
        let Some(property) = schema["properties"].get(&field.name) else { continue };
        if property["readOnly"] == true {
            continue;
        }
        let example = of(field);
        if required(&field.name) {
            let Some(example) = example else { return Json::Null };
            body.insert(field.name.clone(), example);
        } else if let Some(example) = example.filter(|_| is_telling(field)) {
            body.insert(field.name.clone(), example);
        }
    }
    Json::Object(body)
}

/// A change of one field; null where there is none to change.
pub(crate) fn of_patch(subject: Subject<'_>) -> Json {
    let plain = subject.fields().find_map(|(_, field, outlook)| {
        let own = field.is_declared() && outlook.writable && !field.immutable && !field.unique;
        let example = of(field).filter(|_| own && field.target().is_none())?;
        Some(json!({ field.name.clone(): example }))
    });
    plain.unwrap_or_default()
}

/// Whether an example is better for showing a field that can be left out.
fn is_telling(field: &Field) -> bool {
    field.origin == Origin::Declared && field.target().is_none() && field.default.is_none() && !field.is_list()
}

/// A value that the field takes.
fn of(field: &Field) -> Option<Json> {
    if let Some(Default::Literal(literal)) = &field.default {
        let mut text = Vec::new();
        model::json::write_value(literal, &mut text);
        return serde_json::from_slice(&text).ok();
    }
    let one = of_item(field)?;
    Some(if field.is_list() { json!([one]) } else { one })
}

fn of_item(field: &Field) -> Option<Json> {
    if field.origin == Origin::Id || field.target().is_some() {
        return Some(match field.shape {
            Shape::Integer => 1.into(),
            Shape::Uuid => "0192f0c1-2d3e-7f40-8a5b-6c7d8e9f0a1b".into(),
            _ => "an-id".into(),
        });
    }
    Some(match &field.kind {
        Kind::String(options) | Kind::Text(options) => text(options, &field.name)?.into(),
        Kind::Integer { min, max } => within(1, min.as_ref(), max.as_ref()).into(),
        Kind::Float { min, max } => within(1.5, min.as_ref(), max.as_ref()).into(),
        Kind::Decimal { precision, scale, min, max } => {
            let whole = i128::from(precision > scale);
            let one = model::Decimal::new(whole, 0).rescale(*scale)?;
            within(one, min.as_ref(), max.as_ref()).rescale(*scale)?.to_string().into()
        }
        Kind::Boolean => true.into(),
        Kind::DateTime => "2026-01-31T12:00:00Z".into(),
        Kind::Date => "2026-01-31".into(),
        Kind::Uuid => "0192f0c1-2d3e-7f40-8a5b-6c7d8e9f0a1b".into(),
        Kind::Email => "ann@example.org".into(),
        Kind::Url { max } => Some("https://example.org/").filter(|text| text.len() <= *max)?.into(),
        Kind::Enum { values } => values.first()?.clone().into(),
        Kind::Json { schema: None, .. } => json!({ "key": "value" }),
        Kind::Json { .. } | Kind::Reference { .. } => return None,
    })
}

fn within<T: PartialOrd + Copy>(wish: T, min: Option<&T>, max: Option<&T>) -> T {
    match (min, max) {
        (Some(min), _) if wish < *min => *min,
        (_, Some(max)) if wish > *max => *max,
        _ => wish,
    }
}

/// The field's name, as long as it has to be; none where a pattern does not take it.
fn text(options: &TextOptions, name: &str) -> Option<String> {
    let words = if name.ends_with('s') { name.replace('_', " ") } else { format!("a {}", name.replace('_', " ")) };
    [words, name.replace('_', "-"), "a".repeat(options.min.max(1))].into_iter().find_map(|wish| {
        let mut text: String = wish.chars().take(options.max).collect();
        while text.chars().count() < options.min {
            text.push('.');
        }
        let fits = options.pattern.as_ref().is_none_or(|pattern| pattern.regex.is_match(&text));
        fits.then_some(text)
    })
}
