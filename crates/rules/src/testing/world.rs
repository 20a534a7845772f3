//! Small worlds: a few records of each resource that refer to each other, with nulls, and who asks.

use std::{net::Ipv4Addr, sync::Arc};

use model::{
    Caller, Decimal, Field, FieldIndex, IdKind, Kind, Origin, Record, ResourceIndex, Schema, Value, caller::Identity,
    time,
};
use proptest::prelude::*;

use super::schema::{PEOPLE, schema};
use crate::judge::Relations;

/// Records of every resource of [`schema`]; references lead to records that are there.
#[derive(Debug, Clone)]
pub struct World {
    /// The schema.
    pub schema: Arc<Schema>,
    /// By resource.
    pub records: Vec<Vec<Record>>,
}

impl World {
    /// The records of a resource.
    #[must_use]
    pub fn of(&self, resource: ResourceIndex) -> &[Record] {
        &self.records[resource.0 as usize]
    }
}

impl Relations for World {
    fn follow(&self, resource: ResourceIndex, id: &Value) -> Option<Record> {
        self.of(resource).iter().find(|record| record.id() == id).cloned()
    }

    fn referring(&self, resource: ResourceIndex, field: FieldIndex, id: &Value) -> Vec<Record> {
        let names = |record: &&Record| record.get(field) == id || record.get(field).items().contains(id);
        self.of(resource).iter().filter(names).cloned().collect()
    }
}

/// Draws a world: one to three records of each resource.
pub fn world() -> impl Strategy<Value = World> {
    world_of(prop::array::uniform4(1_usize..=3), 200)
}

/// Draws a world of so many records of each resource, from a row of so many numbers.
pub fn world_of(counts: impl Strategy<Value = [usize; 4]>, numbers: usize) -> impl Strategy<Value = World> {
    let numbers = prop::collection::vec(any::<u16>(), numbers);
    (counts, numbers).prop_map(|(counts, numbers)| {
        let schema = Arc::new(schema());
        let mut numbers = numbers.into_iter().cycle();
        let mut pick = |below: usize| numbers.next().map_or(0, usize::from) % below;
        let records = schema
            .indices()
            .map(|resource| {
                (0..counts[resource.0 as usize])
                    .map(|position| record(&schema, resource, position, &counts, &mut pick))
                    .collect()
            })
            .collect();
        World { schema, records }
    })
}

/// Draws a caller: a stranger, a person of the world, or somebody else.
pub fn caller() -> impl Strategy<Value = Caller> {
    let id = prop_oneof![Just(Value::Null), (0_usize..4).prop_map(|position| id(IdKind::Uuid, PEOPLE, position))];
    let email = prop::option::of(prop::sample::select(vec!["a@x.org", "A@X.org", "b@x.org"]));
    let roles = prop::sample::subsequence(vec!["a", "editor", "staff"], 0..=3);
    let claims = prop::sample::select(vec![
        None,
        Some(
            r#"{"at":"2024-02-29T12:00:00Z","flag":true,"level":2,"ratio":1.5,"span":"1h","team":"a","teams":["a","b"]}"#,
        ),
        Some(r#"{"at":"no","flag":"yes","level":"7","ratio":2,"span":5,"team":7}"#),
    ]);
    let now = prop::sample::select(vec![0, time::parse_datetime("2024-02-29T12:00:00Z").unwrap_or(0), time::MAX]);
    (id, email, roles, claims, now).prop_map(|(id, email, roles, claims, now)| {
        let actor = (!id.is_null()).then(|| "ann".to_owned());
        let identity = Identity {
            id,
            email: email.map(str::to_owned),
            roles: roles.into_iter().map(str::to_owned).collect(),
            claims: claims.map(str::to_owned),
            actor,
            ..Identity::anonymous()
        };
        Caller {
            identity: Arc::new(identity),
            address: Ipv4Addr::LOCALHOST.into(),
            method: "GET",
            now,
            request_id: "r1".into(),
        }
    })
}

/// The id of the record at a position.
fn id(kind: IdKind, resource: ResourceIndex, position: usize) -> Value {
    match kind {
        IdKind::Uuid => Value::Uuid(uuid::Uuid::from_u128(
            0x0192_c4f0_0000_7000_8000_0000_0000_0000 + (u128::from(resource.0) << 16) + position as u128,
        )),
        IdKind::Integer => Value::Integer(position as i64 + 1),
        IdKind::String => match ["a", "b", "T-3"].get(position) {
            Some(name) => Value::text(name),
            None => Value::text(format!("t{position}")),
        },
    }
}

fn record(
    schema: &Schema,
    resource: ResourceIndex,
    position: usize,
    counts: &[usize; 4],
    pick: &mut impl FnMut(usize) -> usize,
) -> Record {
    let declared = schema.get(resource);
    let values = declared.fields.iter().map(|field| match field.origin {
        Origin::Id => id(declared.id_kind, resource, position),
        Origin::CreatedAt | Origin::UpdatedAt => Value::DateTime(position as i64),
        // A join table can't tell no ids from none.
        Origin::Declared if !field.required && !field.is_many() && pick(4) == 0 => Value::Null,
        Origin::Declared => value(schema, field, counts, pick),
    });
    Record { values: values.collect(), revision: position as i64 + 1 }
}

fn value(schema: &Schema, field: &Field, counts: &[usize; 4], pick: &mut impl FnMut(usize) -> usize) -> Value {
    if field.is_list() {
        let mut items: Vec<Value> = (0..pick(3)).map(|_| item(schema, field, counts, pick)).collect();
        if field.is_many() {
            // A join table names each record once.
            let mut seen: Vec<Value> = Vec::new();
            items.retain(|item| {
                !seen.contains(item) && {
                    seen.push(item.clone());
                    true
                }
            });
        }
        return Value::List(items);
    }
    item(schema, field, counts, pick)
}

fn item(schema: &Schema, field: &Field, counts: &[usize; 4], pick: &mut impl FnMut(usize) -> usize) -> Value {
    match &field.kind {
        Kind::Reference { to, .. } => id(schema.get(*to).id_kind, *to, pick(counts[to.0 as usize])),
        Kind::String(_) | Kind::Text(_) | Kind::Url { .. } => Value::text(one_of(&TEXTS, pick)),
        Kind::Email => Value::text(one_of(&["a@x.org", "A@x.ORG", "b@x.org"], pick)),
        Kind::Enum { values } => Value::text(&values[pick(values.len())]),
        Kind::Integer { .. } => Value::Integer(one_of(&INTEGERS, pick)),
        Kind::Float { .. } => Value::Float(one_of(&FLOATS, pick)),
        Kind::Decimal { precision, scale, .. } => {
            let greatest = 10_i128.pow(u32::from(*precision)) - 1;
            let unscaled = one_of(&[0, 1, -1, 950, -325, 100, 1_000, greatest, -greatest], pick);
            Value::Decimal(Decimal::new(unscaled.clamp(-greatest, greatest), *scale))
        }
        Kind::Boolean => Value::Boolean(pick(2) == 1),
        Kind::DateTime => Value::DateTime(time::parse_datetime(one_of(&MOMENTS, pick)).unwrap_or(0)),
        Kind::Date => Value::Date(time::parse_date(one_of(&DAYS, pick)).unwrap_or(0)),
        Kind::Uuid => id(IdKind::Uuid, PEOPLE, pick(4)),
        Kind::Json { .. } => Value::Json(one_of(&DOCUMENTS, pick).into()),
    }
}

fn one_of<T: Copy>(from: &[T], pick: &mut impl FnMut(usize) -> usize) -> T {
    from[pick(from.len())]
}

/// Texts that databases like to disagree about.
pub(super) const TEXTS: [&str; 12] = ["a", "A", "ab", "", "b_%", "É", "é", "😀x", "z\nz", "it's \\", "[", "draft"];
/// Integers, their ends among them.
pub(super) const INTEGERS: [i64; 8] = [0, 1, -1, 2, 7, 1_000, i64::MAX, i64::MIN];
/// Floats, their ends among them.
pub(super) const FLOATS: [f64; 9] = [0.0, 1.5, -2.25, 0.1, 0.2, 3.0, 1e308, -1e308, 5e-324];
/// Moments, their ends among them.
pub(super) const MOMENTS: [&str; 5] = [
    "1970-01-01T00:00:00Z",
    "2024-02-29T12:00:00Z",
    "2024-02-29T12:00:00.000001Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
];
/// Days, their ends among them.
pub(super) const DAYS: [&str; 4] = ["1970-01-01", "2024-02-29", "0001-01-01", "9999-12-31"];
/// JSON documents in canonical form, some of which break the schema, as data from before it may.
const DOCUMENTS: [&str; 8] = [
    "{}",
    r#"{"count":2,"flag":true,"inner":{"deep":"a"},"name":"a","ratio":1.5}"#,
    r#"{"count":-1,"flag":false,"inner":{"deep":"É"},"name":"A","ratio":2}"#,
    r#"{"count":1.5,"flag":null,"inner":{},"name":"","ratio":1e+30}"#,
    r#"{"count":"2","flag":1,"inner":"a","name":2,"ratio":"1.5"}"#,
    r#"{"count":1e+21,"inner":{"deep":null},"name":null,"ratio":0}"#,
    "[1,2]",
    r#""a""#,
];
