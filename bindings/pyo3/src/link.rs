//! Links.

use pyo3::prelude::*;

use crate::call::{On, make};
use crate::error::OrRaise as _;
use crate::record::Record as _;
use crate::stream::Stream;

/// A live link to a peer.
#[pyclass(frozen, module = "tidelog._tidelog")]
pub(crate) struct Link(pub(crate) tidelog_api::Link);

#[pymethods]
impl Link {
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.state().or_raise(py)?.into_python(py)
    }

    fn progress<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.progress().or_raise(py)?.into_python(py)
    }

    fn pending(&self, py: Python<'_>) -> PyResult<u64> {
        self.0.pending().or_raise(py)
    }

    /// Code and reason.
    fn last_error(&self, py: Python<'_>) -> PyResult<Option<(&'static str, String)>> {
        Ok(self.0.last_error().or_raise(py)?.map(|error| (error.kind.code(), error.reason)))
    }

    #[pyo3(signature = (timeout_ms, on=None))]
    fn wait_live<'py>(
        &self,
        py: Python<'py>,
        timeout_ms: Option<u64>,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.wait_live(timeout_ms), on)
    }

    fn events(&self, py: Python<'_>) -> PyResult<Stream> {
        Ok(self.0.events().or_raise(py)?.into())
    }

    #[pyo3(signature = (on=None))]
    fn stop<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.stop(), on)
    }
}
