//! A schema with every shape, optional and required, and every kind of relation.

use std::sync::Arc;

use model::{
    Field, IdKind, Keep, Kind, OnDelete, Origin, Resource, ResourceIndex, Schema, Shape,
    field::{JsonSchema, ListOptions, TextOptions},
    resource::Access,
};

/// The people: UUIDs, a boss among themselves, a room.
pub const PEOPLE: ResourceIndex = ResourceIndex(0);
/// The posts: UUIDs, an author, an editor, many tags, lists and JSON.
pub const POSTS: ResourceIndex = ResourceIndex(1);
/// The rooms: serial numbers, an owner.
pub const ROOMS: ResourceIndex = ResourceIndex(2);
/// The tags: named by strings.
pub const TAGS: ResourceIndex = ResourceIndex(3);

/// The schema of all worlds.
#[must_use]
pub fn schema() -> Schema {
    let people = resource(
        "people",
        IdKind::Uuid,
        vec![
            required(text("name", false)),
            text("nick", true),
            field("email", Kind::Email, Shape::Text { fold_case: true }),
            field("age", Kind::Integer { min: None, max: None }, Shape::Integer),
            field("score", Kind::Float { min: None, max: None }, Shape::Float),
            decimal("balance", 12, 2),
            required(field("active", Kind::Boolean, Shape::Boolean)),
            field("born", Kind::Date, Shape::Date),
            required(field("joined", Kind::DateTime, Shape::DateTime)),
            field("key", Kind::Uuid, Shape::Uuid),
            reference("boss", PEOPLE, Shape::Uuid),
            reference("room", ROOMS, Shape::Integer),
        ],
    );
    let status = Kind::Enum { values: vec!["draft".into(), "published".into(), "gone".into()] };
    let posts = resource(
        "posts",
        IdKind::Uuid,
        vec![
            required(text("title", false)),
            field("body", Kind::Text(TextOptions { max: 1_000_000, ..TextOptions::default() }), Shape::TEXT),
            required(field("status", status, Shape::TEXT)),
            decimal("price", 10, 2),
            decimal("rate", 5, 3),
            required(field("views", Kind::Integer { min: None, max: None }, Shape::Integer)),
            field("stars", Kind::Integer { min: None, max: None }, Shape::Integer),
            field("weight", Kind::Float { min: None, max: None }, Shape::Float),
            field("pinned", Kind::Boolean, Shape::Boolean),
            required(reference("author", PEOPLE, Shape::Uuid)),
            reference("editor", PEOPLE, Shape::Uuid),
            many("tags", TAGS, Shape::TEXT),
            list(text("labels", false)),
            list(field("numbers", Kind::Integer { min: None, max: None }, Shape::Integer)),
            field("meta", Kind::Json { max_size: 65_536, schema: Some(Arc::new(json_schema())) }, Shape::Json),
            field("at", Kind::DateTime, Shape::DateTime),
            field("day", Kind::Date, Shape::Date),
        ],
    );
    let rooms = resource("rooms", IdKind::Integer, vec![text("name", false), reference("owner", PEOPLE, Shape::Uuid)]);
    let tags = resource("tags", IdKind::String, vec![required(text("word", true))]);
    Schema::new(vec![people, posts, rooms, tags])
}

fn resource(name: &str, id_kind: IdKind, declared: Vec<Field>) -> Resource {
    let kept = |name, origin, kind, shape| Field { origin, required: true, ..field(name, kind, shape) };
    let id = match id_kind {
        IdKind::Uuid => kept("id", Origin::Id, Kind::Uuid, Shape::Uuid),
        IdKind::Integer => kept("id", Origin::Id, Kind::Integer { min: None, max: None }, Shape::Integer),
        IdKind::String => kept("id", Origin::Id, Kind::String(TextOptions::default()), Shape::TEXT),
    };
    let mut fields = vec![id];
    fields.extend(declared);
    fields.push(kept("created_at", Origin::CreatedAt, Kind::DateTime, Shape::DateTime));
    fields.push(kept("updated_at", Origin::UpdatedAt, Kind::DateTime, Shape::DateTime));
    Resource {
        name: name.into(),
        id_kind,
        fields,
        access: Access::default(),
        validate: Vec::new(),
        indexes: Vec::new(),
        keep: Keep::Full,
        doc: None,
        identity: None,
    }
}

fn field(name: &str, kind: Kind, shape: Shape) -> Field {
    Field {
        name: name.into(),
        kind,
        shape,
        list: None,
        required: false,
        default: None,
        unique: false,
        read: None,
        write: None,
        hidden: false,
        immutable: false,
        renamed_from: None,
        doc: None,
        origin: Origin::Declared,
    }
}

fn text(name: &str, fold_case: bool) -> Field {
    let options = TextOptions { max: 1000, fold_case, ..TextOptions::default() };
    field(name, Kind::String(options), Shape::Text { fold_case })
}

fn decimal(name: &str, precision: u8, scale: u8) -> Field {
    field(name, Kind::Decimal { precision, scale, min: None, max: None }, Shape::Decimal { scale })
}

fn reference(name: &str, to: ResourceIndex, shape: Shape) -> Field {
    let on_delete = OnDelete::Restrict;
    field(name, Kind::Reference { to, on_delete, inverse: None, many: false, max_items: 0 }, shape)
}

fn many(name: &str, to: ResourceIndex, shape: Shape) -> Field {
    let on_delete = OnDelete::Cascade;
    field(name, Kind::Reference { to, on_delete, inverse: None, many: true, max_items: 10_000 }, shape)
}

fn required(field: Field) -> Field {
    Field { required: true, ..field }
}

fn list(field: Field) -> Field {
    Field { list: Some(ListOptions { max_items: 20 }), ..field }
}

#[expect(clippy::expect_used, reason = "a constant schema for tests")]
fn json_schema() -> JsonSchema {
    let document = serde_json::json!({
        "type": "object",
        "properties": {
            "name": { "type": "string" },
            "count": { "type": "integer" },
            "ratio": { "type": "number" },
            "flag": { "type": ["boolean", "null"] },
            "inner": { "type": "object", "properties": { "deep": { "type": "string" } } }
        }
    });
    let validator = jsonschema::validator_for(&document).expect("the constant schema is one");
    JsonSchema { document, validator }
}
