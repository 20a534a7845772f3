//! A schema with every shape, every kind of reference, and rules through relations.

use model::{
    Field, FieldIndex, IdKind, Index, Keep, Kind, OnDelete, Origin, Resource, ResourceIndex, Schema, Shape,
    field::{ListOptions, TextOptions},
    resource::Access,
};

const PEOPLE: ResourceIndex = ResourceIndex(1);
const ROOMS: ResourceIndex = ResourceIndex(3);
const TAGS: ResourceIndex = ResourceIndex(4);

/// Notes in rooms, people, posts by people, rooms in chains, tags, visits by people.
#[must_use]
pub fn schema() -> Schema {
    let open = || Some("record.room.name == \"open\"".to_owned());
    let mut notes = resource(
        "notes",
        IdKind::String,
        vec![
            text("body", false),
            Field { read: Some("record.room.owner.age > 17".to_owned()), ..text("secret", false) },
            reference("room", ROOMS, Shape::TEXT, OnDelete::Cascade),
        ],
    );
    notes.access = Access {
        read: open(),
        create: Some("new.room.name == \"open\"".to_owned()),
        update: Some("record.room.name == \"open\" && new.room.name == \"open\"".to_owned()),
        delete: Some("record.room.owner.name == \"Ann\"".to_owned()),
    };
    let people = resource(
        "people",
        IdKind::Uuid,
        vec![
            required(text("name", false)),
            unique(field("email", Kind::Email, Shape::Text { fold_case: true })),
            field("age", Kind::Integer { min: None, max: None }, Shape::Integer),
        ],
    );
    let list =
        |name: &str, field: Field| Field { name: name.into(), list: Some(ListOptions { max_items: 20 }), ..field };
    let integer = |name| field(name, Kind::Integer { min: None, max: None }, Shape::Integer);
    let float = |name| field(name, Kind::Float { min: None, max: None }, Shape::Float);
    let mut posts = resource(
        "posts",
        IdKind::Integer,
        vec![
            required(text("title", false)),
            text("nick", true),
            required(reference("author", PEOPLE, Shape::Uuid, OnDelete::Cascade)),
            reference("editor", PEOPLE, Shape::Uuid, OnDelete::SetNull),
            reference("room", ROOMS, Shape::TEXT, OnDelete::Restrict),
            many("tags", TAGS, Shape::TEXT),
            integer("views"),
            decimal("price"),
            float("ratio"),
            field("flag", Kind::Boolean, Shape::Boolean),
            field("at", Kind::DateTime, Shape::DateTime),
            field("day", Kind::Date, Shape::Date),
            unique(field("token", Kind::Uuid, Shape::Uuid)),
            field("meta", Kind::Json { max_size: 65_536, schema: None }, Shape::Json),
            list("labels", text("", false)),
            list("numbers", integer("")),
            list("floats", float("")),
            list("amounts", decimal("")),
            list("flags", field("", Kind::Boolean, Shape::Boolean)),
            list("moments", field("", Kind::DateTime, Shape::DateTime)),
            list("days", field("", Kind::Date, Shape::Date)),
            list("uuids", field("", Kind::Uuid, Shape::Uuid)),
        ],
    );
    let place = |resource: &Resource, name: &str| resource.field(name).unwrap_or(FieldIndex(0));
    posts.indexes = vec![Index {
        name: "by_author".into(),
        columns: vec![(place(&posts, "author"), false), (place(&posts, "title"), false)],
        unique: true,
        renamed_from: None,
    }];
    let rooms = resource(
        "rooms",
        IdKind::String,
        vec![
            text("name", false),
            reference("owner", PEOPLE, Shape::Uuid, OnDelete::SetNull),
            reference("next", ROOMS, Shape::TEXT, OnDelete::Cascade),
        ],
    );
    let tags = resource("tags", IdKind::String, vec![text("word", true)]);
    // For everybody, so that nothing is written beside a record of it.
    let mut visits = resource(
        "visits",
        IdKind::Integer,
        vec![
            required(text("page", false)),
            required(reference("guest", PEOPLE, Shape::Uuid, OnDelete::Cascade)),
            text("note", false),
        ],
    );
    let all = || Some("true".to_owned());
    visits.access = Access { read: all(), create: all(), ..Access::default() };
    visits.indexes = vec![Index {
        name: "once".into(),
        columns: vec![(place(&visits, "guest"), false), (place(&visits, "page"), false)],
        unique: true,
        renamed_from: None,
    }];
    Schema::new(vec![notes, people, posts, rooms, tags, visits])
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

fn decimal(name: &str) -> Field {
    field(name, Kind::Decimal { precision: 12, scale: 2, min: None, max: None }, Shape::Decimal { scale: 2 })
}

fn reference(name: &str, to: ResourceIndex, shape: Shape, on_delete: OnDelete) -> Field {
    field(name, Kind::Reference { to, on_delete, inverse: None, many: false, max_items: 0 }, shape)
}

fn many(name: &str, to: ResourceIndex, shape: Shape) -> Field {
    let on_delete = OnDelete::Cascade;
    field(name, Kind::Reference { to, on_delete, inverse: None, many: true, max_items: 100 }, shape)
}

fn required(field: Field) -> Field {
    Field { required: true, ..field }
}

fn unique(field: Field) -> Field {
    Field { unique: true, ..field }
}
