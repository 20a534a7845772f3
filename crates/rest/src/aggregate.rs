//! `GET /api/{resource}/aggregate`

use engine::Engine;
use http::{Response, StatusCode, header};
use model::Problem;
use rules::{
    aggregate::{AggregateForm, AggregateQuery, Function, GROUPS},
    query::Query,
};
use web::{Body, Parameters, Request, json_reply, short_filters, sort_keys, take_filter, without_body_for_head};

use crate::{
    query,
    read::{PRIVATE, json_accepted},
};

/// The parameters; every other name is a short filter's.
const NAMES: [&str; 9] = ["avg", "count", "filter", "group", "limit", "max", "min", "sort", "sum"];

/// Answers the groups with their totals.
pub(crate) async fn answer(engine: &Engine, request: &Request<'_>, resource: &str) -> Result<Response<Body>, Problem> {
    json_accepted(request)?;
    let asked = parse(request.query)?;
    let suggest = |problem| web::suggest(problem, &NAMES);
    let body = engine.aggregate(request.caller(), resource, asked).await.map_err(suggest)?;
    let mut reply = json_reply(StatusCode::OK, body);
    reply.headers_mut().insert(header::CACHE_CONTROL, PRIVATE);
    Ok(without_body_for_head(request, reply))
}

fn parse(text: Option<&str>) -> Result<AggregateQuery, Problem> {
    let mut parameters = Parameters::parse(text)?;
    let mut list = Query::default();
    take_filter(&mut parameters, &mut list)?;
    let mut form = AggregateForm {
        group: names("group", &parameters.take_all("group"))?,
        count: query::truth(&mut parameters, "count")?,
        sort: sort_keys("sort", parameters.take("sort")?.as_deref())?,
        ..AggregateForm::default()
    };
    for (name, function) in Function::ALL {
        let fields = names(name, &parameters.take_all(name))?;
        form.calls.extend(fields.into_iter().map(|field| (function, field)));
    }
    let limit = query::number(&mut parameters, "limit", 1, GROUPS)?.unwrap_or(GROUPS);
    short_filters(parameters, &mut list)?;
    (form.filter, form.short) = (list.form.filter, list.form.short);
    Ok(AggregateQuery { form, values: list.values, limit })
}

/// The fields that a parameter names, in lists or again and again.
fn names(parameter: &str, values: &[String]) -> Result<Vec<String>, Problem> {
    let all: Vec<String> =
        values.iter().flat_map(|value| value.split(',')).map(|name| name.trim().to_owned()).collect();
    if all.iter().any(String::is_empty) {
        return Err(Problem::parameter(parameter, format!("`{parameter}` names fields, as in `{parameter}=price`")));
    }
    Ok(all)
}
