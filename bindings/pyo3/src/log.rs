//! Logs.

use pyo3::prelude::*;

use crate::call::{On, make};
use crate::error::OrRaise as _;

/// The entries under a database.
#[pyclass(frozen, module = "tidelog._tidelog")]
pub(crate) struct Log(pub(crate) tidelog_api::Log);

#[pymethods]
impl Log {
    #[pyo3(signature = (on=None))]
    fn entry_ids<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.entry_ids(), on)
    }

    #[pyo3(signature = (ids, on=None))]
    fn missing<'py>(
        &self,
        py: Python<'py>,
        ids: Vec<String>,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.missing(ids), on)
    }

    #[pyo3(signature = (ids, on=None))]
    fn entries<'py>(
        &self,
        py: Python<'py>,
        ids: Vec<String>,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.entries(ids), on)
    }

    #[pyo3(signature = (entry, on=None))]
    fn append<'py>(&self, py: Python<'py>, entry: &[u8], on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.append(entry.to_vec()), on)
    }

    #[pyo3(signature = (cursor, limit, on=None))]
    fn changes_since<'py>(
        &self,
        py: Python<'py>,
        cursor: Option<String>,
        limit: Option<u32>,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.changes_since(cursor, limit), on)
    }

    fn at(&self, py: Python<'_>, url: &str) -> PyResult<RemoteLog> {
        Ok(RemoteLog(self.0.at(url).or_raise(py)?))
    }

    #[pyo3(signature = (other, on=None))]
    fn pull_from<'py>(&self, py: Python<'py>, other: &Self, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.pull_from(&other.0), on)
    }

    #[pyo3(signature = (other, on=None))]
    fn push_to<'py>(&self, py: Python<'py>, other: &Self, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.push_to(&other.0), on)
    }

    #[pyo3(signature = (other, on=None))]
    fn sync_with<'py>(&self, py: Python<'py>, other: &Self, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.sync_with(&other.0), on)
    }

    #[pyo3(signature = (url, on=None))]
    fn pull_from_relay<'py>(
        &self,
        py: Python<'py>,
        url: String,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.pull_from_relay(url), on)
    }

    #[pyo3(signature = (url, on=None))]
    fn push_to_relay<'py>(
        &self,
        py: Python<'py>,
        url: String,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.push_to_relay(url), on)
    }

    #[pyo3(signature = (url, on=None))]
    fn sync_with_relay<'py>(
        &self,
        py: Python<'py>,
        url: String,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.sync_with_relay(url), on)
    }
}

/// The entries under a database at a relay.
#[pyclass(frozen, module = "tidelog._tidelog")]
pub(crate) struct RemoteLog(tidelog_api::RemoteLog);

#[pymethods]
impl RemoteLog {
    #[pyo3(signature = (on=None))]
    fn entry_ids<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.entry_ids(), on)
    }

    #[pyo3(signature = (ids, on=None))]
    fn missing<'py>(
        &self,
        py: Python<'py>,
        ids: Vec<String>,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.missing(ids), on)
    }

    #[pyo3(signature = (ids, on=None))]
    fn entries<'py>(
        &self,
        py: Python<'py>,
        ids: Vec<String>,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.entries(ids), on)
    }

    #[pyo3(signature = (entry, on=None))]
    fn append<'py>(&self, py: Python<'py>, entry: &[u8], on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.append(entry.to_vec()), on)
    }

    #[pyo3(signature = (cursor, limit, on=None))]
    fn changes_since<'py>(
        &self,
        py: Python<'py>,
        cursor: Option<String>,
        limit: Option<u32>,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.changes_since(cursor, limit), on)
    }
}
