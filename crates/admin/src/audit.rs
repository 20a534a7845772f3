//! `GET /_/api/audit`: the audit log, in pages of JSON, or as lines of JSON to its end and on.

use auth::audit::{self, Line, Place};
use http::{HeaderValue, Response, StatusCode, header};
use model::{Code, Problem};
use store::own::audit::Wanted;
use web::{Body, Parameters, Request, json_reply, whole_number};

use crate::{Admin, follow};

/// The most lines of a page.
const LIMIT: u32 = 500;
/// The parameters.
const NAMES: [&str; 10] =
    ["actor", "address", "cursor", "follow", "limit", "request_id", "since", "subject", "until", "what"];
const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";
/// Compressed, lines would wait for each other.
const AT_ONCE: HeaderValue = HeaderValue::from_static("no-store, no-transform");

/// What is asked for.
struct Asked {
    wanted: Wanted,
    after: Option<Place>,
    limit: Option<u32>,
    follow: bool,
}

/// Answers the log.
pub(crate) async fn answer(admin: &Admin, request: &Request<'_>) -> Result<Response<Body>, Problem> {
    let asked = read(request)?;
    let form = web::choose(request.headers, &[JSON, LINES])
        .ok_or_else(|| Problem::new(Code::NotAcceptable, format!("this can be {JSON}, or {LINES} for all lines")))?;
    let mut reply = match form {
        0 if asked.follow => {
            let detail = format!("`follow` goes on for ever, so it is for `Accept: {LINES}`");
            return Err(Problem::parameter("follow", detail));
        }
        0 => page(admin, &asked).await?,
        _ if asked.after.is_some() || asked.limit.is_some() => {
            let at_fault = if asked.after.is_some() { "cursor" } else { "limit" };
            return Err(Problem::parameter(at_fault, format!("`{at_fault}` is for pages of JSON; lines come all")));
        }
        _ => {
            let mut reply = Response::new(follow::body(admin, request, asked.wanted, asked.follow).await?);
            reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(LINES));
            reply
        }
    };
    let headers = reply.headers_mut();
    headers.insert(header::CACHE_CONTROL, AT_ONCE);
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    Ok(reply)
}

async fn page(admin: &Admin, asked: &Asked) -> Result<Response<Body>, Problem> {
    let limit = asked.limit.unwrap_or(100);
    let mut lines = audit::pages(&**admin.auth.store(), &asked.wanted, asked.after.as_ref(), limit + 1).await?;
    let more = lines.len() > limit as usize;
    lines.truncate(limit as usize);
    let next = lines.last().filter(|_| more).map(|last| format!("\"{}\"", last.place().to_cursor()));
    let items: Vec<String> = lines.iter().map(Line::to_json).collect();
    let body = format!("{{\"items\":[{}],\"next\":{}}}", items.join(","), next.as_deref().unwrap_or("null"));
    Ok(json_reply(StatusCode::OK, body.into_bytes()))
}

fn read(request: &Request<'_>) -> Result<Asked, Problem> {
    let mut parameters = Parameters::parse(request.query)?;
    let what = parameters.take("what")?.unwrap_or_default();
    let what = audit::patterns(&what).map_err(|detail| Problem::parameter("what", detail))?;
    let mut moment = |name: &str| -> Result<Option<i64>, Problem> {
        let Some(text) = parameters.take(name)? else { return Ok(None) };
        audit::moment(&text, request.now).map(Some).map_err(|detail| Problem::parameter(name, detail))
    };
    let (since, until) = (moment("since")?, moment("until")?);
    let wanted = Wanted {
        what,
        actor: parameters.take("actor")?,
        subject: parameters.take("subject")?,
        address: parameters.take("address")?,
        request_id: parameters.take("request_id")?,
        since,
        until,
    };
    let after = parameters.take("cursor")?.map(|text| Place::of_cursor(&text)).transpose()?;
    let limit = parameters.take("limit")?.map(|text| whole_number("limit", &text, 1, LIMIT)).transpose()?;
    let follow = match parameters.take("follow")?.as_deref() {
        None | Some("false") => false,
        Some("" | "true") => true,
        Some(_) => return Err(Problem::parameter("follow", "`follow` is true or false")),
    };
    if follow && until.is_some() {
        return Err(Problem::parameter("until", "`until` has an end, and `follow` has none"));
    }
    parameters.finish(&NAMES)?;
    Ok(Asked { wanted, after, limit, follow })
}
