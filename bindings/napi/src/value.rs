//! Application data between JavaScript and the engine, without a text form in between.
//!
//! | JavaScript                 | engine  |
//! |----------------------------|---------|
//! | `null`                     | `Null`  |
//! | `boolean`                  | `Bool`  |
//! | `number`, integral         | `Int`; as a `number` again within +-(2^53 - 1) |
//! | `bigint` of 64 bits        | `Int`; as a `bigint` again beyond that         |
//! | `number`                   | `Float` |
//! | `string`                   | `Text`  |
//! | `Uint8Array`               | `Bytes` |
//! | array                      | `List`  |
//! | object                     | `Map`; fields that are `undefined` are left out |
//!
//! Whatever else an application writes, such as a `Date`, the package has made one of these before.

use std::collections::BTreeMap;

use napi::bindgen_prelude::{
    Array, BigInt, Env, FromNapiValue, JsObjectValue as _, Null, Object, ToNapiValue, TypeName, Uint8Array,
    Unknown, ValidateNapiValue,
};
use napi::{JsValue as _, KeyCollectionMode, KeyConversion, KeyFilter, Property, Result, ValueType, sys};
use tidelog_api::Value;

use crate::error::invalid_value;

/// Ends the walk through a structure that holds itself. The engine's own limit is lower.
const DEPTH_MAX: usize = 100;

/// The greatest integer that every smaller one is told apart from as a `number`.
const NUMBER_MAX: i64 = (1 << 53) - 1;

/// The field that cannot be set like others: setting it would replace the object's prototype.
const PROTOTYPE: &str = "__proto__";

/// A value that crosses the boundary.
pub struct Data(pub(crate) Value);

impl TypeName for Data {
    fn type_name() -> &'static str {
        "unknown"
    }

    fn value_type() -> ValueType {
        ValueType::Unknown
    }
}

impl ValidateNapiValue for Data {}

impl FromNapiValue for Data {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        // SAFETY: the caller vouches for the environment and the value.
        let value = unsafe { Unknown::from_napi_value(env, value)? };
        from_js(&value, 0).map(Self)
    }
}

impl ToNapiValue for Data {
    unsafe fn to_napi_value(env: sys::napi_env, value: Self) -> Result<sys::napi_value> {
        to_js(env, value.0)
    }
}

/// A value, or `undefined` where there is none.
pub struct Maybe(pub(crate) Option<Value>);

impl TypeName for Maybe {
    fn type_name() -> &'static str {
        "unknown"
    }

    fn value_type() -> ValueType {
        ValueType::Unknown
    }
}

impl ValidateNapiValue for Maybe {}

impl FromNapiValue for Maybe {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        // SAFETY: the caller vouches for the environment and the value.
        let value = unsafe { Unknown::from_napi_value(env, value)? };
        if value.get_type()? == ValueType::Undefined {
            return Ok(Self(None));
        }
        from_js(&value, 0).map(|value| Self(Some(value)))
    }
}

impl ToNapiValue for Maybe {
    unsafe fn to_napi_value(env: sys::napi_env, value: Self) -> Result<sys::napi_value> {
        value.0.map_or_else(|| raw(env, ()), |value| to_js(env, value))
    }
}

fn from_js(value: &Unknown<'_>, depth: usize) -> Result<Value> {
    if depth > DEPTH_MAX {
        return Err(invalid_value("the value nests too deep, or holds itself"));
    }
    match value.get_type()? {
        ValueType::Null | ValueType::Undefined => Ok(Value::Null),
        ValueType::Boolean => Ok(Value::Bool(cast(value)?)),
        ValueType::Number => Value::float(cast(value)?).map_err(|error| invalid_value(error.to_string())),
        ValueType::BigInt => int(&cast(value)?),
        ValueType::String => Ok(Value::Text(cast(value)?)),
        ValueType::Object if value.is_array()? => list(&cast(value)?, depth),
        ValueType::Object if value.is_typedarray()? => Ok(Value::Bytes(cast::<Uint8Array>(value)?.to_vec())),
        ValueType::Object => map(&cast(value)?, depth),
        _ => Err(invalid_value("functions and symbols cannot be stored")),
    }
}

/// The value as what its type says it is.
fn cast<T: FromNapiValue>(value: &Unknown<'_>) -> Result<T> {
    // SAFETY: every conversion asked for here checks the type of the value, and fails if it is another.
    unsafe { value.cast() }
}

fn int(number: &BigInt) -> Result<Value> {
    match number.get_i64() {
        (number, true) => Ok(Value::Int(number)),
        (_, false) => Err(invalid_value("an integer must fit into 64 bits with sign")),
    }
}

fn list(items: &Array<'_>, depth: usize) -> Result<Value> {
    let mut list = Vec::new();
    for index in 0..items.len() {
        list.push(match items.get::<Unknown<'_>>(index)? {
            Some(item) => from_js(&item, depth + 1)?,
            None => Value::Null,
        });
    }
    Ok(Value::List(list))
}

fn map(object: &Object<'_>, depth: usize) -> Result<Value> {
    let names = object.get_all_property_names(
        KeyCollectionMode::OwnOnly,
        KeyFilter::Enumerable,
        KeyConversion::NumbersToStrings,
    )?;
    let mut map = BTreeMap::new();
    for index in 0..names.get_array_length()? {
        let name: Unknown<'_> = names.get_element(index)?;
        if name.get_type()? != ValueType::String {
            return Err(invalid_value("the name of a field must be text"));
        }
        let field: Unknown<'_> = object.get_property(name)?;
        if field.get_type()? != ValueType::Undefined {
            map.insert(cast(&name)?, from_js(&field, depth + 1)?);
        }
    }
    Ok(Value::Map(map))
}

fn to_js(env: sys::napi_env, value: Value) -> Result<sys::napi_value> {
    match value {
        Value::Null => raw(env, Null),
        Value::Bool(flag) => raw(env, flag),
        Value::Int(number) if (-NUMBER_MAX..=NUMBER_MAX).contains(&number) => raw(env, number),
        Value::Int(number) => raw(env, BigInt { sign_bit: number < 0, words: vec![number.unsigned_abs()] }),
        Value::Float(number) => raw(env, number),
        Value::Text(text) => raw(env, text),
        Value::Bytes(bytes) => raw(env, Uint8Array::from(bytes)),
        Value::List(items) => {
            let length = u32::try_from(items.len()).map_err(|_| invalid_value("the list is too long"))?;
            let js = Env::from_raw(env);
            let mut list = js.create_array(length)?;
            for (index, item) in (0..length).zip(items) {
                list.set(index, Data(item))?;
            }
            raw(env, list)
        }
        Value::Map(pairs) => {
            let js = Env::from_raw(env);
            let mut object = Object::new(&js)?;
            for (name, value) in pairs {
                // SAFETY: the value was made just now, in this environment.
                let field = unsafe { Unknown::from_raw_unchecked(env, to_js(env, value)?) };
                if name == PROTOTYPE {
                    object.define_properties(&[Property::new().with_utf8_name(&name)?.with_value(&field)])?;
                } else {
                    object.set_property(js.create_string(&name)?, field)?;
                }
            }
            raw(env, object)
        }
    }
}

fn raw<T: ToNapiValue>(env: sys::napi_env, value: T) -> Result<sys::napi_value> {
    // SAFETY: the environment is the one that this conversion was called with, on its thread.
    unsafe { T::to_napi_value(env, value) }
}
