//! JSON bodies, strictly: UTF-8, no member twice, nothing after the end, bounded depth.

use std::fmt;

use model::{Code, Problem};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value as Json, map::Entry};

/// The deepest nesting of arrays and objects.
const DEPTH: usize = 64;

/// Reads a whole body.
///
/// # Errors
/// 400 with line and column.
pub fn parse(bytes: &[u8]) -> Result<Json, Problem> {
    if bytes.is_empty() {
        return Err(Problem::new(Code::MalformedJson, "the body is empty; expected JSON"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed =
        Strict { depth: DEPTH }.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    parsed.map_err(|error| {
        let text = error.to_string();
        // serde_json ends its messages with the place; ours begins with it.
        let what = text.split(" at line ").next().unwrap_or("");
        let detail = format!("line {}, column {}: {what}", error.line(), error.column());
        Problem::new(Code::MalformedJson, detail)
    })
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth }),
            None => Err(E::custom(format_args!("nested deeper than {DEPTH} levels"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Number::from_f64(value).map(Json::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<Name>()? {
            let value = members.next_value_seed(inner)?;
            match object.entry(name.0) {
                Entry::Vacant(free) => drop(free.insert(value)),
                Entry::Occupied(taken) => {
                    let twice = format_args!("the member {:?} stands twice in one object", taken.key());
                    return Err(A::Error::custom(twice));
                }
            }
        }
        Ok(Json::Object(object))
    }
}

#[derive(Deserialize)]
struct Name(String);
