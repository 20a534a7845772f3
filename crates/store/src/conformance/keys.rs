//! API keys, and whether the schema is the app's.

use model::Code;

use super::world::{World, refused};
use crate::StoredKey;

pub async fn a_key_is_found_by_its_id(world: &World) {
    let key = StoredKey {
        id: "k1".into(),
        name: "Ann's \"key\"".into(),
        hash: (0..=255).collect(),
        roles: vec!["admin".into(), "ä".into()],
        created_at: 7,
    };
    world.store.add_key(key.clone()).await.expect("a new key");
    assert_eq!(world.store.find_key("k1").await, Ok(Some(key)));
    assert_eq!(world.store.find_key("k2").await, Ok(None));
    assert_eq!(world.store.find_key("\0").await, Ok(None));
}

pub async fn the_schema_is_compared(world: &World) {
    assert_eq!(world.store.ready(world.catalog()).await, Ok(()));
    let (other, _) = rules::Catalog::compile(model::Schema::new(Vec::new())).expect("an empty app");
    assert_eq!(refused(world.store.ready(&other).await).0, Code::Unavailable);
}
