//! Application data between Python and the engine, without a text form in between.
//!
//! `None`, `bool`, `int`, `float`, `str`, `bytes`, `list` and `dict` are converted here; whatever
//! else an application writes is first made plain by `tidelog._plain.plain`: date-times, UUIDs,
//! decimals, enums, dataclasses, models.

use std::collections::BTreeMap;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMemoryView, PyString, PyTuple,
};
use tidelog_api::Value;

use crate::error::invalid_value;

/// Ends the walk through a structure that holds itself. The engine's own limit is lower.
const DEPTH_MAX: usize = 100;

static PLAIN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The value of a Python object.
pub(crate) fn from_python(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    convert(object, 0).map_err(|problem| problem.raise(object.py()))
}

/// The map of a Python object that must be one.
pub(crate) fn map_from_python(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    match from_python(object)? {
        map @ Value::Map(_) => Ok(map),
        other => {
            let reason = format!("expected a mapping of field names to values, not {}", other.kind_name());
            Err(invalid_value(object.py(), reason))
        }
    }
}

/// Why an object is no value, and where in it.
enum Problem {
    Value { path: Vec<String>, reason: String },
    Python(PyErr),
}

impl Problem {
    fn new(reason: impl Into<String>) -> Self {
        Self::Value { path: Vec::new(), reason: reason.into() }
    }

    fn at(mut self, segment: impl ToString) -> Self {
        if let Self::Value { path, .. } = &mut self {
            path.push(segment.to_string());
        }
        self
    }

    fn raise(self, py: Python<'_>) -> PyErr {
        match self {
            Self::Python(error) => error,
            Self::Value { path, reason } if path.is_empty() => invalid_value(py, reason),
            Self::Value { mut path, reason } => {
                path.reverse();
                invalid_value(py, format!("at `{}`: {reason}", path.join(".")))
            }
        }
    }
}

impl From<PyErr> for Problem {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

fn convert(object: &Bound<'_, PyAny>, depth: usize) -> Result<Value, Problem> {
    if depth > DEPTH_MAX {
        return Err(Problem::new("it nests too deep, or holds itself"));
    }
    if object.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(text) = object.cast_exact::<PyString>() {
        return Ok(Value::Text(text_of(text)?));
    }
    if let Ok(flag) = object.cast_exact::<PyBool>() {
        return Ok(Value::Bool(flag.is_true()));
    }
    if let Ok(number) = object.cast_exact::<PyInt>() {
        let number =
            number.extract().map_err(|_| Problem::new("an integer must fit into 64 bits with sign"))?;
        return Ok(Value::Int(number));
    }
    if let Ok(number) = object.cast_exact::<PyFloat>() {
        return Value::float(number.value()).map_err(|error| Problem::new(error.to_string()));
    }
    if let Ok(pairs) = object.cast_exact::<PyDict>() {
        return map_of(pairs, depth);
    }
    if let Ok(items) = object.cast_exact::<PyList>() {
        return list_of(items.iter(), depth);
    }
    if let Ok(items) = object.cast_exact::<PyTuple>() {
        return list_of(items.iter(), depth);
    }
    if let Ok(bytes) = object.cast_exact::<PyBytes>() {
        return Ok(Value::Bytes(bytes.as_bytes().to_vec()));
    }
    if let Ok(bytes) = object.cast_exact::<PyByteArray>() {
        return Ok(Value::Bytes(bytes.to_vec()));
    }
    if let Ok(view) = object.cast_exact::<PyMemoryView>() {
        return Ok(Value::Bytes(view.call_method0("tobytes")?.extract()?));
    }
    convert(&PLAIN.import(object.py(), "tidelog._plain", "plain")?.call1((object,))?, depth + 1)
}

fn text_of(text: &Bound<'_, PyString>) -> Result<String, Problem> {
    text.to_str()
        .map(str::to_owned)
        .map_err(|_| Problem::new("the text has lone surrogates, which are no characters"))
}

fn list_of<'py>(items: impl Iterator<Item = Bound<'py, PyAny>>, depth: usize) -> Result<Value, Problem> {
    let convert = |(index, item)| convert(&item, depth + 1).map_err(|problem| problem.at(index));
    items.enumerate().map(convert).collect::<Result<_, _>>().map(Value::List)
}

fn map_of(pairs: &Bound<'_, PyDict>, depth: usize) -> Result<Value, Problem> {
    let mut map = BTreeMap::new();
    for (key, value) in pairs.iter() {
        let key = key.cast::<PyString>().map_err(|_| Problem::new("the name of a field must be text"))?;
        let key = text_of(key)?;
        let value = convert(&value, depth + 1).map_err(|problem| problem.at(&key))?;
        map.insert(key, value);
    }
    Ok(Value::Map(map))
}

/// The Python object of a value.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        Value::Int(number) => number.into_pyobject(py)?.into_any(),
        Value::Float(number) => PyFloat::new(py, *number).into_any(),
        Value::Text(text) => PyString::new(py, text).into_any(),
        Value::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        Value::List(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_python(py, item)?)?;
            }
            list.into_any()
        }
        Value::Map(pairs) => {
            let dict = PyDict::new(py);
            for (key, value) in pairs {
                dict.set_item(key, to_python(py, value)?)?;
            }
            dict.into_any()
        }
    })
}
