//! From records to values.

use std::collections::BTreeMap;

use serde::ser::{self, Serialize, Serializer};

use crate::error::Error;
use crate::value::{Value, ValueError, canonical_number, deeper};

/// The value of a record.
///
/// # Errors
///
/// [`InvalidValue`](crate::ErrorKind::InvalidValue) if it holds a number that cannot be stored, a
/// map key that is not text, or nests too deep.
///
/// # Example
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tidelog::{Value, from_value, to_value};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Sounding { place: String, depth: f64 }
///
/// let sounding = Sounding { place: "Quay".to_owned(), depth: 4.0 };
/// let value = to_value(&sounding)?;
/// assert_eq!(value.get("depth"), Some(&Value::Int(4)));
/// assert_eq!(from_value::<Sounding>(value)?, sounding);
/// # Ok::<(), tidelog::Error>(())
/// ```
pub fn to_value<T: Serialize + ?Sized>(record: &T) -> Result<Value, Error> {
    Ok(record.serialize(ToValue { depth: 0 })?)
}

/// Makes a value that stands `depth` containers deep.
#[derive(Clone, Copy)]
struct ToValue {
    depth: usize,
}

impl ToValue {
    fn deeper(self) -> Result<Self, ValueError> {
        Ok(Self { depth: deeper(self.depth)? })
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
