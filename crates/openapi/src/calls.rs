//! The calls of one resource.

use serde_json::{Map, Value as Json, json};

use crate::{
    answers::{always, answer, empty, with_problems},
    expand,
    parameters::{self, filters, own, reference as parameter},
    shapes, totals,
    value::reference,
    view::Subject,
    writing,
};

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// Adds the paths of a resource.
pub(crate) fn add(subject: Subject<'_>, paths: &mut Map<String, Json>) {
    let name = &subject.resource.name;
    paths.insert(
        format!("/api/{name}"),
        json!({
            "get": list(subject),
            "post": create(subject),
            "patch": writing::matching(subject, "update"),
            "delete": writing::matching(subject, "delete"),
        }),
    );
    let record = json!({
        "parameters": [parameters::id(subject)],
        "get": get(subject),
        "put": replace(subject),
        "patch": patch(subject),
        "delete": delete(subject),
    });
    paths.insert(format!("/api/{name}/{{id}}"), record);
    paths.insert(format!("/api/{name}/aggregate"), json!({ "get": aggregate(subject) }));
    paths.insert(format!("/api/{name}/events"), json!({ "get": events(subject) }));
}

/// A call that a method of a client could be made of.
fn call(subject: Subject<'_>, id: String, summary: String, open: bool) -> Map<String, Json> {
    let mut call = Map::new();
    call.insert("operationId".into(), id.into());
    call.insert("summary".into(), summary.into());
    call.insert("tags".into(), json!([subject.resource.name]));
    if !open {
        call.insert("description".into(), "Not for strangers: sign in first.".into());
    }
    call
}

fn finished(mut call: Map<String, Json>, parameters: Vec<Json>, body: Json, answers: Json) -> Json {
    if !parameters.is_empty() {
        call.insert("parameters".into(), parameters.into());
    }
    if !body.is_null() {
        call.insert("requestBody".into(), body);
    }
    call.insert("responses".into(), answers);
    call.into()
}

fn body_of(types: &[&str], schema: &Json) -> Json {
    let content: Map<_, _> = types.iter().map(|kind| ((*kind).to_owned(), json!({ "schema": schema }))).collect();
    json!({ "required": true, "content": content })
}

fn list(subject: Subject<'_>) -> Json {
    let (name, names) = (&subject.resource.name, subject.names);
    let mut asked: Vec<Json> = ["filter", "limit", "cursor", "offset", "count"].map(parameter).into();
    asked.extend([own(subject, "sort"), own(subject, "fields")]);
    asked.extend(expand::asked(subject));
    asked.push(parameter("IfNoneMatch"));
    asked.extend(filters(subject, &["filter", "limit", "cursor", "offset", "count", "sort", "fields", "expand"]));
    let page = reference(&format!("{}Page", names.one));
    let headers = [("ETag", "OptionalETag"), ("Link", "Link"), ("Cache-Control", "CacheControl")];
    let mut good =
        answer("A page, in order; as NDJSON or CSV all records, or the first `limit` of them.", &headers, &page);
    good["content"]["application/x-ndjson"] =
        json!({ "schema": { "type": "string", "description": "A record on each line." } });
    good["content"]["text/csv"] = json!({ "schema": { "type": "string", "description": "RFC 4180, with the names of the fields on the first line." } });
    let known = empty("It is what `If-None-Match` names.", &[("ETag", "ETag"), ("Cache-Control", "CacheControl")]);
    let answers = json!({ "200": good, "304": known });
    let call = call(subject, format!("list{}", names.many), format!("List {}", words(name)), true);
    finished(call, asked, Json::Null, with_problems(answers, &[406]))
}

fn create(subject: Subject<'_>) -> Json {
    let names = subject.names;
    let one = reference(&format!("{}Create", names.one));
    let many = json!({ "type": "array", "items": one, "maxItems": 1000 });
    let record = shapes::any_of_record(subject);
    let records = json!({ "type": "array", "items": record });
    let made = json!({ "anyOf": [reference(&names.one), reference(&format!("{}Part", names.one)), records] });
    let headers = [("Location", "OptionalLocation"), ("ETag", "OptionalETag")];
    let mut answers = json!({ "201": writing::written(answer("Created: the record, or a list where a list was sent.", &headers, &made)) });
    let mut asked = vec![parameter("IdempotencyKey"), parameter("Prefer")];
    answers["204"] = writing::minimal();
    let nothing = "Nothing was created: `upsert` has found all that was sent, or the list was empty.";
    answers["200"] = writing::written(answer(nothing, &headers, &made));
    asked.extend(writing::upsert(subject));
    let call = call(
        subject,
        format!("create{}", names.one),
        format!("Create one {}, or all of a list or none", words(&names.word)),
        subject.stranger().create,
    );
    let body = body_of(&[JSON], &json!({ "anyOf": [one, many] }));
    finished(call, asked, body, with_problems(answers, &[403, 406, 408, 409, 413, 415, 422]))
}

fn get(subject: Subject<'_>) -> Json {
    let names = subject.names;
    let headers = [("ETag", "ETag"), ("Cache-Control", "CacheControl")];
    let answers = json!({
        "200": answer("The record.", &headers, &shapes::any_of_record(subject)),
        "304": empty("It is what `If-None-Match` names.", &headers),
    });
    let mut asked = vec![own(subject, "fields")];
    asked.extend(expand::asked(subject));
    asked.push(parameter("IfNoneMatch"));
    let call = call(subject, format!("get{}", names.one), format!("Get one {}", words(&names.word)), true);
    finished(call, asked, Json::Null, with_problems(answers, &[404, 406]))
}

fn replace(subject: Subject<'_>) -> Json {
    let names = subject.names;
    let record = shapes::any_of_record(subject);
    let now = writing::written(answer("The record as it is now.", &[("ETag", "ETag")], &record));
    let mut answers = json!({ "200": now, "204": writing::minimal() });
    let mut asked = vec![parameter("IfMatch"), parameter("Prefer")];
    let creates = subject.resource.id_kind == model::IdKind::String;
    if creates {
        let headers = [("ETag", "ETag"), ("Location", "Location")];
        answers["201"] = answer("Created: no record had this id.", &headers, &record);
        asked.push(parameter("CreateOnly"));
    }
    let summary = match creates {
        true => format!("Replace one {}, or create it under this id", words(&names.word)),
        false => format!("Replace one {}", words(&names.word)),
    };
    let open = subject.stranger().update || (creates && subject.stranger().create);
    let call = call(subject, format!("replace{}", names.one), summary, open);
    let body = body_of(&[JSON], &reference(&format!("{}Replace", names.one)));
    finished(call, asked, body, with_problems(answers, &[403, 404, 406, 408, 409, 412, 413, 415, 422]))
}

fn patch(subject: Subject<'_>) -> Json {
    let names = subject.names;
    let record = shapes::any_of_record(subject);
    let now = writing::written(answer("The record as it is now.", &[("ETag", "ETag")], &record));
    let answers = json!({ "200": now, "204": writing::minimal() });
    let summary = format!("Change fields of one {}", words(&names.word));
    let call = call(subject, format!("update{}", names.one), summary, subject.stranger().update);
    let body = body_of(&[MERGE_PATCH, JSON], &reference(&format!("{}Patch", names.one)));
    let answers = with_problems(answers, &[403, 404, 406, 408, 409, 412, 413, 415, 422]);
    let asked = ["IfMatch", "IdempotencyKey", "Prefer"].map(parameter).into();
    finished(call, asked, body, answers)
}

fn delete(subject: Subject<'_>) -> Json {
    let names = subject.names;
    let answers = json!({ "204": empty("It is gone.", &[]) });
    let summary = format!("Delete one {}", words(&names.word));
    let call = call(subject, format!("delete{}", names.one), summary, subject.stranger().delete);
    let answers = with_problems(answers, &[403, 404, 409, 412]);
    finished(call, vec![parameter("IfMatch")], Json::Null, answers)
}

fn aggregate(subject: Subject<'_>) -> Json {
    let (name, names) = (&subject.resource.name, subject.names);
    let (asked, answers) = totals::call(subject);
    let call = call(subject, format!("aggregate{}", names.many), format!("Group and total {}", words(name)), true);
    finished(call, asked, Json::Null, answers)
}

fn events(subject: Subject<'_>) -> Json {
    let (name, names) = (&subject.resource.name, subject.names);
    let position = |name: &str, place: &str, description: &str| {
        let schema = json!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": i64::MAX });
        json!({ "name": name, "in": place, "description": description, "schema": schema })
    };
    let mut asked = vec![parameter("filter"), own(subject, "fields")];
    asked.push(position("Last-Event-ID", "header", "Go on after the event of this id, without a gap."));
    asked.push(position("last_event_id", "query", "The same, for who can't send the header."));
    asked.extend(filters(subject, &["filter", "fields", "last_event_id"]));
    let stream = json!({
        "description": "A stream that does not end: `event: created`, `updated`, `deleted` or `left`, `id:` the position, `data:` the record as JSON (the id alone for `deleted` and `left`). `event: reset` says to read the list anew.",
        "headers": always(&[]),
        "content": { "text/event-stream": { "schema": { "type": "string" } } },
    });
    let mut call = call(subject, format!("watch{}", names.many), format!("Watch {} change", words(name)), true);
    call.insert(
        "description".into(),
        "Server-sent events: only of records that the caller may read, judged as they happen.".into(),
    );
    finished(call, asked, Json::Null, with_problems(json!({ "200": stream }), &[406]))
}

/// `order_lines` → `order lines`
fn words(name: &str) -> String {
    name.replace('_', " ")
}
