//! Query parameters of lists and records.

use model::{Code, Problem};
use rules::{
    ShortOperator,
    query::{Form, Query, SORT_KEYS, ShortFilter},
};
use web::Parameters;

/// The most records of a page.
const LIMIT: u32 = 200;
/// The furthest that `offset` reaches.
const OFFSET: u32 = 10_000;
/// The most short filters, and values of one `in`.
const SHORT: usize = 32;
const IN: usize = 200;

/// What a list is asked for.
pub(crate) fn of_list(text: Option<&str>) -> Result<engine::ListRequest, Problem> {
    let mut parameters = Parameters::parse(text)?;
    let mut query = Query::default();
    query.form.filter = parameters.take("filter")?.filter(|filter| !filter.is_empty());
    query.form.sort = sort(parameters.take("sort")?.as_deref())?;
    query.form.fields = fields(parameters.take("fields")?.as_deref());
    query.page.limit = number(&mut parameters, "limit", 1, LIMIT)?.unwrap_or(20);
    let offset = number(&mut parameters, "offset", 0, OFFSET)?;
    query.page.offset = offset.unwrap_or(0);
    query.page.count = match parameters.take("count")?.as_deref() {
        None | Some("false") => false,
        Some("true" | "") => true,
        Some(_) => return Err(Problem::parameter("count", "`count` is `true` or `false`")),
    };
    let cursor = parameters.take("cursor")?.filter(|cursor| !cursor.is_empty());
    if cursor.is_some() && offset.is_some() {
        return Err(Problem::parameter("offset", "`offset` and `cursor` exclude each other"));
    }
    for (name, value) in parameters.rest() {
        short(&name, value, &mut query)?;
    }
    Ok(engine::ListRequest { query, cursor })
}

/// What a record is asked for.
pub(crate) fn of_record(text: Option<&str>) -> Result<Query, Problem> {
    let mut query = Query::default();
    if text.is_none() {
        return Ok(query);
    }
    let mut parameters = Parameters::parse(text)?;
    query.form = Form { fields: fields(parameters.take("fields")?.as_deref()), ..Form::default() };
    parameters.finish(&["fields"])?;
    Ok(query)
}

/// Refuses parameters where a call takes none.
pub(crate) fn none(text: Option<&str>) -> Result<(), Problem> {
    Parameters::parse(text)?.finish(&[])
}

fn sort(text: Option<&str>) -> Result<Vec<(String, bool)>, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Vec::new()) };
    let keys: Vec<(String, bool)> = text
        .split(',')
        .map(|key| match key.trim().strip_prefix('-') {
            Some(path) => (path.to_owned(), true),
            None => (key.trim().to_owned(), false),
        })
        .collect();
    if keys.len() > SORT_KEYS {
        return Err(Problem::parameter("sort", format!("`sort` takes {SORT_KEYS} fields at most")));
    }
    Ok(keys)
}

fn fields(text: Option<&str>) -> Option<Vec<String>> {
    text.map(|text| text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect())
}

fn number(parameters: &mut Parameters, name: &str, least: u32, most: u32) -> Result<Option<u32>, Problem> {
    let Some(text) = parameters.take(name)? else { return Ok(None) };
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u32>() {
        Ok(number) if plain && (least..=most).contains(&number) => Ok(Some(number)),
        _ => Err(Problem::parameter(name, format!("`{name}` is a number from {least} to {most}"))),
    }
}

/// `status=published`, `price[gte]=10`, `status[in]=draft,published`
fn short(name: &str, value: String, query: &mut Query) -> Result<(), Problem> {
    if query.form.short.len() >= SHORT {
        return Err(Problem::new(Code::BadParameter, format!("{SHORT} short filters at most; use `filter`")));
    }
    let (field, operator) = match name.split_once('[') {
        None => (name, ShortOperator::Equal),
        Some((field, rest)) => {
            let word = rest.strip_suffix(']').unwrap_or("");
            let operator = operator(word).ok_or_else(|| {
                let detail = format!("`{name}` has no operator that is known: eq, ne, gt, gte, lt, lte, in, contains");
                Problem::parameter(name, detail)
            })?;
            (field, operator)
        }
    };
    let values: Vec<String> = match operator {
        ShortOperator::In => value.split(',').map(str::to_owned).collect(),
        _ => vec![value],
    };
    if values.len() > IN {
        return Err(Problem::parameter(name, format!("`in` takes {IN} values at most")));
    }
    query.form.short.push(ShortFilter { field: field.to_owned(), operator, values: values.len() });
    query.values.extend(values);
    Ok(())
}

fn operator(word: &str) -> Option<ShortOperator> {
    Some(match word {
        "eq" => ShortOperator::Equal,
        "ne" => ShortOperator::NotEqual,
        "gt" => ShortOperator::Greater,
        "gte" => ShortOperator::GreaterOrEqual,
        "lt" => ShortOperator::Less,
        "lte" => ShortOperator::LessOrEqual,
        "in" => ShortOperator::In,
        "contains" => ShortOperator::Contains,
        _ => return None,
    })
}
