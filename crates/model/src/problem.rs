//! What may go wrong, as a client is told: one table of codes, and problems made from it (RFC 9457).

use serde_json::{Map, Value as Json};

use crate::Caller;

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident $slug:literal $status:literal $title:literal;)*) => {
        /// A kind of problem; its slug is the last part of the problem's `type`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[doc = $doc])* $variant,)* }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The last part of `/problems/{slug}`.
            #[must_use]
            pub fn slug(self) -> &'static str { match self { $(Self::$variant => $slug,)* } }

            /// The HTTP status.
            #[must_use]
            pub fn status(self) -> u16 { match self { $(Self::$variant => $status,)* } }

            /// One line, the same for every problem of the kind.
            #[must_use]
            pub fn title(self) -> &'static str { match self { $(Self::$variant => $title,)* } }

            /// When it is answered: a sentence or more.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),*).trim_ascii_start(),)* }
            }
        }
    };
}

codes! {
    /// The body is no JSON.
    MalformedJson "malformed-json" 400 "The body is not valid JSON";
    /// The request is not one this server can read.
    BadRequest "bad-request" 400 "The request can't be read";
    /// A query parameter is unknown or has a bad value.
    BadParameter "bad-parameter" 400 "A query parameter is wrong";
    /// The filter is no expression over this resource.
    BadFilter "bad-filter" 400 "The filter is wrong";
    /// The cursor was made for another query, or by nobody.
    BadCursor "bad-cursor" 400 "The cursor does not belong to this query";
    /// Nobody is signed in, and somebody has to be.
    Unauthenticated "unauthenticated" 401 "Sign in first";
    /// The credentials are unknown, revoked or expired.
    BadCredentials "bad-credentials" 401 "The credentials are not valid";
    /// An unsafe request that carries or asks for the session cookie comes from no page of ours.
    Csrf "csrf" 403 "The request does not come from a page of this app";
    /// What is asked for needs a fresh proof of who asks.
    Reauthenticate "reauthenticate" 403 "Prove again who you are";
    /// A rule stops this caller.
    Forbidden "forbidden" 403 "You may not do this";
    /// No such path, resource or record for this caller.
    NotFound "not-found" 404 "Not found";
    /// The path exists, the method on it does not.
    MethodNotAllowed "method-not-allowed" 405 "The method is not allowed here";
    /// None of the accepted types can be made.
    NotAcceptable "not-acceptable" 406 "None of the accepted types is available";
    /// The body stopped coming.
    RequestTimeout "request-timeout" 408 "The request took too long to come";
    /// Another record has this value already.
    Conflict "conflict" 409 "The value is taken";
    /// An account has the address that a provider tells.
    LinkRequired "link-required" 409 "Sign in and link the provider";
    /// A reference names a record that does not exist.
    MissingReference "missing-reference" 409 "A reference names no record";
    /// Other records refer to this one.
    InUse "in-use" 409 "Other records refer to this one";
    /// The last person who could administrate the app would be gone.
    LastAdministrator "last-administrator" 409 "Somebody has to administrate";
    /// A retry came while the request with the same idempotency key runs.
    KeyInUse "idempotency-key-in-use" 409 "The first request with this key still runs";
    /// The record has changed since the client read it.
    PreconditionFailed "precondition-failed" 412 "The record has changed";
    /// The body is larger than this server takes.
    PayloadTooLarge "payload-too-large" 413 "The body is too large";
    /// The URL is longer than 32 KB.
    UriTooLong "uri-too-long" 414 "The URL is too long";
    /// The body's type is not one that is understood here.
    UnsupportedMediaType "unsupported-media-type" 415 "The body's media type is not supported";
    /// Fields are missing, unknown, of a wrong type, or break a rule.
    Validation "validation" 422 "Validation failed";
    /// An idempotency key came back with another request.
    KeyReused "idempotency-key-reused" 422 "The key was used with another request";
    /// Too many requests.
    RateLimited "rate-limited" 429 "Too many requests";
    /// The headers are larger than this server takes.
    HeadersTooLarge "headers-too-large" 431 "The headers are too large";
    /// A fault of the server; the log has the cause.
    Internal "internal" 500 "Something went wrong here";
    /// Overloaded, stopping, or the database is out of reach.
    Unavailable "unavailable" 503 "Not available at the moment";
}

/// The most flaws that a problem tells.
const FLAWS: usize = 100;

/// A problem for a client: code, a sentence, and the places in its input that are at fault.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// Which kind.
    pub code: Code,
    /// What is wrong this time, in one sentence without a full stop; never a secret, never another's data.
    pub detail: String,
    /// Which parts of the input are at fault.
    pub errors: Vec<Flaw>,
    /// Further members and headers that the kind asks for.
    pub extra: Extra,
    /// For the log only: the cause of a fault of ours.
    pub cause: Option<String>,
}

/// What some kinds of problem carry besides.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extra {
    /// 405: the methods that are allowed, for `Allow`.
    pub allow: Option<&'static str>,
    /// 503 and 429: seconds, for `Retry-After`.
    pub retry_after: Option<u32>,
    /// 415: what is understood, for `Accept` (POST) or `Accept-Patch`.
    pub accept: Option<(&'static str, &'static str)>,
}

/// One fault in the input.
#[derive(Debug, Clone, PartialEq)]
pub struct Flaw {
    /// JSON Pointer (RFC 6901) into the body, or the parameter's name.
    pub at: Place,
    /// A short word for programs: `required`, `type`, `unknown`, `min`, …
    pub code: &'static str,
    /// A sentence for people.
    pub detail: String,
}

/// Where a flaw is.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// In the body: a JSON Pointer.
    Pointer(String),
    /// In the query: a parameter's name.
    Parameter(String),
}

impl Problem {
    /// A problem with a detail.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new(), extra: Extra::default(), cause: None }
    }

    /// What somebody may not do: a 401 for a stranger, a 403 for all others.
    #[must_use]
    pub fn denied(caller: &Caller, detail: &str) -> Self {
        let code = if caller.identity.is_known() { Code::Forbidden } else { Code::Unauthenticated };
        match &caller.identity.scopes {
            Some(scopes) => {
                Self::new(code, format!("{detail} with this key, whose scopes are {}", scopes.texts().join(", ")))
            }
            None => Self::new(code, detail),
        }
    }

    /// A 422 for these flaws. Only the first of very many are told, so that a small request can't ask for a huge answer.
    #[must_use]
    pub fn validation(mut errors: Vec<Flaw>) -> Self {
        let detail = match errors.as_slice() {
            [only] => only.detail.clone(),
            all if all.len() > FLAWS => {
                format!("{} fields are invalid, of which these are the first {FLAWS}", all.len())
            }
            all => format!("{} fields are invalid", all.len()),
        };
        errors.truncate(FLAWS);
        Self { errors, ..Self::new(Code::Validation, detail) }
    }

    /// A 400 for one query parameter.
    pub fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let flaw = Flaw { at: Place::Parameter(name.to_owned()), code: "invalid", detail: detail.clone() };
        Self { errors: vec![flaw], ..Self::new(Code::BadParameter, detail) }
    }

    /// A 404 that says no more.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "there is no such record, or you may not read it")
    }

    /// A 500 whose cause goes to the log only.
    pub fn internal(cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(Code::Internal, "the log has the cause under this request id") }
    }

    /// A 503 with `Retry-After`; the cause goes to the log only.
    pub fn unavailable(detail: impl Into<String>, cause: impl Into<String>, retry_after: u32) -> Self {
        let mut problem = Self::new(Code::Unavailable, detail);
        problem.extra.retry_after = Some(retry_after);
        problem.cause = Some(cause.into());
        problem
    }

    /// The document of RFC 9457, with the path and id of the request.
    #[must_use]
    pub fn to_json(&self, instance: &str, request_id: &str) -> Json {
        let mut document = Map::new();
        document.insert("type".into(), format!("/problems/{}", self.code.slug()).into());
        document.insert("title".into(), self.code.title().into());
        document.insert("status".into(), self.code.status().into());
        document.insert("detail".into(), self.detail.clone().into());
        document.insert("instance".into(), instance.into());
        document.insert("request_id".into(), request_id.into());
        if !self.errors.is_empty() {
            document.insert("errors".into(), self.errors.iter().map(Flaw::to_json).collect());
        }
        Json::Object(document)
    }

    /// The same problem with every pointer moved under `prefix`, for one element of an array.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        for flaw in &mut self.errors {
            if let Place::Pointer(pointer) = &mut flaw.at {
                pointer.insert_str(0, prefix);
            }
        }
        self
    }
}

impl Flaw {
    /// A flaw at a pointer into the body.
    pub fn pointer(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { at: Place::Pointer(pointer.into()), code, detail: detail.into() }
    }

    fn to_json(&self) -> Json {
        let mut document = Map::new();
        match &self.at {
            Place::Pointer(pointer) => document.insert("pointer".into(), pointer.clone().into()),
            Place::Parameter(name) => document.insert("parameter".into(), name.clone().into()),
        };
        document.insert("code".into(), self.code.into());
        document.insert("detail".into(), self.detail.clone().into());
        Json::Object(document)
    }
}
