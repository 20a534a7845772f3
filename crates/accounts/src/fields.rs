//! The members of a body.

use http::header;
use model::{Flaw, Problem, problem::Place};
use serde_json::{Map, Value as Json};
use web::Request;

const JSON: &[&str] = &["application/json"];
/// The most characters of any text that is no field of a record.
const LONGEST: usize = 4 << 10;

/// Members that are taken one by one; what is left at the end is unknown.
#[derive(Debug)]
pub(crate) struct Fields {
    members: Map<String, Json>,
    known: Vec<&'static str>,
    flaws: Vec<Flaw>,
}

/// Whether something can be a text at all.
fn fits(text: &str) -> bool {
    text.chars().count() <= LONGEST && !text.contains('\0')
}

impl Fields {
    /// Reads a JSON object; no body at all is an empty one.
    pub(crate) async fn read(request: &mut Request<'_>) -> Result<Self, Problem> {
        let announced = request.header(header::CONTENT_LENGTH);
        let untold =
            request.header(header::TRANSFER_ENCODING).is_none() && request.header(header::CONTENT_TYPE).is_none();
        let empty = announced.map_or(untold, |length| length == "0");
        let members = if empty {
            Map::new()
        } else {
            match request.json(JSON, ("accept", "application/json")).await? {
                Json::Object(members) => members,
                _ => return Err(Problem::validation(vec![Flaw::pointer("", "type", "expected an object")])),
            }
        };
        Ok(Self { members, known: Vec::new(), flaws: Vec::new() })
    }

    /// A text that may be absent.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        match self.members.remove(name) {
            None | Some(Json::Null) => None,
            Some(Json::String(text)) if fits(&text) => Some(text),
            Some(other) => {
                match other {
                    Json::String(text) if text.contains('\0') => {
                        self.refuse(name, "nul", format!("{name} must not contain the NUL character"));
                    }
                    Json::String(_) => self.refuse(name, "max", format!("{name} has at most {LONGEST} characters")),
                    _ => self.refuse(name, "type", format!("{name} must be a string")),
                }
                None
            }
        }
    }

    /// A text that has to be there.
    pub(crate) fn required(&mut self, name: &'static str) -> String {
        let before = self.flaws.len();
        let text = self.text(name);
        if text.is_none() && self.flaws.len() == before {
            self.refuse(name, "required", format!("{name} is required"));
        }
        text.unwrap_or_default()
    }

    /// A text under one of two names.
    pub(crate) fn required_either(&mut self, name: &'static str, other: &'static str) -> String {
        match self.text(other) {
            Some(text) if !self.members.contains_key(name) => text,
            _ => self.required(name),
        }
    }

    /// Any JSON that may be absent.
    pub(crate) fn json(&mut self, name: &'static str) -> Option<Json> {
        self.known.push(name);
        self.members.remove(name).filter(|json| !json.is_null())
    }

    /// Any JSON that has to be there.
    pub(crate) fn required_json(&mut self, name: &'static str) -> Json {
        self.json(name).unwrap_or_else(|| {
            self.refuse(name, "required", format!("{name} is required"));
            Json::Null
        })
    }

    /// A truth; false where absent.
    pub(crate) fn flag(&mut self, name: &'static str) -> bool {
        self.known.push(name);
        match self.members.remove(name) {
            None | Some(Json::Null) => false,
            Some(Json::Bool(truth)) => truth,
            Some(_) => {
                self.refuse(name, "type", format!("{name} must be true or false"));
                false
            }
        }
    }

    /// A list of texts; none where absent.
    pub(crate) fn texts(&mut self, name: &'static str) -> Vec<String> {
        self.known.push(name);
        let texts = match self.members.remove(name) {
            None | Some(Json::Null) => Some(Vec::new()),
            Some(Json::Array(items)) if items.len() <= 100 => {
                items.into_iter().map(|item| item.as_str().filter(|text| fits(text)).map(str::to_owned)).collect()
            }
            Some(_) => None,
        };
        texts.unwrap_or_else(|| {
            self.refuse(name, "type", format!("{name} must be a list of at most 100 strings"));
            Vec::new()
        })
    }

    /// The same, told apart from a list that is not there.
    pub(crate) fn texts_or_none(&mut self, name: &'static str) -> Option<Vec<String>> {
        let absent = self.members.get(name).is_none_or(Json::is_null);
        let texts = self.texts(name);
        (!absent).then_some(texts)
    }

    /// Whether something is wrong with a member already.
    pub(crate) fn is_flawed(&self, pointer: &str) -> bool {
        self.flaws.iter().any(|flaw| matches!(&flaw.at, Place::Pointer(at) if at == pointer))
    }

    /// Notes what is wrong with a member.
    pub(crate) fn flaw(&mut self, flaw: Flaw) {
        self.flaws.push(flaw);
    }

    /// What is left, as the body of a record; what was wrong with the rest goes along.
    pub(crate) fn rest(self) -> (Json, Vec<Flaw>) {
        (Json::Object(self.members), self.flaws)
    }

    /// # Errors
    /// 422 for all that is wrong, unknown members among it.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        for name in self.members.keys() {
            let near = rules::nearest(name, self.known.iter().copied());
            let help = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            self.flaws.push(Flaw::pointer(pointer, "unknown", format!("there is no `{name}` here{help}")));
        }
        if self.flaws.is_empty() { Ok(()) } else { Err(Problem::validation(self.flaws)) }
    }

    fn refuse(&mut self, name: &str, code: &'static str, detail: String) {
        self.flaws.push(Flaw::pointer(format!("/{name}"), code, detail));
    }
}
