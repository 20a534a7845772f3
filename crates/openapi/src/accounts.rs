//! The calls under `/auth`, where the app has people: those that its `[auth]` table opens, and no other.

mod answers;
mod bodies;
mod call;
mod calls;

use model::{IdentitySettings, identity::SignUp};
use serde_json::{Map, Value as Json, json};

use crate::{
    answers::told,
    value::reference,
    view::{Subject, View},
};

/// The tag of these calls.
pub(crate) const TAG: &str = "auth";
/// The names of their types, which those of resources have to leave alone.
pub(crate) const TYPES: [&str; 22] = [
    "AuthAnswer",
    "AuthAsks",
    "AuthChanged",
    "AuthCookie",
    "AuthCreation",
    "AuthFactor",
    "AuthInvite",
    "AuthKey",
    "AuthKeySet",
    "AuthLink",
    "AuthNewKey",
    "AuthNothing",
    "AuthPerson",
    "AuthProved",
    "AuthRecoveryCodes",
    "AuthRenewed",
    "AuthRequest",
    "AuthSession",
    "AuthSignedIn",
    "AuthTicket",
    "AuthTokens",
    "AuthTotp",
];

/// The people of an app, as the document's reader sees them.
#[derive(Clone, Copy)]
pub(crate) struct People<'a> {
    /// Their resource.
    pub(crate) subject: Subject<'a>,
    /// Its `[auth]` table.
    pub(crate) settings: &'a IdentitySettings,
}

impl<'a> People<'a> {
    /// Those of a view; none where the app has none.
    pub(crate) fn of(view: &'a View<'a>) -> Option<Self> {
        let (index, _, settings) = view.schema.people()?;
        Some(Self { subject: view.subject(index), settings })
    }

    /// The same resource as a newcomer writes it: a stranger to every rule, whoever reads the document.
    fn newcomer(self) -> Subject<'a> {
        Subject { outlook: self.subject.stranger(), ..self.subject }
    }

    /// Whether the reader may know what a person's record looks like: it has one, or may have.
    fn may_know_records(self) -> bool {
        self.subject.view.sights.has_id || self.settings.sign_up == SignUp::Open
    }
}

/// Adds the calls, their schemas, and the problems that they alone have.
pub(crate) fn add(
    people: People<'_>,
    cookie: bool,
    paths: &mut Map<String, Json>,
    schemas: &mut Map<String, Json>,
    problems: &mut Map<String, Json>,
) {
    for call in calls::all(people) {
        for codes in call.problems() {
            let (key, problem) = told(&codes);
            problems.entry(key).or_insert(problem);
        }
        let (method, path) = (call.method, call.path);
        let entry = paths.entry(path.to_owned()).or_insert_with(|| json!({}));
        entry[method] = call.finish(cookie);
    }
    schemas.extend(answers::schemas(people));
}

/// One member of the schemas here, for what a list holds.
fn items_of(name: &str) -> Json {
    json!({
        "type": "object",
        "properties": { "items": { "type": "array", "items": reference(name) } },
        "required": ["items"],
        "additionalProperties": false,
    })
}
