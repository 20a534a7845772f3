//! Whether the schema is the app's.

use model::Code;

use super::world::{World, refused};

pub async fn the_schema_is_compared(world: &World) {
    assert_eq!(world.store.ready(world.catalog()).await, Ok(()));
    let (other, _) = rules::Catalog::compile(model::Schema::new(Vec::new())).expect("an empty app");
    assert_eq!(refused(world.store.ready(&other).await).0, Code::Unavailable);
}
