//! Databases and transactions.

use pyo3::prelude::*;
use tidelog_api::{CollectionOptions, Policy};

use crate::call::{On, make};
use crate::collection::Collection;
use crate::error::{OrRaise as _, exception};
use crate::log::Log;
use crate::stream::Stream;
use crate::value::{from_python, map_from_python};

/// A database.
#[pyclass(frozen, module = "tidelog._tidelog")]
pub(crate) struct Database(pub(crate) tidelog_api::Database);

fn options(py: Python<'_>, policy: &str, key_field: Option<String>) -> PyResult<CollectionOptions> {
    let policy = match policy {
        "lww" => Policy::Lww,
        "document" => Policy::Document,
        other => {
            let kind = tidelog_api::ErrorKind::InvalidArgument;
            let reason = format!("a merge policy is `lww` or `document`, not `{other}`");
            return Err(exception(py, &tidelog_api::Error::new(kind, reason)));
        }
    };
    Ok(CollectionOptions { policy, key_field })
}

#[pymethods]
impl Database {
    fn name(&self, py: Python<'_>) -> PyResult<String> {
        self.0.name().or_raise(py)
    }

    fn collection(
        &self,
        py: Python<'_>,
        name: &str,
        policy: &str,
        key_field: Option<String>,
    ) -> PyResult<Collection> {
        Ok(Collection(self.0.collection(name, options(py, policy, key_field)?).or_raise(py)?))
    }

    #[pyo3(signature = (on=None))]
    fn collections<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.collections(), on)
    }

    fn transaction(&self, py: Python<'_>) -> PyResult<Transaction> {
        Ok(Transaction(self.0.transaction().or_raise(py)?))
    }

    fn watch(&self, py: Python<'_>) -> PyResult<Stream> {
        Ok(self.0.watch().or_raise(py)?.into())
    }

    fn log(&self, py: Python<'_>) -> PyResult<Log> {
        Ok(Log(self.0.log().or_raise(py)?))
    }
}

/// Writes that take effect together.
#[pyclass(frozen, module = "tidelog._tidelog")]
pub(crate) struct Transaction(tidelog_api::Transaction);

#[pymethods]
impl Transaction {
    fn collection(
        &self,
        py: Python<'_>,
        name: &str,
        policy: &str,
        key_field: Option<String>,
    ) -> PyResult<TransactionCollection> {
        Ok(TransactionCollection(self.0.collection(name, options(py, policy, key_field)?)))
    }

    #[pyo3(signature = (on=None))]
    fn commit<'py>(&self, py: Python<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.commit(), on)
    }

    fn roll_back(&self) {
        self.0.roll_back();
    }
}

/// A collection within a transaction.
#[pyclass(frozen, module = "tidelog._tidelog")]
pub(crate) struct TransactionCollection(tidelog_api::TransactionCollection);

#[pymethods]
impl TransactionCollection {
    #[pyo3(signature = (key, value, on=None))]
    fn put<'py>(
        &self,
        py: Python<'py>,
        key: Option<String>,
        value: &Bound<'py, PyAny>,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.put(key, from_python(value)?), on)
    }

    #[pyo3(signature = (value, on=None))]
    fn insert<'py>(
        &self,
        py: Python<'py>,
        value: &Bound<'py, PyAny>,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.insert(from_python(value)?), on)
    }

    #[pyo3(signature = (key, fields, on=None))]
    fn patch<'py>(
        &self,
        py: Python<'py>,
        key: String,
        fields: &Bound<'py, PyAny>,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.patch(key, map_from_python(fields)?), on)
    }

    #[pyo3(signature = (key, on=None))]
    fn delete<'py>(&self, py: Python<'py>, key: String, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.delete(key), on)
    }

    #[pyo3(signature = (key, on=None))]
    fn get<'py>(&self, py: Python<'py>, key: String, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.get(key), on)
    }
}
