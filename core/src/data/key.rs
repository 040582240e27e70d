//! Keys of records: the field that holds them, and new ones.

use tidelog_log::env::random_array;
use uuid::Builder;

use super::address::check_key;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// The key that a record holds.
///
/// # Errors
///
/// [`ErrorKind::InvalidArgument`] if it holds none.
pub(super) fn of(value: &Value, field: Option<&str>) -> Result<String> {
    let Some(field) = field else {
        return Err(invalid("the collection has no key field: say the key".to_owned()));
    };
    match held(value, field)? {
        Some(key) => Ok(key.to_owned()),
        None => Err(invalid(format!("the value has no key in its field `{field}`"))),
    }
}

/// A value that is put under a key: its key field, if it has one, holds that key.
///
/// # Errors
///
/// [`ErrorKind::InvalidArgument`] if it holds another one.
pub(super) fn keyed(mut value: Value, key: &str, field: Option<&str>) -> Result<Value> {
    check_key(key)?;
    let Some(field) = field else { return Ok(value) };
    match held(&value, field)? {
        Some(held) if held != key => {
            Err(invalid(format!("the field `{field}` of the value is not the key it is put under")))
        }
        Some(_) => Ok(value),
        None => {
            if let Value::Map(map) = &mut value
                && let Some(empty) = map.get_mut(field)
            {
                *empty = Value::Text(key.to_owned());
            }
            Ok(value)
        }
    }
}

/// A record and its key, which is made if the record holds none.
///
/// # Errors
///
/// [`ErrorKind::InvalidArgument`] if the value is no record.
pub(super) fn make(mut value: Value, field: Option<&str>, engine: &Engine) -> Result<(String, Value)> {
    let Some(name) = field else { return Ok((new(engine), value)) };
    if let Some(key) = held(&value, name)? {
        let key = key.to_owned();
        check_key(&key)?;
        return Ok((key, value));
    }
    let Value::Map(map) = &mut value else {
        return Err(invalid(format!("a {} has no field `{name}` for its key", value.kind_name())));
    };
    let key = new(engine);
    map.insert(name.to_owned(), Value::Text(key.clone()));
    Ok((key, value))
}

/// The key in a field; a missing, null or empty one is none.
fn held<'v>(value: &'v Value, field: &str) -> Result<Option<&'v str>> {
    match value.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(key)) => Ok(Some(key.as_str()).filter(|key| !key.is_empty())),
        Some(other) => {
            Err(invalid(format!("the key field `{field}` holds a {}, not text", other.kind_name())))
        }
    }
}

/// A new key: a UUID (version 7) in lower case, in the order of time.
fn new(engine: &Engine) -> String {
    let random: [u8; 10] = random_array(&*engine.random);
    Builder::from_unix_timestamp_millis(engine.clock.now_ms(), &random).into_uuid().to_string()
}

fn invalid(why: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, why)
}
