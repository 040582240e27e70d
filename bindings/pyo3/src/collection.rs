//! Collections.

use pyo3::prelude::*;
use tidelog_api::{NewItem, Query};

use crate::call::{Meter, On, make, make_metered};
use crate::document::Document;
use crate::error::OrRaise as _;
use crate::stream::Stream;
use crate::value::{from_python, map_from_python};

/// Items by key, as plain objects.
#[pyclass(frozen, module = "tidelog._tidelog")]
pub(crate) struct Collection(pub(crate) tidelog_api::Collection);

/// What a query asks, in the order of the engine's `Query`.
#[derive(FromPyObject)]
pub(crate) struct Asked<'py>(
    Bound<'py, PyAny>,
    Vec<String>,
    Option<u32>,
    u32,
    Option<String>,
    Option<Vec<String>>,
);

impl Asked<'_> {
    fn into_query(self) -> PyResult<Query> {
        let Self(filter, sort, limit, offset, cursor, ids) = self;
        Ok(Query { filter: from_python(&filter)?, sort, limit, offset, cursor, ids })
    }
}

#[pymethods]
impl Collection {
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

    #[pyo3(signature = (items, meter, progress, on=None))]
    fn put_many<'py>(
        &self,
        py: Python<'py>,
        items: Vec<(Option<String>, Bound<'py, PyAny>)>,
        meter: &Meter,
        progress: Option<Py<PyAny>>,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let items = items.into_iter().map(|(key, value)| Ok(NewItem { key, value: from_python(&value)? }));
        let call = self.0.put_many(items.collect::<PyResult<_>>()?, meter.0.clone());
        make_metered(py, call, meter, progress.as_ref(), on)
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

    #[pyo3(signature = (key, on=None))]
    fn get<'py>(&self, py: Python<'py>, key: String, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.get(key), on)
    }

    #[pyo3(signature = (query, on=None))]
    fn query<'py>(&self, py: Python<'py>, query: Asked<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.query(query.into_query()?), on)
    }

    #[pyo3(signature = (query, on=None))]
    fn count<'py>(&self, py: Python<'py>, query: Asked<'py>, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.count(query.into_query()?), on)
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

    /// Replaces the item if it is still as expected; `...` is an item that is not there.
    #[pyo3(signature = (key, expected, value, on=None))]
    fn replace<'py>(
        &self,
        py: Python<'py>,
        key: String,
        expected: &Bound<'py, PyAny>,
        value: Option<Bound<'py, PyAny>>,
        on: On<'_, 'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let expected = if expected.is(py.Ellipsis()) { None } else { Some(from_python(expected)?) };
        let value = value.as_ref().map(from_python).transpose()?;
        make(py, self.0.replace(key, expected, value), on)
    }

    fn live(&self, py: Python<'_>, query: Asked<'_>) -> PyResult<Stream> {
        Ok(self.0.live(query.into_query()?).or_raise(py)?.into())
    }

    fn watch(&self, py: Python<'_>, key: Option<String>, initial: bool) -> PyResult<Stream> {
        Ok(self.0.watch(key, initial).or_raise(py)?.into())
    }

    #[pyo3(signature = (key, on=None))]
    fn history<'py>(&self, py: Python<'py>, key: String, on: On<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        make(py, self.0.history(key), on)
    }

    fn own(&self, py: Python<'_>) -> PyResult<Self> {
        Ok(Self(self.0.own().or_raise(py)?))
    }

    fn of(&self, py: Python<'_>, user: &str) -> PyResult<Self> {
        Ok(Self(self.0.of(user).or_raise(py)?))
    }

    fn document(&self, py: Python<'_>, key: &str) -> PyResult<Document> {
        Ok(Document(self.0.document(key).or_raise(py)?))
    }
}
