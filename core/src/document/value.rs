//! Values in and out of an Automerge document.
//!
//! Text objects and scalar strings both read as text, counters and timestamps as integers, numbers
//! that cannot be a value as null. Reading stops at the depth that a value may have.

use automerge::transaction::Transactable;
use automerge::{AutoCommit, AutomergeError, ObjId, ObjType, ReadDoc, ScalarValue, ScalarValueRef, ValueRef};

use crate::value::{DEPTH_MAX, Value, ValueError, canonical_number};

/// Reads a map object.
pub(crate) fn read_map(doc: &AutoCommit, object: &ObjId) -> Result<Value, ValueError> {
    read_object(doc, object, ObjType::Map, 1)
}

/// Reads an object of any type.
pub(super) fn read(doc: &AutoCommit, object: &ObjId, kind: ObjType) -> Result<Value, ValueError> {
    read_object(doc, object, kind, 1)
}

fn read_object(doc: &AutoCommit, object: &ObjId, kind: ObjType, depth: usize) -> Result<Value, ValueError> {
    if depth > DEPTH_MAX {
        return Err(ValueError::TooDeep);
    }
    Ok(match kind {
        ObjType::Map | ObjType::Table => Value::Map(
            doc.map_range(object, ..)
                .map(|item| {
                    let value = read_item(doc, &item.value, || item.id(), depth)?;
                    Ok((item.key.into_owned(), value))
                })
                .collect::<Result<_, ValueError>>()?,
        ),
        ObjType::List => Value::List(
            doc.list_range(object, ..)
                .map(|item| read_item(doc, &item.value, || item.id(), depth))
                .collect::<Result<_, _>>()?,
        ),
        ObjType::Text => Value::Text(doc.text(object).unwrap_or_default()),
    })
}

fn read_item(
    doc: &AutoCommit,
    value: &ValueRef<'_>,
    object: impl FnOnce() -> ObjId,
    depth: usize,
) -> Result<Value, ValueError> {
    match value {
        ValueRef::Object(kind) => read_object(doc, &object(), *kind, depth + 1),
        ValueRef::Scalar(scalar) => Ok(read_scalar(scalar)),
    }
}

fn read_scalar(scalar: &ScalarValueRef<'_>) -> Value {
    match scalar {
        ScalarValueRef::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        ScalarValueRef::Str(text) => Value::Text(text.to_string()),
        ScalarValueRef::Int(number) | ScalarValueRef::Counter(number) | ScalarValueRef::Timestamp(number) => {
            Value::Int(*number)
        }
        ScalarValueRef::Uint(number) => i64::try_from(*number).map_or(Value::Null, Value::Int),
        ScalarValueRef::F64(number) => canonical_number(*number).unwrap_or_default(),
        ScalarValueRef::Boolean(value) => Value::Bool(*value),
        ScalarValueRef::Unknown { .. } | ScalarValueRef::Null => Value::Null,
    }
}

/// Reads a scalar that Automerge handed out by value.
pub(super) fn read_owned_scalar(scalar: &ScalarValue) -> Value {
    match scalar {
        ScalarValue::Bytes(bytes) => Value::Bytes(bytes.clone()),
        ScalarValue::Str(text) => Value::Text(text.to_string()),
        ScalarValue::Int(number) | ScalarValue::Timestamp(number) => Value::Int(*number),
        ScalarValue::Counter(counter) => Value::Int(counter.into()),
        ScalarValue::Uint(number) => i64::try_from(*number).map_or(Value::Null, Value::Int),
        ScalarValue::F64(number) => canonical_number(*number).unwrap_or_default(),
        ScalarValue::Boolean(value) => Value::Bool(*value),
        ScalarValue::Unknown { .. } | ScalarValue::Null => Value::Null,
    }
}

/// The scalar that stands for a value; `None` for a list or a map.
fn scalar(value: &Value) -> Option<ScalarValue> {
    Some(match value {
        Value::Null => ScalarValue::Null,
        Value::Bool(value) => ScalarValue::Boolean(*value),
        Value::Int(number) => ScalarValue::Int(*number),
        Value::Float(number) => ScalarValue::F64(*number),
        Value::Text(text) => ScalarValue::Str(text.as_str().into()),
        Value::Bytes(bytes) => ScalarValue::Bytes(bytes.clone()),
        Value::List(_) | Value::Map(_) => return None,
    })
}

/// Where a value goes: a key of a map, a place of a list, or a new place in a list.
#[derive(Debug, Clone, Copy)]
pub(super) enum Slot<'k> {
    Key(&'k str),
    Place(usize),
    NewPlace(usize),
}

/// Writes a value, whatever was there.
pub(super) fn write(
    doc: &mut AutoCommit,
    object: &ObjId,
    slot: Slot<'_>,
    value: &Value,
) -> Result<(), AutomergeError> {
    if let Some(scalar) = scalar(value) {
        return match slot {
            Slot::Key(key) => doc.put(object, key, scalar),
            Slot::Place(place) => doc.put(object, place, scalar),
            Slot::NewPlace(place) => doc.insert(object, place, scalar),
        };
    }
    let kind = if matches!(value, Value::List(_)) { ObjType::List } else { ObjType::Map };
    let new = match slot {
        Slot::Key(key) => doc.put_object(object, key, kind)?,
        Slot::Place(place) => doc.put_object(object, place, kind)?,
        Slot::NewPlace(place) => doc.insert_object(object, place, kind)?,
    };
    match value {
        Value::List(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(place, item)| write(doc, &new, Slot::NewPlace(place), item)),
        Value::Map(map) => map.iter().try_for_each(|(key, item)| write(doc, &new, Slot::Key(key), item)),
        _ => unreachable!("scalars were written above"),
    }
}
