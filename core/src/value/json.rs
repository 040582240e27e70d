//! The text form of values: JSON.
//!
//! Bytes, which JSON lacks, are `{"$bytes": "<base64>"}` (RFC 4648 section 4, padded). A map that
//! could be taken for one, or for its escape, is written as `{"$value": <the map>}`. So every
//! value survives the way out and back. Integers keep all 64 bits; an integer literal beyond them
//! is read as a double if that keeps its value and is refused otherwise.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use serde::de::DeserializeSeed as _;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::error::Category;

use super::serde::NestedValue;
use super::{DEPTH_MAX, Value, ValueError, deeper};
use crate::error::Error;

/// Levels that JSON text may nest: every container of a value may be escaped, and bytes add one.
const TEXT_DEPTH_MAX: usize = 2 * DEPTH_MAX + 1;

const BYTES: &str = "$bytes";
const ESCAPE: &str = "$value";

impl Value {
    /// Reads JSON text.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`](crate::ErrorKind::InvalidValue) if the text is not JSON, repeats a key, or
    /// holds a number that cannot be stored.
    ///
    /// # Example
    ///
    /// ```
    /// use tidelog::Value;
    ///
    /// let value = Value::from_json(r#"{"icon": {"$bytes": "AAEC"}}"#)?;
    /// assert_eq!(value.get("icon"), Some(&Value::Bytes(vec![0, 1, 2])));
    /// assert_eq!(value.to_json()?, r#"{"icon":{"$bytes":"AAEC"}}"#);
    /// # Ok::<(), tidelog::Error>(())
    /// ```
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let value = NestedValue { levels: TEXT_DEPTH_MAX }
            .deserialize(&mut reader)
            .and_then(|value| reader.end().map(|()| value))
            .map_err(|error| match error.classify() {
                Category::Data => ValueError::Message(error.to_string()),
                _ => ValueError::Message(format!("not JSON: {error}")),
            })?;
        Ok(revived(value, 0)?)
    }

    /// The value as JSON text on one line, with map keys in code point order.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`](crate::ErrorKind::InvalidValue) if a float is NaN or infinite.
    pub fn to_json(&self) -> Result<String, Error> {
        let text =
            serde_json::to_string(&Json(self)).map_err(|error| ValueError::Message(error.to_string()))?;
        Ok(text)
    }
}

/// Turns the markers of bytes and their escapes into what they stand for.
fn revived(value: Value, depth: usize) -> Result<Value, ValueError> {
    Ok(match value {
        Value::List(items) => {
            let depth = deeper(depth)?;
            Value::List(items.into_iter().map(|item| revived(item, depth)).collect::<Result<_, _>>()?)
        }
        Value::Map(mut pairs) => match pairs.pop_first() {
            Some((key, Value::Text(text))) if key == BYTES && pairs.is_empty() => Value::Bytes(
                BASE64
                    .decode(text.as_bytes())
                    .map_err(|error| ValueError::Message(format!("not base64 in {BYTES}: {error}")))?,
            ),
            Some((key, Value::Map(inner))) if key == ESCAPE && pairs.is_empty() && is_marker(&inner) => {
                revived_map(inner, depth)?
            }
            first => revived_map(first.into_iter().chain(pairs), depth)?,
        },
        other => other,
    })
}

fn revived_map(pairs: impl IntoIterator<Item = (String, Value)>, depth: usize) -> Result<Value, ValueError> {
    let depth = deeper(depth)?;
    let pairs = pairs.into_iter().map(|(key, value)| Ok((key, revived(value, depth)?)));
    Ok(Value::Map(pairs.collect::<Result<_, ValueError>>()?))
}

/// Whether a map has but one pair, and its key is one of the two with a meaning.
fn is_marker(pairs: &BTreeMap<String, Value>) -> bool {
    pairs.len() == 1 && pairs.keys().all(|key| key == BYTES || key == ESCAPE)
}

/// Writes a value as JSON.
struct Json<'v>(&'v Value);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Bytes(bytes) => one_pair(serializer, BYTES, &BASE64.encode(bytes)),
            Value::List(items) => serializer.collect_seq(items.iter().map(Json)),
            Value::Map(pairs) if is_marker(pairs) => one_pair(serializer, ESCAPE, &Pairs(pairs)),
            Value::Map(pairs) => Pairs(pairs).serialize(serializer),
            Value::Float(number) => match super::canonical_number(*number) {
                Ok(number) => number.serialize(serializer),
                Err(error) => Err(serde::ser::Error::custom(error)),
            },
            scalar => scalar.serialize(serializer),
        }
    }
}

struct Pairs<'v>(&'v BTreeMap<String, Value>);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, Json(value))))
    }
}

fn one_pair<S: Serializer>(serializer: S, key: &str, value: &impl Serialize) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(key, value)?;
    map.end()
}
