//! Query parameters that say which records are meant and what of them, for every protocol that has a query string.

use model::{Code, Flaw, Problem, problem::Place};
use rules::{
    ShortOperator,
    query::{Query, SORT_KEYS, ShortFilter},
};

use crate::parameters::Parameters;

/// The most short filters, and values of one `in`.
const SHORT: usize = 32;
const IN: usize = 200;
/// The operators, for messages.
const OPERATORS: [&str; 8] = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "contains"];

/// Takes `filter`: CEL over the record's fields.
///
/// # Errors
/// 400 where it stands twice.
pub fn take_filter(parameters: &mut Parameters, query: &mut Query) -> Result<(), Problem> {
    query.form.filter = parameters.take("filter")?.filter(|filter| !filter.is_empty());
    Ok(())
}

/// Takes `fields`: what is answered of each record.
///
/// # Errors
/// 400 where it stands twice, or has an empty name.
pub fn take_fields(parameters: &mut Parameters, query: &mut Query) -> Result<(), Problem> {
    let listed = parameters.take("fields")?;
    let names = listed.as_deref().map(|text| names("fields", text)).transpose()?;
    let names = names.filter(|names| !names.is_empty());
    query.form.fields = names.map(|names| names.into_iter().map(str::to_owned).collect());
    Ok(())
}

/// The names in a list with commas between; none in an empty text, which is what a form sends that was left empty.
///
/// # Errors
/// 400 where one of them is empty.
pub(crate) fn names<'a>(parameter: &str, text: &'a str) -> Result<Vec<&'a str>, Problem> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = text.split(',').map(str::trim).collect();
    if names.iter().any(|name| name.is_empty()) {
        let detail = format!("`{parameter}` has an empty name: write names with commas between, or leave it out");
        return Err(Problem::parameter(parameter, detail));
    }
    Ok(names)
}

/// Reads the value of a `sort` parameter: fields with commas between them, `-` before one for descending.
///
/// # Errors
/// 400 for more than [`SORT_KEYS`] of them, or an empty one.
pub fn parse_sort(parameter: &str, text: Option<&str>) -> Result<Vec<(String, bool)>, Problem> {
    let keys = sort_keys(parameter, text)?;
    if keys.len() > SORT_KEYS {
        return Err(Problem::parameter(parameter, format!("`sort` takes {SORT_KEYS} fields at most")));
    }
    Ok(keys)
}

/// Names with commas between; one that `-` stands before is descending.
///
/// # Errors
/// 400 for an empty one.
pub fn sort_keys(parameter: &str, text: Option<&str>) -> Result<Vec<(String, bool)>, Problem> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let keys = names(parameter, text)?.into_iter().map(|key| match key.strip_prefix('-') {
        Some(path) => (path.to_owned(), true),
        None => (key.to_owned(), false),
    });
    Ok(keys.collect())
}

/// Reads a number written with digits alone.
///
/// # Errors
/// 400 where it is none, or out of range.
pub fn whole_number(parameter: &str, text: &str, least: u32, most: u32) -> Result<u32, Problem> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u32>() {
        Ok(number) if plain && (least..=most).contains(&number) => Ok(number),
        _ => Err(Problem::parameter(parameter, format!("`{parameter}` is a number from {least} to {most}"))),
    }
}

/// Reads what is left as short filters: `status=published`, `price[gte]=10`, `status[in]=draft,published`.
///
/// # Errors
/// 400 for an unknown operator, and for too many filters or values.
pub fn short_filters(parameters: Parameters, query: &mut Query) -> Result<(), Problem> {
    parameters.rest().into_iter().try_for_each(|(name, value)| short(&name, value, query))
}

/// A name that is no field may be a parameter's, with a slip of the pen.
#[must_use]
pub fn suggest(mut problem: Problem, names: &[&str]) -> Problem {
    let [Flaw { at: Place::Parameter(name), detail, .. }] = problem.errors.as_mut_slice() else { return problem };
    if problem.code == Code::BadParameter
        && !detail.contains("did you mean")
        && !names.contains(&name.as_str())
        && let Some(near) = rules::nearest(name, names.iter().copied())
    {
        detail.push_str(&format!("; did you mean `{near}`?"));
        problem.detail.clone_from(detail);
    }
    problem
}

fn short(name: &str, value: String, query: &mut Query) -> Result<(), Problem> {
    if query.form.short.len() >= SHORT {
        return Err(Problem::new(Code::BadParameter, format!("{SHORT} short filters at most; use `filter`")));
    }
    let (field, operator) = match name.split_once('[') {
        None => (name, ShortOperator::Equal),
        Some((field, rest)) => {
            let word = rest.strip_suffix(']').unwrap_or("");
            let operator = ShortOperator::from_name(word).ok_or_else(|| {
                let help = match rules::nearest(word, OPERATORS) {
                    Some(near) => format!("did you mean `{field}[{near}]`?"),
                    None => format!("known are {}", OPERATORS.join(", ")),
                };
                let detail = format!("`{name}` has no operator that is known; {help}");
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
