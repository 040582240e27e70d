//! Errors of the engine as exceptions of the package.
//!
//! The classes live in `tidelog._errors`, in Python, where type checkers and documentation see
//! them; this side knows codes only.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tidelog_api::{Error, ErrorKind};

static EXCEPTION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The exception of an error.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let make = || EXCEPTION.import(py, "tidelog._errors", "exception");
    match make().and_then(|exception| exception.call1((error.kind.code(), &error.reason))) {
        Ok(exception) => PyErr::from_value(exception),
        Err(broken) => broken,
    }
}

/// The exception for a value that cannot be stored.
pub(crate) fn invalid_value(py: Python<'_>, reason: impl Into<String>) -> PyErr {
    exception(py, &Error::new(ErrorKind::InvalidValue, reason))
}

/// Results of calls that end at once.
pub(crate) trait OrRaise<T> {
    /// The value, or the exception.
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for tidelog_api::Result<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| exception(py, &error))
    }
}
