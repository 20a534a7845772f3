//! Which tables a schema asks for.

use model::{
    Decimal, FieldIndex, IdKind, Index, Keep, OnDelete, ResourceIndex, Schema, Value,
    field::{Default, ListOptions, Origin as Kept},
    resource::Access,
};

use super::*;

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
        origin: Kept::Declared,
    }
}

fn reference(name: &str, to: u16, many: bool) -> Field {
    let kind =
        Kind::Reference { to: ResourceIndex(to), on_delete: OnDelete::Restrict, inverse: None, many, max_items: 10 };
    field(name, kind, Shape::Integer)
}

fn resource(name: &str, fields: Vec<Field>, indexes: Vec<Index>) -> Resource {
    let id = Field {
        origin: Kept::Id,
        required: true,
        ..field("id", Kind::Integer { min: None, max: None }, Shape::Integer)
    };
    Resource {
        name: name.into(),
        id_kind: IdKind::Integer,
        fields: std::iter::once(id).chain(fields).collect(),
        access: Access::default(),
        validate: Vec::new(),
        indexes,
        keep: Keep::Full,
        doc: None,
        identity: None,
    }
}

fn index(name: &str, columns: &[(u16, bool)], unique: bool) -> Index {
    let columns = columns.iter().map(|(field, descending)| (FieldIndex(*field), *descending)).collect();
    Index { name: name.into(), columns, unique, renamed_from: None }
}

fn describe(index: &super::super::physical::Index) -> String {
    let column = |column: &IndexColumn| format!("{}{}", if column.descending { "-" } else { "" }, column.name);
    let columns: Vec<_> = index.columns.iter().map(column).collect();
    format!("{}{} {}", index.name, if index.unique { "!" } else { "" }, columns.join(","))
}

#[test]
fn every_reference_has_an_index_and_every_order_ends_with_the_id() {
    let text = |name: &str| field(name, Kind::Email, Shape::Text { fold_case: true });
    let fields = vec![
        reference("author", 0, false),
        reference("editor", 0, false),
        reference("tags", 0, true),
        Field { unique: true, ..text("mail") },
    ];
    let indexes =
        vec![index("by_author", &[(1, false), (4, true)], false), index("one", &[(4, false), (1, false)], true)];
    let database = Database::of(&Schema::new(vec![resource("posts", fields, indexes)]));

    let table = &database.tables[0];
    assert_eq!(
        table.indexes.iter().map(describe).collect::<Vec<_>>(),
        [
            "posts__by_author author,-mail,-id",
            "posts__one! mail,author",
            "posts__mail__unique! mail",
            "posts__editor__ref editor,id",
        ]
    );
    assert!(table.indexes[2].columns[0].fold_case);
    assert_eq!(
        table.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(),
        ["author", "editor", "mail"]
    );
    assert_eq!(table.joins[0].field, "tags");
}

#[test]
fn an_index_whose_name_a_join_table_has_gets_another() {
    let indexes = vec![index("tags", &[(2, false)], false)];
    let fields = vec![reference("tags", 0, true), field("x", Kind::Boolean, Shape::Boolean)];
    let database = Database::of(&Schema::new(vec![resource("posts", fields, indexes)]));
    assert_eq!(describe(&database.tables[0].indexes[0]), "posts__tags__index x,id");
}

#[test]
fn the_recorded_form_holds_the_structure_and_nothing_else() {
    let price = Kind::Decimal { precision: 8, scale: 2, min: Some(Decimal::new(100, 2)), max: None };
    let price = field("price", price, Shape::Decimal { scale: 2 });
    let names = Field { list: Some(ListOptions { max_items: 3 }), ..field("names", Kind::Boolean, Shape::Boolean) };
    let with = |fields: Vec<Field>| Database::of(&Schema::new(vec![resource("posts", fields, Vec::new())]));
    let plain = with(vec![price.clone(), names.clone()]);
    let hints = Field {
        renamed_from: Some("old".into()),
        default: Some(Default::Literal(Value::Null)),
        doc: Some("words".into()),
        ..price.clone()
    };

    assert_eq!(
        plain.to_json(),
        format!(
            "{{\"system\":{SYSTEM_VERSION},{}",
            "\"tables\":[{\"name\":\"posts\",\"id\":\"integer\",\"columns\":[\
             {\"name\":\"names\",\"kind\":\"boolean\",\"list\":true,\"limits\":{\"max_items\":3}},\
             {\"name\":\"price\",\"kind\":{\"decimal\":{\"precision\":8,\"scale\":2}},\"limits\":{\"min\":\"1\"}}],\
             \"joins\":[],\"indexes\":[]}]}"
        )
    );
    assert_eq!(with(vec![names, hints]).to_json(), plain.to_json(), "order and hints do not count");
    assert_eq!(Database::from_json(&plain.to_json()).unwrap().to_json(), plain.to_json());
}

#[test]
fn long_names_are_cut_and_stay_apart() {
    let long = |end: &str| names::index(&"a".repeat(60), end);
    assert_eq!(long("one").len(), 63);
    assert_ne!(long("one"), long("two"));
    assert_eq!(long("one"), long("one"));
}
