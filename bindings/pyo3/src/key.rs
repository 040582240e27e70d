//! Keys, and the stores of Python that keep them.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tidelog_api::{Error, ErrorKind, Key, KeyStore, Result};

use crate::error::OrRaise as _;
use crate::exit::Inside;

/// Text is a passphrase, bytes are a raw key, anything else is a store.
#[derive(FromPyObject)]
pub(crate) enum Secret {
    Passphrase(String),
    Raw(Vec<u8>),
    Store(Py<PyAny>),
}

impl Secret {
    pub(crate) fn into_key(self, py: Python<'_>) -> PyResult<Key> {
        match self {
            Self::Passphrase(passphrase) => Ok(Key::passphrase(passphrase)),
            Self::Raw(bytes) => Key::raw(&bytes).or_raise(py),
            Self::Store(store) => Ok(Key::from_store(Arc::new(Store(store)))),
        }
    }
}

/// An object with `load()` and `store(key)`.
struct Store(Py<PyAny>);

impl Store {
    fn ask<T>(&self, ask: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>) -> Result<T> {
        let _inside = Inside::enter()?;
        let answer = Python::try_attach(|py| ask(self.0.bind(py)).map_err(|error| raised(py, &error)));
        answer.unwrap_or_else(|| Err(Error::new(ErrorKind::Closed, "the interpreter is about to exit")))
    }
}

impl KeyStore for Store {
    fn load(&self) -> Result<Option<Vec<u8>>> {
        self.ask(|store| store.call_method0("load")?.extract())
    }

    fn store(&self, key: Vec<u8>) -> Result<()> {
        self.ask(|store| store.call_method1("store", (PyBytes::new(store.py(), &key),)).map(drop))
    }
}

/// What a store raised: with its code if it is one of the package's errors.
fn raised(py: Python<'_>, error: &PyErr) -> Error {
    let value = error.value(py);
    let code = value.getattr("code").and_then(|code| code.extract::<String>()).unwrap_or_default();
    let known = ErrorKind::ALL.iter().find(|kind| kind.code() == code);
    match known {
        Some(kind) => Error::new(*kind, value.to_string()),
        None => {
            let name =
                value.get_type().name().map_or_else(|_| "an exception".into(), |name| name.to_string());
            Error::new(ErrorKind::Io, format!("the key store raised {name}: {value}"))
        }
    }
}
