//! Query parameters of lists and records.

use model::Problem;
use percent_encoding::percent_decode_str;
use rules::query::Query;
use web::{Parameters, parse_sort, short_filters, take_expand, take_fields, take_filter, whole_number};

/// The most records of a page.
const LIMIT: u32 = 200;
/// The furthest that `offset` reaches.
const OFFSET: u32 = 10_000;
/// The parameters of a list; every other name is a short filter's.
pub(crate) const NAMES: [&str; 8] = ["count", "cursor", "expand", "fields", "filter", "limit", "offset", "sort"];

/// What a list is asked for.
pub(crate) fn of_list(text: Option<&str>) -> Result<engine::ListRequest, Problem> {
    let mut parameters = Parameters::parse(text)?;
    let mut query = Query::default();
    take_filter(&mut parameters, &mut query)?;
    query.form.sort = parse_sort("sort", parameters.take("sort")?.as_deref())?;
    take_fields(&mut parameters, &mut query)?;
    take_expand(&mut parameters, &mut query)?;
    query.page.limit = number(&mut parameters, "limit", 1, LIMIT)?.unwrap_or(20);
    let offset = number(&mut parameters, "offset", 0, OFFSET)?;
    query.page.offset = offset.unwrap_or(0);
    query.page.count = truth(&mut parameters, "count")?;
    let cursor = parameters.take("cursor")?.filter(|cursor| !cursor.is_empty());
    if cursor.is_some() && offset.is_some() {
        return Err(Problem::parameter("offset", "`offset` and `cursor` exclude each other"));
    }
    short_filters(parameters, &mut query)?;
    Ok(engine::ListRequest { query, cursor })
}

/// What a stream of the whole list is asked for.
pub(crate) fn of_export(text: Option<&str>) -> Result<Query, Problem> {
    let mut parameters = Parameters::parse(text)?;
    let mut query = Query::default();
    take_filter(&mut parameters, &mut query)?;
    query.form.sort = parse_sort("sort", parameters.take("sort")?.as_deref())?;
    take_fields(&mut parameters, &mut query)?;
    query.page.limit = number(&mut parameters, "limit", 1, u32::MAX)?.unwrap_or(u32::MAX);
    for paged in ["count", "cursor", "expand", "offset"] {
        if parameters.take(paged)?.is_some() {
            let detail =
                format!("`{paged}` is for pages of JSON; a stream has all records, or the first `limit` of them");
            return Err(Problem::parameter(paged, detail));
        }
    }
    short_filters(parameters, &mut query)?;
    Ok(query)
}

/// What a record is asked for.
pub(crate) fn of_record(text: Option<&str>) -> Result<Query, Problem> {
    let mut query = Query::default();
    if text.is_none() {
        return Ok(query);
    }
    let mut parameters = Parameters::parse(text)?;
    take_fields(&mut parameters, &mut query)?;
    take_expand(&mut parameters, &mut query)?;
    parameters.finish(&["expand", "fields"])?;
    Ok(query)
}

/// By which fields a new record is held against what is there: `upsert=sku`, `upsert=room,day`.
pub(crate) fn of_creation(text: Option<&str>) -> Result<Option<Vec<String>>, Problem> {
    if text.is_none() {
        return Ok(None);
    }
    let mut parameters = Parameters::parse(text)?;
    let upsert = parameters.take("upsert")?;
    parameters.finish(&["upsert"])?;
    let names = upsert.map(|names| names.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>());
    if names.as_ref().is_some_and(|names| names.iter().any(String::is_empty)) {
        return Err(Problem::parameter("upsert", "`upsert` is a unique field, or those of a unique index with commas"));
    }
    Ok(names)
}

/// Which records a write by filter means; none where nothing is asked of them.
pub(crate) fn of_matching(text: Option<&str>) -> Result<Option<Query>, Problem> {
    let mut parameters = Parameters::parse(text)?;
    let mut query = Query::default();
    let filter = parameters.take("filter")?;
    let is_empty = filter.as_ref().is_some_and(String::is_empty);
    query.form.filter = filter.filter(|filter| !filter.is_empty());
    // One that is ignored would change more records than its sender believes.
    for name in NAMES {
        if name != "filter" && parameters.take(name)?.is_some() {
            let detail = format!("`{name}` has no meaning here: a write by filter changes all that match");
            return Err(Problem::parameter(name, detail));
        }
    }
    short_filters(parameters, &mut query)?;
    // A client that has nothing to put into its filter has not asked for all that the rest of the query finds.
    if is_empty && !query.form.short.is_empty() {
        return Err(Problem::parameter("filter", "the filter is empty: leave it out, or write `true` for all"));
    }
    Ok((query.form.filter.is_some() || !query.form.short.is_empty()).then_some(query))
}

/// A segment of a path without its percent-encoding; none for what is no text.
pub(crate) fn decode(segment: &str) -> Option<String> {
    percent_decode_str(segment).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// Refuses parameters where a call takes none.
pub(crate) fn none(text: Option<&str>) -> Result<(), Problem> {
    Parameters::parse(text)?.finish(&[])
}

/// A parameter that is there or not.
pub(crate) fn truth(parameters: &mut Parameters, name: &str) -> Result<bool, Problem> {
    match parameters.take(name)?.as_deref() {
        None | Some("false") => Ok(false),
        Some("true" | "") => Ok(true),
        Some(_) => Err(Problem::parameter(name, format!("`{name}` is `true` or `false`"))),
    }
}

pub(crate) fn number(parameters: &mut Parameters, name: &str, least: u32, most: u32) -> Result<Option<u32>, Problem> {
    parameters.take(name)?.map(|text| whole_number(name, &text, least, most)).transpose()
}
