//! `/openapi.json` and `/docs`: what the API of the running app is, and a page to read and try it.
//!
//! The document is made of the catalog in force, for the caller who asks: a field that it may not read, or a hidden one,
//! is not in it. So what it says holds for its reader, and nobody learns names from it that no answer would show.

mod accounts;
mod answers;
mod calls;
mod document;
mod example;
mod expand;
mod names;
mod others;
mod pages;
mod parameters;
mod shapes;
mod totals;
mod value;
mod view;
mod writing;

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use engine::Engine;
use http::{HeaderValue, Response, StatusCode, header};
use model::{Caller, caller::Identity};
use parking_lot::Mutex;
use rules::{Catalog, Gate};
use serde_json::Value as Json;
use web::{Body, Request};

use crate::view::{Sights, outlooks};

/// The most documents that are kept; past it they are made anew.
const KEPT: usize = 32;

/// Where an app is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The URL that its paths are under.
    pub server: String,
    /// The name of its session cookie; none where it can have none.
    pub cookie: Option<String>,
}

/// The document and the page of an engine's app.
pub struct OpenApi {
    engine: Arc<Engine>,
    title: String,
    site: Site,
    kept: Mutex<Kept>,
}

/// Documents of one version of the app, by what their readers see.
#[derive(Default)]
struct Kept {
    catalog: Option<Arc<Catalog>>,
    documents: HashMap<Sights, Bytes>,
}

impl OpenApi {
    /// Speaks for an engine's app, under a title; the cookie is the one that its sessions may have.
    #[must_use]
    pub fn new(engine: Arc<Engine>, title: String, cookie: Option<String>) -> Self {
        Self { engine, title, site: Site { server: "/".to_owned(), cookie }, kept: Mutex::default() }
    }

    /// Answers `/openapi.json`: what the caller may see.
    pub fn document(&self, request: &Request<'_>) -> Response<Body> {
        let mut reply = web::json_reply(StatusCode::OK, Vec::new());
        let headers = reply.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert(header::VARY, HeaderValue::from_static("Authorization, Cookie"));
        *reply.body_mut() = Body::Whole(Some(self.bytes(&request.caller())));
        reply
    }

    /// The page at `/docs`, or a file that it loads from below it; none where there is no such file.
    #[must_use]
    pub fn page(file: Option<&str>) -> Option<Response<Body>> {
        pages::find(file)
    }

    fn bytes(&self, caller: &Caller) -> Bytes {
        let gate = self.engine.gate();
        let sights = sights(&gate, caller);
        let mut kept = self.kept.lock();
        let current = kept.catalog.as_ref().is_some_and(|catalog| Arc::ptr_eq(catalog, gate.catalog()));
        if !current || kept.documents.len() >= KEPT {
            *kept = Kept { catalog: Some(Arc::clone(gate.catalog())), documents: HashMap::new() };
        }
        if let Some(bytes) = kept.documents.get(&sights) {
            return bytes.clone();
        }
        let document = document::make(&gate.catalog().schema, &sights, &self.title, &self.site);
        let bytes = Bytes::from(document.to_string());
        kept.documents.insert(sights, bytes.clone());
        bytes
    }
}

/// The document of an app as a caller sees it.
#[must_use]
pub fn document(catalog: &Arc<Catalog>, caller: &Caller, title: &str, site: &Site) -> Json {
    let gate = Gate::new(Arc::clone(catalog));
    document::make(&catalog.schema, &sights(&gate, caller), title, site)
}

fn sights(gate: &Gate, caller: &Caller) -> Sights {
    let stranger = Caller { identity: Arc::new(Identity::anonymous()), ..caller.clone() };
    Sights::of(gate, caller, &Arc::new(outlooks(gate, &stranger)))
}
