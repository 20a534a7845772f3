//! The path that every request takes: resolve, read the input, pass the gate, store, answer.
//!
//! Protocols decode, call one of the operations here, and encode; nothing that decides stands in them.

mod aggregate;
mod batch;
mod clock;
mod cursor;
mod export;
mod input;
mod load;
mod once;
mod operations;
mod output;
mod people;
mod rehearse;
mod turns;
mod writes;

use std::sync::Arc;

use arc_swap::ArcSwap;
use model::{Problem, ResourceIndex};
use rules::{Catalog, Gate};
use store::Store;

use crate::turns::Turns;

pub use batch::Step;
pub use clock::{Clock, SystemClock};
pub use load::{LoadCounts, LoadRow, Loader, OnConflict};
pub use once::{Kept, Once, Outcome};
pub use operations::{Answer, ListAnswer, ListRequest, Target};
pub use output::{entity_tag, revision_of, write_fields};
pub use people::{Account, AccountChange, AccountKey, Terms};
pub use rehearse::Rehearsal;
pub use store::rows::Rows;
pub use writes::{Done, Task};

/// An app that is being served: its rules, replaced as a whole when its files change, and its data.
pub struct Engine {
    gate: ArcSwap<Gate>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    turns: Arc<Turns>,
}

impl Engine {
    /// Serves an app from a store.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { gate: ArcSwap::from_pointee(Gate::new(catalog)), store, clock, turns: Arc::default() }
    }

    /// The rules in force.
    #[must_use]
    pub fn gate(&self) -> Arc<Gate> {
        self.gate.load_full()
    }

    /// Puts another version of the app in force; requests under way finish with the one they began with.
    pub fn put_in_force(&self, catalog: Arc<Catalog>) {
        self.gate.store(Arc::new(Gate::new(catalog)));
    }

    /// Where the records are.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What time it is.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The resource of a name.
    ///
    /// # Errors
    /// 404, with the nearest name.
    pub fn resource(gate: &Gate, name: &str) -> Result<ResourceIndex, Problem> {
        let schema = &gate.catalog().schema;
        schema.find(name).ok_or_else(|| {
            let names = schema.resources().iter().map(|resource| resource.name.as_str());
            let near = rules::nearest(name, names);
            let help = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
            Problem::new(model::Code::NotFound, format!("there is no resource `{name}`{help}"))
        })
    }
}
