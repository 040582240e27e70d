//! Values and serde: any `Serialize` type is a record, any `Deserialize` type reads one.
//!
//! The mapping is the one of self-describing formats: structs are maps, `None` and units are null,
//! enums are externally tagged, map keys that are integers, booleans or characters become text.
//! Types that have two forms (UUIDs, date-times) use their human-readable one. A plain `Vec<u8>`
//! is a list of numbers for serde; mark it with `serde_bytes` to store bytes. Either is read back
//! from either.
//!
//! An integer beyond 64 bits with sign is an error and never loses bits.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, Visitor};
use serde::ser::{self, Serialize, SerializeMap as _, Serializer};

use super::{DEPTH_MAX, Value, ValueError, canonical_number};

mod from_value;
mod to_value;

pub use self::from_value::from_value;
pub use self::to_value::to_value;

impl ser::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Message(message.to_string())
    }
}

impl de::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Message(message.to_string())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::Bytes(value) => serializer.serialize_bytes(value),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(pairs) => {
                let mut map = serializer.serialize_map(Some(pairs.len()))?;
                for (key, value) in pairs {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> de::Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        NestedValue { levels: DEPTH_MAX }.deserialize(deserializer)
    }
}

/// Reads a value that may nest so many levels of containers.
#[derive(Clone, Copy)]
pub(super) struct NestedValue {
    pub(super) levels: usize,
}

impl NestedValue {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        let levels = self.levels.checked_sub(1).ok_or_else(|| E::custom(ValueError::TooDeep))?;
        Ok(Self { levels })
    }
}

impl<'de> DeserializeSeed<'de> for NestedValue {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NestedValue {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    /// A text format may spell a double without a point: beyond `i64` a number is taken as one if
    /// that keeps its value.
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        if let Ok(value) = i64::try_from(value) {
            return Ok(Value::Int(value));
        }
        #[expect(clippy::cast_precision_loss, reason = "taken only if it is exact")]
        let float = value as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a wide positive number")]
        if float as u128 == u128::from(value) {
            return Ok(Value::Float(float));
        }
        Err(E::custom(ValueError::IntegerRange))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        canonical_number(value).map_err(E::custom)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        Ok(Value::Bytes(value.to_vec()))
    }

    fn visit_byte_buf<E>(self, value: Vec<u8>) -> Result<Value, E> {
        Ok(Value::Bytes(value))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut pairs = BTreeMap::new();
        while let Some(key) = access.next_key::<String>()? {
            let value = access.next_value_seed(inner)?;
            if pairs.insert(key, value).is_some() {
                return Err(de::Error::custom("a map has the same key twice"));
            }
        }
        Ok(Value::Map(pairs))
    }
}
