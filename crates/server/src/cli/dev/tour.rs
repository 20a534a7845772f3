//! A few curl lines that work for the app at hand, made from its resources and records.

use std::sync::Arc;

use engine::{Clock as _, Engine, ListRequest, SystemClock};
use model::{Field, Kind, Resource, ResourceIndex, caller::Identity, field::TextOptions};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rules::{Catalog, Sight, Visibility};
use serde_json::{Map, Value as Json};

use crate::cli::exposure::{self, Admits};

const KEY: &str = " -H \"Authorization: Bearer $KEY\"";

/// Lines for a shell: a list, a record, a new record, and what happens.
pub(super) async fn lines(engine: &Engine, catalog: &Arc<Catalog>, base: &str) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(shown) = showpiece(engine, catalog).await {
        let resource = catalog.schema.get(shown.resource);
        let url = format!("{base}/api/{}", resource.name);
        let header = if shown.open { "" } else { KEY };
        lines.push(format!("curl '{url}?{}'{header}", query(catalog, &shown)));
        if let Some(id) = shown.record.as_ref().and_then(|record| plain(record.get("id")?)) {
            lines.push(format!("curl '{url}/{id}'{header}"));
        }
        if let Some((name, body)) = new_record(engine, catalog).await {
            // No sample has a quotation mark in it.
            lines.push(format!("curl '{base}/api/{name}'{KEY} -H 'Content-Type: application/json' -d '{body}'"));
        }
        lines.push(format!("curl -N '{url}/events'{header}"));
    }
    lines
}

/// The resource that is worth showing.
struct Showpiece {
    resource: ResourceIndex,
    /// Strangers see it.
    open: bool,
    /// One of its records, as whoever is shown it sees it.
    record: Option<Map<String, Json>>,
}

/// What strangers see and has records, and of those the one with most fields; else what administrators see.
async fn showpiece(engine: &Engine, catalog: &Arc<Catalog>) -> Option<Showpiece> {
    let mut best: Option<((bool, bool, usize), Showpiece)> = None;
    for (resource, exposed) in catalog.schema.indices().zip(exposure::of(catalog)) {
        let open = exposed.read == Admits::All;
        let record = first(engine, &exposed.resource, !open).await;
        let rank = (open, record.is_some(), catalog.schema.get(resource).fields.len());
        if best.as_ref().is_none_or(|(other, _)| rank > *other) {
            best = Some((rank, Showpiece { resource, open, record }));
        }
    }
    best.map(|(_, shown)| shown)
}

async fn first(engine: &Engine, resource: &str, as_admin: bool) -> Option<Map<String, Json>> {
    let mut request = ListRequest::default();
    request.query.page.limit = 1;
    let page = engine.list(exposure::caller(identity(as_admin), SystemClock.now()), resource, request).await.ok()?;
    let mut page: Json = serde_json::from_slice(&page.body).ok()?;
    match page.get_mut("items")?.get_mut(0)?.take() {
        Json::Object(record) => Some(record),
        _ => None,
    }
}

fn identity(as_admin: bool) -> Identity {
    let roles = if as_admin { vec!["admin".to_owned()] } else { Vec::new() };
    Identity { roles, ..Identity::anonymous() }
}

/// A filter by a value that is there, and an order.
fn query(catalog: &Catalog, shown: &Showpiece) -> String {
    let resource = catalog.schema.get(shown.resource);
    let caller = exposure::caller(identity(!shown.open), SystemClock.now());
    let sight = Visibility::of(catalog, &caller);
    let seen: Vec<&Field> = resource
        .indices()
        .filter(|index| matches!(sight.field(shown.resource, *index), Sight::Visible))
        .map(|index| resource.get(index))
        .filter(|field| field.is_declared() && !field.is_list() && !field.is_many())
        .collect();
    let mut parts = Vec::new();
    let filtered = shown.record.as_ref().and_then(|record| {
        let groups = |field: &&&Field| matches!(field.kind, Kind::Reference { .. } | Kind::Enum { .. } | Kind::Boolean);
        seen.iter().filter(groups).find_map(|field| Some((field.name.clone(), plain(record.get(&field.name)?)?)))
    });
    if let Some((name, value)) = &filtered {
        parts.push(format!("{name}={value}"));
    }
    let sorts = |field: &&&Field| {
        let kind = matches!(
            field.kind,
            Kind::String(_) | Kind::Integer { .. } | Kind::Decimal { .. } | Kind::DateTime | Kind::Date
        );
        kind && filtered.as_ref().is_none_or(|(name, _)| *name != field.name)
    };
    if let Some(field) = seen.iter().find(sorts) {
        parts.push(format!("sort={}", field.name));
    }
    parts.push("limit=3".to_owned());
    parts.join("&")
}

/// A value as it stands in a URL.
fn plain(value: &Json) -> Option<String> {
    let text = match value {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        Json::Bool(truth) => truth.to_string(),
        Json::Null | Json::Array(_) | Json::Object(_) => return None,
    };
    Some(utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string().replace("%2D", "-").replace("%5F", "_"))
}

/// The simplest record that an administrator can create: its resource, and its body.
async fn new_record(engine: &Engine, catalog: &Catalog) -> Option<(String, Json)> {
    let mut best: Option<(String, Map<String, Json>)> = None;
    // Rules over the whole record may refuse a sample.
    for resource in catalog.schema.resources().iter().filter(|resource| resource.validate.is_empty()) {
        let Some(body) = sample(engine, catalog, resource).await else { continue };
        let is_simpler = best.as_ref().is_none_or(|(_, other)| {
            // An empty body shows little.
            (body.is_empty(), body.len()) < (other.is_empty(), other.len())
        });
        if is_simpler {
            best = Some((resource.name.clone(), body));
        }
    }
    best.map(|(name, body)| (name, Json::Object(body)))
}

async fn sample(engine: &Engine, catalog: &Catalog, resource: &Resource) -> Option<Map<String, Json>> {
    let mut body = Map::new();
    if resource.id_kind == model::IdKind::String {
        body.insert("id".to_owned(), format!("example-{}", number()).into());
    }
    for field in resource.fields.iter().filter(|field| field.is_declared() && field.required && field.default.is_none())
    {
        if field.is_list() || field.is_many() {
            return None;
        }
        let value = match (&field.kind, field.target()) {
            (_, Some(target)) if !field.unique => {
                first(engine, &catalog.schema.get(target).name, true).await?.remove("id")?
            }
            _ => sample_value(field)?,
        };
        body.insert(field.name.clone(), value);
    }
    Some(body)
}

fn sample_value(field: &Field) -> Option<Json> {
    let value: Json = match &field.kind {
        Kind::String(options) | Kind::Text(options) => sample_text(options, field.unique)?.into(),
        Kind::Email => format!("someone{}@example.com", number()).into(),
        Kind::Url { .. } => format!("https://example.com/{}", number()).into(),
        _ if field.unique => return None,
        Kind::Integer { min, max } => (*min).unwrap_or(1).max(1).min((*max).unwrap_or(i64::MAX)).into(),
        Kind::Float { min, max } => min.unwrap_or(1.0).max(1.0).min(max.unwrap_or(f64::MAX)).into(),
        Kind::Decimal { min, max, .. } => min.or(*max).map_or_else(|| "1".to_owned(), |bound| bound.to_string()).into(),
        Kind::Boolean => true.into(),
        Kind::DateTime => "2026-01-01T12:00:00Z".into(),
        Kind::Date => "2026-01-01".into(),
        Kind::Enum { values } => values.first().filter(|value| !value.contains('\''))?.as_str().into(),
        Kind::Json { schema: None, .. } => Json::Object(Map::new()),
        Kind::Json { .. } | Kind::Uuid | Kind::Reference { .. } => return None,
    };
    Some(value)
}

fn sample_text(options: &TextOptions, unique: bool) -> Option<String> {
    let mut text = if unique { format!("Example {}", number()) } else { "Example".to_owned() };
    while text.len() < options.min {
        text.push_str(" and so on");
    }
    let fits = text.len() <= options.max && options.pattern.is_none();
    fits.then_some(text)
}

/// A number that hardly was used before.
fn number() -> i64 {
    SystemClock.now().div_euclid(1_000_000).rem_euclid(1_000_000)
}
