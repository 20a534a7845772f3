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

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use model::{Action, Field, Kind, OnDelete, Problem, ResourceIndex};
use rules::{
    Allowed, Catalog, Gate,
    plan::{Write, Written},
};
use store::{Beside, Store};

use crate::turns::Turns;

pub use batch::Step;
pub use clock::{Clock, SystemClock};
pub use load::{LoadCounts, LoadId, LoadRow, Loader, OnConflict};
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
    people_watcher: OnceLock<PeopleWatcher>,
}

/// Told after a commit that somebody's record has changed, by the id as text; or without one that anybody's may have.
pub type PeopleWatcher = Box<dyn Fn(Option<&str>) + Send + Sync>;

impl Engine {
    /// Serves an app from a store.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        let gate = ArcSwap::from_pointee(Gate::new(catalog));
        Self { gate, store, clock, turns: Arc::default(), people_watcher: OnceLock::new() }
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

    /// Has somebody told of every committed change of a person; the first one only.
    pub fn watch_people(&self, watcher: PeopleWatcher) {
        // There is one identity to a server.
        let _ = self.people_watcher.set(watcher);
    }

    /// Every write of every operation goes this way.
    pub(crate) async fn commit(&self, write: Allowed<Write>, beside: Beside) -> Result<Vec<Written>, Problem> {
        let written = self.store.write_beside(write, beside).await?;
        if let Some(watcher) = self.people_watcher.get() {
            tell(&written, watcher);
        }
        Ok(written)
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

/// Tells whose records have changed: those that were written, and with a deletion those that may have gone along.
fn tell(written: &[Written], watcher: &PeopleWatcher) {
    let Some(first) = written.first() else { return };
    let Some((people, resource, _)) = first.plan.catalog.schema.people() else { return };
    let follows = |one: &Written| one.action == Action::Deleted && resource.fields.iter().any(is_cascading);
    if written.iter().any(follows) {
        return watcher(None);
    }
    for one in written.iter().filter(|one| one.plan.resource == people) {
        watcher(Some(&store::id_text(one.record.id())));
    }
}

fn is_cascading(field: &Field) -> bool {
    matches!(field.kind, Kind::Reference { on_delete: OnDelete::Cascade, .. })
}
