//! `POST /api/batch`: `{"operations": [{"method", "path", "body", "if_match"}, …]}`, read into steps.
//!
//! What is wrong with the operations themselves is told of all of them at once, under `/operations/N`.

use engine::Step;
use model::{Code, Flaw, Problem, problem::Place};
use rules::plan::Precondition;
use serde_json::{Map, Value as Json};

use web::preconditions;

use crate::query;

/// The most operations of a batch.
const AT_ONCE: usize = 100;
/// The members of an operation.
const MEMBERS: &[&str] = &["body", "if_match", "method", "path"];
/// The methods of an operation.
const METHODS: &[&str] = &["POST", "PUT", "PATCH", "DELETE"];

/// The steps of a batch.
///
/// # Errors
/// 422 for a body that is no batch, with every flaw; 400, 404 and 405 for a path that can't be called.
pub(crate) fn read(body: Json) -> Result<Vec<Step>, Problem> {
    let Json::Object(mut members) = body else { return Err(wrong("", "type", "expected an object")) };
    let mut flaws = Vec::new();
    refuse_unknown(&members, &["operations"], "", &mut flaws);
    let operations = match members.remove("operations") {
        Some(Json::Array(operations)) => operations,
        Some(_) => return Err(wrong("/operations", "type", "expected an array of operations")),
        None => {
            flaws.push(Flaw::pointer("/operations", "required", "operations is required"));
            return Err(Problem::validation(flaws));
        }
    };
    if operations.len() > AT_ONCE {
        let detail = format!("{AT_ONCE} operations at most at once; these are {}", operations.len());
        return Err(wrong("/operations", "max_items", &detail));
    }
    let mut steps = Vec::with_capacity(operations.len());
    let mut first = None;
    for (number, operation) in operations.into_iter().enumerate() {
        match step(operation, &format!("/operations/{number}")) {
            Ok(step) => steps.push(step),
            Err(problem) if problem.code == Code::Validation => flaws.extend(problem.errors),
            Err(problem) => first = first.or(Some(problem)),
        }
    }
    match first {
        _ if !flaws.is_empty() => Err(Problem::validation(flaws)),
        Some(problem) => Err(problem),
        None => Ok(steps),
    }
}

fn step(operation: Json, at: &str) -> Result<Step, Problem> {
    let Json::Object(mut members) = operation else { return Err(wrong(at, "type", "expected an object")) };
    let mut flaws = Vec::new();
    refuse_unknown(&members, MEMBERS, at, &mut flaws);
    let method = text(&mut members, "method", at, &mut flaws);
    if let Some(method) = method.as_deref().filter(|method| !METHODS.contains(method)) {
        let near = rules::nearest(&method.to_ascii_uppercase(), METHODS.iter().copied());
        let help = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
        let detail = format!("`{method}` is none of {}{help}", METHODS.join(", "));
        flaws.push(Flaw::pointer(format!("{at}/method"), "enum", detail));
    }
    let path = text(&mut members, "path", at, &mut flaws);
    let body = members.remove("body");
    match (method.as_deref(), &body) {
        (Some("DELETE"), Some(_)) => flaws.push(Flaw::pointer(format!("{at}/body"), "body", "a DELETE has no body")),
        (Some("POST" | "PUT" | "PATCH"), None) => {
            flaws.push(Flaw::pointer(format!("{at}/body"), "required", "body is required"));
        }
        (Some("POST"), Some(Json::Array(_))) => {
            let detail = "one record for each operation; make it several operations";
            flaws.push(Flaw::pointer(format!("{at}/body"), "type", detail));
        }
        _ => {}
    }
    let precondition = match members.remove("if_match") {
        None => Precondition::None,
        Some(Json::String(_)) if method.as_deref() == Some("POST") => {
            flaws.push(Flaw::pointer(format!("{at}/if_match"), "if_match", "a new record has no version to match"));
            Precondition::None
        }
        Some(Json::String(tags)) => preconditions::of_tags(&tags),
        Some(_) => {
            flaws.push(Flaw::pointer(format!("{at}/if_match"), "type", "expected a string: an ETag, or `*`"));
            Precondition::None
        }
    };
    if !flaws.is_empty() {
        return Err(Problem::validation(flaws));
    }
    let path = path.unwrap_or_default();
    let path = Path::read(&path).map_err(|problem| at_path(problem, at))?;
    let method = method.unwrap_or_default();
    path.step(&method, body.unwrap_or_default(), precondition).map_err(|problem| at_path(problem, at))
}

/// `/api/{resource}` or `/api/{resource}/{id}`, taken apart.
struct Path<'a> {
    resource: String,
    id: Option<String>,
    query: Option<&'a str>,
}

impl<'a> Path<'a> {
    fn read(text: &'a str) -> Result<Self, Problem> {
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text, None),
        };
        let foreign = || wrong("", "path", "expected /api/{resource} or /api/{resource}/{id}");
        let mut segments = path.strip_prefix("/api/").ok_or_else(foreign)?.split('/');
        let decoded = |segment: &str| query::decode(segment).filter(|text| !text.is_empty()).ok_or_else(foreign);
        let resource = decoded(segments.next().unwrap_or(""))?;
        let id = segments.next().map(decoded).transpose()?;
        if segments.next().is_some() {
            return Err(foreign());
        }
        if resource == "batch" {
            return Err(wrong("", "path", "a batch can't be in a batch"));
        }
        Ok(Self { resource, id, query })
    }

    fn step(self, method: &str, body: Json, precondition: Precondition) -> Result<Step, Problem> {
        let Self { resource, id, query } = self;
        match (method, id) {
            ("POST", None) => Ok(Step::Create { resource, body, upsert: query::of_creation(query)? }),
            ("PUT", Some(id)) => {
                query::none(query)?;
                Ok(Step::Replace { resource, id, body, precondition })
            }
            ("PATCH", Some(id)) => {
                query::none(query)?;
                Ok(Step::Patch { resource, id, body, precondition })
            }
            ("DELETE", Some(id)) => {
                query::none(query)?;
                Ok(Step::Delete { resource, id, precondition })
            }
            ("POST", Some(_)) => Err(not_allowed("POST is for /api/{resource}".to_owned(), "PUT, PATCH, DELETE")),
            (method, _) => {
                let detail = format!("in a batch, {method} is for one record: /api/{{resource}}/{{id}}");
                Err(not_allowed(detail, "POST"))
            }
        }
    }
}

/// 405 with what a batch allows on the path.
fn not_allowed(detail: String, allow: &'static str) -> Problem {
    let mut problem = Problem::new(Code::MethodNotAllowed, detail);
    problem.extra.allow = Some(allow);
    problem
}

fn text(members: &mut Map<String, Json>, name: &str, at: &str, flaws: &mut Vec<Flaw>) -> Option<String> {
    let (code, detail) = match members.remove(name) {
        Some(Json::String(text)) => return Some(text),
        Some(_) => ("type", format!("{name} must be a string")),
        None => ("required", format!("{name} is required")),
    };
    flaws.push(Flaw::pointer(format!("{at}/{name}"), code, detail));
    None
}

fn refuse_unknown(members: &Map<String, Json>, known: &[&str], at: &str, flaws: &mut Vec<Flaw>) {
    for name in members.keys().filter(|name| !known.contains(&name.as_str())) {
        let near = rules::nearest(name, known.iter().copied());
        let help = match near {
            Some(near) => format!(", did you mean `{near}`?"),
            None => format!("; known here: {}", known.join(", ")),
        };
        let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        flaws.push(Flaw::pointer(pointer, "unknown", format!("`{name}` is unknown{help}")));
    }
}

fn wrong(at: &str, code: &'static str, detail: &str) -> Problem {
    Problem::validation(vec![Flaw::pointer(at, code, detail)])
}

/// A problem with the path of an operation.
fn at_path(mut problem: Problem, at: &str) -> Problem {
    if problem.errors.is_empty() {
        problem.errors.push(Flaw::pointer("", problem.code.slug(), problem.detail.clone()));
    }
    for flaw in &mut problem.errors {
        flaw.at = Place::Pointer(format!("{at}/path"));
    }
    problem
}
