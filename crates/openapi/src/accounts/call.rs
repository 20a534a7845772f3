//! One call: who may make it, what it takes, and what it answers.

use model::Code;
use serde_json::{Map, Value as Json, json};

use super::TAG;
use crate::{
    answers::{answer, empty, header, status_of, told},
    value::reference,
};

const JSON: &str = "application/json";

/// Who may make a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// Anybody.
    Anyone,
    /// Whoever has credentials, a key among them.
    Known,
    /// A person with a session.
    Person,
    /// The same, with a proof under ten minutes old.
    Fresh,
}

/// A call that is being described.
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    id: &'static str,
    summary: &'static str,
    caller: Caller,
    parameters: Vec<Json>,
    body: Json,
    answers: Map<String, Json>,
    codes: Vec<Code>,
}

impl Call {
    pub(super) fn new(method: &'static str, path: &'static str, id: &'static str, summary: &'static str) -> Self {
        // Whatever is asked, these may come.
        let mut codes = vec![
            Code::BadRequest,
            Code::BadCredentials,
            Code::UriTooLong,
            Code::RateLimited,
            Code::HeadersTooLarge,
            Code::Internal,
            Code::Unavailable,
        ];
        if method != "get" {
            codes.push(Code::Csrf);
        }
        // A key can do nothing here, signing in included.
        if path.starts_with("/auth/") {
            codes.push(Code::Forbidden);
        }
        let (parameters, answers) = (Vec::new(), Map::new());
        Self { method, path, id, summary, caller: Caller::Anyone, parameters, body: Json::Null, answers, codes }
    }

    /// For whoever has credentials.
    pub(super) fn known(mut self) -> Self {
        self.caller = Caller::Known;
        self.may(&[Code::Unauthenticated, Code::Forbidden])
    }

    /// For people with a session.
    pub(super) fn person(mut self) -> Self {
        self.caller = Caller::Person;
        self.may(&[Code::Unauthenticated, Code::Forbidden])
    }

    /// For people who have just proved who they are.
    pub(super) fn fresh(self) -> Self {
        let mut call = self.person();
        call.caller = Caller::Fresh;
        call.may(&[Code::Reauthenticate])
    }

    /// Takes a parameter.
    pub(super) fn takes(mut self, parameter: Json) -> Self {
        if parameter["in"] == "query" {
            self.codes.push(Code::BadParameter);
        }
        self.parameters.push(parameter);
        self
    }

    /// Takes a body that has to be there.
    pub(super) fn body(self, schema: &Json) -> Self {
        self.bodies(&[JSON], schema, true)
    }

    /// Takes a body that may be absent, where none of its members has to be there.
    pub(super) fn optional_body(self, schema: &Json) -> Self {
        self.bodies(&[JSON], schema, false)
    }

    /// Takes a body of one of some media types.
    pub(super) fn bodies(mut self, kinds: &[&str], schema: &Json, required: bool) -> Self {
        let content: Map<_, _> = kinds.iter().map(|kind| ((*kind).to_owned(), json!({ "schema": schema }))).collect();
        self.body = json!({ "required": required, "content": content });
        self.may(&[
            Code::MalformedJson,
            Code::RequestTimeout,
            Code::PayloadTooLarge,
            Code::UnsupportedMediaType,
            Code::Validation,
        ])
    }

    /// Answers with JSON.
    pub(super) fn gives(self, status: u16, description: &str, schema: &Json) -> Self {
        self.answers_with(status, answer(description, &[("Cache-Control", "NoStore")], schema))
    }

    /// Answers with nothing but the status.
    pub(super) fn done(self, description: &str) -> Self {
        self.answers_with(204, empty(description, &[("Cache-Control", "NoStore")]))
    }

    pub(super) fn answers_with(mut self, status: u16, answer: Json) -> Self {
        self.answers.insert(status.to_string(), answer);
        self
    }

    /// A session begins here: as tokens, or in a cookie where that is asked for.
    pub(super) fn signs_in(self, status: u16, description: &str, schema: &str) -> Self {
        let mut call = self.gives(status, description, &reference(schema)).with_cookie(status);
        let choice = json!({
            "name": "Mainstay-Session",
            "in": "header",
            "description": "`cookie` puts the session into a cookie, for browsers: `Origin` has to be this app's then.",
            "schema": { "type": "string", "enum": ["cookie"] },
        });
        if !call.parameters.contains(&choice) {
            call.parameters.push(choice);
        }
        call
    }

    /// The answer of this status may set a cookie, or take it away.
    pub(super) fn with_cookie(mut self, status: u16) -> Self {
        if let Some(answer) = self.answers.get_mut(&status.to_string()) {
            answer["headers"]["Set-Cookie"] = header("SetCookie");
        }
        self
    }

    /// May be refused for these reasons, too.
    pub(super) fn may(mut self, codes: &[Code]) -> Self {
        self.codes.extend(codes);
        self
    }

    /// The problems that it may have, together by their statuses.
    pub(super) fn problems(&self) -> Vec<Vec<Code>> {
        let mut codes = self.codes.clone();
        codes.sort_by_key(|code| (code.status(), code.slug()));
        codes.dedup();
        codes.chunk_by(|one, other| one.status() == other.status()).map(<[Code]>::to_vec).collect()
    }

    /// The operation, with a cookie as a way to say who asks where there can be one.
    pub(super) fn finish(self, cookie: bool) -> Json {
        let problems = self.problems();
        let mut answers = self.answers;
        for codes in problems {
            let (key, _) = told(&codes);
            let reference = json!({ "$ref": format!("#/components/responses/{key}") });
            answers.insert(status_of(&codes).to_string(), reference);
        }
        let mut operation = json!({
            "operationId": self.id,
            "summary": self.summary,
            "tags": [TAG],
            "responses": answers,
        });
        let about = match self.caller {
            Caller::Anyone => None,
            Caller::Known => Some("For whoever is signed in, or brings an API key."),
            Caller::Person => Some("For people who are signed in; not for API keys."),
            Caller::Fresh => Some(
                "For people who have signed in or proved who they are less than ten minutes ago \
                 (`POST /auth/reauth`); not for API keys.",
            ),
        };
        if let Some(about) = about {
            operation["description"] = about.into();
            let ways = [json!({ "bearer": [] }), json!({ "cookie": [] })];
            operation["security"] = ways.into_iter().take(if cookie { 2 } else { 1 }).collect();
        }
        if !self.parameters.is_empty() {
            operation["parameters"] = self.parameters.into();
        }
        if !self.body.is_null() {
            operation["requestBody"] = self.body;
        }
        operation
    }
}
