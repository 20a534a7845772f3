//! `/problems/{code}`: what each kind of problem means, for people and for programs.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use model::{Code, Problem};
use web::{Body, add_vary, choose, json_reply, text_reply};

const HTML: &str = "text/html";
const JSON: &str = "application/json";

/// The look: the reader's own fonts and colours, light or dark.
const STYLE: &str = ":root{color-scheme:light dark}\
                     body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}\
                     h1{line-height:1.2}code{font-family:ui-monospace,monospace}.status{opacity:.7}\
                     li{margin:.25rem 0}a{color:LinkText}";
/// Its SHA-256, by which alone the page's policy lets it in.
const STYLE_HASH: &str = "CdF2j3XUHpmvPKlHVwxCAuGFvuQP0ZKQ/2s2pelk/K0=";

/// The kind of problem of a slug.
pub(crate) fn find(slug: &str) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| code.slug() == slug)
}

/// 404, with the nearest kind.
pub(crate) fn unknown(slug: &str) -> Problem {
    let near = rules::nearest(slug, Code::ALL.iter().map(|code| code.slug()));
    let help = near.map_or_else(String::new, |near| format!("; did you mean /problems/{near}?"));
    Problem::new(Code::NotFound, format!("there is no such kind of problem{help}"))
}

/// What a kind of problem means, as a page or as JSON.
///
/// # Errors
/// 406 where neither is taken.
pub(crate) fn page(code: Code, headers: &HeaderMap) -> Result<Response<Body>, Problem> {
    let mut reply = match choose(headers, &[HTML, JSON]) {
        Some(0) => html(code),
        Some(_) => json_reply(StatusCode::OK, json(code)),
        None => {
            let detail = format!("this is available as {HTML} and {JSON}");
            return Err(Problem::new(Code::NotAcceptable, detail));
        }
    };
    add_vary(reply.headers_mut(), "Accept");
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    Ok(reply)
}

fn json(code: Code) -> Vec<u8> {
    let document = serde_json::json!({
        "type": format!("/problems/{}", code.slug()),
        "title": code.title(),
        "status": code.status(),
        "meaning": code.meaning(),
        "help": help(code),
    });
    document.to_string().into_bytes()
}

fn html(code: Code) -> Response<Body> {
    let (slug, status, title) = (code.slug(), code.status(), code.title());
    let (meaning, help) = (escape(code.meaning()), escape(help(code)));
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main>\
         <p class=\"status\">HTTP status {status} · <code>/problems/{slug}</code></p><h1>{title}</h1>\
         <p>{meaning}</p><p>{help}</p>\
         <h2>In the answer</h2><ul><li><code>detail</code> says what was wrong this time</li>\
         <li><code>errors</code>, where it is there, says where: a pointer into the body or a parameter</li>\
         <li><code>request_id</code> is under which the server's log has the request</li></ul></main></body></html>",
    );
    let mut reply = text_reply(StatusCode::OK, &page);
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    reply
}

/// What to do about it.
fn help(code: Code) -> &'static str {
    match (code, code.status()) {
        (Code::MalformedJson, _) => "Look at the line and column that detail names: a comma, a quote, a second value.",
        (Code::BadFilter, _) => "Look at the place that detail names; a filter speaks of the fields that you may read.",
        (Code::BadCursor, _) => "Begin again without cursor, or send the sort and filter that the cursor came with.",
        (Code::Validation, _) => "Mend the fields that errors names and send the request again.",
        (Code::NotFound, _) => "Check the path and the id. What you may not read does not exist for you.",
        (Code::PreconditionFailed, _) => {
            "Read the record again, apply your change to it, and send it with its new ETag."
        }
        (Code::Internal, _) => "It is not your fault. Tell whoever runs this server the request_id.",
        (Code::RequestTimeout, _) => "Send the request again, without pausing within it.",
        (_, 400) => "The request has to be changed before it can be answered; detail says what.",
        (_, 401) => "Send valid credentials: Authorization: Bearer, followed by a key or token.",
        (_, 403) => "You are known, and your rights do not reach that far. Asking again changes nothing.",
        (_, 405) => "Use one of the methods that the Allow header names.",
        (_, 406) => "Ask, by Accept or Accept-Encoding, for something that detail names.",
        (_, 409) => "Something is in the way of it: change that, or your request, and try again.",
        (_, 413 | 414 | 431) => "Send less at a time, or ask whoever runs this server for a higher limit.",
        (_, 415) => "Send one of the types that the Accept, Accept-Patch or Accept-Encoding header names.",
        (_, 422) => "The request could be read, and what it says can't be done; detail says why.",
        (_, 429 | 503) => "Wait for the seconds that the Retry-After header says, then try again.",
        (_, 500..) => "It is not your fault. Try again later.",
        _ => "Detail says what was wrong.",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn the_policy_lets_in_the_style_and_nothing_else() {
        assert_eq!(STANDARD.encode(Sha256::digest(STYLE)), STYLE_HASH);
    }
}
