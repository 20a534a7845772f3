//! Records whose values lie at the edges of their types.

use model::{Decimal, Field, Kind, Record, Shape, Value, decimal::power_of_ten, time};
use uuid::Uuid;

use crate::world::World;

/// How many records a resource has.
const RECORDS: usize = 24;

/// Chance that is the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn pick<T: Clone>(&mut self, among: &[T]) -> T {
        among[self.roll(among.len())].clone()
    }
}

/// Puts records into a world: ids first, so that references have something to name.
pub(crate) fn fill(world: World) -> World {
    let mut dice = Dice(7);
    let schema = world.schema;
    let ids: Vec<Vec<Value>> = schema
        .resources()
        .iter()
        .map(|resource| (0..RECORDS).map(|number| id(resource.fields[0].shape, number)).collect())
        .collect();
    let mut records = Vec::new();
    for (position, resource) in schema.resources().iter().enumerate() {
        let of_resource = (0..RECORDS).map(|number| {
            let mut values = vec![ids[position][number].clone()];
            for field in &resource.fields[1..] {
                let targets = field.target().map(|target| ids[usize::from(target.0)].as_slice());
                values.push(field_value(field, targets, &mut dice));
            }
            Record { values, revision: 1 + number as i64 }
        });
        records.push(of_resource.collect());
    }
    World { schema, records }
}

fn id(shape: Shape, number: usize) -> Value {
    match shape {
        Shape::Uuid => Value::Uuid(Uuid::from_u128((number as u128) << 64 | 0x7f)),
        Shape::Integer => Value::Integer(number as i64 + 1),
        _ => Value::text(
            ["red", "blue", "Red", "green~x", "a", "b.c", "Z"]
                .get(number)
                .map_or_else(|| format!("t{number}"), ToString::to_string),
        ),
    }
}

fn field_value(field: &Field, targets: Option<&[Value]>, dice: &mut Dice) -> Value {
    if field.is_many() {
        let mut ids: Vec<Value> = Vec::new();
        for _ in 0..dice.roll(4) {
            let id = dice.pick(targets.unwrap_or_default());
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        return Value::List(ids);
    }
    if !field.required && dice.roll(4) == 0 {
        return Value::Null;
    }
    if let Some(targets) = targets {
        // Few targets, so that paths through them meet.
        return targets[dice.roll(targets.len() / 3)].clone();
    }
    if field.list.is_some() {
        return Value::List((0..dice.roll(4)).map(|_| one(field, dice)).collect());
    }
    one(field, dice)
}

fn one(field: &Field, dice: &mut Dice) -> Value {
    match (&field.kind, field.shape) {
        (Kind::Enum { values, .. }, _) => Value::text(dice.pick(values)),
        (Kind::Email, _) => {
            Value::text(dice.pick(&["Ann@Example.org", "ann@example.org", "bob@x.io", "Z@z.z", "_@a.b"]))
        }
        (_, Shape::Text { .. }) => Value::text(dice.pick(&[
            "",
            "a",
            "A",
            "aB",
            "apple",
            "Apple pie",
            "zebra",
            "Zebra",
            "_",
            "Äpfel",
            "äpfel",
            "naïve",
            "ß",
            "😀 smile",
            "\u{fffd}",
            "%",
            "a%b",
            "a_b",
            "axb",
            "x'y\"z",
            "back\\slash",
            "two\nlines",
            "2020-01-01",
            "42",
            "true",
        ])),
        (_, Shape::Integer) => Value::Integer(dice.pick(&[
            i64::MIN,
            i64::MIN + 1,
            -(1 << 53) - 1,
            -7,
            -1,
            0,
            1,
            2,
            3,
            7,
            42,
            (1 << 53) + 1,
            i64::MAX,
        ])),
        (_, Shape::Float) => Value::Float(dice.pick(&[
            0.0,
            -0.0,
            0.1,
            0.2,
            1.0,
            -1.5,
            2.0,
            3.0,
            1e300,
            -1e300,
            1e-300,
            5e-324,
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            9e15,
        ])),
        (Kind::Decimal { precision, .. }, Shape::Decimal { scale }) => {
            let most = power_of_ten(*precision).unwrap_or(1) - 1;
            Value::Decimal(Decimal::new(dice.pick(&[0, 1, -1, 950, 999, 1000, 100_000, most, -most, most / 3]), scale))
        }
        (_, Shape::Boolean) => Value::Boolean(dice.roll(2) == 0),
        (_, Shape::DateTime) => Value::DateTime(dice.pick(&[
            time::MIN,
            time::MAX,
            0,
            -1,
            1,
            1_700_000_000_000_000,
            1_700_000_000_000_001,
            1_577_836_800_000_000,
            time::MAX - time::DAY,
        ])),
        (_, Shape::Date) => Value::Date(dice.pick(&[time::MIN_DAY, time::MAX_DAY, -1, 0, 1, 18_262, 19_675])),
        (_, Shape::Uuid) => Value::Uuid(Uuid::from_u128(dice.pick(&[0, 1, u128::MAX, 0x7f, 1 << 127]))),
        (_, Shape::Json) => Value::Json(
            dice.pick(&[
                "{}",
                "null",
                "[1]",
                r#"{"count":3,"deep":{"text":"apple"},"ratio":0.5,"text":"Zebra","yes":true}"#,
                r#"{"count":null,"deep":null,"ratio":null,"text":null,"yes":null}"#,
                r#"{"count":1.5,"deep":"x","ratio":1,"text":1,"yes":"true"}"#,
                r#"{"count":100000000000000000000,"deep":{"text":[]},"ratio":1e+300,"text":"😀","yes":false}"#,
                r#"{"count":-9007199254740992,"ratio":5e-324,"text":"a\"b"}"#,
            ])
            .into(),
        ),
        (_, Shape::Decimal { .. }) => Value::Null,
    }
}
