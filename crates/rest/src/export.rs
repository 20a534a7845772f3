//! `GET /api/{resource}` as `application/x-ndjson` or `text/csv`: the whole list, as a stream.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use engine::{Engine, Rows};
use http::{HeaderValue, Method, Response, header};
use model::Problem;
use rules::export::Form;
use web::{Body, Broken, Request};

use crate::{query, read::PRIVATE};

/// Answers the whole list.
pub(crate) async fn answer(
    engine: &Engine,
    request: &Request<'_>,
    resource: &str,
    form: Form,
) -> Result<Response<Body>, Problem> {
    let mut asked = query::of_export(request.query)?;
    let head = request.method == Method::HEAD;
    if head {
        // What is wrong with the query is told; no record is needed for the rest.
        asked.page.limit = 0;
    }
    let suggest = |problem| web::suggest(problem, &query::NAMES);
    let rows = engine.export(request.caller(), resource, asked, form).await.map_err(suggest)?;
    let body = if head { Body::empty() } else { body(rows, &request.id) };
    let mut reply = Response::new(body);
    let headers = reply.headers_mut();
    headers.insert(header::CACHE_CONTROL, PRIVATE);
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    match form {
        Form::Ndjson => headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")),
        Form::Csv { .. } => {
            let file = format!("attachment; filename=\"{resource}.csv\"");
            if let Ok(file) = HeaderValue::from_str(&file) {
                headers.insert(header::CONTENT_DISPOSITION, file);
            }
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present"))
        }
    };
    Ok(reply)
}

fn body(rows: Rows, request_id: &str) -> Body {
    Body::Pieces(Box::pin(Pieces { rows, request_id: request_id.to_owned() }))
}

struct Pieces {
    rows: Rows,
    request_id: String,
}

impl futures_util::Stream for Pieces {
    type Item = Result<Bytes, Broken>;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let next = match ready!(self.rows.poll_next(context)) {
                None => return Poll::Ready(None),
                Some(Ok(piece)) if piece.bytes.is_empty() => continue,
                Some(Ok(piece)) => Ok(Bytes::from(piece.bytes)),
                Some(Err(problem)) => {
                    let (request_id, cause) = (&*self.request_id, problem.cause.as_deref());
                    tracing::warn!(request_id, cause, detail = problem.detail, "a stream of records broke off");
                    Err(Broken)
                }
            };
            return Poll::Ready(Some(next));
        }
    }
}
