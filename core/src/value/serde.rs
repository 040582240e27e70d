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

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, Visitor};
use serde::ser::{self, Serialize, SerializeMap as _, Serializer};

use super::{DEPTH_MAX, Value, ValueError, canonical_number};
use crate::error::Error;

/// The value of a record.
///
/// # Errors
///
/// [`InvalidValue`](crate::ErrorKind::InvalidValue) if it holds a number that cannot be stored, a
/// map key that is not text, or nests too deep.
pub fn to_value<T: Serialize + ?Sized>(record: &T) -> Result<Value, Error> {
    Ok(record.serialize(ToValue { depth: 0 })?)
}

/// The record of a value.
///
/// # Errors
///
/// [`InvalidValue`](crate::ErrorKind::InvalidValue) if the value does not fit the type.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    Ok(T::deserialize(FromValue(value))?)
}

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

/// Makes a value that stands `depth` containers deep.
#[derive(Clone, Copy)]
struct ToValue {
    depth: usize,
}

impl ToValue {
    fn deeper(self) -> Result<Self, ValueError> {
        if self.depth == DEPTH_MAX {
            return Err(ValueError::TooDeep);
        }
        Ok(Self { depth: self.depth + 1 })
    }

    fn list(self, variant: Option<&'static str>) -> Result<ToList, ValueError> {
        let outer = if variant.is_some() { self.deeper()? } else { self };
        Ok(ToList { items: Vec::new(), inner: outer.deeper()?, variant })
    }

    fn map(self, variant: Option<&'static str>) -> Result<ToMap, ValueError> {
        let outer = if variant.is_some() { self.deeper()? } else { self };
        Ok(ToMap { pairs: BTreeMap::new(), key: None, inner: outer.deeper()?, variant })
    }
}

/// An enum variant with content is a map of one pair.
fn tagged(variant: Option<&'static str>, content: Value) -> Value {
    match variant {
        Some(variant) => Value::Map(BTreeMap::from([(variant.to_owned(), content)])),
        None => content,
    }
}

impl Serializer for ToValue {
    type Ok = Value;
    type Error = ValueError;
    type SerializeSeq = ToList;
    type SerializeTuple = ToList;
    type SerializeTupleStruct = ToList;
    type SerializeTupleVariant = ToList;
    type SerializeMap = ToMap;
    type SerializeStruct = ToMap;
    type SerializeStructVariant = ToMap;

    fn serialize_bool(self, value: bool) -> Result<Value, ValueError> {
        Ok(Value::Bool(value))
    }

    fn serialize_i8(self, value: i8) -> Result<Value, ValueError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<Value, ValueError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<Value, ValueError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<Value, ValueError> {
        Ok(Value::Int(value))
    }

    fn serialize_i128(self, value: i128) -> Result<Value, ValueError> {
        i64::try_from(value).map(Value::Int).map_err(|_| ValueError::IntegerRange)
    }

    fn serialize_u8(self, value: u8) -> Result<Value, ValueError> {
        self.serialize_i64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<Value, ValueError> {
        self.serialize_i64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<Value, ValueError> {
        self.serialize_i64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<Value, ValueError> {
        i64::try_from(value).map(Value::Int).map_err(|_| ValueError::IntegerRange)
    }

    fn serialize_u128(self, value: u128) -> Result<Value, ValueError> {
        i64::try_from(value).map(Value::Int).map_err(|_| ValueError::IntegerRange)
    }

    fn serialize_f32(self, value: f32) -> Result<Value, ValueError> {
        canonical_number(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<Value, ValueError> {
        canonical_number(value)
    }

    fn serialize_char(self, value: char) -> Result<Value, ValueError> {
        Ok(Value::Text(value.into()))
    }

    fn serialize_str(self, value: &str) -> Result<Value, ValueError> {
        Ok(Value::Text(value.to_owned()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Value, ValueError> {
        Ok(Value::Bytes(value.to_vec()))
    }

    fn serialize_none(self) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, ValueError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Value, ValueError> {
        Ok(Value::Text(variant.to_owned()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<Value, ValueError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, ValueError> {
        Ok(tagged(Some(variant), value.serialize(self.deeper()?)?))
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<ToList, ValueError> {
        self.list(None)
    }

    fn serialize_tuple(self, _len: usize) -> Result<ToList, ValueError> {
        self.list(None)
    }

    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<ToList, ValueError> {
        self.list(None)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<ToList, ValueError> {
        self.list(Some(variant))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<ToMap, ValueError> {
        self.map(None)
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<ToMap, ValueError> {
        self.map(None)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<ToMap, ValueError> {
        self.map(Some(variant))
    }
}

/// A list in the making.
struct ToList {
    items: Vec<Value>,
    inner: ToValue,
    variant: Option<&'static str>,
}

macro_rules! to_list {
    ($($of:ident :: $element:ident),*) => {
        $(impl ser::$of for ToList {
            type Ok = Value;
            type Error = ValueError;

            fn $element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
                self.items.push(value.serialize(self.inner)?);
                Ok(())
            }

            fn end(self) -> Result<Value, ValueError> {
                Ok(tagged(self.variant, Value::List(self.items)))
            }
        })*
    };
}

to_list!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

/// A map in the making.
struct ToMap {
    pairs: BTreeMap<String, Value>,
    key: Option<String>,
    inner: ToValue,
    variant: Option<&'static str>,
}

impl ToMap {
    fn insert<T: Serialize + ?Sized>(&mut self, key: String, value: &T) -> Result<(), ValueError> {
        let value = value.serialize(self.inner)?;
        match self.pairs.insert(key, value) {
            None => Ok(()),
            Some(_) => Err(ValueError::Message("a map has the same key twice".to_owned())),
        }
    }

    fn finish(self) -> Value {
        tagged(self.variant, Value::Map(self.pairs))
    }
}

impl ser::SerializeMap for ToMap {
    type Ok = Value;
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ValueError> {
        self.key = Some(match key.serialize(self.inner)? {
            Value::Text(key) => key,
            Value::Int(key) => key.to_string(),
            Value::Bool(key) => key.to_string(),
            _ => return Err(ValueError::Key),
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        let key = self.key.take().ok_or(ValueError::Key)?;
        self.insert(key, value)
    }

    fn end(self) -> Result<Value, ValueError> {
        Ok(self.finish())
    }
}

macro_rules! to_map {
    ($($of:ident),*) => {
        $(impl ser::$of for ToMap {
            type Ok = Value;
            type Error = ValueError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), ValueError> {
                self.insert(key.to_owned(), value)
            }

            fn end(self) -> Result<Value, ValueError> {
                Ok(self.finish())
            }
        })*
    };
}

to_map!(SerializeStruct, SerializeStructVariant);

/// Reads a record out of a value.
struct FromValue(Value);

impl<'de> de::IntoDeserializer<'de, ValueError> for FromValue {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for FromValue {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Int(value) => visitor.visit_i64(value),
            Value::Float(value) => visitor.visit_f64(value),
            Value::Text(value) => visitor.visit_string(value),
            Value::Bytes(value) => visitor.visit_byte_buf(value),
            Value::List(items) => {
                let mut list = SeqDeserializer::new(items.into_iter().map(FromValue));
                let result = visitor.visit_seq(&mut list)?;
                list.end()?;
                Ok(result)
            }
            Value::Map(pairs) => {
                let pairs = pairs.into_iter().map(|(key, value)| (Key(key), FromValue(value)));
                let mut map = MapDeserializer::new(pairs);
                let result = visitor.visit_map(&mut map)?;
                map.end()?;
                Ok(result)
            }
        }
    }

    /// A plain `Vec<u8>` asks for a sequence; it may read bytes too.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.0 {
            Value::Bytes(bytes) => {
                let mut list = SeqDeserializer::new(bytes.into_iter());
                let result = visitor.visit_seq(&mut list)?;
                list.end()?;
                Ok(result)
            }
            other => FromValue(other).deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, ValueError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            other => visitor.visit_some(FromValue(other)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self.0 {
            Value::Text(variant) => visitor.visit_enum(Enum { variant, content: None }),
            Value::Map(pairs) if pairs.len() == 1 => {
                let (variant, content) = pairs.into_iter().next().expect("one pair, as just checked");
                visitor.visit_enum(Enum { variant, content: Some(content) })
            }
            other => Err(ValueError::Message(format!(
                "expected text or a map of one pair for an enum, found {}",
                other.kind_name()
            ))),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct map struct identifier ignored_any
    }
}

/// A map key: text that may be read as the integer or boolean it was made from.
struct Key(String);

impl<'de> de::IntoDeserializer<'de, ValueError> for Key {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed_key {
    ($($method:ident => $visit:ident),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            match self.0.parse() {
                Ok(key) => visitor.$visit(key),
                Err(_) => visitor.visit_string(self.0),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Key {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_string(self.0)
    }

    parsed_key! {
        deserialize_bool => visit_bool,
        deserialize_i8 => visit_i8,
        deserialize_i16 => visit_i16,
        deserialize_i32 => visit_i32,
        deserialize_i64 => visit_i64,
        deserialize_u8 => visit_u8,
        deserialize_u16 => visit_u16,
        deserialize_u32 => visit_u32,
        deserialize_u64 => visit_u64
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_enum(Enum { variant: self.0, content: None })
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// An enum variant, with its content if it has any.
struct Enum {
    variant: String,
    content: Option<Value>,
}

impl<'de> de::EnumAccess<'de> for Enum {
    type Error = ValueError;
    type Variant = Content;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content), ValueError> {
        let variant = seed.deserialize(Key(self.variant))?;
        Ok((variant, Content(self.content)))
    }
}

/// What an enum variant carries.
struct Content(Option<Value>);

impl Content {
    fn required(self) -> Result<Value, ValueError> {
        self.0.ok_or_else(|| ValueError::Message("the enum variant lacks its content".to_owned()))
    }
}

impl<'de> de::VariantAccess<'de> for Content {
    type Error = ValueError;

    fn unit_variant(self) -> Result<(), ValueError> {
        match self.0 {
            None | Some(Value::Null) => Ok(()),
            Some(_) => Err(ValueError::Message("the enum variant has no content".to_owned())),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ValueError> {
        seed.deserialize(FromValue(self.required()?))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, ValueError> {
        FromValue(self.required()?).deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        FromValue(self.required()?).deserialize_any(visitor)
    }
}
